import json
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from test_evaluate_cases import FLAT, SCHEME, annotated, random_case, tagged

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.evaluate import (
    Measure,
    Report,
    bootstrap,
    escape_markdown,
    read_report,
    render_markdown,
    render_table,
    score,
    write_report,
)
from hoidam.labels import Category, LabelScheme, SpanType

FACTS = {"command": "hoidam evaluate --gold g.jsonl", "commit": "abc1234", "hardware": {"cores": 2, "gpu": None}}


def report_of(seed, *, examples=3, intervals=True):
    gold, predictions = random_case(seed, articles=6)
    scores = score(gold, predictions=predictions, scheme=SCHEME)
    found = bootstrap(scores, resamples=40, seed=seed) if intervals else None
    return scores, Report(scores, found).to_dict(facts=FACTS, examples=examples)


def tables(markdown):
    """Every table of a Markdown text as rows of cell texts, read by an independent parser."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level > 1:
            assert all(child.type == "text" for child in token.children), token.content
            found[-1][-1].append("".join(child.content for child in token.children))
    return found


def section(markdown, title):
    return markdown.split(f"## {title}\n\n")[1].split("\n## ")[0]


def test_markdown_is_rendered_from_the_json_alone():
    for seed in range(100):
        _, report = report_of(seed, intervals=seed % 3 > 0)
        read_back = json.loads(json.dumps(report))
        assert read_back == report
        assert render_markdown(read_back) == render_markdown(report)
        assert render_table(read_back) == render_table(report)


def test_every_count_ratio_and_bound_of_the_json_stands_in_the_markdown():
    scores, report = report_of(8)
    (rows,) = tables(section(render_markdown(report), "Strict spans"))
    strict = scores.table(Measure.STRICT)
    assert [row[0] for row in rows] == ["label", *SCHEME.type_names, "micro", "macro"]
    for row, counts in zip(rows[1:], [*strict.rows.values(), strict.micro], strict=False):
        assert row[1:4] == [str(counts.gold), str(counts.predicted), str(counts.correct)]
        assert row[6].split(" ")[0] == f"{counts.ratios.f1:.3f}"
    bounds = report["measures"]["strict"]["micro"]["intervals"]["f1"]
    assert f"({bounds['low']:.3f}–{bounds['high']:.3f})" in rows[-2][6]


def test_the_counts_of_the_articles_add_up_to_the_tables():
    for seed in range(50):
        _, report = report_of(seed)
        for measure in Measure:
            total = {label: [0, 0, 0] for label in measure.labels(SCHEME)}
            for article in report["per_article"]:
                for label, counts in article["measures"].get(measure.value, {}).items():
                    total[label] = [a + b for a, b in zip(total[label], counts, strict=True)]
            rows = report["measures"][measure.value]["rows"]
            assert total == {label: [row["correct"], row["predicted"], row["gold"]] for label, row in rows.items()}
        columns = zip(*(article["false_alarms"] for article in report["per_article"]), strict=True)
        alarms = report["false_alarms"]
        assert [sum(column) for column in columns] == [alarms[k] for k in ("articles", "with_category", "with_span")]


NASTY = [
    "a|b",
    "`code`",
    "two\nlines",
    "\r\ntabs\t",
    "**bold** _it_ ~~gone~~",
    "<script>&amp;",
    "[link](http://x.vn)",
    "back\\slash\\|",
    "# $x$ ![i](j)",
    "snake_case __init__",
    "\u2028\u202eabc\u00a0d",
    "``|``|",
    "Hội đàm",
]


@pytest.mark.parametrize("text", NASTY)
def test_markup_in_surfaces_is_shown_as_text_in_one_cell(text):
    gold = [annotated("id|`1`", Span(0, len(text), "PERSON"), text=text)]
    scores = score(gold, predictions=[tagged("id|`1`")], scheme=SCHEME)
    markdown = render_markdown(Report(scores).to_dict(facts={"no|te": text}, examples=1))
    shown = "".join("↵" if ord(c) in (10, 0x2028) else c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)
    *_, examples = tables(section(markdown, "Errors"))
    assert examples[1:] == [["id|`1`", "missed", f"PERSON 0–{len(text)}: {shown}", "–"]]
    (facts,) = tables(section(markdown, "Facts"))
    assert facts[1:] == [["no|te", shown]]
    assert "id|`1`".replace("|", "\\|").replace("`", "\\`") in markdown


def test_vietnamese_text_and_label_names_are_not_cluttered_by_escapes():
    assert escape_markdown("Bí thư Huyện ủy Bát Xát (BORDER_GATE), 1.2 - 3") == (
        "Bí thư Huyện ủy Bát Xát (BORDER_GATE), 1.2 - 3"
    )


def test_types_named_like_the_averages_keep_their_own_rows():
    scheme = LabelScheme((SpanType("micro"), SpanType("all|types")))
    gold = [annotated("a", Span(0, 3, "micro"), Span(4, 6, "all|types"))]
    scores = score(gold, predictions=[tagged("a", Span(0, 3, "micro"))], scheme=scheme)
    markdown = render_markdown(Report(scores).to_dict(facts={}))
    (rows,) = tables(section(markdown, "Strict spans"))
    assert [row[:4] for row in rows[1:4]] == [
        ["micro", "1", "1", "1"],
        ["all|types", "1", "0", "0"],
        ["micro", "2", "1", "1"],
    ]


def test_examples_come_from_all_over_the_corpus_and_only_when_asked_for():
    gold = [annotated(f"a{number:02}", Span(0, 4, "PERSON"), text="secret") for number in range(30)]
    scores = score(gold, predictions=[tagged(article.id) for article in gold], scheme=SCHEME)
    shown = Report(scores).to_dict(facts={}, examples=3)["errors"]["examples"]
    assert [example["article"] for example in shown] == ["a00", "a10", "a20"]
    silent = Report(scores).to_dict(facts={})
    assert silent["errors"]["examples"] == []
    assert "secr" not in json.dumps(silent) + render_markdown(silent)


def test_confusions_are_counted_in_both_directions_of_gold_and_prediction():
    red, blue = Span(0, 5, "MATTER", "RED"), Span(0, 5, "MATTER", "BLUE")
    person, site = Span(6, 9, "PERSON"), Span(6, 9, "SITE")
    gold = [annotated("a", red, person), annotated("b", red), annotated("c", blue, site)]
    predictions = [tagged("a", blue, site), tagged("b", blue), tagged("c", red)]
    report = Report(score(gold, predictions=predictions, scheme=SCHEME)).to_dict(facts={})
    assert report["errors"]["confusions"] == [
        {"kind": "category", "gold": "RED", "predicted": "BLUE", "count": 2},
        {"kind": "category", "gold": "BLUE", "predicted": "RED", "count": 1},
        {"kind": "type", "gold": "PERSON", "predicted": "SITE", "count": 1},
    ]


def test_the_markdown_names_unread_articles_and_unreachable_gold():
    span = Span(0, 4, "SITE")
    gold = [annotated("read", span), annotated("un_read_", span)]
    causes = {"read": {span: "edge|inside a word"}}
    scores = score(gold, predictions=[tagged("read")], scheme=SCHEME, unreachable=causes)
    markdown = render_markdown(Report(scores).to_dict(facts={}))
    assert "No prediction for 1 of them, all of whose gold counts as missed: un_read\\_." in markdown
    (rows,) = tables(section(markdown, "Gold that could not be reached"))
    assert rows[1:] == [["edge|inside a word", "SITE", "1", "0"], ["no prediction for the article", "SITE", "1", "0"]]


def test_a_report_on_nothing_is_rendered_with_dashes():
    report = Report(score([], predictions=[], scheme=SCHEME)).to_dict(facts={})
    assert report["measures"]["strict"]["micro"]["f1"] is None
    (rows,) = tables(section(render_markdown(report), "Strict spans"))
    assert rows[1] == ["PERSON", "0", "0", "0", "–", "–", "–"]
    assert "nothing to score" in section(render_markdown(report), "False alarms")


def test_a_scheme_without_categories_has_a_report_without_their_sections():
    gold = [annotated("a", Span(0, 3, "SITE"))]
    report = Report(score(gold, predictions=[], scheme=FLAT)).to_dict(facts={})
    markdown = render_markdown(report)
    assert "ategories\n" not in markdown
    assert "False alarms" not in markdown
    assert {row[0] for row in render_table(report)[1:]} == {"strict", "overlap"}


def test_the_terminal_table_is_plain_strings_of_one_width():
    scores, report = report_of(8)
    header, *rows = render_table(report)
    assert all(len(row) == len(header) and all(isinstance(cell, str) for cell in row) for row in rows)
    micro = next(row for row in rows if row[:2] == ("strict", "micro"))
    counts = scores.table(Measure.STRICT).micro
    assert micro[2:5] == (str(counts.gold), str(counts.predicted), str(counts.correct))
    assert header[-1] == "F1 95 % interval"
    assert micro[-1]


def test_both_files_are_written_and_read_back(tmp_path: Path):
    _, report = report_of(8)
    paths = write_report(tmp_path / "new" / "folder", report=report)
    assert [path.name for path in paths] == ["report.json", "report.md"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["report.json", "report.md"]
    assert read_report(paths[0]) == report
    assert paths[1].read_text(encoding="utf-8") == render_markdown(read_report(paths[0]))
    lines = paths[0].read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 200


def test_a_report_is_not_written_over_without_force(tmp_path: Path):
    _, report = report_of(8)
    _, later = report_of(9)
    (tmp_path / "report.md").write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        write_report(tmp_path, report=report)
    assert not (tmp_path / "report.json").exists()
    write_report(tmp_path, report=report, force=True)
    write_report(tmp_path, report=later, force=True)
    assert read_report(tmp_path / "report.json") == later


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "other"}', "[" * 100_000])
def test_a_file_that_is_no_report_is_refused_with_its_name(tmp_path: Path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"report\.json: "):
        read_report(path)


@pytest.mark.parametrize("render", [render_markdown, render_table])
def test_a_report_with_a_part_missing_is_refused(render):
    _, report = report_of(8)
    del report["measures"]["overlap"]
    with pytest.raises(DataError, match=r"incomplete.*overlap"):
        render(report)


@pytest.mark.parametrize("fact", [Path("x"), float("nan"), {1, 2}, "half a pair \ud800"])
def test_facts_that_json_cannot_hold_are_refused(fact):
    scores = score([], predictions=[], scheme=SCHEME)
    with pytest.raises(DataError, match="facts: not JSON"):
        Report(scores).to_dict(facts={"fact": fact})


def test_averages_are_not_shown_beside_an_only_row():
    scheme = LabelScheme((SpanType("A"), SpanType("B", categorised=True)), (Category("RED"), Category("BLUE")))
    gold = [annotated("a", Span(0, 3, "B", "RED"), categories=["RED"])]
    report = Report(score(gold, predictions=[], scheme=scheme)).to_dict(facts={})
    labels = [row[:2] for row in render_table(report) if row[0] in ("strict_category", "overlap_category")]
    assert labels == [("strict_category", "B"), ("overlap_category", "B")]
    (rows,) = tables(section(render_markdown(report), "Strict spans with category"))
    assert [row[0] for row in rows] == ["label", "B"]
