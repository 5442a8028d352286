"""A bounded queue before a tagger: what waits while one batch is tagged is the next batch."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from hoidam.ingest.readers import Document, Item
from hoidam.tag.tagger import CHUNK_CHARACTERS, CHUNK_DOCUMENTS, Result, Tagger


class QueueFullError(Exception):
    """More articles wait than the queue holds, or the service is closing."""


class _Waiting(NamedTuple):
    item: Item
    future: Future[Result]


class Batcher:
    """Tags items of many callers in one thread of its own, as many together as wait and fit a batch.

    An item that comes while nothing is tagged does not wait for others. `waiting` bounds the queue, in items;
    `on_batch` is told the number of items of each batch.
    """

    def __init__(self, tagger: Tagger, *, waiting: int, on_batch: Callable[[int], None] = lambda size: None) -> None:
        self._tagger, self._limit, self._on_batch = tagger, waiting, on_batch
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="hoidam-tagger", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """How many items wait."""
        return len(self._queue)

    @property
    def is_open(self) -> bool:
        """Whether items are taken and tagged."""
        return not self._closed and self._thread.is_alive()

    def submit(self, items: Sequence[Item]) -> list[Future[Result]]:
        """Queue all items or none; a future that is cancelled before its turn is left out of the work.

        Raises QueueFullError where they do not fit.
        """
        waiting = [_Waiting(item, Future()) for item in items]
        with self._changed:
            if self._closed or len(self._queue) + len(waiting) > self._limit:
                raise QueueFullError
            self._queue.extend(waiting)
            self._changed.notify()
        return [entry.future for entry in waiting]

    def close(self) -> None:
        """Take no more, finish what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next():
            self._on_batch(len(batch))
            try:
                results = list(self._tagger.tag([entry.item for entry in batch]))
            except Exception as error:
                # A fault concerns those who wait for this batch; the next caller is served.
                for entry in batch:
                    entry.future.set_exception(error)
            else:
                for entry, result in zip(batch, results, strict=True):
                    entry.future.set_result(result)

    def _next(self) -> list[_Waiting]:
        """The next batch, once there is one; empty when the queue is closed and done."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return []
                taken = self._take()
            if batch := [entry for entry in taken if entry.future.set_running_or_notify_cancel()]:
                return batch

    def _take(self) -> list[_Waiting]:
        """From the head of the queue what the tagger would take as one chunk."""
        taken: list[_Waiting] = []
        characters = 0
        while self._queue and len(taken) < CHUNK_DOCUMENTS and characters < CHUNK_CHARACTERS:
            entry = self._queue.popleft()
            characters += len(entry.item.text) if isinstance(entry.item, Document) else 0
            taken.append(entry)
        return taken
