"""Training runs: what they leave behind, that they learn, repeat, resume and refuse; thresholds; kept lower layers."""

import dataclasses
import hashlib
import importlib
import itertools
import json
import random
import re
import signal
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import generated
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import TrainerCallback
from transformers.models.bert.modeling_bert import BertIntermediate

from hoidam.checkpoint import load_model, load_tokenizer
from hoidam.document import Annotated, Article, Span
from hoidam.encode import segmenters
from hoidam.encode.pieces import PieceTable
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.text import TextEncoder
from hoidam.errors import CheckpointError, DataError, HoidamError, RecipeError
from hoidam.evaluate import Measure, read_report, score
from hoidam.evaluate.render import FORMAT
from hoidam.labels import Category, LabelScheme, SpanType
from hoidam.model import TaggerModel, load_encoder
from hoidam.predict import Prediction, Thresholds
from hoidam.provenance import command, commit
from hoidam.train import results, run
from hoidam.train.balance import category_weights
from hoidam.train.features import Collator, make_features
from hoidam.train.frozen import lower_states, split_encoder
from hoidam.train.loop import TaggerTrainer, parameter_groups
from hoidam.train.recipe import TrainingSettings, read_recipe, recipe_from_dict, recipe_to_toml
from hoidam.train.thresholds import tune_thresholds

CPU = torch.device("cpu")
RUN_FILES = {
    "recipe.toml",
    "provenance.json",
    "curves.jsonl",
    "curves/events.out.tfevents.*",
    "dev.json",
    "dev.md",
    "model/README.md",
    "model/config.json",
    "model/hoidam.json",
    "model/model.safetensors",
    "model/tokenizer.json",
    "model/tokenizer_config.json",
}


def train(recipe, folder, **options):
    return run.train(recipe, folder=folder, device="cpu", **options)


def files_in(folder):
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return {re.sub(r"(tfevents\.).*", r"\1*", name) for name in names}


def read_curves(folder):
    return [json.loads(line) for line in (folder / "curves.jsonl").read_text(encoding="utf-8").splitlines()]


def epochs(folder, key):
    return [entry[key] for entry in read_curves(folder) if key in entry]


def learnt(folder):
    """The curves without what a clock says."""
    clock = ("runtime", "per_second")
    return [
        {name: value for name, value in entry.items() if not name.endswith(clock) and name != "train_loss"}
        for entry in read_curves(folder)
    ]


def dev_f1(folder):
    return read_report(folder / "dev.json")["measures"]["strict"]["macro"]["f1"]


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def text_encoder(folder, size=96):
    return TextEncoder(PieceTable(load_tokenizer(str(folder))), load_segmenter("none"), size=size, overlap=16)


def test_a_run_folder_holds_exactly_these_files(run_folder):
    assert files_in(run_folder) == RUN_FILES


