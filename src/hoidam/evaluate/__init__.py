"""Gold and predicted spans in, scores, intervals, error kinds and a report out; works on offsets alone.

scores = score(gold, predictions=tagged, scheme=scheme)
report = make_report(gold, predictions=tagged, scheme=scheme).to_dict(facts={"command": "…", "commit": "…"})
write_report(folder, report=report)
"""

from hoidam.evaluate.analysis import Candidates, analyse
from hoidam.evaluate.benchmarks import Benchmark, GoldSet, Sources, freeze, read_benchmark
from hoidam.evaluate.bootstrap import Interval, Intervals, RatioIntervals, TableIntervals, bootstrap, resample_indices
from hoidam.evaluate.compare import Comparison, Difference, compare
from hoidam.evaluate.counts import ANY_TYPE, Counts, FalseAlarms, Measure, Ratios, Reach, Table
from hoidam.evaluate.errors import ErrorKind, SpanError, find_errors
from hoidam.evaluate.figures import find_figure
from hoidam.evaluate.floors import Floor, read_floors
from hoidam.evaluate.match import match_overlapping
from hoidam.evaluate.ranking import Ranking, rank_categories
from hoidam.evaluate.render import escape_markdown, render_markdown, render_summary, render_table
from hoidam.evaluate.report import Report, find_report, make_report, read_report, report_paths, write_report
from hoidam.evaluate.score import UNREAD, ArticleScores, Scores, score
from hoidam.evaluate.summarise import Spread, Summary, summarise, summarise_groups

__all__ = [
    "ANY_TYPE",
    "UNREAD",
    "ArticleScores",
    "Benchmark",
    "Candidates",
    "Comparison",
    "Counts",
    "Difference",
    "ErrorKind",
    "FalseAlarms",
    "Floor",
    "GoldSet",
    "Interval",
    "Intervals",
    "Measure",
    "Ranking",
    "RatioIntervals",
    "Ratios",
    "Reach",
    "Report",
    "Scores",
    "Sources",
    "SpanError",
    "Spread",
    "Summary",
    "Table",
    "TableIntervals",
    "analyse",
    "bootstrap",
    "compare",
    "escape_markdown",
    "find_errors",
    "find_figure",
    "find_report",
    "freeze",
    "make_report",
    "match_overlapping",
    "rank_categories",
    "read_benchmark",
    "read_floors",
    "read_report",
    "render_markdown",
    "render_summary",
    "render_table",
    "report_paths",
    "resample_indices",
    "score",
    "summarise",
    "summarise_groups",
    "write_report",
]
