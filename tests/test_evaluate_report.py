import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from test_evaluate_cases import FLAT, SCHEME, annotated, disturbed, random_case, tagged

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.evaluate import (
    Candidates,
    Measure,
    Report,
    escape_markdown,
    make_report,
    read_report,
    render_markdown,
    render_summary,
    render_table,
    score,
    write_report,
)
from hoidam.labels import Category, LabelScheme, SpanType

FACTS = {"command": "hoidam evaluate --gold g.jsonl", "commit": "abc1234", "hardware": {"cores": 2, "gpu": None}}


def report_of(seed, *, intervals=True):
    """Scores, and a report with a second annotator and every error, or one with the scores alone."""
    gold, predictions = random_case(seed, articles=6)
    if not intervals:
        scores = score(gold, predictions=predictions, scheme=SCHEME)
        return scores, Report(scores).to_dict(facts=FACTS)
    second, _ = random_case(seed + 1, articles=6)
    report = make_report(
        gold,
        predictions=predictions,
        scheme=SCHEME,
        second=[replace(one, annotator="B") for one in second],
        show_errors=True,
        resamples=40,
        seed=seed,
    )
    return report.scores, report.to_dict(facts=FACTS)


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
    strict, second = scores.table(Measure.STRICT), report["second"]["measures"]["strict"]
    assert [row[0] for row in rows] == ["label", *SCHEME.type_names, "micro", "macro"]
    for row, counts in zip(rows[1:], [*strict.rows.values(), strict.micro], strict=False):
        assert row[1:4] == [str(counts.gold), str(counts.predicted), str(counts.correct)]
        assert row[6].split(" ")[0] == f"{counts.ratios.f1:.3f}"
    for table, column in ((report["measures"]["strict"], 6), (second, 7)):
        bounds = table["micro"]["intervals"]["f1"]
        assert f"({bounds['low']:.3f}–{bounds['high']:.3f})" in rows[-2][column]
    assert rows[0][7] == "second annotator"
    assert [row[7].split(" ")[0] for row in rows[1:5]] == [f"{row['f1']:.3f}" for row in second["rows"].values()]
    (rows,) = tables(section(render_markdown(report), "Categories as sets and ranks"))
    assert [row[1].split(" ")[0] for row in rows[1:]] == [
        f"{found['value']:.3f}" for found in report["ranking"]["values"].values()
    ]


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
def test_markup_in_names_and_facts_is_shown_as_text_in_one_cell(text):
    span = Span(0, 4, "PERSON")
    gold = [annotated("id|`1`", span)]
    scores = score(gold, predictions=[], scheme=SCHEME, unreachable={"id|`1`": {span: text}})
    markdown = render_markdown(Report(scores).to_dict(facts={"no|te": text}))
    shown = "".join("↵" if ord(c) in (10, 0x2028) else c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)
    (causes,) = tables(section(markdown, "Gold that could not be reached"))
    assert causes[1:] == [[shown, "PERSON", "1", "0"]]
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


def test_article_text_stands_in_a_report_only_when_asked_for_and_then_for_every_error():
    span = Span(30, 34, "MATTER", "RED")
    texts = [f"{number:02}{'x' * 28}Zuyề{'y' * 80}" for number in range(30)]
    gold = [annotated(text[:2], span, categories=["RED"], text=text) for text in texts]
    arguments = {"predictions": [tagged(one.id) for one in gold], "scheme": SCHEME, "resamples": 5}
    listed = make_report(gold, show_errors=True, **arguments).to_dict(facts={})["errors"]["list"]
    for error, text in zip(listed, texts, strict=True):
        assert (error["article"], error["kind"], error["predicted"]) == (text[:2], "missed", [])
        assert error["gold"] == [{"start": 30, "end": 34, "type": "MATTER", "category": "RED", "text": "Zuyề"}]
        start, context = error["context"]["start"], error["context"]["text"]
        assert start <= 30
        assert text[start:].startswith(context)
        assert "Zuyề" in context
    silent = make_report(gold, second=gold, seen=frozenset({("MATTER", "Zuyề")}), **arguments).to_dict(facts={})
    assert silent["errors"]["list"] == []
    assert "Zuy" not in json.dumps(silent) + render_markdown(silent)


def test_confusions_are_counted_in_both_directions_of_gold_and_prediction():
    red, blue = Span(0, 5, "MATTER", "RED"), Span(0, 5, "MATTER", "BLUE")
    person, site = Span(6, 9, "PERSON"), Span(6, 9, "SITE")
    gold = [annotated("a", red, person), annotated("b", red), annotated("c", blue, site)]
    predictions = [tagged("a", blue, site), tagged("b", blue), tagged("c", red)]
    report = make_report(gold, predictions=predictions, scheme=SCHEME, resamples=1).to_dict(facts={})
    assert report["errors"]["confusions"] == [
        {"kind": "category", "gold": "RED", "predicted": "BLUE", "count": 2},
        {"kind": "category", "gold": "BLUE", "predicted": "RED", "count": 1},
        {"kind": "type", "gold": "PERSON", "predicted": "SITE", "count": 1},
    ]