def test_a_run_folder_says_where_its_numbers_come_from(run_folder, corpus, fresh_folder):
    recipe = corpus.recipe(fresh_folder)
    assert read_recipe(run_folder / "recipe.toml") == recipe
    facts = json.loads((run_folder / "provenance.json").read_text(encoding="utf-8"))
    assert facts["recipe"] == json.loads(json.dumps(recipe.to_dict()))
    assert facts["recipe"]["seed"] == 1
    used = [corpus.labels, *(path(part) for path in (corpus.articles, corpus.gold) for part in ("train", "dev"))]
    assert facts["data_sha256"] == {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in used}
    assert (facts["commit"] or "").removesuffix("-dirty") == (commit() or "").removesuffix("-dirty")
    assert set(facts["versions"]) >= {"python", "torch", "transformers", "tokenizers", "numpy"}
    assert facts["versions"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert facts["command"] == command()
    assert (facts["epochs_run"], facts["train_articles"]) == (3, len(corpus.train))
    assert facts["best_dev_score"] == max(epochs(run_folder, "eval_dev_score"))
    assert facts["seconds"] > 0
    assert facts["hardware"]["processor"]


def test_curves_hold_a_loss_and_the_dev_scores_of_every_epoch_as_tensorboard_does(run_folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert len(epochs(run_folder, "loss")) == len(epochs(run_folder, "eval_dev_score")) == 3
    assert all(entry["step"] > 0 and 0 < entry["epoch"] <= 3 for entry in read_curves(run_folder))
    events = EventAccumulator(str(run_folder / "curves")).Reload()
    for tag, key in (("train/loss", "loss"), ("eval/dev_score", "eval_dev_score"), ("eval/WHO_f1", "eval_WHO_f1")):
        assert [event.value for event in events.Scalars(tag)] == pytest.approx(epochs(run_folder, key), abs=1e-6)


def test_the_card_is_rendered_from_the_facts(run_folder):
    card = (run_folder / "model" / "README.md").read_text(encoding="utf-8")
    facts = json.loads((run_folder / "provenance.json").read_text(encoding="utf-8"))
    for fact in (facts["command"], facts["commit"] or "unknown", facts["hoidam"], *facts["data_sha256"].values()):
        assert fact in card
    assert f"{dev_f1(run_folder):.3f}" in card
    assert "Calibration, thresholds and the best epoch were chosen on these articles" in card
    assert f"{facts['seconds']} s on " in card
    assert "Facts" not in card, "the facts stand above the scores"
    assert (run_folder / "dev.md").read_text(encoding="utf-8").startswith("# ")


def test_the_dev_scores_are_those_of_what_the_saved_model_gives_out(run_folder, corpus):
    loaded = load_model(run_folder / "model", device=CPU)
    found = loaded.predictor.predict([annotated.article.text for annotated in corpus.dev])
    tagged = [
        loaded.settings.decide(one).tagged(annotated.id) for annotated, one in zip(corpus.dev, found, strict=True)
    ]
    scores = score(corpus.dev, predictions=tagged, scheme=loaded.settings.scheme)
    assert scores.table(Measure.STRICT).macro.f1 == pytest.approx(dev_f1(run_folder), abs=1e-9)


def test_a_tiny_encoder_learns_a_corpus_that_can_be_learnt(run_folder, corpus, fresh_folder, tmp_path):
    untouched = {"epochs": 1, "learning_rate": 1e-12, "head_learning_rate": 1e-12}
    train(corpus.recipe(fresh_folder, training=untouched), tmp_path / "run")
    assert dev_f1(tmp_path / "run") < 0.1
    assert dev_f1(run_folder) > generated.LEAST_SCORE


@pytest.mark.parametrize("frozen", [0, 1])
def test_kept_lower_layers_stay_as_they_are_and_the_others_learn(frozen, run_folder, corpus, tmp_path):
    encoder = generated.write_taught_encoder(tmp_path / "encoder", model=run_folder / "model")
    train(corpus.recipe(encoder, encoder={"frozen_layers": frozen}), tmp_path / "run")
    assert dev_f1(tmp_path / "run") > generated.LEAST_SCORE
    before, after = load_file(encoder / "model.safetensors"), weights(tmp_path / "run")
    assert {name.removeprefix("encoder.") for name in after if name.startswith("encoder.")} == set(before)
    for name, values in before.items():
        kept = frozen and not name.startswith("encoder.layer.1.")
        assert torch.equal(after[f"encoder.{name}"], values) == bool(kept), name


@pytest.mark.parametrize("name", ["fresh_folder", "phobert_folder"])
def test_kept_states_give_what_the_whole_encoder_gives(name, request, corpus):
    folder = request.getfixturevalue(name)
    encoder = text_encoder(folder)
    network = load_encoder(str(folder), attention="eager")
    scheme = run.read_corpus(corpus.recipe(folder).data, seed=1).scheme
    features = make_features(corpus.train[:12], encoder=encoder, scheme=scheme)
    torch.manual_seed(0)
    model = TaggerModel(network, types=len(scheme.types), categories=len(scheme.categories)).eval()
    lower, upper = split_encoder(network, 1)
    pad_id = encoder.pieces.pad_id
    states = lower_states(lower, features, pad_id=pad_id, device=CPU, precision="fp32")
    assert all(kept.dtype.name == "float16" for kept in states)
    rows = [features[index] for index in (7, 0, 3, 11)]
    assert len({row["length"] for row in rows}) > 1, "padding is not tried"
    with torch.inference_mode():
        whole = model(**Collator(pad_id)(rows))
        parts = model.with_encoder(upper).eval()(**Collator(pad_id, states)(rows))
    assert parts.loss.item() == pytest.approx(whole.loss.item(), abs=1e-3)
    for part, full in ((parts.category_logits, whole.category_logits), (parts.tag_logits, whole.tag_logits)):
        for index, row in enumerate(rows):
            words = len(row["tags"])
            torch.testing.assert_close(part[index, :words], full[index, :words], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(parts.article_logits, whole.article_logits, atol=1e-3, rtol=1e-3)


def test_the_same_seed_gives_the_same_model_and_another_seed_another(run_folder, corpus, fresh_folder, tmp_path):
    train(corpus.recipe(fresh_folder), tmp_path / "same")
    assert learnt(tmp_path / "same") == learnt(run_folder)
    for name, values in weights(run_folder).items():
        assert torch.equal(values, weights(tmp_path / "same")[name]), name
    train(corpus.recipe(fresh_folder, seed=2, training={"epochs": 1}), tmp_path / "other")
    assert epochs(tmp_path / "other", "loss")[0] != epochs(run_folder, "loss")[0]


def test_of_several_runs_the_best_on_dev_is_taken(tmp_path, monkeypatch):
    models = [tmp_path / name / "model" for name in ("a", "b", "c")]
    for model, found in zip(models, (0.5, 0.75, 0.75), strict=True):
        model.mkdir(parents=True)
        report = {"format": FORMAT, "measures": {"strict": {"macro": {"f1": found}}}, "per_article": []}
        (model.parent / "dev.json").write_text(json.dumps(report))
    assert results.best_on_dev(models) == models[1]
    assert results.best_on_dev([tmp_path / "elsewhere"]) == tmp_path / "elsewhere"
    monkeypatch.chdir(models[1])
    assert results.best_on_dev([models[0], Path()]) == Path()
    with pytest.raises(CheckpointError, match="no dev scores there"):
        results.best_on_dev([*models, tmp_path / "d" / "model"])


@pytest.mark.parametrize("frozen", [0, 1])
def test_layers_computed_twice_to_save_memory_learn_the_same(frozen, monkeypatch, small, fresh_folder, tmp_path):
    forward, calls = BertIntermediate.forward, []
    monkeypatch.setattr(BertIntermediate, "forward", lambda *given: calls.append(1) or forward(*given))
    counts = []
    for name, twice in (("once", False), ("twice", True)):
        calls.clear()
        settings = {"training": {"epochs": 1, "gradient_checkpointing": twice}, "encoder": {"frozen_layers": frozen}}
        train(small.recipe(fresh_folder, **settings), tmp_path / name)
        counts.append(len(calls))
    forecasts, steps = 2, read_curves(tmp_path / "once")[-1]["step"]
    assert counts[1] - counts[0] == (forecasts + steps) * (2 - frozen)
    assert learnt(tmp_path / "twice") == learnt(tmp_path / "once")
    for name, values in weights(tmp_path / "once").items():
        assert torch.equal(values, weights(tmp_path / "twice")[name]), name


def test_class_weights_change_the_losses_over_categories_as_reckoned_by_hand(small, fresh_folder):
    corpus = run.read_corpus(small.recipe(fresh_folder).data, seed=1)
    scheme = corpus.scheme
    spans = Counter(span.category for one in corpus.train for span in one.spans if span.category)
    assert len(set(spans.values())) > 1, "all categories are as frequent"
    weights = category_weights("inverse_sqrt", corpus.train, scheme=scheme)
    by_name = dict(zip(scheme.category_names, weights.tolist(), strict=True))
    for one, other in itertools.combinations(spans, 2):
        assert by_name[one] / by_name[other] == pytest.approx((spans[other] / spans[one]) ** 0.5)
    assert sum(by_name[name] * count for name, count in spans.items()) == pytest.approx(spans.total())
    assert category_weights("none", corpus.train, scheme=scheme) is None

    encoder = text_encoder(fresh_folder)
    features = make_features(corpus.train, encoder=encoder, scheme=scheme)
    torch.manual_seed(0)
    network = load_encoder(str(fresh_folder), attention="eager")
    model = TaggerModel(network, types=len(scheme.types), categories=len(scheme.categories)).eval()
    batch = Collator(encoder.pieces.pad_id)([features[index] for index in range(len(features))])
    with torch.inference_mode():
        plain = model(**batch)
        model.category_weights = weights
        weighed = model.with_encoder(network).eval()(**batch)
    assert "category_weights" not in model.state_dict(), "weights of training are no part of a model"

    def loss(weights):
        """Words by softmax, a mean by weight; articles by sigmoid, where a category that is there has its weight."""
        likely, known = plain.category_logits.double().log_softmax(-1), batch["categories"]
        words = [(weights[c], -likely[w, k, c]) for w, row in enumerate(known) for k, c in enumerate(row) if c >= 0]
        article = [
            -weights[c] * torch.nn.functional.logsigmoid(x) if there else -torch.nn.functional.logsigmoid(-x)
            for logits, row in zip(plain.article_logits.double(), batch["article"], strict=True)
            for c, (x, there) in enumerate(zip(logits, row, strict=True))
        ]
        return sum(w * x for w, x in words) / sum(w for w, _ in words) + sum(article) / len(article)

    expected = loss(weights.double()) - loss(torch.ones(len(weights), dtype=torch.float64))
    assert abs(expected) > 1e-3
    assert (weighed.loss - plain.loss).item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_run_with_class_weights_learns_otherwise(small, fresh_folder, tmp_path):
    for kind in ("none", "inverse_sqrt"):
        train(small.recipe(fresh_folder, training={"epochs": 1, "class_weights": kind}), tmp_path / kind)
    assert epochs(tmp_path / "none", "loss") != epochs(tmp_path / "inverse_sqrt", "loss")


MLFLOW = """
from types import SimpleNamespace
__version__ = "3.0.0"
utils = SimpleNamespace(validation=SimpleNamespace(MAX_PARAM_VAL_LENGTH=500, MAX_PARAMS_TAGS_PER_BATCH=100))
runs, active = [], None
is_tracking_uri_set = lambda: True
get_tracking_uri = lambda: "here"
active_run = lambda: active
def start_run(run_name, nested):
    global active
    active = SimpleNamespace(info=SimpleNamespace(run_id=run_name), metrics=[])
    runs.append(active)
def end_run():
    global active
    active = None
log_params = lambda params, synchronous: None
log_metrics = lambda metrics, step, synchronous: active.metrics.append(metrics)
"""
CONFIG_ERROR = "class ConfigError(Exception): ..."
WANDB = """
from types import SimpleNamespace
runs, run, config, define_metric = [], None, {}, None
def init(project, name):
    global run
    run = SimpleNamespace(info=SimpleNamespace(run_id=name), metrics=[], summary={}, id=name, _label=lambda code: None)
    runs.append(run)
def log(metrics):
    run.metrics.append({name.replace("eval/", "eval_").replace("train/", ""): x for name, x in metrics.items()})
def finish():
    global run
    run = None
"""


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mlflow", {"mlflow": MLFLOW}),
        (
            "wandb",
            {
                "wandb": WANDB,
                "wandb/sdk": "",
                "wandb/sdk/lib": "",
                "wandb/sdk/lib/config_util": "class ConfigError(Exception): ...",
            },
        ),
    ],
)
def test_a_tracker_is_told_the_losses_and_scores_of_each_run(name, package, monkeypatch, small, fresh_folder, tmp_path):
    for module, code in package.items():
        path = tmp_path / "packages" / module / "__init__.py"
        path.parent.mkdir(parents=True)
        path.write_text(code, encoding="utf-8")
    recipe = small.recipe(fresh_folder, training={"epochs": 2, "track": ["tensorboard", name]})
    (tmp_path / "empty" / name).mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "empty")
    with pytest.raises(RecipeError, match=f"pip install {name}"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()

    monkeypatch.syspath_prepend(tmp_path / "packages")
    for folder in ("first", "second"):
        train(recipe, tmp_path / folder)
    for folder, told in zip(("first", "second"), importlib.import_module(name).runs, strict=True):
        assert told.info.run_id == recipe.name
        for key in ("loss", "eval_dev_score", "eval_WHO_f1"):
            assert [entry[key] for entry in told.metrics if key in entry] == epochs(tmp_path / folder, key)
        assert any("tfevents" in file for file in files_in(tmp_path / folder))
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)


