"""Windows of one or many articles as padded arrays that a model takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hoidam.encode.windows import Window


@dataclass(frozen=True, slots=True)
class EncodedWindow:
    """The pieces of one window.

    *Shapes:* `ids` [pieces] with specials; `piece_words` [pieces] counts words from the window's first, -1 at specials.
    """

    ids: tuple[int, ...]
    piece_words: tuple[int, ...]

    @property
    def word_count(self) -> int:
        return self.piece_words[-2] + 1


def encode_window(pieces: Sequence[tuple[int, ...]], window: Window, *, first_id: int, last_id: int) -> EncodedWindow:
    """Lay the pieces of a window's words between the encoder's start and end pieces."""
    ids = [first_id]
    piece_words = [-1]
    for place, word in enumerate(range(window.start, window.end)):
        ids.extend(pieces[word])
        piece_words.extend([place] * len(pieces[word]))
    return EncodedWindow((*ids, last_id), (*piece_words, -1))


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded windows.

    *Shapes:* `input_ids`, `attention_mask` and `piece_words` [windows, pieces], the last -1 at specials and padding.
    `word_count` is the largest number of words of a window.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray
    piece_words: np.ndarray
    word_count: int


def pad_batch(windows: Sequence[EncodedWindow], *, pad_id: int) -> Batch:
    """Pad windows to the longest of them; an encoder's position numbers may depend on `pad_id`, so it is never guessed.

    Lengths are rounded up to a multiple of 8, which matrix units read faster.
    """
    shape = (len(windows), _padded(max(len(window.ids) for window in windows)))
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    attention_mask = np.zeros(shape, dtype=np.int64)
    piece_words = np.full(shape, -1, dtype=np.int64)
    for row, window in enumerate(windows):
        input_ids[row, : len(window.ids)] = window.ids
        attention_mask[row, : len(window.ids)] = 1
        piece_words[row, : len(window.ids)] = window.piece_words
    return Batch(input_ids, attention_mask, piece_words, max(window.word_count for window in windows))


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def plan_batches(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Group items of like length so that each padded batch holds at most `budget` pieces; yields lists of indices.

    An item that is longer than the budget is a batch of its own. Longest first, so that memory peaks at the start; ties
    keep their order, so the plan is deterministic.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batch and (len(batch) + 1) * _padded(lengths[batch[0]]) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
