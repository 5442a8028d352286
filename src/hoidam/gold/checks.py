"""What a corpus asks of its annotation beyond the file format: language rules by span type, read from a TOML file."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hoidam.errors import DataError
from hoidam.files import read_toml
from hoidam.gold.mistakes import raise_all
from hoidam.gold.shingles import NEAR_DUPLICATE, SHINGLE_WORDS
from hoidam.labels import LabelScheme

_WORDS = r"[^,.;:!?()\"“”\n]+?"
_HOLE = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Context:
    """Words around a string that make it right to leave it untagged: `tiếng {}`, `Bộ … {country}`.

    `{}` stands for the string, `{name}` for one of the phrases listed under that name, ` … ` for any words, or none,
    without punctuation between them.
    """

    before: re.Pattern[str]
    after: re.Pattern[str]
    only: frozenset[str] | None = None

    def fits(self, text: str, start: int, end: int) -> bool:
        """Whether `text[start:end]` stands in this context, within its line."""
        if self.only is not None and text[start:end].casefold() not in self.only:
            return False
        line = text.rfind("\n", 0, start) + 1
        return bool(self.before.search(text[line:start]) and self.after.match(text, end))


@dataclass(frozen=True, slots=True)
class TypeChecks:
    """Rules for the spans of one type; as built, none but those that hold for every type."""

    never_starts_with: tuple[str, ...] = ()
    """Words before a span that do not belong to it; matched in any case, where more words follow them."""
    may_start_with: tuple[str, ...] = ()
    """Longer phrases that begin with such words and are right."""
    never_ends_with: tuple[str, ...] = ()
    """Words behind a span that do not belong to it; matched in any case, where other words stand before them."""
    never_contains: tuple[str, ...] = ()
    """Words that a span does not hold; matched as they are written."""
    comma_names: tuple[str, ...] | None = None
    """Names that hold a comma, matched without accents; other commas are wrong. None where commas are right."""
    needs_capital: bool = False
    """Whether a span must hold a capital letter or a digit."""
    whole_names: bool = False
    """Whether a capitalised word beside a span belongs to it."""
    beside_names: tuple[str, ...] = ()
    """Capitalised words that stand before a name and do not belong to it."""
    max_words: int | None = None
    nests_in: tuple[str, ...] | None = None
    """Types whose spans this type may lie in; None where nesting is not checked."""
    takes_before: tuple[str, ...] = ()
    """Unit words that belong to the span where they stand directly before it."""
    leaves_before: tuple[str, ...] = ()
    """Phrases before a span that end in such a unit word and stay outside; `{}` stands for any unit word."""
    takes_after: tuple[str, ...] = ()
    """Types whose span belongs to this one where it stands directly behind it."""
    expected_after: tuple[str, ...] = ()
    """Types behind whose span, with a comma or without, an untagged capitalised word is probably of this type."""
    expected_before: tuple[str, ...] = ()
    """Types before whose span two untagged capitalised words in a row are probably of this type."""
    needs: tuple[str, ...] = ()
    """Types of which an article with this type must have a span."""
    tag_repeats: bool = False
    """Whether a string tagged once in an article is tagged wherever it stands in its body."""
    tag_everywhere: int | None = None
    """In how many other articles a string must be tagged for its untagged occurrence to be wrong."""
    repeat_words: int = 1
    """Words that a string must have for the two rules above."""
    untagged_in: tuple[Context, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One finding that is known to be right as it stands: its article, rule and snippet, and why."""

    article: str
    rule: str
    snippet: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checks:
    """Everything that `check` asks; as built, what holds for every corpus."""

    near_duplicate: float = NEAR_DUPLICATE
    shingle_words: int = SHINGLE_WORDS
    sentence_words: int = 8
    types: Mapping[str, TypeChecks] = field(default_factory=dict)
    meta_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that a key of an article's meta may have."""
    meta_with_categories: Mapping[str, str] = field(default_factory=dict)
    """What a key of meta says of an article with categories."""
    meta_without_categories: Mapping[str, str] = field(default_factory=dict)
    exceptions: tuple[Listed, ...] = ()

    def of(self, name: str) -> TypeChecks:
        """The rules of one type, those that hold for every type where none are given."""
        return self.types.get(name, _NONE)


_NONE = TypeChecks()


def read_checks(path: Path, *, scheme: LabelScheme) -> Checks:
    """Read a checks.toml; raises MistakesError, a DataError, with every unknown key and wrong value in it."""
    reader = _Reader(scheme=scheme, path=path)
    checks = reader.checks(read_toml(path))
    raise_all(reader.mistakes)
    return checks


