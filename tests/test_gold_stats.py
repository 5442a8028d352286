"""Counts for a data card: they equal a count by hand, add up over parts, and are rendered as they are."""

import json
import random

import pytest

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.gold.cuts import Cuts
from hoidam.gold.stats import Unseen, render_markdown, stats
from hoidam.labels import Category, LabelScheme, SpanType

SCHEME = LabelScheme(
    types=(SpanType("WHO"), SpanType("WHERE"), SpanType("WHAT", categorised=True)),
    categories=(Category("TRADE"), Category("HEALTH")),
)


def article(name: str, text: str, *spans: Span, outlet: str | None = None, body: tuple[int, int] | None = None):
    categories = frozenset(span.category for span in spans if span.category)
    meta = {} if outlet is None else {"outlet": outlet}
    return Annotated(Article(name, text, meta=meta), spans, categories, body=body)


TRAIN = [
    article("a", "Menu Mẩy họp ở Vinh", Span(5, 8, "WHO"), Span(15, 19, "WHERE"), outlet="paper", body=(5, 19)),
    article("b", "chợ chợ", Span(0, 3, "WHAT", "TRADE"), Span(4, 7, "WHAT", "TRADE"), outlet="paper"),
]
DEV = [
    article("c", "MẨY  Én ở Huế", Span(0, 3, "WHO"), Span(5, 7, "WHO"), Span(10, 13, "WHERE"), outlet="radio"),
    article("d", "chợ và thuốc", Span(0, 3, "WHAT", "TRADE"), Span(7, 12, "WHAT", "HEALTH")),
]


def test_counts_equal_those_made_by_hand():
    found = stats({"train": TRAIN, "dev": DEV}, scheme=SCHEME)
    assert (found.total.articles, found.total.with_categorised, found.total.without_categorised) == (4, 2, 2)
    assert (found.parts["train"].words, found.parts["train"].body_words) == (7, 6)
    assert found.parts["dev"].spans == {"WHO": 2, "WHERE": 1, "WHAT": 2}
    assert found.total.categories == {"TRADE": 3, "HEALTH": 1}
    assert found.total.category_articles == {"TRADE": 2, "HEALTH": 1}
    assert {name: group.articles for name, group in found.groups.items()} == {"paper": 2, "": 1, "radio": 1}
    assert list(found.groups) == ["paper", "", "radio"]
    assert found.unseen == {"dev": {"WHO": Unseen(2, 1), "WHERE": Unseen(1, 1), "WHAT": Unseen(2, 1)}}
    assert found.unseen["dev"]["WHAT"].share == 0.5


def random_article(rng: random.Random, part: str) -> Annotated:
    spans = [Span(0, 3, "WHO"), Span(4, 7, "WHERE"), Span(0, 3, "WHAT", "TRADE"), Span(4, 7, "WHAT", "HEALTH")]
    text = rng.choice(["một hai ba", "bốn năm", "sáu bảy tám chín"])
    return article(f"{part}{rng.random()}", text, *rng.sample(spans, rng.randint(0, 4)), outlet=rng.choice("xy"))


def forms(annotated: list[Annotated], name: str) -> list[str]:
    return [one.article.text[span.start : span.end] for one in annotated for span in one.spans if span.type == name]


def test_parts_add_up_to_the_total():
    rng = random.Random(1)
    for _ in range(300):
        parts = {
            name: [random_article(rng, name) for _ in range(rng.randint(0, 5))] for name in ("train", "dev", "test")
        }
        found = stats(parts, scheme=SCHEME)
        for groups in (found.parts.values(), found.groups.values()):
            assert sum(group.articles for group in groups) == found.total.articles
            assert sum(group.words for group in groups) == found.total.words
            assert sum(group.with_categorised for group in groups) == found.total.with_categorised
            for name in SCHEME.type_names:
                assert sum(group.spans[name] for group in groups) == found.total.spans[name]
        for part, rows in found.unseen.items():
            for name, unseen in rows.items():
                here, seen = forms(parts[part], name), forms(parts["train"], name)
                assert unseen == Unseen(len(here), sum(form not in seen for form in here))


def test_near_duplicates_in_two_parts_are_counted():
    words = " ".join(f"w{number}" for number in range(30))
    parts = {"train": [article("a", words), article("b", words + " x")], "dev": [article("c", words + " y")]}
    found = stats(parts, scheme=SCHEME)
    assert (found.near_duplicates, found.crossing_duplicates) == (3, 2)


def test_an_article_in_two_parts_is_refused():
    with pytest.raises(DataError, match="'a' stands in train and in dev"):
        stats({"train": TRAIN, "dev": [*DEV, TRAIN[0]]}, scheme=SCHEME)


def test_plain_data_is_json_and_nothing_to_share_is_none():
    found = stats({"train": TRAIN, "test": []}, scheme=SCHEME).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["unseen"]["test"]["WHO"] == {"mentions": 0, "unseen": 0, "share": None}
    assert stats({"all": TRAIN}, scheme=SCHEME).unseen == {}


def test_tables_show_the_counts():
    page = render_markdown(stats({"train": TRAIN, "dev": DEV}, scheme=SCHEME))
    assert "| articles | 2 | 2 | 4 |\n" in page
    assert "| TRADE | 2 | 1 | 3 |\n" in page
    assert "| paper | 2 | 1 | 1 |\n" in page
    assert "| WHAT | 50% (2) |\n" in page
    assert page.endswith("Near-duplicate pairs: 0, across parts: 0.\n")
    widths = {table: {line.count("|") for line in table.splitlines()} for table in page.split("\n\n")[:-1]}
    assert all(len(columns) == 1 for columns in widths.values())


def test_a_corpus_without_parts_groups_or_categories_has_fewer_tables():
    flat = LabelScheme(types=(SpanType("WHO"),))
    page = render_markdown(stats({"all": [article("a", "x y", Span(0, 1, "WHO"))]}, scheme=flat))
    assert page.count("| --- |") == 2
    assert "|  | all |\n" in page


def cut_in_threes(text):
    """Words of three characters, which no gold here was made for."""
    return [(start, min(start + 3, len(text))) for start in range(0, len(text), 3)]


def test_gold_that_a_segmenter_cuts_is_counted_by_part():
    words = {"threes": cut_in_threes, "whole": lambda text: [(0, len(text))]}
    found = stats({"train": TRAIN, "dev": DEV}, scheme=SCHEME, segmenters=words)
    assert found.cuts["threes"] == {"train": Cuts(4, 2, 3), "dev": Cuts(5, 3, 4)}
    assert found.cuts["whole"] == {"train": Cuts(4, 4, 5), "dev": Cuts(5, 5, 6)}
    page = render_markdown(found)
    assert "| spans cut by a segmenter (edges) | train | dev | total |\n" in page
    assert "| threes | 50.00% (3) | 60.00% (4) | 55.56% (7) |\n" in page
    assert found.to_dict()["cuts"]["threes"]["dev"] == {"spans": 5, "cut_spans": 3, "cut_edges": 4, "share": 0.6}


def test_cuts_equal_a_count_edge_by_edge():
    rng = random.Random(3)
    for _ in range(300):
        part = [random_article(rng, "x") for _ in range(rng.randint(0, 4))]
        edges = [
            [span.start % 3 != 0, span.end % 3 != 0 and span.end != len(one.article.text)]
            for one in part
            for span in one.spans
        ]
        found = stats({"all": part}, scheme=SCHEME, segmenters={"threes": cut_in_threes}).cuts["threes"]["all"]
        assert found == Cuts(len(edges), sum(map(any, edges)), sum(map(sum, edges)))
