"""Agreement of two annotators: F1 and kappa equal slow counts from their definitions, intervals hold the value."""

import itertools
import json
import random

import pytest

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.gold.agree import agree
from hoidam.labels import Category, LabelScheme, SpanType

SCHEME = LabelScheme(
    types=(SpanType("WHO"), SpanType("WHAT", categorised=True)),
    categories=(Category("TRADE"), Category("HEALTH")),
)
TEXT = "x" * 20


def annotated(name: str, spans: tuple[Span, ...] = (), categories: frozenset[str] = frozenset()) -> Annotated:
    return Annotated(Article(name, TEXT), spans, categories)


def random_side(rng: random.Random, articles: int) -> list[Annotated]:
    side = []
    for number in range(articles):
        spans: list[Span] = []
        for _ in range(rng.randint(0, 6)):
            start, end = sorted(rng.sample(range(14), 2))
            name = rng.choice(SCHEME.type_names)
            span = Span(start, end, name, "TRADE" if name == "WHAT" else None)
            if not any(span.overlaps(other) and span.type == other.type for other in spans):
                spans.append(span)
        categories = frozenset(name for name in SCHEME.category_names if rng.random() < 0.5)
        side.append(annotated(f"a{number}", tuple(spans), categories))
    return side


def unsure(rng: random.Random, side: list[Annotated]) -> list[Annotated]:
    """The same annotation with some spans left out and some categories turned."""
    return [
        annotated(
            one.id,
            tuple(span for span in one.spans if rng.random() < 0.8),
            one.categories ^ frozenset(name for name in SCHEME.category_names if rng.random() < 0.2),
        )
        for one in side
    ]


def most_pairs(first: list[Span], second: list[Span]) -> int:
    """The largest one-to-one matching of overlapping spans, by trying everything."""
    if not first:
        return 0
    rest = first[1:]
    without = most_pairs(rest, second)
    having = [
        1 + most_pairs(rest, second[:at] + second[at + 1 :])
        for at, span in enumerate(second)
        if first[0].overlaps(span)
    ]
    return max([without, *having])


def slow_f1(first: list[Annotated], second: list[Annotated], name: str, *, strict: bool) -> float | None:
    matched = total = 0
    for one, other in zip(first, second, strict=True):
        spans, others = ([s for s in side.spans if s.type == name] for side in (one, other))
        places = {(s.start, s.end) for s in others}
        matched += sum((s.start, s.end) in places for s in spans) if strict else most_pairs(spans, others)
        total += len(spans) + len(others)
    return 2 * matched / total if total else None


def slow_kappa(decisions: list[tuple[bool, bool]]) -> float | None:
    observed = sum(one == other for one, other in decisions) / len(decisions)
    shares = [sum(pair[side] for pair in decisions) / len(decisions) for side in (0, 1)]
    chance = shares[0] * shares[1] + (1 - shares[0]) * (1 - shares[1])
    return None if chance == 1 else (observed - chance) / (1 - chance)


def test_measures_equal_their_definitions_on_random_annotations():
    rng = random.Random(1)
    for _ in range(400):
        articles = rng.randint(1, 5)
        first = random_side(rng, articles)
        second = random_side(rng, articles) if rng.random() < 0.5 else unsure(rng, first)
        found = agree(first, second, scheme=SCHEME, resamples=5)
        for name in SCHEME.type_names:
            assert found.strict[name].value == pytest.approx(slow_f1(first, second, name, strict=True))
            assert found.overlap[name].value == pytest.approx(slow_f1(first, second, name, strict=False))
        pooled = []
        for name in SCHEME.category_names:
            decisions = [(name in a.categories, name in b.categories) for a, b in zip(first, second, strict=True)]
            assert found.kappa[name].value == pytest.approx(slow_kappa(decisions))
            pooled += decisions
        assert found.kappa["all"].value == pytest.approx(slow_kappa(pooled))


def test_kappa_is_cohens_own_example():
    """Twenty and fifteen in agreement out of fifty, five and ten not: kappa 0.4."""
    cells = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    sides = [
        [annotated(f"a{row}", (), frozenset({"TRADE"} if cell[side] else ())) for row, cell in enumerate(cells)]
        for side in (0, 1)
    ]
    assert agree(*sides, scheme=SCHEME, resamples=10).kappa["TRADE"].value == pytest.approx(0.4)


def test_an_annotator_agrees_wholly_with_themselves():
    side = random_side(random.Random(2), 30)
    found = agree(side, side, scheme=SCHEME, resamples=50)
    for table in (found.strict, found.overlap, found.kappa):
        assert {(row.value, row.low, row.high) for row in table.values()} == {(1, 1, 1)}


def test_nothing_to_agree_on_is_none():
    found = agree([annotated("a")], [annotated("a")], scheme=SCHEME, resamples=10)
    rows = itertools.chain(found.strict.values(), found.overlap.values(), found.kappa.values())
    assert {(row.value, row.low, row.high) for row in rows} == {(None, None, None)}


def test_intervals_hold_the_value_narrow_with_articles_and_repeat_with_the_seed():
    rng = random.Random(3)
    widths = []
    for articles in (10, 300):
        first = random_side(rng, articles)
        second = unsure(rng, first)
        found = agree(first, second, scheme=SCHEME, seed=5)
        row = found.strict["all"]
        assert row.low < row.value < row.high
        widths.append(row.high - row.low)
        assert agree(first, second, scheme=SCHEME, seed=5) == found
        other = agree(first, second, scheme=SCHEME, seed=6).strict["all"]
    assert widths[1] < widths[0] / 2
    assert other != row
    assert other.low == pytest.approx(row.low, abs=0.01)


def test_the_interval_is_that_of_resampled_articles():
    """With one article agreed on and one not, equal in size, F1 is 0, 0.5 or 1 in a quarter, a half, a quarter."""
    first = [annotated("a", (Span(0, 2, "WHO"),)), annotated("b", (Span(0, 2, "WHO"),))]
    second = [annotated("a", (Span(0, 2, "WHO"),)), annotated("b", (Span(3, 5, "WHO"),))]
    wide = agree(first, second, scheme=SCHEME, level=0.9).strict["WHO"]
    narrow = agree(first, second, scheme=SCHEME, level=0.4).strict["WHO"]
    assert (wide.low, wide.high) == (0, 1)
    assert (narrow.low, narrow.value, narrow.high) == (0.5, 0.5, 0.5)


def test_only_shared_articles_count_and_the_others_are_named():
    one, other = random_side(random.Random(4), 4), random_side(random.Random(5), 6)
    found = agree(one[1:], list(reversed(other)), scheme=SCHEME, resamples=20)
    assert (found.articles, found.only_first, found.only_second) == (3, (), ("a5", "a4", "a0"))
    assert found.strict == agree(one[1:], other[1:4], scheme=SCHEME, resamples=20).strict
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_a_scheme_without_categories_has_no_kappa():
    flat = LabelScheme(types=(SpanType("WHO"),))
    assert agree([annotated("a")], [annotated("a")], scheme=flat, resamples=2).kappa == {}


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="share no article"):
        agree([annotated("a")], [annotated("b")], scheme=SCHEME)
    with pytest.raises(DataError, match="'a' has two texts"):
        agree([annotated("a")], [Annotated(Article("a", "y"))], scheme=SCHEME)
    for settings in ({"resamples": 0}, {"level": 1.0}):
        with pytest.raises(DataError, match="resamples, level"):
            agree([annotated("a")], [annotated("a")], scheme=SCHEME, **settings)
