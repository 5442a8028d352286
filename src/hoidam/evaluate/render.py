"""A report's JSON data as Markdown and as rows for a terminal; nothing but the data is needed."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from hoidam.errors import DataError
from hoidam.evaluate.counts import Measure
from hoidam.evaluate.definitions import KINDS, MEASURES, RANKING

FORMAT = "hoidam-evaluation-2"
"""Name of the JSON layout; a change that readers would notice takes a new one."""

Rendered = TypeVar("Rendered")
Row = tuple[str, Mapping[str, Any]]

SECOND_MEASURES = (
    Measure.STRICT,
    Measure.STRICT_CATEGORY,
    Measure.OVERLAP,
    Measure.OVERLAP_CATEGORY,
    Measure.CATEGORIES,
)
"""Measures under which a second annotator is scored."""

_DEFINITIONS = (
    "Spans are paired one to one, so that none earns credit twice, and within a type (and category, where the measure "
    "asks for it), so that nested spans of other types do not disturb; the offsets of gold and prediction are compared "
    "as they stand. Strict is the exact match of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003) and equals seqeval's "
    "strict mode and conlleval on flat data. Strict, exact, partial and overlap are strict, exact, partial and type of "
    "SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013), after MUC-5 (Chinchor and Sundheim 1993), from which the "
    "half credit of a partial match comes; unlike there, partial and overlap ask for the same type, and two gold spans "
    "of the same bounds are found by two predicted ones only. As many overlapping spans are paired as can be."
)
_RANKING_DEFINITIONS = (
    "Subset accuracy, Hamming loss, label ranking average precision and coverage error (Tsoumakas, Katakis and "
    "Vlahavas 2010), and mean average precision, taken over the categories that some articles have and others lack, "
    "are as in scikit-learn. Ranks come from the model's scores where a model was scored; a tagged file lists only the "
    "categories above their threshold, and those that it does not list count as 0."
)
_RATIOS = ("precision", "recall", "f1")
_COUNTS = ("gold", "predicted", "correct")
_NOTHING = "–"
_MARKUP = re.compile(r"[\\`*\[\]<>&|~#$]|(?<![^\W_])_|_(?![^\W_])")
_UNREAD_SHOWN = 20


def check_format(report: Any) -> None:
    """Raise DataError where `report` is not a report of this format."""
    found = report.get("format") if isinstance(report, Mapping) else type(report).__name__
    if found != FORMAT:
        raise DataError(f"found {found!r}", field="format", cure=f"Evaluate again: this version reads {FORMAT}")


def render_markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown, from the data of `report.json` alone.

    Raises DataError where the data are of another format or lack something.
    """
    return complete(report, lambda: "\n\n".join(_sections(report)) + "\n")


def render_summary(report: Mapping[str, Any]) -> str:
    """What the card of a model says of it: the main scores, false alarms, and how far its scores can be trusted.

    Raises DataError as `render_markdown` does.
    """
    return complete(report, lambda: "\n\n".join(_in_short(report)) + "\n")


