"""From gold and predictions to counts, article by article."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hoidam.document import Annotated, Span, Tagged
from hoidam.errors import DataError
from hoidam.evaluate.counts import ANY_TYPE, Counts, FalseAlarms, Measure, Reach, Table
from hoidam.evaluate.match import Pair, match_groups, same_offsets
from hoidam.labels import LabelScheme

UNREAD = "no prediction for the article"
"""Cause under which the gold of an article without a prediction is reported as unreachable."""


@dataclass(frozen=True, slots=True)
class ArticleScores:
    """The counts of one article: by measure and label (labels that occur), and by cause and type for unreachable gold.

    `read` is whether there is a prediction for the article, `gold_sha256` the hash of its text and gold.
    """

    id: str
    gold_sha256: str
    read: bool
    counts: Mapping[Measure, Mapping[str, Counts]]
    false_alarms: FalseAlarms
    unreachable: Mapping[tuple[str, str], Reach]


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts of every gold article, in the order of their ids, and their sums."""

    scheme: LabelScheme
    articles: tuple[ArticleScores, ...]

    def table(self, measure: Measure) -> Table:
        """Counts by label over all articles."""
        rows = dict.fromkeys(measure.labels(self.scheme), Counts())
        for article in self.articles:
            for label, counts in article.counts[measure].items():
                rows[label] += counts
        return Table(rows)

    @property
    def unread(self) -> tuple[str, ...]:
        """Ids of the gold articles without a prediction; all their gold counts as missed."""
        return tuple(article.id for article in self.articles if not article.read)

    @property
    def false_alarms(self) -> FalseAlarms:
        return sum((article.false_alarms for article in self.articles), FalseAlarms())

    @property
    def unreachable(self) -> dict[tuple[str, str], Reach]:
        """Gold that could not be reached, by cause and type."""
        total: defaultdict[tuple[str, str], Reach] = defaultdict(Reach)
        for article in self.articles:
            for key, reach in article.unreachable.items():
                total[key] += reach
        return dict(sorted(total.items()))


def score(
    gold: Sequence[Annotated],
    *,
    predictions: Sequence[Tagged],
    scheme: LabelScheme,
    unreachable: Mapping[str, Mapping[Span, str]] | None = None,
) -> Scores:
    """Compare predictions with gold by article id.

    A gold article without a prediction has all its gold missed and is listed as unread. `unreachable` gives, by article
    id, the gold spans that the model could not have found and the cause of each; they count as missed like any other
    and are reported by cause and type.

    Raises DataError on an id met twice, a prediction or cause for an article or span that gold does not have, a label
    outside the scheme, a span beyond the text, or two overlapping spans of one type.
    """
    wanted = {annotated.id: annotated for annotated in gold}
    given = {tagged.id: tagged for tagged in predictions}
    _check_ids([annotated.id for annotated in gold], known=wanted, what="gold")
    _check_ids([tagged.id for tagged in predictions], known=wanted, what="predictions")
    causes = unreachable or {}
    _check_ids(causes, known=wanted, what="unreachable")
    return Scores(
        scheme=scheme,
        articles=tuple(
            _score_article(wanted[name], tagged=given.get(name), scheme=scheme, causes=causes.get(name, {}))
            for name in sorted(wanted)
        ),
    )


def _score_article(
    annotated: Annotated, *, tagged: Tagged | None, scheme: LabelScheme, causes: Mapping[Span, str]
) -> ArticleScores:
    text = annotated.article.text
    predicted = () if tagged is None else tagged.spans
    labels = frozenset[str]() if tagged is None else frozenset(tagged.categories)
    for what, spans, categories in (("gold", annotated.spans, annotated.categories), ("prediction", predicted, labels)):
        _check_spans(spans, scheme=scheme, length=len(text), place=f"{what} of {annotated.id!r}")
        _check_categories(categories, scheme=scheme, place=f"{what} of {annotated.id!r}")
    _check_causes(causes, annotated)

    pairs = match_groups(annotated.spans, predicted, key=lambda span: span.type)
    by_category = _count(annotated.categories & labels, predicted=labels, gold=annotated.categories)
    return ArticleScores(
        id=annotated.id,
        gold_sha256=annotated.sha256,
        read=tagged is not None,
        counts=_span_counts(pairs, gold=annotated.spans, predicted=predicted) | {Measure.CATEGORIES: by_category},
        false_alarms=_false_alarms(annotated, tagged=tagged, scheme=scheme),
        unreachable=_unreachable(annotated, pairs=pairs, causes=causes, read=tagged is not None),
    )