def test_nobody_need_be_told(small, fresh_folder, tmp_path):
    train(small.recipe(fresh_folder, training={"epochs": 1, "track": []}), tmp_path / "run")
    assert files_in(tmp_path / "run") == {name for name in RUN_FILES if not name.startswith("curves/")}


def test_training_stops_when_dev_no_longer_rises(small, fresh_folder, tmp_path):
    stuck = {"epochs": 50, "learning_rate": 1e-12, "head_learning_rate": 1e-12, "patience": 2}
    train(small.recipe(fresh_folder, training=stuck), tmp_path / "run")
    assert len(set(epochs(tmp_path / "run", "eval_dev_score"))) == 1
    assert len(epochs(tmp_path / "run", "eval_dev_score")) == 3
    assert json.loads((tmp_path / "run" / "provenance.json").read_text(encoding="utf-8"))["epochs_run"] == 3


def test_the_best_epoch_is_kept_and_not_the_last(monkeypatch, small, fresh_folder, tmp_path):
    given = iter([0.1, 0.9, 0.2])
    seen = []

    def dev_scores(predictor, _):
        seen.append({name: value.clone() for name, value in predictor.network.model.state_dict().items()})
        return {"dev_score": next(given)}

    monkeypatch.setattr(run, "dev_scores", dev_scores)
    train(small.recipe(fresh_folder), tmp_path / "run")
    for name, values in weights(tmp_path / "run").items():
        assert torch.equal(values, seen[1][name]), name


