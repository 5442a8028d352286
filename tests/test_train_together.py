"""Training in several processes: they learn what one learns, one speaks and writes, and what ends one ends all."""

import json
import os
import random
import re
import shutil
import subprocess
import sys

import generated
import pytest
import tiny
import torch
from accelerate.data_loader import BatchSamplerShard
from safetensors.torch import load_file
from test_train_run import RUN_FILES, StopHereError, epochs, files_in, interrupt, learnt, weights
from torch.utils.data import BatchSampler
from transformers.trainer_pt_utils import LengthGroupedSampler

from hoidam.encode.tags import NO_CATEGORY
from hoidam.errors import RecipeError
from hoidam.model import loss_counts
from hoidam.train import forecast, loop, run
from hoidam.train.together import SharedOrder, own_device, own_rows

STILL = {"dropout": 0.0, "attention_dropout": 0.0}
SAID = re.compile(r"^hoidam: .*", re.MULTILINE)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A corpus whose windows leave, in the last batch of four, two: none for the second of two processes."""
    return generated.write_corpus(tmp_path_factory.mktemp("corpus") / "small", train=11, dev=3)


@pytest.fixture(scope="module")
def still_folder(tmp_path_factory, fresh_folder):
    """An encoder without dropout, so that how a batch is parted makes no difference."""
    folder = tmp_path_factory.mktemp("encoders") / "still"
    shutil.copytree(fresh_folder, folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_dropout_prob": 0.0}))
    return folder


def launch(*words):
    """Two processes on this machine, as torchrun starts them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    known = {**os.environ, "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        list(map(str, command)), check=False, capture_output=True, text=True, timeout=900, env=known
    )
    # Past here the launcher speaks of itself.
    return finished.returncode, finished.stdout, finished.stderr.partition("torch/distributed/elastic")[0]


def test_two_processes_learn_as_one_with_their_batches_together(small, still_folder, tmp_path):
    run.train(small.recipe(still_folder, training=STILL), folder=tmp_path / "one", device="cpu")
    recipe = small.write_recipe(tmp_path / "recipe.toml", still_folder, training=STILL | {"batch_size": 2})
    code, out, err = launch("-m", "hoidam", "train", recipe, "--output", tmp_path / "two", "--device", "cpu")
    assert code == 0, err

    facts = json.loads((tmp_path / "two" / "provenance.json").read_text(encoding="utf-8"))
    assert facts["train_windows"] % 4 == 2, "no process is without windows of its own"
    assert facts["processes"] == 2
    assert facts["command"].startswith("python -m hoidam train ")
    for key in ("step", "loss", "grad_norm", "learning_rate", "eval_dev_score"):
        assert epochs(tmp_path / "two", key) == pytest.approx(epochs(tmp_path / "one", key), abs=1e-5), key

    assert files_in(tmp_path / "two") == RUN_FILES
    assert len(list((tmp_path / "two" / "curves").iterdir())) == 1
    assert re.findall(r"^epoch (\d) of 3: ", err, re.MULTILINE) == ["1", "2", "3"]
    assert err.count("articles in") == err.count("model: ") == out.count("Scores on dev") == 1
    assert "Warning" not in err
    assert "3 epochs" in (tmp_path / "two" / "model" / "README.md").read_text(encoding="utf-8")


def test_a_mistake_in_a_recipe_is_said_once_and_leaves_no_folder(small, still_folder, tmp_path):
    recipe = small.write_recipe(tmp_path / "recipe.toml", still_folder)
    code, out, err = launch("-m", "hoidam", "train", recipe, "--set", "training.epochs=0", "--output", tmp_path / "run")
    assert code != 0
    assert SAID.findall(err) == [f"hoidam: {recipe}: 1 wrong settings"]
    assert err.count("training.epochs: give 1 or more") == 1
    assert "Traceback" not in err
    assert not out
    assert not (tmp_path / "run").exists()


