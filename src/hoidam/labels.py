"""The label scheme as data: span types, which of them carry a category, and the categories."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hoidam.errors import DataError

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class SpanType:
    """One type of span; `categorised` types carry one of the scheme's categories on every span."""

    name: str
    categorised: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """One category that a span of a categorised type, and with it an article, may have."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """Span types and categories, in the order that model outputs and reports use.

    In a `flat` scheme no two spans of an article overlap, else no two of one type. Raises DataError where a name is
    empty or doubled, or where categories and categorised types do not go together.
    """

    types: tuple[SpanType, ...]
    categories: tuple[Category, ...] = ()
    flat: bool = False

    def __post_init__(self) -> None:
        if not self.types:
            raise DataError("no span types", field="types", cure="List at least one [[types]] entry with a name")
        for field, names in (("types", self.type_names), ("categories", self.category_names)):
            for name in names:
                if not name or any(character.isspace() or character in "{}:.," for character in name):
                    raise DataError(f"bad name {name!r}", field=field, cure="Use letters, digits, - and _ only")
            if len(set(names)) != len(names):
                raise DataError("a name occurs twice", field=field, cure="Names must be distinct")
        if bool(self.categories) != any(kind.categorised for kind in self.types):
            raise DataError(
                "categories and types do not fit",
                field="categories",
                cure="Categories need at least one type with `categorised = true`, and the other way round",
            )

    @property
    def type_names(self) -> tuple[str, ...]:
        return tuple(kind.name for kind in self.types)

    @property
    def category_names(self) -> tuple[str, ...]:
        return tuple(category.name for category in self.categories)

    @property
    def categorised_names(self) -> tuple[str, ...]:
        """Names of the types whose spans carry a category."""
        return tuple(kind.name for kind in self.types if kind.categorised)

    @property
    def sha256(self) -> str:
        """Hash over names and their order alone: the rest may be reworded without making a new scheme."""
        names = [[[kind.name, kind.categorised] for kind in self.types], list(self.category_names)]
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The scheme as plain data, as labels.toml and model folders hold it."""
        return ({"flat": True} if self.flat else {}) | {
            "types": [
                {"name": kind.name, "categorised": kind.categorised, "description": kind.description}
                for kind in self.types
            ],
            "categories": [
                {"name": category.name, "description": category.description} for category in self.categories
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LabelScheme":
        """Build from plain data; raises DataError that names the first entry that is wrong."""
        unknown = sorted(set(data) - {"types", "categories", "flat"})
        if unknown:
            raise DataError(
                f"unknown key {unknown[0]!r}", cure="A label scheme has `types`, `categories` and `flat` only"
            )
        flat = data.get("flat", False)
        if not isinstance(flat, bool):
            raise DataError(f"found {flat!r}", field="flat", cure="Give true where no two spans overlap, else false")
        return cls(
            types=tuple(_entry(SpanType, entry, field="types") for entry in data.get("types", ())),
            categories=tuple(_entry(Category, entry, field="categories") for entry in data.get("categories", ())),
            flat=flat,
        )


def _entry(kind: type[Entry], entry: Any, *, field: str) -> Entry:
    allowed = {"name": str, "description": str} | ({"categorised": bool} if kind is SpanType else {})
    if not isinstance(entry, Mapping) or "name" not in entry:
        raise DataError(f"found {entry!r}", field=field, cure="Each entry is a table with a `name`")
    for key, value in entry.items():
        if key not in allowed:
            raise DataError(f"unknown key {key!r}", field=field, cure=f"Known keys: {', '.join(allowed)}")
        if not isinstance(value, allowed[key]):
            raise DataError(f"{key} is {value!r}", field=field, cure=f"Give a {allowed[key].__name__}")
    return kind(**entry)


LABELS_NAME = "labels.toml"


def find_labels(near: Path) -> Path:
    """The `labels.toml` in the folder of a gold file or the nearest above it; raises DataError where there is none."""
    for folder in near.absolute().parents:
        if (folder / LABELS_NAME).is_file():
            return folder / LABELS_NAME
    cure = "Check the path, or name the label scheme with --labels"
    raise DataError(f"no {LABELS_NAME} in its folder or above", path=near, cure=cure)


def place_labels(near: Path) -> Path:
    """Where the label scheme of a gold file is, or belongs where there is none yet: beside it."""
    try:
        return find_labels(near)
    except DataError:
        return near.parent / LABELS_NAME


def read_labels(path: Path) -> LabelScheme:
    """Read a labels.toml; raises DataError with the file's name where it is missing or wrong."""
    try:
        return LabelScheme.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise DataError(problem, path=path, cure="Give the path of a labels.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"not TOML ({error})", path=path, cure="A label scheme has [[types]] and [[categories]]"
        ) from None
    except DataError as error:
        raise error.at(path) from None
