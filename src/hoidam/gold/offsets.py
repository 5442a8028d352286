"""Offsets as tools for annotating count them, to code points of a text as articles hold it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hoidam.errors import DataError


@dataclass(frozen=True, slots=True)
class Mention:
    """A span as a tool has it: offsets as it counts them, the label, and the surface where it repeats that."""

    start: int
    end: int
    label: str
    surface: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How a tool counts: UTF-16 units, as a browser does, or code points; CRLF as two characters or as one."""

    utf16: bool
    crlf_as_one: bool = False

    def places(self, text: str) -> dict[int, int]:
        """The code point at each of the tool's offsets that does not fall inside a character."""
        found = {0: 0}
        offset = 0
        for place, character in enumerate(text):
            if not (self.crlf_as_one and text.startswith("\r\n", place)):
                offset += 2 if self.utf16 and ord(character) > 0xFFFF else 1
            found[offset] = place + 1
        if self.crlf_as_one:
            return found | {
                offset: place - 1 for offset, place in found.items() if text[place - 1 : place + 1] == "\r\n"
            }
        return found


BROWSER = (Count(utf16=True), Count(utf16=False), Count(utf16=True, crlf_as_one=True), Count(False, True))
"""Ways to count, the first to be tried first."""


def place_mentions(text: str, mentions: Sequence[Mention], *, counts: Sequence[Count]) -> list[tuple[int, int]]:
    """Code points of the mentions, by the first way to count under which all of their surfaces are found.

    Raises DataError that names the mention where there is no such way.
    """
    misses: list[Mention] = []
    for index, count in enumerate(counts):
        places = count.places(text)
        found = [(places.get(one.start, -1), places.get(one.end, -1)) for one in mentions]
        misses += [one for one, edges in zip(mentions, found, strict=True) if not _is_at(text, one, edges)][:1]
        if not misses[index:]:
            return found
    wrong = misses[0]
    there = f" {wrong.surface!r}" if wrong.surface is not None else ""
    raise DataError(
        f"{wrong.label}{there} from {wrong.start} to {wrong.end} does not fit the text",
        field="offsets",
        cure="Export the text together with its annotations",
    )


def _is_at(text: str, mention: Mention, edges: tuple[int, int]) -> bool:
    start, end = edges
    if not 0 <= start < end:
        return False
    return mention.surface is None or _solid(text[start:end]) == _solid(mention.surface)


def _solid(surface: str) -> str:
    r"""A surface without white space, of which tools keep little, and without the `\n` that some write for it."""
    return "".join(surface.replace("\\n", " ").split())


def store(text: str, edges: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """A text as articles hold it, NFC with `\\n` line ends, and where stretches of the given text lie in it.

    The stretches begin and end with characters that are no white space. Raises DataError where an edge parts a letter
    from its accent.
    """
    cuts = sorted({0, len(text), *(edge for pair in edges for edge in pair)})
    moved = {0: 0}
    pieces: list[str] = []
    for start, end in pairwise(cuts):
        pieces.append(_store_form(text[start:end]))
        moved[end] = moved[start] + len(pieces[-1])
    stored = _store_form(text)
    if "".join(pieces) != stored:
        raise DataError(
            "a span parts a letter from its accent", field="offsets", cure="Take both inside, or leave both out"
        )
    return stored, [(moved[start], moved[end]) for start, end in edges]


def _store_form(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
