"""Precision and recall at every threshold, and where the thresholds in use lie."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hoidam.document import Annotated, Tagged
from hoidam.evaluate.items import ALL_CATEGORIES, Items, category_items, span_items
from hoidam.labels import LabelScheme

MOST_POINTS = 101


def draw_curves(
    gold: Sequence[Annotated],
    *,
    candidates: Sequence[Tagged],
    thresholds: Mapping[str, float],
    scheme: LabelScheme,
) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each span type and of the categories, by the score that is asked for.

    `candidates` hold everything that the model found, before any threshold, with the scores that thresholds are
    compared with. A span is right where offsets, type and category are those of gold. `thresholds`, by span type and
    under `ALL_CATEGORIES`, give the operating points; a label without one has none. An article's threshold, which holds
    back more, is not seen here. Labels without any scored item are left out.
    """
    spans = span_items(gold, predictions=candidates, scheme=scheme)
    labelled = [("spans", label, items) for label, items in spans.items()]
    labelled.append(("categories", ALL_CATEGORIES, category_items(gold, predictions=candidates)))
    return [
        {
            "of": of,
            "label": label,
            "points": curve(items),
            "operating": point_at(items, thresholds[label]) if label in thresholds else None,
        }
        for of, label, items in labelled
        if items.scores.size
    ]


def curve(items: Items) -> list[dict[str, Any]]:
    """The points at the scores that occur, lowest first, so that recall falls; evenly chosen where they are many."""
    scores = np.unique(items.scores)
    chosen = np.linspace(0, len(scores) - 1, min(len(scores), MOST_POINTS)).round().astype(int)
    return [point_at(items, float(scores[index])) for index in chosen]


def point_at(items: Items, threshold: float) -> dict[str, Any]:
    """Precision, recall and F1 of the items whose score is `threshold` or more; None as in `Counts.ratios`."""
    return {"threshold": threshold} | asdict(items.counts(threshold).ratios)
