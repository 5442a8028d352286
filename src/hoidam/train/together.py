"""Training in several processes, one a GPU: what they must agree on. A process alone passes through all of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, slice_tensors
from torch import distributed
from transformers.trainer_pt_utils import LengthGroupedSampler

from hoidam.errors import RecipeError
from hoidam.model import loss_counts
from hoidam.processes import is_main, process_count

_WAIT = timedelta(hours=6)
"""How long processes wait for the main one, which scores dev and writes. A launcher ends them where it has failed."""

Made = TypeVar("Made")


def own_device(device: torch.device) -> torch.device:
    """Meet the other processes; gives this one's own GPU, or the CPU where `device` is that.

    Raises RecipeError where there are more processes on this machine than GPUs, or a GPU other than the first is named.
    """
    if device.index:
        raise RecipeError(
            f"--device {device}: a run trains on the first GPU that it sees. Let it see this one alone: "
            f"CUDA_VISIBLE_DEVICES={device.index} and --device {device.type}"
        )
    if process_count() == 1:
        return device
    started = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device.type == "cuda" and started > torch.cuda.device_count():
        raise RecipeError(
            f"{started} processes were started on this machine, and it has {torch.cuda.device_count()} GPUs. "
            "Start as many, or train with --device cpu"
        )
    state = PartialState(cpu=device.type == "cpu", timeout=_WAIT)
    return torch.device(state.device)


def check_alone(what: str) -> None:
    """Raise RecipeError where several processes were started for what one does by itself."""
    if process_count() > 1:
        raise RecipeError(f"{what} runs in one process, and {process_count()} were started. Leave the launcher out")


@contextmanager
def main_first() -> Iterator[None]:
    """A block for the main process, then for one of each other machine, then for the rest.

    What the first download or work out, and keep in a cache, the others find.
    """
    if process_count() == 1:
        yield
        return
    state = PartialState()
    with state.main_process_first(), state.local_main_process_first():
        yield


def from_main(make: Callable[[], Made]) -> Made:
    """What the main process makes, in all of them."""
    if process_count() == 1:
        return make()
    made: list[Any] = [make() if is_main() else None]
    broadcast_object_list(made)
    return made[0]  # type: ignore[no-any-return]


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if process_count() > 1:
        PartialState().wait_for_everyone()


def part() -> None:
    """Leave the other processes for good, at the end of a command."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class SharedOrder(LengthGroupedSampler):
    """Windows in an order that the main process draws: random, those of one batch of all processes alike in length."""

    def __iter__(self) -> Iterator[int]:
        return iter(from_main(self._draw))

    def _draw(self) -> list[int]:
        return list(super().__iter__())  # type: ignore[no-untyped-call]


def own_rows(left: int, *, size: int, index: int) -> int:
    """How many of the `size` windows that process `index` has in a batch are its own, of `left` in the whole batch.

    accelerate fills parts up with windows that the epoch has seen, behind the last one.
    """
    return min(max(left - index * size, 0), size)


def with_shares(batch: dict[str, Any], *, rows: int, weights: torch.Tensor | None) -> dict[str, Any]:
    """This process's part of a batch, with `shares` that make the mean over processes the loss of the whole batch.

    The part is the first `rows` windows. Past them lie such as only make all parts alike in size, and they are left
    out; a process without any of its own keeps one, for which its shares are 0. `weights` are those of categories.
    """
    kept = slice_tensors(batch, slice(0, max(rows, 1)))
    gold = {name: kept[name] for name in ("tags", "categories", "article")}
    counts = loss_counts(**gold, weights=weights) * min(rows, 1)
    whole = counts.clone()
    distributed.all_reduce(whole)
    return {**kept, "shares": counts * process_count() / torch.where(whole > 0, whole, 1)}
