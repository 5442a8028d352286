"""Gold and predictions as a report: a JSON object, and the two files that hold it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hoidam.document import Annotated, Span, Tagged
from hoidam.errors import DataError
from hoidam.evaluate.analysis import Candidates, analyse
from hoidam.evaluate.bootstrap import RESAMPLES, Interval, Intervals, RatioIntervals, TableIntervals, bootstrap
from hoidam.evaluate.counts import Counts, Measure, Ratios, Table
from hoidam.evaluate.errors import errors_dict
from hoidam.evaluate.ranking import Ranking, rank_categories
from hoidam.evaluate.render import FORMAT, SECOND_MEASURES, check_format, render_markdown
from hoidam.evaluate.score import ArticleScores, Scores, score
from hoidam.evaluate.spreadsheet import render_errors_csv
from hoidam.files import read_text, refuse_overwrite, whole_file
from hoidam.labels import LabelScheme

REPORT_NAME = "report.json"
_LINE = 120
"""JSON that fits into so many characters stays on one line."""
_NO_ANALYSIS: Mapping[str, Any] = {
    "slices": [],
    "calibration": {"spans": [], "categories": []},
    "curves": [],
    "worst_articles": [],
}


@dataclass(frozen=True, slots=True)
class Second:
    """Another annotator's gold, scored as a prediction on the articles that both have: the ceiling for a model."""

    annotator: str
    scores: Scores
    intervals: Intervals | None


@dataclass(frozen=True, slots=True)
class Report:
    """Scores with what else is known of them; every part but the scores may be left out.

    `analysis` holds, as plain data, the keys of the report that look into the errors and the scores of a model:
    `slices`, `calibration`, `curves`, `errors`, `worst_articles`.
    """

    scores: Scores
    intervals: Intervals | None = None
    ranking: Ranking | None = None
    second: Second | None = None
    analysis: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self, *, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The report as plain JSON data.

        `facts` says where the numbers come from (command, commit, hashes, hardware, model). Raises DataError where
        facts are not JSON data.
        """
        scores, intervals = self.scores, self.intervals
        strict = scores.table(Measure.STRICT).micro
        return {
            "format": FORMAT,
            "facts": _plain(facts),
            "scored": {
                "articles": len(scores.articles),
                "unread": list(scores.unread),
                "gold_spans": strict.gold,
                "predicted_spans": strict.predicted,
            },
            "bootstrap": None if intervals is None else _bootstrap_dict(intervals),
            "measures": _measures_dict(scores, intervals, measures=tuple(Measure)),
            "ranking": None if self.ranking is None else asdict(self.ranking),
            "false_alarms": _alarms_dict(scores, intervals),
            "unreachable": [
                {"cause": cause, "type": name} | asdict(reach) for (cause, name), reach in scores.unreachable.items()
            ],
            "second": None if self.second is None else _second_dict(self.second),
            **_NO_ANALYSIS,
            "errors": errors_dict((), scheme=scores.scheme),
            **self.analysis,
            "per_article": [_article_dict(article) for article in scores.articles],
        }


def make_report(
    gold: Sequence[Annotated],
    *,
    predictions: Sequence[Tagged],
    scheme: LabelScheme,
    candidates: Candidates | None = None,
    unreachable: Mapping[str, Mapping[Span, str]] | None = None,
    second: Sequence[Annotated] = (),
    seen: Iterable[tuple[str, str]] = (),
    show_errors: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Score predictions against gold, with intervals and all that a report says.

    `candidates` are what the model found before any threshold, where a model is at hand; `seen` are the mentions that
    it learnt from, by type and surface. With `show_errors` the report holds the text of every error: leave it off for
    test articles, whose text is for the scorer alone. Raises DataError as `score` does.
    """
    scores = score(gold, predictions=predictions, scheme=scheme, unreachable=unreachable)
    return Report(
        scores=scores,
        intervals=bootstrap(scores, resamples=resamples, seed=seed),
        ranking=rank_categories(
            gold,
            predictions=predictions,
            scheme=scheme,
            candidates=None if candidates is None else candidates.calibrated,
            resamples=resamples,
            seed=seed,
        ),
        second=_score_second(gold, second=second, scheme=scheme, resamples=resamples, seed=seed) if second else None,
        analysis=analyse(
            gold, predictions=predictions, scheme=scheme, candidates=candidates, seen=seen, show_text=show_errors
        ),
    )


