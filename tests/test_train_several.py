"""Several runs of one recipe: seeds and folds below one folder, their summary, and that a stopped one goes on."""

import json
import statistics
from collections import Counter
from pathlib import Path

import pytest
from safetensors.torch import load_file

from hoidam.errors import RecipeError
from hoidam.evaluate import read_report
from hoidam.evaluate.figures import find_figure
from hoidam.files import read_json_lines
from hoidam.train import run
from hoidam.train.recipe import change_recipe, read_recipe
from hoidam.train.several import train_folds, train_seeds


@pytest.fixture
def recipe(small, fresh_folder):
    return small.recipe(fresh_folder, training={"epochs": 3})


FIGURE = "strict.WHO.f1"


def dev_f1(folder):
    return find_figure(read_report(folder / "dev.json"), FIGURE)


def the_figure(found):
    (spread,) = [spread for spread in found.spreads if spread.figure == FIGURE]
    return spread


def stop_in(monkeypatch, call):
    """Let training break off at its n-th call, once it has begun; gives the folders that were trained into."""
    train, folders = run.train, []

    def breaks(recipe, **options):
        folders.append(options["folder"].name)
        if len(folders) == call:
            run.begin_run(options["folder"], recipe, hashes={})
            raise KeyboardInterrupt
        return train(recipe, **options)

    monkeypatch.setattr(run, "train", breaks)
    return folders


def test_seeds_are_runs_below_one_folder_with_mean_and_deviation(recipe, monkeypatch, tmp_path):
    folder = tmp_path / "runs"
    with monkeypatch.context() as patch:
        assert stop_in(patch, 2) == []
        with pytest.raises(KeyboardInterrupt):
            train_seeds(recipe, seeds=[3, 1], folder=folder, device="cpu")
    with pytest.raises(RecipeError, match="exists already"):
        train_seeds(recipe, seeds=[3, 1], folder=folder, device="cpu")
    other = change_recipe(recipe, {"window.size": 110}, source="test")
    with pytest.raises(RecipeError, match=r"seed-3: begun with another recipe; these differ: window\.size"):
        train_seeds(other, seeds=[3, 1], folder=folder, device="cpu", resume=True)
    with monkeypatch.context() as patch:
        folders = stop_in(patch, 0)
        found = train_seeds(recipe, seeds=[3, 1], folder=folder, device="cpu", resume=True)
    assert folders == ["seed-1"], "a finished run was trained again"
    assert [read_recipe(folder / f"seed-{seed}" / "recipe.toml").seed for seed in (3, 1)] == [3, 1]
    run.train(recipe, folder=tmp_path / "alone", device="cpu")
    places = (tmp_path / "alone", folder / "seed-1")
    alone, among = (load_file(place / "model" / "model.safetensors") for place in places)
    assert all((among[name] == values).all() for name, values in alone.items())
    scores = [dev_f1(folder / f"seed-{seed}") for seed in (3, 1)]
    spread = the_figure(found)
    assert (spread.runs, spread.mean) == (2, pytest.approx(statistics.fmean(scores)))
    assert spread.deviation == pytest.approx(statistics.stdev(scores))
    assert (folder / "summary.md").read_text(encoding="utf-8") == found.to_text(".md")
    assert (folder / "summary.json").read_text(encoding="utf-8") == found.to_text(".json")
    assert sorted(path.name for path in folder.iterdir()) == ["seed-1", "seed-3", "summary.json", "summary.md"]


@pytest.mark.slow
def test_folds_make_each_article_dev_once_and_go_on_where_they_stopped(recipe, small, monkeypatch, tmp_path):
    folder = tmp_path / "runs"
    with monkeypatch.context() as patch:
        stop_in(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            train_folds(recipe, count=3, folder=folder, device="cpu")
    with pytest.raises(RecipeError, match="begun with other folds"):
        train_folds(recipe, count=4, folder=folder, device="cpu", resume=True)
    with monkeypatch.context() as patch:
        folders = stop_in(patch, 0)
        found = train_folds(recipe, count=3, folder=folder, device="cpu", resume=True)
    assert folders == ["fold-3"]
    everything = Counter(one.id for one in (*small.train, *small.dev))
    devs = Counter()
    for number in (1, 2, 3):
        report = read_report(folder / f"fold-{number}" / "dev.json")
        dev = [article["id"] for article in report["per_article"]]
        devs.update(dev)
        data = read_recipe(folder / f"fold-{number}" / "recipe.toml").data
        train = [record["id"] for _, record in read_json_lines(folder / "folds" / str(number) / "train.jsonl")]
        assert data.train == (str(folder / "folds" / str(number) / "train.jsonl"),)
        assert Counter(train) + Counter(dev) == everything
        facts = json.loads((folder / f"fold-{number}" / "provenance.json").read_text(encoding="utf-8"))
        assert facts["train_articles"] == len(train)
    assert devs == everything
    scores = [dev_f1(folder / f"fold-{number}") for number in (1, 2, 3)]
    assert the_figure(found).mean == pytest.approx(statistics.fmean(scores))


def test_folds_resumed_under_another_spelling_of_their_folder_are_refused(recipe, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    stop_in(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train_folds(recipe, count=2, folder=Path("runs"), device="cpu")
    with pytest.raises(RecipeError, match="Spell --output as before"):
        train_folds(recipe, count=2, folder=tmp_path / "runs", device="cpu", resume=True)


def test_what_makes_no_several_runs_is_refused_and_leaves_nothing(recipe, tmp_path):
    for seeds in ([1], [2, 2], []):
        with pytest.raises(RecipeError, match="two or more, each once"):
            train_seeds(recipe, seeds=seeds, folder=tmp_path / "runs")
    with pytest.raises(RecipeError, match=r"^--seeds: 1 wrong settings\n  seed: give 0 to 2147483647$"):
        train_seeds(recipe, seeds=[1, 2**31], folder=tmp_path / "runs")
    with pytest.raises(RecipeError, match="no runs to resume"):
        train_seeds(recipe, seeds=[1, 2], folder=tmp_path / "runs", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_the_spread(command, small, fresh_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small.write_recipe(tmp_path / "tiny.toml", fresh_folder, training={"epochs": 1})
    outcome = command("train", "tiny.toml", "--seeds", "1,2", "--device", "cpu")
    assert outcome.code == 0
    assert FIGURE in outcome.out
    assert "runs: runs/tiny-seeds" in outcome.err
    assert (tmp_path / "runs" / "tiny-seeds" / "seed-2" / "model").is_dir()
    for wrong in (("--seeds", "1,2", "--folds", "3"), ("--seeds", "one,two"), ("--folds", "1")):
        assert command("train", "tiny.toml", *wrong).code == 2
