import random

import numpy as np
import pytest
from sklearn import config_context, metrics
from test_evaluate_bootstrap import assert_interval
from test_evaluate_cases import FLAT, SCHEME, annotated

from hoidam.document import Tagged
from hoidam.evaluate import rank_categories, resample_indices
from hoidam.labels import Category, LabelScheme, SpanType


def categories_case(seed, *, labels=4, articles=6):
    """A scheme, and articles with categories and scores that often tie; some without a prediction, some empty."""
    rng = random.Random(seed)
    names = [f"C{number}" for number in range(rng.randint(1, labels))]
    scheme = LabelScheme((SpanType("MATTER", True),), tuple(map(Category, names)))
    gold, predictions, raw = [], [], []
    for number in range(rng.randint(1, articles)):
        wanted = [name for name in names if rng.random() < 0.5]
        gold.append(annotated(f"a{number}", categories=wanted))
        if rng.random() < 0.9:
            grain = rng.choice((2, 5, 1000))
            scores = {name: rng.randint(0, grain) / grain for name in names}
            raw.append(Tagged(f"a{number}", "", (), scores, "m"))
            predictions.append(Tagged(f"a{number}", "", (), {n: s for n, s in scores.items() if s > 0.5}, "m"))
    rng.shuffle(predictions)
    return scheme, gold, predictions, raw


def arrays(scheme, gold, tagged):
    """Truth, decisions and scores as scikit-learn takes them."""
    by_id = {one.id: one.categories for one in tagged}
    names = scheme.category_names
    truth = np.array([[int(name in one.categories) for name in names] for one in gold])
    given = np.array([[int(name in by_id.get(one.id, {})) for name in names] for one in gold])
    scores = np.array([[by_id.get(one.id, {}).get(name, 0.0) for name in names] for one in gold])
    return truth, given, scores


@config_context(assume_finite=True, skip_parameter_validation=True)
def by_scikit_learn(truth, given, scores):
    columns = [column for column in range(truth.shape[1]) if 0 < truth[:, column].sum() < len(truth)]
    sides = truth[:, columns], scores[:, columns]
    return {
        "subset_accuracy": np.mean((truth == given).all(axis=1)),
        "hamming_loss": metrics.hamming_loss(truth, given) if truth.shape[1] > 1 else np.mean(truth != given),
        "label_ranking_average_precision": ranked(
            metrics.label_ranking_average_precision_score, truth, scores, alone=1
        ),
        "coverage_error": ranked(metrics.coverage_error, truth, scores, alone=truth.mean()),
        "mean_average_precision": metrics.average_precision_score(*sides, average="macro") if columns else None,
    }


def ranked(measure, truth, scores, *, alone):
    """scikit-learn takes one column for a binary problem and refuses it."""
    return measure(truth, scores) if truth.shape[1] > 1 else alone


def test_every_value_equals_scikit_learns_on_two_thousand_random_cases():
    undefined = 0
    for seed in range(2000):
        with_raw = seed % 2 > 0
        scheme, gold, predictions, raw = categories_case(seed)
        found = rank_categories(
            gold, predictions=predictions, scheme=scheme, candidates=raw if with_raw else None, resamples=1
        )
        truth, given, scores = arrays(scheme, gold, predictions)
        if with_raw:
            scores = arrays(scheme, gold, raw)[2]
        theirs = by_scikit_learn(truth, given, scores)
        assert found.articles == len(gold)
        undefined += theirs["mean_average_precision"] is None
        for name, expected in theirs.items():
            assert found.values[name].value == pytest.approx(expected, abs=1e-12), (seed, name)
    assert 0 < undefined < 1000


def test_intervals_equal_a_plain_loop_over_the_same_resamples():
    for seed in range(6):
        scheme, gold, predictions, raw = categories_case(seed + 30, labels=5, articles=9)
        gold.append(annotated("a99", categories=scheme.category_names))
        found = rank_categories(gold, predictions=predictions, scheme=scheme, candidates=raw, resamples=60, seed=seed)
        truth, given, _ = arrays(scheme, gold, predictions)
        _, _, scores = arrays(scheme, gold, raw)
        drawn = []
        for chunk in resample_indices(len(gold), resamples=60, seed=seed):
            for row in chunk:
                drawn.append(by_scikit_learn(truth[row], given[row], scores[row]))
        for name, estimate in found.values.items():
            assert_interval(estimate.interval, [one[name] for one in drawn], level=0.95)


def test_the_order_of_gold_and_predictions_changes_nothing():
    scheme, gold, predictions, raw = categories_case(8, articles=8)
    there = rank_categories(gold, predictions=predictions, scheme=scheme, candidates=raw, resamples=20)
    assert there == rank_categories(
        gold[::-1], predictions=predictions[::-1], scheme=scheme, candidates=raw[::-1], resamples=20
    )


def test_there_is_nothing_to_rank_without_categories_or_articles():
    assert rank_categories([annotated("a")], predictions=[], scheme=FLAT) is None
    found = rank_categories([], predictions=[], scheme=SCHEME, resamples=5)
    assert found.articles == 0
    assert {(one.value, one.interval) for one in found.values.values()} == {(None, None)}
