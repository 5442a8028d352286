import itertools
import json
import random
import time

import pytest
from test_evaluate_bootstrap import assert_interval, corpus
from test_evaluate_cases import SCHEME, annotated, disturbed, random_spans, tagged

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.evaluate import Counts, Report, Table, compare, find_figure, resample_indices, score
from hoidam.evaluate.compare import holm

ROWS = [
    *(("strict", label) for label in (*SCHEME.type_names, "micro", "macro")),
    *(("overlap_category", label) for label in (*SCHEME.categorised_names, "micro", "macro")),
    ("categories", "micro"),
    ("categories", "macro"),
]


def report(gold, predictions):
    return Report(score(gold, predictions=predictions, scheme=SCHEME)).to_dict(facts={})


def two_models(seed, *, articles=6):
    """Scores of two models on the same gold, and their reports."""
    gold, first = corpus(seed, articles=articles)
    rng = random.Random(seed + 1000)
    second = [
        tagged(one.id, *spans, categories={span.category for span in spans} - {None})
        for one in gold
        if rng.random() < 0.95
        for spans in [disturbed(rng, one.spans, length=40, scheme=SCHEME)]
    ]
    scores = [score(gold, predictions=given, scheme=SCHEME) for given in (first, second)]
    return scores, [Report(found).to_dict(facts={}) for found in scores]


def f1(articles, measure, label):
    """F1 of a row or an average from the counts of some articles, by the tables that `score` is tested with."""
    rows = {
        name: sum((one.counts[measure].get(name, Counts()) for one in articles), Counts())
        for name in measure.labels(SCHEME)
    }
    table = Table(rows)
    averages = {"micro": table.micro.ratios, "macro": table.macro}
    return (averages.get(label) or rows[label].ratios).f1


def differences(pairs, measure, label):
    ours, theirs = (f1(side, measure, label) for side in zip(*pairs, strict=True))
    return None if ours is None or theirs is None else theirs - ours


def test_differences_are_those_of_the_reports_row_by_row():
    for seed in range(40):
        _, (a, b) = two_models(seed)
        found = compare(a, b, resamples=1)
        assert [(row.measure, row.label) for row in found.differences] == ROWS
        for row in found.differences:
            ours, theirs = (find_figure(side, f"{row.measure}.{row.label}.f1") for side in (a, b))
            assert (row.a, row.b) == (pytest.approx(ours, abs=1e-12), pytest.approx(theirs, abs=1e-12))
            assert row.difference == (None if None in (ours, theirs) else pytest.approx(theirs - ours, abs=1e-12))


@pytest.mark.parametrize(("seed", "articles", "level"), [(1, 12, 0.95), (2, 3, 0.9), (3, 2, 0.5)])
def test_intervals_equal_a_plain_loop_over_the_same_resamples(seed, articles, level):
    scores, reports = two_models(seed, articles=articles)
    found = compare(*reports, resamples=150, seed=seed, level=level)
    pairs = list(zip(*(one.articles for one in scores), strict=True))
    drawn = [row for chunk in resample_indices(articles, resamples=150, seed=seed) for row in chunk.tolist()]
    for row in found.differences:
        values = [differences([pairs[index] for index in indices], row.measure, row.label) for indices in drawn]
        assert_interval(row.interval, [] if row.difference is None else values, level=level)


def test_p_values_come_near_those_of_every_possible_exchange():
    tested = 0
    for seed in range(12):
        scores, reports = two_models(seed, articles=5)
        found = compare(*reports, resamples=4000, seed=seed)
        pairs = list(zip(*(one.articles for one in scores), strict=True))
        exchanges = [
            [pair[::-1] if swapped else pair for pair, swapped in zip(pairs, choice, strict=True)]
            for choice in itertools.product((False, True), repeat=len(pairs))
        ]
        for row in found.differences:
            if row.difference is None:
                assert row.p is None
                continue
            values = [differences(exchange, row.measure, row.label) for exchange in exchanges]
            extreme = [value is None or abs(value) >= abs(row.difference) - 1e-9 for value in values]
            assert row.p == pytest.approx(sum(extreme) / len(extreme), abs=0.04)
            tested += 1
    assert tested > 80


