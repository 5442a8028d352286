"""Thresholds chosen on dev: what score a span of each type, and a category, must reach to be given out."""

from collections.abc import Callable, Sequence

from hoidam.document import Annotated, Tagged
from hoidam.evaluate import Measure, Scores, score
from hoidam.evaluate.items import category_items
from hoidam.labels import LabelScheme
from hoidam.predict import Prediction, Thresholds

_GRID = tuple(step / 100 for step in range(0, 96, 5))
_ARTICLE_STEPS = 20
"""Steps in which an article's threshold is tried, to one category that is expected."""


def tune_thresholds(gold: Sequence[Annotated], predictions: Sequence[Prediction], *, scheme: LabelScheme) -> Thresholds:
    """The thresholds that do best: first for articles, then on what these leave for spans and categories.

    They are compared with calibrated scores, so that who edits one knows what it asks for: of the spans of a type that
    score near 0.8, four in five are right.

    For articles, the best mean of the shares of articles with and without categories that are known as such; for spans
    of a type the highest strict F1, or for one with categories the highest mean of it and of F1 by overlap with the
    right category; for categories the highest micro F1. Ties go to the lowest. Where no category is right at any
    threshold, one half: the lowest would give every article all of them.
    """
    article = _article_threshold(gold, predictions)
    everything = Thresholds(spans={}, categories=0.0, article=article)
    left = [prediction.above(everything) for prediction in predictions]
    categories = category_items(gold, predictions=_tagged(gold, left))
    return Thresholds(
        spans=_span_thresholds(gold, left, scheme=scheme),
        categories=_best(lambda threshold: categories.counts(threshold).ratios.f1) if categories.right.any() else 0.5,
        article=article,
    )


def _span_thresholds(
    gold: Sequence[Annotated], predictions: Sequence[Prediction], *, scheme: LabelScheme
) -> dict[str, float]:
    def scores_above(threshold: float) -> Scores:
        same = Thresholds(spans=dict.fromkeys(scheme.type_names, threshold), categories=0.0)
        return score(gold, predictions=_tagged(gold, [found.above(same) for found in predictions]), scheme=scheme)

    scores = {threshold: scores_above(threshold) for threshold in _GRID}

    def best(name: str) -> float:
        return _best(lambda threshold: _span_f1(scores[threshold], name))

    return {name: best(name) for name in scheme.type_names}


def _span_f1(scores: Scores, name: str) -> float | None:
    """Strict F1; for a type with categories the mean of it and of F1 by overlap with the right category.

    Where a phrase that names a field begins and ends is partly a matter of taste. Strict F1 alone would drop phrases
    whose bounds are in doubt, though they say rightly what is spoken of and where.
    """
    strict = scores.table(Measure.STRICT).rows[name].ratios.f1
    overlap = scores.table(Measure.OVERLAP_CATEGORY).rows.get(name)
    if overlap is None or strict is None:
        return strict
    return (strict + (overlap.ratios.f1 or 0.0)) / 2


def _tagged(gold: Sequence[Annotated], predictions: Sequence[Prediction]) -> list[Tagged]:
    return [found.tagged(annotated.id) for annotated, found in zip(gold, predictions, strict=True)]


def _article_threshold(gold: Sequence[Annotated], predictions: Sequence[Prediction]) -> float:
    expected = [prediction.evidence for prediction in predictions]
    with_any = [number for number, annotated in zip(expected, gold, strict=True) if annotated.categories]
    without = [number for number, annotated in zip(expected, gold, strict=True) if not annotated.categories]
    if not with_any or not without:
        return 0.0

    def balanced_accuracy(threshold: float) -> float:
        found = sum(number >= threshold for number in with_any) / len(with_any)
        return found + sum(number < threshold for number in without) / len(without)

    steps = range(int(max(expected) * _ARTICLE_STEPS) + 1)
    return max((step / _ARTICLE_STEPS for step in steps), key=lambda value: (balanced_accuracy(value), -value))


def _best(f1: Callable[[float], float | None]) -> float:
    return max(_GRID, key=lambda threshold: (f1(threshold) or 0.0, -threshold))
