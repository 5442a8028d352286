"""One variant in a process of its own: loads, then trains as far as it is told.

The first line on standard input is the task as JSON, each further line a command: `begin` makes the trainer, `steps N`
trains so many steps, `peak` measures the machine. Each line is answered by one of JSON on standard output. All steps
are of one run of Trainer, which waits for the next command between two of them.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from eval.speed.machine import product_rate, use_cores
from eval.speed.process import answers
from eval.speed.training.trainers import TRAINERS, Ready
from eval.speed.training.work import Counted, Work
from hoidam.errors import HoidamError
from hoidam.networks.pytorch import choose_device
from hoidam.train.recipe import read_recipe


class Paced(TrainerCallback):
    """Lets a training go on by so many steps as standard input asks for, counts and times them; nothing else is done.

    The process ends with its input.
    """

    def __init__(self, ready: Ready, *, device: torch.device, answer: Callable[..., None]) -> None:
        self._ready = ready
        self._device = device
        self._answer = answer
        self._counted = Counted(ready.trainer.data_collator)
        ready.trainer.data_collator = self._counted

    def on_train_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Wait for the first command."""
        self._wait()

    def on_step_end(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Count a step's batch; after the last of those asked for, answer and wait."""
        self._work += self._counted.next()
        self._left -= 1
        if not self._left:
            self._answer(**self._measured())
            self._wait()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Leave out an epoch's scores and checkpoint, which are no part of the time that steps take."""
        control.should_evaluate = control.should_save = control.should_log = False

    def _measured(self) -> dict[str, Any]:
        synchronize(self._device)
        return {
            "seconds": time.perf_counter() - self._started,
            "pieces": self._work.pieces,
            "padded": self._work.padded,
            "operations": self._work.operations(self._ready.config, passes=self._ready.passes),
            "peak_mib": peak_mib(self._device),
        }

    def _wait(self) -> None:
        for line in sys.stdin:
            command, _, number = line.partition(" ")
            if command == "steps":
                self._left, self._work, self._started = int(number), Work(), time.perf_counter()
                return
            self._answer(operations_per_second=product_rate(torch.bfloat16, device=self._device))
        sys.exit()


def main() -> None:
    """Serve the parent until it closes the pipe."""
    answer = answers()
    task = json.loads(sys.stdin.readline())
    try:
        device = choose_device(task["device"])
        if device.type == "cpu":
            use_cores(task["threads"])
        recipe = read_recipe(Path(task["recipe"]), changes=task["changes"])
        with tempfile.TemporaryDirectory(prefix="hoidam-speed-") as folder:
            make = TRAINERS[task["trainer"]](recipe, device=device, folder=Path(folder), **task["options"])
            answer(epochs=recipe.training.epochs)
            if sys.stdin.readline():
                ready = make()
                answer(**facts(ready))
                ready.trainer.args.max_steps = task["steps"]
                ready.trainer.add_callback(Paced(ready, device=device, answer=answer))
                ready.trainer.train()
    except (HoidamError, ImportError, OSError, RuntimeError) as error:
        sys.exit(str(error))


def facts(ready: Ready) -> dict[str, Any]:
    """What a trainer works with, and on how much in an epoch."""
    return {
        "once_seconds": ready.once_seconds,
        "epoch_pieces": sum(ready.lengths),
        "epoch_examples": len(ready.lengths),
        "batch_size": ready.trainer.args.per_device_train_batch_size,
        "precision": ready.precision,
        "attention": ready.config._attn_implementation,
    }


def synchronize(device: torch.device) -> None:
    """Wait for what a GPU still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_mib(device: torch.device) -> float:
    """The most memory that this process has held so far, on a GPU the GPU's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
