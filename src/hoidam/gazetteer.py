"""Places as facts: administrative units of both eras, border gates and what else articles name, and how to look one up.

A gazetteer is a folder of CSV files, one fact a row: `places.csv`, `aliases.csv`, `unit-words.csv`, `crossings.csv` and
`person-names.csv`. Looking up is exact: spellings that mean the same are folded, nothing is guessed.
"""

import csv
import datetime
import io
import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from hoidam.errors import DataError
from hoidam.files import read_text

UNIT_LEVELS = ("country", "province", "prefecture", "district", "commune", "village")
"""Levels of administration, from the widest; a place's parent is wider than the place."""
FEATURE_LEVELS = (
    *("region", "zone", "reserve", "water", "mountain", "island"),
    *("gate", "bridge", "station", "port", "market", "plant"),
)
"""Levels of what is no unit; one that lies in several units, such as a river, has no parent."""
CROSSING_KINDS = ("quốc tế", "chính", "phụ", "lối mở", "đường sắt")
NAME_KINDS = ("surname", "middle", "given")
SEXES = ("", "f", "m")

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_APOSTROPHES = "'’ʼ`"
_SYLLABLE = re.compile(rf"(?:[^\W_]|[\u0300-\u036f{_APOSTROPHES}])+")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Place:
    """One unit or feature; its name is without the unit word, `border` is whether it touches Vietnam's land border.

    `romanised` is pinyin as maps have it (ASCII, ü apart), or the usual Latin spelling of a Lao or Khmer name. A date
    that is None is open: `valid_to` is the last day, `successors` are the units that took it in.
    """

    id: str
    level: str
    unit: str
    name: str
    parent: str = ""
    native: str = ""
    romanised: str = ""
    border: bool = False
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None
    successors: tuple[str, ...] = ()

    def valid_on(self, date: datetime.date) -> bool:
        return (self.valid_from is None or self.valid_from <= date) and (self.valid_to is None or date <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Alias:
    """Another spelling of a place's name, without the unit word."""

    place: str
    alias: str


@dataclass(frozen=True, slots=True)
class UnitWord:
    """A word or an abbreviation before a name, the unit that it stands for, and the levels that have such units."""

    word: str
    unit: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A gate on the Vietnamese side, the gate across from it where that is known, and the kind of crossing."""

    gate: str
    opposite: str
    kind: str


@dataclass(frozen=True, slots=True)
class PersonName:
    """A part of personal names as Vietnamese papers spell it; `language` is that of the people who bear it."""

    name: str
    kind: str
    language: str
    sex: str = ""
    native: str = ""


@dataclass(frozen=True)
class Gazetteer:
    """All that a folder holds; places by id, in file order."""

    places: Mapping[str, Place]
    aliases: tuple[Alias, ...] = ()
    unit_words: tuple[UnitWord, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    person_names: tuple[PersonName, ...] = ()

    def find(self, surface: str, *, date: datetime.date | None = None) -> tuple[Place, ...]:
        """The places that a mention may mean, valid on `date` where it is given; empty where none is known.

        A unit word before the name narrows: `huyện Điện Biên` is no province. Where no place of that name has that very
        unit, every place of a level that has such units is meant: `thị xã Tịnh Biên` also for a former district.
        """
        parts = syllables(surface)
        found = dict(self._named.get("".join(parts), {}))
        for length in range(1, len(parts)):
            if word := self._words.get(parts[:length]):
                found |= dict.fromkeys(_of_unit(self._named.get("".join(parts[length:]), ()), word))
        return tuple(place for place in found if date is None or place.valid_on(date))

    def lineage(self, place: Place) -> frozenset[str]:
        """Ids of the place, of what it lies in, and of what succeeded any of these."""
        found: set[str] = set()
        waiting = [place.id]
        while waiting:
            key = waiting.pop()
            if key and key not in found:
                found.add(key)
                waiting += [self.places[key].parent, *self.places[key].successors]
        return frozenset(found)

    def units_of(self, surface: str, *, date: datetime.date | None = None) -> frozenset[str]:
        """Ids of the units in which a mention lies whichever of its candidates it means.

        A mention that nothing valid on `date` answers to is looked up once more without it: articles name former units.
        """
        candidates = self.find(surface, date=date) or self.find(surface)
        return frozenset.intersection(*map(self.lineage, candidates)) if candidates else frozenset()

    @cached_property
    def _named(self) -> Mapping[str, Mapping[Place, None]]:
        """The places of each name, by its syllables in one piece."""
        named: dict[str, dict[Place, None]] = {}
        for name, place in self._surfaces():
            named.setdefault("".join(syllables(name)), {})[place] = None
        return named

    @cached_property
    def _words(self) -> Mapping[tuple[str, ...], UnitWord]:
        return {syllables(word.word): word for word in self.unit_words}

    def _surfaces(self) -> Iterator[tuple[str, Place]]:
        for place in self.places.values():
            yield place.name, place
            if place.romanised:
                yield place.romanised, place
        for alias in self.aliases:
            yield alias.alias, self.places[alias.place]


def syllables(surface: str) -> tuple[str, ...]:
    """A surface's syllables in the form in which names are compared.

    Case, composition, the place of a tone mark in its syllable (`hoà`, `hòa`), apostrophes, hyphens and other
    punctuation make no difference; diacritics do.
    """
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFC", surface).casefold())
    return tuple(filter(None, map(_tone_last, _SYLLABLE.findall(apart))))


def _tone_last(syllable: str) -> str:
    letters = [letter for letter in syllable if letter not in _APOSTROPHES]
    return "".join(sorted(letters, key=_TONES.__contains__))


def _of_unit(places: Iterable[Place], word: UnitWord) -> list[Place]:
    candidates = [place for place in places if place.level in word.levels]
    return [place for place in candidates if place.unit == word.unit] or candidates


def read_gazetteer(folder: Path) -> Gazetteer:
    """Read the five files of a gazetteer.

    Raises DataError with file and line where a file is missing or no CSV of the right columns, text is not NFC or has
    spaces around it, a row comes twice, a level, unit, kind or date is unknown, a date is reversed, or a place that is
    referred to is missing, narrower than what it holds, or gone before it succeeds.
    """
    words = _read(folder / "unit-words.csv", _UNIT_WORD_FORM)
    places = _read(folder / "places.csv", _PLACE_FORM)
    by_id = {place.id: place for place in places.values()}
    units = {(word.unit, level) for word in words.values() for level in word.levels}
    _check(folder / "places.csv", places, lambda place: _check_place(place, by_id, units))
    aliases = _read(folder / "aliases.csv", _ALIAS_FORM)
    _check(folder / "aliases.csv", aliases, lambda alias: _check_alias(alias, by_id))
    crossings = _read(folder / "crossings.csv", _CROSSING_FORM)
    _check(folder / "crossings.csv", crossings, lambda crossing: _check_crossing(crossing, by_id))
    names = _read(folder / "person-names.csv", _PERSON_NAME_FORM)
    return Gazetteer(
        places=by_id,
        aliases=tuple(aliases.values()),
        unit_words=tuple(words.values()),
        crossings=tuple(crossings.values()),
        person_names=tuple(names.values()),
    )


@dataclass(frozen=True)
class _Form(Generic[Row]):
    """How a file is read: its header, which columns may be empty, a row's object, and what no two of these share."""

    columns: tuple[str, ...]
    build: Callable[[Mapping[str, str]], Row]
    key: Callable[[Row], Hashable]
    optional: tuple[str, ...] = ()


def _read(path: Path, form: _Form[Row]) -> dict[int, Row]:
    """The rows of a file by line number from 1."""
    found: dict[int, Row] = {}
    lines: dict[Hashable, int] = {}
    for line, cells in _rows(path, form.columns):
        try:
            _check_cells(cells, optional=form.optional)
            found[line] = form.build(cells)
            first = lines.setdefault(form.key(found[line]), line)
            if first != line:
                problem = f"{cells[form.columns[0]]!r} stands on line {first} already"
                raise DataError(problem, field=form.columns[0], cure="Keep one of the two rows")
        except DataError as error:
            raise error.at(path, line) from None
    return found


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    try:
        header = next(reader, [])
        if tuple(header) != columns:
            cure = f"The first line is {','.join(columns)}"
            raise DataError(f"found the columns {','.join(header) or '(none)'}", path=path, line=1, cure=cure)
        for cells in reader:
            if len(cells) != len(columns):
                problem = f"{len(cells)} cells, the header has {len(columns)}"
                raise DataError(problem, path=path, line=reader.line_num, cure="Quote a cell that holds a comma")
            yield reader.line_num, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"no CSV ({error})", path=path, line=reader.line_num, cure="Close what is quoted") from None