RESUMED = """
import dataclasses, shutil, sys
from pathlib import Path
from hoidam.processes import is_main
from hoidam.train import forecast, loop, run
from hoidam.train.recipe import read_recipe

class StopHereError(Exception):
    pass

def stop(self, args, state, control, **known):
    if state.global_step == int(sys.argv[3]):
        raise StopHereError

recipe, folder = read_recipe(Path(sys.argv[1])), Path(sys.argv[2])
run.train(recipe, folder=folder / "whole", device="cpu")
with_steps = loop.StepProgress.on_step_end
loop.StepProgress.on_step_end = stop
try:
    run.train(recipe, folder=folder / "stopped", device="cpu")
except StopHereError:
    loop.StepProgress.on_step_end = with_steps
if is_main():
    shutil.copytree(folder / "stopped", folder / "left")
run.train(recipe, folder=folder / "stopped", device="cpu", resume=True)
kept = dataclasses.replace(recipe.encoder, frozen_layers=1)
run.train(dataclasses.replace(recipe, encoder=kept), folder=folder / "kept", device="cpu")
run.train(read_recipe(Path(sys.argv[4])), folder=folder / "plain", device="cpu")
"""


@pytest.mark.slow
def test_two_processes_resume_keep_layers_and_do_without_categories(small, fresh_folder, tmp_path):
    recipe = small.write_recipe(tmp_path / "recipe.toml", fresh_folder, training={"batch_size": 2, "epochs": 2})
    uncategorised = generated.write_corpus(tmp_path / "corpus", train=5, dev=2, scheme=tiny.PLAIN_SCHEME)
    plain = uncategorised.write_recipe(tmp_path / "plain.toml", fresh_folder, training={"batch_size": 2})
    (tmp_path / "script.py").write_text(RESUMED, encoding="utf-8")
    within_the_second = 8
    code, _, err = launch(tmp_path / "script.py", recipe, tmp_path, within_the_second, plain)
    assert code == 0, err
    steps = epochs(tmp_path / "whole", "step")[-1] // 2
    assert steps < within_the_second < 2 * steps
    assert learnt(tmp_path / "stopped") == learnt(tmp_path / "whole")
    for name, values in weights(tmp_path / "whole").items():
        assert torch.equal(values, weights(tmp_path / "stopped")[name]), name

    left = tmp_path / "left" / "checkpoints" / f"checkpoint-{steps}"
    states = [torch.load(left / f"rng_state_{index}.pth", weights_only=False)["cpu"] for index in (0, 1)]
    assert not torch.equal(*states), "both processes draw one dropout"

    lowest = "encoder.layer.0.output.dense.weight"
    before, after = load_file(fresh_folder / "model.safetensors"), weights(tmp_path / "kept")
    assert torch.equal(after[f"encoder.{lowest}"], before[lowest])
    assert not torch.equal(after[f"encoder.{lowest.replace('0', '1')}"], before[lowest.replace("0", "1")])
    assert epochs(tmp_path / "kept", "loss")[1] < epochs(tmp_path / "kept", "loss")[0]
    assert epochs(tmp_path / "plain", "loss")[1] < epochs(tmp_path / "plain", "loss")[0]
    assert files_in(tmp_path / "plain") == RUN_FILES


FAILING = """
import os
from hoidam.cli import main
from hoidam.errors import DataError
from hoidam.train import loop

def fail(self, args, state, control, **known):
    if os.environ["RANK"] == "1" and state.global_step == 2:
        raise DataError("this disk is broken")

loop.StepProgress.on_step_end = fail
main()
"""


@pytest.mark.slow
def test_what_ends_one_process_ends_all_and_is_said_once(small, fresh_folder, tmp_path):
    recipe = small.write_recipe(tmp_path / "recipe.toml", fresh_folder)
    (tmp_path / "script.py").write_text(FAILING, encoding="utf-8")
    code, _, err = launch(tmp_path / "script.py", "train", recipe, "--output", tmp_path / "run", "--device", "cpu")
    assert code != 0
    assert SAID.findall(err) == ["hoidam: this disk is broken"]
    assert "Traceback" not in err


def test_a_checkpoint_of_another_number_of_processes_is_refused(monkeypatch, small, fresh_folder, tmp_path):
    recipe, folder = small.recipe(fresh_folder), tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt(patch, "dev_scores", call=2)
        with pytest.raises(StopHereError):
            run.train(recipe, folder=folder, device="cpu")
    for module in (forecast, loop):
        monkeypatch.setattr(module, "process_count", lambda: 2)
    with pytest.raises(RecipeError, match=r"of a run of 18 steps, and this one would have 9: .* processes than 2"):
        run.train(recipe, folder=folder, device="cpu", resume=True)


