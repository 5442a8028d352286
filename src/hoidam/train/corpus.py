"""The gold of a run: read whole, checked, and known by the hashes of its files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoidam.document import Annotated, read_articles, read_gold
from hoidam.errors import RecipeError
from hoidam.files import file_sha256
from hoidam.ingest.body import find_body
from hoidam.labels import LabelScheme, read_labels
from hoidam.train.recipe import DataSettings


@dataclass(frozen=True, slots=True)
class Corpus:
    """The gold of a run, its scheme, articles without gold, and the hash of every file that was read."""

    scheme: LabelScheme
    train: Sequence[Annotated]
    dev: Sequence[Annotated]
    unlabelled: Sequence[Annotated]
    hashes: Mapping[str, str]


def read_corpus(data: DataSettings, *, seed: int) -> Corpus:
    """Read scheme, articles and gold of a recipe; raises DataError where they are wrong or train and dev share one."""
    scheme = read_labels(Path(data.labels))
    # Together, so that no article without gold has the id of one with it.
    articles = read_articles(Path(path) for path in (*data.articles, *data.unlabelled))
    gold = {part: read_gold((Path(path) for path in files), articles, scheme) for part, files in _parts(data)}
    shared = {annotated.id for annotated in gold["train"]} & {annotated.id for annotated in gold["dev"]}
    if shared:
        raise RecipeError(f"data: {sorted(shared)[0]!r} is in train and dev. An article belongs to one part")
    for part, found in gold.items():
        if not found:
            raise RecipeError(f"data.{part}: no gold in {', '.join(getattr(data, part))}")
    paths = [data.labels, *data.articles, *data.train, *data.dev, *data.unlabelled]
    hashes = {path: file_sha256(Path(path)) for path in dict.fromkeys(paths)}
    train = _drawn(gold["train"], limit=data.train_limit, seed=seed)
    more = read_articles(Path(path) for path in data.unlabelled).values()
    unlabelled = [Annotated(article, body=find_body(article.text)) for article in more]
    return Corpus(scheme, train, gold["dev"], unlabelled, hashes)


def changed_files(hashes: Mapping[str, str]) -> list[str]:
    """Of files with the hashes that they had, those that are gone or have others now."""
    return [name for name, known in hashes.items() if not Path(name).is_file() or file_sha256(Path(name)) != known]


def _drawn(gold: Sequence[Annotated], *, limit: int, seed: int) -> Sequence[Annotated]:
    """`limit` articles in their order, or all where it is 0; which ones depends on ids and seed alone."""
    if not limit:
        return gold
    if limit > len(gold):
        raise RecipeError(f"data.train_limit: {limit} of {len(gold)} train articles. Give fewer, or 0 for all")
    drawn = set(
        sorted((one.id for one in gold), key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())[:limit]
    )
    return [one for one in gold if one.id in drawn]


def _parts(data: DataSettings) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("train", data.train), ("dev", data.dev)
