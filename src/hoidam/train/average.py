"""Runs with other seeds made one model: their weights averaged, then calibrated and scored on dev like a run's own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hoidam.checkpoint import read_weights
from hoidam.errors import RecipeError
from hoidam.networks.pytorch import choose_device
from hoidam.provenance import command, commit
from hoidam.train.corpus import read_corpus
from hoidam.train.loop import DEV_SCORE
from hoidam.train.recipe import Recipe, differing_keys, read_recipe
from hoidam.train.results import MODEL_NAME, dev_scores, read_provenance, write_results
from hoidam.train.run import RECIPE_NAME, begin_run, check_folder
from hoidam.train.setup import set_up


def average(runs: Sequence[Path], *, folder: Path, device: str = "auto") -> Path:
    """Average the models of finished runs that differ in their seed alone, into a run folder; gives its model's folder.

    Runs of one recipe begin from the same weights, heads included, and end so near to each other that the mean of their
    weights is a model too, as a rule a better one (model soups, Wortsman et al. 2022). Raises RecipeError where there
    are fewer than two runs, they differ in more than their seed, or `folder` exists already; CheckpointError where a
    model is not whole or a run's provenance is missing; DataError where data have changed since the runs.
    """
    place = choose_device(device)
    recipe = _common_recipe(runs)
    check_folder(folder, recipe, resume=False)
    provenances = [read_provenance(run) for run in runs]
    corpus = read_corpus(recipe.data, seed=recipe.seed)
    for run, known in zip(runs, provenances, strict=True):
        if known["data_sha256"] != dict(corpus.hashes):
            raise RecipeError(f"{run}: trained on other data than its recipe's files now hold. Train it again")
    setup = set_up(recipe, scheme=corpus.scheme, device=place)
    setup.model.load_state_dict(_mean([read_weights(run / MODEL_NAME) for run in runs]))
    begin_run(folder, recipe, hashes=corpus.hashes)
    facts: dict[str, Any] = provenances[0] | {
        "command": command(),
        "commit": commit(),
        "recipe": recipe.to_dict(),
        "averaged_seeds": [known["recipe"]["seed"] for known in provenances],
        "seconds": round(sum(known["seconds"] for known in provenances), 1),
        "resumed": any(known.get("resumed") for known in provenances),
        "best_dev_score": dev_scores(setup.predictor(), corpus)[DEV_SCORE],
    }
    return write_results(folder, setup=setup, corpus=corpus, provenance=facts, curves=[])


def _common_recipe(runs: Sequence[Path]) -> Recipe:
    """The recipe of all runs, with the seed of the first."""
    if len(runs) < 2:
        raise RecipeError("give two or more runs to average")
    recipes = [read_recipe(run / RECIPE_NAME) for run in runs]
    for run, recipe in zip(runs, recipes, strict=True):
        different = differing_keys(recipes[0], replace(recipe, seed=recipes[0].seed))
        if different:
            raise RecipeError(f"{run}: another recipe than that of {runs[0]}; these differ: {', '.join(different)}")
    if len({recipe.seed for recipe in recipes}) < len(recipes):
        raise RecipeError("two of the runs have one seed, so they are one model. Train with other seeds")
    return recipes[0]


def _mean(models: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([weights[name] for weights in models]).mean(dim=0) for name in models[0]}
