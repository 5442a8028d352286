"""Typing errors in gold: spans keep their words, kinds do what they say, the rate is kept, order does not matter."""

import random
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from generated import make_articles, write_corpus
from typer.testing import CliRunner

from hoidam.cli import app
from hoidam.document import Annotated, Article, Span, read_articles, read_gold
from hoidam.errors import DataError
from hoidam.gold.noise import NOISES, add_noise
from hoidam.labels import read_labels

TEXT = (
    "Ông Hoà, Chủ tịch xã Thuỵ Hùng (Đồng Đăng) nói: “Quý I/2024, hoả hoạn giảm”.\n"
    "Bến Hòa Bình – Vientiane, khoẻ, lũy kế"
)


def unmarked(text: str) -> str:
    parts = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(one for one in parts if unicodedata.category(one) != "Mn")


SAME: dict[str, Callable[[str], object]] = {
    "marks": unmarked,
    "tones": lambda text: sorted(unicodedata.normalize("NFD", text)),
    "case": str.casefold,
    "letters": lambda text: [one for one in text if not one.isalpha()],
    "spaces": lambda text: text.replace(" ", ""),
}
"""What each kind leaves as it was."""


def random_gold(rng: random.Random) -> Annotated:
    edges = sorted(rng.sample(range(len(TEXT) + 1), 4))
    if any(TEXT[start:end].isspace() for start, end in pairwise(edges)):
        return random_gold(rng)
    outer, inner = Span(edges[0], edges[3], "A"), Span(edges[1], edges[2], "B", "X")
    body = (edges[0], edges[3]) if rng.random() < 0.5 else None
    return Annotated(Article(f"a{rng.random()}", TEXT), (outer, inner), frozenset({"X"}), body=body)


def stretches(one: Annotated) -> list[str]:
    """The text between the edges of spans, all of it."""
    edges = sorted({0, len(one.article.text), *(edge for span in one.spans for edge in (span.start, span.end))})
    return [one.article.text[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("kind", NOISES)
def test_each_kind_changes_the_text_and_leaves_spans_around_the_same_words(kind: str):
    rng = random.Random(1)
    changed = 0
    for _ in range(1000):
        one = random_gold(rng)
        [noisy] = add_noise([one], kinds=[kind], rate=rng.random(), seed=rng.randrange(9))
        assert unicodedata.is_normalized("NFC", noisy.article.text)
        for new, old in zip(stretches(noisy), stretches(one), strict=True):
            assert SAME[kind](new) == SAME[kind](old)
            assert abs(len(new) - len(old)) <= len(old.split()) + 1
        assert [(span.type, span.category) for span in noisy.spans] == [(s.type, s.category) for s in one.spans]
        if one.body:
            assert noisy.body == (noisy.spans[0].start, noisy.spans[0].end)
        changed += noisy.article.text != one.article.text
    assert changed > 500


def test_tones_move_between_the_vowels_of_an_open_syllable_only():
    article = Annotated(Article("a", "hoà hòa khoẻ lũy Thuỵ quý toàn hoa của Hoàng mía UỶ"))
    [noisy] = add_noise([article], kinds=["tones"], rate=1, seed=1)
    # Of neighbours only the first is garbled, so that letters do not meet.
    words = [Annotated(Article(word, word)) for word in article.article.text.split()]
    found = [one.article.text for one in add_noise(words, kinds=["tones"], rate=1, seed=1)]
    assert found == ["hòa", "hoà", "khỏe", "luỹ", "Thụy", "quý", "toàn", "hoa", "của", "Hoàng", "mía", "ỦY"]
    assert noisy.article.text.startswith("hòa")


def test_the_rate_is_the_share_of_words_that_are_garbled():
    gold = make_articles("a", 200, seed=3)
    words = sum(len(one.article.text.split()) for one in gold)
    for rate in (0.0, 0.1, 0.3):
        noisy = add_noise(gold, kinds=["marks"], rate=rate, seed=1)
        marked = changed = 0
        for before, after in zip(gold, noisy, strict=True):
            for old, new in zip(before.article.text.split(), after.article.text.split(), strict=True):
                marked += old != unmarked(old)
                changed += old != new
        assert changed == pytest.approx(rate * marked, abs=0.03 * words)


def test_what_befalls_an_article_depends_on_its_id_and_the_seed_alone():
    gold = make_articles("a", 20, seed=3)
    noisy = add_noise(gold, kinds=list(NOISES), rate=0.3, seed=1)
    assert add_noise(gold[::-1], kinds=list(NOISES), rate=0.3, seed=1) == noisy[::-1]
    assert add_noise(gold, kinds=list(NOISES), rate=0.3, seed=2) != noisy
    assert add_noise(gold, kinds=list(NOISES), rate=0, seed=1) == gold


def test_unknown_kinds_and_rates_are_told():
    with pytest.raises(DataError, match=r"smudge.*marks, tones"):
        add_noise([], kinds=["smudge"], rate=0.1, seed=1)
    with pytest.raises(DataError, match="0 to 1"):
        add_noise([], kinds=["marks"], rate=1.5, seed=1)


def test_the_command_writes_articles_and_gold_that_fit(tmp_path: Path):
    corpus = write_corpus(tmp_path / "corpus")
    articles, gold = tmp_path / "articles.jsonl", tmp_path / "gold.jsonl"
    inputs = ["--gold", corpus.gold("train"), "--articles", corpus.articles("train"), "--labels", corpus.labels]
    outputs = ["--articles-output", articles, "--gold-output", gold, "--rate", "0.3"]
    result = CliRunner().invoke(app, ["gold", "noise", *map(str, [*inputs, *outputs])])
    assert result.exit_code == 0, result.output
    noisy = read_gold([gold], read_articles([articles]), read_labels(corpus.labels))
    assert [one.id for one in noisy] == [one.id for one in corpus.train]
    assert [one.article.text for one in noisy] != [one.article.text for one in corpus.train]
