"""Thresholds chosen on dev: what score a span of each type, and a category, must reach to be given out."""

from collections.abc import Sequence

from hoidam.document import Annotated
from hoidam.evaluate.items import Items, category_items, span_items
from hoidam.labels import LabelScheme
from hoidam.predict import Prediction, Thresholds

_GRID = tuple(step / 100 for step in range(0, 96, 5))
_FINE_GRID = tuple(step / 100 for step in range(100))


def tune_thresholds(gold: Sequence[Annotated], predictions: Sequence[Prediction], *, scheme: LabelScheme) -> Thresholds:
    """The thresholds that do best: first for articles, then on what these leave for spans and categories.

    They are compared with calibrated scores, so that who edits one knows what it asks for: of the spans of a type that
    score near 0.8, four in five are right.

    For articles, the best mean of the shares of articles with and without categories that are known as such; for spans
    of a type the highest strict F1, in which a category that they have must be right too; for categories the highest
    micro F1. Ties go to the lowest. Where no category is right at any threshold, one half: the lowest would give every
    article all of them.
    """
    article = _article_threshold(gold, predictions)
    everything = Thresholds(spans={}, categories=0.0, article=article)
    left = [
        prediction.above(everything).tagged(annotated.id)
        for annotated, prediction in zip(gold, predictions, strict=True)
    ]
    spans = span_items(gold, predictions=left, scheme=scheme)
    categories = category_items(gold, predictions=left)
    return Thresholds(
        spans={name: _best(items) for name, items in spans.items()},
        categories=_best(categories) if categories.right.any() else 0.5,
        article=article,
    )


def _article_threshold(gold: Sequence[Annotated], predictions: Sequence[Prediction]) -> float:
    highest = [max(prediction.categories.values(), default=0.0) for prediction in predictions]
    with_any = [score for score, annotated in zip(highest, gold, strict=True) if annotated.categories]
    without = [score for score, annotated in zip(highest, gold, strict=True) if not annotated.categories]
    if not with_any or not without:
        return 0.0

    def balanced_accuracy(threshold: float) -> float:
        found = sum(score >= threshold for score in with_any) / len(with_any)
        return found + sum(score < threshold for score in without) / len(without)

    return max(_FINE_GRID, key=lambda threshold: (balanced_accuracy(threshold), -threshold))


def _best(items: Items) -> float:
    return max(_GRID, key=lambda threshold: (items.counts(threshold).ratios.f1 or 0.0, -threshold))
