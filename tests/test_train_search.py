"""Searches: what is varied, that they repeat and resume, prune, judge by dev alone, and what they leave behind."""

import json
import random
import sys

import generated
import pytest

from hoidam.errors import MissingExtraError, RecipeError
from hoidam.train import results, search
from hoidam.train.recipe import change_recipe, read_recipe, settings
from hoidam.train.vary import read_varied


@pytest.fixture
def recipe(small, fresh_folder):
    return small.recipe(fresh_folder, training={"epochs": 1})


@pytest.fixture
def untrained(monkeypatch):
    """Runs that say what they were given; their dev score rises with the rate and from the last epoch kept."""
    ran = []

    def complete(recipe, *, folder, device, callbacks):
        ran.append(recipe)
        rate = recipe.training.learning_rate
        if rate > 0.9e-2:
            raise RecipeError("too fast")
        control, kept = Control(), folder / "epoch"
        folder.mkdir(parents=True, exist_ok=True)
        epoch = int(kept.read_text()) if kept.exists() else 0
        while epoch < recipe.training.epochs and not control.should_training_stop:
            epoch += 1
            kept.write_text(str(epoch))
            for callback in callbacks:
                callback.on_evaluate(None, State(epoch), control, metrics={"eval_dev_score": rate * epoch})
        (folder / "model").mkdir()
        facts = {"best_dev_score": rate * epoch, "epochs_run": epoch, "seconds": 1.5}
        (folder / results.PROVENANCE_NAME).write_text(json.dumps(facts), encoding="utf-8")

    monkeypatch.setattr(search, "complete", complete)
    return ran


class Control:
    should_training_stop = False


class State:
    def __init__(self, epoch):
        self.epoch = float(epoch)


VARY = ["training.learning_rate=1e-3:1e-2:log", "training.batch_size=2:8", "encoder.frozen_layers=0,1"]


def tried(found):
    return [{key: value for key, value in trial.items() if key != "seconds"} for trial in found["trials"]]


def test_values_are_drawn_from_what_was_asked_for(recipe, untrained, tmp_path):
    found = search.search(recipe, vary=VARY, trials=40, folder=tmp_path / "search")
    assert len(found["trials"]) == len(untrained) == 40
    for trial, ran in zip(found["trials"], untrained, strict=True):
        assert {key: settings(ran)[key] for key in trial["values"]} == trial["values"]
        assert set(trial["values"]) == {text.partition("=")[0] for text in VARY}
        assert change_recipe(ran, {key: settings(recipe)[key] for key in trial["values"]}, source="test") == recipe
    rates = sorted(ran.training.learning_rate for ran in untrained)
    assert 1e-3 <= rates[0] < rates[-1] <= 1e-2
    assert len(set(rates)) > 30
    assert {ran.training.batch_size for ran in untrained} <= set(range(2, 9))
    assert {ran.encoder.frozen_layers for ran in untrained} == {0, 1}


def test_the_best_trial_is_a_recipe_and_the_only_one_with_a_model(recipe, untrained, tmp_path):
    folder = tmp_path / "search"
    found = search.search(recipe, vary=VARY, trials=30, folder=folder)
    failed = [trial for trial in found["trials"] if trial["state"] == "failed"]
    assert failed
    assert {trial["error"] for trial in failed} == {"too fast"}
    rates = [ran.training.learning_rate for ran in untrained if ran.training.learning_rate <= 0.9e-2]
    best = found["trials"][found["best"]]
    assert best["dev_score"] == best["values"]["training.learning_rate"] == max(rates)
    assert read_recipe(folder / "best.toml") == untrained[found["best"]]
    assert [path.parent.name for path in folder.glob("trials/*/model")] == [f"{found['best']:03}"]
    lines = (folder / "trials.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ")][2:]
    assert int(rows[0][0].removeprefix("| ")) == found["best"]
    assert len(rows) == 30
    assert json.loads((folder / "trials.json").read_text(encoding="utf-8")) == json.loads(json.dumps(found))


