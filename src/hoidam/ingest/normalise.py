"""The text that an encoder reads, with a map back to the code points of the input.

Spelling variants that mean the same (decomposed letters, `ǎ` for `ă`, `hoà` for `hòa`, no-break spaces, zero-width
characters, CRLF) become one form. Only composing and removing change lengths: those places are kept as edits, and all
offsets between two edits differ by a constant.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hoidam.errors import AlignmentError

# Removed: soft hyphen, joiners, direction marks, invisible operators, variation selectors, byte-order mark.
_INVISIBLE = "\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
_REPLACED = (
    dict.fromkeys("\t\x1c\x1d\x1e\x1f\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))), " ")
    | dict.fromkeys("\r\x0b\x0c\x85\u2028\u2029", "\n")
    | {"ǎ": "ă", "Ǎ": "Ă", "Ð": "Đ", "Ɖ": "Đ", "ð": "đ", "ɖ": "đ"}
)
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_SHAPES = {"a": "\u0302\u0306", "e": "\u0302", "o": "\u0302"}
_CARON, _BREVE = "\u030c", "\u0306"


def _tone_moves() -> dict[str, str]:
    """Every open `oa`, `oe`, `uy` with the tone on its second letter, to the same with the tone on the first."""
    cases = (str.lower, str.upper)
    pairs = [(f(first), g(second)) for first, second in ("oa", "oe", "uy") for f in cases for g in cases]
    return {
        unicodedata.normalize("NFC", first + second + tone): unicodedata.normalize("NFC", first + tone + second)
        for first, second in pairs
        for tone in _TONES
    }


_TONE_MOVES = _tone_moves()
_Y_TONED = "ỳýỹỷỵỲÝỸỶỴ"
_OPEN_SYLLABLE = re.compile(
    rf"(?:[oO][àáãảạèéẽẻẹÀÁÃẢẠÈÉẼẺẸ]|[uU](?<![qQ].)[{_Y_TONED}])(?![^\W\d_]|[\u0300-\u036f])", re.DOTALL
)
_REMOVED = re.compile(f"[{_INVISIBLE}]+")
_IS_REPLACED = re.compile(f"[{''.join(map(re.escape, _REPLACED))}]")
_NEEDS_EDITS = re.compile(f"\r\n|[\u0300-\u036f{_INVISIBLE}]")
_CHUNK = re.compile("\r\n|[^ \r\n]+")
_VIETNAMESE_CLUSTER = re.compile("([aeoAEO])([\u0300-\u036f]+)")

Edit = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Normalised:
    """Normalised text and the way back, both in code points, end exclusive.

    The four columns hold where each edit lies in the input and in `text`; between two edits all is shifted alike.
    """

    text: str
    input_length: int
    in_starts: Sequence[int] = ()
    in_ends: Sequence[int] = ()
    out_starts: Sequence[int] = ()
    out_ends: Sequence[int] = ()

    def to_input(self, start: int, end: int) -> tuple[int, int]:
        """The shortest stretch of the input that `text[start:end]` came from, never empty.

        Raises AlignmentError unless 0 <= start < end <= len(text).
        """
        _check(start, end, len(self.text), what="normalised text")
        return _project(start, end, (self.out_starts, self.out_ends), (self.in_starts, self.in_ends))

    def from_input(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of `text` that `input[start:end]` became; empty where all of that was removed.

        Raises AlignmentError unless 0 <= start < end <= length of the input.
        """
        _check(start, end, self.input_length, what="input")
        return _project(start, end, (self.in_starts, self.in_ends), (self.out_starts, self.out_ends))


Side = tuple[Sequence[int], Sequence[int]]


def _check(start: int, end: int, length: int, *, what: str) -> None:
    if not 0 <= start < end <= length:
        raise AlignmentError(f"offsets {start} to {end} of the {what}: need 0 <= start < end <= {length}")


def _project(start: int, end: int, here: Side, there: Side) -> tuple[int, int]:
    return _project_character(start, here, there)[0], _project_character(end - 1, here, there)[1]


def _project_character(position: int, here: Side, there: Side) -> tuple[int, int]:
    (starts, ends), (other_starts, other_ends) = here, there
    edit = bisect_right(ends, position)
    if edit < len(starts) and starts[edit] <= position:
        return other_starts[edit], other_ends[edit]
    moved = position + (other_ends[edit - 1] - ends[edit - 1] if edit else 0)
    return moved, moved + 1


