"""What a run will take, said before it begins: steps and memory, and time once some steps have been timed."""

import sys
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from transformers import TrainerCallback

from hoidam.errors import RecipeError
from hoidam.networks.pytorch import autocast
from hoidam.processes import process_count
from hoidam.train.features import Collator
from hoidam.train.recipe import TrainingSettings

_TIMED_STEPS = 5
_DispatchMode: Any = TorchDispatchMode


@dataclass(frozen=True, slots=True)
class Forecast:
    """Counts of a run, pieces a step as a mean without padding, and the bytes that a step needs on its device.

    `weights`, `gradients` and `states` (the optimizer's) are counted, `activations` measured on the largest batch.
    """

    steps: int
    windows: int
    pieces: float
    weights: int
    gradients: int
    states: int
    activations: int

    def __str__(self) -> str:
        parts = {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer": self.states,
            "activations of the largest batch": self.activations,
        }
        return (
            f"{self.steps:,} steps of {self.windows:,} windows, {self.pieces:,.0f} pieces each; "
            f"a step's memory: {_size(sum(parts.values()))} "
            f"({', '.join(f'{name} {_size(count)}' for name, count in parts.items())})"
        )


def count_steps(settings: TrainingSettings, *, windows: int) -> int:
    """Optimizer steps of an epoch, all processes of a launch together."""
    return -(-windows // _windows_a_step(settings))


def _windows_a_step(settings: TrainingSettings) -> int:
    return settings.batch_size * settings.gradient_accumulation * process_count()


def forecast(
    trained: nn.Module,
    *,
    whole: nn.Module,
    settings: TrainingSettings,
    features: Dataset,
    collator: Collator,
    device: torch.device,
    precision: str,
) -> Forecast:
    """Count, and pass the largest batch twice through the `trained` part of the `whole` model.

    Neither weights nor random numbers are other than before. Raises RecipeError where the batch is too large for a GPU.
    """
    steps = count_steps(settings, windows=len(features))
    lengths = list(features["length"])
    largest = sorted(range(len(lengths)), key=lambda index: -lengths[index])[: settings.batch_size]
    # Without a teacher's lesson, which adds little to what a step needs.
    rows = replace(collator, lessons=None)([features[index] for index in largest])
    batch = {name: tensor.to(device) for name, tensor in rows.items()}

    def step() -> None:
        with autocast(device, precision):
            loss = trained(**batch).loss
        loss.backward()

    parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    gradients = sum(parameter.nbytes for parameter in parameters)
    try:
        activations = _measure(trained, step, known=list(batch.values()), device=device)
    except torch.OutOfMemoryError:
        raise RecipeError(
            f"training.batch_size: {len(largest)} windows of up to {max(lengths)} pieces do not fit into the GPU's "
            "memory. Give fewer, and more gradient_accumulation for it, or gradient_checkpointing = true"
        ) from None
    return Forecast(
        steps=steps * settings.epochs,
        windows=_windows_a_step(settings),
        pieces=sum(lengths) / steps,
        weights=sum(tensor.nbytes for tensor in (*whole.parameters(), *whole.buffers())),
        gradients=gradients,
        # AdamW's two means, and a count of steps in four bytes.
        states=2 * gradients + 4 * len(parameters),
        activations=activations,
    )


def _measure(model: nn.Module, step: Callable[[], None], *, known: Sequence[Tensor], device: torch.device) -> int:
    """The most bytes that a step needs beyond weights and gradients."""
    mode = model.training
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            model.train()
            # The first one makes the gradients.
            step()
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
                before = torch.cuda.memory_allocated(device)
                step()
                return int(torch.cuda.max_memory_allocated(device) - before)
            gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
            memory = _Memory([*model.parameters(), *model.buffers(), *gradients, *known])
            with memory:
                step()
            return memory.peak
    finally:
        model.train(mode)
        model.zero_grad(set_to_none=True)


class _Memory(_DispatchMode):  # type: ignore[misc]
    """Adds up the storages that come into being while it is on, each until it goes; `known` ones do not count."""

    def __init__(self, known: Sequence[Tensor]) -> None:
        super().__init__()
        self._held = {tensor.untyped_storage()._cdata for tensor in known}
        self._now = 0
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._count, found)
        return found

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._held:
            self._held.add(storage._cdata)
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._let_go, storage._cdata, storage.nbytes())

    def _let_go(self, storage: int, size: int) -> None:
        self._held.discard(storage)
        self._now -= size


class StepTime(TrainerCallback):
    """Says how long the steps that are left will take, once some have been timed: the first of an epoch are not."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._last: float | None = None

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Leave out what lies between epochs."""
        self._last = None

    def on_step_end(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Time a step."""
        if len(self._seconds) == _TIMED_STEPS:
            return
        if args.device.type == "cuda":
            torch.cuda.synchronize(args.device)
        now = time.monotonic()
        if self._last is not None:
            self._seconds.append(now - self._last)
        self._last = now
        if len(self._seconds) == _TIMED_STEPS and (left := state.max_steps - state.global_step):
            mean = sum(self._seconds) / _TIMED_STEPS
            print(
                f"{mean:.3g} s a step, of {_TIMED_STEPS} timed: {_duration(mean * left)} for the {left:,} steps left, "
                "without scoring dev",
                file=sys.stderr,
            )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
