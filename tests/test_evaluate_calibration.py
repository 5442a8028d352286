"""Calibration of scores, against scikit-learn and against counts by hand."""

import dataclasses
import random

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from test_evaluate_cases import SCHEME, annotated, random_case

from hoidam.document import Span, Tagged
from hoidam.evaluate.calibration import measure_calibration, reliability
from hoidam.evaluate.items import Items


def random_items(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 200))
    scores = rng.random(count) ** rng.choice([0.3, 1, 3])
    if seed % 3 == 0:
        scores = scores.round(1)
    return Items(scores, rng.random(count) < scores, count)


def test_bins_and_brier_score_are_those_of_scikit_learn():
    for seed in range(1000):
        items = random_items(seed)
        found = reliability(items)
        filled = [row for row in found["bins"] if row["items"]]
        accuracy, confidence = calibration_curve(items.right, items.scores, n_bins=10, strategy="uniform")
        assert [row["accuracy"] for row in filled] == pytest.approx(accuracy, abs=1e-12)
        assert [row["confidence"] for row in filled] == pytest.approx(confidence, abs=1e-12)
        assert found["brier"] == pytest.approx(brier_score_loss(items.right, items.scores), abs=1e-12)
        assert [(row["low"], row["high"]) for row in found["bins"]] == [
            (step / 10, (step + 1) / 10) for step in range(10)
        ]
        assert sum(row["items"] for row in found["bins"]) == found["items"] == len(items.scores)


def test_the_expected_calibration_error_is_the_weighted_mean_distance_counted_one_by_one():
    for seed in range(1000):
        items = random_items(seed)
        error = 0.0
        for step in range(10):
            low, high = step / 10, (step + 1) / 10
            here = [
                (score, right)
                for score, right in zip(items.scores.tolist(), items.right.tolist(), strict=True)
                if low < score <= high or (step == 0 and score == 0)
            ]
            if here:
                confidence = sum(score for score, _ in here) / len(here)
                accuracy = sum(right for _, right in here) / len(here)
                error += len(here) / len(items.scores) * abs(confidence - accuracy)
        assert reliability(items)["ece"] == pytest.approx(error, abs=1e-12)


def test_scores_that_mean_what_they_say_have_no_error_and_boasting_ones_have_all_of_it():
    fair = Items(np.full(10, 0.8), np.arange(10) < 8, 8)
    assert reliability(fair)["ece"] == pytest.approx(0)
    boasting = Items(np.ones(10), np.zeros(10, dtype=bool), 0)
    assert reliability(boasting)["ece"] == reliability(boasting)["brier"] == 1


def test_nothing_scored_is_none_and_not_0():
    found = reliability(Items(np.zeros(0), np.zeros(0, dtype=bool), 3))
    assert (found["ece"], found["brier"], found["items"]) == (None, None, 0)
    assert all(row["confidence"] is row["accuracy"] is None for row in found["bins"])


def test_a_span_is_right_with_offsets_type_and_category_and_a_category_where_the_article_has_it():
    gold = [annotated("a", Span(0, 5, "MATTER", "RED"), Span(0, 5, "SITE"), categories=["RED"]), annotated("b")]
    spans = (
        Span(0, 5, "MATTER", "BLUE", 0.75),
        Span(6, 9, "MATTER", "RED", 0.75),
        Span(0, 5, "SITE", score=0.95),
        Span(7, 9, "SITE"),
    )
    given = [Tagged("a", "", spans, {"RED": 0.95, "BLUE": 0.05}, ""), Tagged("b", "", (), {"RED": 0.75}, "")]
    found = measure_calibration(gold, predictions=given, scheme=SCHEME)
    assert [row["label"] for row in found["spans"]] == ["SITE", "MATTER"]
    site, matter = (row["after"] for row in found["spans"])
    assert (site["items"], site["bins"][9]["accuracy"]) == (1, 1), "a span without a score is no item"
    assert (matter["items"], matter["bins"][7]["accuracy"], matter["bins"][7]["confidence"]) == (2, 0, 0.75)
    (categories,) = found["categories"]
    assert categories["label"] == "all categories"
    assert [(row["items"], row["accuracy"]) for row in categories["after"]["bins"] if row["items"]] == [
        (1, 0),
        (1, 0),
        (1, 1),
    ]


def rescored(tagged, score):
    """A prediction with every score replaced by a call of `score`."""
    spans = tuple(dataclasses.replace(span, score=score()) for span in tagged.spans)
    return dataclasses.replace(tagged, spans=spans, categories={name: score() for name in tagged.categories})


def test_before_is_there_only_where_raw_scores_are_given():
    rng = random.Random(2)
    gold, given = random_case(3)
    predictions, raw_scores = ([rescored(one, rng.random) for one in given] for _ in range(2))
    alone = measure_calibration(gold, predictions=predictions, scheme=SCHEME)
    both = measure_calibration(gold, predictions=predictions, raw=raw_scores, scheme=SCHEME)
    raw_alone = measure_calibration(gold, predictions=raw_scores, scheme=SCHEME)
    assert alone["spans"]
    assert alone["categories"]
    for kind in ("spans", "categories"):
        assert [row["before"] for row in alone[kind]] == [None] * len(alone[kind])
        assert [row["after"] for row in both[kind]] == [row["after"] for row in alone[kind]]
        assert [row["before"] for row in both[kind]] == [row["after"] for row in raw_alone[kind]]


def test_labels_without_a_scored_item_are_left_out():
    rng = random.Random(1)
    found = measure_calibration([annotated("a")], predictions=[], scheme=SCHEME)
    assert found == {"spans": [], "categories": []}
    given = [Tagged("a", "", (Span(0, 5, "SITE", score=rng.random()),), {}, "")]
    found = measure_calibration([annotated("a")], predictions=given, scheme=SCHEME)
    assert [row["label"] for row in found["spans"]] == ["SITE"]
