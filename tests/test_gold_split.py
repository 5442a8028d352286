"""Splits: every article in one part, none with a near-duplicate in another, sizes and traits alike, same each time."""

import random
from collections import Counter

import pytest

from hoidam.document import Annotated, Article
from hoidam.errors import DataError
from hoidam.files import read_json_lines
from hoidam.gold.shingles import near_duplicates
from hoidam.gold.split import folds, split, write_split

CATEGORIES = ("TRADE", "HEALTH", "SECURITY", "RARE")


def random_corpus(rng: random.Random, articles: int, *, copies: float = 0.2) -> list[Annotated]:
    corpus: list[Annotated] = []
    for number in range(articles):
        words = [f"w{rng.randint(0, 10**6)}" for _ in range(40)]
        if corpus and rng.random() < copies:
            words = rng.choice(corpus).article.text.split()[: rng.randint(20, 40)] + words[: rng.randint(0, 10)]
        categories = frozenset(name for at, name in enumerate(CATEGORIES) if rng.random() < 0.5 / (at + 1) ** 2)
        meta = {"outlet": rng.choice(["paper", "radio", "radio"]), "cooperation": "yes" if categories else "no"}
        corpus.append(Annotated(Article(f"a{number}", " ".join(words), meta=meta), categories=categories))
    return corpus


def test_parts_hold_every_article_once_and_no_near_duplicates_of_each_other():
    rng = random.Random(1)
    joined = 0
    for seed in range(150):
        corpus = random_corpus(rng, rng.randint(1, 40))
        found = split(corpus, seed=seed, dev=0.2, test=0.2)
        assert Counter(found.train + found.dev + found.test) == Counter(one.id for one in corpus)
        pairs = near_duplicates(corpus)
        assert all(found.part_of[pair.first] == found.part_of[pair.second] for pair in pairs)
        assert found.crossing_duplicates == 0
        joined += len(pairs)
    assert joined > 100


def test_parts_have_their_share_of_articles():
    rng = random.Random(2)
    for articles in (10, 33, 200):
        corpus = random_corpus(rng, articles, copies=0)
        found = split(corpus, seed=0, dev=0.1, test=0.25)
        assert abs(len(found.dev) - 0.1 * articles) <= 1
        assert abs(len(found.test) - 0.25 * articles) <= 1


def drift(corpus: list[Annotated], part_of: dict[str, str], shares: dict[str, float]) -> float:
    """How many articles of each trait a part has too many or too few, added up."""
    traits = {one.id: [one.article.meta["outlet"], one.article.meta["cooperation"], *one.categories] for one in corpus}
    total = Counter(trait for found in traits.values() for trait in found)
    drifted = 0.0
    for part, share in shares.items():
        here = Counter(trait for name, found in traits.items() if part_of[name] == part for trait in found)
        drifted += sum(abs(here[trait] - share * count) for trait, count in total.items())
    return drifted


def test_parts_are_more_alike_than_random_ones():
    rng = random.Random(3)
    shares = {"train": 0.7, "dev": 0.1, "test": 0.2}
    stratified = by_chance = 0.0
    for seed in range(10):
        corpus = random_corpus(rng, 200)
        stratified += drift(corpus, split(corpus, seed=seed, dev=0.1, test=0.2).part_of, shares)
        ids = [one.id for one in corpus]
        rng.shuffle(ids)
        parts = ["dev"] * 20 + ["test"] * 40 + ["train"] * 140
        by_chance += drift(corpus, dict(zip(ids, parts, strict=True)), shares)
    assert stratified < 0.5 * by_chance


def test_the_outcome_depends_on_the_seed_and_not_on_the_order():
    rng = random.Random(4)
    corpus = random_corpus(rng, 60)
    shuffled = rng.sample(corpus, len(corpus))
    first = split(corpus, seed=7, dev=0.2, test=0.2)
    assert split(shuffled, seed=7, dev=0.2, test=0.2).part_of == first.part_of
    assert split(corpus, seed=8, dev=0.2, test=0.2).part_of != first.part_of
    assert list(first.train) == [one.id for one in corpus if first.part_of[one.id] == "train"]