def test_a_second_annotator_is_scored_on_the_articles_of_both_alone():
    red, blue = Span(0, 5, "MATTER", "RED"), Span(0, 5, "MATTER", "BLUE")
    gold = [annotated("a", red, categories=["RED"]), annotated("b", red, categories=["RED"]), annotated("c")]
    second = [
        replace(annotated("b", blue, categories=["BLUE"]), annotator="B"),
        replace(annotated("a", red, categories=["RED"]), annotator="C"),
        annotated("elsewhere", red),
    ]
    found = make_report(gold, predictions=[], scheme=SCHEME, second=second, resamples=5).to_dict(facts={})["second"]
    assert (found["annotator"], found["articles"]) == ("B, C", 2)
    figures = {name: (table["micro"]["correct"], table["micro"]["gold"]) for name, table in found["measures"].items()}
    assert figures == {
        "strict": (2, 2),
        "strict_category": (1, 2),
        "overlap": (2, 2),
        "overlap_category": (1, 2),
        "categories": (1, 2),
    }
    with pytest.raises(DataError, match="second: no article of the gold"):
        make_report(gold, predictions=[], scheme=SCHEME, second=second[2:], resamples=5)


ANALYSED = {
    "slices": [
        {
            "name": "mention",
            "of": "spans",
            "title": "Mentions seen in train",
            "rows": [
                {"slice": "seen", "label": "SITE", "correct": 3, "predicted": 4, "gold": 5}
                | {"precision": 0.75, "recall": 0.6, "f1": 0.667}
            ],
        }
    ],
    "calibration": {
        "spans": [{"label": "SITE", "before": None, "after": {"ece": 0.051, "brier": 0.102, "items": 7, "bins": []}}],
        "categories": [
            {
                "label": "all categories",
                "before": {"ece": 0.2, "brier": 0.3, "items": 9, "bins": []},
                "after": {"ece": 0.01, "brier": 0.02, "items": 9, "bins": []},
            }
        ],
    },
    "worst_articles": [{"id": "a|1", "errors": 9, "gold": 8, "predicted": 7, "correct": 6, "f1": 0.8}],
}


def test_a_summary_is_the_reports_own_sections_with_no_measure_but_the_main_ones():
    _, report = report_of(3)
    whole, summary = (
        [section.strip() for section in render(report).split("\n## ")] for render in (render_markdown, render_summary)
    )
    assert [section for section in whole if section in summary] == summary
    assert [section.partition("\n")[0] for section in summary[1:]] == [
        "Strict spans",
        "Overlapping spans with category",
        "Article categories",
        "False alarms",
        "Calibration",
    ]


def test_what_the_analysis_says_stands_in_the_markdown():
    scores = score([annotated("a")], predictions=[], scheme=SCHEME)
    report = Report(scores, analysis=ANALYSED).to_dict(facts={})
    assert {key: report[key] for key in ANALYSED} == ANALYSED
    markdown = render_markdown(report)
    (rows,) = tables(section(markdown, "Mentions seen in train"))
    assert rows[1:] == [["seen", "SITE", "5", "4", "3", "0.750", "0.600", "0.667"]]
    (rows,) = tables(section(markdown, "Calibration"))
    assert rows[1:] == [
        ["SITE", "7", "–", "0.051", "–", "0.102"],
        ["all categories", "9", "0.200", "0.010", "0.300", "0.020"],
    ]
    (rows,) = tables(section(markdown, "Articles with the most errors"))
    assert rows[1:] == [["a|1", "9", "8", "7", "6", "0.800"]]


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
    assert {row[0] for row in render_table(report)[1:]} == {"strict", "exact", "partial", "overlap"}


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
    assert [path.name for path in paths] == ["report.json", "report.md", "report.html", "errors.csv"]
    assert set(paths[0].parent.iterdir()) == set(paths)
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


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"format": "other"}', '{"format": "hoidam-evaluation-1"}', "[" * 100_000]
)
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


@pytest.mark.slow
def test_a_thousand_articles_of_fifty_spans_are_scored_in_three_seconds_and_reported_in_fifteen():
    rng, categories = random.Random(3), tuple(Category(f"C{number}") for number in range(16))
    scheme = LabelScheme((SpanType("PERSON"), SpanType("SITE"), SpanType("MATTER", True)), categories)
    gold, predictions, raw = [], [], []
    for number in range(1000):
        edges = sorted(rng.sample(range(4000), 100))
        spans = []
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            kind = rng.choice(scheme.types)
            spans.append(Span(start, end, kind.name, rng.choice(scheme.category_names) if kind.categorised else None))
        given = disturbed(rng, spans, length=4000, scheme=scheme)
        union = {span.category for span in spans} - {None}
        gold.append(annotated(f"a{number}", *spans, categories=union, text="x" * 4000))
        predictions.append(tagged(f"a{number}", *given, categories={span.category for span in given} - {None}))
        raw.append(replace(predictions[-1], categories={name: rng.random() for name in scheme.category_names}))
    assert sum(len(article.spans) for article in gold) == 50_000

    begun = time.perf_counter()
    score(gold, predictions=predictions, scheme=scheme)
    scored = time.perf_counter() - begun
    found = Candidates(raw, raw, {})
    begun = time.perf_counter()
    report = make_report(gold, predictions=predictions, candidates=found, scheme=scheme, show_errors=True).to_dict(
        facts={}
    )
    reported = time.perf_counter() - begun
    assert report["bootstrap"]["resamples"] == 10_000
    print(f"scored in {scored:.2f} s, reported in {reported:.2f} s")
    assert scored < 3, f"scoring took {scored:.1f} s"
    assert reported < 15, f"scoring and intervals took {reported:.1f} s"
