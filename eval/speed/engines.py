"""The ways of tagging as objects that a worker loads once and then times."""

import atexit
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from eval.speed.rivals import PipelineEngine, UndertheseaEngine
from hoidam.document import Tagged
from hoidam.files import write_json_lines
from hoidam.ingest.readers import Document
from hoidam.tag.tagger import Tagger

HOIDAM = (sys.executable, "-c", "from hoidam.cli import main; main()")
"""The command line of the Python that runs this, whatever is installed elsewhere."""

_DEV = "eval/benchmarks/dev.toml"


class Engine(Protocol):
    """Tags documents; what it needs is loaded when it is made.

    A HoidamError, ImportError, OSError or RuntimeError then, or while it warms up, means that it cannot run here.
    """

    def warm_up(self, documents: Sequence[Document]) -> None:
        """Whatever a first run pays once and a long one does not."""

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        """Tag documents: how many articles were tagged, and what was found where the engine gives that back."""


class HoidamEngine:
    """`Tagger` in this process; `options` go to `Tagger.load`."""

    def __init__(self, model: Path, *, batch_pieces: int = 0, **options: Any) -> None:
        self.tagger = Tagger.load(model, **options)
        if batch_pieces:
            predictor: Any = self.tagger.model.predictor
            getattr(predictor, "network", predictor).batch_pieces = batch_pieces

    def warm_up(self, documents: Sequence[Document]) -> None:
        self.run(documents)

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        found = []
        for result in self.tagger.tag(documents):
            if not isinstance(result, tuple):
                raise RuntimeError(f"not tagged: {result}")
            found.append(result[1])
        return len(found), found


def load_exported(model: Path, *, format: str) -> HoidamEngine:
    """The model as `hoidam export` writes it, held to the dev benchmark."""
    with tempfile.TemporaryDirectory(prefix="hoidam-speed-") as folder:
        output = Path(folder, format)
        call_hoidam("export", "--model", model, "--format", format, "--output", output, "--benchmark", _DEV)
        return HoidamEngine(output)


class CommandEngine:
    """`hoidam tag` as a process of its own, start-up included, over `copies` of every article."""

    def __init__(self, model: Path, *, arguments: Sequence[str], copies: int, folder: bool = False) -> None:
        self._arguments = ("--model", model, "--force", *arguments)
        self._copies = copies
        self._folder = tempfile.TemporaryDirectory(prefix="hoidam-speed-")
        self._input = Path(self._folder.name, "articles.jsonl")
        self._output = Path(self._folder.name, "tagged" if folder else "tagged.jsonl")

    def warm_up(self, documents: Sequence[Document]) -> None:
        copies, self._copies = self._copies, 1
        self.run(documents[:1])
        self._copies = copies

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        every = [(copy, document) for copy in range(self._copies) for document in documents]
        records = ({"id": f"{document.id}-{copy}", "text": document.text} for copy, document in every)
        write_json_lines(self._input, records, force=True)
        call_hoidam("tag", self._input, "--output", self._output, *self._arguments)
        return len(every), []


class ServedEngine:
    """`hoidam serve` in a process of its own, and `clients` that each send one article a request."""

    def __init__(self, model: Path, *, clients: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}"
        self._clients = clients
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        line = [*HOIDAM, "serve", "--model", str(model), "--port", str(port)]
        self._server = subprocess.Popen(line, stderr=self._errors)  # noqa: S603
        atexit.register(self._server.terminate)

    def warm_up(self, documents: Sequence[Document]) -> None:
        while not self._is_ready():
            if self._server.poll() is not None:
                self._errors.seek(0)
                raise RuntimeError(f"hoidam serve: {said(self._errors.read())}")
            time.sleep(0.1)
        self.run(documents)

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        with ThreadPoolExecutor(self._clients) as pool:
            return sum(pool.map(self._send, documents)), []

    def _is_ready(self) -> bool:
        try:
            return self._ask("/readyz") is not None
        except OSError:
            return False

    def _send(self, document: Document) -> int:
        """Have one article tagged; raises OSError where the server refuses it."""
        self._ask("/tag", {"id": document.id, "text": document.text})
        return 1

    def _ask(self, route: str, content: Any = None) -> bytes:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(  # noqa: S310
            self._address + route, data=data, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found: bytes = answer.read()
        return found


ENGINES: Mapping[str, Callable[..., Engine]] = {
    "hoidam": HoidamEngine,
    "exported": load_exported,
    "command": CommandEngine,
    "served": ServedEngine,
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
