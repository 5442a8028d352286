"""Windows of one or many articles as padded arrays that a model takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from hoidam.encode.windows import Window

LENGTH_STEP = 16
"""Padded lengths are multiples of it: what matrix units read fast, and few enough that windows meet their like."""


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
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray
    piece_words: np.ndarray


def padded_length(pieces: int, *, step: int = LENGTH_STEP) -> int:
    """The length that a window of so many pieces is padded to at least."""
    return -(-pieces // step) * step


def pad_batch(windows: Sequence[EncodedWindow], *, pad_id: int, step: int = LENGTH_STEP) -> Batch:
    """Pad windows to the length of the longest, rounded up to a multiple of `step`.

    An encoder's position numbers may depend on `pad_id`, so it is never guessed.
    """
    shape = (len(windows), padded_length(max(len(window.ids) for window in windows), step=step))
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    attention_mask = np.zeros(shape, dtype=np.int64)
    piece_words = np.full(shape, -1, dtype=np.int64)
    for row, window in enumerate(windows):
        input_ids[row, : len(window.ids)] = window.ids
        attention_mask[row, : len(window.ids)] = 1
        piece_words[row, : len(window.ids)] = window.piece_words
    return Batch(input_ids, attention_mask, piece_words)


def plan_batches(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Group items of one padded length, at most `batch_rows` of them; yields lists of indices.

    Longest first, so that memory peaks at the start; within a length in their order, so the plan is deterministic.
    """
    longest_first = sorted(range(len(lengths)), key=lambda index: -padded_length(lengths[index]))
    for length, group in groupby(longest_first, key=lambda index: padded_length(lengths[index])):
        rows, indices = batch_rows(length, budget=budget), list(group)
        yield from (indices[start : start + rows] for start in range(0, len(indices), rows))


def batch_rows(pieces: int, *, budget: int) -> int:
    """Windows of so many pieces in a batch of about `budget` pieces as padded, at least one."""
    return max(1, round(budget / padded_length(pieces)))