def test_exchanging_the_reports_turns_the_differences_and_leaves_the_p_values():
    for seed in range(10):
        _, (a, b) = two_models(seed)
        there, back = compare(a, b, resamples=200), compare(b, a, resamples=200)
        for one, other in zip(there.differences, back.differences, strict=True):
            assert (one.a, one.b, one.p, one.corrected_p) == (other.b, other.a, other.p, other.corrected_p)
            if one.interval:
                bounds = (one.interval.low, one.interval.high)
                assert bounds == pytest.approx((-other.interval.high, -other.interval.low), abs=1e-12)


def test_the_order_of_the_articles_changes_nothing():
    _, (a, b) = two_models(3)
    turned = b | {"per_article": b["per_article"][::-1]}
    assert compare(a, b, resamples=100) == compare(a, turned, resamples=100)


def test_equal_models_are_never_told_apart():
    _, (a, _) = two_models(5)
    found = compare(a, a, resamples=200)
    assert {(row.difference, row.p) for row in found.differences} <= {(0.0, 1.0), (None, None)}
    assert not any("better" in sentence for sentence in found.sentences())


def test_alike_models_are_told_apart_about_as_rarely_as_the_level_says():
    """Two models that each find a span of every article with probability 0.7, over 200 corpora of 40 articles."""
    rng, span, told = random.Random(4), Span(0, 4, "PERSON"), 0
    for seed in range(200):
        gold = [annotated(f"a{number:02}", span) for number in range(40)]
        given = [[tagged(one.id, *([span] * (rng.random() < 0.7))) for one in gold] for _ in range(2)]
        reports = [report(gold, predictions) for predictions in given]
        (row,) = [
            row
            for row in compare(*reports, resamples=200, seed=seed).differences
            if (row.measure, row.label) == ("strict", "PERSON")
        ]
        told += row.p <= 0.05
    assert 1 <= told <= 20


def test_evidence_is_said_in_words_with_its_interval_and_p_value():
    person, site, red = Span(0, 4, "PERSON"), Span(6, 9, "SITE"), Span(10, 14, "MATTER", "RED")
    gold = [annotated(f"a{number:02}", person, site, red, categories=["RED"]) for number in range(60)]
    a = [tagged(one.id, *([person] if at % 2 else []), site, red, categories=["RED"]) for at, one in enumerate(gold)]
    b = [tagged(one.id, person, *([site] if at else []), red, categories=["RED"]) for at, one in enumerate(gold)]
    reports = [report(gold, given) for given in (a, b)]
    found = compare(*reports, resamples=500)
    row = found.differences[0]
    assert (row.difference, row.p) == (pytest.approx(1 / 3), pytest.approx(1 / 501))
    sentences = list(found.sentences())
    assert sentences[0] == (
        f"strict: B is better than A on PERSON by 0.333 ({row.interval.low:.3f} to {row.interval.high:.3f}), "
        f"corrected p = {row.corrected_p:.3f}: evidence"
    )
    assert [sentence.partition(" by ")[0] for sentence in sentences[1:]] == [
        "strict: B is better than A on micro",
        "strict: B is better than A on macro",
        "strict: no evidence of a difference on SITE, MATTER: the interval includes 0",
        "strict: not enough to compare on FIELD",
        "overlap_category: no evidence of a difference on MATTER, micro, macro: the interval includes 0",
        "overlap_category: not enough to compare on FIELD",
        "categories: no evidence of a difference on micro, macro: the interval includes 0",
    ]
    turned = next(compare(*reports[::-1], resamples=500).sentences())
    assert turned.startswith("strict: A is better than B on PERSON by 0.333")
    assert "Holm over 10 rows" in found.method
    assert json.loads(found.to_text())["rows"][0]["evidence"] is True