def test_a_run_whose_weights_are_no_numbers_any_more_says_so(capsys, small, fresh_folder, tmp_path):
    rates = {"epochs": 1, "learning_rate": 1e30, "head_learning_rate": 1e30}
    with pytest.raises(RecipeError, match=r"training\.learning_rate: .* no numbers any more.* lower rates"):
        train(small.recipe(fresh_folder, training=rates), tmp_path / "run")
    assert "epoch 1 of 1: loss nan" in capsys.readouterr().err


def test_an_epoch_that_loses_all_numbers_leaves_the_best_one_before(small, fresh_folder, tmp_path):
    class Loses(TrainerCallback):
        def on_epoch_begin(self, args, state, control, model, **known):
            if state.epoch >= 1:
                with torch.no_grad():
                    model.tag_head.weight.fill_(float("nan"))

    train(small.recipe(fresh_folder, training={"epochs": 2}), tmp_path / "run", callbacks=[Loses()])
    assert all(values.isfinite().all() for values in weights(tmp_path / "run").values())
    first, second = epochs(tmp_path / "run", "loss")
    assert first > 0
    assert second is None


class StopHereError(Exception):
    """Stands for whatever ends a process."""


def interrupt(monkeypatch, name, *, call, module=run):
    """Make a function of the run break at its n-th call, and give the list that its calls are counted in."""
    function, calls = getattr(module, name), []

    def break_off(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise StopHereError
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, break_off)
    return calls


