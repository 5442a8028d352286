"""Errors: each wrong span in one kind, kinds that add up to what strict scoring counts, and the text around each."""

import random
from collections import Counter

from test_evaluate_cases import SCHEME, annotated, disturbed, random_case, random_spans, tagged
from test_evaluate_match import most_pairs

from hoidam.document import Annotated, Article, Span
from hoidam.evaluate import Measure, score
from hoidam.evaluate.errors import (
    CONTEXT_CHARACTERS,
    FARTHEST_WORDS,
    ErrorKind,
    errors_dict,
    find_errors,
    worst_articles,
)

PERSON, SITE, RED = Span(0, 5, "PERSON"), Span(0, 5, "SITE"), Span(0, 5, "MATTER", "RED")


def errors_of(gold, predicted, *, body=None):
    article = Annotated(Article("a", "x" * 40), tuple(gold), body=body)
    return [
        (error.kind, list(error.gold), list(error.predicted))
        for error in find_errors([article], predictions=[tagged("a", *predicted)])
    ]


def test_each_kind_of_error_is_named():
    blue, longer = Span(0, 5, "MATTER", "BLUE"), Span(0, 7, "PERSON")
    assert errors_of([PERSON], [PERSON]) == []
    assert errors_of([PERSON], []) == [(ErrorKind.MISSED, [PERSON], [])]
    assert errors_of([], [PERSON]) == [(ErrorKind.INVENTED, [], [PERSON])]
    assert errors_of([PERSON], [longer]) == [(ErrorKind.BOUNDARY, [PERSON], [longer])]
    assert errors_of([PERSON], [SITE]) == [(ErrorKind.TYPE, [PERSON], [SITE])]
    assert errors_of([RED], [blue]) == [(ErrorKind.CATEGORY, [RED], [blue])]


def test_one_span_in_place_of_two_is_merged_and_two_in_place_of_one_are_split():
    parts, whole = [Span(0, 5, "PERSON"), Span(6, 9, "PERSON")], Span(0, 9, "PERSON")
    assert errors_of([whole], parts) == [(ErrorKind.SPLIT, [whole], parts)]
    assert errors_of(parts, [whole]) == [(ErrorKind.MERGED, parts, [whole])]
    three = [*parts, Span(12, 15, "PERSON")]
    assert errors_of([Span(2, 14, "PERSON")], three) == [(ErrorKind.SPLIT, [Span(2, 14, "PERSON")], three)]


def test_a_chain_of_overlaps_is_paired_before_anything_is_split_or_merged():
    gold, predicted = [Span(0, 6, "PERSON"), Span(8, 14, "PERSON")], [Span(4, 10, "PERSON"), Span(12, 16, "PERSON")]
    assert [kind for kind, _, _ in errors_of(gold, predicted)] == [ErrorKind.BOUNDARY] * 2


def test_a_span_left_over_joins_the_pair_that_it_overlaps():
    gold = [Span(0, 4, "PERSON"), Span(5, 9, "PERSON"), Span(10, 20, "PERSON")]
    predicted = [Span(3, 6, "PERSON"), Span(8, 20, "PERSON")]
    assert errors_of(gold, predicted) == [
        (ErrorKind.BOUNDARY, gold[:1], predicted[:1]),
        (ErrorKind.MERGED, gold[1:], predicted[1:]),
    ]


def test_invented_spans_are_furniture_outside_a_body_that_gold_gives_and_nowhere_else():
    before, inside, after = Span(0, 5, "PERSON"), Span(5, 9, "PERSON"), Span(20, 22, "SITE")
    kinds = [kind for kind, _, _ in errors_of([], [before, inside, after], body=(5, 20))]
    assert kinds == [ErrorKind.FURNITURE, ErrorKind.INVENTED, ErrorKind.FURNITURE]
    assert {kind for kind, _, _ in errors_of([], [before, inside, after])} == {ErrorKind.INVENTED}
    assert errors_of([Span(18, 20, "SITE")], [Span(18, 22, "SITE")], body=(5, 20))[0][0] is ErrorKind.BOUNDARY


def test_a_span_with_its_own_partner_is_no_type_error():
    longer = Span(0, 7, "PERSON")
    assert errors_of([PERSON, SITE], [PERSON]) == [(ErrorKind.MISSED, [SITE], [])]
    assert errors_of([PERSON], [SITE, longer]) == [
        (ErrorKind.BOUNDARY, [PERSON], [longer]),
        (ErrorKind.INVENTED, [], [SITE]),
    ]


