"""Typing errors in gold: spans keep their words, kinds do what they say, the rate is kept, order does not matter."""

import random
import re
import unicodedata
from collections import Counter
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
        [noisy] = add_noise([one], kinds=[kind], rate=rng.random(), seed=rng.randrange(9)).gold
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
    noisy = add_noise([article], kinds=["tones"], rate=1, seed=1)
    assert noisy.gold[0].article.text == "hòa hoà khỏe luỹ Thụy quý toàn hoa của Hoàng mía ỦY"
    assert (str(noisy.words), str(noisy.spaces)) == ("6 of 12 (50.0%)", "0 of 11 (0.0%)")


def words(gold: list[Annotated]) -> list[str]:
    return [word for one in gold for word in re.findall(r"[^\W\d_]{2,}", one.article.text)]


def moved(word: str) -> bool:
    """Whether a word's tone lies on one of two vowels that it may lie on, in any case."""
    return re.search(r"(?<!q)([òóỏõọ][ae]|o[àáảãạèéẻẽẹ]|[ùúủũụ]y|u[ỳýỷỹỵ])$", word.lower()) is not None


GARBLED: dict[str, Callable[[str], bool]] = {
    "marks": lambda word: word != unmarked(word),
    "tones": moved,
    "case": lambda word: True,
    "letters": lambda word: True,
    "spaces": lambda word: False,
}
"""Which words have another spelling of each kind."""


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 1.0])
def test_the_rate_is_the_share_of_what_can_be_garbled(kind: str, rate: float):
    gold = [Annotated(Article(f"b{number}", TEXT)) for number in range(99)] + make_articles("a", 200, seed=3)
    most = sum(map(GARBLED[kind], words(gold)))
    spaces = sum(len(re.findall(r"\b \b", one.article.text)) for one in gold)
    noisy = add_noise(gold, kinds=[kind], rate=rate, seed=1)
    assert (noisy.words.of, noisy.spaces.of) == (len(words(gold)), spaces)
    if kind == "spaces":
        lost, doubled = Counter(), Counter()
        for old, new in zip(gold, noisy.gold, strict=True):
            doubled[old.id] = new.article.text.count("  ")
            lost[old.id] = len(old.article.text) - len(new.article.text) + doubled[old.id]
        most, changed = spaces, doubled.total() + lost.total()
        assert (noisy.words.garbled, noisy.spaces.garbled) == (0, changed)
        assert lost.total() == pytest.approx(doubled.total(), abs=4 * (most * rate) ** 0.5)
    else:
        stretches = zip(gold, noisy.gold, strict=True)
        pairs = (zip(a.article.text.split(), b.article.text.split(), strict=True) for a, b in stretches)
        changed = sum(old != new for pair in pairs for old, new in pair)
        assert (noisy.words.garbled, noisy.spaces.garbled) == (changed, 0)
    assert most > 200
    assert changed == pytest.approx(rate * most, abs=4 * (rate * (1 - rate) * most) ** 0.5)


def test_of_a_word_and_a_space_that_touch_one_alone_is_garbled():
    one = Annotated(Article("a", "một hai ba"))
    found = [add_noise([one], kinds=["letters", "spaces"], rate=1, seed=seed) for seed in range(300)]
    assert max(noisy.words.garbled + noisy.spaces.garbled for noisy in found) == 3, "all five are never garbled"
    assert max(noisy.spaces.garbled for noisy in found) == 2


def test_what_befalls_an_article_depends_on_its_id_and_the_seed_alone():
    gold = make_articles("a", 20, seed=3)
    noisy = add_noise(gold, kinds=list(NOISES), rate=0.3, seed=1)
    assert add_noise(gold[::-1], kinds=list(NOISES), rate=0.3, seed=1).gold == noisy.gold[::-1]
    assert add_noise(gold, kinds=list(NOISES), rate=0.3, seed=2) != noisy
    assert add_noise(gold, kinds=list(NOISES), rate=0, seed=1).gold == gold


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
    shares = r"garbled: words [\d,]+ of ([\d,]+) \(\d\d\.\d%\), spaces [\d,]+ of [\d,]+ \(\d\.\d%\)"
    assert re.findall(shares, result.stderr) == [f"{len(words(corpus.train)):,}"]
    noisy = read_gold([gold], read_articles([articles]), read_labels(corpus.labels))
    assert [one.id for one in noisy] == [one.id for one in corpus.train]
    assert [one.article.text for one in noisy] != [one.article.text for one in corpus.train]
