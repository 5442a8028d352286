"""What is wrong with each wrong span, in one kind; its text; and the articles that have most errors."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from hoidam.document import Annotated, Article, Span, Tagged
from hoidam.evaluate.counts import Counts
from hoidam.evaluate.match import Pair, group_spans, match_groups, place_of, same_offsets
from hoidam.labels import LabelScheme

CONTEXT_CHARACTERS = 80
"""At most so many code points of text are shown on each side of an error."""
FARTHEST_WORDS = 5
"""Boundaries that are further apart are counted as so far apart."""
MOST_WORST_ARTICLES = 20


class ErrorKind(StrEnum):
    """What is wrong with a span; every wrong span of gold and of the prediction is in exactly one error.

    Within a type, `match_overlapping` makes pairs from the left. A span left over overlaps at most one span of the
    other side, which is in a pair, and joins that pair: one that predicted spans have joined is SPLIT, one that gold
    spans have joined is MERGED. Both at once cannot be, because the number of pairs is the largest possible. Of the
    other pairs the offsets differ (BOUNDARY), or only the categories (CATEGORY).

    Of the spans that overlap nothing of their type on the other side: the same offsets with another type (TYPE, one to
    one), a gold span alone (MISSED), a predicted span alone that lies outside the body which gold gives (FURNITURE) or
    not (INVENTED). Spans that differ in both type and offsets are never paired, because types nest.

    So the gold spans in all errors but CATEGORY are the gold that strict scoring did not find: one in each MISSED,
    BOUNDARY, TYPE and SPLIT, two or more in each MERGED. The predicted spans in them are what it did not accept: one in
    each INVENTED, FURNITURE, BOUNDARY, TYPE and MERGED, two or more in each SPLIT. CATEGORY is what it accepts in spite
    of its category.
    """

    MISSED = "missed"
    INVENTED = "invented"
    BOUNDARY = "boundary"
    TYPE = "type"
    CATEGORY = "category"
    SPLIT = "split"
    MERGED = "merged"
    FURNITURE = "furniture"


@dataclass(frozen=True, slots=True)
class SpanError:
    """One error: its article, its kind, and the gold and predicted spans that are in it, each in text order."""

    article: Article
    kind: ErrorKind
    gold: tuple[Span, ...]
    predicted: tuple[Span, ...]

    @property
    def type(self) -> str:
        """The gold spans' type, or that of an invented span."""
        return self._first.type

    @property
    def start(self) -> int:
        """Where the gold spans begin, or an invented span."""
        return self._first.start

    @property
    def _first(self) -> Span:
        return (self.gold or self.predicted)[0]


def find_errors(gold: Iterable[Annotated], *, predictions: Iterable[Tagged]) -> list[SpanError]:
    """Every error, by article id and in text order; an article without a prediction has all its gold missed.

    Spans of one type must not overlap on either side, which `score` checks.
    """
    given = {tagged.id: tagged.spans for tagged in predictions}
    ordered = sorted(gold, key=lambda annotated: annotated.id)
    return [error for annotated in ordered for error in _article_errors(annotated, given.get(annotated.id, ()))]


def errors_dict(errors: Sequence[SpanError], *, scheme: LabelScheme, show_text: bool = False) -> dict[str, Any]:
    """Errors as plain data: by type and kind, confusions, distances of boundaries, and a list with their texts.

    `types` and `total` count errors; `spans` counts the gold and the predicted spans in them, which add up to what
    strict scoring missed and refused as `ErrorKind` says. Boundaries are compared in BOUNDARY errors only, predicted
    minus gold in white-space words, where 0 means the same or within a word. The list is empty unless `show_text`:
    test articles are for the scorer alone.
    """
    by_type = Counter((error.type, error.kind) for error in errors)
    return {
        "types": {name: {kind.value: by_type[name, kind] for kind in ErrorKind} for name in scheme.type_names},
        "total": _by_kind(Counter(error.kind for error in errors)),
        "spans": {
            "gold": _by_kind(Counter(error.kind for error in errors for _ in error.gold)),
            "predicted": _by_kind(Counter(error.kind for error in errors for _ in error.predicted)),
        },
        "confusions": _confusions(errors),
        "boundary_offsets": _boundary_offsets(errors, scheme=scheme),
        "list": [_error_dict(error) for error in errors] if show_text else [],
    }


def worst_articles(
    errors: Iterable[SpanError], *, gold: Iterable[Annotated], predictions: Iterable[Tagged]
) -> list[dict[str, Any]]:
    """The articles with most errors, most first: ids, and counts and F1 by strict scoring; no text."""
    given = {tagged.id: tagged.spans for tagged in predictions}
    wanted = {annotated.id: annotated.spans for annotated in gold}
    ranked = sorted(Counter(error.article.id for error in errors).items(), key=lambda item: (-item[1], item[0]))
    return [
        {"id": name, "errors": count} | asdict(counts) | {"f1": counts.ratios.f1}
        for name, count in ranked[:MOST_WORST_ARTICLES]
        for counts in [_strict_counts(wanted[name], given.get(name, ()))]
    ]


_Wrong = tuple[ErrorKind, Sequence[Span], Sequence[Span]]


def _article_errors(annotated: Annotated, predicted: Sequence[Span]) -> list[SpanError]:
    pairs = match_groups(annotated.spans, predicted, key=lambda span: span.type)
    paired_gold, paired_given = [wanted for wanted, _ in pairs], [given for _, given in pairs]
    wanted, given = [[span] for span in paired_gold], [[span] for span in paired_given]
    missed = _join(_without(annotated.spans, paired_gold), groups=wanted, opposite=paired_given)
    invented = _join(_without(predicted, paired_given), groups=given, opposite=paired_gold)
    found = [*_wrong_groups(wanted, given), *_alone(missed, invented, body=annotated.body)]
    errors = [SpanError(annotated.article, kind, tuple(gold), tuple(wrong)) for kind, gold, wrong in found]
    return sorted(errors, key=lambda error: (error.start, error.type, error.kind))


