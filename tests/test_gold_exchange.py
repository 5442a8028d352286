"""Label Studio, doccano, brat: offsets land on the same characters however a tool counts, and nothing goes unsaid."""

import json
import random
import unicodedata
from dataclasses import replace

import pytest

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.files import write_json_lines
from hoidam.gold.brat import NOT_SPANS as NO_BRAT_SPANS
from hoidam.gold.brat import PARTED, export_brat, read_brat
from hoidam.gold.doccano import read_doccano, to_doccano
from hoidam.gold.exchange import EMPTY, NESTED, TRIMMED, import_gold
from hoidam.gold.label_studio import NOT_ANNOTATED, NOT_SPANS, OTHERS, read_label_studio, to_label_studio
from hoidam.labels import Category, LabelScheme, SpanType

SCHEME = LabelScheme(
    types=(SpanType("LOC"), SpanType("PER"), SpanType("WHAT", categorised=True)),
    categories=(Category("TRADE"), Category("HEALTH")),
)
PARTS = [
    "Ông ",
    "Lý Vĩ",
    " ở ",
    "Bát Xát",
    "😀",
    "👨\u200d👩",
    "🇻🇳 ",
    "\r\n",
    "\n",
    "Thuỷ",
    "đến",
    " ",
    "a\u0323\u0302",
    "𝒳",
]
LABELS = ["LOC", "PER", "WHAT.TRADE", "WHAT.HEALTH"]


def random_pieces(rng):
    """A text in parts, some of which are mentions: no letter is parted from its accent, no type overlaps itself."""
    pieces = [unicodedata.normalize(rng.choice(("NFC", "NFD")), rng.choice(PARTS)) for _ in range(rng.randint(1, 14))]
    chosen, place = [], 0
    while place < len(pieces):
        end = min(len(pieces), place + rng.randint(1, 3))
        if rng.random() < 0.5 and "".join(pieces[place:end]).strip():
            chosen.append((place, end, rng.choice(LABELS)))
        place = end
    return pieces, chosen


def utf16(text):
    """The length of a text as a browser has it."""
    return len(text.encode("utf-16-le")) // 2


def code_points(text):
    return len(text)


def one_line_end(text):
    return utf16(text.replace("\r\n", "\n"))


def stored(text):
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n"))


def wanted(pieces, chosen):
    """Labels and surfaces, and where each of them is in the stored text."""
    found = []
    for start, end, label in chosen:
        before, surface = stored("".join(pieces[:start])), stored("".join(pieces[start:end]))
        left = len(before) + len(surface) - len(surface.lstrip())
        name, _, category = label.partition(".")
        found.append(Span(left, left + len(surface.strip()), name, category or None))
    return tuple(sorted(found))


def offsets(pieces, start, end, length):
    return length("".join(pieces[:start])), length("".join(pieces[:end]))


def write(path, data):
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8", newline="")
    return path


def task(number, text, entries, **more):
    results = [
        {"type": "labels", "value": {"start": start, "end": end, "labels": [label], **surface}}
        for start, end, label, surface in entries
    ]
    return {"id": number, "data": {"text": text}, "annotations": [{"completed_by": 7, "result": results}], **more}


@pytest.mark.parametrize("length", [utf16, code_points, one_line_end])
def test_label_studio_is_read_however_its_version_counts(tmp_path, length):
    rng = random.Random(1)
    made = [random_pieces(rng) for _ in range(1500)]
    tasks = [
        task(
            number,
            "".join(pieces),
            [
                (*offsets(pieces, start, end, length), label, {"text": "".join(pieces[start:end]).replace("\n", "\\n")})
                for start, end, label in chosen
            ],
        )
        for number, (pieces, chosen) in enumerate(made)
    ]
    read = read_label_studio([write(tmp_path / "x.json", tasks)], scheme=SCHEME)
    assert len(read.annotated) == len(made)
    for number, (one, (pieces, chosen)) in enumerate(zip(read.annotated, made, strict=True)):
        assert (one.id, one.article.text, one.annotator) == (str(number), stored("".join(pieces)), "7")
        assert [span.type for span in one.spans] == [span.type for span in wanted(pieces, chosen)]
        assert surfaces(one) == [stored("".join(pieces[start:end])).strip() for start, end, _ in chosen]
    assert set(read.mended) == {TRIMMED}


def surfaces(one):
    return [one.article.text[span.start : span.end] for span in one.spans]


