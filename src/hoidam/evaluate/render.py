"""A report's JSON data as Markdown and as rows for a terminal; nothing but the data is needed."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from hoidam.errors import DataError
from hoidam.evaluate.counts import Measure
from hoidam.evaluate.match import ErrorKind

FORMAT = "hoidam-evaluation-1"
"""Name of the JSON layout; a change that readers would notice takes a new one."""

Rendered = TypeVar("Rendered")
Row = tuple[str, Mapping[str, Any]]

_TITLES = {
    Measure.STRICT: ("Strict spans", "Correct: same start, end and type."),
    Measure.STRICT_CATEGORY: ("Strict spans with category", "Correct: same start, end, type and category."),
    Measure.OVERLAP: (
        "Overlapping spans",
        "Correct: same type and at least one shared character, each span used once.",
    ),
    Measure.OVERLAP_CATEGORY: (
        "Overlapping spans with category",
        "Correct: same type and category and at least one shared character, each span used once.",
    ),
    Measure.OVERLAP_BY_CATEGORY: (
        "Overlapping spans by category",
        "The same pairs as in the table before, by category.",
    ),
    Measure.CATEGORIES: ("Article categories", "Correct: the article has the category."),
}
_RATIOS = ("precision", "recall", "f1")
_COUNTS = ("gold", "predicted", "correct")
_NOTHING = "–"
_MARKUP = re.compile(r"[\\`*\[\]<>&|~#$]|(?<![^\W_])_|_(?![^\W_])")
_UNREAD_SHOWN = 20


def check_format(report: Any) -> None:
    """Raise DataError where `report` is not a report of this format."""
    found = report.get("format") if isinstance(report, Mapping) else type(report).__name__
    if found != FORMAT:
        raise DataError(f"found {found!r}", field="format", cure=f"Give a {FORMAT} report.json of `hoidam evaluate`")


def render_markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown, from the data of `report.json` alone.

    Raises DataError where the data are of another format or lack something.
    """
    return _complete(report, lambda: "\n\n".join(_sections(report)) + "\n")


