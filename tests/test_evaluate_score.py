import random
import re
import subprocess
import sys
import warnings
from collections import defaultdict
from dataclasses import replace

import pytest
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from test_evaluate_cases import FLAT, SCHEME, annotated, random_case, tagged
from test_evaluate_match import most_pairs

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.evaluate import UNREAD, Counts, FalseAlarms, Measure, Ratios, Reach, Table, score

RED = Span(0, 5, "MATTER", "RED")


def flat_case(seed):
    """Articles of words with flat spans on word edges, and the same as IOB2 tags."""
    rng = random.Random(seed)
    gold, predictions, gold_tags, given_tags = [], [], [], []
    for number in range(rng.randint(1, 3)):
        words = [rng.randint(1, 6) for _ in range(rng.randint(1, 12))]
        starts = [sum(words[:index]) + index for index in range(len(words))]
        text = " ".join("w" * size for size in words)
        wanted = flat_spans(rng, len(words), FLAT.type_names, rng.choice((0.0, 0.3, 0.6)))
        given = [entry for entry in wanted if rng.random() < 0.6]
        for entry in flat_spans(rng, len(words), FLAT.type_names[: rng.randint(1, 3)], 0.3):
            if all(entry[1] <= other[0] or other[1] <= entry[0] for other in given):
                given.append(entry)
        sides = [
            tuple(Span(starts[a], starts[b - 1] + words[b - 1], kind) for a, b, kind in side)
            for side in (wanted, given)
        ]
        gold.append(annotated(f"a{number}", *sides[0], text=text))
        if given or rng.random() < 0.5:
            predictions.append(tagged(f"a{number}", *sides[1]))
        gold_tags.append(iob2(wanted, len(words)))
        given_tags.append(iob2(given, len(words)))
    return gold, predictions, gold_tags, given_tags


def flat_spans(rng, words, kinds, density):
    spans, at = [], 0
    while at < words:
        end = min(words, at + rng.randint(1, 3))
        if rng.random() < density:
            spans.append((at, end, rng.choice(kinds)))
        at = end if rng.random() < 0.7 else end + 1
    return spans


def iob2(spans, words):
    tags = ["O"] * words
    for start, end, kind in spans:
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags


def weighted(table: Table, name: str) -> float:
    """seqeval's weighted average, from Hoidam's counts: rows weighted by their gold."""
    total = table.micro.gold
    return sum((getattr(row.ratios, name) or 0.0) * row.gold for row in table.rows.values()) / total if total else 0.0


def assert_same_ratios(ours: Ratios, theirs):
    """seqeval writes 0 where a ratio has no denominator; Hoidam says None there."""
    for mine, name in ((ours.precision, "precision"), (ours.recall, "recall"), (ours.f1, "f1-score")):
        assert (mine or 0.0) == pytest.approx(theirs[name], abs=1e-9)


def conlleval_counts(gold_tags, given_tags):
    """conlleval's {type: [correct, predicted, gold]} over sentences of tags, by its own rules for chunk edges.

    Written from the published script of the CoNLL-2003 shared task (Tjong Kim Sang and De Meulder 2003): a chunk ends
    after a tag where the next is B, O or of another type, and starts at a tag that is B, or that follows O or another
    type, whatever its own prefix; a chunk is correct where both sides start it, carry its type and end it together.
    """
    counts = defaultdict(lambda: [0, 0, 0])
    for wanted, given in zip(gold_tags, given_tags, strict=True):
        open_chunk, before = False, (("O", ""), ("O", ""))
        for pair in [*zip(wanted, given, strict=True), ("O", "O")]:
            here = tuple((tag[0], tag[2:]) for tag in pair)
            sides = list(zip(before, here, strict=True))
            ends = [last[0] != "O" and (now[0] in "BO" or now[1] != last[1]) for last, now in sides]
            starts = [now[0] != "O" and (now[0] == "B" or now[1] != last[1]) for last, now in sides]
            if open_chunk and all(ends):
                counts[before[0][1]][0] += 1
            open_chunk = (open_chunk and not any(ends) and here[0][1] == here[1][1]) or (
                all(starts) and here[0][1] == here[1][1]
            )
            for side, column in ((0, 2), (1, 1)):
                counts[here[side][1]][column] += starts[side]
            before = here
    return {kind: found for kind, found in counts.items() if any(found)}


