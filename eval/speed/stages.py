"""Where the time of `hoidam tag` goes, stage by stage, and how far each stage is from the best that the machine can do.

The command runs in this process on one core while the functions of `STAGES` are timed; time in a function that another
one called counts for the inner one alone. Time is the processor's, thread by thread, so waiting is not counted. The
result is one line of JSON on standard output.
"""

import argparse
import importlib
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from types import GeneratorType
from typing import Any
from unittest.mock import patch

from eval.speed.machine import at_best, encoder_operations, use_cores

STAGES: Mapping[str, str] = {
    "hoidam.tag.tagger.load_model": "load",
    "hoidam.ingest.readers.read_found": "read",
    "hoidam.predict.find_body": "body",
    "hoidam.predict.normalise": "normalise",
    "hoidam.encode.text.split_words": "words",
    "hoidam.encode.pieces.PieceTable.encode": "pieces",
    "hoidam.encode.text.TextEncoder.encode": "windows",
    "hoidam.predict.pad_batch": "pad",
    "hoidam.model.TaggerModel.forward": "forward",
    "hoidam.predict.Predictor._merge": "decode",
    "hoidam.predict.Predictor._decide": "decode",
    "hoidam.checkpoint.ModelSettings.decide": "decode",
    "hoidam.tag.writers.JsonLinesWriter.write": "write",
}
"""Stages by the names under which functions are called; a name that is no longer there is an error."""

LOAD, OTHER = "load", "other"
_CHARACTER, _NUMBER, _SCORE = 2, 8, 4
"""Bytes in memory of a character of Vietnamese text, of an offset or a piece's id, and of a score."""
_PIECES = 4096


@dataclass(slots=True)
class Work:
    """What there was to do: shapes of padded batches (windows, pieces), and the counts that floors are made of."""

    batches: list[tuple[int, int]] = field(default_factory=list)
    characters: int = 0
    words: int = 0
    pieces: int = 0
    scores: int = 0
    precision: str = "fp32"
    config: Any = None

    def see(self, place: str, arguments: tuple[Any, ...], options: Mapping[str, Any], result: Any) -> None:
        """Take note of a call of one of the functions of `STAGES`."""
        if place.endswith("split_words"):
            self.characters += len(result.text)
            self.words += len(result)
        elif place.endswith("forward"):
            self._see_forward(arguments[0], options, result)

    def _see_forward(self, model: Any, inputs: Mapping[str, Any], output: Any) -> None:
        import torch

        windows, pieces = inputs["input_ids"].shape
        self.batches.append((windows, pieces))
        self.pieces += int(inputs["attention_mask"].sum())
        self.scores += sum(values.numel() for values in output.to_tuple())
        self.config = model.encoder.config
        halved = next(model.encoder.parameters()).dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")
        self.precision = "bf16" if halved else "fp32"


class Clock:
    """Processor seconds by stage; what runs inside another stage counts for itself alone."""

    def __init__(self, work: Work) -> None:
        self.seconds: Counter[str] = Counter()
        self._work = work
        self._local = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time that this thread takes for a block under `name`."""
        outer = getattr(self._local, "name", None)
        self._turn(outer, name)
        try:
            yield
        finally:
            self._turn(name, outer)

    def _turn(self, from_name: str | None, to_name: str | None) -> None:
        """Give the time since this thread's last turn to one stage, and go on with another."""
        now = time.thread_time()
        if from_name is not None:
            self.seconds[from_name] += now - self._local.since
        self._local.name, self._local.since = to_name, now

    def timed(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed; of a generator, the making of each item."""
        name = STAGES[place]

        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                result = function(*arguments, **options)
            self._work.see(place, arguments, options, result)
            return self._iterate(name, result) if isinstance(result, GeneratorType) else result

        return call

    def _iterate(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.stage(name):
                item = next(items, None)
            if item is None:
                return
            yield item


def holder(place: str) -> tuple[Any, str]:
    """What holds the function of a dotted name, a module or a class in one, and the name that it has there."""
    path, _, name = place.rpartition(".")
    with suppress(ModuleNotFoundError):
        return importlib.import_module(path), name
    module, _, kind = path.rpartition(".")
    return getattr(importlib.import_module(module), kind), name


def run_command(articles: Path, *, model: Path, output: Path) -> tuple[dict[str, float], Work]:
    """`hoidam tag` in this process: seconds by stage, and what there was to do."""
    from hoidam.cli import main

    work = Work()
    clock = Clock(work)
    command = ["hoidam", "tag", str(articles), "--model", str(model), "--output", str(output), "--force"]
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "argv", command))
        for place in STAGES:
            owner, name = holder(place)
            stack.enter_context(patch.object(owner, name, clock.timed(place, getattr(owner, name))))
        with clock.stage(OTHER), suppress(SystemExit):
            main()
    return dict(clock.seconds), work


def moved_bytes(work: Work, *, read: int, written: int) -> dict[str, int]:
    """Bytes that each stage but the network's must at least take from memory or put there.

    `read` and `written` are the sizes of the input and the output file.
    """
    padded = sum(windows * pieces for windows, pieces in work.batches)
    text = _CHARACTER * work.characters
    return {
        "read": read + text,
        "body": text,
        "normalise": 2 * text,
        "words": text + 2 * _NUMBER * work.words,
        "pieces": text + 2 * _NUMBER * work.words + _NUMBER * work.pieces,
        "windows": 3 * _NUMBER * work.pieces,
        "pad": 2 * _NUMBER * work.pieces + 3 * _NUMBER * padded,
        "decode": _SCORE * work.scores,
        "write": 2 * written,
    }


def floors(work: Work, best: Mapping[str, float], *, read: int, written: int) -> dict[str, float]:
    """The least seconds that each stage can take at the rates of `at_best`."""
    moving = {name: count / best["bytes"] for name, count in moved_bytes(work, read=read, written=written).items()}
    operations = encoder_operations(work.config, work.batches)
    return moving | {"forward": operations / best[f"{work.precision}_operations"]}


def profile(articles: Path, *, model: Path, repeats: int, mebibytes: int) -> dict[str, Any]:
    """The stages of the fastest of several runs after a first one, their floors, and the machine's best rates."""
    with tempfile.TemporaryDirectory(prefix="hoidam-speed-") as folder:
        output = Path(folder) / "tagged.jsonl"
        runs = [run_command(articles, model=model, output=output) for _ in range(repeats + 1)]
        seconds, work = min(runs[1:], key=lambda run: sum(run[0].values()) - run[0][LOAD])
        best = at_best(work.config, pieces=_PIECES, mebibytes=mebibytes)
        least = floors(work, best, read=articles.stat().st_size, written=output.stat().st_size)
    return {
        "precision": work.precision,
        "articles": sum(1 for _ in articles.open("rb")),
        "words": work.words,
        "pieces": work.pieces,
        "padded_pieces": sum(windows * pieces for windows, pieces in work.batches),
        "best": best,
        "stages": [
            {"stage": name, "seconds": seconds.get(name, 0.0), "floor": least.get(name)}
            for name in dict.fromkeys([*STAGES.values(), OTHER])
            if name != LOAD
        ],
    }


def main() -> None:
    """Profile a file of articles and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--mebibytes", type=int, default=1024)
    options = parser.parse_args()
    use_cores(1)
    found = profile(options.articles, model=options.model, repeats=options.repeats, mebibytes=options.mebibytes)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