def test_a_resumed_run_ends_as_one_that_was_never_stopped(
    monkeypatch, capsys, run_folder, corpus, fresh_folder, tmp_path
):
    recipe, folder = corpus.recipe(fresh_folder), tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt(patch, "dev_scores", call=2)
        with pytest.raises(StopHereError):
            train(recipe, folder)
    assert not (folder / "model").exists()

    with pytest.raises(RecipeError, match="exists already"):
        train(recipe, folder)
    other = dataclasses.replace(recipe, seed=5, training=dataclasses.replace(recipe.training, epochs=9))
    with pytest.raises(RecipeError, match=r"these differ: seed, training\.epochs$"):
        train(other, folder, resume=True)

    (folder / "checkpoints" / "checkpoint-999").mkdir()
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr("hoidam.progress._LINE_SECONDS", 0.0)
        scored = interrupt(patch, "dev_scores", call=0)
        train(recipe, folder, resume=True)
    assert len(scored) == 2, "the first epoch was run again"
    steps = re.findall(r"training: (\d+) of (\d+),", capsys.readouterr().err)
    left = read_curves(run_folder)[-1]["step"] * 2 // 3
    assert steps == [(str(step), str(left)) for step in range(1, left + 1)]
    assert files_in(folder) == RUN_FILES
    assert learnt(folder) == learnt(run_folder)
    for name, values in weights(run_folder).items():
        assert torch.equal(values, weights(folder)[name]), name
    with pytest.raises(RecipeError, match="this run is finished"):
        train(recipe, folder, resume=True)


def test_a_run_stopped_while_it_wrote_its_results_is_finished(monkeypatch, run_folder, corpus, fresh_folder, tmp_path):
    recipe, folder = corpus.recipe(fresh_folder), tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt(patch, "save_model", call=1, module=results)
        with pytest.raises(StopHereError):
            train(recipe, folder)
    assert not (folder / "model").exists()
    train(recipe, folder, resume=True)
    assert files_in(folder) == RUN_FILES
    assert dev_f1(folder) == dev_f1(run_folder)
    for name, values in weights(run_folder).items():
        assert torch.equal(values, weights(folder)[name]), name


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from hoidam.train import loop, recipe, run

def on_step_end(self, args, state, control, **known):
    if state.global_step == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