def test_fixed_articles_stay_and_take_their_near_duplicates_along():
    rng = random.Random(5)
    corpus = random_corpus(rng, 80)
    first = split(corpus[:40], seed=1, dev=0.1, test=0.3)
    grown = split(corpus, seed=2, dev=0.1, test=0.3, fixed=first.part_of)
    assert all(grown.part_of[name] == part for name, part in first.part_of.items())
    assert grown.crossing_duplicates == 0
    assert abs(len(grown.test) - 24) <= 2


def test_what_cannot_be_split_is_refused():
    words = " ".join(f"w{number}" for number in range(30))
    twins = [Annotated(Article(name, words)) for name in "ab"]
    for dev, test in ((0.5, 0.5), (-0.1, 0.2), (0.2, -0.1), (float("nan"), 0.2)):
        with pytest.raises(DataError, match="shares"):
            split(twins, seed=0, dev=dev, test=test)
    with pytest.raises(DataError, match="fixed apart: 'a' in dev and 'b' in test"):
        split(twins, seed=0, dev=0.1, test=0.1, fixed={"a": "dev", "b": "test"})
    with pytest.raises(DataError, match="'a' is fixed in 'other'"):
        split(twins, seed=0, dev=0.1, test=0.1, fixed={"a": "other"})
    with pytest.raises(DataError, match="occurs twice"):
        split([twins[0], twins[0]], seed=0, dev=0.1, test=0.1)


def test_parts_are_written_all_or_none(tmp_path):
    corpus = random_corpus(random.Random(5), 20)
    parts = split(corpus, seed=0, dev=0.2, test=0.2)
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold" / "test.jsonl").touch()
    for articles, problem in (("articles", "exists already"), ("gold", "would go to one folder")):
        with pytest.raises(DataError, match=problem):
            write_split(corpus, parts, articles=tmp_path / articles, gold=tmp_path / "gold")
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == ["test.jsonl"]
    write_split(corpus, parts, articles=tmp_path / "articles", gold=tmp_path / "gold", force=True)
    for folder in (tmp_path / "articles", tmp_path / "gold"):
        for part in ("train", "dev", "test"):
            written = [record["id"] for _, record in read_json_lines(folder / f"{part}.jsonl")]
            assert written == list(getattr(parts, part))


def test_a_part_without_a_share_stays_empty():
    found = split(random_corpus(random.Random(6), 20), seed=0, dev=0, test=0.5)
    assert found.dev == ()
    assert len(found.train) + len(found.test) == 20


def test_folds_hold_every_article_once_in_equal_parts_and_near_duplicates_together():
    rng = random.Random(3)
    for seed in range(100):
        count = rng.randint(2, 6)
        corpus = random_corpus(rng, rng.randint(30, 60))
        found = folds(corpus, seed=seed, count=count)
        assert len(found) == count
        assert sorted(name for fold in found for name in fold) == sorted(one.id for one in corpus)
        part_of = {name: number for number, fold in enumerate(found) for name in fold}
        assert all(part_of[pair.first] == part_of[pair.second] for pair in near_duplicates(corpus))
        assert folds(corpus[::-1], seed=seed, count=count) == [fold[::-1] for fold in found]
        alone = random_corpus(rng, 40, copies=0)
        sizes = [len(fold) for fold in folds(alone, seed=seed, count=count)]
        assert max(sizes) - min(sizes) <= 2


def test_more_folds_than_can_be_filled_are_refused():
    corpus = random_corpus(random.Random(4), 3, copies=0)
    assert len(folds(corpus, seed=1, count=3)) == 3
    for count in (1, 4):
        with pytest.raises(DataError, match="folds"):
            folds(corpus, seed=1, count=count)
