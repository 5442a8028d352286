"""The page of a report: every number is the JSON's, nothing that is shown can act, and what is missing is left out."""

import base64
import hashlib
import json
import random
import re
import string
from collections import Counter
from collections.abc import Iterable

import pytest
from hostile import HOSTILE
from markup import Reader
from reports import CATEGORIES, Json, make_report

from hoidam.errors import DataError
from hoidam.evaluate import plots
from hoidam.evaluate.definitions import KINDS, MEASURES, RANKING
from hoidam.evaluate.page import MATRIX_LABELS, render_page
from hoidam.pages import show

NOTHING = re.compile(r"\b(nan|none|null|undefined|inf|infinity)\b", re.IGNORECASE)


def random_options(seed: int) -> Json:
    rng = random.Random(seed)
    labels = [f"L{number:03}" for number in range(rng.choice((1, 4, 10, 40)))]
    categories = [f"K{number:03}" for number in range(rng.choice((0, 0, 1, 7, 30)))]
    flags = {name: rng.random() < 0.5 for name in ("intervals", "second", "analysis", "texts")}
    sizes = {"articles": rng.choice((1, 12)), "errors": rng.choice((0, 1, 60)), "empty": rng.choice((0.0, 0.3, 1.0))}
    return {"types": labels, "categories": categories, **flags, **sizes}


def ratio(value: float | None, interval: Json | None = None) -> list[str]:
    """A cell of the page: the value to three digits, and its bounds."""
    text = "–" if value is None else f"{value:.3f}"
    return [text, f"{interval['low']:.3f}–{interval['high']:.3f}"] if interval else [text]


def count(value: float) -> list[str]:
    return [f"{value:,}" if value % 1 else f"{int(value):,}"]


def score_cells(row: Json, ceiling: float | None, *, with_ceiling: bool) -> list[list[str]]:
    bounds = row.get("intervals", {})
    f1, precision, recall = (ratio(row[name], bounds.get(name)) for name in ("f1", "precision", "recall"))
    above = ([ratio(ceiling)] if ceiling is not None else [[]]) if with_ceiling else []
    counts = [count(row[name]) if name in row else [] for name in ("gold", "predicted", "correct")]
    return [f1, [], *above, precision, recall, *counts]


def plain_cells(rows: Iterable[list[list[str]]]) -> list[list[list[str]]]:
    """Cells whose labels were given places to break."""
    return [[["".join(cell)] if index == 0 else cell for index, cell in enumerate(row)] for row in rows]


def expected_scores(report: Json, name: str) -> list[list[list[str]]]:
    table = report["measures"][name]
    second = report["second"]["measures"].get(name, {"rows": {}}) if report["second"] else {"rows": {}}
    above = {label: row["f1"] for label, row in second["rows"].items()}
    with_ceiling = any(above.get(label) is not None for label in table["rows"])
    rows = [
        [[label], *score_cells(row, above.get(label), with_ceiling=with_ceiling)]
        for label, row in table["rows"].items()
    ]
    averages = [
        [[mean], *score_cells(table[mean], second.get(mean, {}).get("f1"), with_ceiling=with_ceiling)]
        for mean in ("micro", "macro")
    ]
    return rows + (averages if len(rows) > 1 else [])