@pytest.mark.parametrize("form", ["label", "labels", "entities"])
def test_doccano_is_read_in_units_of_the_browser(tmp_path, form):
    rng = random.Random(2)
    made = [random_pieces(rng) for _ in range(1500)]
    lines = []
    for number, (pieces, chosen) in enumerate(made):
        entries = [(*offsets(pieces, start, end, utf16), label) for start, end, label in chosen]
        if form == "entities":
            entries = [
                {"id": 1, "start_offset": start, "end_offset": end, "label": label} for start, end, label in entries
            ]
        lines.append(json.dumps({"id": number, "text": "".join(pieces), form: entries, "Comments": []}))
    read = read_doccano([write(tmp_path / "x.jsonl", "\n".join(lines))], scheme=SCHEME)
    for number, (one, (pieces, chosen)) in enumerate(zip(read.annotated, made, strict=True)):
        assert (one.id, one.article.text) == (str(number), stored("".join(pieces)))
        assert one.spans == wanted(pieces, chosen)


@pytest.mark.parametrize(
    ("read", "to", "name"),
    [(read_label_studio, to_label_studio, "x.json"), (read_doccano, to_doccano, "x.jsonl")],
    ids=["label studio", "doccano"],
)
def test_what_is_exported_imports_as_it_was(tmp_path, read, to, name):
    rng = random.Random(3)
    given = []
    for number in range(1000):
        pieces, chosen = random_pieces(rng)
        spans = wanted(pieces, chosen)
        categories = frozenset(span.category for span in spans if span.category)
        article = Article(f"a {number}", stored("".join(pieces)), title="T", url="u", date="d", meta={"outlet": "x"})
        annotator = "ann@x.vn" if to is to_label_studio else ""
        body = (0, len(article.text)) if rng.random() < 0.5 else None
        given.append(Annotated(article, spans, categories, annotator, body))
    back = read([write(tmp_path / name, to(given))], scheme=SCHEME)
    assert (list(back.annotated), back.mended) == (given, {})
    derived = read([write(tmp_path / name, to([plain(one) for one in given]))])
    assert derived.scheme == LabelScheme(types=(SpanType("LOC"), SpanType("PER"), SpanType("WHAT")))


def plain(one):
    spans = tuple(replace(span, category=None) for span in one.spans)
    return replace(one, spans=spans, categories=frozenset())


def test_what_label_studio_holds_besides_is_counted(tmp_path):
    first = task(1, "Ông Lý ở Huế", [(3, 6, "PER", {}), (4, 6, "PER", {}), (9, 12, "LOC", {}), (3, 4, "LOC", {})])
    first["annotations"].insert(0, {"was_cancelled": True, "result": []})
    first["annotations"].append({"result": []})
    first["annotations"][1]["result"].append({"type": "choices", "value": {"choices": ["x"]}})
    read = read_label_studio([write(tmp_path / "x.json", [first, {"id": 2, "data": {"text": "x"}}])], scheme=SCHEME)
    assert [surfaces(one) for one in read.annotated] == [["Lý", "Huế"]]
    assert read.mended == {NOT_SPANS: 1, OTHERS: 1, NOT_ANNOTATED: 1, TRIMMED: 1, EMPTY: 1}
    crossing = task(3, "Ông Lý ở Huế", [(0, 6, "PER", {}), (4, 8, "PER", {})])
    read = read_label_studio([write(tmp_path / "x.json", [crossing])], scheme=SCHEME)
    assert ([surfaces(one) for one in read.annotated], read.mended) == ([["Ông Lý"]], {NESTED: 1})


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"data": {}}, r"x\.json: not a list of tasks"),
        ([{"id": 5, "data": {"text": 1}, "annotations": [{"result": []}]}], r"x\.json: task 5: missing"),
        ([task(5, "Ông Lý", [(0, 2, "PER", {"text": "Ông"})])], r"task 5: PER 'Ông' from 0 to 2 does not fit the text"),
        ([task(5, "Ông Lý", [(0, 9, "PER", {})])], "task 5: PER from 0 to 9 does not fit"),
        ([task(5, "😀", [(0, 1, "PER", {"text": "x"})])], "task 5: PER 'x' from 0 to 1 does not fit"),
        ([task(5, "a\u0301b", [(0, 1, "PER", {})])], "task 5: a span parts a letter from its accent"),
        ([task(5, "Ông", [(0, 3, "POST", {})])], "task 5: unknown label 'POST'"),
    ],
)
def test_tasks_that_cannot_be_read_are_named(tmp_path, tasks, message):
    with pytest.raises(DataError, match=message):
        read_label_studio([write(tmp_path / "x.json", tasks)], scheme=SCHEME)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "x"}, r"x\.jsonl:1: label: no labels as"),
        ({"text": "x", "label": [[0, "PER"]]}, r"x\.jsonl:1: label: no labels as"),
        ({"text": "😀x", "label": [[1, 3, "PER"]]}, r"x\.jsonl:1: offsets: PER from 1 to 3 does not fit"),
        ({"label": []}, r"x\.jsonl:1: text: missing"),
        ({"text": "x", "label": [[0, 1, "POST"]]}, r"x\.jsonl:1: unknown label 'POST'"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path, record, message):
    with pytest.raises(DataError, match=message):
        read_doccano([write(tmp_path / "x.jsonl", json.dumps(record))], scheme=SCHEME)


