"""CoNLL files: read to articles whose offsets hold, written on their own words or others, and back as they were."""

import random
import unicodedata
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from hoidam.document import Annotated, Article, Span, read_articles, read_gold
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.words import split_words
from hoidam.errors import DataError
from hoidam.files import write_json_lines
from hoidam.gold.conll import Layout
from hoidam.gold.conll_export import OFF_WORDS, OVER_LINES, export_conll, part_types
from hoidam.gold.conll_import import read_conll
from hoidam.gold.exchange import EMPTY, NESTED, import_gold
from hoidam.gold.tagging import NO_BEGINNING, TAGGINGS, Chunk, write_tags
from hoidam.labels import Category, LabelScheme, SpanType, read_labels

TYPES = ("LOC", "ORG", "PER")
SCHEME = LabelScheme(types=tuple(map(SpanType, TYPES)))
CATEGORISED = LabelScheme(
    types=(SpanType("LOC"), SpanType("WHAT", categorised=True)), categories=(Category("TRADE"), Category("HEALTH"))
)
TOKENS = [
    *"aĐ.,(-_#*",
    "Bệnh",
    "huyện",
    "12/3",
    "O",
    "B-LOC",
    "_a",
    "a__b",
    "x@y.vn",
    unicodedata.normalize("NFD", "Thuỷ"),
    unicodedata.normalize("NFD", "Ế"),
    "\u0301",
    "\u1100\u1161",
    "\u212b",
    "👩\u200d👧",
    "\u200b",
    "e\u0323\u0302",
]
BLANK_TOKENS = ["\u00a0", "\u3000"]


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def spans_of(one: Annotated) -> list[tuple[str, str]]:
    return [(span.type, one.article.text[span.start : span.end]) for span in one.spans]


def load(path: Path, text: str, /, scheme: LabelScheme | None = None, **layout):
    if "columns" in layout:
        layout["columns"] = tuple(layout["columns"].split(","))
    return read_conll([write(path, text)], layout=Layout(**layout), scheme=scheme)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dev.conll"


PHONER = "Bệnh O\nnhân O\n523 B-PATIENT_ID\n, O\nPhủ B-LOCATION\nLý I-LOCATION\n\nNgày O\n12/3 B-DATE\n\n"


def test_a_file_of_words_and_tags_needs_no_option(path):
    found = load(path, PHONER)
    assert [(one.id, one.article.text) for one in found.annotated] == [
        ("dev-1", "Bệnh nhân 523 , Phủ Lý"),
        ("dev-2", "Ngày 12/3"),
    ]
    assert [spans_of(one) for one in found.annotated] == [
        [("PATIENT_ID", "523"), ("LOCATION", "Phủ Lý")],
        [("DATE", "12/3")],
    ]
    assert found.scheme.type_names == ("DATE", "LOCATION", "PATIENT_ID")
    assert (found.scheme.categories, found.scheme.flat, found.mended) == ((), True, {})


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_and_a_mark_at_the_start_make_no_difference(path, end):
    assert load(path, "\ufeff" + PHONER.replace("\n", end)).annotated == load(path, PHONER).annotated
    assert load(path, PHONER.rstrip("\n")).annotated == load(path, PHONER).annotated
    assert load(path, "\n \n" + PHONER.replace("\n\n", "\n\n\t\n\n")).annotated == load(path, PHONER).annotated


def test_columns_are_told_by_position_and_many_may_be_passed_over(path):
    text = "U.N. NNP I-NP I-ORG\nheads VBZ I-VP O\n"
    for columns in ("token,*,tag", "token,_,_,tag", "token,_,*,_,tag", "*,token,_,_,tag"):
        assert spans_of(load(path, text, columns=columns, tagging="iob1").annotated[0]) == [("ORG", "U.N.")]
    first = load(path, "B-X\t1\tHà Nội\n", columns="tag,_,token").annotated[0]
    assert (first.article.text, spans_of(first)) == ("Hà Nội", [("X", "Hà Nội")])


