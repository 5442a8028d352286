"""How well an article's categories are chosen as a set and ranked by their scores, with intervals over articles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoidam.document import Annotated, Tagged
from hoidam.evaluate.bootstrap import RESAMPLES, Interval, divide, percentile_interval, resample_weights
from hoidam.labels import LabelScheme

Values = NDArray[np.float64]

NAMES = (
    "subset_accuracy",
    "hamming_loss",
    "label_ranking_average_precision",
    "coverage_error",
    "mean_average_precision",
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; both None where there is no article to compute it from."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The number of articles and, by name, what their categories' sets and scores are worth.

    `subset_accuracy`: share of articles whose set is right (0 to 1). `hamming_loss`: share of wrong decisions over all
    articles and categories (0 to 1, less is better). `label_ranking_average_precision` (above 0, to 1) and
    `coverage_error` (how far down the ranking the last right category stands, mean over articles; less is better):
    Tsoumakas, Katakis and Vlahavas 2010. `mean_average_precision`: average precision by category, mean over those that
    some articles have and others have not (0 to 1). All as scikit-learn defines them.
    """

    articles: int
    values: Mapping[str, Estimate]


def rank_categories(
    gold: Sequence[Annotated],
    *,
    predictions: Sequence[Tagged],
    scheme: LabelScheme,
    candidates: Sequence[Tagged] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Ranking | None:
    """Score the categories of every gold article; None where the scheme has none.

    What is given out is decided by `predictions`; ranks come from `candidates`, the scores before any threshold, or
    where those are not at hand from `predictions`, in which categories below their threshold are absent and count as 0.
    Intervals resample articles as `bootstrap` does with the same seed.
    """
    if not scheme.categories:
        return None
    gold = sorted(gold, key=lambda annotated: annotated.id)
    names = scheme.category_names
    truth = np.array([[name in one.categories for name in names] for one in gold], dtype=bool)
    truth = truth.reshape(len(gold), len(names))
    given = _scores(gold, predictions, names)
    scores = np.nan_to_num(given if candidates is None else _scores(gold, candidates, names))
    by_article = article_values(truth, given=~np.isnan(given), scores=scores)

    def values(weights: Values) -> Values:
        means = divide(weights @ by_article, weights.sum(axis=1, keepdims=True))
        return np.column_stack([means, mean_average_precision(truth, scores, weights)])

    drawn = [np.zeros((0, len(NAMES)))]
    if len(gold) >= 2:
        drawn += map(values, resample_weights(len(gold), resamples=resamples, seed=seed))
    (point,) = values(np.ones((1, len(gold))))
    bounds = np.concatenate(drawn)
    return Ranking(
        len(gold),
        {
            name: Estimate(
                None if np.isnan(point[column]) else float(point[column]),
                percentile_interval(bounds[:, column], level=level),
            )
            for column, name in enumerate(NAMES)
        },
    )


def article_values(truth: NDArray[np.bool_], *, given: NDArray[np.bool_], scores: Values) -> Values:
    """The first four of NAMES for each article; an article with all categories or none is ranked perfectly.

    *Shapes:* truth, given and scores (articles, categories); out (articles, 4).
    """
    wrong = truth != given
    above = scores[:, None, :] >= scores[:, :, None]
    ranks = above.sum(axis=2)
    precision = (above & truth[:, None, :]).sum(axis=2) / np.maximum(ranks, 1)
    relevant = truth.sum(axis=1)
    undecided = (relevant == 0) | (relevant == truth.shape[1])
    mean_precision = np.where(truth, precision, 0).sum(axis=1) / np.maximum(relevant, 1)
    return np.stack(
        [
            ~wrong.any(axis=1),
            wrong.mean(axis=1),
            np.where(undecided, 1.0, mean_precision),
            np.where(truth, ranks, 0).max(axis=1, initial=0),
        ],
        axis=1,
    ).astype(np.float64)


def mean_average_precision(truth: NDArray[np.bool_], scores: Values, weights: Values) -> Values:
    """Mean over categories of the average precision of articles taken as often as each row of `weights` says.

    Categories that all or none of the articles of a row have are left out of its mean; NaN where no category is left.
    *Shapes:* truth and scores (articles, categories); weights (rows, articles); out (rows).
    """
    by_article = np.ascontiguousarray(weights.T)
    values = np.stack([_average_precision(*column, by_article) for column in zip(truth.T, scores.T, strict=True)])
    return divide(np.nan_to_num(values).sum(axis=0), (~np.isnan(values)).sum(axis=0))


def _average_precision(truth: NDArray[np.bool_], scores: Values, weights: Values) -> Values:
    """Mean over the articles that have the category of the precision down to their score; NaN without both kinds.

    Articles with the same score count as one step of the ranking. *Shapes:* truth and scores (articles); weights
    (articles, rows), rows last because sums run over articles; out (rows).
    """
    if truth.all() or not truth.any():
        return np.full(weights.shape[1], np.nan)
    order = np.argsort(-scores, kind="stable")
    steps = np.cumsum(np.diff(scores[order], prepend=np.inf) != 0)
    places = np.flatnonzero(truth[order])
    gained = weights[order[places]]
    right = np.cumsum(gained, axis=0)[_last_of_step(steps[places])]
    taken = np.cumsum(weights[order], axis=0)[_last_of_step(steps)[places]]
    precision = np.divide(right, taken, out=np.zeros_like(right), where=taken > 0)
    positive, every = gained.sum(axis=0), weights.sum(axis=0)
    return divide((precision * gained).sum(axis=0), np.where(positive < every, positive, 0))


def _last_of_step(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each place in a ranking, the last place with the same score."""
    return np.searchsorted(steps, steps, side="right") - 1


def _scores(gold: Sequence[Annotated], tagged: Sequence[Tagged], names: Sequence[str]) -> Values:
    """Scores of the categories of each gold article, NaN where there is none. *Shape:* (articles, categories)."""
    by_id = {one.id: one.categories for one in tagged}
    rows = [[by_id.get(one.id, {}).get(name, np.nan) for name in names] for one in gold]
    return np.array(rows, dtype=np.float64).reshape(len(gold), len(names))