@pytest.mark.parametrize(
    "length", [code_points, lambda text: len(text.replace("\r\n", "\n"))], ids=["as is", "one line end"]
)
def test_brat_is_read_whether_its_server_kept_line_ends_or_not(tmp_path, length):
    rng = random.Random(4)
    made = [random_pieces(rng) for _ in range(400)]
    for number, (pieces, chosen) in enumerate(made):
        write(tmp_path / f"{number}.txt", "".join(pieces))
        lines = []
        for key, (start, end, label) in enumerate(chosen):
            name, _, category = label.partition(".")
            left, right = offsets(pieces, start, end, length)
            lines.append(f"T{key}\t{name} {left} {right}\t{' '.join(''.join(pieces[start:end]).splitlines())}\n")
            lines += [f"A{key}\tCategory T{key} {category}\n"] if category else []
        write(tmp_path / f"{number}.ann", "".join(lines))
    read = read_brat([tmp_path / f"{number}.ann" for number in range(len(made))], scheme=SCHEME)
    for one, (pieces, chosen) in zip(read.annotated, made, strict=True):
        assert one.article.text == stored("".join(pieces))
        assert one.spans == wanted(pieces, chosen)


def test_what_is_exported_to_brat_imports_as_it_was(tmp_path):
    rng = random.Random(5)
    given = []
    for number in range(300):
        pieces, chosen = random_pieces(rng)
        spans = wanted(pieces, chosen)
        categories = frozenset(span.category for span in spans if span.category)
        given.append(Annotated(Article(f"a {number}", stored("".join(pieces))), spans, categories))
    write_json_lines(tmp_path / "a.jsonl", (one.article.to_dict() for one in given))
    write_json_lines(tmp_path / "g.jsonl", (one.to_dict() for one in given))
    files = {"articles": [tmp_path / "a.jsonl"], "scheme": SCHEME, "output": tmp_path / "brat"}
    assert export_brat([tmp_path / "g.jsonl"], **files) == given
    back = read_brat([tmp_path / "brat" / f"{one.id}.ann" for one in given], scheme=SCHEME)
    assert (list(back.annotated), back.mended) == (given, {})
    with pytest.raises(DataError, match="brat: exists already"):
        export_brat([tmp_path / "g.jsonl"], **files)
    assert export_brat([tmp_path / "g.jsonl"], **files, force=True) == given
    write(tmp_path / "brat" / "thesis.pdf", "x")
    with pytest.raises(DataError, match="brat: holds other files"):
        export_brat([tmp_path / "g.jsonl"], **files, force=True)


def test_what_brat_holds_besides_is_counted_and_broken_lines_are_named(tmp_path):
    write(tmp_path / "x.txt", "Ông Lý ở Huế\n")
    lines = ["T1\tPER 4 6\tLý", "T2\tLOC 0 3;9 12\tÔng Huế", "R1\tAt Arg1:T1 Arg2:T2", "#1\tAnnotatorNotes T1\thm", ""]
    read = read_brat([write(tmp_path / "x.ann", "\r\n".join(lines))])
    assert [surfaces(one) for one in read.annotated] == [["Lý"]]
    assert read.mended == {PARTED: 1, NO_BRAT_SPANS: 2}
    assert read.scheme.type_names == ("PER",)
    write(tmp_path / "x.ann", "T1\tPER 4 6\tLý\nwhat\n")
    with pytest.raises(DataError, match=r"x\.ann:2: found 'what'"):
        read_brat([tmp_path / "x.ann"])
    write(tmp_path / "x.ann", "T1\tPER 0 3\tLý\n")
    with pytest.raises(DataError, match=r"x\.ann: offsets: PER 'Lý' from 0 to 3 does not fit"):
        read_brat([tmp_path / "x.ann"])


def test_an_id_met_twice_is_refused_and_nothing_written(tmp_path):
    line = json.dumps({"id": 1, "text": "x", "label": [[0, 1, "PER"]]})
    paths = [write(tmp_path / f"{name}.jsonl", line) for name in "ab"]
    outputs = {name: tmp_path / name for name in ("labels", "articles", "gold")}
    with pytest.raises(DataError, match="id: '1' occurs twice"):
        import_gold(paths, read=lambda scheme: read_doccano(paths, scheme=scheme), **outputs)
    assert not any(path.exists() for path in outputs.values())