def test_an_interval_without_zero_is_no_evidence_where_the_corrected_p_is_high():
    span = Span(0, 4, "PERSON")
    gold = [annotated(f"a{number:02}", span) for number in range(40)]
    a = [tagged(one.id, *([span] if at > 4 else [])) for at, one in enumerate(gold)]
    reports = [report(gold, given) for given in (a, [tagged(one.id, span) for one in gold])]
    found = compare(*reports, resamples=2000)
    row = found.differences[0]
    assert row.interval.low > 0
    assert row.corrected_p > 0.05
    assert not found.is_evidence(row)
    assert next(found.sentences()).startswith("strict: no evidence on PERSON, micro, macro once all rows are counted")


def test_holm_multiplies_each_p_by_the_tests_that_are_left():
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx([0.03, 0.06, None, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    for seed in range(300):
        rng = random.Random(seed)
        p = [rng.choice((None, rng.random(), rng.random() / 20)) for _ in range(rng.randint(1, 9))]
        tested = [value for value in p if value is not None]
        for value, corrected in zip(p, holm(p), strict=True):
            if value is None:
                assert corrected is None
                continue
            steps = [other * sum(left >= other for left in tested) for other in tested if other <= value]
            assert corrected == pytest.approx(min(1.0, max(steps)))


def test_articles_that_one_report_lacks_are_left_out_and_named():
    _, (a, b) = two_models(7, articles=6)
    fewer = b | {"per_article": b["per_article"][2:]}
    found = compare(a, fewer, resamples=50)
    assert (found.articles, found.only_a, found.only_b) == (4, ("a00", "a01"), ())
    same = [side | {"per_article": side["per_article"][2:]} for side in (a, b)]
    assert found.differences == compare(*same, resamples=50).differences


def test_what_cannot_be_compared_is_refused_by_name():
    _, (a, b) = two_models(7)
    with pytest.raises(DataError, match="no article in common"):
        compare(a, b | {"per_article": []})
    moved = [annotated("a00", Span(0, 1, "SITE")), annotated("a01", Span(0, 2, "SITE"))]
    kept = [moved[0], annotated("a01", Span(0, 2, "SITE"), text="y" * 40)]
    ours, theirs = (report(gold, []) for gold in (moved, kept))
    with pytest.raises(DataError, match="text or gold of article 'a01' is not the same"):
        compare(ours, theirs)
    fewer = report([], [])
    del fewer["measures"]["strict"]["rows"]["SITE"]
    with pytest.raises(DataError, match=r"strict: A has PERSON, SITE, .*, B has PERSON, MATTER"):
        compare(ours, fewer)
    for setting in ({"resamples": 0}, {"seed": -1}, {"level": 1.0}):
        with pytest.raises(DataError, match=next(iter(setting))):
            compare(a, b, **setting)


def test_a_single_article_has_a_difference_and_no_evidence():
    span = Span(0, 4, "PERSON")
    gold = [annotated("a", span)]
    reports = [report(gold, [tagged("a", *spans)]) for spans in ([], [span])]
    row = compare(*reports).differences[0]
    assert (row.difference, row.interval, row.p) == (1.0, None, None)


@pytest.mark.slow
def test_a_thousand_articles_are_compared_in_five_seconds():
    rng = random.Random(2)
    gold = [
        annotated(f"a{number}", *spans, categories={span.category for span in spans} - {None})
        for number in range(1000)
        for spans in [random_spans(rng, length=40, scheme=SCHEME)]
    ]
    given = [[tagged(one.id, *disturbed(rng, one.spans, length=40, scheme=SCHEME)) for one in gold] for _ in range(2)]
    reports = [report(gold, predictions) for predictions in given]
    begun = time.perf_counter()
    compare(*reports)
    assert time.perf_counter() - begun < 5
