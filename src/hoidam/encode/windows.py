"""Windows: stretches of words that fit an encoder, cut at sentence ends, overlapping, together covering every word."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from hoidam.encode.pieces import LONGEST_WORD
from hoidam.errors import AlignmentError, RecipeError

SMALLEST_WINDOW = 4 * LONGEST_WORD
"""Pieces that a window must be able to hold, so that long words cannot keep windows from moving on."""


@dataclass(frozen=True, slots=True)
class Window:
    """Words `start` to `end` are read together; of these, `own_start` to `own_end` take their tags from here."""

    start: int
    end: int
    own_start: int
    own_end: int


def cut_windows(lengths: Sequence[int], sentence_ends: Sequence[int], *, size: int, overlap: int) -> list[Window]:
    """Cut words of `lengths` pieces into windows of at most `size` pieces (specials not counted).

    A window ends at the last sentence end that leaves it half full, else where it is full. The next one starts at a
    sentence start within `overlap` pieces before that, else `overlap` pieces before. Each word is owned by the window
    in which it stands deeper, so owned ranges partition the words. Raises RecipeError where sizes cannot work and
    AlignmentError if a word were left unread, which would be a defect here.
    """
    if size < SMALLEST_WINDOW or not 0 <= overlap <= size // 4:
        raise RecipeError(
            f"window: {size} pieces with an overlap of {overlap}. "
            f"Need at least {SMALLEST_WINDOW} pieces and an overlap of at most a quarter"
        )
    total = [0, *accumulate(lengths)]
    ranges: list[tuple[int, int]] = []
    start = 0
    while start < len(lengths):
        end = _window_end(start, total, sentence_ends, size=size)
        ranges.append((start, end))
        start = end if end == len(lengths) else _next_start(start, end, total, sentence_ends, overlap=overlap)
    return _with_owners(ranges, total)


def _window_end(start: int, total: Sequence[int], sentence_ends: Sequence[int], *, size: int) -> int:
    full = bisect_right(total, total[start] + size) - 1
    if full >= len(total) - 1:
        return len(total) - 1
    place = bisect_right(sentence_ends, full) - 1
    if place >= 0 and total[sentence_ends[place]] - total[start] >= size // 2:
        return sentence_ends[place]
    return full


def _next_start(start: int, end: int, total: Sequence[int], sentence_ends: Sequence[int], *, overlap: int) -> int:
    earliest = max(bisect_left(total, total[end] - overlap), start + 1)
    place = bisect_left(sentence_ends, earliest)
    return sentence_ends[place] if place < len(sentence_ends) and sentence_ends[place] < end else earliest


def _with_owners(ranges: list[tuple[int, int]], total: Sequence[int]) -> list[Window]:
    borders = [0]
    for (_, end), (following, _) in pairwise(ranges):
        borders.append(bisect_left(total, (total[following] + total[end]) / 2, following, end))
    borders.append(len(total) - 1)
    windows = (
        [
            Window(start, end, own_start, own_end)
            for (start, end), (own_start, own_end) in zip(ranges, pairwise(borders), strict=True)
        ]
        if ranges
        else []
    )
    if any(not (w.start <= w.own_start < w.own_end <= w.end) for w in windows):
        raise AlignmentError("windows leave words unread: please report this text as a defect")
    return windows