@pytest.mark.parametrize("seed", range(3))
def test_a_search_that_was_stopped_ends_as_one_that_was_not(seed, recipe, untrained, monkeypatch, tmp_path):
    recipe = change_recipe(recipe, {"seed": seed, "training.epochs": 4}, source="test")
    whole = search.search(recipe, vary=VARY, trials=18, folder=tmp_path / "whole")
    assert {trial["state"] for trial in whole["trials"]} == {"whole", "pruned", "failed"}
    rng, complete, pruned = random.Random(seed), search.complete, set()

    class BreaksOncePruned:
        def on_evaluate(self, args, state, control, **known):
            if control.should_training_stop and self.run not in pruned:
                pruned.add(self.run)
                raise KeyboardInterrupt

    def breaks(*given, folder, callbacks, **named):
        if rng.random() < 0.3:
            raise KeyboardInterrupt
        last = BreaksOncePruned()
        last.run = folder
        return complete(*given, folder=folder, callbacks=[*callbacks, last], **named)

    monkeypatch.setattr(search, "complete", breaks)
    stops, found = 0, None
    while found is None:
        try:
            found = search.search(recipe, vary=VARY, trials=18, folder=tmp_path / "stopped", resume=stops > 0)
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 2
    assert tried(found) == tried(whole)


