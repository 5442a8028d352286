"""Weights as files hold them: in full or half precision, or matrices as 8-bit integers with a scale for each row."""

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

Storage = Literal["float32", "float16", "int8"]
STORAGES: tuple[Storage, ...] = get_args(Storage)

_SCALE = ".scale"
_LARGEST = 127


def pack(weights: Mapping[str, Tensor], *, storage: Storage) -> dict[str, Tensor]:
    """Floating weights by name as a file holds them; others, which a network makes anew, are left out.

    With `int8` each matrix becomes integers and, under its name with `.scale`, one factor a row, so that no value is
    off by more than half of a 127th of its row's largest (symmetric quantisation by channel, Krishnamoorthi 2018);
    vectors, of which there are few, stay as they are.

    *Shapes:* a matrix [rows, columns] gives int8 [rows, columns] and float32 [rows].
    """
    packed: dict[str, Tensor] = {}
    for name, value in weights.items():
        if not value.is_floating_point():
            continue
        full = value.detach().to("cpu", torch.float32).contiguous()
        if storage == "int8" and full.ndim == 2:
            packed[name], packed[name + _SCALE] = _quantise(full)
        else:
            packed[name] = full.half() if storage == "float16" else full
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `pack` in float32; raises KeyError where integers lack their scales."""
    scales = {name + _SCALE for name, value in packed.items() if value.dtype == torch.int8}
    return {
        name: value.float() * packed[name + _SCALE][:, None] if value.dtype == torch.int8 else value.float()
        for name, value in packed.items()
        if name not in scales
    }


def _quantise(matrix: Tensor) -> tuple[Tensor, Tensor]:
    scale = matrix.abs().amax(dim=1) / _LARGEST
    # A row of zeros has no scale of its own, and any will do.
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (matrix / scale[:, None]).round().to(torch.int8), scale
