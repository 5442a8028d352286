"""Recipes: a training run as a TOML file, read into frozen settings, every mistake reported at once."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hoidam.encode.segmenters import SEGMENTER_NAMES
from hoidam.encode.windows import SMALLEST_WINDOW
from hoidam.errors import RecipeError
from hoidam.files import toml_value

Precision = Literal["auto", "bf16", "fp16", "fp32"]
ClassWeights = Literal["none", "inverse_sqrt"]
Tracker = Literal["tensorboard", "wandb", "mlflow"]


@dataclass(frozen=True, slots=True)
class DataSettings:
    """Files to learn from; paths are relative to the folder that training is started in.

    `unlabelled` are files of more articles, whose windows only a teacher speaks of.
    `train_limit` above 0 learns from that many of the train articles, drawn with the recipe's seed so that a smaller
    draw lies within a larger one: what a learning curve is made of.
    `workers` processes segment the articles before training begins, 0 for as many as there are cores that may be used.
    What they make is kept for the next run, in the folder that the environment variable HOIDAM_CACHE names.
    """

    labels: str
    articles: tuple[str, ...]
    train: tuple[str, ...]
    dev: tuple[str, ...]
    unlabelled: tuple[str, ...] = ()
    train_limit: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """The pre-trained encoder (hub id or folder), its word segmenter, and which of its layers are used and trained.

    Where `name` is a model's folder, training begins with its heads too.
    `layers` above 0 keeps only that many of the lowest: the last layers of an encoder that was trained for sentences
    say little of single words. `keep_layers` keeps those with these numbers, from 0 at the lowest, in this order.
    With `frozen_layers` above 0 the piece embeddings and that many layers are not trained, and their output is computed
    once and kept, so that each epoch pays for the upper layers alone.
    """

    name: str
    segmenter: str = "none"
    layers: int = 0
    keep_layers: tuple[int, ...] = ()
    frozen_layers: int = 0


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """Pieces that are read together, specials not counted, and the overlap of neighbouring windows."""

    size: int = 254
    overlap: int = 48


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Optimisation: AdamW with linear decay after a warm-up, stopped when the dev score no longer rises.

    `batch_size` counts windows a step and device, so two GPUs update the weights by twice as many; `layer_decay`
    multiplies the learning rate for each layer further down; `dropout` is that before the heads, `attention_dropout`
    that of the encoder's attention weights, which costs a CPU a quarter of each step; `patience` counts epochs without
    a better dev score, 0 for no early stop.
    `gradient_checkpointing` computes each encoder layer a second time on the way back instead of keeping what it said:
    less memory, longer steps, the same gradients (Chen et al. 2016).
    `class_weights` lets rare categories count for more in both losses over categories: with "inverse_sqrt" each has one
    over the root of its number of train spans, scaled so that a train span has 1 on average.
    `track` names who is told of losses and scores: "tensorboard" writes `curves/` in the run folder; "wandb" and
    "mlflow" are packages of their own, set by their own environment variables (WANDB_PROJECT, MLFLOW_TRACKING_URI).
    """

    epochs: int
    batch_size: int = 8
    learning_rate: float = 5e-5
    head_learning_rate: float = 1e-3
    layer_decay: float = 1.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    attention_dropout: float = 0.1
    gradient_accumulation: int = 1
    max_gradient_norm: float = 1.0
    precision: Precision = "auto"
    patience: int = 0
    gradient_checkpointing: bool = False
    class_weights: ClassWeights = "none"
    track: tuple[Tracker, ...] = ("tensorboard",)


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """A trained model that is learnt from beside gold; no `model` (a folder), no teacher.

    `weight` is the teacher's share of the loss, the rest is gold's; `temperature` above 1 flattens what both say, so
    that what the teacher holds for improbable counts for more (Hinton et al. 2015).
    """

    model: str = ""
    weight: float = 0.5
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training run: what it learns from, which encoder it starts with, how it reads and how it trains."""

    name: str
    data: DataSettings
    encoder: EncoderSettings
    training: TrainingSettings
    window: WindowSettings = field(default_factory=WindowSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    description: str = ""
    seed: int = 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_recipe(path: Path, *, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe file with `key.path=value` changes on top; raises RecipeError that lists every mistake."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file. Give the path of a recipe") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}). Give a recipe's file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not TOML ({error})") from None
    for change in changes:
        _apply(data, change)
    return recipe_from_dict(data, source=str(path))


def change_recipe(recipe: Recipe, values: Mapping[str, Any], *, source: str) -> Recipe:
    """The recipe with other values of dotted keys; raises RecipeError that lists every mistake after `source`."""
    data = recipe.to_dict()
    for key, value in values.items():
        _put(data, key, value, source=source)
    return recipe_from_dict(data, source=source)


def recipe_from_dict(data: Mapping[str, Any], *, source: str) -> Recipe:
    """Build a recipe from plain data; raises RecipeError that lists every mistake after `source`."""
    problems: list[str] = []
    recipe: Recipe | None = _build(Recipe, data, "", problems)
    if recipe is not None and not problems:
        problems.extend(_out_of_range(recipe))
    if problems or recipe is None:
        raise RecipeError("\n".join([f"{source}: {len(problems)} wrong settings", *(f"  {item}" for item in problems)]))
    return recipe


def _apply(data: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {change}: write it as key=value, for example --set training.epochs=3")
    _put(data, key.strip(), parse_value(text), source=f"--set {change}")


def parse_value(text: str) -> Any:
    """What is written on a command line, as TOML has it; what is no TOML is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(data: dict[str, Any], key: str, value: Any, *, source: str) -> None:
    *tables, last = key.split(".")
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise RecipeError(f"{source}: {table} is a value, not a table")
    data[last] = value


