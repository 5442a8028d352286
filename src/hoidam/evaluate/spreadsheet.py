"""The errors of a report as CSV, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from hoidam.evaluate.render import complete

_SPAN = ("type", "category", "start", "end", "text", "score")
_COLUMNS = (
    "error",
    "article",
    "kind",
    *(f"{side}_{name}" for side in ("gold", "predicted") for name in _SPAN if (side, name) != ("gold", "score")),
    "context_start",
    "context",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
"""How a cell begins that a spreadsheet may compute (OWASP, CSV injection), and the apostrophe that keeps it from it."""


def render_errors_csv(report: Mapping[str, Any]) -> str:
    """The listed errors as CSV (RFC 4180, line ends CR LF), from the data of `report.json` alone.

    One row an error; of an error with several spans on one side, each further span has a row of its own, with the same
    number in `error`. Offsets count code points of the article, `context_start` is where `context` begins in it.

    A cell of text that a spreadsheet could take for a formula, or that begins with an apostrophe, begins with one more
    apostrophe. Dropping one apostrophe from every text that begins with one gives the texts back; offsets stand in
    columns of their own and never refer to a cell.

    Raises DataError where the data are of another format or lack something.
    """
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\r\n")
    table.writerow(_COLUMNS)
    table.writerows(complete(report, lambda: [[_cell(row.get(name)) for name in _COLUMNS] for row in _rows(report)]))
    return stream.getvalue()


def _rows(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for number, error in enumerate(report["errors"]["list"], start=1):
        about = {"error": number, "article": error["article"], "kind": error["kind"]}
        context = {"context_start": error["context"]["start"], "context": error["context"]["text"]}
        sides: Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]
        sides = zip_longest(error["gold"], error["predicted"], fillvalue={})
        for gold, predicted in sides:
            yield about | _side("gold", gold) | _side("predicted", predicted) | context


def _side(side: str, span: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{side}_{name}": value for name, value in span.items()}


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
