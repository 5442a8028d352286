"""Shingles: near-duplicates equal those found by comparing every two articles, and clusters join them all."""

import itertools
import random

import pytest

from hoidam.document import Annotated, Article
from hoidam.errors import DataError
from hoidam.gold.shingles import Pair, clusters, crossing, near_duplicates, sentences, shingles

WORDS = ("huyện", "Bát", "Xát", "và", "xã", "A", "Mú", "Sung")


def article(name: str, text: str, body: tuple[int, int] | None = None) -> Annotated:
    return Annotated(Article(name, text), body=body)


def random_corpus(rng: random.Random) -> list[Annotated]:
    """Articles some of which copy a stretch of an earlier one, in a small vocabulary."""
    texts: list[list[str]] = []
    for _ in range(rng.randint(0, 12)):
        found = [rng.choice(WORDS) for _ in range(rng.randint(0, 30))]
        if texts and rng.random() < 0.6:
            found = rng.choice(texts)[: rng.randint(1, 30)] + found[: rng.randint(0, 10)]
        texts.append(found)
    return [article(f"a{row}", " ".join(found)) for row, found in enumerate(texts)]


def test_near_duplicates_equal_a_comparison_of_every_two_articles():
    rng = random.Random(1)
    found_any = 0
    for _ in range(1000):
        corpus, size, threshold = random_corpus(rng), rng.randint(1, 5), rng.choice([0.05, 0.3, 0.9, 1.0])
        wanted = []
        for one, other in itertools.combinations(corpus, 2):
            first, second = (shingles(each.article.text, size=size) for each in (one, other))
            if first & second and len(first & second) / len(first | second) >= threshold:
                wanted.append(Pair(one.id, other.id, len(first & second) / len(first | second)))
        assert near_duplicates(corpus, threshold=threshold, size=size) == wanted
        found_any += len(wanted)
    assert found_any > 1000


def test_shingles_are_runs_of_words_in_any_case_and_spacing():
    assert shingles("Hai BÊN\nký, kết.", size=2) == {("hai", "bên"), ("bên", "ký"), ("ký", "kết")}
    assert shingles("Hai bên", size=8) == {("hai", "bên")}
    assert shingles(" - ", size=8) == frozenset()


def test_only_bodies_are_compared():
    menu = "trang chủ thời sự kinh tế văn hóa thể thao du lịch liên hệ đọc báo in nghe nhìn bạn đọc"
    one, other = "một hai ba bốn năm sáu bảy tám chín", "cam chanh quýt bưởi mít xoài ổi na mận đào"
    corpus = [article("a", f"{menu} {one}"), article("b", f"{menu} {other}")]
    assert near_duplicates(corpus)
    bodies = [article(each.id, each.article.text, (len(menu), len(each.article.text))) for each in corpus]
    assert near_duplicates(bodies) == []


def test_an_article_with_every_sixteenth_word_changed_is_a_near_duplicate():
    words = [f"w{number}" for number in range(300)]
    changed = ["x" if number % 16 == 7 else word for number, word in enumerate(words)]
    assert near_duplicates([article("a", " ".join(words)), article("b", " ".join(changed))])


def test_a_threshold_outside_its_range_is_refused():
    for threshold in (0, -1, 1.1):
        with pytest.raises(DataError, match="threshold"):
            near_duplicates([], threshold=threshold)


def test_clusters_are_the_connected_components():
    rng = random.Random(2)
    for _ in range(500):
        ids = [f"a{number}" for number in range(rng.randint(1, 10))]
        pairs = [Pair(*rng.sample(ids, 2), 0.5) for _ in range(rng.randint(0, 6))] if len(ids) > 1 else []
        reached = {name: {name} for name in ids}
        for _ in ids:
            for pair in pairs:
                joined = reached[pair.first] | reached[pair.second]
                reached.update(dict.fromkeys(joined, joined))
        found = clusters(ids, pairs)
        assert {frozenset(names) for names in found} == {frozenset(names) for names in reached.values()}
        assert sorted(itertools.chain(*found)) == sorted(ids)


def test_pairs_in_two_parts_are_counted_and_articles_without_a_part_are_not():
    pairs = [Pair("a", "b", 0.5), Pair("b", "c", 0.5), Pair("c", "d", 0.5)]
    assert crossing(pairs, {"a": "train", "b": "train", "c": "dev"}) == [pairs[1]]


def test_sentences_know_their_offset_and_have_their_least_length():
    text = "Một hai.\nHai bên ký kết;  ba bốn năm sáu! Bảy"
    found = list(sentences(text, at_least=4))
    assert [words for _, words in found] == [("hai", "bên", "ký", "kết"), ("ba", "bốn", "năm", "sáu")]
    assert [text[offset:].split(maxsplit=1)[0] for offset, _ in found] == ["Hai", "ba"]
