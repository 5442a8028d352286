"""An encoder's layers: those that are kept at all, and of these lower ones that stay as they are and run once."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn

from hoidam.encode.batches import EncodedWindow, pad_batch, plan_batches
from hoidam.errors import RecipeError
from hoidam.networks.pytorch import autocast

_BATCH_PIECES = 4096


class _Passed(nn.Module):
    """Stands where an encoder embeds pieces, and gives on what it is given."""

    def forward(self, *, inputs_embeds: Tensor, **_: Any) -> Tensor:
        return inputs_embeds


def keep_layers(encoder: Any, numbers: Sequence[int]) -> None:
    """Leave an encoder the layers with these numbers alone, from 0 at the lowest, in this order.

    Raises RecipeError where it is not built like BERT or has no such layer.
    """
    stack = _stack(encoder, "encoder.keep_layers")
    if max(numbers) >= len(stack):
        raise RecipeError(f"encoder: layer {max(numbers)} is to be kept, and its layers are 0 to {len(stack) - 1}")
    # Copied, so that a number given twice makes two layers that learn apart.
    encoder.encoder.layer = nn.ModuleList(copy.deepcopy(stack[number]) for number in numbers)
    encoder.config.num_hidden_layers = len(numbers)


def split_encoder(encoder: Any, layers: int) -> tuple[Any, Any]:
    """Views of one encoder, sharing its weights: embeddings with the lowest `layers`, and the layers above.

    The lower part takes piece ids, the upper one the lower part's output as `inputs_embeds`. Raises RecipeError where
    the encoder is not built like BERT, or has no layer left to train.
    """
    stack = _stack(encoder, "encoder.frozen_layers")
    if layers >= len(stack):
        raise RecipeError(f"encoder.frozen_layers: {layers} of {len(stack)} layers leaves none to train")
    upper = _with_layers(encoder, stack[layers:])
    upper.embeddings = _Passed()
    return _with_layers(encoder, stack[:layers]), upper


def _stack(encoder: Any, setting: str) -> nn.ModuleList:
    stack = getattr(getattr(encoder, "encoder", None), "layer", None)
    if not isinstance(stack, nn.ModuleList) or not hasattr(encoder, "embeddings"):
        raise RecipeError(f"{setting}: {type(encoder).__name__} is not built like BERT. Leave this setting out")
    return stack


def _with_layers(encoder: Any, layers: nn.ModuleList) -> Any:
    view, inner = copy.copy(encoder), copy.copy(encoder.encoder)
    view._modules, inner._modules = dict(encoder._modules), dict(encoder.encoder._modules)
    inner.layer, view.encoder = layers, inner
    return view


@torch.inference_mode()
def lower_states(
    lower: Any, features: Dataset, *, pad_id: int, device: torch.device, precision: str
) -> list[np.ndarray]:
    """What the lower part says of each feature row, without dropout. *Shapes:* [pieces, width] in half precision."""
    windows = [EncodedWindow(tuple(row["ids"]), tuple(row["piece_words"])) for row in features]
    lower.eval()
    states: list[np.ndarray] = [np.empty(0)] * len(windows)
    for indices in plan_batches([len(window.ids) for window in windows], budget=_BATCH_PIECES):
        batch = pad_batch([windows[index] for index in indices], pad_id=pad_id)
        with autocast(device, precision):
            output = lower(
                input_ids=torch.from_numpy(batch.input_ids).to(device),
                attention_mask=torch.from_numpy(batch.attention_mask).to(device),
            ).last_hidden_state
        for row, index in enumerate(indices):
            states[index] = output[row, : len(windows[index].ids)].to("cpu", torch.float16).numpy().copy()
    return states
