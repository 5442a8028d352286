import math
import random

import pytest
from test_evaluate_cases import FLAT, SCHEME, annotated, disturbed, random_case, random_spans, tagged

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.evaluate import Counts, FalseAlarms, Measure, Table, bootstrap, resample_indices, score


def corpus(seed, *, articles=12, scheme=SCHEME):
    """More articles in one corpus than a random case has."""
    rng = random.Random(seed)
    gold, predictions = [], []
    for number in range(articles):
        spans = random_spans(rng, length=40, scheme=scheme) if rng.random() < 0.7 else []
        union = {span.category for span in spans if span.category is not None}
        given = disturbed(rng, spans, length=40, scheme=scheme) if rng.random() < 0.9 else []
        gold.append(annotated(f"a{number:02}", *spans, categories=union))
        predictions.append(tagged(f"a{number:02}", *given, categories={span.category for span in given} - {None}))
    return gold, predictions


def plain_quantile(values, share):
    """Linear interpolation between order statistics."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def assert_interval(interval, values, *, level):
    defined = [value for value in values if value is not None]
    if not defined:
        assert interval is None
        return
    assert interval.resamples == len(defined)
    assert interval.low == pytest.approx(plain_quantile(defined, (1 - level) / 2), abs=1e-12)
    assert interval.high == pytest.approx(plain_quantile(defined, (1 + level) / 2), abs=1e-12)


def assert_ratios(intervals, ratios, *, level):
    for name in ("precision", "recall", "f1"):
        assert_interval(getattr(intervals, name), [getattr(entry, name) for entry in ratios], level=level)


@pytest.mark.parametrize(("seed", "articles", "level"), [(1, 12, 0.95), (2, 3, 0.9), (3, 2, 0.5)])
def test_intervals_equal_a_plain_loop_over_the_same_resamples(seed, articles, level):
    gold, predictions = corpus(seed, articles=articles)
    scores = score(gold, predictions=predictions, scheme=SCHEME)
    intervals = bootstrap(scores, resamples=200, seed=seed, level=level)
    drawn = [row for chunk in resample_indices(articles, resamples=200, seed=seed) for row in chunk.tolist()]
    assert len(drawn) == 200
    for measure in Measure:
        labels = measure.labels(SCHEME)
        tables = []
        for row in drawn:
            picked = [scores.articles[index].counts[measure] for index in row]
            tables.append(Table({name: sum((c.get(name, Counts()) for c in picked), Counts()) for name in labels}))
        found = intervals.tables[measure]
        for label in labels:
            assert_ratios(found.rows[label], [table.rows[label].ratios for table in tables], level=level)
        assert_ratios(found.micro, [table.micro.ratios for table in tables], level=level)
        assert_ratios(found.macro, [table.macro for table in tables], level=level)
    alarms = [sum((scores.articles[index].false_alarms for index in row), FalseAlarms()) for row in drawn]
    assert_interval(intervals.category_rate, [alarm.category_rate for alarm in alarms], level=level)
    assert_interval(intervals.span_rate, [alarm.span_rate for alarm in alarms], level=level)


def test_resamples_are_drawn_evenly_and_of_full_size():
    chunks = list(resample_indices(700, resamples=3000, seed=5))
    assert len(chunks) > 1
    assert sum(len(chunk) for chunk in chunks) == 3000
    assert all(chunk.shape[1] == 700 for chunk in chunks)
    counts = [0] * 700
    for chunk in chunks:
        for index in chunk.ravel().tolist():
            counts[index] += 1
    assert min(counts) > 3000 * 0.85
    assert max(counts) < 3000 * 1.15


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others():
    gold, predictions = corpus(4)
    scores = score(gold, predictions=predictions, scheme=SCHEME)
    turned = score(gold[::-1], predictions=predictions[::-1], scheme=SCHEME)
    assert bootstrap(scores, resamples=300, seed=1) == bootstrap(turned, resamples=300, seed=1)
    assert bootstrap(scores, resamples=300, seed=1) != bootstrap(scores, resamples=300, seed=2)


def test_equal_articles_leave_no_width():
    spans = Span(0, 4, "PERSON"), Span(6, 9, "SITE")
    gold = [annotated(f"a{number}", *spans) for number in range(5)]
    predictions = [tagged(f"a{number}", spans[0], Span(6, 8, "SITE")) for number in range(5)]
    interval = bootstrap(score(gold, predictions=predictions, scheme=SCHEME), resamples=50).tables[Measure.STRICT].micro
    assert (interval.f1.low, interval.f1.high) == (0.5, 0.5)


def test_intervals_cover_the_true_ratio_about_as_often_as_they_claim():
    """Recall of a coin with bias 0.7, over 150 corpora of 60 articles: 95 % intervals should hold it nearly always."""
    rng = random.Random(11)
    span, covered = Span(0, 4, "PERSON"), 0
    for corpus_seed in range(150):
        gold = [annotated(f"a{number:02}", span) for number in range(60)]
        given = [tagged(f"a{number:02}", *([span] if rng.random() < 0.7 else [])) for number in range(60)]
        scores = score(gold, predictions=given, scheme=FLAT)
        recall = bootstrap(scores, resamples=400, seed=corpus_seed).tables[Measure.STRICT].micro.recall
        covered += recall.low <= 0.7 <= recall.high
    assert 0.88 * 150 < covered < 150


@pytest.mark.parametrize("articles", [0, 1])
def test_fewer_than_two_articles_have_no_intervals(articles):
    gold = [annotated("a", Span(0, 4, "PERSON"))][:articles]
    intervals = bootstrap(score(gold, predictions=[], scheme=SCHEME), resamples=50)
    assert intervals.tables[Measure.STRICT].micro.f1 is None
    assert intervals.category_rate is None


@pytest.mark.parametrize("wrong", [{"resamples": 0}, {"seed": -1}, {"level": 1.0}, {"level": 0.0}])
def test_wrong_settings_are_refused_by_name(wrong):
    gold, predictions = random_case(1)
    scores = score(gold, predictions=predictions, scheme=SCHEME)
    with pytest.raises(DataError, match=next(iter(wrong))):
        bootstrap(scores, **wrong)
