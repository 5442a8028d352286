"""Train, dev and test without leakage: near-duplicates stay together, and the parts resemble each other."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hoidam.document import Annotated
from hoidam.errors import DataError
from hoidam.files import refuse_overwrite, write_json_lines
from hoidam.gold.shingles import NEAR_DUPLICATE, Pair, clusters, crossing, near_duplicates

PARTS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """Article ids of each part, in corpus order, and the near-duplicate pairs that lie in two parts (none)."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]
    crossing_duplicates: int

    @property
    def part_of(self) -> dict[str, str]:
        """The part of each article, by id."""
        return {name: part for part in PARTS for name in getattr(self, part)}


@dataclass(slots=True)
class _Need:
    """How many articles a part still wants, in all and of each trait."""

    articles: float
    traits: dict[str, float]

    def take(self, cluster: "_Cluster") -> None:
        self.articles -= len(cluster.ids)
        for trait, count in cluster.traits.items():
            self.traits[trait] -= count


@dataclass(frozen=True, slots=True)
class _Cluster:
    ids: tuple[str, ...]
    traits: Counter[str] = field(default_factory=Counter)


def split(
    annotated: Sequence[Annotated],
    *,
    seed: int,
    dev: float,
    test: float,
    keys: Sequence[str] = ("outlet", "cooperation"),
    threshold: float = NEAR_DUPLICATE,
    fixed: Mapping[str, str] | None = None,
) -> Split:
    """Divide a corpus by article and near-duplicate cluster, alike in meta keys and in categories.

    `dev` and `test` are shares of the articles. Greedy iterative stratification (Sechidis, Tsoumakas and Vlahavas
    2011): the rarest trait first, each cluster to the part that wants that trait most, then articles most, then at
    random; here a part that has its articles wants no more. The outcome depends on the articles and the seed, not on
    their order. `fixed` puts articles, with their clusters, into a part beforehand: a test set stays the same when the
    corpus grows.

    Raises DataError on shares that leave no train part, an id met twice, or two parts fixed for one cluster.
    """
    if not (dev >= 0 and test >= 0 and dev + test < 1):
        raise DataError(f"found dev {dev} and test {test}", field="shares", cure="Give shares that add up to below 1")
    found, pairs = _clustered(annotated, keys=keys, threshold=threshold)
    shares = dict(zip(PARTS, (1 - dev - test, dev, test), strict=True))
    part_of = _assign(found, shares=shares, fixed=fixed or {}, generator=random.Random(seed))  # noqa: S311
    parts = {part: tuple(one.id for one in annotated if part_of[one.id] == part) for part in PARTS}
    return Split(**parts, crossing_duplicates=len(crossing(pairs, part_of)))


def folds(
    annotated: Sequence[Annotated],
    *,
    seed: int,
    count: int,
    keys: Sequence[str] = ("outlet", "cooperation"),
    threshold: float = NEAR_DUPLICATE,
) -> list[tuple[str, ...]]:
    """Divide a corpus into `count` parts of one size, each article in one, as `split` does; ids in corpus order.

    Raises DataError on fewer than two folds, an id met twice, or a fold that no article is left for.
    """
    if count < 2:
        raise DataError(f"found {count}", field="folds", cure="Give 2 or more")
    found, _ = _clustered(annotated, keys=keys, threshold=threshold)
    names = [str(number) for number in range(count)]
    shares = dict.fromkeys(names, 1 / count)
    part_of = _assign(found, shares=shares, fixed={}, generator=random.Random(seed))  # noqa: S311
    parts = [tuple(one.id for one in annotated if part_of[one.id] == name) for name in names]
    if not all(parts):
        raise DataError(f"{len(found)} groups of near-duplicates for {count}", field="folds", cure="Give fewer")
    return parts


