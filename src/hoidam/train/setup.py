"""What a run trains with: the network on its device, how it reads, and the part of it that learns."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import set_seed

from hoidam.checkpoint import SETTINGS_NAME, ModelSettings, load_tokenizer, load_trainable
from hoidam.cores import usable_cores
from hoidam.encode.ahead import cache_folder, segment_ahead
from hoidam.encode.batches import padded_length
from hoidam.encode.pieces import PieceTable
from hoidam.encode.segmenters import Segmenter, load_segmenter
from hoidam.encode.text import TextEncoder
from hoidam.errors import RecipeError
from hoidam.labels import LabelScheme
from hoidam.model import TaggerModel, load_encoder
from hoidam.networks.pytorch import TorchNetwork, choose_precision
from hoidam.predict import Calibration, Predictor, Thresholds
from hoidam.train.features import Collator
from hoidam.train.frozen import keep_layers, lower_states, split_encoder
from hoidam.train.lessons import Lesson
from hoidam.train.recipe import Recipe

_HEAD_SEED = 0
_SPECIALS = 2
"""The pieces that begin and end a window."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A recipe's parts, loaded and put together."""

    recipe: Recipe
    tokenizer: Any
    encoder: TextEncoder
    model: TaggerModel
    scheme: LabelScheme
    device: torch.device
    precision: str

    def predictor(self, *, precision: str | None = None) -> Predictor:
        """Applies the model as it is now: a copy, so that what training does to it is none of tagging's business."""
        # Over its own encoder, so that nothing is copied that the trainer has laid around the model.
        copied = copy.deepcopy(self.model.with_encoder(self.model.encoder))
        network = TorchNetwork(copied, device=self.device, precision=precision or self.precision)
        return Predictor(network, encoder=self.encoder, scheme=self.scheme)

    def weigh_categories(self, weights: torch.Tensor | None) -> None:
        """Let each category count for so much in training. *Shape:* [categories], or None for all alike."""
        self.model.category_weights = None if weights is None else weights.to(self.device)

    def trained_part(
        self, features: Dataset, *, lessons: Sequence[Lesson] | None = None
    ) -> tuple[TaggerModel, Collator]:
        """The model that the trainer sees: all of it, or, with frozen layers, heads and upper layers on kept states.

        `lessons` of a teacher, one a feature row, go into its batches.
        """
        pad_id = self.encoder.pieces.pad_id
        if not self.recipe.encoder.frozen_layers:
            return self.model, Collator(pad_id, lessons=lessons)
        lower, upper = split_encoder(self.model.encoder, self.recipe.encoder.frozen_layers)
        states = lower_states(lower, features, pad_id=pad_id, device=self.device, precision=self.precision)
        return self.model.with_encoder(upper), Collator(pad_id, states, lessons)

    def model_settings(self, *, calibration: Calibration, thresholds: Thresholds) -> ModelSettings:
        """What the model folder says of itself."""
        return ModelSettings(
            name=self.recipe.name,
            scheme=self.scheme,
            segmenter=self.encoder.segmenter.name,
            segmenter_version=self.encoder.segmenter.version,
            window_size=self.encoder.size,
            window_overlap=self.encoder.overlap,
            calibration=calibration,
            thresholds=thresholds,
        )


def set_up(recipe: Recipe, *, scheme: LabelScheme, device: torch.device, texts: Iterable[str] = ()) -> Setup:
    """Load a recipe's encoder and build the network on it, or load a model to be trained further.

    Normalised `texts` that are to be read are segmented ahead, by the recipe's `data.workers`.

    Raises CheckpointError where the encoder cannot be loaded and RecipeError where settings do not fit it.
    """
    precision = choose_precision(recipe.training.precision, device=device)
    # Heads begin alike whatever the seed, so that the weights of runs with other seeds can be averaged.
    set_seed(_HEAD_SEED)
    # On a CPU plain attention trains a quarter faster than the fused one.
    attention = "eager" if device.type == "cpu" else None
    model = _load(recipe, scheme=scheme, attention=attention)
    if recipe.training.gradient_checkpointing:
        _compute_layers_twice(model.encoder)
    tokenizer = load_tokenizer(recipe.encoder.name)
    encoder = TextEncoder(
        PieceTable(tokenizer),
        _segmenter(recipe, texts),
        size=recipe.window.size,
        overlap=recipe.window.overlap,
    )
    _check_window(encoder, model.encoder)
    set_seed(recipe.seed)
    return Setup(recipe, tokenizer, encoder, model.to(device), scheme, device, precision)


def _load(recipe: Recipe, *, scheme: LabelScheme, attention: str | None) -> TaggerModel:
    """The network as training begins: a model's own, or new heads over an encoder, with the layers that are wanted."""
    wanted, training = recipe.encoder, recipe.training
    kept = wanted.keep_layers
    if (Path(wanted.name) / SETTINGS_NAME).is_file():
        model = load_trainable(
            Path(wanted.name),
            scheme=scheme,
            attention=attention,
            attention_dropout=training.attention_dropout,
            dropout=training.dropout,
        )
        kept = kept or tuple(range(wanted.layers))
    else:
        encoder = load_encoder(
            wanted.name, layers=wanted.layers, attention=attention, attention_dropout=training.attention_dropout
        )
        types, categories = len(scheme.types), len(scheme.categories)
        model = TaggerModel(encoder, types=types, categories=categories, dropout=training.dropout)
    if kept:
        keep_layers(model.encoder, kept)
    return model


def _segmenter(recipe: Recipe, texts: Iterable[str]) -> Segmenter:
    workers = recipe.data.workers or usable_cores()
    return segment_ahead(load_segmenter(recipe.encoder.segmenter), texts, workers=workers, folder=cache_folder())


def _compute_layers_twice(network: Any) -> None:
    """Turn gradient checkpointing on; raises RecipeError where an encoder does not offer it."""
    # Its name in releases of transformers 5 before and after it was changed.
    enable = getattr(network, "activation_checkpointing_enable", network.gradient_checkpointing_enable)
    try:
        enable({"use_reentrant": False})
    except ValueError:
        raise RecipeError(
            f"training.gradient_checkpointing: {type(network).__name__} cannot compute its layers twice. Set false"
        ) from None


def _check_window(encoder: TextEncoder, network: Any) -> None:
    """Raise RecipeError where a full window, as it is padded, has more pieces than the network has positions."""
    table = getattr(getattr(network, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, torch.nn.Embedding):
        return
    # RoBERTa and its kin number positions from their padding position on.
    positions = table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    length = padded_length(encoder.size + _SPECIALS)
    if length > positions:
        largest = next(size for size in range(positions, 0, -1) if padded_length(size + _SPECIALS) <= positions)
        raise RecipeError(
            f"window.size: {encoder.size} pieces make {length} with specials and padding, and the encoder has "
            f"{positions} positions. Use {largest} or fewer"
        )
