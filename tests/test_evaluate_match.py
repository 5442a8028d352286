import itertools
import random

from test_evaluate_cases import SCHEME, annotated, random_case, random_spans, tagged

from hoidam.document import Span
from hoidam.evaluate import ErrorKind, match_overlapping, score
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


def errors_of(gold, predicted):
    scores = score([annotated("a", *gold)], predictions=[tagged("a", *predicted)], scheme=SCHEME)
    return [(error.kind, error.gold, error.predicted) for error in scores.errors]


def test_each_kind_of_error_is_named():
    red, blue = Span(0, 5, "MATTER", "RED"), Span(0, 5, "MATTER", "BLUE")
    person, site, longer = Span(0, 5, "PERSON"), Span(0, 5, "SITE"), Span(0, 7, "PERSON")
    assert errors_of([person], [person]) == []
    assert errors_of([person], []) == [(ErrorKind.MISSED, person, None)]
    assert errors_of([], [person]) == [(ErrorKind.INVENTED, None, person)]
    assert errors_of([person], [longer]) == [(ErrorKind.BOUNDARY, person, longer)]
    assert errors_of([person], [site]) == [(ErrorKind.TYPE, person, site)]
    assert errors_of([red], [blue]) == [(ErrorKind.CATEGORY, red, blue)]


def test_a_span_with_its_own_partner_is_no_type_error():
    person, site, longer = Span(0, 5, "PERSON"), Span(0, 5, "SITE"), Span(0, 7, "PERSON")
    assert errors_of([person, site], [person]) == [(ErrorKind.MISSED, site, None)]
    assert errors_of([person], [site, longer]) == [
        (ErrorKind.BOUNDARY, person, longer),
        (ErrorKind.INVENTED, None, site),
    ]


def test_spans_of_other_types_and_offsets_are_missed_and_invented():
    person, site = Span(0, 5, "PERSON"), Span(0, 4, "SITE")
    assert {kind for kind, _, _ in errors_of([person], [site])} == {ErrorKind.MISSED, ErrorKind.INVENTED}


def test_every_wrong_span_is_in_exactly_one_error_of_the_kind_that_its_partner_shows():
    seen = set()
    for seed in range(1000):
        gold, predictions = random_case(seed)
        scores = score(gold, predictions=predictions, scheme=SCHEME)
        given = {prediction.id: prediction.spans for prediction in predictions}
        for article, wanted in zip(scores.articles, sorted(gold, key=lambda entry: entry.id), strict=True):
            predicted = given.get(article.id, ())
            wrong_gold = [error.gold for error in article.errors if error.gold]
            wrong_given = [error.predicted for error in article.errors if error.predicted]
            assert sorted(wrong_gold) == sorted(set(wanted.spans) - set(predicted))
            assert sorted(wrong_given) == sorted(set(predicted) - set(wanted.spans))
            for error in article.errors:
                seen.add(error.kind)
                assert error.kind is expected_kind(error.gold, error.predicted)
    assert seen == set(ErrorKind)


def expected_kind(gold, predicted):
    if gold is None or predicted is None:
        return ErrorKind.INVENTED if gold is None else ErrorKind.MISSED
    same = gold.start == predicted.start and gold.end == predicted.end
    assert same or (gold.type == predicted.type and gold.overlaps(predicted))
    if not same:
        return ErrorKind.BOUNDARY
    return ErrorKind.CATEGORY if gold.type == predicted.type else ErrorKind.TYPE


def test_no_missed_and_invented_span_could_still_have_been_paired():
    for seed in range(1000):
        gold, predictions = random_case(seed)
        for article in score(gold, predictions=predictions, scheme=SCHEME).articles:
            missed = [error.gold for error in article.errors if error.kind is ErrorKind.MISSED]
            invented = [error.predicted for error in article.errors if error.kind is ErrorKind.INVENTED]
            for wanted, given in itertools.product(missed, invented):
                assert (wanted.start, wanted.end) != (given.start, given.end)
                assert wanted.type != given.type or not wanted.overlaps(given)