def test_a_gpu_other_than_the_first_is_refused_with_the_cure():
    with pytest.raises(RecipeError, match=r"--device cuda:1: .*CUDA_VISIBLE_DEVICES=1 and --device cuda$"):
        own_device(torch.device("cuda:1"))
    for name in ("cpu", "cuda", "cuda:0"):
        assert own_device(torch.device(name)) == torch.device(name)


def test_each_window_of_a_batch_is_one_process_s_own():
    rng = random.Random(3)
    for _ in range(3000):
        windows, size, count = rng.randint(1, 60), rng.randint(1, 7), rng.randint(2, 9)
        order = rng.sample(range(windows), windows)
        parts = [
            list(BatchSamplerShard(BatchSampler(order, size, drop_last=False), count, index)) for index in range(count)
        ]
        whole = size * count
        assert {len(part) for part in parts} == {-(-windows // whole)}
        for step, batches in enumerate(zip(*parts, strict=True)):
            batch = order[step * whole : (step + 1) * whole]
            kept = [part[: own_rows(len(batch), size=size, index=index)] for index, part in enumerate(batches)]
            assert [window for part in kept for window in part] == batch


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("scheme", [tiny.SCHEME, tiny.PLAIN_SCHEME], ids=["categories", "none"])
def test_the_mean_over_parts_is_the_loss_of_the_whole_batch_and_so_is_its_gradient(scheme, weighted, fresh_folder):
    model = tiny.tagger(fresh_folder, scheme).eval()
    weights = 0.1 + torch.rand(len(scheme.categories)) if weighted and scheme.categories else None
    model.category_weights = weights
    random_parts, generator = random.Random(5), torch.Generator().manual_seed(5)
    for _ in range(20):
        sizes = [random_parts.randint(1, 3) for _ in range(random_parts.randint(2, 4))]
        batch = random_batch(sum(sizes), scheme, generator)
        columns = [values.split(sizes) for values in batch.values()]
        parts = [dict(zip(batch, values, strict=True)) for values in zip(*columns, strict=True)]
        gold = [{name: part[name] for name in ("tags", "categories", "article")} for part in parts]
        counts = [loss_counts(**part, weights=weights) for part in gold]
        whole = torch.stack(counts).sum(dim=0)
        shares = [of_part * len(parts) / torch.where(whole > 0, whole, 1) for of_part in counts]
        losses = [model(**part, shares=share).loss for part, share in zip(parts, shares, strict=True)]
        together, alone = torch.stack(losses).mean(), model(**batch).loss
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
        gradients = [torch.autograd.grad(loss, model.tag_head.weight)[0] for loss in (together, alone)]
        torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


def random_batch(windows, scheme, generator):
    """Windows of five pieces and words, many without any category."""

    def draw(high, *shape):
        return torch.randint(high, (windows, *shape), generator=generator)

    categories = torch.full((windows, 5), NO_CATEGORY)
    if scheme.categories:
        some = (draw(4, 1) == 0) & (draw(2, 5) == 0)
        categories = torch.where(some, draw(len(scheme.categories), 5), categories)
    tags = draw(3, 5, len(scheme.types))
    tags[:, 3:] = torch.where(draw(2, 1, 1) == 0, torch.tensor(NO_CATEGORY), tags[:, 3:])
    return {
        "input_ids": 5 + draw(90, 5),
        "attention_mask": torch.ones((windows, 5), dtype=torch.long),
        "piece_words": torch.arange(5).expand(windows, 5),
        "tags": tags,
        "categories": categories,
        # Of some windows nobody says what they are about.
        "article": torch.where(draw(4, 1) == 0, NO_CATEGORY, draw(2, len(scheme.categories)).float()),
    }


def test_one_process_alone_has_the_order_of_transformers(still_folder):
    lengths = [random.Random(7).randint(3, 90) for _ in range(97)]
    torch.manual_seed(4)
    expected = [list(LengthGroupedSampler(8, lengths=lengths)) for _ in range(3)]
    torch.manual_seed(4)
    order = SharedOrder(8, lengths=lengths)
    assert [list(order) for _ in range(3)] == expected
