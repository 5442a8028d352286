import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from test_evaluate_cases import SCHEME, annotated, random_case, tagged

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.evaluate import Floor, Report, find_figure, freeze, read_benchmark, read_floors, score
from hoidam.files import toml_value, write_json_lines

ROOT = Path(__file__).parents[1]
HEAD = """\
name = "small"
description = "Three articles."
labels = "labels.toml"
articles = ["articles.jsonl"]
gold = ["gold.jsonl"]
"""
LABELS = """\
types = [{ name = "PERSON" }, { name = "MATTER", categorised = true }]
categories = [{ name = "RED" }, { name = "BLUE" }]
"""
RED = Span(0, 5, "MATTER", "RED")
GOLD = [
    annotated("a", RED, categories=["RED"], text="Một hai"),
    annotated('b "1"', Span(0, 3, "PERSON"), text="Ba bốn"),
    annotated("c.3", text="Năm"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with articles, gold of two annotators and the head of a benchmark, that commands are started in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.toml").write_text(LABELS, encoding="utf-8")
    (tmp_path / "small.toml").write_text(HEAD + 'second = "second.jsonl"\n', encoding="utf-8")
    write("articles.jsonl", [one.article for one in GOLD])
    write("gold.jsonl", GOLD)
    write("second.jsonl", GOLD[1:])
    return tmp_path


def write(name, entries):
    write_json_lines(Path(name), (entry.to_dict() for entry in entries), force=True)


def test_a_frozen_benchmark_gives_the_gold_it_was_frozen_with(place):
    frozen = freeze(Path("small.toml"))
    assert read_benchmark(Path("small.toml")) == frozen
    found = frozen.read()
    assert [one.id for one in found.gold] == ["a", 'b "1"', "c.3"]
    assert [one.id for one in found.second] == ['b "1"', "c.3"]
    assert found.gold[0].spans == (RED,)
    data = tomllib.loads(Path("small.toml").read_text(encoding="utf-8"))
    assert data["frozen"]["gold"] == {one.id: one.sha256[:12] for one in GOLD}
    assert data["sha256"] == frozen.sha256


def test_articles_that_are_added_later_are_not_scored(place):
    frozen = freeze(Path("small.toml"))
    more = [*GOLD, annotated("d", text="Sáu")]
    write("articles.jsonl", [one.article for one in more])
    write("gold.jsonl", more[::-1])
    assert sorted(one.id for one in frozen.read().gold) == ["a", 'b "1"', "c.3"]


def test_what_a_person_wrote_is_frozen_as_it_is_whatever_characters_it_has(place):
    description = 'Ba bài "mới" \\ \x7f \t'
    head = HEAD.replace('"Three articles."', toml_value(description))
    Path("small.toml").write_text(head, encoding="utf-8")
    frozen = freeze(Path("small.toml"))
    assert frozen.description == description
    assert read_benchmark(Path("small.toml")) == frozen


def test_another_name_of_the_annotator_changes_no_score_and_no_hash(place):
    frozen = freeze(Path("small.toml"))
    write("gold.jsonl", [replace(one, annotator="someone else") for one in GOLD])
    frozen.read()


def edited(index, change):
    return [change(one) if at == index else one for at, one in enumerate(GOLD)]


def test_what_has_changed_since_is_an_error_that_names_it(place):
    freeze(Path("small.toml"))

    def refusal():
        with pytest.raises(DataError) as caught:
            read_benchmark(Path("small.toml")).read()
        return str(caught.value)

    write("gold.jsonl", edited(1, lambda one: replace(one, spans=(Span(0, 2, "PERSON"),))))
    assert """small.toml: frozen.gold: the text or gold of article 'b "1"' has changed""" in refusal()
    write("gold.jsonl", edited(0, lambda one: replace(one, categories=frozenset({"BLUE"}))))
    assert "the text or gold of article 'a' has changed" in refusal()
    write("gold.jsonl", GOLD[:2])
    assert "small.toml: frozen.gold: article 'c.3' is not in the gold" in refusal()
    write("gold.jsonl", GOLD)
    write("second.jsonl", edited(1, lambda one: replace(one, spans=())))
    assert """small.toml: frozen.second: the text or gold of article 'b "1"' has changed""" in refusal()
    write("second.jsonl", GOLD[1:])

    changed = edited(2, lambda one: annotated("c.3", text="Năm mươi"))
    write("articles.jsonl", [one.article for one in changed])
    assert "gold.jsonl:3: text_sha256: text of 'c.3' is not the text that was annotated" in refusal()
    write("gold.jsonl", changed)
    write("second.jsonl", changed[1:])
    assert "the text or gold of article 'c.3' has changed" in refusal()
    write("articles.jsonl", [one.article for one in GOLD])
    write("gold.jsonl", GOLD)
    write("second.jsonl", GOLD[1:])
    read_benchmark(Path("small.toml")).read()

    lines = Path("small.toml").read_text(encoding="utf-8").splitlines(keepends=True)
    for dropped in [at for at, line in enumerate(lines) if line.startswith('"c.3" = ')]:
        Path("small.toml").write_text("".join(lines[:dropped] + lines[dropped + 1 :]), encoding="utf-8")
        assert "small.toml: sha256: the ids or the label scheme are not those that were frozen" in refusal()
    Path("small.toml").write_text("".join(lines).replace(GOLD[0].sha256[:12], GOLD[0].sha256[:11]), encoding="utf-8")
    assert "the text or gold of article 'a' has changed" in refusal()
    Path("small.toml").write_text("".join(lines), encoding="utf-8")
    Path("labels.toml").write_text(LABELS.replace('"BLUE" }', '"BLUE" }, { name = "GREEN" }'), encoding="utf-8")
    assert "the ids or the label scheme" in refusal()


def test_freezing_anew_needs_force_and_takes_the_gold_as_it_is(place):
    path = Path("small.toml")
    with pytest.raises(DataError, match=r"small\.toml: not frozen yet"):
        read_benchmark(path).read()
    first = freeze(path)
    before = path.read_bytes()
    with pytest.raises(DataError, match="frozen already"):
        freeze(path)
    freeze(path, force=True)
    assert path.read_bytes() == before
    write("gold.jsonl", GOLD[:2])
    write("second.jsonl", GOLD[:1])
    again = freeze(path, force=True)
    assert again.sha256 != first.sha256
    assert (list(again.gold), list(again.second)) == (["a", 'b "1"'], ["a"])
    again.read()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not TOML"),
        ("", "name: give a str; description: give a str; labels: give a str; articles: give a list; gold: give a list"),
        (HEAD + "size = 3\ncolour = 3\nage = 3\n", "age: no such key; colour: no such key; size: no such key"),
        (HEAD + "second = 3\n", "second: give a str"),
        (HEAD.replace('["gold.jsonl"]', "[]"), "gold: give a list of strings, not an empty one"),
        (HEAD.replace('["gold.jsonl"]', "[3]"), "gold: give a list of strings, not an empty one"),
        (HEAD + "[frozen.gold]\na = 3\n", "frozen: what `hoidam benchmark freeze` writes has been changed"),
        (HEAD + "[frozen.third]\n", "frozen: what `hoidam benchmark freeze` writes has been changed"),
    ],
)
def test_a_wrong_benchmark_file_is_refused_with_every_key(text, message, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_benchmark(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("path", sorted((ROOT / "eval" / "benchmarks").glob("*.toml")), ids=lambda path: path.stem)
def test_a_benchmark_of_this_project_is_named_after_its_file_has_floors_and_its_gold_is_unchanged(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    benchmark = read_benchmark(path)
    assert benchmark.name == path.stem
    found = benchmark.read()
    report = Report(score(found.gold, predictions=[], scheme=found.scheme)).to_dict(facts={})
    floors = read_floors(ROOT / "eval" / "floors.toml", benchmark=benchmark.name)
    names = {floor.figure for floor in floors}
    assert {f"strict.{name}.f1" for name in found.scheme.type_names} <= names
    assert "false_alarms.category_rate" in names
    for floor in floors:
        floor.find(report)


def write_floors(tmp_path, text):
    path = tmp_path / "floors.toml"
    path.write_text(text, encoding="utf-8")
    return path


def small_report():
    gold = [annotated("a", Span(0, 4, "PERSON"), Span(6, 8, "PERSON")), annotated("b")]
    predictions = [tagged("a", Span(0, 4, "PERSON")), tagged("b", categories=["RED"])]
    return Report(score(gold, predictions=predictions, scheme=SCHEME)).to_dict(facts={})


def test_floors_and_ceilings_are_held_up_to_their_bound(tmp_path):
    path = write_floors(
        tmp_path,
        "[small.minimum]\nstrict.PERSON.f1 = 0.66\nstrict.PERSON.precision = 1.0\nstrict.PERSON.recall = 0.51\n"
        "strict.micro.recall = 0.5\nstrict.SITE.f1 = 0\n"
        "[small.maximum]\nfalse_alarms.category_rate = 0.49\nfalse_alarms.span_rate = 0.0\n[other.minimum]\nx = 1\n",
    )
    report = small_report()
    floors = read_floors(path, benchmark="small")
    assert [(floor.figure, floor.find(report), floor.is_held_by(report)) for floor in floors] == [
        ("strict.PERSON.f1", pytest.approx(2 / 3), True),
        ("strict.PERSON.precision", 1.0, True),
        ("strict.PERSON.recall", 0.5, False),
        ("strict.micro.recall", 0.5, True),
        ("strict.SITE.f1", None, False),
        ("false_alarms.category_rate", 0.5, False),
        ("false_alarms.span_rate", 0.0, True),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[other.minimum]\nstrict.micro.f1 = 0.5\n", r"floors\.toml: no floors for 'small'"),
        ("[small]\n", "no floors for 'small'"),
        ("[small.minimum]\n[small.maximum]\n", "no floors for 'small'"),
        ("[small]\nminimum = 3\n", "no floors for 'small'"),
        ("[small.least]\nstrict.micro.f1 = 0.5\n", "no floors for 'small'"),
        ('[small.minimum]\nstrict.micro.f1 = "high"\n', r"floors\.toml: strict\.micro\.f1: found 'high'"),
        ("[small.minimum]\nstrict.micro.f1 = true\n", "found True"),
        ("[small", "not TOML"),
    ],
)
def test_wrong_floors_are_refused(text, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read_floors(write_floors(tmp_path, text), benchmark="small")


@pytest.mark.parametrize(
    "name",
    ["strict.GHOST.f1", "strict.micro.colour", "ghost.micro.f1", "micro", "strict.micro.f1.low", "ranking.ghost", ""],
)
def test_a_figure_that_is_not_in_the_report_is_refused_by_name(name):
    with pytest.raises(DataError, match="not in the report"):
        Floor(name, 0.5).find(small_report())
    with pytest.raises(DataError, match="is no figure"):
        find_figure(small_report() | {"false_alarms": {"intervals": {}}}, "false_alarms.intervals")


def test_a_figure_is_what_stands_in_the_json():
    gold, predictions = random_case(3)
    scores = score(gold, predictions=predictions, scheme=SCHEME)
    report = json.loads(json.dumps(Report(scores).to_dict(facts={})))
    for measure, table in report["measures"].items():
        for label, row in table["rows"].items():
            assert find_figure(report, f"{measure}.{label}.correct") == row["correct"]
            assert find_figure(report, f"{measure}.{label}.f1") == row["f1"]
        assert find_figure(report, f"{measure}.macro.precision") == table["macro"]["precision"]
