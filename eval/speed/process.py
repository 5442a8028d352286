"""Processes of their own that are sent lines and answer each with a line of JSON; both ends of the pipe."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from eval.speed.engines import said


class Worker:
    """A module that runs as a process; once that has ended by itself, `ended` holds its last words and it says nothing.

    A context: on the way out its input is closed, and it is waited for.
    """

    def __init__(self, module: str, *, environment: Mapping[str, str]) -> None:
        self.ended = ""
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()
        self._errors.close()

    def send(self, line: str) -> None:
        """Send one line, whose answer may be received later."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                print(line, file=self._process.stdin, flush=True)

    def receive(self) -> dict[str, Any]:
        """The answer to the line sent first of those not yet answered; an empty one once the process has ended."""
        if self.ended or not self._process.stdout:
            return {}
        if answer := self._process.stdout.readline():
            found: dict[str, Any] = json.loads(answer)
            return found
        self._process.wait()
        self._errors.seek(0)
        self.ended = said(self._errors.read())
        return {}

    def ask(self, line: str) -> dict[str, Any]:
        """Send one line and receive its answer."""
        if not self.ended:
            self.send(line)
        return self.receive()


def answers() -> Callable[..., None]:
    """For the process itself: a function that answers with its keyword arguments, and that alone reaches the pipe."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever libraries print must not mix with the answers.
    os.dup2(2, 1)

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=pipe, flush=True)

    return answer


def environment(threads: int, *, gpu: bool) -> dict[str, str]:
    """The environment of a worker: thread pools are sized before any library is imported, and a GPU seen or hidden."""
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    fixed = {name: str(threads) for name in pools} | {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    hidden = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **fixed, **hidden}


def tell(text: str) -> None:
    """Say on standard error how far the run is."""
    print(text, file=sys.stderr, flush=True)