def _span_counts(
    pairs: Sequence[Pair], *, gold: Sequence[Span], predicted: Sequence[Span]
) -> dict[Measure, dict[str, Counts]]:
    exact = [wanted for wanted, given in pairs if same_offsets((wanted, given))]
    exact_category = [wanted for wanted, given in pairs if wanted == given and wanted.category is not None]
    found = [wanted for wanted, _ in pairs]
    gold_category = [span for span in gold if span.category is not None]
    given_category = [span for span in predicted if span.category is not None]
    agreeing = match_groups(gold_category, given_category, key=lambda span: (span.type, span.category))
    found_category = [wanted for wanted, _ in agreeing]

    every = {"predicted": _types(predicted), "gold": _types(gold)}
    categorised = {"predicted": _types(given_category), "gold": _types(gold_category)}
    by_category = {"predicted": _categories(given_category), "gold": _categories(gold_category)}
    strict, overlap = _count(_types(exact), **every), _count(_types(found), **every)
    return {
        Measure.STRICT: strict,
        Measure.STRICT_CATEGORY: _count(_types(exact_category), **categorised),
        Measure.STRICT_BY_CATEGORY: _count(_categories(exact_category), **by_category),
        Measure.EXACT: _exact(gold, predicted),
        Measure.PARTIAL: {
            label: replace(counts, correct=(strict[label].correct + counts.correct) / 2)
            for label, counts in overlap.items()
        },
        Measure.OVERLAP: overlap,
        Measure.OVERLAP_CATEGORY: _count(_types(found_category), **categorised),
        Measure.OVERLAP_BY_CATEGORY: _count(_categories(found_category), **by_category),
    }


def _types(spans: Iterable[Span]) -> list[str]:
    return [span.type for span in spans]


def _categories(spans: Iterable[Span]) -> list[str]:
    return [span.category for span in spans if span.category is not None]


def _exact(gold: Sequence[Span], predicted: Sequence[Span]) -> dict[str, Counts]:
    """Offsets that both sides have, as often as both have them; no entry where neither has a span."""
    wanted, given = (Counter((span.start, span.end) for span in side) for side in (gold, predicted))
    counts = Counts((wanted & given).total(), len(predicted), len(gold))
    return {ANY_TYPE: counts} if counts.scored else {}


def _count(correct: Iterable[str], *, predicted: Iterable[str], gold: Iterable[str]) -> dict[str, Counts]:
    """Counts by label, from the labels of the correct, the predicted and the gold items."""
    right, given, wanted = Counter(correct), Counter(predicted), Counter(gold)
    return {label: Counts(right[label], given[label], wanted[label]) for label in sorted({*given, *wanted})}


def _false_alarms(annotated: Annotated, *, tagged: Tagged | None, scheme: LabelScheme) -> FalseAlarms:
    """Nothing where the scheme has no categories: then no article is known to be without cooperation."""
    cooperates = bool(annotated.categories) or any(span.category is not None for span in annotated.spans)
    if tagged is None or cooperates or not scheme.categorised_names:
        return FalseAlarms()
    return FalseAlarms(
        articles=1,
        with_category=int(bool(tagged.categories)),
        with_span=int(any(span.category is not None for span in tagged.spans)),
    )


def _unreachable(
    annotated: Annotated, *, pairs: Iterable[Pair], causes: Mapping[Span, str], read: bool
) -> dict[tuple[str, str], Reach]:
    known = causes if read else dict.fromkeys(annotated.spans, UNREAD) | dict(causes)
    exact = {wanted for wanted, given in pairs if same_offsets((wanted, given))}
    total: defaultdict[tuple[str, str], Reach] = defaultdict(Reach)
    for span, cause in known.items():
        total[cause, span.type] += Reach(gold=1, found=int(span in exact))
    return dict(total)


def _check_ids(ids: Iterable[str], *, known: Mapping[str, Annotated], what: str) -> None:
    seen: set[str] = set()
    for name in ids:
        if name not in known:
            raise DataError(
                f"no gold for article {name!r}", field=what, cure="Score against the gold of these articles"
            )
        if name in seen:
            raise DataError(f"article {name!r} occurs twice", field=what, cure="Keep one record an article")
        seen.add(name)


def _check_spans(spans: Sequence[Span], *, scheme: LabelScheme, length: int, place: str) -> None:
    last: dict[str, Span] = {}
    for span in sorted(spans, key=lambda span: span.start):
        if span.type not in scheme.type_names:
            raise DataError(
                f"unknown type {span.type!r}", field=place, cure=f"Types of this scheme: {', '.join(scheme.type_names)}"
            )
        allowed = scheme.category_names if span.type in scheme.categorised_names else (None,)
        if span.category not in allowed:
            raise DataError(
                f"{span.type} at {span.start} has category {span.category!r}",
                field=place,
                cure=f"Allowed: {', '.join(map(str, allowed))}",
            )
        if span.end > length:
            raise DataError(
                f"{span.type} at {span.start} to {span.end}, in a text of {length}",
                field=place,
                cure="Offsets count code points of the stored text",
            )
        before = last.get(span.type)
        if before is not None and before.overlaps(span):
            raise DataError(
                f"two {span.type} spans overlap at {span.start}",
                field=place,
                cure="Spans of one type never overlap: keep one",
            )
        last[span.type] = span


def _check_categories(names: Iterable[str], *, scheme: LabelScheme, place: str) -> None:
    for name in names:
        if name not in scheme.category_names:
            raise DataError(
                f"unknown category {name!r}", field=place, cure=f"Categories: {', '.join(scheme.category_names)}"
            )


def _check_causes(causes: Mapping[Span, str], annotated: Annotated) -> None:
    for span in causes.keys() - set(annotated.spans):
        raise DataError(
            f"{span.type} at {span.start} to {span.end} is not in the gold of {annotated.id!r}",
            field="unreachable",
            cure="Give causes for gold spans only",
        )