def _build(kind: type[Any], data: Any, prefix: str, problems: list[str]) -> Any:
    """An instance of the dataclass `kind`, or None with its mistakes added to `problems`."""
    if not isinstance(data, Mapping):
        problems.append(f"{prefix.rstrip('.')}: give a table")
        return None
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}
    problems.extend(f"{prefix}{key}: unknown. Known here: {', '.join(known)}" for key in data if key not in known)
    values = {}
    for name, item in known.items():
        if name in data:
            # Only what may be left out may be empty.
            empty = data[name] in ([], ()) and item.default == ()
            values[name] = () if empty else _value(hints[name], data[name], f"{prefix}{name}", problems)
        elif item.default is MISSING and item.default_factory is MISSING:
            problems.append(f"{prefix}{name}: missing")
    return None if problems else kind(**values)


def _value(hint: Any, value: Any, key: str, problems: list[str]) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, f"{key}.", problems)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        kind, what = get_args(hint)[0], "numbers" if get_args(hint)[0] is int else "files"
        items = [value] if isinstance(value, str) else value
        # Of names that are known there may be none, of files and numbers not.
        names = get_args(kind)
        fitting = isinstance(items, list | tuple) and all(
            item in names if names else type(item) is kind for item in items
        )
        if fitting and (items or names):
            return tuple(items)
        problems.append(f"{key}: is {value!r}. Give a list of {', '.join(names) or what}")
    elif get_origin(hint) is Literal:
        if value in get_args(hint):
            return value
        problems.append(f"{key}: is {value!r}. Give one of {', '.join(get_args(hint))}")
    elif hint is float and type(value) in (int, float):
        if math.isfinite(value):
            return float(value)
        problems.append(f"{key}: is {value!r}. Give a finite number")
    elif type(value) is hint:
        return value
    else:
        problems.append(f"{key}: is {value!r}. Give a {hint.__name__}")
    return None


def _out_of_range(recipe: Recipe) -> list[str]:
    encoder, teacher, window, training = recipe.encoder, recipe.teacher, recipe.window, recipe.training
    checks = [
        (0 <= recipe.seed < 2**31, f"seed: give 0 to {2**31 - 1}"),
        (bool(recipe.name) and "/" not in recipe.name, "name: give a name without slashes"),
        (recipe.data.train_limit >= 0, "data.train_limit: give 0 for all, or how many train articles to learn from"),
        (bool(teacher.model) or not recipe.data.unlabelled, "data.unlabelled: needs a teacher.model to speak of them"),
        (recipe.data.workers >= 0, "data.workers: give 0 for all cores, or how many processes segment the articles"),
        (encoder.segmenter in SEGMENTER_NAMES, f"encoder.segmenter: give one of {', '.join(SEGMENTER_NAMES)}"),
        (encoder.layers >= 0, "encoder.layers: give 0 for all, or how many of the lowest to keep"),
        (min(encoder.keep_layers, default=0) >= 0, "encoder.keep_layers: give numbers of layers, 0 the lowest"),
        (not (encoder.layers and encoder.keep_layers), "encoder.keep_layers: give this or layers, not both"),
        (encoder.frozen_layers >= 0, "encoder.frozen_layers: give 0 or more"),
        (window.size >= SMALLEST_WINDOW, f"window.size: give at least {SMALLEST_WINDOW} pieces"),
        (0 <= window.overlap <= window.size // 4, "window.overlap: give 0 to a quarter of window.size"),
        (0 < teacher.weight <= 1, "teacher.weight: give more than 0, at most 1"),
        (teacher.temperature > 0, "teacher.temperature: give more than 0"),
        (training.epochs >= 1, "training.epochs: give 1 or more"),
        (training.batch_size >= 1, "training.batch_size: give 1 or more"),
        (training.learning_rate > 0, "training.learning_rate: give more than 0"),
        (training.head_learning_rate > 0, "training.head_learning_rate: give more than 0"),
        (0 < training.layer_decay <= 1, "training.layer_decay: give more than 0, at most 1"),
        (0 <= training.warmup < 1, "training.warmup: give the share of steps, 0 to below 1"),
        (training.weight_decay >= 0, "training.weight_decay: give 0 or more"),
        (0 <= training.dropout < 1, "training.dropout: give 0 to below 1"),
        (0 <= training.attention_dropout < 1, "training.attention_dropout: give 0 to below 1"),
        (training.gradient_accumulation >= 1, "training.gradient_accumulation: give 1 or more"),
        (training.max_gradient_norm > 0, "training.max_gradient_norm: give more than 0"),
        (training.patience >= 0, "training.patience: give 0 or more"),
    ]
    return [message for holds, message in checks if not holds]


def differing_keys(one: Recipe, other: Recipe) -> list[str]:
    """Dotted names of the settings in which two recipes differ."""
    first, second = settings(one), settings(other)
    return sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))


def settings(recipe: Recipe) -> dict[str, Any]:
    """Every setting of a recipe by its dotted name."""
    return _flat(recipe.to_dict())


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def recipe_to_toml(recipe: Recipe) -> str:
    """The recipe as TOML with every setting written out, so that a run folder says what it was."""
    data = recipe.to_dict()
    tables = {key: value for key, value in data.items() if isinstance(value, dict)}
    lines = [f"{key} = {toml_value(value)}" for key, value in data.items() if key not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"