loop.StepProgress.on_step_end = on_step_end
run.train(recipe.read_recipe(Path(sys.argv[1])), folder=Path(sys.argv[2]), device="cpu")
"""


def test_a_process_killed_within_an_epoch_is_resumed_to_the_same_run(run_folder, corpus, fresh_folder, tmp_path):
    recipe, folder = corpus.recipe(fresh_folder), tmp_path / "run"
    (tmp_path / "recipe.toml").write_text(recipe_to_toml(recipe), encoding="utf-8")
    steps = epochs(run_folder, "step")[-1] // 3
    within_the_second = steps + steps // 2
    assert steps < within_the_second < 2 * steps
    arguments = [str(tmp_path / "recipe.toml"), str(folder), str(within_the_second)]
    killed = subprocess.run([sys.executable, "-c", KILLED_RUN, *arguments], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [path.name for path in (folder / "checkpoints").iterdir()] == [f"checkpoint-{steps}"]

    train(recipe, folder, resume=True)
    assert files_in(folder) == RUN_FILES
    assert learnt(folder) == learnt(run_folder)
    assert read_report(folder / "dev.json")["measures"] == read_report(run_folder / "dev.json")["measures"]
    for name, values in weights(run_folder).items():
        assert torch.equal(values, weights(folder)[name]), name


@pytest.mark.parametrize("stopped_at", [("dev_scores", run, 3), ("save_model", results, 1)])
def test_a_resumed_run_stops_early_when_one_that_was_never_stopped_does(
    stopped_at, monkeypatch, small, fresh_folder, tmp_path
):
    stuck = {"epochs": 50, "learning_rate": 1e-12, "head_learning_rate": 1e-12, "patience": 3}
    recipe, (name, module, call) = small.recipe(fresh_folder, training=stuck), stopped_at
    with monkeypatch.context() as patch:
        interrupt(patch, name, call=call, module=module)
        with pytest.raises(StopHereError):
            train(recipe, tmp_path / "run")
    train(recipe, tmp_path / "run", resume=True)
    assert len(epochs(tmp_path / "run", "eval_dev_score")) == 4


def test_a_run_stopped_before_its_first_epoch_ended_starts_again(monkeypatch, small, fresh_folder, tmp_path):
    recipe, folder = small.recipe(fresh_folder, training={"epochs": 1}), tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt(patch, "dev_scores", call=1)
        with pytest.raises(StopHereError):
            train(recipe, folder)
    train(recipe, folder, resume=True)
    assert files_in(folder) == RUN_FILES
    facts = results.read_provenance(folder)
    assert facts["resumed"]
    assert f"{facts['seconds']} s since it was resumed on " in (folder / "model" / "README.md").read_text("utf-8")


def test_a_run_goes_on_with_the_data_that_it_began_with_or_not_at_all(monkeypatch, fresh_folder, tmp_path):
    corpus, folder = generated.write_corpus(tmp_path / "corpus", train=4, dev=2), tmp_path / "run"
    recipe, gold = corpus.recipe(fresh_folder, training={"epochs": 2}), corpus.gold("train")
    kept = gold.read_text(encoding="utf-8")
    other = "".join(reversed(kept.splitlines(keepends=True)))
    with monkeypatch.context() as patch:
        interrupt(patch, "dev_scores", call=2)
        with pytest.raises(StopHereError):
            train(recipe, folder)
    refused = pytest.raises(RecipeError, match=rf"begun with other data; changed or gone since: {re.escape(str(gold))}")
    gold.write_text(other, encoding="utf-8")
    with refused:
        train(recipe, folder, resume=True)
    # As versions before left it.
    (folder / "provenance.json").unlink()
    train(recipe, folder, resume=True)

    assert run.complete(recipe, folder=folder) == folder / "model"
    gold.write_text(kept, encoding="utf-8")
    with refused:
        run.complete(recipe, folder=folder)
    gold.unlink()
    with refused:
        run.complete(recipe, folder=folder)


def test_an_existing_folder_is_refused_and_left_as_it_is(corpus, fresh_folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RecipeError, match="exists already"):
        train(corpus.recipe(fresh_folder), tmp_path / "run")
    assert files_in(tmp_path / "run") == {"mine.txt"}


def test_there_is_nothing_to_resume_where_no_run_was(corpus, fresh_folder, tmp_path):
    with pytest.raises(RecipeError, match="no run to resume"):
        train(corpus.recipe(fresh_folder), tmp_path / "run", resume=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("table", "key", "value", "kind", "message"),
    [
        ("encoder", "name", "/nowhere/encoder", CheckpointError, "/nowhere/encoder: no encoder"),
        ("encoder", "layers", 3, CheckpointError, "has 2 layers, 3 were asked for"),
        ("encoder", "frozen_layers", 2, RecipeError, "2 of 2 layers leaves none to train"),
        ("window", "size", 511, RecipeError, r"window\.size: .* Use 510 or fewer"),
        ("training", "precision", "fp16", RecipeError, "fp16 needs a GPU"),
        ("data", "labels", "/nowhere/labels.toml", DataError, "/nowhere/labels.toml: no such file"),
        ("data", "articles", ["/"], DataError, "/: cannot be read"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_leaves_no_folder(
    table, key, value, kind, message, corpus, fresh_folder, tmp_path
):
    recipe = corpus.recipe(fresh_folder).to_dict()
    recipe[table][key] = value
    with pytest.raises(kind, match=message):
        train(recipe_from_dict(json.loads(json.dumps(recipe)), source="test"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_limit_draws_train_articles_in_nested_sets_by_seed(corpus, fresh_folder):
    data = corpus.recipe(fresh_folder).data

    def drawn(limit, seed=1):
        found = run.read_corpus(dataclasses.replace(data, train_limit=limit), seed=seed)
        return [one.id for one in found.train]

    everything = drawn(0)
    for limit in range(1, len(everything) + 1):
        assert len(drawn(limit)) == limit
        assert set(drawn(limit - 1) if limit > 1 else []) < set(drawn(limit))
        assert drawn(limit) == [name for name in everything if name in set(drawn(limit))]
    half = len(everything) // 2
    assert len({tuple(drawn(half, seed)) for seed in range(8)}) > 1
    with pytest.raises(RecipeError, match=f"{len(everything) + 1} of {len(everything)} train articles"):
        drawn(len(everything) + 1)


def test_an_article_in_train_and_dev_is_refused(corpus, fresh_folder, tmp_path):
    recipe = corpus.recipe(fresh_folder)
    both = dataclasses.replace(recipe.data, dev=recipe.data.train)
    with pytest.raises(RecipeError, match="'train-0' is in train and dev"):
        train(dataclasses.replace(recipe, data=both), tmp_path / "run")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"data\.dev: no gold"):
        train(dataclasses.replace(recipe, data=dataclasses.replace(both, dev=(str(empty),))), tmp_path / "run")


def test_a_place_that_cannot_be_written_is_refused(corpus, fresh_folder, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(HoidamError, match="cannot be written"):
        train(corpus.recipe(fresh_folder), tmp_path / "file" / "run")


def test_the_longest_window_that_is_allowed_can_be_read(small, phobert_folder, tmp_path):
    long = "\n".join(annotated.article.text for annotated in generated.make_articles("long", 12, seed=3))
    settings = {"training": {"epochs": 1, "precision": "fp32"}}
    with pytest.raises(RecipeError, match=r"has 256 positions\. Use 254 or fewer"):
        train(small.recipe(phobert_folder, window={"size": 255, "overlap": 48}, **settings), tmp_path / "run")
    model = train(small.recipe(phobert_folder, window={"size": 254, "overlap": 48}, **settings), tmp_path / "run")
    predictor = load_model(model, device=CPU).predictor
    assert max(len(window.ids) for window in predictor.read(long).encoded.encoded) > 250
    predictor.predict([long])


def test_each_line_is_segmented_once_and_in_the_next_run_never(small, phobert_folder, tmp_path, monkeypatch):
    asked = Counter()

    def segment(line):
        asked[line] += 1
        return line.split()

    monkeypatch.setenv("HOIDAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(segmenters._LOADERS, "pyvi", lambda: segmenters.Segmenter("pyvi", "1", segment, "pyvi"))
    recipe = small.recipe(
        phobert_folder,
        encoder={"segmenter": "pyvi"},
        training={"epochs": 2, "precision": "fp32"},
    )
    train(recipe, tmp_path / "first")
    articles = [annotated.article.text for annotated in (*small.train, *small.dev)]
    assert asked == Counter({line for text in articles for line in text.split("\n")})
    asked.clear()
    train(recipe, tmp_path / "second")
    assert not asked
    assert dev_f1(tmp_path / "first") == dev_f1(tmp_path / "second")


def test_the_order_of_an_epoch_looks_up_lengths_in_memory():
    features = Dataset.from_dict({"length": [3, 5, 4]})
    known = SimpleNamespace(train_batch_size=2, gradient_accumulation_steps=1, world_size=1)
    order = TaggerTrainer._get_train_sampler(SimpleNamespace(train_dataset=features, args=known))
    assert order.lengths == [3, 5, 4]
    assert type(order.lengths) is list, "each look at a column reads all of it"


def test_every_trained_parameter_is_in_one_group_with_the_rate_of_its_layer(fresh_folder):
    model = TaggerModel(load_encoder(str(fresh_folder)), types=4, categories=3)
    model.encoder.embeddings.word_embeddings.weight.requires_grad = False
    settings = TrainingSettings(epochs=1, learning_rate=1e-3, head_learning_rate=1e-2, layer_decay=0.5)
    groups = parameter_groups(model, settings)
    rates = {id(value): (group["lr"], group["weight_decay"]) for group in groups for value in group["params"]}
    assert len(rates) == sum(len(group["params"]) for group in groups)
    expected = {"encoder.embeddings": 2.5e-4, "encoder.encoder.layer.0": 5e-4, "encoder.encoder.layer.1": 1e-3}
    for name, value in model.named_parameters():
        if not value.requires_grad:
            assert id(value) not in rates
            continue
        rate = next((rate for start, rate in expected.items() if name.startswith(start)), 1e-2)
        assert rates[id(value)] == (pytest.approx(rate), 0.01 if value.ndim > 1 else 0.0), name


def random_dev(rng, scheme, count):
    """Gold, and predictions of which about half are right."""
    gold, predictions = [], []
    for number in range(count):
        spans = {
            Span(
                place, place + 3, kind, rng.choice(scheme.category_names) if kind in scheme.categorised_names else None
            )
            for place in range(0, 40, 5)
            for kind in [rng.choice(scheme.type_names)]
            if rng.random() < 0.6
        }
        found = [
            dataclasses.replace(span, end=span.end + rng.choice([0, 0, 1]), score=rng.randrange(101) / 100)
            for span in spans
            if rng.random() < 0.9
        ]
        categories = frozenset(name for name in scheme.category_names if rng.random() < 0.4)
        scores = {
            name: min(1.0, max(0.0, rng.gauss(0.6 if name in categories else 0.4, 0.3)))
            for name in scheme.category_names
        }
        gold.append(Annotated(Article(f"a{number}", "x" * 60), tuple(sorted(spans)), categories))
        predictions.append(Prediction(tuple(sorted(found)), scores, words=rng.choice([150, 299, 300, 2000])))
    return gold, predictions


def f1_by_the_scorer(gold, predictions, thresholds, scheme):
    """Strict F1 of every type and micro F1 of the categories, counted by what scores reports."""
    tagged = [
        prediction.above(thresholds).tagged(annotated.id)
        for annotated, prediction in zip(gold, predictions, strict=True)
    ]
    scores = score(gold, predictions=tagged, scheme=scheme)
    rows, overlap = scores.table(Measure.STRICT).rows, scores.table(Measure.OVERLAP_CATEGORY).rows
    found = {
        name: statistics.fmean(table[name].ratios.f1 or 0.0 for table in (rows, overlap) if name in table)
        for name in scheme.type_names
    }
    return found | {"": scores.table(Measure.CATEGORIES).micro.ratios.f1 or 0.0}


def articles_told_apart(gold, predictions, threshold):
    """The mean of the shares of articles with and without categories that are known as such, twice over."""
    thresholds = Thresholds(spans={}, categories=0.0, article=threshold)
    told = {True: [], False: []}
    for annotated, prediction in zip(gold, predictions, strict=True):
        told[bool(annotated.categories)].append(bool(prediction.above(thresholds).categories))
    return statistics.fmean(told[True]) - statistics.fmean(told[False])


@pytest.mark.parametrize("seed", range(5))
def test_tuned_thresholds_are_the_best_of_all_that_can_be_chosen(seed):
    scheme = LabelScheme(
        types=(SpanType("A"), SpanType("B", categorised=True)), categories=(Category("X"), Category("Y"))
    )
    gold, predictions = random_dev(random.Random(seed), scheme, 20)
    article = -max((round(articles_told_apart(gold, predictions, step / 20), 9), -step) for step in range(81))[1] / 20
    tried = {}
    for step in range(20):
        value = step / 20
        same = Thresholds(spans=dict.fromkeys(scheme.type_names, value), categories=value, article=article)
        for name, f1 in f1_by_the_scorer(gold, predictions, same, scheme).items():
            tried.setdefault(name, []).append((f1, -value))
    best = {name: -max(found)[1] for name, found in tried.items()}
    thresholds = tune_thresholds(gold, predictions, scheme=scheme)
    assert thresholds.article == pytest.approx(article)
    assert dict(thresholds.spans) == pytest.approx({name: best[name] for name in scheme.type_names})
    assert thresholds.categories == pytest.approx(best[""])


def test_categories_that_dev_never_has_are_not_given_to_every_article():
    scheme = LabelScheme(types=(SpanType("A", categorised=True),), categories=(Category("X"),))
    gold = [Annotated(Article("a", "x"))]
    predictions = [Prediction((), {"X": 0.2}, words=1)]
    thresholds = tune_thresholds(gold, predictions, scheme=scheme)
    assert predictions[0].above(thresholds).categories == {}


def test_a_scheme_without_categories_is_trained_and_loaded(corpus, fresh_folder, tmp_path):
    scheme = LabelScheme(types=(SpanType("WHO"), SpanType("SITE")))
    plain = generated.write_corpus(tmp_path / "plain", scheme=scheme)
    model = train(plain.recipe(fresh_folder), tmp_path / "run")
    assert dev_f1(tmp_path / "run") > generated.LEAST_SCORE
    (found,) = load_model(model, device=CPU, scheme=scheme).predictor.predict([plain.dev[0].article.text])
    assert {span.type for span in found.spans} == {"WHO", "SITE"}
    assert found.categories == {}
