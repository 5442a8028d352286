"""nervaluate as an oracle where its definitions are sound: spans that do not overlap, sorted, type by type."""

import pytest
from test_evaluate_cases import annotated, tagged
from test_evaluate_score import FLAT, flat_case

from hoidam.document import Span
from hoidam.evaluate import ANY_TYPE, Measure, score

Evaluator = pytest.importorskip("nervaluate", reason="nervaluate of the dev extra is not installed").Evaluator


def by_nervaluate(gold, predictions):
    """Its results; ends are inclusive there."""
    given = {one.id: one.spans for one in predictions}
    sides = [
        [
            [{"label": span.type, "start": span.start, "end": span.end - 1} for span in sorted(spans)]
            for spans in documents
        ]
        for documents in ([one.spans for one in gold], [given.get(one.id, ()) for one in gold])
    ]
    return Evaluator(*sides, tags=list(FLAT.type_names), loader="dict").evaluate()


def credited(result):
    return [result.correct + result.partial / 2, result.actual, result.possible]


def test_strict_exact_and_partial_counts_are_nervaluates_on_two_thousand_flat_cases():
    halves = 0
    for seed in range(2000):
        gold, predictions, _, _ = flat_case(seed)
        scores = score(gold, predictions=predictions, scheme=FLAT)
        theirs = by_nervaluate(gold, predictions)
        for measure, name in ((Measure.STRICT, "strict"), (Measure.PARTIAL, "partial")):
            for label, row in scores.table(measure).rows.items():
                if row.scored:
                    found = theirs["entities"][label][name]
                    assert [row.correct, row.predicted, row.gold] == credited(found), (seed, measure, label)
                    assert row.ratios.f1 == pytest.approx(found.f1, abs=1e-9)
                    halves += found.partial
        exact = scores.table(Measure.EXACT).rows[ANY_TYPE]
        assert [exact.correct, exact.predicted, exact.gold] == credited(theirs["overall"]["exact"]), seed
    assert halves > 100


def difference(gold, predicted, measure, name):
    wanted, given = [annotated("a", *gold)], [tagged("a", *predicted)]
    ours = score(wanted, predictions=given, scheme=FLAT).table(measure).micro
    return ours.correct, credited(by_nervaluate(wanted, given)["overall"][name])[0]


def test_it_differs_where_spans_nest_or_one_span_overlaps_two():
    """Its pairs depend on the order of the spans: an overlap of another type, or the nearer of two, takes a partner."""
    site = Span(0, 9, "SITE")
    nested, shifted = Span(2, 8, "PERSON"), Span(0, 3, "PERSON")
    assert difference([site, nested], [shifted, site], Measure.STRICT, "strict") == (1, 0)
    gold = [Span(0, 3, "SITE"), Span(4, 10, "SITE")]
    predicted = [Span(1, 9, "SITE"), Span(9, 12, "SITE")]
    assert difference(gold, predicted, Measure.OVERLAP, "ent_type") == (2, 1)
    assert difference([site], [Span(0, 9, "PERSON")], Measure.PARTIAL, "partial") == (0, 1)
