"""One figure of a report by its name, as floors and summaries give it: `strict.micro.f1`, `ranking.hamming_loss`."""

from collections.abc import Iterator, Mapping
from typing import Any

from hoidam.errors import DataError
from hoidam.evaluate.counts import Measure

_CURE = (
    "Name a figure as MEASURE.LABEL.METRIC (such as strict.micro.f1), false_alarms.RATE or ranking.VALUE, with the "
    "names that report.json has"
)


def find_figure(report: Mapping[str, Any], name: str) -> float | None:
    """The figure with this name, None where there was nothing to score; raises DataError on a name that is not there.

    Names are `MEASURE.LABEL.METRIC` with a label or `micro` or `macro`, `false_alarms.RATE`, and `ranking.VALUE`.
    """
    try:
        match name.split("."):
            case ["false_alarms", rate]:
                found = report["false_alarms"][rate]
            case ["ranking", value]:
                found = report["ranking"]["values"][value]["value"]
            case [measure, label, metric]:
                table = report["measures"][measure]
                found = (table["rows"].get(label) or {"micro": table["micro"], "macro": table["macro"]}[label])[metric]
            case _:
                raise KeyError(name)
    except (KeyError, TypeError):
        raise DataError("not in the report", field=name, cure=_CURE) from None
    if not isinstance(found, int | float | None):
        raise DataError("is no figure", field=name, cure=_CURE)
    return found


def headline_names(report: Mapping[str, Any]) -> Iterator[str]:
    """Names of the figures that runs are compared by; what the label scheme has nothing for is left out."""
    measures = report["measures"]
    for measure in (Measure.STRICT, Measure.OVERLAP_CATEGORY):
        yield from (f"{measure}.{label}.f1" for label in measures[measure]["rows"])
    if measures[Measure.CATEGORIES]["rows"]:
        yield f"{Measure.CATEGORIES}.micro.f1"
        yield "false_alarms.category_rate"
