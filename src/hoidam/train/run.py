"""A training run: from a recipe to a folder that explains itself.

`recipe.toml`, `provenance.json`, `curves.jsonl`, `curves/` (TensorBoard), `dev.json` and `dev.md` (scores), `model/`.
While it runs, `checkpoints/` holds what a resumed run goes on from.
"""

import gc
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback

import hoidam
from hoidam.checkpoint import describe_hardware
from hoidam.errors import RecipeError
from hoidam.networks.pytorch import choose_device
from hoidam.processes import is_main, process_count
from hoidam.provenance import command, commit, versions
from hoidam.train.balance import category_weights
from hoidam.train.corpus import Corpus, changed_files, read_corpus
from hoidam.train.features import make_features, normalised_body
from hoidam.train.forecast import forecast
from hoidam.train.loop import CHECKPOINTS_NAME, TaggerTrainer, curves, last_checkpoint, make_trainer, run_trainer
from hoidam.train.recipe import Recipe, differing_keys, read_recipe, recipe_to_toml
from hoidam.train.results import MODEL_NAME, PROVENANCE_NAME, dev_scores, write_json, write_results
from hoidam.train.setup import Setup, set_up
from hoidam.train.teacher import load_teacher, take_lessons
from hoidam.train.together import from_main, main_first, own_device, wait_for_all
from hoidam.train.track import check_trackers

RECIPE_NAME = "recipe.toml"


def train(
    recipe: Recipe,
    *,
    folder: Path,
    resume: bool = False,
    device: str = "auto",
    callbacks: Sequence[TrainerCallback] = (),
) -> Path:
    """Train by a recipe into a run folder and return the model's folder within it.

    Of several processes that a launcher started (together.py) each trains on its part of every batch, and the main one
    scores and writes. `callbacks` are told of every step and epoch, and may end the training.

    Raises RecipeError where the folder exists and is not to be resumed, was begun with another recipe or other data,
    or a tracker's package is missing; DataError and CheckpointError where data or encoder cannot be used.
    """
    place = own_device(choose_device(device))
    if is_main():
        check_folder(folder, recipe, resume=resume)
        check_trackers(recipe.training.track)
    started = time.monotonic()
    corpus = read_corpus(recipe.data, seed=recipe.seed)
    texts = (normalised_body(annotated).text for annotated in (*corpus.train, *corpus.unlabelled, *corpus.dev))
    with main_first():
        setup = set_up(recipe, scheme=corpus.scheme, device=place, texts=texts)
    setup.weigh_categories(category_weights(recipe.training.class_weights, corpus.train, scheme=corpus.scheme))
    features = make_features(corpus.train, encoder=setup.encoder, scheme=corpus.scheme, unlabelled=corpus.unlabelled)
    teacher = load_teacher(setup, corpus=corpus, features=features)
    trained, collator = setup.trained_part(features, lessons=take_lessons(teacher, features) if teacher else None)
    expected = forecast(
        trained,
        whole=setup.model,
        settings=recipe.training,
        features=features,
        collator=collator,
        device=place,
        precision=setup.precision,
    )
    if is_main():
        print(_counts(corpus, windows=len(features)), expected, sep="\n", file=sys.stderr)
    if is_main() and not resume:
        begin_run(folder, recipe, hashes=corpus.hashes)
    trainer = make_trainer(
        trained,
        recipe=recipe,
        features=features,
        collator=collator,
        dev_scorer=lambda: dev_scores(setup.predictor(), corpus),
        folder=folder,
        device=place,
        precision=setup.precision,
    )
    for callback in callbacks:
        trainer.add_callback(callback)
    run_trainer(trainer, checkpoint=from_main(lambda: last_checkpoint(folder)) if resume else None)
    # Until all have read the best weights, they stay.
    wait_for_all()
    if is_main():
        facts = _facts(setup, corpus, features, trainer) | {
            "teacher": teacher.identity if teacher else None,
            "seconds": round(time.monotonic() - started, 1),
            "resumed": resume,
        }
        write_results(folder, setup=setup, corpus=corpus, provenance=facts, curves=curves(trainer.state))
        shutil.rmtree(folder / CHECKPOINTS_NAME, ignore_errors=True)
    wait_for_all()
    return folder / MODEL_NAME