@dataclass(slots=True)
class _Reader:
    """Reads plain data; what is wrong goes to `mistakes`, and reading goes on with a default."""

    scheme: LabelScheme
    path: Path
    mistakes: list[DataError] = field(default_factory=list)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def wrong(self, key: str, problem: str, cure: str) -> None:
        self.mistakes.append(DataError(problem, path=self.path, field=key, cure=cure))

    def checks(self, data: Mapping[str, Any]) -> Checks:
        self.names = dict(self.entries(data, "names", self.phrases))
        readers: dict[str, Callable[[str, Any], Any]] = {
            "names": self.phrases,
            "near_duplicate": self.share,
            "shingle_words": self.count,
            "sentence_words": self.count,
            "types": self.type_checks,
            "meta_values": self.phrases,
            "meta_with_categories": self.phrase,
            "meta_without_categories": self.phrase,
            "exceptions": self.exceptions,
        }
        tables = ("types", "meta_values", "meta_with_categories", "meta_without_categories")
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in readers:
                self.wrong(key, "unknown key", f"Known keys: {', '.join(readers)}")
            elif key in tables:
                values[key] = dict(self.entries(data, key, readers[key]))
            elif key != "names":
                values[key] = readers[key](key, value)
        return Checks(**values)

    def entries(self, data: Mapping[str, Any], key: str, read: Callable[[str, Any], Any]) -> Iterator[tuple[str, Any]]:
        table = data.get(key, {})
        if not isinstance(table, Mapping):
            self.wrong(key, f"found {table!r}", f"Give a table [{key}]")
            return
        for name, value in table.items():
            yield name, read(f"{key}.{name}", value)

    def type_checks(self, key: str, table: Any) -> TypeChecks:
        name = key.removeprefix("types.")
        if name not in self.scheme.type_names:
            self.wrong(key, "unknown type", f"Types of this scheme: {', '.join(self.scheme.type_names)}")
        if not isinstance(table, Mapping):
            self.wrong(key, f"found {table!r}", f"Give a table [{key}]")
            return _NONE
        known = {known.name for known in fields(TypeChecks)}
        values: dict[str, Any] = {}
        for setting, value in table.items():
            if setting in known:
                values[setting] = self.setting(f"{key}.{setting}", value, setting)
            else:
                self.wrong(f"{key}.{setting}", "unknown key", f"Known keys: {', '.join(sorted(known))}")
        return TypeChecks(**values)

    def setting(self, key: str, value: Any, setting: str) -> Any:
        if setting in ("needs_capital", "whole_names", "tag_repeats"):
            return self.flag(key, value)
        if setting in ("max_words", "tag_everywhere", "repeat_words"):
            return self.count(key, value)
        if setting in ("nests_in", "takes_after", "expected_after", "expected_before", "needs"):
            return self.type_list(key, value)
        if setting == "untagged_in":
            return tuple(found for phrase in self.phrases(key, value) for found in self.context(key, phrase))
        return self.phrases(key, value)

    def phrases(self, key: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(phrase, str) and phrase.strip() for phrase in value):
            return tuple(value)
        self.wrong(key, f"found {value!r}", "Give a list of phrases")
        return ()

    def phrase(self, key: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        self.wrong(key, f"found {value!r}", "Give a string")
        return ""

    def type_list(self, key: str, value: Any) -> tuple[str, ...]:
        found = self.phrases(key, value)
        for name in set(found) - set(self.scheme.type_names):
            self.wrong(key, f"unknown type {name!r}", f"Types of this scheme: {', '.join(self.scheme.type_names)}")
        return found

    def flag(self, key: str, value: Any) -> bool:
        if not isinstance(value, bool):
            self.wrong(key, f"found {value!r}", "Give true or false")
        return value is True

    def count(self, key: str, value: Any) -> int:
        if type(value) is int and value > 0:
            return value
        self.wrong(key, f"found {value!r}", "Give a whole number above 0")
        return 1

    def share(self, key: str, value: Any) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
            return float(value)
        self.wrong(key, f"found {value!r}", "Give a share above 0 and up to 1")
        return 1.0

    def context(self, key: str, phrase: str) -> Iterator[Context]:
        holes = _HOLE.findall(phrase)
        if len(holes) != 1 or (holes[0] and holes[0] not in self.names):
            named = ", ".join(f"{{{name}}}" for name in ("", *self.names))
            self.wrong(key, f"found {phrase!r}", f"Put one of {named} where the string stands")
            return
        before, after = (_with_gaps(part) for part in phrase.split(f"{{{holes[0]}}}"))
        yield Context(
            before=re.compile(rf"(?<!\w){before}\Z" if before else "", re.IGNORECASE),
            after=re.compile(rf"{after}(?!\w)" if after else "", re.IGNORECASE),
            only=frozenset(name.casefold() for name in self.names[holes[0]]) if holes[0] else None,
        )

    def exceptions(self, key: str, value: Any) -> tuple[Listed, ...]:
        wanted = {known.name for known in fields(Listed)}
        entries = value if isinstance(value, list) else [value]
        found: list[Listed] = []
        for entry in entries:
            strings = isinstance(entry, Mapping) and all(isinstance(part, str) and part for part in entry.values())
            if strings and set(entry) == wanted:
                found.append(Listed(**entry))
            else:
                self.wrong(key, f"found {entry!r}", f"Each [[exceptions]] has {', '.join(sorted(wanted))}, all strings")
        return tuple(found)


def _with_gaps(phrase: str) -> str:
    return rf" (?:{_WORDS} )?".join(re.escape(part) for part in phrase.split(" … "))
