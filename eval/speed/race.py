"""Variants against each other: a process for each, timed in turn, round after round, on the same machine."""

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.speed.process import Worker, environment, tell
from eval.speed.variants import Variant
from hoidam.document import Tagged, read_tagged
from hoidam.evaluate import GoldSet


@dataclass(frozen=True, slots=True)
class Setting:
    """What all variants get alike: the model, the articles' files, ids to time (repeats allowed), and threads."""

    model: Path
    articles: tuple[Path, ...]
    gold: GoldSet
    timed: tuple[str, ...]
    threads: int
    copies: int

    def threads_of(self, variant: Variant) -> int:
        """Threads, and cores, that a variant may use."""
        return variant.threads or self.threads

    def task(self, variant: Variant) -> str:
        """The first line that a worker is sent."""
        options = dict(variant.options) | ({"copies": self.copies} if variant.engine == "command" else {})
        return json.dumps(
            {
                "engine": variant.engine,
                "options": options,
                "threads": self.threads_of(variant),
                "model": str(self.model),
                "articles": [str(path) for path in self.articles],
                "timed": self.timed,
                "scored": [annotated.id for annotated in self.gold.gold],
            }
        )


@dataclass(slots=True)
class Outcome:
    """What was measured of one variant, or why it was not; `seconds` and `articles` of each round."""

    variant: Variant
    skipped: str = ""
    load_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)
    articles: int = 0
    peak_mib: float = 0.0
    busy: float | None = None
    tagged: list[Tagged] | None = None

    @property
    def rates(self) -> list[float]:
        """Articles a second, round by round."""
        return [self.articles / seconds for seconds in self.seconds]


class Runner:
    """A variant's process, and what has been measured of it; once it has ended by itself every call does nothing."""

    def __init__(self, variant: Variant, setting: Setting) -> None:
        self.outcome = Outcome(variant)
        self._setting = setting
        threads = environment(setting.threads_of(variant), gpu=variant.gpu)
        self._worker = Worker("eval.speed.worker", environment=threads)

    def __enter__(self) -> "Runner":
        if found := self._ask(self._setting.task(self.outcome.variant)):
            self.outcome.load_seconds = found["load_seconds"]
        return self

    def __exit__(self, *exception: object) -> None:
        self._worker.__exit__(*exception)

    def time(self) -> None:
        """Run once over the timed articles."""
        if found := self._ask("time"):
            self.outcome.seconds.append(found["seconds"])
            self.outcome.articles, self.outcome.peak_mib = found["articles"], found["peak_mib"]

    def finish(self) -> None:
        """Tag the gold's articles where they are to be scored, and watch a GPU for one run."""
        gold = self._setting.gold
        if self.outcome.variant.scored:
            with tempfile.TemporaryDirectory(prefix="hoidam-speed-") as folder:
                path = Path(folder) / "tagged.jsonl"
                if self._ask(f"tag {path}"):
                    self.outcome.tagged = read_tagged(path, gold.articles, gold.scheme)
        if self.outcome.variant.gpu and (found := self._ask("busy")):
            self.outcome.busy = found["busy"]

    def _ask(self, command: str) -> dict[str, Any]:
        """Send one line and read the answer; an empty one where the worker has ended, whose last words are kept."""
        found = self._worker.ask(command)
        if self._worker.ended and not self.outcome.skipped:
            self.outcome.skipped = self._worker.ended
            tell(f"{self.outcome.variant.name} is left out: {self.outcome.skipped}")
        return found


def race(variants: Sequence[Variant], *, setting: Setting, repeats: int) -> list[Outcome]:
    """Load every variant, time `repeats` rounds over all of them, then let those that are scored tag the gold."""
    with ExitStack() as stack:
        runners = []
        for variant in variants:
            tell(f"loading {variant.name}")
            runners.append(stack.enter_context(Runner(variant, setting)))
        for number in range(repeats):
            tell(f"round {number + 1} of {repeats}")
            # Every other round goes backwards, so that a machine that slows down or speeds up favours nobody.
            for runner in runners[:: -1 if number % 2 else 1]:
                runner.time()
        tell("scoring")
        for runner in runners:
            runner.finish()
        return [runner.outcome for runner in runners]
