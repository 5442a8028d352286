"""Scores as a JSON object, and the two files of a report."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoidam.errors import DataError
from hoidam.evaluate.bootstrap import Interval, Intervals, RatioIntervals, TableIntervals
from hoidam.evaluate.counts import Counts, ErrorCounts, Measure, Ratios, Table
from hoidam.evaluate.match import ErrorKind, SpanError
from hoidam.evaluate.render import FORMAT, check_format, render_markdown
from hoidam.evaluate.score import ArticleScores, Scores
from hoidam.files import read_text, refuse_overwrite, whole_file

JSON_NAME, MARKDOWN_NAME = "report.json", "report.md"
_LINE = 120
"""JSON that fits into so many characters stays on one line."""


@dataclass(frozen=True, slots=True)
class Report:
    """Scores with their intervals, which may be left out."""

    scores: Scores
    intervals: Intervals | None = None

    def to_dict(self, *, facts: Mapping[str, Any], examples: int = 0) -> dict[str, Any]:
        """The report as plain JSON data: facts, counts, ratios, intervals, errors, and the counts of every article.

        `facts` says where the numbers come from (command, commit, hashes, hardware, model). `examples` is how many
        errors of each kind are shown with their surfaces, spread evenly over the articles; leave it at 0 for test
        articles, whose text is for the scorer alone. Raises DataError where facts are not JSON data.
        """
        scores, intervals = self.scores, self.intervals
        tables = {measure: scores.table(measure) for measure in Measure}
        return {
            "format": FORMAT,
            "facts": _plain(facts),
            "scored": {
                "articles": len(scores.articles),
                "unread": list(scores.unread),
                "gold_spans": tables[Measure.STRICT].micro.gold,
                "predicted_spans": tables[Measure.STRICT].micro.predicted,
            },
            "bootstrap": None if intervals is None else _bootstrap_dict(intervals),
            "measures": {
                measure.value: _table_dict(table, intervals.tables[measure] if intervals else None)
                for measure, table in tables.items()
            },
            "false_alarms": _alarms_dict(scores, intervals),
            "unreachable": [
                {"cause": cause, "type": name} | asdict(reach) for (cause, name), reach in scores.unreachable.items()
            ],
            "errors": _errors_dict(scores, examples=examples),
            "per_article": [_article_dict(article) for article in scores.articles],
        }


def write_report(folder: Path, *, report: Mapping[str, Any], force: bool = False) -> tuple[Path, Path]:
    """Write `report.json` and `report.md` into `folder`, made where it is missing, and give their paths.

    Raises DataError where either exists and `force` is not given, or where the folder cannot be written.
    """
    paths = report_paths(folder, force=force)
    texts = _json_text(report) + "\n", render_markdown(report)
    for path, text in zip(paths, texts, strict=True):
        with whole_file(path, force=force) as stream:
            stream.write(text)
    return paths


def report_paths(folder: Path, *, force: bool = False) -> tuple[Path, Path]:
    """The files of a report in `folder`; raises DataError where either exists and `force` is not given."""
    paths = folder / JSON_NAME, folder / MARKDOWN_NAME
    for path in paths:
        refuse_overwrite(path, force=force)
    return paths


def read_report(path: Path) -> dict[str, Any]:
    """Read a `report.json`; raises DataError where it is broken or not a report of this format."""
    try:
        report = json.loads(read_text(path))
        check_format(report)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"broken JSON ({error})", path=path, cure="Give a report.json of `hoidam evaluate`") from None
    except DataError as error:
        raise error.at(path) from None
    return dict(report)


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as reading the JSON file gives them back."""
    try:
        line = json.dumps(dict(facts), ensure_ascii=False, allow_nan=False)
        plain: dict[str, Any] = json.loads(line.encode("utf-8"))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"not JSON ({error})", field="facts", cure="Give strings, numbers, lists and mappings"
        ) from None
    return plain


