"""An article prepared for checking: what stands where, and what stands beside a span."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hoidam.document import Annotated, Span
from hoidam.gold.checks import TypeChecks

_WORD = re.compile(r"\w+")
_LAST_WORD = re.compile(r"(\w+) \Z")
_NEXT_WORD = re.compile(r" (\w+)")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…“\"(\[*>•–—-])\s*\Z")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An article with its spans sorted and indexed; `body` is the whole text where none is marked."""

    annotated: Annotated
    spans: Sequence[Span]
    body: tuple[int, int]
    starts: Mapping[int, Sequence[Span]]
    ends: frozenset[int]

    @classmethod
    def of(cls, annotated: Annotated) -> "Surroundings":
        spans = sorted(annotated.spans, key=lambda span: (span.start, -span.end, span.type))
        starts: defaultdict[int, list[Span]] = defaultdict(list)
        for span in spans:
            starts[span.start].append(span)
        body = annotated.body or (0, len(annotated.article.text))
        return cls(annotated, spans, body, dict(starts), frozenset(span.end for span in spans))

    @property
    def id(self) -> str:
        return self.annotated.id

    @property
    def text(self) -> str:
        return self.annotated.article.text

    def form(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def starting_at(self, offset: int) -> Sequence[Span]:
        return self.starts.get(offset, ())

    def line_before(self, offset: int) -> str:
        """What stands before an offset in its line."""
        return self.text[self.text.rfind("\n", 0, offset) + 1 : offset]

    def word_at(self, offset: int) -> str:
        """The word around an offset, or nothing."""
        around = self.text[max(0, offset - 30) : offset + 30]
        here = offset - max(0, offset - 30)
        return next((word[0] for word in _WORD.finditer(around) if word.start() <= here <= word.end()), "")

    def covered(self, offset: int) -> bool:
        """Whether the code point at an offset lies in a span."""
        return any(span.start <= offset < span.end for span in self.spans)

    def overlapping(self) -> Iterator[tuple[Span, Span]]:
        """Every two spans that share a code point, the one that starts first or is longer first."""
        open_spans: list[Span] = []
        for span in self.spans:
            open_spans = [before for before in open_spans if before.end > span.start]
            yield from ((before, span) for before in open_spans)
            open_spans.append(span)


def is_word(character: str) -> bool:
    """Whether a character belongs to a word: a letter, a digit, or a mark on one."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def cuts_word(text: str, offset: int) -> bool:
    """Whether an offset lies inside a word."""
    return 0 < offset < len(text) and is_word(text[offset - 1]) and is_word(text[offset])


def bare(text: str) -> str:
    """Text without accents and in lower case, `đ` as `d`."""
    letters = "".join(unicodedata.normalize("NFD", character)[0] for character in text.casefold())
    return letters.replace("đ", "d")


def name_beside(around: Surroundings, start: int, end: int, rules: TypeChecks) -> str | None:
    """A capitalised word directly beside a stretch that seems to belong to the same name, or None.

    Abbreviations in capitals, words that `rules` keep apart, and words in other spans do not; nor does the first word
    of a sentence, which is capitalised anyway, nor anything before a small letter.
    """
    after = _NEXT_WORD.match(around.text, end)
    if after and is_name_word(after[1]) and not around.starting_at(end + 1):
        return after[1]
    line = around.line_before(start)
    before = _LAST_WORD.search(line)
    if not before or not is_name_word(before[1]) or start - 1 in around.ends or around.text[start].islower():
        return None
    apart = any(ends_with_words(line, f"{phrase} ") for phrase in (*rules.never_starts_with, *rules.beside_names))
    return None if apart or _SENTENCE_START.search(line[: before.start()]) else before[1]


def ends_with_words(text: str, phrase: str) -> bool:
    """Whether `text` ends with `phrase` in any case, and not in the middle of a word."""
    folded = text[-len(phrase) :].casefold()
    return folded == phrase.casefold() and not cuts_word(text, len(text) - len(phrase))


def unit_before(line: str, rules: TypeChecks) -> str | None:
    """The unit word that `line` ends with and that belongs to what follows, or None."""
    for unit in sorted(rules.takes_before, key=len, reverse=True):
        if ends_with_words(line, f"{unit} "):
            staying = (phrase.replace("{}", unit) + " " for phrase in rules.leaves_before)
            return None if any(ends_with_words(line, phrase) for phrase in staying) else unit
    return None


def is_name_word(word: str) -> bool:
    """Whether a word is capitalised and no abbreviation in capitals."""
    return word[0].isupper() and (len(word) == 1 or not word.isupper())
