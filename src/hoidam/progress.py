"""Progress of long work: a bar with an estimate on a terminal, plain lines elsewhere; always on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hoidam.processes import is_main

_LINE_SECONDS = 10.0


@contextmanager
def progress(what: str, *, total: int | None = None, bar: bool = True) -> Iterator[Callable[[], None]]:
    """Give a function to call once for each item done; `total` items are to come, where that is known.

    Without `bar` there are lines on a terminal too: for work whose results are written to it meanwhile. Of several
    processes that train together only the main one shows anything.
    """
    if not is_main():
        yield lambda: None
    elif bar and sys.stderr.isatty():
        with _bar(what, total) as step:
            yield step
    else:
        yield _lines(what, total)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Standard output stays what it is: rich would send it to the console of the bar, and with it results elsewhere.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bars:
        task = bars.add_task(what, total=total)
        yield lambda: bars.advance(task)


def _lines(what: str, total: int | None) -> Callable[[], None]:
    started = last = time.monotonic()
    done = 0

    def step() -> None:
        nonlocal done, last
        done += 1
        now = time.monotonic()
        if now - last >= _LINE_SECONDS:
            last = now
            of = f" of {total}" if total is not None else ""
            print(f"{what}: {done}{of}, {done / (now - started):.1f}/s", file=sys.stderr)

    return step
