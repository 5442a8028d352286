"""Slices: each span and article in one of them, counted as strict scoring counts the whole."""

import random
from dataclasses import asdict

from test_evaluate_cases import SCHEME, disturbed, random_spans, tagged

from hoidam.document import Annotated, Article, Span
from hoidam.evaluate import Counts, Measure, score
from hoidam.evaluate.slices import count_slices


def rows_of(slices, name):
    (found,) = [one for one in slices if one["name"] == name]
    return {(row["slice"], row["label"]): row for row in found["rows"]}


def counts_of(slices, name):
    return {key: (row["correct"], row["predicted"], row["gold"]) for key, row in rows_of(slices, name).items()}


def random_corpus(seed, articles=6):
    rng = random.Random(seed)
    gold, predictions = [], []
    for number in range(articles):
        words = rng.choice([20, 150, 500, 900])
        text = " ".join(rng.choice(["Ba", "bA", "đô", "ĐÔ", "e", "x\ty"]) for _ in range(words))
        body = None if rng.random() < 0.5 else tuple(sorted(rng.sample(range(len(text)), 2)))
        low, high = body or (0, len(text))
        spans = [
            Span(span.start + low, span.end + low, span.type, span.category)
            for span in random_spans(rng, length=high - low, scheme=SCHEME, most=min(8, (high - low) // 2))
        ]
        short = [Span(span.start, min(span.end, span.start + 4), span.type, span.category) for span in spans]
        given = disturbed(rng, short, length=len(text), scheme=SCHEME)
        meta = {"outlet": rng.choice(["p", "q", "r"])} | ({"noise": 2} if rng.random() < 0.5 else {})
        categories = frozenset(span.category for span in short if span.category)
        gold.append(Annotated(Article(f"a{number}", text, meta=meta), tuple(short), categories, body=body))
        if rng.random() < 0.9:
            predictions.append(tagged(f"a{number}", *given, categories=rng.sample(SCHEME.category_names, 2)))
    return gold, predictions


def test_the_slices_of_a_division_add_up_to_the_strict_scores_of_the_whole():
    for seed in range(60):
        gold, predictions = random_corpus(seed)
        other, _ = random_corpus(seed + 1000, articles=1)
        seen = [(span.type, other[0].article.text[span.start : span.end]) for span in other[0].spans] or [("", "")]
        scores = score(gold, predictions=predictions, scheme=SCHEME)
        whole = {label: row for label, row in scores.table(Measure.STRICT).rows.items() if row.scored}
        categories = {"categories": scores.table(Measure.CATEGORIES).micro}
        keys = ["outlet", "noise", "absent"]
        slices = count_slices(gold, predictions=predictions, scheme=SCHEME, seen=seen, meta=keys)
        names = {one["name"] for one in slices}
        assert {"mention", "position", "length", "outlet"} <= names
        assert "absent" not in names
        for one in slices:
            totals = {row["label"]: Counts() for row in one["rows"]}
            for row in one["rows"]:
                totals[row["label"]] += Counts(row["correct"], row["predicted"], row["gold"])
                assert row["predicted"] + row["gold"] > 0
            assert totals == whole | (categories if one["of"] == "articles" else {})


def test_an_article_slice_is_scored_as_its_articles_alone_are():
    for seed in range(40):
        gold, predictions = random_corpus(seed)
        lengths = {"up to 200 words": (0, 200), "201–400 words": (201, 400), "401–700 words": (401, 700)}
        slices = count_slices(gold, predictions=predictions, scheme=SCHEME)

        def words(one):
            return len((one.article.text[one.body[0] : one.body[1]] if one.body else one.article.text).split())

        members = {("outlet", name): [one for one in gold if one.article.meta["outlet"] == name] for name in "pqr"}
        for name, (low, high) in lengths.items():
            members["length", name] = [one for one in gold if low <= words(one) <= high]
        members["length", "over 700 words"] = [one for one in gold if words(one) > 700]
        for (division, name), part in members.items():
            rows = {label: row for (slice_, label), row in rows_of(slices, division).items() if slice_ == name}
            ids = {one.id for one in part}
            scores = score(part, predictions=[one for one in predictions if one.id in ids], scheme=SCHEME)
            expected = {label: row for label, row in scores.table(Measure.STRICT).rows.items() if row.scored}
            assert rows.keys() - {"categories"} == expected.keys()
            for label, counts in expected.items():
                assert rows[label].items() >= asdict(counts.ratios).items()


def test_a_mention_is_seen_by_type_whatever_its_case_and_white_space():
    seen = {("SITE", "Bát  Xát"), ("PERSON", "Quản Bạ")}
    text = "BÁT\nXÁT, Quản Bạ, Bát Xá"
    gold = [Annotated(Article("a", text), (Span(0, 7, "SITE"), Span(9, 16, "SITE")))]
    given = [tagged("a", Span(0, 7, "SITE"), Span(18, 24, "SITE"), Span(9, 16, "PERSON"))]
    found = counts_of(count_slices(gold, predictions=given, scheme=SCHEME, seen=seen), "mention")
    assert found == {
        ("seen", "SITE"): (1, 1, 1),
        ("seen", "PERSON"): (0, 1, 0),
        ("unseen", "SITE"): (0, 1, 1),
    }


def test_without_seen_mentions_spans_are_not_divided_so():
    gold, predictions = random_corpus(0)
    assert "mention" not in {one["name"] for one in count_slices(gold, predictions=predictions, scheme=SCHEME)}


def test_a_span_lies_in_the_fifth_of_the_body_in_which_it_begins():
    gold = [
        Annotated(Article("a", "x" * 120), tuple(Span(10 + place, 12 + place, "SITE") for place in (0, 19, 20, 98)),
                  body=(10, 110))
    ]  # fmt: skip
    given = [tagged("a", Span(10, 12, "SITE"), Span(0, 5, "SITE"), Span(109, 115, "SITE"), Span(110, 112, "PERSON"))]
    found = counts_of(count_slices(gold, predictions=given, scheme=SCHEME), "position")
    assert found == {
        ("0–20 %", "SITE"): (1, 1, 2),
        ("20–40 %", "SITE"): (0, 0, 1),
        ("80–100 %", "SITE"): (0, 1, 1),
        ("outside the body", "PERSON"): (0, 1, 0),
        ("outside the body", "SITE"): (0, 1, 0),
    }


def test_values_of_meta_come_most_frequent_first_with_articles_that_lack_the_key():
    metas = [{"outlet": "b"}, {"outlet": "a"}, {"outlet": "b"}, {}]
    gold = [Annotated(Article(f"a{i}", "x y", meta=meta), (Span(0, 1, "SITE"),)) for i, meta in enumerate(metas)]
    slices = count_slices(gold, predictions=[], scheme=SCHEME)
    found = counts_of(slices, "outlet")
    assert list(found) == [("b", "SITE"), ("a", "SITE"), ("no outlet", "SITE")]
    assert found["b", "SITE"] == (0, 0, 2)
    assert rows_of(slices, "outlet")["b", "SITE"]["precision"] is None
