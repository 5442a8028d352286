"""Calibration fitted on dev: a span's score becomes the share of such spans that are right."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from hoidam.document import Annotated, Tagged
from hoidam.evaluate.items import Items, category_items, span_items
from hoidam.labels import LabelScheme
from hoidam.predict import Calibration, ScoreMap, logit

LEAST_ITEMS = 10
"""Right items, and wrong ones, below which scores are left as they are."""


def fit_calibration(gold: Sequence[Annotated], *, candidates: Sequence[Tagged], scheme: LabelScheme) -> Calibration:
    """A map for the spans of each type and one for all categories, from every candidate with the network's score."""
    spans = span_items(gold, predictions=candidates, scheme=scheme)
    return Calibration(
        spans={name: fit_map(items) for name, items in spans.items()},
        categories=fit_map(category_items(gold, predictions=candidates)),
    )


def fit_map(items: Items) -> ScoreMap:
    """Platt scaling (Platt 1999): logistic regression on the logit, with targets just short of 1 and 0.

    Scores stay where there are too few items to tell, or where higher scores are not more often right.
    """
    right = int(items.right.sum())
    wrong = len(items.right) - right
    if min(right, wrong) < LEAST_ITEMS:
        return ScoreMap()
    # Platt's targets: without them, scores that tell right from wrong perfectly would ask for an endless slope.
    targets = np.where(items.right, (right + 1) / (right + 2), 1 / (wrong + 2))
    logits = np.array([[logit(score)] for score in items.scores])
    regression = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(
        np.concatenate([logits, logits]),
        np.repeat([1, 0], len(targets)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    slope, intercept = float(regression.coef_[0, 0]), float(regression.intercept_[0])
    return ScoreMap(slope, intercept) if slope > 0 else ScoreMap()