@pytest.mark.parametrize("seed", range(40))
def test_every_number_of_the_page_is_the_json_s_and_nothing_is_said_to_be_none(seed: int) -> None:
    report = json.loads(json.dumps(make_report(seed, **random_options(seed))))
    reader = Reader(render_page(report))
    tables = reader.tables
    assert not NOTHING.search(" ".join(reader.seen))
    assert not [value for _, name, value in reader.attributes if name != "content" and NOTHING.search(value)]

    for name, table in report["measures"].items():
        found = tables.pop(("data-measure", name), None)
        assert (found is not None) == bool(table["rows"])
        if found:
            assert plain_cells(found[1:]) == expected_scores(report, name)

    for index, entry in enumerate(report["slices"]):
        rows = [[[row["slice"]], *score_cells(row, None, with_ceiling=False)] for row in entry["rows"]]
        found = tables.pop(("data-slices", str(index)))[1:]
        assert [row[-len(rows[0]) :] for row in found] == rows
        assert [label for row in found if len(row) > len(rows[0]) for label in row[0]] == list(
            dict.fromkeys(row["label"] for row in entry["rows"])
        )

    if report["ranking"]:
        values = report["ranking"]["values"]
        found = tables.pop(("data-table", "ranking"))[1:]
        assert [row[:2] for row in found] == [
            [[RANKING[name].title], ratio(entry["value"], entry["interval"])] for name, entry in values.items()
        ]
    alarms = report["false_alarms"]
    if alarms["articles"]:
        bounds = alarms.get("intervals", {})
        assert [row[1:] for row in tables.pop(("data-table", "alarms"))[1:]] == [
            [count(alarms[given]), ratio(alarms[rate], bounds.get(rate))]
            for given, rate in (("with_category", "category_rate"), ("with_span", "span_rate"))
        ]
    for curve in [*report["calibration"]["spans"], *report["calibration"]["categories"]]:
        if curve["after"]["items"]:
            sides = [curve[side] for side in ("before", "after") if curve[side]]
            found = tables.pop(("data-calibration", curve["label"]))[1:]
            assert found == [
                [[title], *(ratio(side[name]) for side in sides)]
                for name, title in (("ece", "ECE"), ("brier", "Brier"))
            ]
    if any(sum(row.values()) for row in report["errors"]["types"].values()):
        found = tables.pop(("data-table", "kinds"))[1:]
        rows = list(report["errors"]["types"].items())
        rows += [("all types", report["errors"]["total"])] if len(rows) > 1 else []
        wanted = [["".join(label), *(number.replace("·", "0") for [number] in row)] for label, *row in found]
        assert wanted == [[label, *(str(row[kind]) for kind in KINDS)] for label, row in rows]
    for kind in {row["kind"] for row in report["errors"]["confusions"]}:
        found = tables.pop(("data-confusions", kind))
        pairs = {
            (row["gold"], row["predicted"]): row["count"]
            for row in report["errors"]["confusions"]
            if row["kind"] == kind
        }
        assert confusions(found) == pairs
    if report["worst_articles"]:
        assert tables.pop(("data-table", "worst"))[1:] == [
            [
                [show(row["id"])],
                *(count(row[name]) for name in ("errors", "gold", "predicted", "correct")),
                ratio(row["f1"]),
            ]
            for row in report["worst_articles"]
        ]
    assert tables == {}
    listed = report["errors"]["list"]
    assert (json.loads(reader.data) if listed else reader.data) == (listed or "")


def confusions(table: list[list[list[str]]]) -> dict[tuple[str, str], int]:
    """Counts by gold and predicted label, of a table of both forms."""
    head, *rows = table
    if head[0] == ["gold"]:
        return {("".join(gold), "".join(predicted)): int(number) for gold, predicted, [number] in rows}
    return {
        ("".join(gold), "".join(label)): int(number)
        for gold, *cells in rows
        for label, [number] in zip(head[1:], cells, strict=True)
        if number != "·"
    }


def test_confusions_are_a_table_up_to_some_labels_and_a_list_of_pairs_beyond() -> None:
    for labels in (2, MATRIX_LABELS, MATRIX_LABELS + 1):
        report = make_report(1, errors=0)
        report["errors"]["types"]["PLACE"]["type"] = labels
        report["errors"]["confusions"] = [
            {"kind": "type", "gold": f"G{number}", "predicted": f"P{number}", "count": 1 + number}
            for number in range(labels)
        ]
        found = Reader(render_page(report)).tables["data-confusions", "type"]
        assert confusions(found) == {(f"G{number}", f"P{number}"): 1 + number for number in range(labels)}
        assert (found[0][0] == ["gold"]) == (labels > MATRIX_LABELS)


