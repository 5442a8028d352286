"""The file in which a person decides disagreements: written for any editor, read strictly, never losing what was typed.

Each entry is kept as the lines that it stands in, so that comments and the person's own layout outlive a rewriting.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.files import read_text, toml_value, whole_file
from hoidam.gold.disagreements import BODY, Disagreement
from hoidam.gold.mistakes import raise_all
from hoidam.labels import LabelScheme

OPEN, ASIDE = "disagreements", "set_aside"
DECISIONS = ("first", "second", "none", "other")

_PREFACE = """\
# Where two annotators differ, in article and text order. Write into each `decision` one of
#   "first", "second"   the spans listed there are right; an empty list says that no span stands here
#   "none"              neither annotator's spans
#   "other"             something else: add a line  spans = ["CATEGORY: words", …]
#                       or  spans = ["words", …]  where the type has no categories
# Words are copied out of `context`. Where they stand there more than once, write the offset of the one that is meant
# before them, "@1043 words"; a long stretch is "its first words … its last words". `reason` is free text. The lines
# above `decision` say which disagreement it is: leave them as they are.
"""
_HEADER = re.compile(rf"\s*\[\[\s*({OPEN}|{ASIDE})\s*\]\]")
_IDENTITY = {"article": str, "type": str, "offset": int, "context": str, "first": list, "second": list}
_TYPED = {"decision": str, "reason": str, "spans": list}
_KINDS = {str: "a string", int: "a whole number", list: "a list of strings"}

Identity = tuple[str, ...]
"""What an entry shows of its disagreement: an entry belongs to the one that shows the same."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A disagreement and the spans that a person decided on; None as long as it is undecided."""

    disagreement: Disagreement
    spans: tuple[Span, ...] | None
    line: int
    """Where it stands in the file."""


@dataclass(frozen=True, slots=True)
class Update:
    """What `update_decisions` did: entries that stayed, came, or moved to the file's end, as nothing fits them."""

    kept: int
    added: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """One table of the file with its own lines and the number of the first."""

    kind: str
    table: Mapping[str, Any]
    lines: tuple[str, ...]
    number: int

    @property
    def identity(self) -> Identity:
        return tuple(toml_value(self.table[key]) for key in _IDENTITY)

    @property
    def place(self) -> str:
        return "{article}: {type} at {offset}".format_map(self.table)

    def line_of(self, key: str) -> int:
        """The line that sets a key, or the entry's first."""
        wanted = re.compile(rf"\s*{key}\s*=")
        return next((self.number + row for row, line in enumerate(self.lines) if wanted.match(line)), self.number)

    def moved(self, kind: str) -> str:
        """Its lines under another header."""
        header = next(row for row, line in enumerate(self.lines) if _HEADER.match(line))
        lines = list(self.lines)
        lines[header] = lines[header].replace(self.kind, kind, 1)
        return "\n".join(lines).strip("\n")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    preface: str = _PREFACE.strip()
    entries: Sequence[_Entry] = field(default_factory=tuple)

    def of(self, kind: str) -> list[_Entry]:
        return [entry for entry in self.entries if entry.kind == kind]


def update_decisions(path: Path, disagreements: Sequence[Disagreement]) -> Update:
    """Write the file, or bring it up to date: entries whose disagreement is as it was stay as a person left them.

    An entry that fits no disagreement moves to the end as `[[set_aside]]` where a person touched it, and comes back
    should its disagreement return; untouched, it goes. The file is not written where nothing changes.

    Raises DataError where the file cannot be read as entries; it is left alone then.
    """
    file = _read(path) if path.exists() else _File(path)
    known = {entry.identity: entry for entry in (*file.of(ASIDE), *file.of(OPEN))}
    wanted = [_identity(each) for each in disagreements]
    stays = [known[identity] for identity in wanted if identity in known]
    leaving = [entry for entry in file.entries if not any(entry is other for other in stays)]
    aside = [entry for entry in leaving if entry.kind == ASIDE or _touched(entry)]
    blocks = [
        known[identity].moved(OPEN) if identity in known else _render(each)
        for identity, each in zip(wanted, disagreements, strict=True)
    ]
    blocks += [entry.moved(ASIDE) for entry in aside]
    if not path.exists() or blocks != [entry.moved(entry.kind) for entry in file.entries]:
        with whole_file(path, force=True) as stream:
            stream.write("\n\n".join([file.preface, *blocks]) + "\n")
    return Update(kept=len(stays), added=len(wanted) - len(stays), set_aside=len(aside))


def read_decisions(path: Path, disagreements: Sequence[Disagreement], *, scheme: LabelScheme) -> list[Decision]:
    """The decision of each disagreement, in their order; entries that were set aside do not count.

    Raises MistakesError, a DataError, with everything wrong in the file: unknown decisions and keys, spans whose words
    are not found, entries for no disagreement, disagreements without an entry or with two.
    """
    if not path.exists():
        raise DataError("no such file", path=path, cure="Run without --output first: that writes it")
    file = _read(path)
    entries = {entry.identity: entry for entry in file.of(OPEN)}
    mistakes = [*_doubled(file), *_not_fitting(file, disagreements)]
    decisions = []
    for each in disagreements:
        entry = entries.get(_identity(each))
        if entry is not None:
            try:
                decisions.append(Decision(each, _decided(entry, each, scheme), entry.line_of("decision")))
            except DataError as error:
                mistakes.append(error.at(path))
    raise_all(mistakes)
    return decisions