def test_trials_below_the_median_are_ended_unless_epochs_differ(recipe, untrained, tmp_path):
    recipe = change_recipe(recipe, {"training.epochs": 4}, source="test")
    vary = ["training.learning_rate=1e-3:8e-3"]
    found = search.search(recipe, vary=vary, trials=25, folder=tmp_path / "pruned")
    states = [trial["state"] for trial in found["trials"]]
    assert "pruned" in states[5:]
    for number, trial in enumerate(found["trials"]):
        assert (trial["epochs"] < 4) == (trial["state"] == "pruned")
        if trial["state"] == "pruned":
            epoch = trial["epochs"]
            others = [one["dev_scores"][epoch - 1] for one in found["trials"][:number] if one["state"] == "whole"]
            assert trial["dev_scores"][-1] < sorted(others)[len(others) // 2]
    found = search.search(recipe, vary=[*vary, "training.epochs=2,4"], trials=25, folder=tmp_path / "whole")
    assert {trial["state"] for trial in found["trials"]} == {"whole"}


def test_real_trials_are_run_folders_that_a_stopped_search_goes_on_with(recipe, monkeypatch, tmp_path):
    recipe, vary = (
        change_recipe(recipe, {"training.epochs": 2}, source="test"),
        ["training.learning_rate=1e-3:1e-2:log"],
    )
    whole = search.search(recipe, vary=vary, trials=2, folder=tmp_path / "whole", device="cpu")
    calls, report = [], search._Reports.on_evaluate

    def breaks(self, *given, **named):
        report(self, *given, **named)
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(search._Reports, "on_evaluate", breaks)
        with pytest.raises(KeyboardInterrupt):
            search.search(recipe, vary=vary, trials=2, folder=tmp_path / "stopped", device="cpu")
    found = search.search(recipe, vary=vary, trials=2, folder=tmp_path / "stopped", device="cpu", resume=True)
    assert tried(found) == tried(whole)
    for trial in found["trials"]:
        run = tmp_path / "stopped" / "trials" / f"{trial['number']:03}"
        assert settings(read_recipe(run / "recipe.toml"))["training.learning_rate"] == next(
            iter(trial["values"].values())
        )
        assert trial["dev_score"] == max(trial["dev_scores"]) == results.read_provenance(run)["best_dev_score"]
        assert (run / "model").exists() == (trial["number"] == found["best"])
        assert not (run / "checkpoints").exists()
    with pytest.raises(RecipeError, match="exists already"):
        search.search(recipe, vary=vary, trials=3, folder=tmp_path / "stopped")


def test_another_search_is_not_resumed(recipe, untrained, tmp_path):
    folder = tmp_path / "search"
    with pytest.raises(RecipeError, match="no search to resume"):
        search.search(recipe, vary=VARY, trials=2, folder=folder, resume=True)
    search.search(recipe, vary=VARY, trials=2, folder=folder)
    other = change_recipe(recipe, {"seed": 9, "window.size": 110}, source="test")
    with pytest.raises(RecipeError, match=r"these differ: seed, window\.size$"):
        search.search(other, vary=VARY, trials=3, folder=folder, resume=True)
    with pytest.raises(RecipeError, match="begun with other values"):
        search.search(recipe, vary=VARY[:2], trials=3, folder=folder, resume=True)
    assert len(search.search(recipe, vary=VARY, trials=3, folder=folder, resume=True)["trials"]) == 3


@pytest.mark.parametrize("fits", [True, False])
def test_a_stopped_search_that_holds_enough_trials_gives_those(fits, recipe, untrained, monkeypatch, tmp_path):
    vary, complete = ["training.learning_rate=1e-3:8e-3" if fits else "training.learning_rate=1,2"], search.complete

    def breaks(*given, **named):
        if len(untrained) == 2:
            raise KeyboardInterrupt
        return complete(*given, **named)

    monkeypatch.setattr(search, "complete", breaks)
    with pytest.raises(KeyboardInterrupt):
        search.search(recipe, vary=vary, trials=20, folder=tmp_path / "search")
    if fits:
        found = search.search(recipe, vary=vary, trials=2, folder=tmp_path / "search", resume=True)
        assert [trial["state"] for trial in found["trials"]] == ["whole", "whole"]
    else:
        with pytest.raises(RecipeError, match=r"no trial succeeded.*too fast"):
            search.search(recipe, vary=vary, trials=2, folder=tmp_path / "search", resume=True)


def test_a_trial_that_loses_all_numbers_has_failed_and_the_search_goes_on(recipe, tmp_path):
    vary = ["training.head_learning_rate=1e30,1e-2"]
    found = search.search(recipe, vary=vary, trials=3, folder=tmp_path / "search", device="cpu")
    for trial in found["trials"]:
        lost = trial["values"]["training.head_learning_rate"] == 1e30
        assert trial["state"] == ("failed" if lost else "whole")
        assert ("no numbers any more" in (trial["error"] or "")) == lost
    assert {trial["state"] for trial in found["trials"]} == {"failed", "whole"}


def test_a_search_goes_on_with_the_data_that_it_began_with(untrained, fresh_folder, tmp_path):
    corpus = generated.write_corpus(tmp_path / "corpus", train=3, dev=2)
    recipe, gold = corpus.recipe(fresh_folder), corpus.gold("dev")
    search.search(recipe, vary=VARY, trials=1, folder=tmp_path / "search")
    gold.write_text("".join(reversed(gold.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"search: begun with other data; .* since: \S+/gold/dev.jsonl"):
        search.search(recipe, vary=VARY, trials=2, folder=tmp_path / "search", resume=True)


def test_a_search_in_which_nothing_fits_says_why(recipe, untrained, tmp_path):
    with pytest.raises(RecipeError, match=r"no trial succeeded.*too fast"):
        search.search(recipe, vary=["training.learning_rate=1,2"], trials=2, folder=tmp_path / "search")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("training.epochs", "write it as key=low:high"),
        ("training.epochs=", "write it as key=low:high"),
        ("training.epoch=1:3", "training.epoch: unknown"),
        ("training.epochs=3:1", "lower end first"),
        ("training.epochs=1:2.5", "Give a int"),
        ("training.learning_rate=0:1:log", r"with :log it is above 0"),
        ("training.warmup=0:1", "training.warmup: give the share"),
        ("encoder.segmenter=none,scissors", "encoder.segmenter: give one of"),
        ("data.train_limit=2,4", "scores on other articles"),
    ],
)
def test_what_cannot_be_varied_is_refused_by_name(text, problem, recipe):
    with pytest.raises(RecipeError, match=problem) as caught:
        read_varied([text], recipe=recipe)
    assert f"--vary {text}" in str(caught.value)


def test_a_key_is_varied_once_and_there_is_one(recipe):
    with pytest.raises(RecipeError, match="given twice"):
        read_varied(["training.epochs=1:3", "training.epochs=1,2"], recipe=recipe)
    with pytest.raises(RecipeError, match="nothing to search"):
        read_varied([], recipe=recipe)


def test_without_optuna_the_cure_is_named_and_no_folder_left(recipe, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hoidam\[search\]'"):
        search.search(recipe, vary=VARY, trials=2, folder=tmp_path / "search")
    assert list(tmp_path.iterdir()) == []


def test_the_command_shows_the_trials_and_names_the_best_recipe(command, untrained, small, fresh_folder, tmp_path):
    small.write_recipe(tmp_path / "tiny.toml", fresh_folder, training={"epochs": 1})
    asked = ("search", tmp_path / "tiny.toml", "--vary", "training.learning_rate=1e-3:8e-3", "--trials", 3)
    outcome = command(*asked, "--set", "seed=4")
    assert outcome.code == 0
    assert "training.learning_rate" in outcome.out
    folder = tmp_path / "runs" / "tiny-search"
    assert f"best: {folder / 'best.toml'}" in outcome.err
    assert read_recipe(folder / "best.toml").seed == 4
    again = command(*asked, "--resume")
    assert again.code == 1
    assert "these differ: seed" in again.err
    assert command("search", tmp_path / "tiny.toml").code == 2
