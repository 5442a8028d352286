"""The ways of tagging as objects that a worker loads once and then times."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from eval.speed.rivals import PipelineEngine, UndertheseaEngine
from hoidam.document import Tagged
from hoidam.files import json_line
from hoidam.ingest.readers import Document, Failure
from hoidam.tag.tagger import Tagger

HOIDAM = (sys.executable, "-c", "from hoidam.cli import main; main()")
"""The command line of the Python that runs this, whatever is installed elsewhere."""

_DEV = "eval/benchmarks/dev.toml"


class Engine(Protocol):
    """Tags documents; what it needs is loaded when it is made. Any exception then means that it cannot run here."""

    def warm_up(self, documents: Sequence[Document]) -> None:
        """Whatever a first run pays once and a long one does not."""

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        """Tag documents: how many articles were tagged, and what was found where the engine gives that back."""


class HoidamEngine:
    """`Tagger` in this process; `options` go to `Tagger.load`."""

    def __init__(self, model: Path, *, batch_pieces: int = 0, **options: Any) -> None:
        self.tagger = Tagger.load(model, **options)
        if batch_pieces:
            self.tagger.model.predictor.batch_pieces = batch_pieces

    def warm_up(self, documents: Sequence[Document]) -> None:
        self.run(documents)

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        found = []
        for result in self.tagger.tag(documents):
            if isinstance(result, Failure):
                raise RuntimeError(result.error)
            found.append(result[1])
        return len(found), found


def load_exported(model: Path, *, format: str) -> HoidamEngine:
    """The model as `hoidam export` writes it, held to the dev benchmark."""
    output = Path(tempfile.mkdtemp(prefix="hoidam-speed-")) / format
    call_hoidam("export", "--model", model, "--format", format, "--output", output, "--benchmark", _DEV)
    return HoidamEngine(output)


class CommandEngine:
    """`hoidam tag` as a process of its own, start-up included, over `copies` of every article."""

    def __init__(self, model: Path, *, arguments: Sequence[str], copies: int, folder: bool = False) -> None:
        self._arguments = ("--model", model, "--force", *arguments)
        self._copies = copies
        self._folder = Path(tempfile.mkdtemp(prefix="hoidam-speed-"))
        self._output = self._folder / ("tagged" if folder else "tagged.jsonl")

    def warm_up(self, documents: Sequence[Document]) -> None:
        copies, self._copies = self._copies, 1
        self.run(documents[:1])
        self._copies = copies

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        articles = self._folder / "articles.jsonl"
        with articles.open("w", encoding="utf-8") as stream:
            for copy in range(self._copies):
                for document in documents:
                    stream.write(json_line({"id": f"{document.id}-{copy}", "text": document.text}))
        call_hoidam("tag", articles, "--output", self._output, *self._arguments)
        return len(documents) * self._copies, []


ENGINES: Mapping[str, Callable[..., Engine]] = {
    "hoidam": HoidamEngine,
    "exported": load_exported,
    "command": CommandEngine,
    "pipeline": PipelineEngine,
    "underthesea": UndertheseaEngine,
}


def call_hoidam(*arguments: object) -> None:
    """Run a command of ours; raises RuntimeError with what it says where it fails."""
    line = [*HOIDAM, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"hoidam {arguments[0]}: {said(done.stderr)}")


def said(text: str) -> str:
    """The line of a failed command's output that names the cause: the last, without the frame around usage errors."""
    lines = [line.strip("│ ") for line in text.splitlines()]
    return next((line for line in reversed(lines) if any(map(str.isalpha, line))), "it said nothing")
