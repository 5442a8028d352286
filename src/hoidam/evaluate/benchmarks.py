"""Frozen benchmarks, so that two scores under one name are scores on the same gold.

A benchmark is a TOML file. A person writes its head; `freeze` adds what pins it down:

    name = "dev"
    description = "…"
    labels = "annotations/labels.toml"
    articles = ["data/articles/dev.jsonl"]
    gold = ["annotations/gold/dev.jsonl"]
    second = "…"                             optional: another annotator's gold on the same articles
    sha256 = "…"                             hash of the label scheme and of every id with its full hash

    [frozen.gold]                            an id, and how the hash of its text and gold begins
    am-001 = "80a1b7c2d3e4"
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hoidam.document import Annotated, Article, read_articles, read_gold
from hoidam.errors import DataError
from hoidam.files import read_toml, toml_value, whole_file
from hoidam.labels import LabelScheme, read_labels

_SHORT = 12
"""Hexadecimal digits of an article's hash that stand in the file; `sha256` guards the rest."""
_REFREEZE = "Restore it, or make a new benchmark: scores before and after are not comparable"


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of gold that a model is scored on; `second` is another annotator's gold on some of the articles."""

    labels: Path
    articles: tuple[Path, ...]
    gold: tuple[Path, ...]
    second: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file but the label scheme."""
        return (*self.gold, *self.articles, *([self.second] if self.second else []))

    def read(self) -> "GoldSet":
        """Read all of it; raises DataError where a file is wrong or does not fit the others."""
        scheme, articles = read_labels(self.labels), read_articles(self.articles)
        gold = read_gold(self.gold, articles, scheme)
        second = read_gold([self.second], articles, scheme) if self.second else []
        return GoldSet(scheme, articles, tuple(gold), tuple(second))


@dataclass(frozen=True, slots=True)
class GoldSet:
    """Gold as it was read: the scheme, the texts by id, the gold, and a second annotator's."""

    scheme: LabelScheme
    articles: Mapping[str, Article]
    gold: tuple[Annotated, ...]
    second: tuple[Annotated, ...] = ()

    def only(self, *, gold: Iterable[str], second: Iterable[str]) -> "GoldSet":
        """The same with the gold of these ids alone."""
        wanted, others = set(gold), set(second)
        return replace(
            self,
            gold=tuple(one for one in self.gold if one.id in wanted),
            second=tuple(one for one in self.second if one.id in others),
        )

    @property
    def sha256(self) -> str:
        """Hash of the scheme, of every id and of what is scored of it."""
        sides = [
            [self.scheme.sha256],
            *(sorted([one.id, one.sha256] for one in side) for side in (self.gold, self.second)),
        ]
        return hashlib.sha256(json.dumps(sides).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named set of gold; `gold` and `second` give by id how its hash begins, empty before it is frozen."""

    path: Path
    name: str
    description: str
    sources: Sources
    sha256: str = ""
    gold: Mapping[str, str] = field(default_factory=dict)
    second: Mapping[str, str] = field(default_factory=dict)

    def read(self) -> GoldSet:
        """Read the gold of this benchmark; raises DataError that names what is not as it was frozen."""
        if not self.sha256:
            raise DataError("not frozen yet", path=self.path, cure="Run `hoidam benchmark freeze` on it")
        found = self.sources.read()
        for key, frozen, there in (("gold", self.gold, found.gold), ("second", self.second, found.second)):
            _check_unchanged(frozen, {one.id: one for one in there}, path=self.path, field=f"frozen.{key}")
        found = found.only(gold=self.gold, second=self.second)
        if found.sha256 != self.sha256:
            raise DataError(
                "the ids or the label scheme are not those that were frozen",
                path=self.path,
                field="sha256",
                cure=_REFREEZE,
            )
        return found

    def frozen(self) -> "Benchmark":
        """The same with all articles of its gold pinned as they are now."""
        found = self.sources.read()
        gold, second = ({one.id: one.sha256[:_SHORT] for one in side} for side in (found.gold, found.second))
        return replace(self, sha256=found.sha256, gold=gold, second=second)

    def to_toml(self) -> str:
        head: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "labels": str(self.sources.labels),
            "articles": [str(path) for path in self.sources.articles],
            "gold": [str(path) for path in self.sources.gold],
        }
        if self.sources.second:
            head["second"] = str(self.sources.second)
        lines = _toml_lines(head | {"sha256": self.sha256})
        for key, hashes in (("gold", self.gold), ("second", self.second)):
            if hashes:
                lines += ["", f"[frozen.{key}]", *_toml_lines(dict(sorted(hashes.items())))]
        return "\n".join(lines) + "\n"


def read_benchmark(path: Path) -> Benchmark:
    """Read a benchmark file; raises DataError that names the file and every key that is wrong."""
    data = read_toml(path)
    frozen = data.pop("frozen", {})
    known: dict[str, type] = {"name": str, "description": str, "labels": str, "articles": list, "gold": list}
    wrong = [f"{key}: give a {kind.__name__}" for key, kind in known.items() if not isinstance(data.get(key), kind)]
    wrong += [
        f"{key}: give a list of strings, not an empty one"
        for key in ("articles", "gold")
        if isinstance(data.get(key), list) and not (data[key] and all(isinstance(name, str) for name in data[key]))
    ]
    wrong += [f"{key}: give a str" for key in ("second", "sha256") if not isinstance(data.get(key, ""), str)]
    wrong += [f"{key}: no such key" for key in sorted(data.keys() - known.keys() - {"second", "sha256"})]
    if not isinstance(frozen, dict) or not _is_frozen(frozen):
        wrong.append("frozen: what `hoidam benchmark freeze` writes has been changed")
    if wrong:
        raise DataError("; ".join(wrong), path=path, cure="Correct these keys")
    second = data.get("second")
    return Benchmark(
        path=path,
        name=data["name"],
        description=data["description"],
        sources=Sources(
            labels=Path(data["labels"]),
            articles=tuple(map(Path, data["articles"])),
            gold=tuple(map(Path, data["gold"])),
            second=Path(second) if second else None,
        ),
        sha256=data.get("sha256", ""),
        gold=frozen.get("gold", {}),
        second=frozen.get("second", {}),
    )


def freeze(path: Path, *, force: bool = False) -> Benchmark:
    """Pin a benchmark file to its gold as it is now and write it back.

    Raises DataError where it was frozen before and `force` is not given.
    """
    benchmark = read_benchmark(path)
    if benchmark.sha256 and not force:
        raise DataError(
            "frozen already",
            path=path,
            cure="Give --force to freeze it anew: earlier scores are then no longer comparable",
        )
    benchmark = benchmark.frozen()
    with whole_file(path, force=True) as stream:
        stream.write(benchmark.to_toml())
    return benchmark


def _check_unchanged(frozen: Mapping[str, str], there: Mapping[str, Annotated], *, path: Path, field: str) -> None:
    for name, digest in frozen.items():
        if name not in there:
            raise DataError(f"article {name!r} is not in the gold", path=path, field=field, cure=_REFREEZE)
        if not there[name].sha256.startswith(digest) or len(digest) != _SHORT:
            raise DataError(f"the text or gold of article {name!r} has changed", path=path, field=field, cure=_REFREEZE)


def _is_frozen(frozen: Mapping[str, Any]) -> bool:
    tables = frozen.values()
    return frozen.keys() <= {"gold", "second"} and all(
        isinstance(table, dict) and all(isinstance(digest, str) for digest in table.values()) for table in tables
    )


def _toml_lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_toml_key(key)} = {toml_value(value)}" for key, value in table.items()]


def _toml_key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else toml_value(key)
