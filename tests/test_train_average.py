"""Averaging of runs: the mean of their weights, calibrated and scored, and what cannot be averaged."""

import json
import shutil

import pytest
import tiny
import torch
from safetensors.torch import load_file

from hoidam.checkpoint import load_model
from hoidam.errors import CheckpointError, RecipeError
from hoidam.evaluate import read_report
from hoidam.train import run
from hoidam.train.average import average
from hoidam.train.results import best_on_dev


@pytest.fixture(scope="module")
def runs(small, fresh_folder, tmp_path_factory):
    """Two runs of one recipe with other seeds."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        recipe = small.recipe(fresh_folder, seed=seed, training={"epochs": 1})
        run.train(recipe, folder=folder / str(seed), device="cpu")
    return [folder / "1", folder / "2"]


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def test_an_average_is_the_mean_of_the_weights_of_its_runs(runs, tmp_path):
    average(runs, folder=tmp_path / "mean", device="cpu")
    first, second, found = weights(runs[0]), weights(runs[1]), weights(tmp_path / "mean")
    assert found.keys() == first.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, (first[name] + second[name]) / 2)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_an_average_is_a_run_folder_with_a_model_that_tags(runs, small, tmp_path):
    model = average(runs, folder=tmp_path / "mean", device="cpu")
    assert model == tmp_path / "mean" / "model"
    facts = json.loads((tmp_path / "mean" / "provenance.json").read_text(encoding="utf-8"))
    assert facts["averaged_seeds"] == [1, 2]
    assert "the mean of 2 runs, seeds 1, 2" in (model / "README.md").read_text(encoding="utf-8")
    assert read_report(tmp_path / "mean" / "dev.json")["facts"]["averaged_seeds"] == [1, 2]
    loaded = load_model(model, device=torch.device("cpu"))
    assert len(loaded.predictor.predict([small.dev[0].article.text])) == 1
    best = max([*runs, tmp_path / "mean"], key=score_of)
    assert best_on_dev([folder / "model" for folder in (*runs, tmp_path / "mean")]) == best / "model"


def score_of(folder):
    return read_report(folder / "dev.json")["measures"]["strict"]["macro"]["f1"]


def test_heads_begin_alike_whatever_the_seed(small, fresh_folder):
    from hoidam.train.setup import set_up

    models = [
        set_up(small.recipe(fresh_folder, seed=seed), scheme=tiny.SCHEME, device=torch.device("cpu")).model
        for seed in (1, 2)
    ]
    for (name, one), other in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        assert torch.equal(one, other), name


def test_what_is_no_set_of_runs_with_other_seeds_is_refused(runs, small, fresh_folder, tmp_path):
    with pytest.raises(RecipeError, match="two or more"):
        average(runs[:1], folder=tmp_path / "mean", device="cpu")
    with pytest.raises(RecipeError, match="one seed"):
        average([runs[0], runs[0]], folder=tmp_path / "mean", device="cpu")
    with pytest.raises(RecipeError, match="exists already"):
        average(runs, folder=runs[0], device="cpu")
    longer = tmp_path / "longer"
    shutil.copytree(runs[1], longer)
    recipe = (longer / "recipe.toml").read_text(encoding="utf-8")
    (longer / "recipe.toml").write_text(recipe.replace("epochs = 1", "epochs = 2"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"these differ: training\.epochs"):
        average([runs[0], longer], folder=tmp_path / "mean", device="cpu")
    (longer / "recipe.toml").write_text(recipe, encoding="utf-8")
    facts = json.loads((longer / "provenance.json").read_text(encoding="utf-8"))
    facts["data_sha256"] = dict.fromkeys(facts["data_sha256"], "0")
    (longer / "provenance.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(RecipeError, match="other data"):
        average([runs[0], longer], folder=tmp_path / "mean", device="cpu")
    (longer / "provenance.json").unlink()
    with pytest.raises(CheckpointError, match="no finished run"):
        average([runs[0], longer], folder=tmp_path / "mean", device="cpu")
    assert not (tmp_path / "mean").exists()