def test_layers_of_tags_nest_in_the_order_of_columns(path):
    text = "UBND B-ORG O\ntỉnh I-ORG B-LOC\nLai I-ORG I-LOC\nChâu I-ORG I-LOC\n"
    found = load(path, text, columns="token,tag,tag")
    assert spans_of(found.annotated[0]) == [("ORG", "UBND tỉnh Lai Châu"), ("LOC", "tỉnh Lai Châu")]
    assert not found.scheme.flat
    bare = load(path, text.replace("-ORG", "").replace("-LOC", ""), columns="token,tag:ORG,tag:LOC")
    assert bare.annotated == found.annotated


def test_a_span_inside_another_of_its_type_is_left_out_and_counted(path):
    text = "Đại B-ORG O\nhọc I-ORG O\nQuốc I-ORG B-ORG\ngia I-ORG I-ORG\n\nBộ B-ORG B-ORG\n"
    found = load(path, text, columns="token,tag,tag")
    assert [spans_of(one) for one in found.annotated] == [[("ORG", "Đại học Quốc gia")], [("ORG", "Bộ")]]
    assert found.mended == {NESTED: 1}
    flat = LabelScheme(types=(SpanType("LOC"), SpanType("ORG")), flat=True)
    both = load(path, "Bộ B-ORG B-LOC\n", columns="token,tag,tag", scheme=flat)
    assert (spans_of(both.annotated[0]), both.mended) == ([("ORG", "Bộ")], {NESTED: 1})


def test_documents_are_articles_with_a_line_a_sentence(path):
    text = f"-DOCSTART- -X- O O\n\nA B-X\n\nb O\n\n-DOCSTART- O\n{PHONER}"
    found = load(path, text, unit="document")
    assert [(one.id, one.article.text) for one in found.annotated] == [
        ("dev-1", "A\nb"),
        ("dev-2", "Bệnh nhân 523 , Phủ Lý\nNgày 12/3"),
    ]
    assert spans_of(found.annotated[1])[-1] == ("DATE", "12/3")
    assert [one.article.text for one in load(path, text).annotated][:2] == ["A", "b"]
    with pytest.raises(DataError, match=r"dev\.conll: no -DOCSTART- line.*--unit sentence"):
        load(path, PHONER, unit="document")


def test_joined_syllables_are_parted_and_other_underscores_stay(path):
    text = "Bệnh_nhân B-X\n_ O\na__b O\n_c_ O\nTP._HCM B-X\n"
    one = load(path, text, joined=True).annotated[0]
    assert one.article.text == "Bệnh nhân _ a__b _c_ TP. HCM"
    assert spans_of(one) == [("X", "Bệnh nhân"), ("X", "TP. HCM")]
    assert load(path, text).annotated[0].article.text == "Bệnh_nhân _ a__b _c_ TP._HCM"


def test_broken_rows_are_mended_and_comments_passed_over(path):
    found = load(path, "# id 1\na I-X\nb I-Y\n\n# id 2\nc B-X\n", comment="# id")
    assert [spans_of(one) for one in found.annotated] == [[("X", "a"), ("Y", "b")], [("X", "c")]]
    assert found.mended == {NO_BEGINNING: 2}