def crowded_case(seed):
    """Many spans close together in one article with a body, so that every kind of error comes about often."""
    rng = random.Random(seed)
    length, body = 30, (rng.randint(0, 4), rng.randint(26, 30))
    inside = [
        Span(span.start + body[0], span.end + body[0], span.type, span.category)
        for span in random_spans(rng, length=body[1] - body[0], scheme=SCHEME, most=4)
    ]
    if rng.random() < 0.5:
        given = random_spans(rng, length=length, scheme=SCHEME, most=5)
    else:
        given = disturbed(rng, inside, length=length, scheme=SCHEME)
    known = body if rng.random() < 0.7 else None
    return Annotated(Article("a", "x" * length), tuple(rng.sample(inside, len(inside))), body=known), given


def overlapping(span, others):
    return [other for other in others if other.type == span.type and span.start < other.end and other.start < span.end]


def test_errors_hold_every_wrong_span_once_and_add_up_to_what_strict_scoring_missed_and_refused():
    kinds = Counter()
    for seed in range(10_000):
        gold, given = crowded_case(seed)
        errors = find_errors([gold], predictions=[tagged("a", *given)])
        kinds.update(error.kind for error in errors)
        right = {(span.start, span.end, span.type) for span in gold.spans} & {
            (span.start, span.end, span.type) for span in given
        }
        wrong = [error for error in errors if error.kind is not ErrorKind.CATEGORY]
        for side, spans in (("gold", gold.spans), ("predicted", given)):
            refused = [span for span in spans if (span.start, span.end, span.type) not in right]
            assert sorted(span for error in wrong for span in getattr(error, side)) == sorted(refused)
        relabelled = [
            span
            for span in gold.spans
            for other in given
            if (span.start, span.end, span.type) == (other.start, other.end, other.type) and span != other
        ]
        assert sorted(error.gold[0] for error in errors if error.kind is ErrorKind.CATEGORY) == sorted(relabelled)
        by_kind = Counter(error.kind for error in errors)
        merged = sum(len(error.gold) for error in errors if error.kind is ErrorKind.MERGED)
        split = sum(len(error.predicted) for error in errors if error.kind is ErrorKind.SPLIT)
        in_both = by_kind[ErrorKind.BOUNDARY] + by_kind[ErrorKind.TYPE]
        missed = by_kind[ErrorKind.MISSED] + by_kind[ErrorKind.SPLIT] + merged
        assert missed + in_both == len(gold.spans) - len(right)
        invented = by_kind[ErrorKind.INVENTED] + by_kind[ErrorKind.FURNITURE] + by_kind[ErrorKind.MERGED] + split
        assert invented + in_both == len(given) - len(right)
    assert min(kinds[kind] for kind in ErrorKind) > 100


def test_the_kind_of_an_error_is_what_its_spans_show():
    for seed in range(4000):
        gold, given = crowded_case(seed)
        errors = find_errors([gold], predictions=[tagged("a", *given)])
        pairs = sum(
            most_pairs(*([span for span in side if span.type == name] for side in (gold.spans, given)))
            for name in SCHEME.type_names
        )
        exact = sum(span in given for span in gold.spans)
        sharing = {ErrorKind.BOUNDARY, ErrorKind.CATEGORY, ErrorKind.SPLIT, ErrorKind.MERGED}
        assert sum(error.kind in sharing for error in errors) == pairs - exact
        for error in errors:
            check_shape(error, gold, given)


def check_shape(error, gold, given):
    wanted, found = error.gold, error.predicted
    match error.kind:
        case ErrorKind.MISSED:
            assert (len(wanted), len(found)) == (1, 0)
            assert not overlapping(wanted[0], given)
        case ErrorKind.INVENTED | ErrorKind.FURNITURE:
            assert (len(wanted), len(found)) == (0, 1)
            assert not overlapping(found[0], gold.spans)
            characters = set(range(found[0].start, found[0].end))
            outside = gold.body is not None and not characters & set(range(*gold.body))
            assert outside == (error.kind is ErrorKind.FURNITURE)
        case ErrorKind.TYPE:
            assert (len(wanted), len(found)) == (1, 1)
            assert wanted[0].type != found[0].type
            assert (wanted[0].start, wanted[0].end) == (found[0].start, found[0].end)
            assert not overlapping(wanted[0], given)
            assert not overlapping(found[0], gold.spans)
        case ErrorKind.SPLIT:
            assert len(wanted) == 1 < len(found)
            assert set(found) <= set(overlapping(wanted[0], given))
            assert sum(len(overlapping(span, gold.spans)) == 1 for span in found) >= len(found) - 1
        case ErrorKind.MERGED:
            assert len(found) == 1 < len(wanted)
            assert set(wanted) <= set(overlapping(found[0], gold.spans))
            assert sum(len(overlapping(span, given)) == 1 for span in wanted) >= len(wanted) - 1
        case _:
            assert (len(wanted), len(found)) == (1, 1)
            assert overlapping(wanted[0], found)
            same = (wanted[0].start, wanted[0].end) == (found[0].start, found[0].end)
            assert same == (error.kind is ErrorKind.CATEGORY)


