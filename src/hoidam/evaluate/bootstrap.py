"""Percentile bootstrap intervals over articles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoidam.errors import DataError
from hoidam.evaluate.counts import Measure
from hoidam.evaluate.score import Scores

RESAMPLES = 10_000
"""Resamples of an interval, unless fewer are asked for."""
_CELLS = 1_000_000
"""Resampled indices held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a ratio, 0 to 1, and the number of resamples in which the ratio was defined."""

    low: float
    high: float
    resamples: int


@dataclass(frozen=True, slots=True)
class RatioIntervals:
    """Intervals of precision, recall and F1; None where no resample had anything to score."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


@dataclass(frozen=True, slots=True)
class TableIntervals:
    """Intervals of every row of a table, of its micro and of its macro average."""

    rows: Mapping[str, RatioIntervals]
    micro: RatioIntervals
    macro: RatioIntervals


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of every ratio in `Scores`, at `level` (0 to 1), from `resamples` resamples drawn with `seed`."""

    tables: Mapping[Measure, TableIntervals]
    category_rate: Interval | None
    span_rate: Interval | None
    resamples: int
    seed: int
    level: float


def bootstrap(scores: Scores, *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95) -> Intervals:
    """Percentile intervals (Efron and Tibshirani 1993, chapter 13) of all ratios, with the article as the unit.

    Articles are resampled and not spans, because the spans of one article are not independent. Every ratio is computed
    anew on each resample, the macro averages over the labels that the resample has; resamples in which a ratio is
    undefined are left out of its interval. With fewer than two articles every interval is None.

    Raises DataError where `resamples` is below 1, `seed` below 0, or `level` not between 0 and 1.
    """
    check_settings(resamples=resamples, seed=seed, level=level)
    counts = [count_array(scores, measure=measure) for measure in Measure]
    alarms = np.array([_alarms(scores)], dtype=np.float64).reshape(len(scores.articles), 1, 3)
    *tables, alarm_totals = _resampled([*counts, alarms], resamples=resamples, seed=seed)
    articles, with_category, with_span = alarm_totals[:, 0].T
    return Intervals(
        tables={
            measure: _table_intervals(totals, labels=measure.labels(scores.scheme), level=level)
            for measure, totals in zip(Measure, tables, strict=True)
        },
        category_rate=percentile_interval(divide(with_category, articles), level=level),
        span_rate=percentile_interval(divide(with_span, articles), level=level),
        resamples=resamples,
        seed=seed,
        level=level,
    )


def count_array(scores: Scores, *, measure: Measure) -> NDArray[np.float64]:
    """Counts by article as whole or half numbers, in the order of `scores.articles`.

    *Shape:* (articles, labels of the measure, 3), the last axis being correct, predicted, gold.
    """
    labels = {label: column for column, label in enumerate(measure.labels(scores.scheme))}
    array = np.zeros((len(scores.articles), len(labels), 3))
    for row, article in enumerate(scores.articles):
        for label, counts in article.counts[measure].items():
            array[row, labels[label]] = counts.correct, counts.predicted, counts.gold
    return array


def resample_indices(articles: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Which articles each resample holds, in chunks that fit in memory.

    *Shape:* (chunk, articles) each, `resamples` rows in all. Two runs over the same articles in the same order with the
    same seed resample alike, which is what a paired comparison of two models needs.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, _CELLS // max(1, articles))
    for start in range(0, resamples, rows):
        yield generator.integers(articles, size=(min(rows, resamples - start), articles))


def resample_weights(articles: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each resample of `resample_indices` (row) holds each article (column).

    *Shape:* (chunk, articles) each, `resamples` rows in all.
    """
    for indices in resample_indices(articles, resamples=resamples, seed=seed):
        cells = indices + np.arange(len(indices))[:, None] * articles
        counts = np.bincount(cells.ravel(), minlength=cells.size)
        yield counts.reshape(indices.shape).astype(np.float64)