def _check_cells(row: Mapping[str, str], *, optional: tuple[str, ...]) -> None:
    for name, cell in row.items():
        if not cell and name not in optional:
            raise DataError("is empty", field=name, cure="Only what is optional may be left empty")
        if not unicodedata.is_normalized("NFC", cell):
            raise DataError(f"{cell!r} is not NFC", field=name, cure="Store composed letters")
        if cell != " ".join(cell.split()):
            raise DataError(f"{cell!r} has spaces to no purpose", field=name, cure="Take them away")


def _check(path: Path, rows: Mapping[int, Row], check: Callable[[Row], None]) -> None:
    for line, row in rows.items():
        try:
            check(row)
        except DataError as error:
            raise error.at(path, line) from None


def _place(row: Mapping[str, str]) -> Place:
    _choice(row, "level", (*UNIT_LEVELS, *FEATURE_LEVELS))
    _choice(row, "border", ("", "yes"))
    place = Place(
        **{name: row[name] for name in ("id", "level", "unit", "name", "parent", "native", "romanised")},
        border=row["border"] == "yes",
        valid_from=_date(row, "valid_from"),
        valid_to=_date(row, "valid_to"),
        successors=tuple(row["successors"].split()),
    )
    if place.valid_from and place.valid_to and place.valid_to < place.valid_from:
        raise DataError(f"{place.valid_to} is before {place.valid_from}", field="valid_to", cure="Exchange the dates")
    if place.successors and not place.valid_to:
        raise DataError("a place with successors has no last day", field="valid_to", cure="Give the date of its end")
    return place