def _doubled(file: _File) -> Iterator[DataError]:
    times = Counter(entry.identity for entry in file.of(OPEN))
    for entry in file.of(OPEN):
        if times[entry.identity] > 1:
            yield DataError(
                "stands in the file twice", path=file.path, line=entry.number, field=entry.place, cure="Remove one"
            )


def _not_fitting(file: _File, disagreements: Sequence[Disagreement]) -> Iterator[DataError]:
    wanted = {_identity(each): each for each in disagreements}
    found = {entry.identity for entry in file.of(OPEN)}
    cure = "Run without --output: that brings the file up to date and keeps what was typed"
    for entry in file.of(OPEN):
        if entry.identity not in wanted:
            problem = "no such disagreement: an annotation has changed since, or the entry has"
            yield DataError(problem, path=file.path, line=entry.number, field=entry.place, cure=cure)
    for identity, each in wanted.items():
        if identity not in found:
            yield DataError("a disagreement that the file lacks", path=file.path, field=each.place, cure=cure)


def _decided(entry: _Entry, disagreement: Disagreement, scheme: LabelScheme) -> tuple[Span, ...] | None:
    decision, shown = entry.table["decision"], entry.table.get("spans", [])

    def wrong(key: str, problem: str, cure: str) -> DataError:
        return DataError(problem, line=entry.line_of(key), field=disagreement.place, cure=cure)

    if decision not in ("", *DECISIONS):
        raise wrong("decision", f"decision is {decision!r}", f"Give one of {', '.join(DECISIONS)}")
    if shown and decision != "other":
        raise wrong("spans", f"spans, but decision is {decision!r}", 'Write decision = "other", or take the spans out')
    if decision == "other" and not shown:
        raise wrong("decision", "no spans", 'Add spans = ["…"], or write "none"')
    if disagreement.type == BODY and (decision == "none" or len(shown) > 1):
        raise wrong("decision", "an article has one body", "Give one stretch")
    sides = {"": None, "none": (), "first": disagreement.first, "second": disagreement.second}
    try:
        return sides[decision] if decision in sides else tuple(disagreement.read(each, scheme=scheme) for each in shown)
    except DataError as error:
        raise wrong("spans", error.problem, error.cure) from None


def _identity(disagreement: Disagreement) -> Identity:
    return tuple(toml_value(value) for value in _shown(disagreement).values())


def _shown(disagreement: Disagreement) -> dict[str, Any]:
    return {
        "article": disagreement.article.id,
        "type": disagreement.type,
        "offset": disagreement.start,
        "context": disagreement.context,
        "first": [disagreement.show(span) for span in disagreement.first],
        "second": [disagreement.show(span) for span in disagreement.second],
    }


def _render(disagreement: Disagreement) -> str:
    return _block({**_shown(disagreement), "decision": "", "reason": ""})


def _block(table: Mapping[str, Any]) -> str:
    return "\n".join([f"[[{OPEN}]]", *(f"{key} = {toml_value(value)}" for key, value in table.items())])


def _touched(entry: _Entry) -> bool:
    """Whether an entry is anything but what `_render` made of its disagreement."""
    return entry.moved(OPEN) != _block({**entry.table, "decision": "", "reason": ""})


def _read(path: Path) -> _File:
    text = read_text(path).removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"not TOML ({error})", path=path, cure="Mend that place: the file is left as it is") from None
    preface, *blocks = _divided(text.split("\n"))
    entries = [_entry(lines, number, path) for number, lines in blocks]
    as_read = {kind: [entry.table for entry in entries if entry.kind == kind] for kind in (OPEN, ASIDE)}
    if as_read != {OPEN: [], ASIDE: []} | data:
        cure = f"Begin each with a line [[{OPEN}]]; nothing else stands at the top, and no such line within a string"
        raise DataError("its entries cannot be told apart", path=path, cure=cure)
    raise_all([mistake.at(path, entry.number) for entry in entries for mistake in _mistakes(entry)])
    return _File(path, "\n".join(preface[1]).strip(), entries)


def _divided(lines: Sequence[str]) -> list[tuple[int, tuple[str, ...]]]:
    """What stands before the first entry, then each entry, with the number of its first line."""
    starts = [0, *(_with_comment(lines, row) for row, line in enumerate(lines) if _HEADER.match(line))]
    ends = [*starts[1:], len(lines)]
    return [(start + 1, tuple(lines[start:end])) for start, end in zip(starts, ends, strict=True)]


def _with_comment(lines: Sequence[str], row: int) -> int:
    """The first row of the comment that stands directly above a row, or the row itself."""
    while row and lines[row - 1].lstrip().startswith("#"):
        row -= 1
    return row


def _entry(lines: tuple[str, ...], number: int, path: Path) -> _Entry:
    kind = next(match[1] for match in map(_HEADER.match, lines) if match)
    try:
        table = tomllib.loads("\n".join(lines))[kind][0]
    except tomllib.TOMLDecodeError:
        cure = f"Let no line within a string begin with [[{kind}]]"
        raise DataError("an entry that cannot be told apart", path=path, line=number, cure=cure) from None
    return _Entry(kind, table, lines, number)


def _mistakes(entry: _Entry) -> Iterator[DataError]:
    known: dict[str, type] = _IDENTITY | _TYPED
    for key in entry.table:
        if key not in known:
            yield DataError("unknown key", line=entry.line_of(key), field=key, cure=f"Known keys: {', '.join(known)}")
    for key, kind in known.items():
        value = entry.table.get(key, [] if key == "spans" else None)
        strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if type(value) is not kind or not strings:
            problem = f"found {value!r}" if key in entry.table else "missing"
            yield DataError(problem, line=entry.line_of(key), field=key, cure=f"Give {_KINDS[kind]}")