def swaps(articles: int, *, trials: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Which articles are exchanged between two models in each trial: 1 or 0, either with probability one half.

    *Shape:* (chunk, articles) each, `trials` rows in all.
    """
    generator = np.random.default_rng([seed, 1])
    rows = max(1, _CELLS // max(1, articles))
    for start in range(0, trials, rows):
        yield generator.integers(2, size=(min(rows, trials - start), articles)).astype(np.float64)


def _resampled(arrays: Sequence[NDArray[np.float64]], *, resamples: int, seed: int) -> list[NDArray[np.float64]]:
    """Totals of each (articles, labels, 3) array in each resample: (resamples, labels, 3); exact, being halves."""
    articles = len(arrays[0])
    flat = np.concatenate([array.reshape(articles, array.shape[1] * 3) for array in arrays], axis=1)
    totals = np.zeros((0, flat.shape[1]))
    if articles >= 2:
        weights = resample_weights(articles, resamples=resamples, seed=seed)
        totals = np.concatenate([chunk @ flat for chunk in weights])
    edges = np.cumsum([array.shape[1] * 3 for array in arrays])[:-1]
    return [part.reshape(len(totals), part.shape[1] // 3, 3) for part in np.split(totals, edges, axis=1)]


def table_ratios(totals: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Precision, recall and F1 of tables of counts: of their rows, then micro and macro; NaN where undefined.

    The macro average is over the labels that a table has, a precision or recall without a denominator being 0 in it.
    *Shapes:* totals (tables, labels, 3); out three times (tables, labels + 2).
    """
    scored = (totals[..., 1:].sum(axis=2) > 0).sum(axis=1)
    with_micro = np.concatenate([totals, totals.sum(axis=1, keepdims=True)], axis=1)
    correct, predicted, gold = np.moveaxis(with_micro, -1, 0)
    ratios = divide(correct, predicted), divide(correct, gold), divide(2 * correct, predicted + gold)
    macros = (divide(np.nan_to_num(values[:, :-1]).sum(axis=1), scored) for values in ratios)
    return tuple(np.column_stack(pair) for pair in zip(ratios, macros, strict=True))


def _table_intervals(totals: NDArray[np.float64], *, labels: Sequence[str], level: float) -> TableIntervals:
    """*Shape:* totals (resamples, labels, 3)."""
    columns = zip(*(values.T for values in table_ratios(totals)), strict=True)
    *rows, micro, macro = (_ratio_intervals(values, level=level) for values in columns)
    return TableIntervals(rows=dict(zip(labels, rows, strict=True)), micro=micro, macro=macro)


def divide(part: NDArray[np.float64], whole: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """`part / whole`, NaN where `whole` is 0: there is nothing to score."""
    result = np.full(part.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _ratio_intervals(values: Sequence[NDArray[np.float64]], *, level: float) -> RatioIntervals:
    precision, recall, f1 = (percentile_interval(ratio, level=level) for ratio in values)
    return RatioIntervals(precision, recall, f1)


def percentile_interval(values: NDArray[np.float64], *, level: float) -> Interval | None:
    """The middle `level` of resampled values, those that are NaN left out; None where none is left."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), int(defined.size))


def _alarms(scores: Scores) -> list[tuple[int, int, int]]:
    alarms = (article.false_alarms for article in scores.articles)
    return [(alarm.articles, alarm.with_category, alarm.with_span) for alarm in alarms]


def check_settings(*, resamples: int, seed: int, level: float) -> None:
    """Raise DataError where `resamples` is below 1, `seed` below 0, or `level` not between 0 and 1."""
    if resamples < 1:
        raise DataError(f"found {resamples}", field="resamples", cure="Give 1 or more; 10000 is usual")
    if seed < 0:
        raise DataError(f"found {seed}", field="seed", cure="Give 0 or more")
    if not 0 < level < 1:
        raise DataError(f"found {level}", field="level", cure="Give a share between 0 and 1, such as 0.95")
