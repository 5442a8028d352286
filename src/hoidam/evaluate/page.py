"""A report's JSON data as one HTML page without any other file: scores, figures, errors in their text."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import UndefinedError

from hoidam.evaluate import plots
from hoidam.evaluate.definitions import KINDS, MEASURES, RANKING, Definition
from hoidam.evaluate.render import complete
from hoidam.pages import page_template

MATRIX_LABELS = 24
"""Labels up to which confusions are a table of gold by predicted; beyond, a list of pairs."""

NAMES_SHOWN = 20
"""Articles without a prediction that are named."""

_OPEN = ("strict", "overlap_by_category", "categories")
_NOTHING = "–"


class Ratio(NamedTuple):
    """A value from 0 to 1, None where there is nothing to score, and the interval where there is one."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Row(NamedTuple):
    """One label of a score table; `counts` are gold, predicted and correct, absent in an average over labels.

    `ceiling` is the second annotator's F1.
    """

    label: str
    counts: tuple[float | None, ...]
    precision: Ratio
    recall: Ratio
    f1: Ratio
    ceiling: float | None = None


class ScoreTable(NamedTuple):
    """A measure as the page shows it."""

    name: str
    definition: Definition
    rows: list[Row]
    averages: list[Row]
    axis: plots.Axis
    open: bool

    @property
    def ceiling(self) -> bool:
        """Whether a second annotator was scored by this measure."""
        return any(row.ceiling is not None for row in self.rows)

    @property
    def summary(self) -> Row:
        """What stands for the table while it is closed."""
        return (self.averages or self.rows)[0]


class Headline(NamedTuple):
    """One of the figures that the page begins with: it says what the value means for a hundred items."""

    title: str
    f1: Ratio
    ceiling: float | None
    sentence: str


class Slices(NamedTuple):
    """Scores by one property of spans or articles: for each label, a row for each slice."""

    title: str
    of: str
    groups: list[tuple[str, list[Row]]]
    axis: plots.Axis


class Confusions(NamedTuple):
    """What was taken for what; `cells` by gold and predicted label, None where the labels are too many for a table."""

    kind: str
    pairs: list[Mapping[str, Any]]
    gold: list[str]
    predicted: list[str]
    cells: dict[tuple[str, str], int] | None
    highest: int


class Choice(NamedTuple):
    """A filter of the list of errors: its values, each with how many errors it leaves."""

    name: str
    title: str
    options: list[tuple[str, int]]


def render_page(report: Mapping[str, Any]) -> str:
    """The report as one self-contained HTML page, from the data of `report.json` alone; all of it escaped.

    Raises DataError where the data are of another format or lack something.
    """
    return complete(report, lambda: _rendered(report))


def _rendered(report: Mapping[str, Any]) -> str:
    try:
        return page_template("evaluate/page.html.jinja").render(_context(report))
    except UndefinedError as error:
        raise KeyError(str(error)) from None


def _context(report: Mapping[str, Any]) -> dict[str, Any]:
    errors = report["errors"]
    tables = list(_score_tables(report))
    return {
        "model": _name(report["facts"]),
        "facts": list(_facts(report["facts"])),
        "scored": report["scored"],
        "unread": report["scored"]["unread"][:NAMES_SHOWN],
        "bootstrap": report["bootstrap"],
        "level": "" if report["bootstrap"] is None else f"{100 * report['bootstrap']['level']:g} % interval",
        "second": report["second"],
        "headlines": list(_headlines(tables)),
        "alarms": list(_alarms(report["false_alarms"])),
        "alarm_articles": report["false_alarms"]["articles"],
        "tables": tables,
        "ranking": _ranking(report["ranking"]),
        "unreachable": report["unreachable"],
        "slices": list(_slices(report["slices"])),
        "calibration": [curve for part in report["calibration"].values() for curve in part],
        "curves": report["curves"],
        "kinds": KINDS,
        "errors": errors,
        "heaviest": max((count for row in errors["types"].values() for count in row.values()), default=0),
        "confusions": list(_confusions(errors["confusions"])),
        "offsets": list(_offsets(errors["boundary_offsets"])),
        "worst": report["worst_articles"],
        "choices": list(_choices(errors["list"])),
        "plots": plots,
        "ratio": _ratio_text,
        "count": _count_text,
        "bounds": _bounds_text,
    }


def _name(facts: Mapping[str, Any]) -> str:
    """What was evaluated, where the facts say it."""
    model = facts.get("model")
    return model if isinstance(model, str) else ""