def normalise(text: str) -> Normalised:
    """Bring text to the form that encoders are trained on; idempotent.

    Composes to NFC, also where a tone mark stands before a circumflex or breve; writes `ă` and `đ` for look-alikes;
    puts the tone of open `oa oe uy` on the first letter (`hoà` to `hòa`; not `quý`, not `hoàng`); makes all spaces
    plain and all line ends `\\n`; removes invisible characters. Quotes and dashes stay.
    """
    if _NEEDS_EDITS.search(text) or not unicodedata.is_normalized("NFC", text):
        return _assemble(text, _edits(text))
    return Normalised(_replace(text), len(text))


def store_form(text: str) -> str:
    """The text as article files hold it: NFC and `\\n` line ends, nothing else changed."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _replace(text: str) -> str:
    """The changes that keep every code point in its place."""
    if _IS_REPLACED.search(text):
        text = _IS_REPLACED.sub(lambda match: _REPLACED[match[0]], text)
    return _OPEN_SYLLABLE.sub(lambda match: _TONE_MOVES[match[0]], text)


def _assemble(text: str, edits: Iterable[Edit]) -> Normalised:
    pieces: list[str] = []
    columns: tuple[list[int], ...] = ([], [], [], [])
    read = written = 0
    for start, end, new in edits:
        written += start - read
        for column, value in zip(columns, (start, end, written, written + len(new)), strict=True):
            column.append(value)
        pieces += (text[read:start], new)
        read, written = end, written + len(new)
    pieces.append(text[read:])
    return Normalised(_replace("".join(pieces)), len(text), *map(tuple, columns))


def _edits(text: str) -> Iterator[Edit]:
    """Every place whose length or composition changes, in text order."""
    known: dict[str, tuple[Edit, ...]] = {}
    for match in _CHUNK.finditer(text):
        chunk = match[0]
        if chunk == "\r\n":
            yield match.start(), match.end(), "\n"
        elif not chunk.isascii():
            if chunk not in known:
                known[chunk] = tuple(_chunk_edits(chunk))
            for start, end, new in known[chunk]:
                yield match.start() + start, match.start() + end, new


def _chunk_edits(chunk: str) -> Iterator[Edit]:
    if unicodedata.is_normalized("NFC", chunk) and not _NEEDS_EDITS.search(chunk):
        return
    for start, end in _clusters(chunk):
        cluster = chunk[start:end]
        new = _compose(cluster)
        if new != cluster:
            yield start, end, new


def _clusters(chunk: str) -> Iterator[tuple[int, int]]:
    """Cut into what composes independently: a character with all that joins it, or a run of invisible characters.

    Invisible characters inside a cluster belong to it; those before and after it do not.
    """
    position = 0
    while position < len(chunk):
        removed = _REMOVED.match(chunk, position)
        if removed:
            yield removed.span()
            position = removed.end()
            continue
        end = probe = position + 1
        while probe < len(chunk):
            if _joins_before(chunk[probe]):
                end = probe + 1
            elif not _REMOVED.match(chunk[probe]):
                break
            probe += 1
        yield position, end
        position = end


def _joins_before(character: str) -> bool:
    """Whether NFC may compose or reorder it with what stands before: marks, and Korean vowels and finals."""
    if character < "\u0300" or _REMOVED.match(character):
        return False
    return (
        unicodedata.category(character)[0] == "M"
        or unicodedata.combining(character) != 0
        or "\u1160" <= character <= "\u11ff"
    )


def _compose(cluster: str) -> str:
    apart = unicodedata.normalize("NFD", _REMOVED.sub("", cluster))
    return unicodedata.normalize("NFC", _VIETNAMESE_CLUSTER.sub(_shape_before_tone, apart))


def _shape_before_tone(match: re.Match[str]) -> str:
    """Put circumflex or breve before the tone, since NFC composes marks of one class only in written order."""
    base, marks = match[1], match[2]
    if base in "aA":
        marks = marks.replace(_CARON, _BREVE)
    shapes = _SHAPES[base.lower()]
    return base + "".join(sorted(marks, key=lambda mark: (unicodedata.combining(mark), mark not in shapes)))
