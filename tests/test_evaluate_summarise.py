import json
import statistics

import pytest
from test_evaluate_cases import FLAT, SCHEME, annotated, random_case, tagged

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.evaluate import Report, find_figure, score, summarise, write_report

GOLD, _ = random_case(7, articles=3)
FIGURES = [
    *(f"strict.{name}.f1" for name in SCHEME.type_names),
    *(f"overlap_category.{name}.f1" for name in SCHEME.categorised_names),
    "categories.micro.f1",
    "false_alarms.category_rate",
]


def write_run(folder, seed, *, gold=GOLD):
    """A report on the same gold by another model."""
    _, predictions = random_case(seed, articles=3)
    ids = {one.id for one in gold}
    given = [one for one in predictions if one.id in ids]
    report = Report(score(gold, predictions=given, scheme=SCHEME)).to_dict(facts={})
    write_report(folder, report=report)
    return report


def test_each_figure_of_each_group_is_a_plain_mean_deviation_and_range(tmp_path):
    reports = {
        "second": [write_run(tmp_path / "second" / "deep" / str(seed), seed) for seed in range(4)],
        "first": [write_run(tmp_path / "first" / str(seed), seed) for seed in range(10, 12)],
        "single": [write_run(tmp_path / "single", 20)],
    }
    found = summarise([tmp_path / name for name in reports])
    assert list(found.groups) == [str(tmp_path / name) for name in reports]
    assert [len(paths) for paths in found.groups.values()] == [4, 2, 1]
    expected = []
    for figure in FIGURES:
        for group, runs in reports.items():
            values = [value for run in runs if (value := find_figure(run, figure)) is not None]
            if values:
                deviation = statistics.stdev(values) if len(values) > 1 else None
                mean = sum(values) / len(values)
                expected.append((str(tmp_path / group), figure, len(values), mean, deviation, min(values), max(values)))
    rows = [(s.group, s.figure, s.runs, s.mean, s.deviation, s.low, s.high) for s in found.spreads]
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row[3:] == pytest.approx(wanted[3:])


def test_both_forms_hold_every_figure(tmp_path):
    write_run(tmp_path / "a|b" / "1", 1)
    write_run(tmp_path / "a|b" / "2", 2)
    found = summarise([tmp_path / "a|b"])
    data = json.loads(found.to_text(".json"))
    assert [len(paths) for paths in data["groups"].values()] == [2]
    assert [row["figure"] for row in data["figures"]] == [spread.figure for spread in found.spreads]
    markdown = found.to_text(".md")
    assert "a\\|b: 2." in markdown
    for spread in found.spreads:
        (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {spread.figure} |")]
        assert f"| {spread.mean:.3f} |" in line
    with pytest.raises(DataError, match=r"found '\.csv'"):
        found.to_text(".csv")


def test_figures_that_a_scheme_or_a_run_does_not_have_are_left_out(tmp_path):
    gold = [annotated("a", Span(0, 3, "SITE"))]
    report = Report(score(gold, predictions=[tagged("a")], scheme=FLAT)).to_dict(facts={})
    write_report(tmp_path / "flat", report=report)
    full = write_run(tmp_path / "full", 1)
    found = summarise([tmp_path / "full", tmp_path / "flat"])
    assert [s.figure for s in found.spreads if s.group.endswith("flat")] == ["strict.SITE.f1"]
    assert [s.figure for s in found.spreads if s.group.endswith("full")] == [
        figure for figure in FIGURES if find_figure(full, figure) is not None
    ]


def test_a_group_without_reports_or_on_different_gold_is_refused_by_name(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no report\.json below it"):
        summarise([tmp_path / "empty"])
    with pytest.raises(DataError, match=r"gone: no report\.json"):
        summarise([tmp_path / "gone"])
    write_run(tmp_path / "mixed" / "1", 1)
    write_run(tmp_path / "mixed" / "2", 2, gold=GOLD[1:])
    with pytest.raises(DataError, match=rf"mixed/2/report\.json: article '{GOLD[0].id}' or its gold is not as in"):
        summarise([tmp_path / "mixed"])
