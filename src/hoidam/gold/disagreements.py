"""Where two annotators of an article differ, and how a person reads and writes the spans concerned: by their words."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.gold.surroundings import cuts_word
from hoidam.labels import LabelScheme

BODY = "article body"
"""Stands for a type where the annotators differ in the body; no type has this name, as names hold no space."""

_GAP = " … "
_TOKEN = re.compile(r"\S+")
_AT = re.compile(r"@(\d{1,9}) (.+)", re.DOTALL)
_SPAN_WORDS, _CONTEXT_WORDS = 8, 40
"""How many words at each end a long stretch is shown by; it is long from three times as many."""
_WORDS_AROUND = 12


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A smallest group of one type's spans that overlap one another, directly or by others, and that the two differ in.

    Where both annotators have spans in it, one of `first` overlaps one of `second`: no side overlaps itself. So never
    both sides stand together, and whichever side is taken, or none, overlaps nothing outside the group.
    """

    article: Article
    type: str
    first: tuple[Span, ...]
    second: tuple[Span, ...]

    @property
    def start(self) -> int:
        return min(span.start for span in (*self.first, *self.second))

    @property
    def end(self) -> int:
        return max(span.end for span in (*self.first, *self.second))

    @property
    def place(self) -> str:
        """Article, type and offset, as messages name them."""
        return f"{self.article.id}: {self.type} at {self.start}"

    @property
    def around(self) -> tuple[int, int]:
        """The group with some words before and after it: where a decision's own words are looked for."""
        text, start, end = self.article.text, self.start, self.end
        before = [start, *(word.start() for word in reversed(list(_TOKEN.finditer(text[:start]))))]
        after = [end, *(end + word.end() for word in _TOKEN.finditer(text[end:]))]
        return before[: _WORDS_AROUND + 1][-1], after[: _WORDS_AROUND + 1][-1]

    @property
    def context(self) -> str:
        low, high = self.around
        return _shortened(self.article.text[low:high], keep=_CONTEXT_WORDS)

    def show(self, span: Span) -> str:
        """A span as `read` takes it: `CATEGORY: words`, with the offset where the words alone would not find it."""
        words = self.article.text[span.start : span.end]
        short = _shortened(words, keep=_SPAN_WORDS)
        forms = (form for kept in (short, words) for form in (kept, f"@{span.start} {kept}"))
        shown = next(form for form in forms if self._places(form) == [(span.start, span.end)])
        return shown if span.category is None else f"{span.category}: {shown}"

    def read(self, shown: str, *, scheme: LabelScheme) -> Span:
        """The span that a person means by `words`, `@offset words`, `first words … last words`, after `CATEGORY: `.

        Raises DataError where the category is missing, or where the words stand in the context never or repeatedly.
        """
        category, words = None, unicodedata.normalize("NFC", shown)
        if self.type in scheme.categorised_names:
            category, _, words = words.partition(": ")
            if category not in scheme.category_names:
                known = ", ".join(scheme.category_names)
                raise DataError(f"no category in {shown!r}", cure=f"Write `CATEGORY: words` with one of {known}")
        found = self._places(words)
        if not found:
            cure = "Copy the words out of the context, whole words only"
            raise DataError(f"{words!r} does not stand in the context", cure=cure)
        if len(found) > 1:
            offsets = ", ".join(str(start) for start, _ in found)
            cure = f"Write more words, or one offset before them: `@{found[0][0]} {words}`"
            raise DataError(f"{words!r} stands {len(found)} times in the context, at {offsets}", cure=cure)
        return Span(*found[0], self.type, category)

    def _places(self, shown: str) -> list[tuple[int, int]]:
        """Where the words stand in the context: those that touch the group, or without one, all."""
        found = self._occurrences(shown)
        return [(start, end) for start, end in found if start < self.end and self.start < end] or found

    def _occurrences(self, shown: str) -> list[tuple[int, int]]:
        at = _AT.fullmatch(shown)
        words = at[2] if at else shown.strip()
        offset = int(at[1]) if at else None
        gaps = [gap.start() for gap in re.finditer(f"(?={_GAP})", words)]
        return list(self._find(words, offset)) or [
            (start, end)
            for gap in gaps
            for start, first_end in self._find(words[:gap], offset)
            for last_start, end in self._find(words[gap + len(_GAP) :])
            if first_end <= last_start
        ]

    def _find(self, words: str, offset: int | None = None) -> Iterator[tuple[int, int]]:
        """Where whole words stand in the context, or where they stand at a given offset, whole or not."""
        text, (low, high) = self.article.text, self.around
        if offset is not None and low <= offset and text.startswith(words, offset, high):
            yield offset, offset + len(words)
        elif offset is None and words:
            for match in re.compile(f"(?={re.escape(words)})").finditer(text, low, high):
                start, end = match.start(), match.start() + len(words)
                if not cuts_word(text, start) and not cuts_word(text, end):
                    yield start, end


def _shortened(text: str, *, keep: int) -> str:
    """Text, or where it has many words its first and last ones."""
    words = list(_TOKEN.finditer(text))
    if len(words) <= 3 * keep:
        return text
    return f"{text[: words[keep - 1].end()]}{_GAP}{text[words[-keep].start() :]}"


def find_disagreements(pairs: Iterable[tuple[Annotated, Annotated]], *, scheme: LabelScheme) -> list[Disagreement]:
    """All of them, article by article, each in text order and, where they start together, in the scheme's."""
    return [found for one, other in pairs for found in _in_article(one, other, scheme)]


def _in_article(one: Annotated, other: Annotated, scheme: LabelScheme) -> list[Disagreement]:
    found = []
    bodies = [side.body or (0, len(side.article.text)) for side in (one, other)]
    if bodies[0] != bodies[1]:
        found.append(Disagreement(one.article, BODY, *((Span(*body, BODY),) for body in bodies)))
    for name in scheme.type_names:
        first, second = ({span for span in side.spans if span.type == name} for side in (one, other))
        for group in _groups(first ^ second):
            sides = (tuple(span for span in group if span in side) for side in (first, second))
            found.append(Disagreement(one.article, name, *sides))
    return sorted(found, key=lambda each: each.start)


def _groups(spans: Iterable[Span]) -> Iterator[Sequence[Span]]:
    group: list[Span] = []
    end = 0
    for span in sorted(spans):
        if group and span.start >= end:
            yield group
            group = []
        group.append(span)
        end = max(end, span.end)
    if group:
        yield group
