"""What is published says what was measured: reports are their JSON rendered, the shipped model is the one scored."""

import hashlib
import json
from pathlib import Path

import pytest

from hoidam.document import Tagged
from hoidam.evaluate import read_floors, read_report, render_markdown
from hoidam.evaluate.page import render_page
from hoidam.evaluate.spreadsheet import render_errors_csv
from hoidam.ingest.readers import discover, read_found
from hoidam.tag.tagger import Tagger

ROOT = Path(__file__).parents[1]
REPORTS = sorted((ROOT / "eval" / "reports").glob("*/report.json"))


def test_there_are_published_reports():
    assert REPORTS


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_a_report_is_its_json_rendered(path):
    report = read_report(path)
    forms = {"report.md": render_markdown, "report.html": render_page, "errors.csv": render_errors_csv}
    for name, render in forms.items():
        assert path.with_name(name).read_bytes() == render(report).encode(), name


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


@pytest.fixture(scope="module")
def shipped():
    return Tagger.load(ROOT / "models" / "hoidam-small", device="cpu")


def test_the_shipped_model_is_the_one_that_was_scored_and_holds_the_floors(shipped):
    report = read_report(ROOT / "eval" / "reports" / "hoidam-small-test" / "report.json")
    assert report["facts"]["model"] == shipped.model.identity
    for floor in read_floors(ROOT / "eval" / "floors.toml", benchmark=report["facts"]["benchmark"]["name"]):
        assert floor.is_held_by(report), floor


def test_the_shipped_model_is_small_enough_to_carry():
    files = [path for path in (ROOT / "models" / "hoidam-small").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 35_000_000


def test_the_shipped_model_tags_the_samples(shipped):
    results = list(shipped.tag(read_found(discover([str(ROOT / "data" / "samples")]))))
    assert len(results) == 10
    for result in results:
        assert isinstance(result, tuple), result
        document, tagged = result
        assert isinstance(tagged, Tagged)
        found = {span.type for span in tagged.spans}
        assert {"OFFICIAL", "TITLE", "PLACE"} <= found, document.id
        assert ("TOPIC" in found) == bool(tagged.categories), document.id
