"""Work spread over processes: bounded memory, results in the order of what was given, one error when a worker ends."""

import multiprocessing
import queue
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any, Generic, Self, TypeVar

from hoidam.errors import HoidamError, WorkerError

Given = TypeVar("Given")
Result = TypeVar("Result")

Ask = Callable[[Any], Any]
"""In a worker, puts a question to the process that started it."""
Start = Callable[[Ask], Callable[[Given], Result]]
"""Run once in each worker; gives the function that does the work there. It is pickled, and so is what goes through."""

_AHEAD = 2
"""Pieces of work under way for each worker: one that it does and one that waits for it."""


def ordered_map(
    start: "Start[Given, Result]",
    items: Iterable[Given],
    *,
    workers: int,
    answer: Ask = lambda question: question,
) -> Iterator[Result]:
    """Do the work of each item in one of the worker processes; results come in the order of the items.

    `answer` is called here, from several threads, with what workers ask. Items are taken as results are, so that memory
    does not grow with their number. Workers are spawned, not forked: threads and GPUs do not survive a fork. They end
    with this process, however it ends. Raises WorkerError where one of them ends or fails.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="worker") as threads, ExitStack() as stack:
        idle: queue.SimpleQueue[_Worker[Given, Result]] = queue.SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(_Worker(start)))

        def work(item: Given) -> Result:
            worker = idle.get()
            try:
                return worker.work(item, answer)
            finally:
                # One that ended too: whoever takes it is told so, where otherwise it would wait for ever.
                idle.put(worker)

        waiting: deque[Future[Result]] = deque()
        # Entered last: what waits is given up before the workers end, and these before their threads are waited for.
        stack.callback(lambda: [future.cancel() for future in waiting])
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Worker(Generic[Given, Result]):
    """A process that does one piece of work at a time."""

    def __init__(self, start: "Start[Given, Result]") -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, start), daemon=True)
        self._process.start()
        # Only the worker holds its end now, so that this one is told when the worker ends.
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def work(self, item: Given, answer: Ask) -> Result:
        """Have one piece of work done, and answer what the worker asks meanwhile."""
        try:
            self._connection.send(item)
            while True:
                kind, value = self._connection.recv()
                if kind == "done":
                    result: Result = value
                    return result
                if kind == "failed":
                    raise WorkerError(value)
                self._connection.send(answer(value))
        except (EOFError, OSError):
            self._process.join()
            raise WorkerError(f"a worker process ended ({_cause(self._process.exitcode)})") from None


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}; was there too little memory? Use fewer workers" if name == "SIGKILL" else name


def _run(connection: Connection, start: "Start[Any, Any]") -> None:
    """A worker's life: until its starter closes the connection, or is no more."""
    # On Ctrl-C a terminal tells every process; the starter alone decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def ask(question: Any) -> Any:
        connection.send(("ask", question))
        return connection.recv()

    try:
        work: Callable[[Any], Any] | None = None
        while True:
            item = connection.recv()
            work = work or start(ask)
            connection.send(("done", work(item)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except HoidamError as error:
        connection.send(("failed", str(error)))
    except Exception:
        connection.send(("failed", f"a worker process failed:\n{traceback.format_exc()}"))
