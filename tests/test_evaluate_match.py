import random

from test_evaluate_cases import random_spans

from hoidam.document import Span
from hoidam.evaluate import match_overlapping
from hoidam.labels import LabelScheme, SpanType


def most_pairs(gold, predicted):
    """Size of a maximum matching, by trying every partner of the first gold span and none."""
    if not gold:
        return 0
    best = most_pairs(gold[1:], predicted)
    for index, span in enumerate(predicted):
        if set(range(span.start, span.end)) & set(range(gold[0].start, gold[0].end)):
            best = max(best, 1 + most_pairs(gold[1:], predicted[:index] + predicted[index + 1 :]))
    return best


def test_the_matching_is_one_to_one_overlapping_maximal_and_whatever_the_order():
    scheme = LabelScheme((SpanType("A"),))
    sizes = set()
    for seed in range(5000):
        rng = random.Random(seed)
        length = rng.randint(10, 30)
        gold = random_spans(rng, length=length, scheme=scheme, most=5)
        predicted = random_spans(rng, length=length, scheme=scheme, most=5)
        pairs = match_overlapping(gold, predicted)
        assert len({wanted for wanted, _ in pairs}) == len({given for _, given in pairs}) == len(pairs)
        assert all(wanted in gold and given in predicted for wanted, given in pairs)
        assert all(wanted.start < given.end and given.start < wanted.end for wanted, given in pairs)
        assert len(pairs) == most_pairs(gold, predicted)
        assert all((span, span) in pairs for span in set(gold) & set(predicted))
        assert pairs == match_overlapping(rng.sample(gold, len(gold)), rng.sample(predicted, len(predicted)))
        sizes.add(len(pairs))
    assert sizes == {0, 1, 2, 3, 4, 5}


def test_one_long_span_pairs_with_one_of_the_spans_it_covers():
    gold = [Span(0, 3, "A"), Span(4, 6, "A"), Span(7, 9, "A")]
    assert match_overlapping(gold, [Span(0, 9, "A")]) == [(gold[0], Span(0, 9, "A"))]


def test_spans_that_only_touch_are_not_paired():
    assert match_overlapping([Span(0, 3, "A")], [Span(3, 5, "A")]) == []
