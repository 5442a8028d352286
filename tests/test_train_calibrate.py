"""Calibration: maps that keep order and range, fitted so that scores mean what they say."""

import dataclasses
import itertools
import math
import random

import numpy as np
import pytest
from test_train_run import random_dev

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.evaluate.calibration import reliability
from hoidam.evaluate.items import Items
from hoidam.labels import Category, LabelScheme, SpanType
from hoidam.predict import Calibration, Prediction, ScoreMap, Thresholds, logit
from hoidam.train.calibrate import LEAST_ITEMS, fit_calibration, fit_map

SCHEME = LabelScheme(types=(SpanType("A"), SpanType("B", categorised=True)), categories=(Category("X"), Category("Y")))


def random_map(rng):
    return ScoreMap(rng.choice([rng.uniform(0.01, 3), rng.uniform(3, 500)]), rng.uniform(-30, 30))


def items_of(scores, right):
    return Items(np.array(scores, dtype=float), np.array(right, dtype=bool), 0)


def drawn_items(rng, *, slope, intercept, count):
    """Scores, each right as often as a map of this slope and intercept says."""
    scores = [rng.betavariate(2, 1) for _ in range(count)]
    truth = ScoreMap(slope, intercept)
    return items_of(scores, [rng.random() < truth(score) for score in scores])


def test_a_map_keeps_scores_in_their_range_and_order():
    for seed in range(2000):
        rng = random.Random(seed)
        mapped = random_map(rng)
        scores = sorted([0.0, 1.0, 1e-300, *(rng.random() ** rng.choice([0.01, 1, 50]) for _ in range(40))])
        found = [mapped(score) for score in scores]
        assert all(0 <= score <= 1 for score in found)
        assert all(before <= after for before, after in itertools.pairwise(found))


def test_scores_that_differ_still_differ_where_the_map_is_not_steep():
    scores = [step / 1000 for step in range(1001)]
    found = [ScoreMap(1.7, -2.0)(score) for score in scores]
    assert all(before < after for before, after in itertools.pairwise(found))


def test_the_plain_map_leaves_scores_as_they_are():
    for step in range(1001):
        assert ScoreMap()(step / 1000) == pytest.approx(step / 1000, abs=2e-12)


@pytest.mark.parametrize(("slope", "intercept"), [(0, 0), (-1, 0), (math.inf, 0), (math.nan, 0), (1, math.inf)])
def test_a_map_that_loses_order_or_range_is_refused(slope, intercept):
    with pytest.raises(DataError, match="slope"):
        ScoreMap(slope, intercept)


def test_calibrated_predictions_keep_spans_categories_and_the_order_within_a_type():
    for seed in range(500):
        rng = random.Random(seed)
        _, predictions = random_dev(rng, SCHEME, 3)
        calibration = Calibration({"A": random_map(rng), "B": random_map(rng)}, random_map(rng))
        for before in predictions:
            after = before.calibrated(calibration)
            assert after.spans == before.spans
            assert list(after.categories) == list(before.categories)
            for name in SCHEME.type_names:
                assert ordered(*([span.score for span in one.spans if span.type == name] for one in (before, after)))
            assert ordered(list(before.categories.values()), list(after.categories.values()))


def ordered(before, after):
    """Whether no pair of scores has changed places; those that have become equal are not counted as changed."""
    pairs = itertools.combinations(range(len(before)), 2)
    return all((before[i] - before[j]) * (after[i] - after[j]) >= 0 for i, j in pairs)


def test_thresholds_are_compared_with_calibrated_scores():
    span = Span(0, 3, "A", score=0.4)
    calibration = Calibration({"A": ScoreMap(1.0, 1.0)}, ScoreMap(1.0, 2.0))
    raised = Prediction((span,), {"X": 0.2}, words=3).calibrated(calibration)
    assert raised.spans[0].score == pytest.approx(1 / (1 + np.exp(-(logit(0.4) + 1))))
    kept = raised.above(Thresholds({"A": 0.6}, categories=0.6))
    assert (len(kept.spans), list(kept.categories)) == (1, ["X"])


