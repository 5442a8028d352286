"""Counts for a data card, taken from the data and never typed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hoidam.document import Annotated, fold_surface
from hoidam.errors import DataError
from hoidam.gazetteer import Gazetteer
from hoidam.gold.cuts import Cuts, WordFinder, count_cuts
from hoidam.gold.places import Known, PlaceStats, place_stats
from hoidam.gold.shingles import body_text, crossing, near_duplicates
from hoidam.labels import LabelScheme


@dataclass(frozen=True, slots=True)
class Unseen:
    """Mentions of one type in one part, and how many have a surface that no span of that type in train has."""

    mentions: int
    unseen: int

    @property
    def share(self) -> float | None:
        """0 to 1; None where there is no mention."""
        return self.unseen / self.mentions if self.mentions else None


@dataclass(frozen=True, slots=True)
class GroupStats:
    """Counts of some articles; `words` are stretches without white space, `body_words` those of the bodies."""

    articles: int = 0
    with_categorised: int = 0
    """Articles with a span of a categorised type."""
    words: int = 0
    body_words: int = 0
    spans: Mapping[str, int] = field(default_factory=dict)
    """Spans by type, each type of the scheme."""
    categories: Mapping[str, int] = field(default_factory=dict)
    """Spans of categorised types by category, each category of the scheme."""
    category_articles: Mapping[str, int] = field(default_factory=dict)
    """Articles by category, each category of the scheme; an article counts once in each of its own."""

    @property
    def without_categorised(self) -> int:
        return self.articles - self.with_categorised

    def to_dict(self) -> dict[str, Any]:
        return {
            "articles": self.articles,
            "with_categorised": self.with_categorised,
            "without_categorised": self.without_categorised,
            "words": self.words,
            "body_words": self.body_words,
            "spans": dict(self.spans),
            "categories": dict(self.categories),
            "category_articles": dict(self.category_articles),
        }


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a corpus: in all, by part, by value of a meta key; and what later parts hold that train has not."""

    total: GroupStats
    parts: Mapping[str, GroupStats]
    key: str
    groups: Mapping[str, GroupStats]
    """By value of `meta[key]`, the most frequent first; articles without the key under an empty string."""
    unseen: Mapping[str, Mapping[str, Unseen]]
    """By part other than train, then by type; empty where there is no train part."""
    near_duplicates: int
    """Pairs of near-duplicates in the corpus."""
    crossing_duplicates: int
    """Those whose two articles lie in different parts."""
    places: PlaceStats | None = None
    """Where a gazetteer was given: what it knows of the mentions of one type."""
    cuts: Mapping[str, Mapping[str, Cuts]] = field(default_factory=dict)
    """By segmenter asked for, then by part: the gold that its words cut."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; shares are None where there is nothing to share."""
        unseen = {
            part: {name: {"mentions": u.mentions, "unseen": u.unseen, "share": u.share} for name, u in rows.items()}
            for part, rows in self.unseen.items()
        }
        return {
            "total": self.total.to_dict(),
            "parts": {name: group.to_dict() for name, group in self.parts.items()},
            "key": self.key,
            "groups": {name: group.to_dict() for name, group in self.groups.items()},
            "unseen": unseen,
            "near_duplicates": self.near_duplicates,
            "crossing_duplicates": self.crossing_duplicates,
            "places": self.places and self.places.to_dict(),
            "cuts": {name: {part: cuts.to_dict() for part, cuts in parts.items()} for name, parts in self.cuts.items()},
        }


def stats(
    parts: Mapping[str, Sequence[Annotated]],
    *,
    scheme: LabelScheme,
    key: str = "outlet",
    train: str = "train",
    gazetteer: Gazetteer | None = None,
    place_type: str = "",
    segmenters: Mapping[str, WordFinder] | None = None,
) -> Stats:
    """Count a corpus given by parts, for instance train, dev and test; a corpus in one piece is one part.

    With a gazetteer, mentions of `place_type` are looked up in it. `segmenters` give the words of a text. Raises
    DataError where the scheme has no such type, and where an article stands in two parts.
    """
    if gazetteer is not None and place_type not in scheme.type_names:
        cure = f"Types of this scheme: {', '.join(scheme.type_names)}"
        raise DataError(f"unknown type {place_type!r}", field="place_type", cure=cure)
    everything = [one for part in parts.values() for one in part]
    part_of: dict[str, str] = {}
    for name, part in parts.items():
        for one in part:
            if (other := part_of.setdefault(one.id, name)) != name:
                problem = f"{one.id!r} stands in {other} and in {name}"
                raise DataError(problem, field="id", cure="Leave it in one part")
    pairs = near_duplicates(everything)
    seen = _surfaces(parts.get(train, ()))
    values = Counter(_value(one, key) for one in everything)
    return Stats(
        total=_group(everything, scheme),
        parts={name: _group(part, scheme) for name, part in parts.items()},
        key=key,
        groups={
            value: _group([one for one in everything if _value(one, key) == value], scheme)
            for value, _ in sorted(values.items(), key=lambda item: (-item[1], item[0]))
        },
        unseen={name: _unseen(part, seen, scheme) for name, part in parts.items() if train in parts and name != train},
        near_duplicates=len(pairs),
        crossing_duplicates=len(crossing(pairs, part_of)),
        places=None if gazetteer is None else place_stats(parts, gazetteer=gazetteer, place_type=place_type),
        cuts=count_cuts(parts, segmenters=segmenters or {}),
    )


