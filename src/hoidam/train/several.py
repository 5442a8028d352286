"""Several runs of one recipe below one folder, with other seeds or on other parts of its articles, and their spread.

A run folder each, `folds/` (for folds: the gold of each part), `summary.md` and `summary.json`.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hoidam.document import Annotated
from hoidam.errors import RecipeError
from hoidam.evaluate import Summary, summarise_groups
from hoidam.files import json_line, whole_file
from hoidam.gold.split import folds
from hoidam.train.corpus import read_corpus
from hoidam.train.recipe import Recipe, change_recipe, read_recipe
from hoidam.train.results import DEV_NAME
from hoidam.train.run import RECIPE_NAME, complete
from hoidam.train.together import check_alone


def train_seeds(
    recipe: Recipe, *, seeds: Sequence[int], folder: Path, resume: bool = False, device: str = "auto"
) -> Summary:
    """Train a recipe with each seed.

    Raises RecipeError where one is given twice or out of range, and whatever `train` raises.
    """
    if len(set(seeds)) < max(2, len(seeds)):
        raise RecipeError("--seeds: give two or more, each once")
    _check_folder(folder, resume=resume)
    runs = {f"seed-{seed}": change_recipe(recipe, {"seed": seed}, source="--seeds") for seed in seeds}
    return _train_all(runs, folder=folder, device=device, same_gold=True)


def train_folds(recipe: Recipe, *, count: int, folder: Path, resume: bool = False, device: str = "auto") -> Summary:
    """Train on all but one of `count` parts of the train and dev articles, each part being dev once.

    Near-duplicates lie in one part, and parts are alike, as `hoidam gold split` has them, by the recipe's seed.
    Raises RecipeError where the folder was begun under another spelling, and whatever `train` raises.
    """
    _check_folder(folder, resume=resume)
    corpus = read_corpus(replace(recipe.data, train_limit=0), seed=recipe.seed)
    gold = [*corpus.train, *corpus.dev]
    parts = folds(gold, seed=recipe.seed, count=count)
    runs = {}
    for number, dev in enumerate(parts, start=1):
        place = folder / "folds" / str(number)
        _write_gold(place / "train.jsonl", [one for one in gold if one.id not in dev])
        _write_gold(place / "dev.jsonl", [one for one in gold if one.id in dev])
        data = replace(recipe.data, train=(str(place / "train.jsonl"),), dev=(str(place / "dev.jsonl"),))
        runs[f"fold-{number}"] = replace(recipe, data=data)
    for name, planned in runs.items():
        path = folder / name / RECIPE_NAME
        if path.is_file() and read_recipe(path).data.train != planned.data.train:
            raise RecipeError(f"{folder}: begun under another spelling of this folder. Spell --output as before")
    return _train_all(runs, folder=folder, device=device, same_gold=False)


def _check_folder(folder: Path, *, resume: bool) -> None:
    check_alone("training several runs")
    if resume and not folder.is_dir():
        raise RecipeError(f"{folder}: no runs to resume here. Leave out --resume to start them")
    if not resume and folder.exists():
        raise RecipeError(f"{folder}: exists already. Give another --output, --resume it, or remove it")


def _write_gold(path: Path, gold: Sequence[Annotated]) -> None:
    text = "".join(json_line(one.to_dict()) for one in gold)
    if path.exists():
        if path.read_text(encoding="utf-8") != text:
            raise RecipeError(f"{path}: begun with other folds. Give the same --folds on the same articles")
        return
    with whole_file(path) as stream:
        stream.write(text)


def _train_all(runs: Mapping[str, Recipe], *, folder: Path, device: str, same_gold: bool) -> Summary:
    """Train what is not finished, and summarise the dev scores of all."""
    for number, (name, recipe) in enumerate(runs.items(), start=1):
        print(f"{name}, {number} of {len(runs)}", file=sys.stderr)
        complete(recipe, folder=folder / name, device=device)
    reports = [folder / name / DEV_NAME for name in runs]
    found = summarise_groups({str(folder): reports}, same_gold=same_gold)
    for suffix in (".md", ".json"):
        with whole_file(folder / f"summary{suffix}", force=True) as stream:
            stream.write(found.to_text(suffix))
    return found