def _bootstrap_dict(intervals: Intervals) -> dict[str, Any]:
    return {
        "unit": "article",
        "method": "percentile",
        "resamples": intervals.resamples,
        "seed": intervals.seed,
        "level": intervals.level,
    }


def _table_dict(table: Table, intervals: TableIntervals | None) -> dict[str, Any]:
    def counted(counts: Counts, bounds: RatioIntervals | None) -> dict[str, Any]:
        return asdict(counts) | _ratios_dict(counts.ratios, bounds)

    return {
        "rows": {
            label: counted(counts, intervals.rows[label] if intervals else None) for label, counts in table.rows.items()
        },
        "micro": counted(table.micro, intervals.micro if intervals else None),
        "macro": _ratios_dict(table.macro, intervals.macro if intervals else None),
    }


def _ratios_dict(ratios: Ratios, bounds: RatioIntervals | None) -> dict[str, Any]:
    return asdict(ratios) | ({"intervals": asdict(bounds)} if bounds else {})


def _alarms_dict(scores: Scores, intervals: Intervals | None) -> dict[str, Any]:
    def interval(bounds: Interval | None) -> dict[str, Any] | None:
        return None if bounds is None else asdict(bounds)

    alarms = scores.false_alarms
    rates = {"category_rate": alarms.category_rate, "span_rate": alarms.span_rate}
    if intervals is None:
        return asdict(alarms) | rates
    bounds = {"category_rate": interval(intervals.category_rate), "span_rate": interval(intervals.span_rate)}
    return asdict(alarms) | rates | {"intervals": bounds}


def _errors_dict(scores: Scores, *, examples: int) -> dict[str, Any]:
    errors = list(scores.errors)
    by_type = scores.error_counts
    return {
        "types": {name: asdict(counts) for name, counts in by_type.items()},
        "total": asdict(sum(by_type.values(), ErrorCounts())),
        "confusions": _confusions(errors),
        "examples": [_error_dict(error) for error in _spread(errors, each=examples)],
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


def _spread(errors: Sequence[SpanError], *, each: int) -> list[SpanError]:
    """At most `each` errors of every kind, evenly spaced, so that the first articles do not fill the list."""
    kinds: defaultdict[ErrorKind, list[SpanError]] = defaultdict(list)
    for error in errors:
        kinds[error.kind].append(error)
    taken = ((kinds[kind], min(each, len(kinds[kind]))) for kind in ErrorKind)
    return [found[index * len(found) // count] for found, count in taken for index in range(count)]


def _error_dict(error: SpanError) -> dict[str, Any]:
    sides = (("gold", error.gold, error.gold_text), ("predicted", error.predicted, error.predicted_text))
    record: dict[str, Any] = {"article": error.article, "kind": error.kind.value}
    for side, span, text in sides:
        if span is not None:
            record[side] = {"start": span.start, "end": span.end, "type": span.type, "text": text}
            if span.category is not None:
                record[side]["category"] = span.category
    return record


def _article_dict(article: ArticleScores) -> dict[str, Any]:
    """Counts as [correct, predicted, gold]: enough to compare two models article by article from their reports."""
    alarms = article.false_alarms
    return {
        "id": article.id,
        "read": article.read,
        "measures": {
            measure.value: {label: [row.correct, row.predicted, row.gold] for label, row in rows.items()}
            for measure, rows in article.counts.items()
            if rows
        },
        "false_alarms": [alarms.articles, alarms.with_category, alarms.with_span],
    }


def _json_text(value: Any, indent: str = "") -> str:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not value or not isinstance(value, dict | list) or len(indent) + len(line) <= _LINE:
        return line
    inner = f"{indent}  "
    if isinstance(value, list):
        parts, brackets = [_json_text(item, inner) for item in value], "[]"
    else:
        named = ((json.dumps(key, ensure_ascii=False), item) for key, item in value.items())
        parts, brackets = [f"{key}: {_json_text(item, inner)}" for key, item in named], "{}"
    body = ",\n".join(inner + part for part in parts)
    return f"{brackets[0]}\n{body}\n{indent}{brackets[1]}"