def test_the_kinds_add_up_to_the_scores_of_each_type():
    for seed in range(1000):
        gold, predictions = random_case(seed)
        scores = score(gold, predictions=predictions, scheme=SCHEME)
        kinds = errors_dict(find_errors(gold, predictions=predictions), scheme=SCHEME)["types"]
        strict = scores.table(Measure.STRICT).rows
        for name, counts in scores.table(Measure.STRICT_CATEGORY).rows.items():
            assert kinds[name]["category"] == strict[name].correct - counts.correct
        for name, counts in scores.table(Measure.OVERLAP).rows.items():
            pairs = kinds[name]["boundary"] + kinds[name]["split"] + kinds[name]["merged"]
            assert pairs == counts.correct - strict[name].correct


def test_gold_compared_with_itself_has_no_errors():
    for seed in range(300):
        gold, _ = random_case(seed)
        assert find_errors(gold, predictions=[tagged(one.id, *one.spans) for one in gold]) == []


def test_the_tables_count_the_errors_and_an_article_without_a_prediction_has_all_its_gold_missed():
    for seed in range(300):
        gold, predictions = random_case(seed)
        errors = find_errors(gold, predictions=predictions)
        assert [error.article.id for error in errors] == sorted(error.article.id for error in errors)
        found = errors_dict(errors, scheme=SCHEME)
        for kind in ErrorKind:
            these = [error for error in errors if error.kind is kind]
            assert found["total"][kind.value] == len(these) == sum(row[kind.value] for row in found["types"].values())
            assert found["spans"]["gold"][kind.value] == sum(len(error.gold) for error in these)
            assert found["spans"]["predicted"][kind.value] == sum(len(error.predicted) for error in these)
        confused = Counter()
        for error in errors:
            if error.kind in (ErrorKind.TYPE, ErrorKind.CATEGORY):
                field = error.kind.value
                confused[(field, getattr(error.gold[0], field), getattr(error.predicted[0], field))] += 1
        assert {(row["kind"], row["gold"], row["predicted"]): row["count"] for row in found["confusions"]} == confused
        unread = {one.id for one in gold} - {one.id for one in predictions}
        lost = [error for error in errors if error.article.id in unread]
        assert {error.kind for error in lost} <= {ErrorKind.MISSED}
        assert len(lost) == sum(len(one.spans) for one in gold if one.id in unread)


def random_text(rng, words):
    """Words of one to eight letters, between one or two spaces or line ends; and the word that each offset is in."""
    text = ""
    for _ in range(words):
        text += "x" * rng.randint(1, 8) + rng.choice([" ", "  ", "\n"])
    return text.rstrip()


def words_started(text, offset):
    """How many words begin at or before an offset, letter by letter."""
    return sum(not text[place].isspace() and (place == 0 or text[place - 1].isspace()) for place in range(offset + 1))


def test_boundaries_are_apart_by_the_words_that_begin_between_them():
    expected = {edge: Counter() for edge in ("start", "end")}
    gold, predictions = [], []
    rng = random.Random(3)
    for number in range(2000):
        text = random_text(rng, 12)
        solid = [place for place, character in enumerate(text) if not character.isspace()]
        spans = []
        for _ in range(2):
            left, right = sorted(rng.sample(solid, 2))
            spans.append(Span(left, right + 1, "PERSON"))
        wanted, given = spans
        gold.append(Annotated(Article(f"a{number}", text), (wanted,)))
        predictions.append(tagged(f"a{number}", given))
        if wanted.overlaps(given) and wanted != given:
            starts = words_started(text, given.start) - words_started(text, wanted.start)
            ends = words_started(text, given.end - 1) - words_started(text, wanted.end - 1)
            for edge, words in (("start", starts), ("end", ends)):
                expected[edge][str(max(-FARTHEST_WORDS, min(FARTHEST_WORDS, words)))] += 1
    found = errors_dict(find_errors(gold, predictions=predictions), scheme=SCHEME)["boundary_offsets"]
    steps = [str(step) for step in range(-FARTHEST_WORDS, FARTHEST_WORDS + 1)]
    assert min(expected[edge][step] for edge in expected for step in steps) > 0
    assert found["PERSON"] == {edge: {step: expected[edge][step] for step in steps} for edge in expected}
    assert not any(
        count for edges in (found["SITE"], found["MATTER"]) for row in edges.values() for count in row.values()
    )