def render_markdown(counts: Stats) -> str:
    """The counts as Markdown tables, parts as columns; shares in per cent, `-` where there is nothing to share."""
    columns = [*counts.parts.items()] + ([("total", counts.total)] if len(counts.parts) != 1 else [])
    names = [name for name, _ in columns]
    groups = [group for _, group in columns]
    tables = [
        _table(["", *names], _summary_rows(groups)),
        _table(["spans", *names], _count_rows([group.spans for group in groups])),
    ]
    if counts.total.categories:
        spans = _count_rows([group.categories for group in groups])
        articles = _count_rows([group.category_articles for group in groups])
        tables += [_table(["spans by category", *names], spans), _table(["articles by category", *names], articles)]
    if set(counts.groups) != {""}:
        tables.append(_table([counts.key, "articles", "with categorised spans", "without"], _group_rows(counts.groups)))
    if counts.unseen:
        header = ["not seen in train", *(f"{part} (mentions)" for part in counts.unseen)]
        tables.append(_table(header, _unseen_rows(counts.unseen)))
    if counts.places:
        header = ["known to the gazetteer", *(f"{part} (mentions)" for part in counts.places.known)]
        shares = [_share(known) for known in counts.places.known.values()]
        tables += [
            _table(["articles by border region", *names], _region_rows(counts.places, total=len(counts.parts) != 1)),
            _table(header, [[counts.places.type, *shares]]),
        ]
    if counts.cuts:
        tables.append(_table(["spans cut by a segmenter (edges)", *names], _cut_rows(counts.cuts, total=len(names))))
    closing = f"Near-duplicate pairs: {counts.near_duplicates}, across parts: {counts.crossing_duplicates}.\n"
    return "\n".join((*tables, closing))


def _group(annotated: Iterable[Annotated], scheme: LabelScheme) -> GroupStats:
    found = list(annotated)
    spans = [span for one in found for span in one.spans]
    types = Counter(span.type for span in spans)
    categories = Counter(span.category for span in spans)
    articles = Counter(name for one in found for name in one.categories)
    return GroupStats(
        articles=len(found),
        with_categorised=sum(any(span.type in scheme.categorised_names for span in one.spans) for one in found),
        words=sum(len(one.article.text.split()) for one in found),
        body_words=sum(len(body_text(one).split()) for one in found),
        spans={name: types[name] for name in scheme.type_names},
        categories={name: categories[name] for name in scheme.category_names},
        category_articles={name: articles[name] for name in scheme.category_names},
    )


def _surfaces(annotated: Iterable[Annotated]) -> frozenset[tuple[str, str]]:
    return frozenset(mention for one in annotated for mention in _mentions(one))


def _mentions(one: Annotated) -> Iterator[tuple[str, str]]:
    text = one.article.text
    return ((span.type, fold_surface(text[span.start : span.end])) for span in one.spans)


def _unseen(annotated: Iterable[Annotated], seen: frozenset[tuple[str, str]], scheme: LabelScheme) -> dict[str, Unseen]:
    mentions = [mention for one in annotated for mention in _mentions(one)]
    all_of = Counter(name for name, _ in mentions)
    new = Counter(mention[0] for mention in mentions if mention not in seen)
    return {name: Unseen(mentions=all_of[name], unseen=new[name]) for name in scheme.type_names}


def _value(one: Annotated, key: str) -> str:
    return str(one.article.meta.get(key, ""))


def _summary_rows(groups: Sequence[GroupStats]) -> list[list[str]]:
    return [
        ["articles", *(f"{group.articles:,}" for group in groups)],
        ["with categorised spans", *(f"{group.with_categorised:,}" for group in groups)],
        ["without", *(f"{group.without_categorised:,}" for group in groups)],
        ["words", *(f"{group.words:,}" for group in groups)],
        ["words in bodies", *(f"{group.body_words:,}" for group in groups)],
    ]


def _count_rows(columns: Sequence[Mapping[str, int]]) -> list[list[str]]:
    return [[name, *(f"{column[name]:,}" for column in columns)] for name in columns[0]]


def _group_rows(groups: Mapping[str, GroupStats]) -> list[list[str]]:
    return [
        [name or "(none)", *(f"{n:,}" for n in (group.articles, group.with_categorised, group.without_categorised))]
        for name, group in groups.items()
    ]


def _unseen_rows(unseen: Mapping[str, Mapping[str, Unseen]]) -> list[list[str]]:
    names = next(iter(unseen.values()))
    return [[name, *(_share(rows[name]) for rows in unseen.values())] for name in names]


def _share(of: Unseen | Known) -> str:
    return "-" if of.share is None else f"{of.share:.0%} ({of.mentions:,})"


def _region_rows(places: PlaceStats, *, total: bool) -> list[list[str]]:
    counts = [(region.title, [*region.articles.values()]) for region in places.regions]
    return [[title, *(f"{n:,}" for n in (*row, *([sum(row)] if total else [])))] for title, row in counts]


def _cut_rows(cuts: Mapping[str, Mapping[str, Cuts]], *, total: int) -> list[list[str]]:
    columns = {name: [*parts.values(), sum(parts.values(), Cuts())][:total] for name, parts in cuts.items()}
    return [[name, *map(_cut_cell, row)] for name, row in columns.items()]


def _cut_cell(cuts: Cuts) -> str:
    return "-" if cuts.share is None else f"{cuts.share:.2%} ({cuts.cut_edges:,})"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