def _counts(corpus: Corpus, *, windows: int) -> str:
    more = f" and {len(corpus.unlabelled)} without gold" if corpus.unlabelled else ""
    return f"{len(corpus.train)} articles{more} in {windows} windows; {len(corpus.dev)} for dev"


def _facts(setup: Setup, corpus: Corpus, features: Dataset, trainer: TaggerTrainer) -> dict[str, Any]:
    """Where the run's numbers come from."""
    return {
        "hoidam": hoidam.__version__,
        "command": command(),
        "commit": commit(),
        "recipe": setup.recipe.to_dict(),
        "data_sha256": dict(corpus.hashes),
        "train_articles": len(corpus.train),
        "train_windows": len(features),
        "train_pieces": sum(features["length"]),
        "precision": setup.precision,
        "processes": process_count(),
        "epochs_run": round(trainer.state.epoch or 0.0),
        "best_dev_score": trainer.state.best_metric,
        "versions": versions(),
        "hardware": describe_hardware(),
    }


def complete(recipe: Recipe, *, folder: Path, device: str = "auto", callbacks: Sequence[TrainerCallback] = ()) -> Path:
    """Train as `train` does, or go on where it was begun; nothing is done where it is finished.

    Raises RecipeError where it was begun with another recipe or other data, and whatever `train` raises.
    """
    # An earlier run of this process, still held together by cycles, would take up a GPU's memory.
    gc.collect()
    begun = (folder / RECIPE_NAME).is_file()
    if begun and (folder / MODEL_NAME).exists():
        _check_same_run(folder, recipe)
        return folder / MODEL_NAME
    return train(recipe, folder=folder, resume=begun, device=device, callbacks=callbacks)


def check_folder(folder: Path, recipe: Recipe, *, resume: bool) -> None:
    """Raise RecipeError where a run cannot begin in a folder, or cannot go on there."""
    if resume:
        if not (folder / RECIPE_NAME).is_file():
            raise RecipeError(f"{folder}: no run to resume here. Leave out --resume to start one")
        _check_same_run(folder, recipe)
        if (folder / MODEL_NAME).exists():
            raise RecipeError(f"{folder}: this run is finished. Its model is in {folder / MODEL_NAME}")
    elif folder.exists():
        raise RecipeError(f"{folder}: exists already. Give another --output, --resume it, or remove it")


def _check_same_run(folder: Path, recipe: Recipe) -> None:
    different = differing_keys(read_recipe(folder / RECIPE_NAME), recipe)
    if different:
        raise RecipeError(f"{folder}: begun with another recipe; these differ: {', '.join(different)}")
    path = folder / PROVENANCE_NAME
    # Runs of older versions have none before their end.
    begun = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"data_sha256": {}}
    check_same_data(folder, begun["data_sha256"])


def check_same_data(folder: Path, hashes: Mapping[str, str]) -> None:
    """Raise RecipeError where files that a folder was begun with no longer have these hashes."""
    changed = changed_files(hashes)
    if changed:
        raise RecipeError(
            f"{folder}: begun with other data; changed or gone since: {', '.join(changed)}. Put them back, "
            "or give another --output"
        )


def begin_run(folder: Path, recipe: Recipe, *, hashes: Mapping[str, str]) -> None:
    """Make the run folder, with the hashes of its data, once all is loaded: a mistake till then leaves nothing."""
    try:
        folder.mkdir(parents=True)
        (folder / RECIPE_NAME).write_text(recipe_to_toml(recipe), encoding="utf-8")
        write_json(folder / PROVENANCE_NAME, {"data_sha256": dict(hashes)})
    except OSError as error:
        raise RecipeError(f"{folder}: cannot be written ({error.strerror}). Give another --output") from None
