"""Gold and predicted spans in, scores, intervals, error kinds and a report out; works on offsets alone.

scores = score(gold, predictions=tagged, scheme=scheme)
report = Report(scores, bootstrap(scores, seed=1)).to_dict(facts={"command": "…", "commit": "…"})
write_report(folder, report=report)
"""

from hoidam.evaluate.bootstrap import Interval, Intervals, RatioIntervals, TableIntervals, bootstrap, resample_indices
from hoidam.evaluate.counts import Counts, ErrorCounts, FalseAlarms, Measure, Ratios, Reach, Table
from hoidam.evaluate.match import ErrorKind, SpanError, match_overlapping
from hoidam.evaluate.render import escape_markdown, render_markdown, render_table
from hoidam.evaluate.report import JSON_NAME, Report, read_report, report_paths, write_report
from hoidam.evaluate.score import UNREAD, ArticleScores, Scores, score

__all__ = [
    "JSON_NAME",
    "UNREAD",
    "ArticleScores",
    "Counts",
    "ErrorCounts",
    "ErrorKind",
    "FalseAlarms",
    "Interval",
    "Intervals",
    "Measure",
    "RatioIntervals",
    "Ratios",
    "Reach",
    "Report",
    "Scores",
    "SpanError",
    "Table",
    "TableIntervals",
    "bootstrap",
    "escape_markdown",
    "match_overlapping",
    "read_report",
    "render_markdown",
    "render_table",
    "report_paths",
    "resample_indices",
    "score",
    "write_report",
]
