"""Several reports of one experiment, such as runs with different seeds, as mean, deviation and range."""

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoidam.errors import DataError
from hoidam.evaluate.figures import find_figure, headline_names
from hoidam.evaluate.render import escape_markdown, markdown_table, number
from hoidam.evaluate.report import REPORT_NAME, read_report

FORMAT = "hoidam-summary-1"


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the runs of a group that have it; `deviation` is the sample's (n - 1), None for a single run."""

    group: str
    figure: str
    runs: int
    mean: float
    deviation: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The reports of each group, and every headline figure over them: by figure, then by group in the order given."""

    groups: Mapping[str, Sequence[Path]]
    spreads: tuple[Spread, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "groups": {name: [str(path) for path in paths] for name, paths in self.groups.items()},
            "figures": [asdict(spread) for spread in self.spreads],
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A table for people, its header first."""
        yield ("figure", "group", "runs", "mean", "sd", "low", "high")
        for spread in self.spreads:
            values = (spread.mean, spread.deviation, spread.low, spread.high)
            yield (spread.figure, spread.group, str(spread.runs), *map(number, values))

    def to_markdown(self) -> str:
        header, *rows = self.rows()
        counts = "; ".join(f"{escape_markdown(name)}: {len(paths)}" for name, paths in self.groups.items())
        note = (
            "Means over the runs of each group, with the sample's standard deviation (n - 1) and the range. "
            f"Runs by group: {counts}."
        )
        return f"# Summary\n\n{note}\n\n{markdown_table(header, rows)}\n"

    def to_text(self, suffix: str) -> str:
        """The summary as `.md` or `.json`; raises DataError on another suffix."""
        match suffix:
            case ".json":
                return json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n"
            case ".md":
                return self.to_markdown()
        raise DataError(f"found {suffix!r}", field="output", cure="Name a .md or a .json file")


def summarise(folders: Sequence[Path]) -> Summary:
    """Summarise the `report.json` files below each folder, which is one group.

    Raises DataError on a folder without a report and on runs of one group that were scored on different gold.
    """
    groups = {str(folder): tuple(sorted(folder.rglob(REPORT_NAME))) for folder in folders}
    for name, paths in groups.items():
        if not paths:
            raise DataError(f"no {REPORT_NAME} below it", path=name, cure="Write one with `hoidam evaluate --report`")
    return summarise_groups(groups)


def summarise_groups(groups: Mapping[str, Sequence[Path]], *, same_gold: bool = True) -> Summary:
    """Summarise the reports of each group, of which there is at least one.

    Raises DataError where one cannot be read, and with `same_gold` where those of a group are on different gold.
    """
    reports = {name: [read_report(path) for path in paths] for name, paths in groups.items()}
    if same_gold:
        for name, paths in groups.items():
            _check_same_gold(paths, reports[name])
    figures = dict.fromkeys(
        figure for found in reports.values() for report in found for figure in headline_names(report)
    )
    return Summary(groups, tuple(_spreads(reports, figures=tuple(figures))))


def _spreads(reports: Mapping[str, Sequence[Mapping[str, Any]]], *, figures: Sequence[str]) -> Iterator[Spread]:
    for figure in figures:
        for group, found in reports.items():
            values = [
                value
                for report in found
                if figure in headline_names(report) and (value := find_figure(report, figure)) is not None
            ]
            if values:
                deviation = statistics.stdev(values) if len(values) > 1 else None
                yield Spread(group, figure, len(values), statistics.fmean(values), deviation, min(values), max(values))


def _check_same_gold(paths: Sequence[Path], reports: Sequence[Mapping[str, Any]]) -> None:
    first = _gold(reports[0])
    for path, report in zip(paths, reports, strict=True):
        differing = sorted(dict(first ^ _gold(report)))
        if differing:
            raise DataError(
                f"article {differing[0]!r} or its gold is not as in {paths[0]}",
                path=path,
                cure="Put reports on other gold into a group of their own: a mean over different articles says nothing",
            )


def _gold(report: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(article["id"], article["gold_sha256"]) for article in report["per_article"]}
