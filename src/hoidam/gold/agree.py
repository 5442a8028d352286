"""How far two annotators of the same articles agree."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoidam.document import Annotated, Span
from hoidam.errors import DataError
from hoidam.labels import LabelScheme

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure of agreement with its percentile bootstrap interval; None where nothing is there to agree on.

    F1 is 0 to 1, kappa -1 to 1 with 0 for what chance would give.
    """

    value: float | None
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement over the articles that both annotators have; each mapping has a row for each label and `all`."""

    articles: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    strict: Mapping[str, Estimate]
    """F1 of spans with the same offsets and type, by type; the category does not count."""
    overlap: Mapping[str, Estimate]
    """F1 of spans of one type that share a code point, one to one, by type."""
    kappa: Mapping[str, Estimate]
    """Cohen's kappa of whether an article has a category, by category; `all` pools the decisions."""
    resamples: int
    seed: int
    level: float

    def to_dict(self) -> dict[str, Any]:
        tables = {"strict": self.strict, "overlap": self.overlap, "kappa": self.kappa}
        return {
            "articles": self.articles,
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
            **{name: {row: found.to_dict() for row, found in table.items()} for name, table in tables.items()},
            "resamples": self.resamples,
            "seed": self.seed,
            "level": self.level,
        }


def agree(
    first: Sequence[Annotated],
    second: Sequence[Annotated],
    *,
    scheme: LabelScheme,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Agreement:
    """Compare two annotators article by article; F1 is the same whichever of them is called gold.

    Chance-corrected agreement on categories is Cohen's (1960); on spans chance plays no part, since nearly every
    stretch is none (Hripcsak and Rothschild 2005). Intervals resample articles.

    Raises DataError where they share no article, or where a shared article's texts differ.
    """
    if resamples < 1 or not 0 < level < 1:
        raise DataError(f"found {resamples} and {level}", field="resamples, level", cure="Give 1000 and 0.95 or so")
    pairs = shared(first, second)
    weights = _weights(len(pairs), resamples=resamples, seed=seed)

    def estimates(names: Sequence[str], counts: Values, measure: Callable[[Values], Values]) -> dict[str, Estimate]:
        return {
            name: _estimate(counts[:, columns], weights, measure, level)
            for name, columns in [*((name, [at]) for at, name in enumerate(names)), ("all", list(range(len(names))))]
        }

    ids = {one.id for one, _ in pairs}
    return Agreement(
        articles=len(pairs),
        only_first=tuple(one.id for one in first if one.id not in ids),
        only_second=tuple(one.id for one in second if one.id not in ids),
        strict=estimates(scheme.type_names, _span_counts(pairs, scheme, _same), _f1),
        overlap=estimates(scheme.type_names, _span_counts(pairs, scheme, _overlapping), _f1),
        kappa=estimates(scheme.category_names, _category_counts(pairs, scheme), _kappa) if scheme.categories else {},
        resamples=resamples,
        seed=seed,
        level=level,
    )


Pairs = Sequence[tuple[Annotated, Annotated]]


def shared(first: Iterable[Annotated], second: Iterable[Annotated]) -> list[tuple[Annotated, Annotated]]:
    """The articles that both annotators have, in the first's order; raises DataError as `agree` does."""
    others = {one.id: one for one in second}
    pairs = [(one, others[one.id]) for one in first if one.id in others]
    if not pairs:
        raise DataError("the two annotators share no article", cure="Give two gold files over the same articles")
    for one, other in pairs:
        if one.article.sha256 != other.article.sha256:
            raise DataError(f"{one.id!r} has two texts", field="text", cure="Annotate one text of each article")
    return pairs


def _span_counts(pairs: Pairs, scheme: LabelScheme, match: Callable[[Sequence[Span], Sequence[Span]], int]) -> Values:
    """*Shape:* (articles, types, 3), the last axis being matched, first's spans, second's spans."""
    counts = np.zeros((len(pairs), len(scheme.type_names), 3))
    for (row, pair), (column, name) in itertools.product(enumerate(pairs), enumerate(scheme.type_names)):
        one, other = (sorted(span for span in side.spans if span.type == name) for side in pair)
        counts[row, column] = match(one, other), len(one), len(other)
    return counts


def _same(first: Sequence[Span], second: Sequence[Span]) -> int:
    return len({(span.start, span.end) for span in first} & {(span.start, span.end) for span in second})


def _overlapping(first: Sequence[Span], second: Sequence[Span]) -> int:
    """The largest number of pairs that overlap, each span in one; one sweep finds it, as no side overlaps itself."""
    pairs = at = 0
    for span in first:
        while at < len(second) and second[at].end <= span.start:
            at += 1
        if at < len(second) and second[at].overlaps(span):
            pairs, at = pairs + 1, at + 1
    return pairs


def _category_counts(pairs: Pairs, scheme: LabelScheme) -> Values:
    """*Shape:* (articles, categories, 4), the last axis marking both, first alone, second alone or neither."""
    counts = np.zeros((len(pairs), len(scheme.category_names), 4))
    for (row, (one, other)), (column, name) in itertools.product(enumerate(pairs), enumerate(scheme.category_names)):
        counts[row, column, 2 * (name not in one.categories) + (name not in other.categories)] = 1
    return counts


def _weights(articles: int, *, resamples: int, seed: int) -> Values:
    """How often each resample holds each article. *Shape:* (resamples, articles)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(articles, np.full(articles, 1 / articles), size=resamples).astype(np.float64)


def _estimate(counts: Values, weights: Values, measure: Callable[[Values], Values], level: float) -> Estimate:
    """*Shape:* counts (articles, labels, cells), weights (resamples, articles)."""
    totals = counts.sum(axis=1)
    value = float(measure(totals.sum(axis=0)[None])[0])
    drawn = measure(weights @ totals)
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not drawn.size:
        return Estimate(None if np.isnan(value) else value, None, None)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))


def _f1(totals: Values) -> Values:
    """*Shape:* totals (rows, 3) of matched, first, second."""
    matched, first, second = totals.T
    return _divide(2 * matched, first + second)


def _kappa(totals: Values) -> Values:
    """*Shape:* totals (rows, 4) of both, first alone, second alone, neither; NaN where chance alone agrees wholly."""
    both, first, second, neither = totals.T
    cases = totals.sum(axis=1)
    observed = _divide(both + neither, cases)
    chance = _divide((both + first) * (both + second) + (neither + first) * (neither + second), cases**2)
    return _divide(observed - chance, 1 - chance)


def _divide(part: Values, whole: Values) -> Values:
    quotient: Values = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return quotient