def test_a_longer_predicted_end_is_positive_and_an_earlier_start_negative():
    article = Annotated(Article("a", "one two three four five"), (Span(8, 13, "PERSON"),))
    given = tagged("a", Span(4, 23, "PERSON"))
    found = errors_dict(find_errors([article], predictions=[given]), scheme=SCHEME)["boundary_offsets"]["PERSON"]
    assert {edge: [step for step, count in row.items() if count] for edge, row in found.items()} == {
        "start": ["-1"],
        "end": ["2"],
    }


def test_each_listed_error_has_its_spans_exactly_within_a_context_cut_at_white_space():
    shown = 0
    for seed in range(200):
        rng = random.Random(seed)
        text = random_text(rng, 120) if seed % 10 else "x" * 500
        spans = random_spans(rng, length=len(text), scheme=SCHEME, most=5)
        gold = Annotated(Article("a", text), tuple(spans))
        given = tagged("a", *disturbed(rng, spans, length=len(text), scheme=SCHEME))
        errors = find_errors([gold], predictions=[given])
        assert errors_dict(errors, scheme=SCHEME)["list"] == [], "texts are shown on request only"
        listed = errors_dict(errors, scheme=SCHEME, show_text=True)["list"]
        assert [entry["kind"] for entry in listed] == [error.kind.value for error in errors]
        for entry in listed:
            shown += 1
            context, both = entry["context"], entry["gold"] + entry["predicted"]
            start, end = context["start"], context["start"] + len(context["text"])
            first, last = min(span["start"] for span in both), max(span["end"] for span in both)
            assert context["text"] == text[start:end]
            for span in both:
                assert context["text"][span["start"] - start : span["end"] - start] == span["text"] != ""
            assert first - CONTEXT_CHARACTERS <= start <= first < last <= end <= last + CONTEXT_CHARACTERS
            assert start in (0, first) or text[start - 1].isspace()
            assert end in (len(text), last) or text[end].isspace()
            if seed % 10 and start:
                assert first - start >= CONTEXT_CHARACTERS - 8, "no more is cut than one word"
    assert shown > 1000


def test_listed_spans_are_as_files_hold_them():
    given = Span(0, 5, "MATTER", "BLUE", 0.75)
    errors = find_errors([annotated("a", RED, text="alpha beta")], predictions=[tagged("a", given)])
    (entry,) = errors_dict(errors, scheme=SCHEME, show_text=True)["list"]
    assert entry == {
        "article": "a",
        "kind": "category",
        "gold": [{"start": 0, "end": 5, "type": "MATTER", "category": "RED", "text": "alpha"}],
        "predicted": [{"start": 0, "end": 5, "type": "MATTER", "category": "BLUE", "text": "alpha", "score": 0.75}],
        "context": {"start": 0, "text": "alpha beta"},
    }


def test_the_worst_articles_come_first_with_their_strict_counts_and_articles_without_errors_are_not_listed():
    gold, predictions = [], []
    for number in range(30):
        right = [Span(place, place + 2, "PERSON") for place in range(0, 6, 3)]
        wrong = [Span(10 + place, 12 + place, "SITE") for place in range(0, 3 * (number % 5), 3)]
        gold.append(annotated(f"a{number:02}", *right))
        predictions.append(tagged(f"a{number:02}", *right, *wrong))
    worst = worst_articles(find_errors(gold, predictions=predictions), gold=gold, predictions=predictions)
    assert len(worst) == 20
    assert worst[0] == {"id": "a04", "errors": 4, "correct": 2, "predicted": 6, "gold": 2, "f1": 0.5}
    assert [row["errors"] for row in worst] == [4] * 6 + [3] * 6 + [2] * 6 + [1] * 2
    assert [row["id"] for row in worst[:3]] == ["a04", "a09", "a14"]
    assert worst_articles([], gold=gold, predictions=predictions) == []
