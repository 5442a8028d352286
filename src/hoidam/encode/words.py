"""Words with offsets: what the model gives tags to, and where sentences end among them.

A word is what a segmenter joins; with no segmenter it is a syllable. Punctuation marks are words of their own.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from hoidam.encode.segmenters import Segmenter
from hoidam.errors import AlignmentError

_TOKEN = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+|\d+|\S")
_SENTENCE_MARKS = frozenset(".?!…;")
_CLOSERS = frozenset("\"'”’)]»")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text by offset: `starts` and `ends` in code points, ascending, never overlapping.

    Every character that is not white space belongs to exactly one word.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def surface(self, word: int) -> str:
        """What a tokenizer reads: the word's characters, syllables joined by `_`."""
        return "_".join(self.text[self.starts[word] : self.ends[word]].split())

    def spaced(self, word: int) -> bool:
        """Whether the word begins the text or follows white space."""
        start = self.starts[word]
        return start == 0 or self.text[start - 1].isspace()

    def line_starts(self) -> list[int]:
        """Indices of the words that begin a line, the first word's left out."""
        return [word for word in range(1, len(self)) if "\n" in self.text[self.ends[word - 1] : self.starts[word]]]

    def sentence_ends(self) -> list[int]:
        """Word indices (exclusive ends) after which a window may be cut, ascending; the last is the number of words."""
        ends = [word + 1 for word in range(len(self) - 1) if self._ends_sentence(word)]
        return [*ends, len(self)] if len(self) else []

    def _ends_sentence(self, word: int) -> bool:
        gap = self.text[self.ends[word] : self.starts[word + 1]]
        if "\n" in gap:
            return True
        last = self.text[self.ends[word] - 1]
        if last in _CLOSERS and word and self.ends[word - 1] == self.starts[word]:
            last = self.text[self.ends[word - 1] - 1]
        return bool(gap) and last in _SENTENCE_MARKS

    def split_at(self, offsets: Iterable[int]) -> "Words":
        """The same words, those that an offset falls inside cut there: for training, where gold edges are known."""
        cuts = sorted(set(offsets))
        starts: list[int] = []
        ends: list[int] = []
        place = 0
        for start, end in zip(self.starts, self.ends, strict=True):
            while place < len(cuts) and cuts[place] <= start:
                place += 1
            edges = [start]
            while place < len(cuts) and cuts[place] < end:
                edges.append(cuts[place])
                place += 1
            edges.append(end)
            for left, right in pairwise(edges):
                trimmed = self.text[left:right].strip()
                if trimmed:
                    begin = left + self.text[left:right].index(trimmed[0])
                    starts.append(begin)
                    ends.append(begin + len(trimmed))
        return Words(self.text, tuple(starts), tuple(ends))

    def within(self, start: int, end: int) -> tuple[int, int] | None:
        """The range of words that covers exactly `start` to `end`; None where an edge falls inside a word."""
        first = _find(self.starts, start)
        last = _find(self.ends, end)
        return None if first is None or last is None or last < first else (first, last + 1)


def _find(values: tuple[int, ...], value: int) -> int | None:
    place = bisect_left(values, value)
    return place if place < len(values) and values[place] == value else None


def syllables(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Offsets of letter runs, digit runs and single marks; a run is cut where a capital follows a small letter."""
    for match in _TOKEN.finditer(text, start, len(text) if end is None else end):
        left, right = match.span()
        token = match.group()
        if len(token) > 1 and not (token.islower() or token.istitle() or token.isupper()):
            for place in range(left + 1, right):
                if text[place - 1].islower() and text[place].isupper():
                    yield left, place
                    left = place
        yield left, right


def split_words(text: str, segmenter: Segmenter) -> Words:
    """Cut a normalised text into words, line by line.

    A line that the segmenter gives back with other characters than it was given is cut into syllables instead, so that
    offsets stay exact. A mark is never cut from the character that carries it. Raises AlignmentError if any character
    would be lost, which would be a defect here.
    """
    spans: list[tuple[int, int]] = []
    place = 0
    for line in text.split("\n"):
        if line.strip():
            groups = segmenter.segment(line)
            local = list(syllables(line)) if groups is None else _align(line, groups)
            spans.extend((place + start, place + end) for start, end in _keep_marks(line, local))
        place += len(line) + 1
    words = Words(text, tuple(start for start, _ in spans), tuple(end for _, end in spans))
    _check_cover(words)
    return words


def _align(line: str, groups: list[str]) -> list[tuple[int, int]]:
    """Lay a segmenter's words over their line by their characters other than white space."""
    solid = [place for place, character in enumerate(line) if not character.isspace()]
    bare = ["".join(group.split()) for group in groups]
    if "".join(bare) != "".join(line[place] for place in solid):
        return list(syllables(line))
    spans: list[tuple[int, int]] = []
    used = 0
    for word in bare:
        if word:
            spans.append((solid[used], solid[used + len(word) - 1] + 1))
            used += len(word)
    return spans


def _keep_marks(line: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join words that begin with a mark to the words before them.

    What composes into one character of the input would be two words otherwise, and their spans the same stretch of it.
    """
    left = right = 0
    for start, end in spans:
        if start == right and _is_mark(line[start]):
            right = end
            continue
        if left < right:
            yield left, right
        left, right = start, end
    if left < right:
        yield left, right


def _is_mark(character: str) -> bool:
    """Whether it composes with what stands before: combining marks, and Korean vowels and finals."""
    return character >= "\u0300" and (unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff")


def _check_cover(words: Words) -> None:
    covered = sum(len("".join(words.text[a:b].split())) for a, b in zip(words.starts, words.ends, strict=True))
    if covered != len("".join(words.text.split())):
        raise AlignmentError("words do not cover their text: please report this text as a defect")
