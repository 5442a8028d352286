"""Runs of words that articles share: how near-duplicates are found, for checks, counts and splits alike."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hoidam.document import Annotated
from hoidam.errors import DataError

SHINGLE_WORDS = 8
"""Words in a shingle: long enough that offices and place names in a row seldom make one."""

NEAR_DUPLICATE = 0.3
"""Jaccard index from which two articles count as near-duplicates: about every sixteenth word changed."""

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[^.!?;…\n]+")


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two near-duplicate articles and the Jaccard index of their shingles, above 0 to 1."""

    first: str
    second: str
    jaccard: float


def body_text(annotated: Annotated) -> str:
    """The article's own headline and body; the whole text where no body is marked."""
    start, end = annotated.body or (0, len(annotated.article.text))
    return annotated.article.text[start:end]


def words(text: str) -> list[str]:
    """Case-folded runs of letters and digits."""
    return [match[0].casefold() for match in _WORD.finditer(text)]


def sentences(text: str, *, at_least: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Offset and words of each sentence, or part of one up to a semicolon, of `at_least` words or more."""
    for match in _SENTENCE.finditer(text):
        found = tuple(words(match[0]))
        if len(found) >= at_least:
            yield match.start() + len(match[0]) - len(match[0].lstrip()), found


def shingles(text: str, *, size: int = SHINGLE_WORDS) -> frozenset[tuple[str, ...]]:
    """Every run of `size` words; a shorter text is one shingle, an empty one none."""
    found = words(text)
    if len(found) < size:
        return frozenset([tuple(found)] if found else ())
    return frozenset(zip(*(found[start:] for start in range(size)), strict=False))


def near_duplicates(
    annotated: Iterable[Annotated], *, threshold: float = NEAR_DUPLICATE, size: int = SHINGLE_WORDS
) -> list[Pair]:
    """All pairs of articles whose bodies' shingles have a Jaccard index of `threshold` or more, in the order given.

    Exact, through an index from shingle to articles (the similarity is that of Broder 1997); fine for a few thousand
    articles. Raises DataError unless 0 < threshold <= 1.
    """
    if not 0 < threshold <= 1:
        raise DataError(f"found {threshold}", field="threshold", cure="Give a share above 0, such as 0.3")
    ids: list[str] = []
    sizes: list[int] = []
    holders: defaultdict[Hashable, list[int]] = defaultdict(list)
    for row, one in enumerate(annotated):
        found = shingles(body_text(one), size=size)
        ids.append(one.id)
        sizes.append(len(found))
        for shingle in found:
            holders[shingle].append(row)
    shared = Counter(pair for rows in holders.values() for pair in itertools.combinations(rows, 2))
    pairs = ((first, second, both / (sizes[first] + sizes[second] - both)) for (first, second), both in shared.items())
    return [Pair(ids[first], ids[second], index) for first, second, index in sorted(pairs) if index >= threshold]


def clusters(ids: Sequence[str], pairs: Iterable[Pair]) -> list[tuple[str, ...]]:
    """Articles that near-duplicates join, directly or through others, in the order of `ids`; most are alone."""
    parent = {name: name for name in ids}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for pair in pairs:
        parent[root(pair.second)] = root(pair.first)
    members: defaultdict[str, list[str]] = defaultdict(list)
    for name in ids:
        members[root(name)].append(name)
    return [tuple(names) for names in members.values()]


def crossing(pairs: Iterable[Pair], part_of: Mapping[str, str]) -> list[Pair]:
    """The pairs whose two articles lie in different parts; an article without a part lies in none."""
    return [
        pair
        for pair in pairs
        if pair.first in part_of and pair.second in part_of and part_of[pair.first] != part_of[pair.second]
    ]