def _score_second(
    gold: Sequence[Annotated], *, second: Sequence[Annotated], scheme: LabelScheme, resamples: int, seed: int
) -> Second:
    """Raises DataError where the two share no article."""
    others = {one.id: one for one in second}
    common = [one for one in gold if one.id in others]
    if not common:
        raise DataError(
            "no article of the gold", field="second", cure="Give a second annotator's gold on the same articles"
        )
    given = [
        Tagged(other.id, "", other.spans, dict.fromkeys(sorted(other.categories), 1.0), other.annotator)
        for other in (others[one.id] for one in common)
    ]
    scores = score(common, predictions=given, scheme=scheme)
    names = ", ".join(sorted({one.model for one in given}))
    return Second(names, scores, bootstrap(scores, resamples=resamples, seed=seed))


def write_report(folder: Path, *, report: Mapping[str, Any], force: bool = False) -> tuple[Path, ...]:
    """Write the files of a report into `folder`, made where it is missing, and give their paths.

    `report.json` is the report, `report.md` and `report.html` show it, `errors.csv` has a row for each error whose text
    it holds. Raises DataError where one of them exists and `force` is not given, or where the folder cannot be written.
    """
    paths = report_paths(folder, force=force)
    # Templates are loaded when a page is written: commands that write none start without them.
    from hoidam.evaluate.page import render_page

    texts = _json_text(report) + "\n", render_markdown(report), render_page(report), render_errors_csv(report)
    for path, text in zip(paths, texts, strict=True):
        with whole_file(path, force=force, binary=True) as stream:
            stream.write(text.encode("utf-8"))
    return paths


def report_paths(folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """The files of a report in `folder`; raises DataError where one of them exists and `force` is not given."""
    paths = tuple(folder / name for name in (REPORT_NAME, "report.md", "report.html", "errors.csv"))
    for path in paths:
        refuse_overwrite(path, force=force)
    return paths


def read_report(path: Path) -> dict[str, Any]:
    """Read a `report.json`; raises DataError where it is broken, cut short or not a report of this format."""
    try:
        report = json.loads(read_text(path))
        check_format(report)
        missing = [name for name in ("measures", "per_article") if name not in report]
        if missing:
            raise DataError("not there", field=missing[0], cure="Evaluate again to write a new one")
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"broken JSON ({error})", path=path, cure="Give a report.json of `hoidam evaluate`") from None
    except DataError as error:
        raise error.at(path) from None
    return dict(report)


def find_report(path: Path) -> Path:
    """The `report.json` that a path names: itself, or the one in the folder."""
    return path / REPORT_NAME if path.is_dir() else path


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


def _measures_dict(scores: Scores, intervals: Intervals | None, *, measures: Sequence[Measure]) -> dict[str, Any]:
    return {
        measure.value: _table_dict(scores.table(measure), intervals.tables[measure] if intervals else None)
        for measure in measures
    }


def _second_dict(second: Second) -> dict[str, Any]:
    return {
        "annotator": second.annotator,
        "articles": len(second.scores.articles),
        "measures": _measures_dict(second.scores, second.intervals, measures=SECOND_MEASURES),
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


def _article_dict(article: ArticleScores) -> dict[str, Any]:
    """Counts as [correct, predicted, gold]: enough to compare two models article by article from their reports."""
    alarms = article.false_alarms
    return {
        "id": article.id,
        "gold_sha256": article.gold_sha256,
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
