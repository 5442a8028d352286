"""Tagging schemes of CoNLL files: a row of tags such as `B-LOC I-LOC O` to chunks of tokens, and back.

`bio` (IOB2) begins every chunk with B. `iob1` writes I, and B only where a chunk follows another of its type; `ioe1`
writes I, and E only where another of its type follows. `ioe2` ends every chunk with E. `iobes` has B, I, E, and S for
a token alone; `bilou` calls the last two L and U. `io` cannot part neighbours of one type; its tags may be bare types.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from hoidam.errors import DataError

Tagging = Literal["bio", "iob1", "ioe1", "ioe2", "iobes", "bilou", "io"]
TAGGINGS: tuple[Tagging, ...] = get_args(Tagging)
OUTSIDE = "O"

NO_BEGINNING = "spans without their beginning, mended"
NO_END = "spans without their end, mended"

_LETTERS: dict[Tagging, str] = {
    "bio": "BIIB",
    "iob1": "IIII",
    "ioe1": "IIII",
    "ioe2": "IIEE",
    "iobes": "BIES",
    "bilou": "BILU",
    "io": "IIII",
}
"""What a scheme writes at the first, an inner, the last, and the only token of a chunk."""
_ALLOWED: dict[Tagging, str] = _LETTERS | {"iob1": "BI", "ioe1": "IE"}
_BEGINNINGS, _ENDS = "BSU", "ELSU"


class Chunk(NamedTuple):
    """Tokens `start` to `end` (exclusive) of one row that carry a label."""

    start: int
    end: int
    label: str


def read_tags(tags: Iterable[str], *, tagging: Tagging, flaws: Counter[str]) -> list[Chunk]:
    """The chunks of one row of tags, in order.

    A row that the scheme does not allow is read as conlleval reads it: what goes on with nothing begins, and what
    another tag breaks off ends there. Each such place is counted in `flaws`. Raises DataError on a tag that the scheme
    does not have.
    """
    begins, ends = _LETTERS[tagging][0] == "B", _LETTERS[tagging][2] in "EL"
    chunks: list[Chunk] = []
    start, label = 0, ""
    whole = True

    def close(end: int) -> None:
        nonlocal label
        if label:
            chunks.append(Chunk(start, end, label))
            flaws[NO_END] += ends and not whole
        label = ""

    place = -1
    for place, tag in enumerate(tags):
        prefix, kind = parse_tag(tag, tagging=tagging)
        if kind != label or prefix in _BEGINNINGS:
            close(place)
            if kind:
                start, label = place, kind
                flaws[NO_BEGINNING] += begins and prefix not in _BEGINNINGS
        whole = prefix in _ENDS
        if whole:
            close(place + 1)
    close(place + 1)
    return chunks


def parse_tag(tag: str, *, tagging: Tagging) -> tuple[str, str]:
    """Prefix and label of a tag, the label empty for `O`; raises DataError on a tag that the scheme does not have."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, label = tag.partition("-")
    if dash and label and prefix in set(_ALLOWED[tagging]):
        return prefix, label
    others = [other for other in TAGGINGS if dash and prefix in set(_ALLOWED[other])]
    if tagging == "io" and tag and not others:
        return "I", tag
    forms = ", ".join(f"{letter}-TYPE" for letter in dict.fromkeys(_ALLOWED[tagging]))
    also = f"; {prefix}-TYPE is a tag of {' and '.join(others)}" if others else ""
    raise DataError(f"found the tag {tag!r}", field="tag", cure=f"Tags of {tagging} are {forms} and {OUTSIDE}{also}")


def write_tags(chunks: Iterable[Chunk], *, length: int, tagging: Tagging) -> list[str]:
    """A row of `length` tags that `read_tags` reads as the same chunks, which must not overlap.

    Raises DataError where `io` would join two chunks into one.
    """
    first, inner, last, only = tuple(_LETTERS[tagging])
    tags = [OUTSIDE] * length
    ordered = sorted(chunks)
    for start, end, label in ordered:
        letters = [only] if end - start == 1 else [first, *[inner] * (end - start - 2), last]
        tags[start:end] = [f"{letter}-{label}" for letter in letters]
    for before, after in _touching(ordered):
        if tagging == "io":
            raise DataError(f"io cannot part two {after.label} spans side by side", cure="Write another scheme")
        if tagging == "iob1":
            tags[after.start] = f"B-{after.label}"
        if tagging == "ioe1":
            tags[before.end - 1] = f"E-{before.label}"
    return tags


def _touching(ordered: Sequence[Chunk]) -> Iterable[tuple[Chunk, Chunk]]:
    return ((a, b) for a, b in pairwise(ordered) if a.end == b.start and a.label == b.label)
