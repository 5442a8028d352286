"""The corpus that the project carries: whole, divided without leakage, and described by what is counted."""

from pathlib import Path

import pytest

from hoidam.document import read_articles, read_gold
from hoidam.gazetteer import read_gazetteer
from hoidam.gold.adjudicate import adjudicate
from hoidam.gold.stats import render_markdown, stats
from hoidam.ingest.body import find_body
from hoidam.labels import read_labels

ROOT = Path(__file__).parents[1]
PARTS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def scheme():
    return read_labels(ROOT / "annotations" / "labels.toml")


@pytest.fixture(scope="module")
def corpus(scheme):
    articles = read_articles(ROOT / "data" / "articles" / f"{part}.jsonl" for part in PARTS)
    return {part: read_gold([ROOT / "annotations" / "gold" / f"{part}.jsonl"], articles, scheme) for part in PARTS}


def test_every_article_has_gold_in_one_part(corpus):
    with_gold = [one.id for gold in corpus.values() for one in gold]
    articles = read_articles(ROOT / "data" / "articles" / f"{part}.jsonl" for part in PARTS)
    assert sorted(with_gold) == sorted(articles)
    assert min(len(gold) for gold in corpus.values()) >= 10


def test_the_gold_of_test_is_what_two_annotations_and_the_decisions_make(scheme, tmp_path):
    folder = ROOT / "annotations"
    adjudicate(
        folder / "first" / "test.jsonl",
        folder / "second" / "test.jsonl",
        articles=[ROOT / "data" / "articles" / "test.jsonl"],
        scheme=scheme,
        decisions=folder / "decisions" / "test.toml",
        output=tmp_path / "gold.jsonl",
        annotator="C",
    )
    assert (tmp_path / "gold.jsonl").read_bytes() == (folder / "gold" / "test.jsonl").read_bytes()


def test_test_names_persons_and_places_that_train_does_not(corpus, scheme):
    unseen = stats(corpus, scheme=scheme).unseen["test"]
    assert unseen["OFFICIAL"].share > 0.6
    assert unseen["PLACE"].share > 0.4


def test_no_article_is_nearly_another_and_every_category_occurs_in_each_part(corpus, scheme):
    counted = stats(corpus, scheme=scheme)
    assert counted.near_duplicates == 0
    for part in PARTS:
        assert all(counted.parts[part].categories[name] for name in scheme.category_names)


def test_the_statistics_file_is_what_the_command_prints(corpus, scheme):
    gazetteer = read_gazetteer(ROOT / "data" / "gazetteer")
    printed = render_markdown(stats(corpus, scheme=scheme, gazetteer=gazetteer, place_type="PLACE"))
    assert (ROOT / "data" / "STATS.md").read_text(encoding="utf-8") == printed, "run `make stats`"


def test_cooperation_as_the_writer_meant_it_is_cooperation_as_annotated(corpus):
    for gold in corpus.values():
        for one in gold:
            assert (one.article.meta["cooperation"] == "yes") == bool(one.categories), one.id


def test_the_body_found_by_rule_loses_few_gold_spans(corpus):
    inside = total = 0
    for gold in corpus.values():
        for one in gold:
            start, end = find_body(one.article.text)
            inside += sum(start <= span.start and span.end <= end for span in one.spans)
            total += len(one.spans)
    assert inside / total > 0.995