def _without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    known = set(taken)
    return [span for span in spans if span not in known]


def _join(spans: Iterable[Span], *, groups: Sequence[list[Span]], opposite: Sequence[Span]) -> list[Span]:
    """Put each span into the group whose opposite span it overlaps, and give those that overlap none."""
    alone: list[Span] = []
    for span in spans:
        near = (place for place, other in enumerate(opposite) if other.type == span.type and other.overlaps(span))
        place = next(near, None)
        (alone if place is None else groups[place]).append(span)
    return alone


def _wrong_groups(gold: Iterable[list[Span]], predicted: Iterable[list[Span]]) -> Iterator[_Wrong]:
    for wanted, given in zip(map(sorted, gold), map(sorted, predicted), strict=True):
        if len(given) > 1:
            yield ErrorKind.SPLIT, wanted, given
        elif len(wanted) > 1:
            yield ErrorKind.MERGED, wanted, given
        elif not same_offsets((wanted[0], given[0])):
            yield ErrorKind.BOUNDARY, wanted, given
        elif wanted != given:
            yield ErrorKind.CATEGORY, wanted, given


def _alone(missed: Iterable[Span], invented: Iterable[Span], *, body: tuple[int, int] | None) -> Iterator[_Wrong]:
    """Spans of both sides with the same offsets are type errors, one to one in the order of their types' names."""
    unused = group_spans(sorted(invented, key=lambda span: span.type), key=lambda span: (span.start, span.end))
    for span in sorted(missed, key=lambda span: span.type):
        there = unused.get((span.start, span.end))
        yield (ErrorKind.TYPE, [span], [there.pop(0)]) if there else (ErrorKind.MISSED, [span], [])
    for span in (span for spans in unused.values() for span in spans):
        outside = body is not None and not (span.start < body[1] and body[0] < span.end)
        yield ErrorKind.FURNITURE if outside else ErrorKind.INVENTED, [], [span]


def _by_kind(counter: Mapping[ErrorKind, int]) -> dict[str, int]:
    return {kind.value: counter.get(kind, 0) for kind in ErrorKind}


def _confusions(errors: Iterable[SpanError]) -> list[dict[str, Any]]:
    """Gold and predicted type of every type error, gold and predicted category of every category error, counted."""
    counter: Counter[tuple[str, str, str]] = Counter()
    for error in errors:
        if error.kind is ErrorKind.TYPE:
            counter["type", error.gold[0].type, error.predicted[0].type] += 1
        elif error.kind is ErrorKind.CATEGORY:
            counter["category", str(error.gold[0].category), str(error.predicted[0].category)] += 1
    ranked = sorted(counter.items(), key=lambda entry: (-entry[1], entry[0]))
    return [
        {"kind": kind, "gold": gold, "predicted": predicted, "count": count}
        for (kind, gold, predicted), count in ranked
    ]


def _boundary_offsets(errors: Iterable[SpanError], *, scheme: LabelScheme) -> dict[str, dict[str, dict[str, int]]]:
    counter: Counter[tuple[str, str, int]] = Counter()
    for error in errors:
        if error.kind is ErrorKind.BOUNDARY:
            for edge, words in _edge_words(error.article.text, (error.gold[0], error.predicted[0])).items():
                counter[error.type, edge, max(-FARTHEST_WORDS, min(FARTHEST_WORDS, words))] += 1
    steps = range(-FARTHEST_WORDS, FARTHEST_WORDS + 1)
    return {
        name: {edge: {str(step): counter[name, edge, step] for step in steps} for edge in ("start", "end")}
        for name in scheme.type_names
    }


def _edge_words(text: str, pair: Pair) -> dict[str, int]:
    wanted, given = pair
    return {
        "start": _words_between(text, wanted.start, given.start),
        "end": _words_between(text, wanted.end - 1, given.end - 1),
    }


def _words_between(text: str, first: int, second: int) -> int:
    """How many white-space words begin after the one offset and up to the other, negative where `second` is first."""
    low, high = sorted((first, second))
    stretch = text[low : high + 1]
    words = len(stretch.split()) - (not stretch[0].isspace())
    return words if first <= second else -words


def _error_dict(error: SpanError) -> dict[str, Any]:
    text = error.article.text
    spans = (*error.gold, *error.predicted)
    start, end = _context(text, min(span.start for span in spans), max(span.end for span in spans))
    return {
        "article": error.article.id,
        "kind": error.kind.value,
        "gold": [span.to_dict(text) for span in error.gold],
        "predicted": [span.to_dict(text) for span in error.predicted],
        "context": {"start": start, "text": text[start:end]},
    }


def _context(text: str, start: int, end: int) -> tuple[int, int]:
    """A stretch of text around `start` to `end` that cuts no white-space word, save at the spans' own edges."""
    left, right = max(0, start - CONTEXT_CHARACTERS), min(len(text), end + CONTEXT_CHARACTERS)
    while 0 < left < start and not text[left - 1].isspace():
        left += 1
    while end < right < len(text) and not text[right].isspace():
        right -= 1
    return left, right


def _strict_counts(gold: Sequence[Span], predicted: Sequence[Span]) -> Counts:
    right = {place_of(span) for span in gold} & {place_of(span) for span in predicted}
    return Counts(len(right), len(predicted), len(gold))
