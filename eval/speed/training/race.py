"""The variants of one recipe against each other: a process for each, timed in turn, round after round."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.speed.process import Worker, environment, tell
from eval.speed.training.variants import Variant


@dataclass(frozen=True, slots=True)
class Setting:
    """What all variants get alike; `warm_up` steps come before `rounds` of `steps` that are timed."""

    recipe: Path
    changes: tuple[str, ...]
    device: str
    threads: int
    warm_up: int
    rounds: int
    steps: int

    def task(self, variant: Variant) -> str:
        """The first line that a worker is sent."""
        options = dict(variant.options)
        return json.dumps(
            {
                "recipe": str(self.recipe),
                "changes": [*self.changes, *options.pop("changes", ())],
                "device": self.device,
                "threads": self.threads,
                "steps": self.warm_up + self.rounds * self.steps,
                "trainer": variant.trainer,
                "options": options,
            }
        )


@dataclass(slots=True)
class Outcome:
    """What was measured of one variant, round by round, or why it was not; `facts` are what its worker says of it."""

    variant: Variant
    skipped: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    rounds: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def once_per_piece(self) -> float:
        """Seconds a piece of what is computed once, shared out over all epochs of the recipe."""
        return float(self.facts["once_seconds"] / (self.facts["epochs"] * self.facts["epoch_pieces"]))

    @property
    def rates(self) -> list[float]:
        """Pieces a second, round by round; padding is none, and what is computed once for all epochs is counted in."""
        return [1 / (found["seconds"] / found["pieces"] + self.once_per_piece) for found in self.rounds]


class Runner:
    """A variant's process, and what has been measured of it; once it has ended by itself every call does nothing."""

    def __init__(self, variant: Variant, setting: Setting) -> None:
        self.outcome = Outcome(variant)
        gpu = setting.device != "cpu"
        surroundings = environment(setting.threads, gpu=gpu) | dict(variant.environment)
        self._worker = Worker("eval.speed.training.worker", environment=surroundings)
        self._worker.send(setting.task(variant))

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *exception: object) -> None:
        self._worker.__exit__(*exception)

    def loaded(self) -> None:
        """Wait until everything is read."""
        self.outcome.facts |= self._seen(self._worker.receive())

    def begin(self, *, warm_up: int) -> None:
        """Make the trainer and take its first steps."""
        self.outcome.facts |= self._ask("begin")
        self._ask(f"steps {warm_up}")

    def time(self, *, steps: int) -> None:
        """Train for so many steps."""
        if found := self._ask(f"steps {steps}"):
            self.outcome.rounds.append(found)

    def peak(self) -> float | None:
        """Operations a second of the machine, in bfloat16."""
        return self._ask("peak").get("operations_per_second")

    def _ask(self, command: str) -> dict[str, Any]:
        return self._seen(self._worker.ask(command))

    def _seen(self, found: dict[str, Any]) -> dict[str, Any]:
        if self._worker.ended and not self.outcome.skipped:
            self.outcome.skipped = self._worker.ended
            tell(f"{self.outcome.variant.name} is left out: {self.outcome.skipped}")
        return found


def race(variants: Sequence[Variant], *, setting: Setting) -> tuple[list[Outcome], float | None]:
    """Time every variant in rounds, once all have taken their first steps; gives the machine's rate in bfloat16 too."""
    with ExitStack() as stack:
        # All load side by side, since that is not timed; from then on only one works at a time.
        runners = [stack.enter_context(Runner(variant, setting)) for variant in variants]
        for runner in runners:
            runner.loaded()
        for runner in runners:
            tell(f"beginning {runner.outcome.variant.name}")
            runner.begin(warm_up=setting.warm_up)
        for number in range(setting.rounds):
            tell(f"{setting.recipe.stem}: round {number + 1} of {setting.rounds}")
            # Every other round goes backwards, so that a machine that slows down or speeds up favours nobody.
            for runner in runners[:: -1 if number % 2 else 1]:
                runner.time(steps=setting.steps)
        peak = next((found for runner in runners if (found := runner.peak())), None)
        return [runner.outcome for runner in runners], peak
