"""What a report says beyond its scores: slices, calibration, curves, errors and the worst articles."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hoidam.document import Annotated, Tagged
from hoidam.evaluate.counts import ErrorCounts
from hoidam.evaluate.match import ErrorKind, SpanError
from hoidam.evaluate.score import Scores, score
from hoidam.labels import LabelScheme

Mention = tuple[str, str]
"""A span's type and its surface."""

_CONTEXT = 60
"""Code points shown before and after an error."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything that a model found, before thresholds: with its own scores, and calibrated.

    `thresholds` are those of span types for calibrated scores.
    """

    raw: Sequence[Tagged]
    calibrated: Sequence[Tagged]
    thresholds: Mapping[str, float]


def analyse(
    gold: Sequence[Annotated],
    *,
    predictions: Sequence[Tagged],
    scheme: LabelScheme,
    candidates: Candidates | None = None,
    seen: Iterable[Mention] = (),
    show_text: bool = False,
) -> dict[str, Any]:
    """The keys of a report that look into errors and scores, as plain data.

    `predictions` are what was given out, `candidates` what the model found before that, `seen` the mentions that it
    learnt from. With `show_text` the errors are listed with their text: leave it off for test articles, whose text is
    for the scorer alone.
    """
    del candidates, seen
    scores = score(gold, predictions=predictions, scheme=scheme)
    texts = {annotated.id: annotated.article.text for annotated in gold}
    return {
        "slices": [],
        "calibration": {"spans": [], "categories": []},
        "curves": [],
        "errors": _errors_dict(scores)
        | {"list": [_error_dict(error, texts[error.article]) for error in scores.errors] if show_text else []},
        "worst_articles": [],
    }


def _errors_dict(scores: Scores) -> dict[str, Any]:
    by_type = scores.error_counts
    return {
        "types": {name: asdict(counts) for name, counts in by_type.items()},
        "total": asdict(sum(by_type.values(), ErrorCounts())),
        "confusions": _confusions(list(scores.errors)),
        "boundary_offsets": {},
    }


def _confusions(errors: Sequence[SpanError]) -> list[dict[str, Any]]:
    """Gold and predicted type of every type error, gold and predicted category of every category error, counted."""
    counter: Counter[tuple[str, str, str]] = Counter()
    for error in errors:
        if error.gold is None or error.predicted is None:
            continue
        if error.kind is ErrorKind.TYPE:
            counter["type", error.gold.type, error.predicted.type] += 1
        elif error.kind is ErrorKind.CATEGORY:
            counter["category", str(error.gold.category), str(error.predicted.category)] += 1
    ranked = sorted(counter.items(), key=lambda entry: (-entry[1], entry[0]))
    return [
        {"kind": kind, "gold": gold, "predicted": predicted, "count": count}
        for (kind, gold, predicted), count in ranked
    ]


def _error_dict(error: SpanError, text: str) -> dict[str, Any]:
    gold, predicted = ([span] if span else [] for span in (error.gold, error.predicted))
    start = max(0, min(span.start for span in (*gold, *predicted)) - _CONTEXT)
    end = max(span.end for span in (*gold, *predicted)) + _CONTEXT
    return {
        "article": error.article,
        "kind": error.kind.value,
        "gold": [span.to_dict(text) for span in gold],
        "predicted": [span.to_dict(text) for span in predicted],
        "context": {"start": start, "text": text[start:end]},
    }
