"""What a report says beyond its scores: slices, calibration, curves, errors and the worst articles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoidam.document import Annotated, Tagged
from hoidam.evaluate.calibration import measure_calibration
from hoidam.evaluate.curves import draw_curves
from hoidam.evaluate.errors import errors_dict, find_errors, worst_articles
from hoidam.evaluate.slices import META_KEYS, Mention, count_slices
from hoidam.labels import LabelScheme


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything that a model found, before thresholds: with its own scores, and calibrated.

    `thresholds` are those of span types, and of categories under `ALL_CATEGORIES`, for calibrated scores.
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
    meta: Iterable[str] = META_KEYS,
    show_text: bool = False,
) -> dict[str, Any]:
    """The keys of a report that look into errors and scores, as plain data.

    `predictions` are what was given out. Without `candidates`, as of a file that was tagged before, there are no
    curves, and calibration is that of the scores in the file. `seen` are the mentions that the model learnt from. With
    `show_text` the errors are listed with their text: leave it off for test articles, whose text is for the scorer
    alone.
    """
    errors = find_errors(gold, predictions=predictions)
    scored, raw = (predictions, None) if candidates is None else (candidates.calibrated, candidates.raw)
    return {
        "slices": count_slices(gold, predictions=predictions, scheme=scheme, seen=seen, meta=meta),
        "calibration": measure_calibration(gold, predictions=scored, raw=raw, scheme=scheme),
        "curves": []
        if candidates is None
        else draw_curves(gold, candidates=scored, thresholds=candidates.thresholds, scheme=scheme),
        "errors": errors_dict(errors, scheme=scheme, show_text=show_text),
        "worst_articles": worst_articles(errors, gold=gold, predictions=predictions),
    }