def test_strict_scores_equal_seqeval_and_conlleval_on_ten_thousand_flat_cases():
    scored = correct = 0
    for seed in range(10_000):
        gold, predictions, gold_tags, given_tags = flat_case(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = classification_report(
                gold_tags, given_tags, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
            )
        table = score(gold, predictions=predictions, scheme=FLAT).table(Measure.STRICT)
        present = {name: counts for name, counts in table.rows.items() if counts.scored}
        found = {name: [counts.correct, counts.predicted, counts.gold] for name, counts in present.items()}
        assert found == conlleval_counts(gold_tags, given_tags), seed
        correct += table.micro.correct
        assert present.keys() == theirs.keys() - {"micro avg", "macro avg", "weighted avg"}
        for name, counts in present.items():
            assert counts.gold == theirs[name]["support"]
            assert_same_ratios(counts.ratios, theirs[name])
        if present:
            scored += 1
            assert_same_ratios(table.micro.ratios, theirs["micro avg"])
            assert_same_ratios(table.macro, theirs["macro avg"])
            averages = Ratios(*(weighted(table, name) for name in ("precision", "recall", "f1")))
            assert_same_ratios(averages, theirs["weighted avg"])
        else:
            assert table.micro.ratios == table.macro == Ratios(None, None, None)
    assert 8_000 < scored < 10_000
    assert correct > 10_000


def test_conlleval_and_seqeval_part_where_tags_are_not_legal():
    """conlleval starts a chunk at an I after O and at an I of another type; seqeval's strict mode starts none."""
    assert conlleval_counts([["O", "I-A", "I-A"]], [["O", "B-A", "I-A"]]) == {"A": [1, 1, 1]}
    assert conlleval_counts([["B-A", "I-B"]], [["B-A", "B-B"]]) == {"A": [1, 1, 1], "B": [1, 1, 1]}
    report = classification_report(
        [["B-A", "I-A"]], [["I-A", "I-A"]], mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )
    assert report["micro avg"]["recall"] == 0
    assert conlleval_counts([["B-A", "I-A"]], [["I-A", "I-A"]]) == {"A": [1, 1, 1]}


def brute_force(gold, predictions):
    """Counts as {(measure, label): [correct, predicted, gold]}, from the definitions and nothing of the package."""
    total = defaultdict(lambda: [0, 0, 0])

    def add(measure, label, correct, given, wanted):
        for position, value in enumerate((correct, given, wanted)):
            total[measure, label][position] += value

    for article in gold:
        found = [prediction for prediction in predictions if prediction.id == article.id]
        spans = found[0].spans if found else ()
        categories = set(found[0].categories) if found else set()
        for kind in SCHEME.type_names:
            wanted = [s for s in article.spans if s.type == kind]
            given = [s for s in spans if s.type == kind]
            exact = [(w, g) for w in wanted for g in given if (w.start, w.end) == (g.start, g.end)]
            add("strict", kind, len(exact), len(given), len(wanted))
            pairs = most_pairs(wanted, given)
            add("overlap", kind, pairs, len(given), len(wanted))
            add("partial", kind, len(exact) + (pairs - len(exact)) / 2, len(given), len(wanted))
            if kind not in SCHEME.categorised_names:
                continue
            right = [w.category for w, g in exact if w.category == g.category]
            add("strict_category", kind, len(right), len(given), len(wanted))
            for category in SCHEME.category_names:
                coloured = [s for s in wanted if s.category == category]
                offered = [s for s in given if s.category == category]
                pairs = most_pairs(coloured, offered)
                add("strict_by_category", category, right.count(category), len(offered), len(coloured))
                add("overlap_category", kind, pairs, len(offered), len(coloured))
                add("overlap_by_category", category, pairs, len(offered), len(coloured))
        bounds = [[(s.start, s.end) for s in side] for side in (spans, article.spans)]
        both = sum(min(bounds[0].count(place), bounds[1].count(place)) for place in set(bounds[1]))
        add("exact", "any type", both, len(spans), len(article.spans))
        for category in SCHEME.category_names:
            in_gold, in_given = category in article.categories, category in categories
            add("categories", category, in_gold and in_given, in_given, in_gold)
    return total


def test_all_measures_equal_an_independent_count_on_ten_thousand_nested_cases():
    for seed in range(10_000):
        gold, predictions = random_case(seed, articles=2)
        scores = score(gold, predictions=predictions, scheme=SCHEME)
        expected = brute_force(gold, predictions)
        for measure in Measure:
            table = scores.table(measure)
            for label, counts in table.rows.items():
                wanted = expected[measure.value, label]
                assert [counts.correct, counts.predicted, counts.gold] == wanted, (seed, measure, label)
            columns = zip(*(expected[measure.value, label] for label in table.rows), strict=True)
            assert table.micro == Counts(*map(sum, columns))


def test_gold_scored_against_itself_is_perfect():
    for seed in range(300):
        gold, _ = random_case(seed)
        same = [tagged(article.id, *article.spans, categories=article.categories) for article in gold]
        scores = score(gold, predictions=same, scheme=SCHEME)
        for measure in Measure:
            assert scores.table(measure).micro.ratios.f1 in (1.0, None)


def test_swapping_gold_and_prediction_swaps_precision_and_recall():
    for seed in range(300):
        gold, predictions = random_case(seed)
        given = {prediction.id: prediction for prediction in predictions}
        swapped_gold, swapped = [], []
        for article in gold:
            spans = given[article.id].spans if article.id in given else ()
            categories = given[article.id].categories if article.id in given else ()
            swapped_gold.append(annotated(article.id, *spans, categories=categories))
            swapped.append(tagged(article.id, *article.spans, categories=article.categories))
        there = score(gold, predictions=predictions, scheme=SCHEME)
        back = score(swapped_gold, predictions=swapped, scheme=SCHEME)
        for measure in Measure:
            one, other = there.table(measure).macro, back.table(measure).macro
            assert (one.precision, one.recall) == pytest.approx((other.recall, other.precision))
            assert one.f1 == pytest.approx(other.f1)


def test_counts_add_up_over_files():
    for seed in range(200):
        gold, predictions = random_case(seed)
        parts = [
            score([article], predictions=[p for p in predictions if p.id == article.id], scheme=SCHEME)
            for article in gold
        ]
        whole = score(gold, predictions=predictions, scheme=SCHEME)
        for measure in Measure:
            for label, counts in whole.table(measure).rows.items():
                assert counts == sum((part.table(measure).rows[label] for part in parts), Counts())
        assert whole.false_alarms == sum((part.false_alarms for part in parts), FalseAlarms())


def test_the_order_of_files_and_spans_changes_nothing():
    for seed in range(100):
        gold, predictions = random_case(seed)
        there = score(gold, predictions=predictions, scheme=SCHEME)
        turned = [replace(article, spans=article.spans[::-1]) for article in gold[::-1]]
        assert score(turned, predictions=predictions[::-1], scheme=SCHEME) == there


def test_nothing_to_score_is_none_and_not_zero():
    scores = score([annotated("a")], predictions=[tagged("a")], scheme=SCHEME)
    for measure in Measure:
        table = scores.table(measure)
        assert table.micro.ratios == table.macro == Ratios(None, None, None)


def test_no_articles_at_all_score_as_nothing():
    scores = score([], predictions=[], scheme=SCHEME)
    assert scores.table(Measure.STRICT).macro == Ratios(None, None, None)
    assert scores.false_alarms.category_rate is None


def test_an_undefined_precision_or_recall_is_none_while_f1_is_zero():
    assert Counts(0, 0, 3).ratios == Ratios(None, 0.0, 0.0)
    assert Counts(0, 3, 0).ratios == Ratios(0.0, None, 0.0)


def test_macro_leaves_out_labels_that_neither_side_has():
    table = Table({"A": Counts(1, 1, 1), "B": Counts(0, 0, 1), "C": Counts()})
    assert table.macro == Ratios(0.5, 0.5, 0.5)


def test_an_article_without_a_prediction_is_unread_and_all_its_gold_missed():
    scores = score([annotated("a", RED, categories=["RED"]), annotated("b")], predictions=[tagged("b")], scheme=SCHEME)
    assert scores.unread == ("a",)
    assert scores.table(Measure.STRICT).micro == Counts(0, 0, 1)
    assert scores.table(Measure.CATEGORIES).micro == Counts(0, 0, 1)
    assert scores.unreachable == {(UNREAD, "MATTER"): Reach(1, 0)}


def test_unreachable_gold_stays_in_the_gold_and_is_counted_by_cause_and_type():
    person, site = Span(6, 9, "PERSON"), Span(10, 12, "SITE")
    gold = [annotated("a", RED, person), annotated("b", site, RED)]
    causes = {"a": {RED: "outside the body", person: "edge inside a word"}, "b": {RED: "outside the body"}}
    scores = score(gold, predictions=[tagged("a"), tagged("b", site)], scheme=SCHEME, unreachable=causes)
    assert scores.unreachable == {("edge inside a word", "PERSON"): Reach(1), ("outside the body", "MATTER"): Reach(2)}
    assert scores.table(Measure.STRICT).micro == Counts(1, 1, 4)


def test_unreachable_gold_that_was_found_all_the_same_is_told():
    causes = {"a": {RED: "outside the body"}}
    scores = score([annotated("a", RED)], predictions=[tagged("a", RED)], scheme=SCHEME, unreachable=causes)
    assert scores.unreachable == {("outside the body", "MATTER"): Reach(1, 1)}
    assert scores.table(Measure.STRICT).micro == Counts(1, 1, 1)


def test_a_cause_given_by_the_caller_stands_before_the_missing_prediction():
    person = Span(6, 9, "PERSON")
    causes = {"a": {person: "edge inside a word"}}
    scores = score([annotated("a", RED, person)], predictions=[], scheme=SCHEME, unreachable=causes)
    assert scores.unreachable == {("edge inside a word", "PERSON"): Reach(1), (UNREAD, "MATTER"): Reach(1)}


def test_false_alarms_are_counted_on_articles_without_cooperation_alone():
    gold = [
        annotated("quiet", Span(0, 5, "PERSON")),
        annotated("category"),
        annotated("span"),
        annotated("unread"),
        annotated("cooperation", RED, categories=["RED"]),
        annotated("categories only", categories=["RED"]),
    ]
    predictions = [
        tagged("quiet", Span(0, 5, "PERSON"), Span(6, 9, "SITE")),
        tagged("category", categories=["RED", "BLUE"]),
        tagged("span", RED, categories=["RED"]),
        tagged("cooperation", RED, Span(6, 9, "FIELD", "BLUE"), categories=["BLUE"]),
        tagged("categories only", RED, categories=["BLUE"]),
    ]
    alarms = score(gold, predictions=predictions, scheme=SCHEME).false_alarms
    assert alarms == FalseAlarms(articles=3, with_category=2, with_span=1)
    assert (alarms.category_rate, alarms.span_rate) == (2 / 3, 1 / 3)


def test_a_scheme_without_categories_has_no_false_alarms_to_score():
    scores = score([annotated("a")], predictions=[tagged("a", Span(0, 2, "SITE"))], scheme=FLAT)
    assert scores.false_alarms == FalseAlarms()
    assert scores.table(Measure.CATEGORIES).rows == {}


def refusal(*, gold=(), predictions=(), unreachable=None):
    with pytest.raises(DataError) as caught:
        score(list(gold), predictions=list(predictions), scheme=SCHEME, unreachable=unreachable)
    assert caught.value.field
    assert caught.value.cure
    return str(caught.value)


def test_what_cannot_be_scored_is_refused_by_name():
    gold = [annotated("a", RED)]
    assert re.search(r"predictions: no gold for article 'b'", refusal(gold=gold, predictions=[tagged("b")]))
    assert "predictions: article 'a' occurs twice" in refusal(gold=gold, predictions=[tagged("a"), tagged("a")])
    assert "gold: article 'a' occurs twice" in refusal(gold=gold * 2)
    assert "unreachable: no gold for article 'b'" in refusal(gold=gold, unreachable={"b": {}})
    not_gold = {Span(0, 5, "MATTER", "BLUE"): "cause"}
    assert "not in the gold of 'a'" in refusal(gold=gold, unreachable={"a": not_gold})


@pytest.mark.parametrize(
    ("spans", "problem"),
    [
        ([Span(0, 5, "GHOST")], "unknown type 'GHOST'"),
        ([Span(0, 5, "MATTER")], "category None"),
        ([Span(0, 5, "MATTER", "PINK")], "category 'PINK'"),
        ([Span(0, 5, "PERSON", "RED")], "category 'RED'"),
        ([Span(38, 41, "PERSON")], "38 to 41, in a text of 40"),
        ([Span(6, 8, "PERSON"), Span(0, 7, "PERSON")], "two PERSON spans overlap at 6"),
        ([Span(0, 5, "MATTER", "RED"), Span(0, 5, "MATTER", "BLUE")], "two MATTER spans overlap at 0"),
    ],
)
def test_wrong_spans_are_refused_on_both_sides(spans, problem):
    in_gold = refusal(gold=[annotated("a", *spans)])
    in_prediction = refusal(gold=[annotated("a")], predictions=[tagged("a", *spans)])
    assert problem in in_gold
    assert "gold of 'a'" in in_gold
    assert problem in in_prediction
    assert "prediction of 'a'" in in_prediction


def test_an_unknown_category_is_refused_on_both_sides():
    assert "unknown category 'PINK'" in refusal(gold=[annotated("a", categories=["PINK"])])
    predictions = [tagged("a", categories=["PINK"])]
    assert "unknown category 'PINK'" in refusal(gold=[annotated("a")], predictions=predictions)


def test_scoring_loads_neither_torch_nor_seqeval():
    loaded = "import sys, hoidam.evaluate; print(sorted({'torch', 'seqeval', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
