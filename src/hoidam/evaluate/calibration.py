"""Whether scores mean what they say: of the items with a score near 0.8, are four in five right?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hoidam.document import Annotated, Tagged
from hoidam.evaluate.items import ALL_CATEGORIES, Items, category_items, span_items
from hoidam.labels import LabelScheme

BINS = 10


def measure_calibration(
    gold: Sequence[Annotated],
    *,
    predictions: Sequence[Tagged],
    raw: Sequence[Tagged] | None = None,
    scheme: LabelScheme,
) -> dict[str, list[dict[str, Any]]]:
    """Reliability of span scores by type, and of article categories' scores, after and before calibration.

    `predictions` hold every candidate with the score that the model gives out, and `raw` the same candidates with the
    network's own; of a file that was tagged before, only what it holds can be judged, and nothing is known of before.
    A span is right where offsets, type and category are those of gold; an article's category where gold has it. Labels
    without any scored item are left out.
    """
    after = _items_by_label(gold, predictions, scheme)
    before = {} if raw is None else _items_by_label(gold, raw, scheme)
    rows = [
        {
            "label": label,
            "before": reliability(before[label]) if label in before else None,
            "after": reliability(items),
        }
        for label, items in after.items()
        if items.scores.size
    ]
    return {
        "spans": [row for row in rows if row["label"] != ALL_CATEGORIES],
        "categories": [row for row in rows if row["label"] == ALL_CATEGORIES],
    }


def reliability(items: Items) -> dict[str, Any]:
    """Ten bins of equal width, expected calibration error and Brier score, None where there is no item.

    A bin holds the scores above its lower bound up to its upper one, the first 0 too. The error is the mean distance
    between a bin's mean score and its share of right items, weighted by items (Naeini et al. 2015; Guo et al. 2017);
    the Brier score is the mean squared distance between score and 1 for right, 0 for wrong (Brier 1950).
    """
    edges = np.linspace(0, 1, BINS + 1)
    place = np.searchsorted(edges[1:-1], items.scores)
    sizes = np.bincount(place, minlength=BINS)
    scores = np.bincount(place, weights=items.scores, minlength=BINS)
    right = np.bincount(place, weights=items.right, minlength=BINS)
    count = len(items.scores)
    return {
        "ece": float(np.abs(scores - right).sum() / count) if count else None,
        "brier": float(np.mean((items.scores - items.right) ** 2)) if count else None,
        "items": count,
        "bins": [
            {
                "low": index / BINS,
                "high": (index + 1) / BINS,
                "items": int(size),
                "confidence": float(scores[index] / size) if size else None,
                "accuracy": float(right[index] / size) if size else None,
            }
            for index, size in enumerate(sizes)
        ],
    }


def _items_by_label(gold: Sequence[Annotated], predictions: Sequence[Tagged], scheme: LabelScheme) -> dict[str, Items]:
    return span_items(gold, predictions=predictions, scheme=scheme) | {
        ALL_CATEGORIES: category_items(gold, predictions=predictions)
    }
