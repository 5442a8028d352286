"""Strict scores of parts of the data: mentions met before and not, places in the article, lengths, values of meta."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hoidam.document import Annotated, Span, Tagged, fold_surface
from hoidam.evaluate.counts import Counts
from hoidam.evaluate.match import place_of
from hoidam.labels import LabelScheme

CATEGORIES = "categories"
"""The label of the rows that count articles' categories."""
META_KEYS = ("outlet",)

_SEEN, _UNSEEN = "seen", "unseen"
_FIFTHS = tuple(f"{low}–{low + 20} %" for low in range(0, 100, 20))
_OUTSIDE = "outside the body"
_LONGEST_WORDS = (200, 400, 700)
_LENGTHS = ("up to 200 words", "201–400 words", "401–700 words", "over 700 words")


Mention = tuple[str, str]
"""A span's type and its surface."""
SliceOf = Callable[[Span | None], str]
"""The slice of a span of one article, or of that article."""


@dataclass(frozen=True, slots=True)
class Slicing:
    """One way to divide spans or whole articles; `within` an article it says in which of `slices` a span of it lies."""

    name: str
    of: Literal["spans", "articles"]
    title: str
    slices: tuple[str, ...]
    within: Callable[[Annotated], SliceOf]


def count_slices(
    gold: Sequence[Annotated],
    *,
    predictions: Sequence[Tagged],
    scheme: LabelScheme,
    seen: Iterable[Mention] = (),
    meta: Iterable[str] = META_KEYS,
) -> list[dict[str, Any]]:
    """Strict counts and ratios by slice and label, as plain data; rows where neither side has anything are left out.

    Spans are divided by whether `seen` (the mentions that the model learnt from; without any, spans are not divided so)
    has their type and surface, whatever the case and white space, and by the fifth of the article's body in which they
    begin. Articles are divided by the words of their body and by each key of `meta` that any of them has. Gold and
    predicted spans each belong to the slice of their own surface or place, so that the slices of a division add up to
    the whole.
    """
    known = {(kind, fold_surface(surface)) for kind, surface in seen}
    slicings = [
        *([_by_mention(known)] if known else []),
        Slicing("position", "spans", "Place in the article", (*_FIFTHS, _OUTSIDE), _by_position),
        Slicing("length", "articles", "Length of the article", _LENGTHS, _by_length),
        *(_by_meta(key, gold) for key in meta if any(key in annotated.article.meta for annotated in gold)),
    ]
    return [_slice_dict(slicing, gold, predictions, scheme) for slicing in slicings]


def _by_mention(known: Set[Mention]) -> Slicing:
    def within(annotated: Annotated) -> SliceOf:
        text = annotated.article.text

        def seen_or_not(span: Span | None) -> str:
            known_so = span is not None and (span.type, fold_surface(text[span.start : span.end])) in known
            return _SEEN if known_so else _UNSEEN

        return seen_or_not

    return Slicing("mention", "spans", "Mentions seen in training or not", (_SEEN, _UNSEEN), within)


def _by_position(annotated: Annotated) -> SliceOf:
    start, end = _body(annotated)

    def fifth(span: Span | None) -> str:
        if span is None or not start <= span.start < end:
            return _OUTSIDE
        return _FIFTHS[(span.start - start) * len(_FIFTHS) // (end - start)]

    return fifth


def _by_length(annotated: Annotated) -> SliceOf:
    start, end = _body(annotated)
    name = _LENGTHS[bisect_left(_LONGEST_WORDS, len(annotated.article.text[start:end].split()))]
    return lambda _: name


def _by_meta(key: str, gold: Iterable[Annotated]) -> Slicing:
    def value(annotated: Annotated) -> str:
        return str(annotated.article.meta.get(key, f"no {key}"))

    def within(annotated: Annotated) -> SliceOf:
        name = value(annotated)
        return lambda _: name

    sizes = Counter(map(value, gold))
    slices = sorted(sizes, key=lambda name: (-sizes[name], name))
    return Slicing(key, "articles", key.replace("_", " ").capitalize(), tuple(slices), within)


def _body(annotated: Annotated) -> tuple[int, int]:
    return annotated.body or (0, len(annotated.article.text))


def _slice_dict(
    slicing: Slicing, gold: Sequence[Annotated], predictions: Sequence[Tagged], scheme: LabelScheme
) -> dict[str, Any]:
    counts = _count(slicing, gold, predictions)
    rows = [(name, label) for name in slicing.slices for label in (*scheme.type_names, CATEGORIES)]
    return {
        "name": slicing.name,
        "of": slicing.of,
        "title": slicing.title,
        "rows": [
            {"slice": name, "label": label} | asdict(counts[name, label]) | asdict(counts[name, label].ratios)
            for name, label in rows
            if (name, label) in counts
        ],
    }


def _count(slicing: Slicing, gold: Iterable[Annotated], predictions: Iterable[Tagged]) -> dict[tuple[str, str], Counts]:
    tagged = {one.id: one for one in predictions}
    right: Counter[tuple[str, str]] = Counter()
    given: Counter[tuple[str, str]] = Counter()
    wanted: Counter[tuple[str, str]] = Counter()
    for annotated in gold:
        found = tagged.get(annotated.id)
        spans = () if found is None else found.spans
        slice_of = slicing.within(annotated)
        places = {place_of(span) for span in annotated.spans}
        wanted.update((slice_of(span), span.type) for span in annotated.spans)
        given.update((slice_of(span), span.type) for span in spans)
        right.update((slice_of(span), span.type) for span in spans if place_of(span) in places)
        if slicing.of == "articles":
            categories = frozenset[str]() if found is None else frozenset(found.categories)
            key = slice_of(None), CATEGORIES
            wanted[key] += len(annotated.categories)
            given[key] += len(categories)
            right[key] += len(annotated.categories & categories)
    return {key: Counts(right[key], given[key], wanted[key]) for key in given | wanted if given[key] or wanted[key]}