@pytest.mark.parametrize(
    ("text", "layout", "message"),
    [
        ("a O\nb\n", {}, r"dev\.conll:2: found 1 columns in 'b'\. Need token,\*,tag"),
        ("a x O\n", {"columns": "token,tag"}, r"dev\.conll:1: found 3 columns"),
        ("a O\n\nb S-X\n", {}, r"dev\.conll:3: tag: found the tag 'S-X'"),
        ("a O\n", {}, "no label in these files"),
        ("a B-X.Y\n", {}, r"bad name 'X\.Y'"),
        ("a B-X\n", {"scheme": SCHEME}, r"dev\.conll:1: unknown label 'X'\. Labels: LOC, ORG, PER"),
        ("a B-WHAT\n", {"scheme": CATEGORISED}, r"unknown label 'WHAT'\. Labels: LOC, WHAT\.TRADE, WHAT\.HEALTH"),
        ("a O\n", {"columns": "token"}, "columns: found 'token'"),
        ("a O\n", {"columns": "tag,tag"}, "columns: found 'tag,tag'"),
        ("a O\n", {"columns": "token,*,*,tag"}, "columns: found"),
        ("a O\n", {"columns": "token,pos,tag"}, "columns: found"),
        ("a O\n", {"columns": "token,tag:"}, "columns: found"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(path, text, layout, message):
    with pytest.raises(DataError, match=message):
        load(path, text, **layout)


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    paths = [write(tmp_path / folder / "dev.conll", PHONER) for folder in ("a", "b")]
    with pytest.raises(DataError, match=r"b/dev\.conll: is named like .*a/dev\.conll"):
        read_conll(paths, layout=Layout())


def random_sentence(rng):
    """Tokens with two layers of chunks, the inner ones of types that the outer layer does not have."""
    tokens = [rng.choice(TOKENS + BLANK_TOKENS * (rng.random() < 0.3)) for _ in range(rng.randint(1, 9))]
    layers = []
    for labels in (("ORG", "PER"), ("LOC",)):
        chunks, place = [], 0
        while place < len(tokens):
            end = min(len(tokens), place + rng.randint(1, 4))
            label = rng.choice(labels)
            if rng.random() < 0.5 and not (chunks and chunks[-1][1:] == (place, label)):
                chunks.append(Chunk(place, end, label))
            place = end if rng.random() < 0.8 else end + 1
        layers.append(chunks)
    return tokens, layers


def as_lines(tokens, layers, tagging):
    rows = [write_tags(chunks, length=len(tokens), tagging=tagging) for chunks in layers]
    return "".join("\t".join(line) + "\n" for line in zip(tokens, *rows, strict=True))


def wanted(tokens, layers):
    """The text and its spans, from the tokens alone."""
    shown = [unicodedata.normalize("NFC", token).strip() for token in tokens]
    full = [place for place, token in enumerate(shown) if token]
    spans = []
    for start, end, label in (chunk for chunks in layers for chunk in chunks):
        inside = [place for place in full if start <= place < end]
        if inside:
            left = sum(len(shown[place]) + 1 for place in full if place < inside[0])
            spans.append((left, left + len(" ".join(shown[place] for place in inside)), label))
    return " ".join(shown[place] for place in full), sorted(spans)


@pytest.mark.parametrize("tagging", TAGGINGS)
def test_offsets_are_those_of_the_tokens_whatever_these_hold(tmp_path, tagging):
    rng = random.Random(5)
    made = [random_sentence(rng) for _ in range(1500)]
    text = "\n".join(as_lines(*sentence, tagging) for sentence in made)
    found = load(tmp_path / "x.conll", text, columns="token,tag,tag", tagging=tagging, scheme=SCHEME)
    kept = {f"x-{number}": one for number, one in enumerate(map(wanted, *zip(*made, strict=True)), start=1) if one[0]}
    assert {one.id: one.article.text for one in found.annotated} == {name: one[0] for name, one in kept.items()}
    for one in found.annotated:
        assert [(span.start, span.end, span.type) for span in one.spans] == kept[one.id][1]
        assert unicodedata.is_normalized("NFC", one.article.text)
    assert set(found.mended) <= {EMPTY}


def files(folder: Path, annotated) -> dict:
    write_json_lines(folder / "a.jsonl", (one.article.to_dict() for one in annotated), force=True)
    write_json_lines(folder / "g.jsonl", (one.to_dict() for one in annotated), force=True)
    return {"gold": [folder / "g.jsonl"], "tagged": None, "articles": [folder / "a.jsonl"]}


def by_spaces(text):
    words = split_words(text, load_segmenter("spaces"))
    return list(zip(words.starts, words.ends, strict=True))


def by_syllables(text):
    words = split_words(text, load_segmenter("none"))
    return list(zip(words.starts, words.ends, strict=True))


def random_articles(rng, unit):
    """Articles as an import makes them: tokens, sentence by sentence, spans that nest over layers."""
    found = []
    for _ in range(600):
        lines = [wanted(*random_sentence(rng)) for _ in range(1 if unit == "sentence" else rng.randint(1, 4))]
        start, spans = 0, []
        for text, entries in lines:
            spans += [Span(start + left, start + right, label) for left, right, label in entries]
            start += len(text) + 1
        if all(text for text, _ in lines):
            found.append(
                Annotated(Article(f"back-{len(found) + 1}", "\n".join(text for text, _ in lines)), tuple(sorted(spans)))
            )
    return found


@pytest.mark.parametrize("unit", ["sentence", "document"])
@pytest.mark.parametrize("tagging", TAGGINGS)
def test_what_is_exported_imports_as_it_was(tmp_path, tagging, unit):
    annotated = random_articles(random.Random(6), unit)
    if tagging == "io":
        annotated = [replace(one, spans=parted(one.spans)) for one in annotated]
    layout = Layout(tagging=tagging, unit=unit)
    given = files(tmp_path, annotated)
    output = tmp_path / "back.conll"
    made = export_conll(**given, scheme=SCHEME, output=output, layout=layout, words=by_spaces)
    assert (made.annotated, made.columns, made.lost) == (annotated, ("token", "tag", "tag"), {})
    assert made.spans == sum(len(one.spans) for one in annotated)
    back = read_conll([output], layout=replace(layout, columns=made.columns))
    assert (back.annotated, back.scheme, back.mended) == (annotated, SCHEME, {})


def parted(spans):
    """The spans without those that touch the one of their type before."""
    touching = {
        after
        for name in TYPES
        for before, after in pairwise(sorted(span for span in spans if span.type == name))
        if after.start <= before.end + 1
    }
    return tuple(span for span in spans if span not in touching)


@pytest.mark.parametrize("joined", [False, True])
def test_on_its_own_file_an_export_has_the_lines_of_the_file(tmp_path, joined):
    rng = random.Random(7)
    made = [random_sentence(rng) for _ in range(800)]
    text = "\n".join(as_lines(*sentence, "bio") for sentence in made)
    text = f"-DOCSTART- -X-\n\n# kept\n{text}".replace("\n\nĐ\t", "\n\n-DOCSTART-\n\nĐ\t")
    source = write(tmp_path / "x.conll", text)
    columns = ("token", "tag", "tag")
    for unit in ("sentence", "document"):
        layout = Layout(columns, unit=unit, joined=joined, comment="# kept")
        found = read_conll([source], layout=layout, scheme=SCHEME)
        given = files(tmp_path, found.annotated)
        output = tmp_path / f"{unit}.conll"
        exported = export_conll(**given, scheme=SCHEME, output=output, layout=layout, words=[source])
        assert exported.lost == {}
        lines, others = (path.read_text(encoding="utf-8").rstrip("\n").split("\n") for path in (source, output))
        assert [line.split("\t")[0] for line in lines] == [line.split("\t")[0] for line in others]
        copied = tmp_path / unit / "x.conll"
        copied.parent.mkdir()
        output.rename(copied)
        assert read_conll([copied], layout=layout, scheme=SCHEME).annotated == found.annotated


def test_spans_that_no_word_has_are_counted_by_type_and_cause(tmp_path):
    text = "Ông Lý,\nBN523 ở"
    spans = (Span(4, 6, "PER"), Span(4, 13, "LOC"), Span(10, 13, "ORG"), Span(8, 10, "PER"), Span(14, 15, "LOC"))
    given = files(tmp_path, [Annotated(Article("a", text), tuple(sorted(spans)))])
    output = tmp_path / "o.conll"
    made = export_conll(**given, scheme=SCHEME, output=output, layout=Layout(), words=by_spaces)
    assert made.lost == {("PER", OFF_WORDS): 2, ("ORG", OFF_WORDS): 1, ("LOC", OVER_LINES): 1}
    assert output.read_text(encoding="utf-8").split("\n")[3:5] == ["BN523\tO\tO", "ở\tB-LOC\tO"]
    made = export_conll(**given, scheme=SCHEME, output=output, layout=Layout(), words=by_syllables, force=True)
    assert made.lost == {("LOC", OVER_LINES): 1}
    assert made.spans == 4


def test_types_that_overlap_anywhere_stand_in_different_columns():
    def columns(*spans):
        return part_types([Annotated(Article("a", "x" * 99), spans)], SCHEME)

    assert columns(Span(0, 3, "LOC"), Span(3, 9, "ORG"), Span(9, 12, "PER")) == [["LOC", "ORG", "PER"]]
    assert columns(Span(0, 3, "LOC"), Span(0, 9, "ORG")) == [["LOC", "PER"], ["ORG"]]
    assert columns(Span(0, 3, "LOC"), Span(2, 9, "ORG"), Span(1, 5, "PER")) == [["LOC"], ["ORG"], ["PER"]]
    assert columns(Span(0, 9, "LOC"), Span(1, 2, "ORG"), Span(5, 6, "PER")) == [["LOC"], ["ORG", "PER"]]


def test_categories_are_part_of_the_label_where_the_scheme_has_them(tmp_path):
    spans = (Span(0, 3, "WHAT", "TRADE"), Span(4, 8, "LOC"), Span(9, 14, "WHAT", "HEALTH"))
    annotated = [Annotated(Article("o-1", "chợ Vinh thuốc"), spans, frozenset({"TRADE", "HEALTH"}))]
    output = tmp_path / "o.conll"
    export_conll(**files(tmp_path, annotated), scheme=CATEGORISED, output=output, layout=Layout(), words=by_spaces)
    assert output.read_text(encoding="utf-8") == "chợ\tB-WHAT.TRADE\nVinh\tB-LOC\nthuốc\tB-WHAT.HEALTH\n\n"
    assert read_conll([output], layout=Layout(), scheme=CATEGORISED).annotated == annotated


def test_sources_must_hold_the_same_articles(tmp_path):
    source = write(tmp_path / "x.conll", PHONER)
    annotated = list(read_conll([source], layout=Layout()).annotated)
    scheme = read_conll([source], layout=Layout()).scheme
    options = {"scheme": scheme, "output": tmp_path / "o.conll", "layout": Layout(), "words": [source]}
    for changed, message in (
        (annotated[:1], "'x-2' is not among the articles"),
        ([*annotated, Annotated(Article("y-1", "z"))], "'y-1' is in none of the sources"),
        ([annotated[0], Annotated(Article("x-2", "Ngày 13/3"))], "'x-2' has another text"),
    ):
        with pytest.raises(DataError, match=message):
            export_conll(**files(tmp_path, changed), **options)
    assert not options["output"].exists()


def test_an_import_writes_labels_once_and_holds_later_files_to_them(tmp_path):
    def bring(name, text, **options):
        outputs = {"articles": tmp_path / f"{name}.a.jsonl", "gold": tmp_path / f"{name}.g.jsonl"}
        source = write(tmp_path / f"{name}.conll", text)
        return import_gold(
            [source],
            read=lambda known: read_conll([source], layout=Layout(), scheme=known),
            labels=tmp_path / "labels.toml",
            **outputs,
            **options,
        ), outputs

    found, outputs = bring("train", PHONER)
    scheme = read_labels(tmp_path / "labels.toml")
    assert scheme == found.scheme
    assert read_gold([outputs["gold"]], read_articles([outputs["articles"]]), scheme) == found.annotated
    assert bring("dev", "a B-DATE\n")[0].scheme == scheme
    with pytest.raises(DataError, match=r"test\.conll:1: unknown label 'JOB'.*Add it to .*labels\.toml"):
        bring("test", "a B-JOB\n")
    with pytest.raises(DataError, match="exists already"):
        bring("dev", "a O\n")
    assert sorted(path.name for path in tmp_path.glob("test.*")) == ["test.conll"]