def _unit_word(row: Mapping[str, str]) -> UnitWord:
    levels = tuple(row["levels"].split())
    for level in levels:
        _choice({"levels": level}, "levels", (*UNIT_LEVELS, *FEATURE_LEVELS))
    return UnitWord(row["word"], row["unit"], levels)


def _crossing(row: Mapping[str, str]) -> Crossing:
    _choice(row, "kind", CROSSING_KINDS)
    return Crossing(**row)


def _person_name(row: Mapping[str, str]) -> PersonName:
    _choice(row, "kind", NAME_KINDS)
    _choice(row, "sex", SEXES)
    return PersonName(**row)


_PLACE_FORM = _Form(
    ("id", "level", "unit", "name", "parent", "native", "romanised", "border", "valid_from", "valid_to", "successors"),
    build=_place,
    key=lambda place: place.id,
    optional=("parent", "native", "romanised", "border", "valid_from", "valid_to", "successors"),
)
_ALIAS_FORM = _Form(
    ("place", "alias"),
    build=lambda row: Alias(**row),
    key=lambda alias: (alias.place, "".join(syllables(alias.alias))),
)
_UNIT_WORD_FORM = _Form(("word", "unit", "levels"), build=_unit_word, key=lambda word: syllables(word.word))
_CROSSING_FORM = _Form(
    ("gate", "opposite", "kind"),
    build=_crossing,
    key=lambda crossing: (crossing.gate, crossing.opposite),
    optional=("opposite",),
)
_PERSON_NAME_FORM = _Form(
    ("name", "kind", "language", "sex", "native"),
    build=_person_name,
    key=lambda name: (name.name, name.kind, name.language, name.native),
    optional=("sex", "native"),
)


def _choice(row: Mapping[str, str], name: str, allowed: Iterable[str]) -> None:
    if row[name] not in allowed:
        raise DataError(f"unknown {row[name]!r}", field=name, cure=f"One of: {', '.join(filter(None, allowed))}")


def _date(row: Mapping[str, str], name: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(row[name]) if row[name] else None
    except ValueError:
        raise DataError(f"{row[name]!r} is no date", field=name, cure="Write 2025-06-30, or leave it empty") from None


def _check_place(place: Place, places: Mapping[str, Place], units: Set[tuple[str, str]]) -> None:
    if (place.unit, place.level) not in units:
        problem = f"{place.unit!r} is no unit of a {place.level}"
        raise DataError(problem, field="unit", cure="Correct it, or add the word to unit-words.csv")
    _check_parent(place, places)
    for key in place.successors:
        successor = _known(key, places, field="successors")
        if place.valid_to and successor.valid_to and successor.valid_to <= place.valid_to:
            problem = f"{key} ended on {successor.valid_to}, no later than what it succeeds"
            raise DataError(problem, field="successors", cure="Name the units that went on")


def _check_parent(place: Place, places: Mapping[str, Place]) -> None:
    """Units lie in wider units, so no chain of parents comes back to where it began."""
    if not place.parent:
        if place.level in UNIT_LEVELS[1:]:
            raise DataError("is empty", field="parent", cure=f"Name the unit in which this {place.level} lies")
        return
    parent = _known(place.parent, places, field="parent")
    wider = UNIT_LEVELS[: UNIT_LEVELS.index(place.level)] if place.level in UNIT_LEVELS else UNIT_LEVELS
    if parent.level not in wider:
        problem = f"a {parent.level}, {parent.id}, cannot hold a {place.level}"
        raise DataError(problem, field="parent", cure=f"From wide to narrow: {', '.join(UNIT_LEVELS)}")


def _check_alias(alias: Alias, places: Mapping[str, Place]) -> None:
    place = _known(alias.place, places, field="place")
    if "".join(syllables(alias.alias)) in {"".join(syllables(name)) for name in (place.name, place.romanised)}:
        problem = f"{alias.alias!r} finds {place.id} already"
        raise DataError(problem, field="alias", cure="Leave the row out: case, hyphens and spaces make no difference")


def _check_crossing(crossing: Crossing, places: Mapping[str, Place]) -> None:
    for field_name, key in (("gate", crossing.gate), ("opposite", crossing.opposite)):
        if key and _known(key, places, field=field_name).level != "gate":
            raise DataError(f"{key} is a {places[key].level}", field=field_name, cure="Name a place of level gate")


def _known(key: str, places: Mapping[str, Place], *, field: str) -> Place:
    if key not in places:
        raise DataError(f"no place {key!r}", field=field, cure="Use an id of places.csv, or add the place there")
    return places[key]