def render_table(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The main scores as rows of strings for a terminal, the first being the header; plain text, nothing escaped.

    Raises DataError as `render_markdown` does.
    """
    return complete(report, lambda: list(_terminal_rows(report)))


def escape_markdown(text: str) -> str:
    """Text as it is shown inside a Markdown table cell: no markup, on one line, invisible characters spelled out."""
    visible = "".join(character if character.isprintable() else _spelled(character) for character in text)
    return _MARKUP.sub(lambda found: f"\\{found[0]}", visible)


def complete(report: Mapping[str, Any], render: Callable[[], Rendered]) -> Rendered:
    """What `render` makes of a report; raises DataError where it is of another format or lacks something."""
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
            ratios = (number(row[name]) for name in _RATIOS)
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
    yield from _measured(report, measures=Measure)
    if report["ranking"]:
        yield f"## Categories as sets and ranks\n\n{_ranking(report['ranking'])}"
    yield from _false_alarms(report)
    yield f"## Gold that could not be reached\n\n{_unreachable(report)}"
    yield from (f"## {entry['title']}\n\n{_slice(entry)}" for entry in report["slices"])
    yield from _calibrated(report)
    if report["errors"]["total"]:
        yield from ("## Errors", *_errors(report["errors"]))
    if report["worst_articles"]:
        yield f"## Articles with the most errors\n\n{_worst(report['worst_articles'])}"
    if report["facts"]:
        yield f"## Facts\n\n{markdown_table(('fact', 'value'), _flat(report['facts']))}"
    yield from ("## Method", *_method(report))


def _in_short(report: Mapping[str, Any]) -> Iterator[str]:
    yield from _measured(report, measures=(Measure.STRICT, Measure.OVERLAP_CATEGORY, Measure.CATEGORIES))
    yield from _false_alarms(report)
    yield from _calibrated(report)


def _measured(report: Mapping[str, Any], *, measures: Iterable[Measure]) -> Iterator[str]:
    tables, second = report["measures"], report["second"]
    yield "# Evaluation report"
    yield from _scored(report["scored"])
    if second:
        yield _second(second)
    for measure in measures:
        if tables[measure.value]["rows"]:
            title, meaning, _ = MEASURES[measure.value]
            ceiling = second and second["measures"].get(measure.value)
            yield f"## {title}\n\n{meaning}\n\n{_score_table(tables[measure.value], ceiling=ceiling)}"


def _false_alarms(report: Mapping[str, Any]) -> Iterator[str]:
    if report["measures"][Measure.CATEGORIES.value]["rows"]:
        yield f"## False alarms\n\n{_alarms(report['false_alarms'])}"


def _calibrated(report: Mapping[str, Any]) -> Iterator[str]:
    if any(report["calibration"].values()):
        yield f"## Calibration\n\n{_calibration(report['calibration'])}"


def _scored(scored: Mapping[str, Any]) -> Iterator[str]:
    articles, gold, predicted = scored["articles"], scored["gold_spans"], scored["predicted_spans"]
    yield f"{articles} articles, {gold} gold spans, {predicted} predicted spans."
    unread = scored["unread"]
    if unread:
        shown = ", ".join(escape_markdown(name) for name in unread[:_UNREAD_SHOWN])
        more = f" and {len(unread) - _UNREAD_SHOWN} more" if len(unread) > _UNREAD_SHOWN else ""
        yield f"No prediction for {len(unread)} of them, all of whose gold counts as missed: {shown}{more}."


def _second(second: Mapping[str, Any]) -> str:
    return (
        f"A second annotator ({escape_markdown(second['annotator'])}) has marked {second['articles']} of the articles. "
        "The column of that name is this person's F1 against the same gold, on these articles: the ceiling for a model."
    )


def _score_table(table: Mapping[str, Any], *, ceiling: Mapping[str, Any] | None = None) -> str:
    """Counts and ratios of every label; with `ceiling`, the second annotator's F1 beside them."""
    reached = [(_f1_with_bounds(row),) for _, row in _rows(ceiling)] if ceiling else [()] * len(_rows(table))
    rows = (
        (
            label,
            *(str(row.get(name, "")) for name in _COUNTS),
            *(_with_bounds(row[name], row.get("intervals", {}).get(name)) for name in _RATIOS),
            *beside,
        )
        for (label, row), beside in zip(_rows(table), reached, strict=True)
    )
    header = ("label", *_COUNTS, "precision", "recall", "F1", *(["second annotator"] if ceiling else []))
    return markdown_table(header, rows, numbers=True)


def _f1_with_bounds(row: Mapping[str, Any]) -> str:
    return _with_bounds(row["f1"], row.get("intervals", {}).get("f1"))


def _ranking(ranking: Mapping[str, Any]) -> str:
    values = ranking["values"].items()
    rows = ((RANKING[name].title, _with_bounds(found["value"], found["interval"])) for name, found in values)
    return markdown_table(("measure", "value"), rows, numbers=True)


def _slice(entry: Mapping[str, Any]) -> str:
    rows = (
        (row["slice"], row["label"], *(str(row[name]) for name in _COUNTS), *(number(row[name]) for name in _RATIOS))
        for row in entry["rows"]
    )
    return markdown_table((entry["name"], "label", *_COUNTS, "precision", "recall", "F1"), rows)


def _calibration(calibration: Mapping[str, Any]) -> str:
    """Expected calibration error and Brier score of each label, of the raw scores and of those given out."""
    columns = [(name, when) for name in ("ece", "brier") for when in ("before", "after")]
    rows = (
        (
            entry["label"],
            str(entry["after"]["items"]),
            *(number(entry[when][name]) if entry[when] else _NOTHING for name, when in columns),
        )
        for entry in (*calibration["spans"], *calibration["categories"])
    )
    header = ("label", "items", "ECE before", "ECE after", "Brier before", "Brier after")
    note = "Before: the model's raw scores; after: the scores given out. ECE and Brier score: less is better."
    return f"{note}\n\n{markdown_table(header, rows, numbers=True)}"


def _worst(articles: Sequence[Mapping[str, Any]]) -> str:
    counts = ("errors", *_COUNTS)
    rows = ((row["id"], *(str(row[name]) for name in counts), number(row["f1"])) for row in articles)
    return markdown_table(("article", *counts, "F1"), rows, numbers=True)


def _alarms(alarms: Mapping[str, Any]) -> str:
    if not alarms["articles"]:
        return "No article whose gold is without a category was read: nothing to score."
    bounds = alarms.get("intervals", {})
    lines = (
        ("any category", "with_category", "category_rate"),
        ("any span with a category", "with_span", "span_rate"),
    )
    table = markdown_table(
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
    table = markdown_table(
        ("cause", "type", "gold", "found all the same"),
        ((row["cause"], row["type"], str(row["gold"]), str(row["found"])) for row in rows),
    )
    return f"{total} of {report['scored']['gold_spans']} gold spans; they are part of every score above.\n\n{table}"


def _errors(errors: Mapping[str, Any]) -> Iterator[str]:
    kinds = list(errors["total"])
    yield "\n".join(f"- {kind}: {KINDS[kind].meaning}" for kind in kinds)
    rows = [*errors["types"].items(), ("all types", errors["total"])]
    counts = ((name, *(str(row[kind]) for kind in kinds)) for name, row in rows)
    yield markdown_table(("type", *kinds), counts, numbers=True)
    if errors["confusions"]:
        confused = ((row["kind"], row["gold"], row["predicted"], str(row["count"])) for row in errors["confusions"])
        yield markdown_table(("confused", "gold", "predicted", "count"), confused)


def _method(report: Mapping[str, Any]) -> Iterator[str]:
    yield _DEFINITIONS
    if report["ranking"]:
        yield _RANKING_DEFINITIONS
    ratios = (
        f"{_NOTHING} means that there is nothing to score. "
        "Macro averages run over the labels that gold or the prediction has."
    )
    bootstrap = report["bootstrap"]
    if bootstrap is None:
        yield f"{ratios} No intervals were computed."
        return
    yield (
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


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """A Markdown table with every cell escaped; with `numbers`, all columns but the first are set right."""
    rule = ["---", *(["---:" if numbers else "---"] * (len(header) - 1))]
    cells = [[escape_markdown(cell) for cell in row] for row in (header, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:]))


def _with_bounds(value: float | None, interval: Mapping[str, Any] | None) -> str:
    return f"{number(value)} ({_bounds(interval)})" if interval else number(value)


def _bounds(interval: Mapping[str, Any] | None) -> str:
    return f"{interval['low']:.3f}–{interval['high']:.3f}" if interval else ""


def number(value: float | None) -> str:
    """A figure with three decimals, a dash where there is none."""
    return _NOTHING if value is None else f"{value:.3f}"


def _level(bootstrap: Mapping[str, Any]) -> str:
    return f"{100 * bootstrap['level']:g} % interval"


def _spelled(character: str) -> str:
    return "↵" if character in "\n\u2028\u2029" else f"⟨U+{ord(character):04X}⟩"
