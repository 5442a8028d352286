"""A training run: from a recipe to a folder that explains itself.

`recipe.toml`, `provenance.json`, `curves.jsonl`, `curves/` (TensorBoard), `dev.json` and `dev.md` (scores), `model/`.
While it runs, `checkpoints/` holds what a resumed run goes on from.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

import hoidam
from hoidam.checkpoint import ModelSettings, describe_hardware, load_tokenizer, save_model
from hoidam.document import Annotated, Tagged, read_articles, read_gold
from hoidam.encode.batches import encode_window, pad_batch
from hoidam.encode.pieces import PieceTable
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.text import TextEncoder
from hoidam.encode.windows import Window
from hoidam.errors import RecipeError
from hoidam.evaluate import Measure, Report, bootstrap, render_markdown, score
from hoidam.files import json_line, whole_folder
from hoidam.labels import LabelScheme, read_labels
from hoidam.model import TaggerModel, load_encoder
from hoidam.predict import Prediction, Predictor, Thresholds, choose_device
from hoidam.provenance import command, commit, versions
from hoidam.train.card import render_card
from hoidam.train.features import Collator, make_features
from hoidam.train.frozen import lower_states, split_encoder
from hoidam.train.loop import CHECKPOINTS_NAME, DEV_SCORE, curves, last_checkpoint, make_trainer
from hoidam.train.recipe import DataSettings, Recipe, differing_keys, read_recipe, recipe_to_toml
from hoidam.train.thresholds import tune_thresholds

RECIPE_NAME = "recipe.toml"
MODEL_NAME = "model"


@dataclass(frozen=True, slots=True)
class Corpus:
    """The gold of a run, its scheme, and the hash of every file that was read."""

    scheme: LabelScheme
    train: Sequence[Annotated]
    dev: Sequence[Annotated]
    hashes: Mapping[str, str]


def train(recipe: Recipe, *, folder: Path, resume: bool = False, device: str = "auto") -> Path:
    """Train by a recipe into a run folder and return the model's folder within it.

    Raises RecipeError where the folder exists and is not to be resumed, or was begun with another recipe; DataError
    and CheckpointError where data or encoder cannot be used.
    """
    place = choose_device(device)
    _check_folder(folder, recipe, resume=resume)
    corpus = read_corpus(recipe.data)
    precision = choose_precision(recipe.training.precision, device=place)
    started = time.monotonic()
    set_seed(recipe.seed)
    # On a CPU plain attention trains a quarter faster than the fused one.
    attention = "eager" if place.type == "cpu" else None
    network = load_encoder(recipe.encoder.name, layers=recipe.encoder.layers, attention=attention)
    tokenizer = load_tokenizer(recipe.encoder.name)
    encoder = _text_encoder(recipe, tokenizer)
    _check_window(encoder, network)
    features = make_features(corpus.train, encoder=encoder, scheme=corpus.scheme)
    model = TaggerModel(
        network,
        types=len(corpus.scheme.types),
        categories=len(corpus.scheme.categories),
        dropout=recipe.training.dropout,
    ).to(place)
    predictor = Predictor(model, encoder=encoder, scheme=corpus.scheme, device=place, precision=precision)
    print(f"{len(corpus.train)} articles in {len(features)} windows; {len(corpus.dev)} for dev", file=sys.stderr)
    trained, collator = _trained_part(model, recipe, features, encoder=encoder, device=place, precision=precision)
    if not resume:
        _begin(folder, recipe)
    trainer = make_trainer(
        trained,
        recipe=recipe,
        features=features,
        collator=collator,
        dev_scorer=lambda: _dev_scores(predictor, corpus),
        folder=folder,
        device=place,
        precision=precision,
    )
    trainer.train(resume_from_checkpoint=last_checkpoint(folder) if resume else None)
    predictor.precision = "fp32"
    predictions = predictor.predict([annotated.article.text for annotated in corpus.dev])
    thresholds = tune_thresholds(corpus.dev, predictions, scheme=corpus.scheme)
    provenance = {
        "hoidam": hoidam.__version__,
        "command": command(),
        "commit": commit(),
        "recipe": recipe.to_dict(),
        "data_sha256": dict(corpus.hashes),
        "train_articles": len(corpus.train),
        "train_windows": len(features),
        "train_pieces": sum(features["length"]),
        "precision": precision,
        "epochs_run": round(trainer.state.epoch or 0.0),
        "best_dev_score": trainer.state.best_metric,
        "seconds": round(time.monotonic() - started, 1),
        "versions": versions(),
        "hardware": describe_hardware(),
    }
    return _write_results(
        folder,
        recipe=recipe,
        corpus=corpus,
        model=model,
        tokenizer=tokenizer,
        encoder=encoder,
        predictor=predictor,
        predictions=predictions,
        thresholds=thresholds,
        provenance=provenance,
        curves=curves(trainer.state),
    )


def read_corpus(data: DataSettings) -> Corpus:
    """Read scheme, articles and gold of a recipe; raises DataError where they are wrong or train and dev share one."""
    scheme = read_labels(Path(data.labels))
    articles = read_articles(Path(path) for path in data.articles)
    gold = {part: read_gold((Path(path) for path in files), articles, scheme) for part, files in _parts(data)}
    shared = {annotated.id for annotated in gold["train"]} & {annotated.id for annotated in gold["dev"]}
    if shared:
        raise RecipeError(f"data: {sorted(shared)[0]!r} is in train and dev. An article belongs to one part")
    for part, found in gold.items():
        if not found:
            raise RecipeError(f"data.{part}: no gold in {', '.join(getattr(data, part))}")
    paths = [data.labels, *data.articles, *data.train, *data.dev]
    return Corpus(scheme, gold["train"], gold["dev"], {path: _sha256(Path(path)) for path in dict.fromkeys(paths)})


def _parts(data: DataSettings) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("train", data.train), ("dev", data.dev)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def choose_precision(wanted: str, *, device: torch.device) -> str:
    """`auto` is bf16 where the hardware multiplies in it, else fp32; raises RecipeError on fp16 without a GPU."""
    if wanted == "fp16" and device.type == "cpu":
        raise RecipeError("training.precision: fp16 needs a GPU. Use auto, bf16 or fp32")
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "fp32"


def _check_folder(folder: Path, recipe: Recipe, *, resume: bool) -> None:
    kept = folder / RECIPE_NAME
    if resume:
        if not kept.is_file():
            raise RecipeError(f"{folder}: no run to resume here. Leave out --resume to start one")
        different = differing_keys(read_recipe(kept), recipe)
        if different:
            raise RecipeError(f"{folder}: begun with another recipe; these differ: {', '.join(different)}")
        if (folder / MODEL_NAME).exists():
            raise RecipeError(f"{folder}: this run is finished. Its model is in {folder / MODEL_NAME}")
    elif folder.exists():
        raise RecipeError(f"{folder}: exists already. Give another --output, --resume it, or remove it")


def _begin(folder: Path, recipe: Recipe) -> None:
    """Make the run folder: once everything is loaded, so that a mistake found on the way leaves nothing behind."""
    try:
        folder.mkdir(parents=True)
        (folder / RECIPE_NAME).write_text(recipe_to_toml(recipe), encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"{folder}: cannot be written ({error.strerror}). Give another --output") from None


def _check_window(encoder: TextEncoder, network: Any) -> None:
    """Raise RecipeError where a full window, as it is padded, has more pieces than the network has positions."""
    table = getattr(getattr(network, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, torch.nn.Embedding):
        return
    # RoBERTa and its kin number positions from their padding position on.
    positions = table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    length = _padded_length(encoder.size, encoder.pieces)
    if length > positions:
        largest = next(size for size in range(positions, 0, -1) if _padded_length(size, encoder.pieces) <= positions)
        raise RecipeError(
            f"window.size: {encoder.size} pieces make {length} with specials and padding, and the encoder has "
            f"{positions} positions. Use {largest} or fewer"
        )


def _padded_length(size: int, pieces: PieceTable) -> int:
    """Pieces of a window of `size` as the network gets it."""
    window = encode_window([(0,)] * size, Window(0, size, 0, size), first_id=pieces.first_id, last_id=pieces.last_id)
    length: int = pad_batch([window], pad_id=pieces.pad_id).input_ids.shape[1]
    return length


def _text_encoder(recipe: Recipe, tokenizer: Any) -> TextEncoder:
    return TextEncoder(
        PieceTable(tokenizer),
        load_segmenter(recipe.encoder.segmenter),
        size=recipe.window.size,
        overlap=recipe.window.overlap,
    )


def _trained_part(
    model: TaggerModel, recipe: Recipe, features: Any, *, encoder: TextEncoder, device: torch.device, precision: str
) -> tuple[TaggerModel, Collator]:
    """The model that the trainer sees: all of it, or, with frozen layers, heads and upper layers on kept states."""
    pad_id = encoder.pieces.pad_id
    if not recipe.encoder.frozen_layers:
        return model, Collator(pad_id)
    lower, upper = split_encoder(model.encoder, recipe.encoder.frozen_layers)
    states = lower_states(lower, features, pad_id=pad_id, device=device, precision=precision)
    return model.with_encoder(upper), Collator(pad_id, states)


def _dev_scores(predictor: Predictor, corpus: Corpus) -> dict[str, float]:
    predictions = predictor.predict([annotated.article.text for annotated in corpus.dev])
    thresholds = Thresholds(spans={}, categories=0.5)
    scores = score(corpus.dev, predictions=_tagged(corpus.dev, predictions, thresholds, model=""), scheme=corpus.scheme)
    strict = scores.table(Measure.STRICT)
    found = {f"{name}_f1": counts.ratios.f1 or 0.0 for name, counts in strict.rows.items()}
    if corpus.scheme.categories:
        found["categories_f1"] = scores.table(Measure.CATEGORIES).micro.ratios.f1 or 0.0
    return found | {DEV_SCORE: strict.macro.f1 or 0.0}


def _tagged(
    gold: Sequence[Annotated], predictions: Sequence[Prediction], thresholds: Thresholds, *, model: str
) -> list[Tagged]:
    kept = [prediction.above(thresholds) for prediction in predictions]
    return [
        Tagged(annotated.id, "", prediction.spans, prediction.categories, model)
        for annotated, prediction in zip(gold, kept, strict=True)
    ]


def _write_results(
    folder: Path,
    *,
    recipe: Recipe,
    corpus: Corpus,
    model: TaggerModel,
    tokenizer: Any,
    encoder: TextEncoder,
    predictor: Predictor,
    predictions: Sequence[Prediction],
    thresholds: Thresholds,
    provenance: Mapping[str, Any],
    curves: Sequence[Mapping[str, float]],
) -> Path:
    readings = {annotated.id: predictor.read(annotated.article.text).unreachable(annotated) for annotated in corpus.dev}
    scores = score(
        corpus.dev,
        predictions=_tagged(corpus.dev, predictions, thresholds, model=recipe.name),
        scheme=corpus.scheme,
        unreachable={name: causes for name, causes in readings.items() if causes},
    )
    report = Report(scores, bootstrap(scores, seed=recipe.seed)).to_dict(facts=provenance, examples=20)
    settings = ModelSettings(
        name=recipe.name,
        scheme=corpus.scheme,
        segmenter=encoder.segmenter.name,
        segmenter_version=encoder.segmenter.version,
        window_size=encoder.size,
        window_overlap=encoder.overlap,
        thresholds=thresholds,
    )
    _write_json(folder / "dev.json", report)
    (folder / "dev.md").write_text(render_markdown(report), encoding="utf-8")
    (folder / "curves.jsonl").write_text("".join(json_line(entry) for entry in curves), encoding="utf-8")
    _write_json(folder / "provenance.json", provenance)
    with whole_folder(folder / MODEL_NAME) as partial:
        card = render_card(settings, provenance=provenance, report=report)
        save_model(partial, model=model, tokenizer=tokenizer, settings=settings, card=card)
    shutil.rmtree(folder / CHECKPOINTS_NAME, ignore_errors=True)
    return folder / MODEL_NAME


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
