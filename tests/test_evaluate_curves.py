"""Precision and recall by threshold, against scikit-learn and against the scorer."""

import dataclasses
import random

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve
from test_evaluate_calibration import rescored
from test_evaluate_cases import SCHEME, random_case

from hoidam.evaluate import Measure, score
from hoidam.evaluate.curves import MOST_POINTS, curve, draw_curves, point_at
from hoidam.evaluate.items import Items


def random_items(seed, most=80):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, most))
    scores = rng.random(count).round(1 if seed % 2 else 6)
    right = rng.random(count) < scores
    return Items(scores, right, int(right.sum()) + int(rng.integers(0, 5)))


def test_the_curve_is_that_of_scikit_learn_with_gold_that_nothing_found_scored_lowest():
    for seed in range(1000):
        items = random_items(seed)
        missed = items.wanted - int(items.right.sum())
        truth = np.concatenate([items.right, np.ones(missed, dtype=bool)])
        points = curve(items)
        if not truth.any():
            assert [point["recall"] for point in points] == [None] * len(points)
            continue
        precision, recall, thresholds = precision_recall_curve(
            truth, np.concatenate([items.scores, np.full(missed, -1.0)])
        )
        kept = thresholds >= 0
        assert [point["threshold"] for point in points] == pytest.approx(thresholds[kept])
        assert [point["precision"] for point in points] == pytest.approx(precision[:-1][kept])
        assert [point["recall"] for point in points] == pytest.approx(recall[:-1][kept])


def test_a_long_curve_keeps_its_ends_and_falls_in_recall():
    rng = np.random.default_rng(1)
    scores = rng.random(5000)
    points = curve(Items(scores, rng.random(5000) < scores, 4000))
    assert len(points) == MOST_POINTS
    assert (points[0]["threshold"], points[-1]["threshold"]) == (scores.min(), scores.max())
    recalls = [point["recall"] for point in points]
    assert recalls == sorted(recalls, reverse=True)
    thresholds = [point["threshold"] for point in points]
    assert thresholds == sorted(set(thresholds))


def test_every_point_is_what_the_scorer_finds_of_what_reaches_its_threshold():
    for seed in range(100):
        rng = random.Random(seed)
        gold, given = random_case(seed)
        candidates = [rescored(one, rng.random) for one in given]
        thresholds = {"PERSON": 0.4, "MATTER": 0.5, "all categories": 0.95}
        for drawn in draw_curves(gold, candidates=candidates, thresholds=thresholds, scheme=SCHEME):
            label, points = drawn["label"], [*drawn["points"]]
            assert (drawn["operating"] is None) == (label not in thresholds)
            if drawn["operating"]:
                assert drawn["operating"]["threshold"] == thresholds[label]
                points.append(drawn["operating"])
            for point in points:
                kept = [above(one, point["threshold"]) for one in candidates]
                ratios = scored(gold, kept, drawn).ratios
                assert (point["precision"], point["recall"], point["f1"]) == (
                    ratios.precision,
                    ratios.recall,
                    ratios.f1,
                )


def above(tagged, threshold):
    return dataclasses.replace(
        tagged,
        spans=tuple(span for span in tagged.spans if span.score >= threshold),
        categories={name: value for name, value in tagged.categories.items() if value >= threshold},
    )


def scored(gold, predictions, drawn):
    scores = score(gold, predictions=predictions, scheme=SCHEME)
    if drawn["of"] == "categories":
        return scores.table(Measure.CATEGORIES).micro
    categorised = drawn["label"] in SCHEME.categorised_names
    return scores.table(Measure.STRICT_CATEGORY if categorised else Measure.STRICT).rows[drawn["label"]]


def test_a_threshold_that_nothing_reaches_has_no_precision():
    found = point_at(Items(np.array([0.5]), np.array([True]), 2), 0.6)
    assert found == {"threshold": 0.6, "precision": None, "recall": 0.0, "f1": 0.0}


def test_labels_without_a_candidate_have_no_curve():
    gold, _ = random_case(1)
    assert draw_curves(gold, candidates=[], thresholds={}, scheme=SCHEME) == []