def write_split(
    annotated: Sequence[Annotated], parts: Split, *, articles: Path, gold: Path, force: bool = False
) -> None:
    """Write articles and gold of each part into two folders, as `train.jsonl`, `dev.jsonl` and `test.jsonl`.

    Raises DataError where both are one folder, or where a file exists and `force` is not given; then none is written.
    """
    if articles.resolve() == gold.resolve():
        raise DataError("articles and gold would go to one folder", path=gold, cure="Give two names")
    for part in PARTS:
        for folder in (articles, gold):
            refuse_overwrite(folder / f"{part}.jsonl", force=force)
    for part in PARTS:
        chosen = [one for one in annotated if parts.part_of[one.id] == part]
        write_json_lines(articles / f"{part}.jsonl", (one.article.to_dict() for one in chosen), force=force)
        write_json_lines(gold / f"{part}.jsonl", (one.to_dict() for one in chosen), force=force)


def _clustered(
    annotated: Sequence[Annotated], *, keys: Sequence[str], threshold: float
) -> tuple[list[_Cluster], list[Pair]]:
    """The corpus as clusters of near-duplicates, by id, and the pairs that make them."""
    by_id = {one.id: one for one in annotated}
    if len(by_id) != len(annotated):
        raise DataError("an id occurs twice", field="id", cure="Give every article its own id")
    ids = sorted(by_id)
    pairs = near_duplicates([by_id[name] for name in ids], threshold=threshold)
    return [_Cluster(names, _traits(names, by_id, keys)) for names in clusters(ids, pairs)], pairs


def _traits(names: Iterable[str], by_id: Mapping[str, Annotated], keys: Sequence[str]) -> Counter[str]:
    """How many of a cluster's articles have each value of a key and each category; none at all is a trait too."""
    found: Counter[str] = Counter()
    for name in names:
        one = by_id[name]
        found.update(f"{key}={one.article.meta.get(key)}" for key in keys)
        found.update(f"category={category}" for category in sorted(one.categories) or ("none",))
    return found


def _assign(
    found: Sequence[_Cluster], *, shares: Mapping[str, float], fixed: Mapping[str, str], generator: random.Random
) -> dict[str, str]:
    totals = sum((cluster.traits for cluster in found), Counter[str]())
    articles = sum(len(cluster.ids) for cluster in found)
    needs = {
        part: _Need(share * articles, {trait: share * count for trait, count in totals.items()})
        for part, share in shares.items()
        if share > 0
    }
    chosen: dict[str, str] = {}
    rest: list[_Cluster] = []
    for cluster in found:
        part = _fixed_part(cluster, fixed)
        if part is None:
            rest.append(cluster)
        else:
            _place(cluster, part, needs, chosen)
    generator.shuffle(rest)
    while rest:
        trait = _rarest(rest)
        holders = [cluster for cluster in rest if trait in cluster.traits]
        for cluster in sorted(holders, key=lambda cluster: -len(cluster.ids)):
            _place(cluster, _neediest(trait, needs, generator), needs, chosen)
        rest = [cluster for cluster in rest if trait not in cluster.traits]
    return chosen


def _fixed_part(cluster: _Cluster, fixed: Mapping[str, str]) -> str | None:
    parts = {fixed[name]: name for name in cluster.ids if name in fixed}
    for part, name in parts.items():
        if part not in PARTS:
            raise DataError(f"{name!r} is fixed in {part!r}", field="fixed", cure=f"Parts are {', '.join(PARTS)}")
    if len(parts) > 1:
        names = " and ".join(f"{name!r} in {part}" for part, name in sorted(parts.items()))
        raise DataError(f"near-duplicates are fixed apart: {names}", field="fixed", cure="Remove one of the articles")
    return next(iter(parts), None)


def _place(cluster: _Cluster, part: str, needs: Mapping[str, _Need], chosen: dict[str, str]) -> None:
    if part in needs:
        needs[part].take(cluster)
    chosen.update(dict.fromkeys(cluster.ids, part))


def _rarest(rest: Iterable[_Cluster]) -> str:
    """The trait that fewest of the articles left have; of equals the first by name."""
    left = sum((cluster.traits for cluster in rest), Counter[str]())
    return min(left, key=lambda trait: (left[trait], trait))


def _neediest(trait: str, needs: Mapping[str, _Need], generator: random.Random) -> str:
    """Of the parts that are not full; the last articles may find all of them full by a fraction."""
    wanting = {part: need for part, need in needs.items() if need.articles >= 0.5} or needs
    order = {part: (need.traits[trait], need.articles, generator.random()) for part, need in wanting.items()}
    return max(order, key=lambda part: order[part])