def render_table(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The main scores as rows of strings for a terminal, the first being the header; plain text, nothing escaped.

    Raises DataError as `render_markdown` does.
    """
    return _complete(report, lambda: list(_terminal_rows(report)))


def escape_markdown(text: str) -> str:
    """Text as it is shown inside a Markdown table cell: no markup, on one line, invisible characters spelled out."""
    visible = "".join(character if character.isprintable() else _spelled(character) for character in text)
    return _MARKUP.sub(lambda found: f"\\{found[0]}", visible)


def _complete(report: Mapping[str, Any], render: Callable[[], Rendered]) -> Rendered:
    check_format(report)
    try:
        return render()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"incomplete ({error!r})", field="report", cure="Evaluate again to write a new one") from None


def _terminal_rows(report: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Each span type under strict scoring, each categorised type under overlap, and the averages of every measure."""
    bootstrap = report["bootstrap"]
    interval = f"F1 {_level(bootstrap)}" if bootstrap else ""
    yield ("score", "label", "gold", "predicted", "correct", "P", "R", "F1", interval)
    for measure in Measure:
        table = report["measures"][measure.value]
        in_full = measure in (Measure.STRICT, Measure.OVERLAP_CATEGORY)
        for label, row in _rows(table) if in_full else _summary(table):
            counts = (str(row.get(name, "")) for name in _COUNTS)
            ratios = (_number(row[name]) for name in _RATIOS)
            yield (measure.value, label, *counts, *ratios, _bounds(row.get("intervals", {}).get("f1")))


def _rows(table: Mapping[str, Any]) -> list[Row]:
    """Labels and what stands in their rows, then the averages where there is more than one label."""
    rows = list(table["rows"].items())
    return rows + (_averages(table) if len(rows) > 1 else [])


def _summary(table: Mapping[str, Any]) -> list[Row]:
    """The averages, or the only row where there is but one."""
    return _averages(table) if len(table["rows"]) > 1 else list(table["rows"].items())


def _averages(table: Mapping[str, Any]) -> list[Row]:
    return [(name, table[name]) for name in ("micro", "macro")]


def _sections(report: Mapping[str, Any]) -> Iterator[str]:
    measures = report["measures"]
    yield "# Evaluation report"
    yield from _scored(report["scored"])
    for measure, (title, definition) in _TITLES.items():
        if measures[measure.value]["rows"]:
            yield f"## {title}\n\n{definition}\n\n{_score_table(measures[measure.value])}"
    if measures[Measure.CATEGORIES.value]["rows"]:
        yield f"## False alarms\n\n{_alarms(report['false_alarms'])}"
    yield f"## Gold that could not be reached\n\n{_unreachable(report)}"
    yield from ("## Errors", *_errors(report["errors"]))
    if report["facts"]:
        yield f"## Facts\n\n{_table(('fact', 'value'), _flat(report['facts']))}"
    yield f"## Method\n\n{_method(report['bootstrap'])}"


def _scored(scored: Mapping[str, Any]) -> Iterator[str]:
    articles, gold, predicted = scored["articles"], scored["gold_spans"], scored["predicted_spans"]
    yield f"{articles} articles, {gold} gold spans, {predicted} predicted spans."
    unread = scored["unread"]
    if unread:
        shown = ", ".join(escape_markdown(name) for name in unread[:_UNREAD_SHOWN])
        more = f" and {len(unread) - _UNREAD_SHOWN} more" if len(unread) > _UNREAD_SHOWN else ""
        yield f"No prediction for {len(unread)} of them, all of whose gold counts as missed: {shown}{more}."


def _score_table(table: Mapping[str, Any]) -> str:
    return _table(
        ("label", *_COUNTS, "precision", "recall", "F1"),
        (
            (
                label,
                *(str(row.get(name, "")) for name in _COUNTS),
                *(_with_bounds(row[name], row.get("intervals", {}).get(name)) for name in _RATIOS),
            )
            for label, row in _rows(table)
        ),
        numbers=True,
    )


def _alarms(alarms: Mapping[str, Any]) -> str:
    if not alarms["articles"]:
        return "No article whose gold is without a category was read: nothing to score."
    bounds = alarms.get("intervals", {})
    lines = (
        ("any category", "with_category", "category_rate"),
        ("any span with a category", "with_span", "span_rate"),
    )
    table = _table(
        ("given", "articles", "rate"),
        ((what, str(alarms[count]), _with_bounds(alarms[rate], bounds.get(rate))) for what, count, rate in lines),
        numbers=True,
    )
    return f"Of {alarms['articles']} articles whose gold is without a category, the prediction gives\n\n{table}"


def _unreachable(report: Mapping[str, Any]) -> str:
    rows = report["unreachable"]
    if not rows:
        return "None was reported."
    total = sum(row["gold"] for row in rows)
    table = _table(
        ("cause", "type", "gold", "found all the same"),
        ((row["cause"], row["type"], str(row["gold"]), str(row["found"])) for row in rows),
    )
    return f"{total} of {report['scored']['gold_spans']} gold spans; they are part of every score above.\n\n{table}"


def _errors(errors: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Boundary: paired with a span of its type that it overlaps. Category, type: right offsets, wrong label. "
        "Missed, invented: no partner."
    )
    kinds = [kind.value for kind in ErrorKind]
    rows = [*errors["types"].items(), ("all types", errors["total"])]
    counts = ((name, *(str(row[kind]) for kind in kinds)) for name, row in rows)
    yield _table(("type", *kinds), counts, numbers=True)
    if errors["confusions"]:
        confused = ((row["kind"], row["gold"], row["predicted"], str(row["count"])) for row in errors["confusions"])
        yield _table(("confused", "gold", "predicted", "count"), confused)
    if errors["examples"]:
        examples = errors["examples"]
        shown = ((row["article"], row["kind"], _side(row, "gold"), _side(row, "predicted")) for row in examples)
        yield _table(("article", "kind", "gold", "predicted"), shown)


def _side(example: Mapping[str, Any], side: str) -> str:
    span = example.get(side)
    if span is None:
        return _NOTHING
    label = "/".join(filter(None, (span["type"], span.get("category"))))
    return f"{label} {span['start']}–{span['end']}: {span['text']}"


def _method(bootstrap: Mapping[str, Any] | None) -> str:
    ratios = (
        "Offsets are compared as they stand in gold and prediction. "
        f"{_NOTHING} means that there is nothing to score. "
        "Macro averages run over the labels that gold or the prediction has."
    )
    if bootstrap is None:
        return f"{ratios} No intervals were computed."
    return (
        f"{ratios} In brackets: {_level(bootstrap)}s, {bootstrap['method']} bootstrap, "
        f"unit {bootstrap['unit']}, {bootstrap['resamples']} resamples, seed {bootstrap['seed']}. "
        "Resamples in which a ratio is undefined are left out of its interval; the JSON says how many remain."
    )


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            items = value if isinstance(value, list) else [value]
            yield f"{prefix}{name}", ", ".join(_NOTHING if item is None else str(item) for item in items)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """A Markdown table with every cell escaped; with `numbers`, all columns but the first are set right."""
    rule = ["---", *(["---:" if numbers else "---"] * (len(header) - 1))]
    cells = [[escape_markdown(cell) for cell in row] for row in (header, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:]))


def _with_bounds(value: float | None, interval: Mapping[str, Any] | None) -> str:
    return f"{_number(value)} ({_bounds(interval)})" if interval else _number(value)


def _bounds(interval: Mapping[str, Any] | None) -> str:
    return f"{interval['low']:.3f}–{interval['high']:.3f}" if interval else ""


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def _level(bootstrap: Mapping[str, Any]) -> str:
    return f"{100 * bootstrap['level']:g} % interval"


def _spelled(character: str) -> str:
    return "↵" if character in "\n\u2028\u2029" else f"⟨U+{ord(character):04X}⟩"