def test_the_figures_stand_where_the_numbers_say() -> None:
    axis = plots.axis_over([0.9, 0.47, 1.0])
    assert (axis.low, axis.ticks) == (0.4, [0.4, 0.6, 0.8, 1.0])
    drawn = str(plots.forest(0.7, low=0.55, high=0.85, ceiling=1.0, axis=axis))
    assert re.search(r'class="bar" x1="25.00%" x2="75.00%"', drawn)
    assert re.search(r'class="dot" cx="50.00%"', drawn)
    assert re.search(r'<svg x="100.00%".*class="ceiling"', drawn)
    assert re.findall(r'class="grid" x1="([\d.]+)%"', drawn) == ["0.00", "33.33", "66.67", "100.00"]
    nothing = str(plots.forest(None, low=None, high=None, ceiling=None, axis=axis))
    assert re.findall("<(?:circle|path)|bar", nothing) == []
    for low in range(100):
        axis = plots.axis_over([low / 100])
        assert 0 <= axis.low <= low / 100
        assert len(axis.ticks) <= 6
        assert (axis.ticks[0], axis.ticks[-1]) == (axis.low, 1.0)

    across, up = (lambda x: 26 + 206 * x), (lambda y: 144 - 124 * y)
    points = [
        {"threshold": 0.1, "precision": 0.5, "recall": 0.9, "f1": 0.643},
        {"threshold": 0.9, "precision": None, "recall": 0.0, "f1": 0.0},
    ]
    drawn = str(plots.precision_recall(points, operating=points[0]))
    assert lines(drawn, "f1") == [[(across(0.9), up(0.5))]]
    assert re.findall(r'class="dot" cx="([\d.]+)" cy="([\d.]+)"', drawn) == [(f"{across(0.9):.1f}", f"{up(0.5):g}")]
    drawn = str(plots.thresholds(points, operating=points[0]))
    assert lines(drawn, "recall") == [[(across(0.1), up(0.9)), (across(0.9), up(0.0))]]
    assert lines(drawn, "precision") == [[(across(0.1), up(0.5))]]
    assert lines(drawn, "operating") == [[(across(0.1), up(0.0)), (across(0.1), up(1.0))]]
    bins = [
        {"low": 0.0, "high": 0.5, "items": 1, "confidence": 0.25, "accuracy": 0.5},
        {"low": 0.5, "high": 1.0, "items": 0, "confidence": None, "accuracy": None},
    ]
    drawn = str(plots.reliability(None, after={"bins": bins}))
    assert lines(drawn, "after") == [[(across(0.25), up(0.5))]]
    assert lines(drawn, "before") == []
    assert drawn.count('class="share"') == 1


def lines(drawn: str, kind: str) -> list[list[tuple[object, object]]]:
    found = re.findall(rf'<polyline class="{kind}" points="([^"]*)"', drawn)
    return [
        [tuple(pytest.approx(float(part), abs=0.06) for part in point.split(",")) for point in line.split()]
        for line in found
    ]


def test_the_histogram_has_a_column_for_each_offset_and_its_count() -> None:
    drawn = str(plots.offsets_histogram({"-5": 1, "0": 40, "2": 20}, highest=40))
    heights = [float(height) for height in re.findall(r'class="column \w+"[^>]*height="([\d.]+)"', drawn)]
    assert heights == [1.3, 0, 0, 0, 0, 52, 0, 26, 0, 0, 0]
    assert re.findall(r'class="count"[^>]*>(\d+)<', drawn) == ["1", "40", "20"]


def test_the_head_says_what_a_hundred_items_give() -> None:
    report = make_report(1, second=True)
    report["measures"]["strict"]["micro"] |= {"precision": 0.871, "recall": 0.802, "f1": 0.8351}
    report["second"]["measures"]["strict"]["micro"]["f1"] = 0.9
    report["false_alarms"] |= {"articles": 16, "with_category": 2, "with_span": 3}
    text = " ".join(" ".join(Reader(render_page(report)).seen).split())
    head = text[text.index("In short") : text.index("What was scored", text.index("False alarms"))]
    assert "0.835 F1" in head
    assert "Of 100 spans marked, 87 are right in start, end and type; of 100 in the gold, 80 are found exactly." in head
    assert "A second annotator reaches 0.900" in head
    assert re.search(r"False alarms 2 of 16 articles .* that were given one; 3 were given a span", head)
    for value in (
        "gold · ",
        report["facts"]["commit"],
        report["facts"]["command"],
        *report["facts"]["data_sha256"].values(),
    ):
        assert value.removesuffix(" · ") in text


def test_what_a_report_lacks_is_left_out() -> None:
    parts = ("slices", "calibration", "curves", "worst")
    full = render_page(make_report(1))
    bare = render_page(make_report(1, categories=(), errors=0, intervals=False, second=False, analysis=False))
    for part in parts:
        assert f'id="{part}"' in full
        assert f'href="#{part}"' in full
        assert f'id="{part}"' not in bare
        assert f'href="#{part}"' not in bare
    for word in ("interval", "second annotator", "Ranking", "False alarms", "Article categories", 'id="data"'):
        assert word in full
        assert word not in bare.replace("No intervals were computed", "")
    nothing = render_page(make_report(1, types=(), categories=(), errors=0, analysis=False))
    assert "nothing to score" in nothing