def test_the_fit_is_the_best_for_platts_targets():
    """At the least cross entropy, both of its derivatives are 0 (Platt 1999)."""
    for seed in range(100):
        rng = random.Random(seed)
        items = drawn_items(rng, slope=rng.uniform(0.5, 2), intercept=rng.uniform(-1, 1), count=rng.randint(200, 500))
        right, wrong = int(items.right.sum()), int((~items.right).sum())
        fitted = fit_map(items)
        if fitted == ScoreMap():
            assert min(right, wrong) < LEAST_ITEMS
            continue
        targets = np.where(items.right, (right + 1) / (right + 2), 1 / (wrong + 2))
        residuals = np.array([fitted(score) for score in items.scores]) - targets
        logits = np.array([logit(score) for score in items.scores])
        assert residuals.mean() == pytest.approx(0, abs=1e-6)
        assert (residuals * logits).mean() == pytest.approx(0, abs=1e-6)


def test_a_fit_finds_the_map_by_which_items_were_drawn_and_scores_then_mean_what_they_say():
    rng = random.Random(4)
    items = drawn_items(rng, slope=0.6, intercept=-1.5, count=20_000)
    fitted = fit_map(items)
    assert (fitted.slope, fitted.intercept) == (pytest.approx(0.6, abs=0.06), pytest.approx(-1.5, abs=0.06))
    fresh = drawn_items(rng, slope=0.6, intercept=-1.5, count=20_000)
    calibrated = dataclasses.replace(fresh, scores=np.array([fitted(score) for score in fresh.scores]))
    assert reliability(fresh)["ece"] > 0.2
    assert reliability(calibrated)["ece"] < 0.02


def test_scores_stay_where_there_are_too_few_items_to_tell_or_higher_ones_are_not_better():
    scores = [step / 40 for step in range(1, 40)]
    few = [step < LEAST_ITEMS - 1 for step in range(39)]
    assert fit_map(items_of(scores[::-1], few)) == ScoreMap()
    enough = [step < LEAST_ITEMS for step in range(39)]
    assert fit_map(items_of(scores[::-1], enough)) != ScoreMap()
    assert fit_map(items_of(scores, enough)) == ScoreMap(), "the lowest scores are right"
    assert fit_map(items_of([], [])) == ScoreMap()


def test_scores_that_tell_right_from_wrong_perfectly_get_a_finite_slope():
    fitted = fit_map(items_of([0.2] * 20 + [0.8] * 20, [False] * 20 + [True] * 20))
    assert 0.8 < fitted(0.8) < 1


def test_each_type_has_a_map_of_its_own_and_categories_one_together():
    gold, predictions = random_dev(random.Random(5), SCHEME, 60)
    candidates = [one.tagged(annotated.id) for annotated, one in zip(gold, predictions, strict=True)]
    found = fit_calibration(gold, candidates=candidates, scheme=SCHEME)
    assert set(found.spans) == {"A", "B"}
    for name in SCHEME.type_names:
        spans = [(span, span in annotated.spans) for annotated, one in zip(gold, predictions, strict=True)
                 for span in one.spans if span.type == name]  # fmt: skip
        assert found.spans[name] == fit_map(items_of([span.score for span, _ in spans], [right for _, right in spans]))
    pairs = [(score, name in annotated.categories) for annotated, one in zip(gold, predictions, strict=True)
             for name, score in one.categories.items()]  # fmt: skip
    assert found.categories == fit_map(items_of(*zip(*pairs, strict=True)))
    assert found.categories.slope > 0
    assert found.categories != ScoreMap()


def test_without_predictions_nothing_is_calibrated():
    gold = [Annotated(Article("a", "x"))]
    found = fit_calibration(gold, candidates=[Prediction((), {}, words=0).tagged("a")], scheme=SCHEME)
    assert found == Calibration({"A": ScoreMap(), "B": ScoreMap()}, ScoreMap())
