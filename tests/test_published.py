"""What is published says what was measured: each report's Markdown is its JSON rendered, and its data are ours."""

import hashlib
import json
from pathlib import Path

import pytest

from hoidam.evaluate import read_report, render_markdown

ROOT = Path(__file__).parents[1]
REPORTS = sorted((ROOT / "eval" / "reports").glob("*/report.json"))


def test_there_are_published_reports():
    assert REPORTS


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_a_report_is_its_json_rendered(path):
    assert path.with_name("report.md").read_text(encoding="utf-8") == render_markdown(read_report(path))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_a_report_names_its_command_commit_hardware_and_the_data_as_they_are_now(path):
    facts = read_report(path)["facts"]
    assert facts["command"].startswith("hoidam ")
    assert facts["commit"]
    assert facts["hardware"]["processor"]
    for name, expected in facts["data_sha256"].items():
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == expected, f"{name} has changed: score again"


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_a_report_on_test_articles_shows_none_of_their_text(path):
    report = read_report(path)
    if any("test" in name for name in report["facts"]["data_sha256"]):
        assert not report["errors"]["list"], json.dumps(report["errors"], ensure_ascii=False)[:200]