def test_withheld_texts_are_said_to_be_withheld_and_no_part_asks_for_them() -> None:
    reader = Reader(render_page(make_report(1, texts=False)))
    assert "The texts are withheld" in "".join(reader.seen)
    values = {(name, value) for _, name, value in reader.attributes}
    assert not values & {("id", "data"), ("id", "list"), ("role", "search")}
    assert not [name for _, name, _ in reader.attributes if name == "data-article"]


def test_hostile_words_change_no_tag_no_attribute_name_and_no_script() -> None:
    def page(words: list[str]) -> str:
        wheel = iter(range(10**9))
        return render_page(
            make_report(
                3,
                types=[f"{word} t" for word in words[:4]],
                categories=[f"{word} c" for word in words],
                word=lambda rng: words[next(wheel) % len(words)],
            )
        )

    benign = Reader(page([f"{letter}" for letter in string.ascii_lowercase[: len(HOSTILE)]]))
    for turn in range(len(HOSTILE)):
        written = page(HOSTILE[turn:] + HOSTILE[:turn])
        reader = Reader(written)
        assert Counter(reader.tags) == Counter(benign.tags)
        assert reader.raw == benign.raw
        assert [value for _, name, value in reader.attributes if name.startswith("on")] == []
        assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]", written)
        written.encode("utf-8")


def test_the_page_asks_for_nothing_from_outside_and_runs_only_its_own_script() -> None:
    reader = Reader(render_page(make_report(1)))
    assert [tag for tag, _ in reader.tags if tag in ("img", "iframe", "object", "embed", "base", "image", "use")] == []
    addresses = {value for _, name, value in reader.attributes if name in ("src", "href", "srcset", "action", "data")}
    assert {address for address in addresses if not address.startswith("#")} == {"data:,"}
    assert not re.search(r"url\(|@import|@font-face|\bfetch\(|XMLHttpRequest|innerHTML", "".join(reader.raw.values()))
    [policy] = [value for _, name, value in reader.attributes if name == "content" and "default-src" in value]
    digest = base64.b64encode(hashlib.sha256(reader.raw["script"].encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}'" in policy


def test_every_target_exists_once_and_every_part_has_a_name() -> None:
    reader = Reader(render_page(make_report(1)))
    ids = Counter(value for _, name, value in reader.attributes if name == "id")
    assert set(ids.values()) == {1}
    targets = {value for _, name, value in reader.attributes if name in ("aria-labelledby",)}
    targets |= {value[1:] for _, name, value in reader.attributes if name == "href" and value.startswith("#")}
    assert targets <= set(ids)
    for tag, names in reader.tags:
        if tag == "section":
            assert "aria-labelledby" in names
        if "tabindex" in names and tag == "div":
            assert {"role", "aria-label"} <= set(names)


def test_each_measure_and_kind_is_defined_where_it_stands() -> None:
    page = render_page(make_report(1))
    for definition in (*MEASURES.values(), *RANKING.values(), *KINDS.values()):
        assert show(definition.meaning).replace("'", "&#39;") in page


def test_two_hundred_categories_make_a_page_of_moderate_size() -> None:
    report = make_report(
        1, types=[f"T{number}" for number in range(40)], categories=[f"C{number}" for number in range(200)]
    )
    assert len(render_page(report)) < 3_000_000


def test_another_format_or_an_incomplete_report_is_refused() -> None:
    report = make_report(1)
    with pytest.raises(DataError, match="format: found 'x'"):
        render_page(report | {"format": "x"})
    for name in ("facts", "measures", "errors", "slices", "second", "worst_articles"):
        with pytest.raises(DataError, match="incomplete"):
            render_page({key: value for key, value in report.items() if key != name})
    with pytest.raises(DataError, match="incomplete"):
        render_page(report | {"measures": {"unheard": report["measures"]["strict"]}})
    with pytest.raises(DataError, match="incomplete"):
        render_page(report | {"unreachable": [{"cause": "x"}]})


def test_nothing_names_a_label() -> None:
    page = render_page(make_report(1, types=("A", "B"), categories=("X",)))
    for name in ("OFFICIAL", "PLACE", "TOPIC", *CATEGORIES):
        assert name not in page