def _facts(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, list[str], bool]]:
    """Name, values, and whether they are to be read letter by letter: hashes and command lines."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _facts(value, f"{prefix}{name} · ")
        else:
            items = value if isinstance(value, list) else [value]
            shown = [_fact(item) for item in items]
            literal = name == "command" or any(re.fullmatch(r"[0-9a-f]{12,}(-dirty)?", item) for item in shown)
            yield f"{prefix}{name}", shown, literal


def _fact(value: Any) -> str:
    match value:
        case None:
            return _NOTHING
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _score_tables(report: Mapping[str, Any]) -> Iterator[ScoreTable]:
    second = report["second"]
    for name, table in report["measures"].items():
        if not table["rows"]:
            continue
        ceilings = second["measures"].get(name, {}) if second else {}
        above = ceilings.get("rows", {})
        rows = [_row(label, row, ceiling=above.get(label)) for label, row in table["rows"].items()]
        averages = [_row(mean, table[mean], ceiling=ceilings.get(mean)) for mean in ("micro", "macro")]
        averages = averages if len(rows) > 1 else []
        yield ScoreTable(name, MEASURES[name], rows, averages, _axis([*rows, *averages]), open=name in _OPEN)


def _row(label: str, row: Mapping[str, Any], *, ceiling: Mapping[str, Any] | None = None) -> Row:
    bounds = row.get("intervals") or {}
    precision, recall, f1 = (_ratio(row[name], bounds.get(name)) for name in ("precision", "recall", "f1"))
    counts = tuple(row.get(name) for name in ("gold", "predicted", "correct"))
    return Row(label, counts, precision, recall, f1, None if ceiling is None else ceiling["f1"])


def _ratio(value: float | None, interval: Mapping[str, Any] | None) -> Ratio:
    return Ratio(value, interval["low"], interval["high"]) if interval else Ratio(value)


def _axis(rows: Iterable[Row]) -> plots.Axis:
    values = (value for row in rows for value in (*row.f1, row.ceiling))
    return plots.axis_over(value for value in values if value is not None)


def _headlines(tables: Iterable[ScoreTable]) -> Iterator[Headline]:
    """The averages over all labels of the measures that most readers ask for."""
    given = {table.name: table.summary for table in tables}
    says = {
        "strict": ("spans marked", "right in start, end and type", "found exactly"),
        "overlap": ("spans marked", "at least in part on a gold span of their type", "found at least in part"),
        "strict_category": ("spans with a category", "right in all of it", "found exactly"),
        "categories": ("categories given to articles", "right", "given"),
    }
    for name, words in says.items():
        if name in given:
            row = given[name]
            yield Headline(MEASURES[name].title, row.f1, row.ceiling, _sentence(row, *words))


def _sentence(row: Row, given: str, right: str, found: str) -> str:
    """Precision and recall for a hundred items."""
    parts = []
    if row.precision.value is not None:
        parts.append(f"of 100 {given}, {100 * row.precision.value:.0f} are {right}")
    if row.recall.value is not None:
        parts.append(f"of 100 in the gold, {100 * row.recall.value:.0f} are {found}")
    text = "; ".join(parts) or "there is nothing to score"
    return f"{text[0].upper()}{text[1:]}."


def _alarms(alarms: Mapping[str, Any]) -> Iterator[tuple[str, int, Ratio]]:
    bounds = alarms.get("intervals") or {}
    for what, count, rate in (
        ("any category", "with_category", "category_rate"),
        ("any span with a category", "with_span", "span_rate"),
    ):
        yield what, alarms[count], _ratio(alarms[rate], bounds.get(rate))


def _ranking(ranking: Mapping[str, Any] | None) -> list[tuple[Definition, Ratio]]:
    if ranking is None:
        return []
    return [(RANKING[name], _ratio(entry["value"], entry["interval"])) for name, entry in ranking["values"].items()]


def _slices(slices: Iterable[Mapping[str, Any]]) -> Iterator[Slices]:
    for entry in slices:
        groups: dict[str, list[Row]] = {}
        for row in entry["rows"]:
            groups.setdefault(row["label"], []).append(_row(row["slice"], row))
        if groups:
            axis = _axis(row for rows in groups.values() for row in rows)
            yield Slices(entry["title"], entry["of"], list(groups.items()), axis)


def _confusions(confusions: Sequence[Mapping[str, Any]]) -> Iterator[Confusions]:
    for kind in dict.fromkeys(row["kind"] for row in confusions):
        pairs = sorted((row for row in confusions if row["kind"] == kind), key=lambda row: -row["count"])
        cells = {(row["gold"], row["predicted"]): row["count"] for row in pairs}
        gold, predicted = (sorted({labels[side] for labels in cells}) for side in (0, 1))
        small = max(len(gold), len(predicted)) <= MATRIX_LABELS
        yield Confusions(kind, pairs, gold, predicted, cells if small else None, max(cells.values()))


def _offsets(offsets: Mapping[str, Any]) -> Iterator[tuple[str, int, dict[str, Mapping[str, int]]]]:
    """Types with edges to show, their highest column, and the counts of each side."""
    for name, sides in offsets.items():
        highest = max((count for side in sides.values() for count in side.values()), default=0)
        if highest:
            yield name, highest, {side: sides[side] for side in ("start", "end")}


def _choices(listed: Sequence[Mapping[str, Any]]) -> Iterator[Choice]:
    """The filters that have something to choose from; an error counts once for each value that it has."""
    for name in ("kind", "type", "category", "article"):
        counts = Counter(value for error in listed for value in _values(error, name))
        if counts:
            yield Choice(name, name.capitalize(), sorted(counts.items()))


def _values(error: Mapping[str, Any], name: str) -> set[str]:
    if name in error:
        return {error[name]}
    return {span[name] for span in _spans(error) if span.get(name) is not None}


def _spans(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*error["gold"], *error["predicted"]]


def _ratio_text(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def _count_text(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:,.1f}".removesuffix(".0")


def _bounds_text(ratio: Ratio) -> str:
    return "" if ratio.low is None or ratio.high is None else f"{ratio.low:.3f}–{ratio.high:.3f}"
