"""Random articles with gold and predictions for the evaluation tests, and a check that they are worth testing on."""

import random

from hoidam.document import Annotated, Article, Span, Tagged
from hoidam.labels import Category, LabelScheme, SpanType

SCHEME = LabelScheme(
    types=(SpanType("PERSON"), SpanType("SITE"), SpanType("MATTER", True), SpanType("FIELD", True)),
    categories=(Category("RED"), Category("GREEN"), Category("BLUE")),
)
FLAT = LabelScheme(types=(SpanType("PERSON"), SpanType("SITE"), SpanType("MATTER")))


def annotated(name, *spans, categories=(), text="x" * 40):
    return Annotated(Article(name, text), tuple(spans), frozenset(categories))


def tagged(name, *spans, categories=()):
    return Tagged(name, "", tuple(spans), dict.fromkeys(categories, 0.9), "m")


def random_spans(rng, *, length, scheme, most=4):
    """Up to `most` spans of each type, free of overlaps within a type; types nest and cross as they like."""
    spans = []
    for kind in scheme.types:
        edges = sorted(rng.sample(range(length + 1), 2 * rng.randint(0, most)))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            spans.append(Span(start, end, kind.name, rng.choice(scheme.category_names) if kind.categorised else None))
    return spans


def disturbed(rng, spans, *, length, scheme):
    """Gold as a fair model might give it: some spans lost, shifted, renamed or put in another category, some new."""
    given = []
    for span in spans:
        start, end, kind, category = span.start, span.end, span.type, span.category
        fate = rng.random()
        if fate < 0.15:
            continue
        if fate < 0.4:
            start, end = sorted(min(max(0, edge + rng.randint(-2, 2)), length) for edge in (start, end))
        elif fate < 0.5:
            kind = rng.choice(scheme.type_names)
        elif fate < 0.6 and category is not None:
            category = rng.choice(scheme.category_names)
        if kind not in scheme.categorised_names:
            category = None
        elif category is None:
            category = rng.choice(scheme.category_names)
        if start < end:
            given.append(Span(start, end, kind, category, rng.random()))
    given += random_spans(rng, length=length, scheme=scheme, most=1)
    rng.shuffle(given)
    kept = []
    for span in given:
        if not any(other.type == span.type and other.overlaps(span) for other in kept):
            kept.append(span)
    return kept


def random_case(seed, *, scheme=SCHEME, articles=3, length=24, most=4):
    """A few articles with gold and predictions; some without gold, some without a prediction."""
    rng = random.Random(seed)
    gold, predictions = [], []
    for number in range(rng.randint(1, articles)):
        name = f"a{number}"
        spans = random_spans(rng, length=length, scheme=scheme, most=most) if rng.random() < 0.8 else []
        given = disturbed(rng, spans, length=length, scheme=scheme) if rng.random() < 0.8 else []
        union = {span.category for span in spans if span.category is not None}
        guessed = [category for category in scheme.category_names if rng.random() < (0.7 if category in union else 0.2)]
        rng.shuffle(spans)
        gold.append(annotated(name, *spans, categories=union, text="x" * length))
        if rng.random() < 0.9:
            predictions.append(tagged(name, *given, categories=guessed))
    rng.shuffle(predictions)
    return gold, predictions


def test_the_random_cases_nest_and_go_wrong_in_every_way():
    nested = empty = unread = exact = shifted = 0
    for seed in range(300):
        gold, predictions = random_case(seed)
        given = {prediction.id: prediction.spans for prediction in predictions}
        for article in gold:
            spans = article.spans
            nested += any(a.type != b.type and a.overlaps(b) for a in spans for b in spans)
            empty += not spans
            unread += article.id not in given
            exact += any(span in given.get(article.id, ()) for span in spans)
            shifted += any(
                a.type == b.type and a.overlaps(b) and a != b for a in spans for b in given.get(article.id, ())
            )
    assert min(nested, empty, unread, exact, shifted) > 20
