"""Thresholds chosen on dev: what score a span of each type, and a category, must reach to be given out."""

from collections.abc import Iterable, Sequence

from hoidam.document import Annotated
from hoidam.labels import LabelScheme
from hoidam.predict import Prediction, Thresholds

_GRID = tuple(step / 100 for step in range(0, 96, 5))
_FINE_GRID = tuple(step / 100 for step in range(100))


def tune_thresholds(gold: Sequence[Annotated], predictions: Sequence[Prediction], *, scheme: LabelScheme) -> Thresholds:
    """The thresholds that do best: first for articles, then on what these leave for spans and categories.

    For articles, the best mean of the shares of articles with and without categories that are known as such; for spans
    of a type the highest strict F1; for categories the highest micro F1. Ties go to the lowest. Where no category is
    right at any threshold, one half: the lowest would give every article all of them.
    """
    article = _article_threshold(gold, predictions)
    everything = Thresholds(spans={}, categories=0.0, article=article)
    left = [prediction.above(everything) for prediction in predictions]
    spans = {name: _best(_span_findings(gold, left, name)) for name in scheme.type_names}
    categories = _category_findings(gold, left)
    some_right = any(right for _, right in categories.found)
    return Thresholds(spans=spans, categories=_best(categories) if some_right else 0.5, article=article)


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


class _Findings:
    """Scored findings, each right or wrong, and how many there were to find."""

    def __init__(self, found: Iterable[tuple[float, bool]], wanted: int) -> None:
        self.found = list(found)
        self.wanted = wanted

    def f1(self, threshold: float) -> float:
        kept = [right for score, right in self.found if score >= threshold]
        return 2 * sum(kept) / (len(kept) + self.wanted) if kept or self.wanted else 0.0


def _best(findings: _Findings) -> float:
    return max(_GRID, key=lambda threshold: (findings.f1(threshold), -threshold))


def _span_findings(gold: Sequence[Annotated], predictions: Sequence[Prediction], kind: str) -> _Findings:
    found: list[tuple[float, bool]] = []
    wanted = 0
    for annotated, prediction in zip(gold, predictions, strict=True):
        right = {span for span in annotated.spans if span.type == kind}
        wanted += len(right)
        found.extend((span.score or 0.0, span in right) for span in prediction.spans if span.type == kind)
    return _Findings(found, wanted)


def _category_findings(gold: Sequence[Annotated], predictions: Sequence[Prediction]) -> _Findings:
    return _Findings(
        [
            (score, name in annotated.categories)
            for annotated, prediction in zip(gold, predictions, strict=True)
            for name, score in prediction.categories.items()
        ],
        sum(len(annotated.categories) for annotated in gold),
    )
