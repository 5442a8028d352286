"""Two reports on the same gold: what they differ in, and whether that is evidence that one model is better."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoidam.errors import DataError
from hoidam.evaluate.bootstrap import (
    RESAMPLES,
    Interval,
    check_settings,
    percentile_interval,
    resample_weights,
    swaps,
    table_ratios,
)
from hoidam.evaluate.counts import Measure

FORMAT = "hoidam-comparison-1"
COMPARED = (Measure.STRICT, Measure.OVERLAP_CATEGORY, Measure.CATEGORIES)
"""Measures whose rows and averages are compared; of categories the averages alone, so that rows stay few."""

Values = NDArray[np.float64]
_ROUNDING = 1e-12
"""Differences that differ by less are the same: they come from the same counts, added in another order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """F1 of one row in both reports and B - A, -1 to 1; `p` as it is and corrected over all rows.

    Values are None where the row has nothing to score in a report.
    """

    measure: Measure
    label: str
    a: float | None
    b: float | None
    difference: float | None
    interval: Interval | None
    p: float | None
    corrected_p: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences over the articles that both reports have; `level` is 0 to 1."""

    articles: int
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    differences: tuple[Difference, ...]
    resamples: int
    seed: int
    level: float

    def is_evidence(self, row: Difference) -> bool:
        """Whether the interval excludes 0 and the corrected p-value is at most 1 - level."""
        return self._excludes_zero(row) and row.corrected_p is not None and row.corrected_p <= round(1 - self.level, 9)

    def sentences(self) -> Iterator[str]:
        """Measure by measure, what is evidence and what is none, in words."""
        for measure, rows in groupby(self.differences, key=lambda row: row.measure):
            yield from (f"{measure}: {words}" for words in self._words(list(rows)))

    @property
    def method(self) -> str:
        """How the figures came about, in words."""
        tested = sum(row.p is not None for row in self.differences)
        return (
            f"Intervals: paired bootstrap. p: approximate randomisation, corrected by Holm over {tested} rows; "
            f"both over articles, {self.resamples} times, seed {self.seed}. Evidence: the interval excludes 0 and the "
            f"corrected p is at most {1 - self.level:.2g}."
        )

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A table for a terminal, its header first."""
        yield ("score", "label", "A", "B", "B - A", f"{100 * self.level:g} % interval", "p", "p corrected")
        for row in self.differences:
            bounds = f"{row.interval.low:+.3f} to {row.interval.high:+.3f}" if row.interval else ""
            change = "–" if row.difference is None else f"{row.difference:+.3f}"
            values = ("–" if value is None else f"{value:.3f}" for value in (row.a, row.b))
            yield (row.measure.value, row.label, *values, change, bounds, _p(row.p), _p(row.corrected_p))

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "metric": "f1",
            "unit": "article",
            "articles": self.articles,
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "resamples": self.resamples,
            "seed": self.seed,
            "level": self.level,
            "rows": [asdict(row) | {"evidence": self.is_evidence(row)} for row in self.differences],
            "sentences": list(self.sentences()),
            "method": self.method,
        }

    def to_text(self) -> str:
        """`to_dict` as the text of a JSON file."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n"

    def _words(self, rows: Sequence[Difference]) -> Iterator[str]:
        evidence = [row for row in rows if self.is_evidence(row)]
        yield from (_finding(row) for row in evidence)
        rest = [row for row in rows if row not in evidence]
        doubtful = [row.label for row in rest if self._excludes_zero(row)]
        open_ = [row.label for row in rest if row.interval and not self._excludes_zero(row)]
        empty = [row.label for row in rest if not row.interval]
        if doubtful:
            limit = f"{1 - self.level:.2g}"
            yield (
                f"no evidence on {', '.join(doubtful)} once all rows are counted: "
                f"the interval excludes 0, but the corrected p is above {limit}"
            )
        if open_:
            yield f"no evidence of a difference on {', '.join(open_)}: the interval includes 0"
        if empty:
            yield f"not enough to compare on {', '.join(empty)}"

    @staticmethod
    def _excludes_zero(row: Difference) -> bool:
        return row.interval is not None and not row.interval.low <= 0 <= row.interval.high


def compare(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare two reports on the articles that both have, the article being the unit throughout.

    The interval of a difference is the percentile interval of a paired bootstrap: both models are scored on the same
    resampled articles (Efron and Tibshirani 1993). The p-value is that of approximate randomisation (Noreen 1989; Yeh
    2000), two-sided: under the hypothesis that the models are alike, either's counts on an article could be the
    other's, so both are exchanged at random article by article, and p is the share of such exchanges, the one observed
    among them, with a difference at least as large. Corrected p-values are Holm's (1979), over all rows compared.

    Raises DataError where the reports have other labels, no article in common, or other gold of an article, and on
    settings as `bootstrap` does.
    """
    check_settings(resamples=resamples, seed=seed, level=level)
    _check_labels(a, b)
    ours, theirs = ({article["id"]: article for article in report["per_article"]} for report in (a, b))
    common = sorted(ours.keys() & theirs.keys())
    _check_articles(common, ours, theirs)
    rows = _Rows(a)
    first, second = (rows.counts([side[name] for name in common]) for side in (ours, theirs))
    values_a, values_b = (rows.f1(counts.sum(axis=0, keepdims=True))[0] for counts in (first, second))
    observed = values_b - values_a
    drawn, exchanged = np.zeros((0, len(observed))), np.zeros((0, len(observed)))
    if len(common) >= 2:
        drawn = _resampled(first, second, rows, resamples=resamples, seed=seed)
        exchanged = _exchanged(first, second, rows, trials=resamples, seed=seed)
    p = [_p_value(value, exchanged[:, column]) for column, value in enumerate(observed)]
    return Comparison(
        articles=len(common),
        only_a=tuple(sorted(ours.keys() - theirs.keys())),
        only_b=tuple(sorted(theirs.keys() - ours.keys())),
        differences=tuple(
            Difference(
                measure=measure,
                label=label,
                a=_defined(values_a[column]),
                b=_defined(values_b[column]),
                difference=_defined(observed[column]),
                interval=None if np.isnan(observed[column]) else percentile_interval(drawn[:, column], level=level),
                p=p[column],
                corrected_p=corrected,
            )
            for column, ((measure, label), corrected) in enumerate(zip(rows.names, holm(p), strict=True))
        ),
        resamples=resamples,
        seed=seed,
        level=level,
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (1979): valid however the tests depend on each other. None stays None."""
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, index) in enumerate(tested):
        least = max(least, min(1.0, (len(tested) - rank) * p))
        corrected[index] = least
    return corrected


class _Rows:
    """The rows that are compared: labels of each measure as the report has them, and the averages."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self._labels = {measure: list(report["measures"][measure]["rows"]) for measure in COMPARED}
        self._kept = {measure: self._columns(measure) for measure in COMPARED}

    def _columns(self, measure: Measure) -> list[int]:
        """Columns of `table_ratios` that are compared: an only row without its averages."""
        labels = len(self._labels[measure])
        if labels < 2:
            return list(range(labels))
        return [labels, labels + 1] if measure is Measure.CATEGORIES else list(range(labels + 2))

    @property
    def names(self) -> list[tuple[Measure, str]]:
        return [
            (measure, [*self._labels[measure], "micro", "macro"][column])
            for measure in COMPARED
            for column in self._kept[measure]
        ]

    def counts(self, articles: Sequence[Mapping[str, Any]]) -> Values:
        """*Shape:* (articles, labels of all measures, 3), the last axis being correct, predicted, gold."""
        cells = [
            [
                article["measures"].get(measure.value, {}).get(label, (0, 0, 0))
                for measure, labels in self._labels.items()
                for label in labels
            ]
            for article in articles
        ]
        return np.array(cells, dtype=np.float64).reshape(len(articles), sum(map(len, self._labels.values())), 3)

    def f1(self, totals: Values) -> Values:
        """*Shapes:* totals (tables, labels of all measures, 3); out (tables, rows)."""
        edges = np.cumsum([len(labels) for labels in self._labels.values()])[:-1]
        tables = zip(COMPARED, np.split(totals, edges, axis=1), strict=True)
        return np.concatenate([table_ratios(table)[2][:, self._kept[measure]] for measure, table in tables], axis=1)


def _resampled(first: Values, second: Values, rows: _Rows, *, resamples: int, seed: int) -> Values:
    """Differences on the same resampled articles. *Shape:* (resamples, rows)."""
    weights = resample_weights(len(first), resamples=resamples, seed=seed)
    return np.concatenate([rows.f1(_weighted(chunk, second)) - rows.f1(_weighted(chunk, first)) for chunk in weights])


def _exchanged(first: Values, second: Values, rows: _Rows, *, trials: int, seed: int) -> Values:
    """Differences after exchanging both models' counts in some articles. *Shape:* (trials, rows)."""
    sum_first, sum_second, gain = first.sum(axis=0), second.sum(axis=0), second - first
    found = []
    for chunk in swaps(len(first), trials=trials, seed=seed):
        moved = _weighted(chunk, gain)
        found.append(rows.f1(sum_second - moved) - rows.f1(sum_first + moved))
    return np.concatenate(found)


def _weighted(weights: Values, counts: Values) -> Values:
    """*Shapes:* weights (rows, articles), counts (articles, labels, 3); out (rows, labels, 3)."""
    return (weights @ counts.reshape(len(counts), -1)).reshape(len(weights), *counts.shape[1:])


def _p_value(observed: float, exchanged: Values) -> float | None:
    """An exchange that leaves a side nothing to score counts as no less extreme, so that it never makes evidence."""
    if np.isnan(observed) or not exchanged.size:
        return None
    less = np.abs(exchanged) < abs(observed) - _ROUNDING
    return float((np.count_nonzero(~less) + 1) / (exchanged.size + 1))


def _check_labels(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    for measure in COMPARED:
        ours, theirs = (list(report["measures"][measure]["rows"]) for report in (a, b))
        if ours != theirs:
            raise DataError(
                f"A has {', '.join(ours) or 'no labels'}, B has {', '.join(theirs) or 'no labels'}",
                field=measure,
                cure="Compare reports of one label scheme",
            )


def _check_articles(common: Sequence[str], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    if not common:
        raise DataError("the reports have no article in common", cure="Compare reports on the same gold")
    for name in common:
        if ours[name]["gold_sha256"] != theirs[name]["gold_sha256"]:
            raise DataError(
                f"the text or gold of article {name!r} is not the same in both reports",
                cure="Score both models on the same gold",
            )


def _finding(row: Difference) -> str:
    if row.difference is None or row.interval is None:
        raise ValueError("a row without a difference is no finding")
    better, worse, sign = ("B", "A", 1) if row.difference > 0 else ("A", "B", -1)
    low, high = sorted((sign * row.interval.low, sign * row.interval.high))
    return (
        f"{better} is better than {worse} on {row.label} by {abs(row.difference):.3f} "
        f"({low:.3f} to {high:.3f}), corrected p {_p(row.corrected_p, equals='= ')}: evidence"
    )


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _p(value: float | None, *, equals: str = "") -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{equals}{value:.3f}"
