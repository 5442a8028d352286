"""Gold with typing errors put in: how well a model reads what was typed in haste or scanned can then be measured."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from hoidam.document import Annotated, Span
from hoidam.errors import DataError

_LETTERS = re.compile(r"[^\W\d_]{2,}")
_SPACES = re.compile(r"(?<=\w) (?=\w)")
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_GLIDES = ("oa", "oe", "uy")
"""Open syllables on these are written with the tone on either vowel, by the older or the newer rule."""
_OWN_LETTERS = str.maketrans("đĐ", "dD")
"""Vietnamese letters that Unicode does not take apart."""

Garble = Callable[[str, Random], str]
"""Another spelling of a stretch of text; the same where it has none."""


@dataclass(frozen=True, slots=True)
class Noise:
    """One kind of typing error: what stretches of text it befalls, and what it makes of one."""

    befalls: re.Pattern[str]
    garble: Garble


@dataclass(frozen=True, slots=True)
class Share:
    """How many stretches of text were garbled, of how many."""

    garbled: int
    of: int

    def __str__(self) -> str:
        return f"{self.garbled:,} of {self.of:,} ({self.garbled / max(self.of, 1):.1%})"


@dataclass(frozen=True, slots=True)
class Noisy:
    """Annotated articles with typing errors, and the shares of their words and spaces that were garbled."""

    gold: list[Annotated]
    words: Share
    spaces: Share


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def add_noise(gold: Sequence[Annotated], *, kinds: Sequence[str], rate: float, seed: int) -> Noisy:
    """Copies of annotated articles with typing errors put in, spans moved along.

    Each word of two letters or more, and each space between words, is drawn with probability `rate`, in equal shares
    for each of `kinds`, names of `NOISES`. Fewer are garbled: not those that have no other spelling of the kind (marks
    to leave out, a tone to move), nor a stretch with an edge of a span or body within, and of a word and a space that
    touch never both. What befalls an article depends on its id and `seed` alone. Raises DataError on a kind that is not
    known or a rate that is not from 0 to 1.
    """
    unknown = sorted(set(kinds) - set(NOISES))
    if unknown or not kinds:
        raise DataError(f"no noise {', '.join(unknown) or 'named'}", field="kinds", cure=f"Known: {', '.join(NOISES)}")
    if not 0 <= rate <= 1:
        raise DataError(f"is {rate}", field="rate", cure="Give 0 to 1")
    noises = [NOISES[name] for name in kinds]
    edits = [_edits(one, noises, rate=rate, random=Random(f"{seed} {one.id}")) for one in gold]  # noqa: S311
    garbled = sum(map(len, edits))
    spaces = sum(one.article.text[edit.start] == " " for one, own in zip(gold, edits, strict=True) for edit in own)
    return Noisy(
        [_edited(one, own) for one, own in zip(gold, edits, strict=True)],
        words=Share(garbled - spaces, of=_count(_LETTERS, gold)),
        spaces=Share(spaces, of=_count(_SPACES, gold)),
    )


def _count(pattern: re.Pattern[str], gold: Iterable[Annotated]) -> int:
    return sum(len(pattern.findall(one.article.text)) for one in gold)


def _edits(one: Annotated, noises: Sequence[Noise], *, rate: float, random: Random) -> list[_Edit]:
    text = one.article.text
    edges = {edge for span in one.spans for edge in (span.start, span.end)} | set(one.body or ())
    return _apart(
        edit
        for noise in noises
        for edit in _drawn(text, noise, rate=rate / len(noises), random=random)
        if not any(place in edges for place in range(edit.start + 1, edit.end))
    )


def _edited(one: Annotated, edits: Sequence[_Edit]) -> Annotated:
    moved = _Moved(edits)
    noisy = "".join(moved.pieces(one.article.text))
    return replace(
        one,
        article=replace(one.article, text=noisy),
        spans=tuple(Span(moved(span.start), moved(span.end), span.type, span.category) for span in one.spans),
        body=None if one.body is None else (moved(one.body[0]), moved(one.body[1])),
    )


def _drawn(text: str, noise: Noise, *, rate: float, random: Random) -> Iterator[_Edit]:
    for found in noise.befalls.finditer(text):
        if random.random() < rate:
            garbled = unicodedata.normalize("NFC", noise.garble(found.group(), random))
            if garbled != found.group():
                yield _Edit(*found.span(), garbled)


def _apart(edits: Iterable[_Edit]) -> list[_Edit]:
    """In text order, the first of those that touch: letters of two garbled neighbours must not meet and compose."""
    kept: list[_Edit] = []
    for edit in sorted(edits, key=lambda edit: edit.start):
        if not kept or kept[-1].end < edit.start:
            kept.append(edit)
    return kept


class _Moved:
    """Where offsets lie once edits are made; an edit's start and end are its text's start and end."""

    def __init__(self, edits: Sequence[_Edit]) -> None:
        self._edits = edits

    def __call__(self, offset: int) -> int:
        return offset + sum(len(edit.text) - (edit.end - edit.start) for edit in self._edits if edit.end <= offset)

    def pieces(self, text: str) -> Iterator[str]:
        place = 0
        for edit in self._edits:
            yield text[place : edit.start]
            yield edit.text
            place = edit.end
        yield text[place:]


def _without_marks(word: str, _: Random) -> str:
    parts = unicodedata.normalize("NFD", word.translate(_OWN_LETTERS))
    return "".join(character for character in parts if not unicodedata.combining(character))


def _tone_moved(word: str, _: Random) -> str:
    """The tone of a last `oa`, `oe` or `uy` on its other vowel."""
    parts = unicodedata.normalize("NFD", word)
    tones = [character for character in parts if character in _TONES]
    bare = "".join(character for character in parts if character not in _TONES)
    if len(tones) != 1 or not bare.lower().endswith(_GLIDES) or bare.lower().endswith("quy"):
        return word
    on_last = parts[-1] in _TONES
    return bare[:-1] + tones[0] + bare[-1] if on_last else bare + tones[0]


def _another(word: str, spellings: Iterable[str], random: Random) -> str:
    return random.choice(sorted(set(spellings) - {word}) or [word])


def _case_changed(word: str, random: Random) -> str:
    cased = (word.lower(), word.upper(), word.capitalize())
    return _another(word, [other for other in cased if len(other) == len(word)], random)


def _mistyped(word: str, random: Random) -> str:
    """Two neighbouring letters exchanged, a letter lost, or one typed twice."""
    place = random.randrange(len(word) - 1)
    left, first, second, right = word[:place], word[place], word[place + 1], word[place + 2 :]
    exchanged, lost, doubled = (
        left + second + first + right,
        left + first + right,
        left + first + first + second + right,
    )
    return _another(word, (exchanged, lost, doubled), random)


def _space_changed(space: str, random: Random) -> str:
    return random.choice(("", space * 2))


NOISES: Mapping[str, Noise] = {
    "marks": Noise(_LETTERS, _without_marks),
    "tones": Noise(_LETTERS, _tone_moved),
    "case": Noise(_LETTERS, _case_changed),
    "letters": Noise(_LETTERS, _mistyped),
    "spaces": Noise(_SPACES, _space_changed),
}
"""Letters without their marks; tones by the other rule; another case; letters exchanged, lost or doubled; spaces."""
