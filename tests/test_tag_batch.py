"""Many inputs through a tagger: exact offsets, the same answer however inputs are grouped, whole files or none."""

import io
import itertools
import json
import random
import unicodedata

import generated
import pyarrow.parquet as pq
import pytest
import tiny

from hoidam.errors import AlignmentError, DataError
from hoidam.ingest.readers import Document, Failure
from hoidam.tag import tagger as tagger_module
from hoidam.tag.batch import tag_items
from hoidam.tag.tagger import Tagger
from hoidam.tag.writers import errors_path

OLD = "from an earlier run\n"


@pytest.fixture(scope="module")
def tagger(model_folder):
    return Tagger.load(model_folder, device="cpu")


def make_documents(count, *, seed=11):
    return [
        Document(annotated.id, annotated.article.text, "made")
        for annotated in generated.make_articles("a", count, seed=seed)
    ]


def tag(tagger, items, output=None, **options):
    stream = io.StringIO()
    summary = tag_items(items, tagger=tagger, output=output, stream=stream, **options)
    return summary, [json.loads(line) for line in stream.getvalue().splitlines()]


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def assert_same(one, other):
    """Records alike but for the last digits of their scores."""
    assert [record["id"] for record in one] == [record["id"] for record in other]
    for left, right in zip(one, other, strict=True):
        scores = [[span.pop("score") for span in record["spans"]] for record in (left, right)]
        assert left["spans"] == right["spans"]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)
        assert left["categories"] == pytest.approx(right["categories"], abs=1e-5)


def in_other_forms(text):
    """The same text as different programs would hand it over."""
    yield "as it is", text
    yield "NFD", unicodedata.normalize("NFD", text)
    yield "CRLF", text.replace("\n", "\r\n")
    yield "CR", text.replace("\n", "\r")
    yield "NBSP", text.replace(" ", "\u00a0")
    yield "emoji", text.replace("ông ", "👨\u200d👩\u200d👧 ông ").replace(". ", ". 😀 ")
    yield "BOM", f"\ufeff{text}"
    yield "soft hyphens", text.replace("Khương", "Kh\u00adương").replace("Hùng", "H\u200bùng")
    yield "all of it", "\ufeff" + unicodedata.normalize("NFD", text).replace("\n", "\r\n\r\n").replace(" ", "\u00a0")


@pytest.mark.parametrize("form", ["as it is", "NFD", "CRLF", "CR", "NBSP", "emoji", "BOM", "soft hyphens", "all of it"])
def test_spans_lie_on_the_input_as_it_was_given_and_say_the_same_in_every_form(tagger, form):
    plain = [document.text for document in make_documents(12)]
    given = [dict(in_other_forms(text))[form] for text in plain]
    assert form == "as it is" or given != plain
    spans = 0
    for text, other, found, same in zip(plain, given, tagger(plain), tagger(given), strict=True):
        assert same.to_dict(other)["spans"] == [
            {"text": other[span.start : span.end]} | span.to_dict(other) for span in same.spans
        ]
        surfaces = [(span.type, span.category, clean(other[span.start : span.end])) for span in same.spans]
        expected = [(span.type, span.category, text[span.start : span.end]) for span in found.spans]
        if form != "emoji":
            assert surfaces == expected
        spans += len(surfaces)
    assert spans > 50


def clean(surface):
    bare = surface.replace("\u00a0", " ").replace("\u00ad", "").replace("\u200b", "")
    return unicodedata.normalize("NFC", bare)


def test_any_text_at_all_is_tagged_on_its_own_offsets(tagger):
    rng = random.Random(3)
    texts = [tiny.nasty_text(rng, longest=60) for _ in range(400)]
    known = generated.NAMES + generated.SITES
    texts += [f"{text} ông {rng.choice(known)}, Bí thư Huyện ủy {rng.choice(known)}, {text}." for text in texts[:200]]
    spans = 0
    for text, found in zip(texts, tagger(texts), strict=True):
        assert found.spans == tuple(sorted(found.spans))
        for span in found.spans:
            assert 0 <= span.start < span.end <= len(text)
            assert text[span.start : span.end].strip()
            assert 0 <= span.score <= 1
        for kind in tiny.SCHEME.type_names:
            of_kind = [span for span in found.spans if span.type == kind]
            assert not any(one.overlaps(other) for one, other in itertools.pairwise(of_kind))
        spans += len(found.spans)
    assert spans > 300


def test_the_answer_does_not_depend_on_how_inputs_are_grouped(tagger, monkeypatch):
    documents = [*make_documents(40), Document("long", "\n".join(d.text for d in make_documents(30, seed=5)), "made")]
    _, together = tag(tagger, documents)
    alone = [tag(tagger, [document])[1][0] for document in documents]
    assert_same(together, alone)
    monkeypatch.setattr(tagger_module, "CHUNK_DOCUMENTS", 3)
    monkeypatch.setattr(tagger_module, "CHUNK_CHARACTERS", 500)
    shuffled = random.Random(1).sample(documents, len(documents))
    _, regrouped = tag(tagger, shuffled)
    assert [record["id"] for record in regrouped] == [document.id for document in shuffled]
    by_id = {record["id"]: record for record in regrouped}
    assert_same(tag(tagger, documents)[1], [by_id[document.id] for document in documents])


def test_what_is_found_is_what_the_corpus_means(tagger):
    gold = generated.make_articles("new", 20, seed=99)
    found = tagger([annotated.article.text for annotated in gold])
    wanted = {(annotated.id, span) for annotated in gold for span in annotated.spans}
    given = {(annotated.id, span) for annotated, one in zip(gold, found, strict=True) for span in one.spans}
    assert len(wanted & given) > 0.8 * len(wanted)
    assert len(wanted & given) > 0.8 * len(given)
    assert all(one.model.startswith("tiny@") for one in found)


def test_results_come_while_inputs_are_still_read(tagger, monkeypatch):
    monkeypatch.setattr(tagger_module, "CHUNK_DOCUMENTS", 4)
    taken = []

    def stream():
        for document in make_documents(12):
            taken.append(document.id)
            yield document

    results = tagger.tag(stream())
    next(results)
    assert len(taken) == 4
    assert len(list(results)) == 11


def test_failures_keep_their_place_and_the_others_are_tagged(tagger, tmp_path, monkeypatch):
    documents = make_documents(9)
    broken = documents[4].id
    items = [*documents[:2], Failure("gone", "gone.txt", "gone.txt: cannot be read"), *documents[2:]]
    predict = tagger.model.predictor.predict

    def refuse(texts, **known):
        if documents[4].text in texts:
            raise AlignmentError("cannot be laid on words")
        return predict(texts, **known)

    monkeypatch.setattr(tagger.model.predictor, "predict", refuse)
    told = []
    summary, _ = tag(tagger, items, tmp_path / "o.jsonl", on_item=told.append)
    assert (summary.tagged, summary.failed, summary.errors) == (8, 2, tmp_path / "o.jsonl.errors.jsonl")
    assert [record["id"] for record in read(tmp_path / "o.jsonl")] == [d.id for d in documents if d.id != broken]
    assert read(summary.errors) == [
        {"id": "gone", "source": "gone.txt", "error": "gone.txt: cannot be read"},
        {"id": broken, "source": "made", "error": "cannot be laid on words"},
    ]
    assert [failure and failure.id for failure in told] == [None, None, "gone", None, None, broken, *[None] * 4]
    assert summary.spans == sum(len(record["spans"]) for record in read(tmp_path / "o.jsonl"))


@pytest.mark.parametrize("earlier", [False, True], ids=["new", "replacing"])
def test_a_run_that_breaks_leaves_files_as_they_were_and_goes_on_from_there(tagger, tmp_path, earlier, monkeypatch):
    monkeypatch.setattr(tagger_module, "CHUNK_DOCUMENTS", 1)
    output = tmp_path / "o.jsonl"
    if earlier:
        output.write_text(OLD, encoding="utf-8")
        errors_path(output).write_text(OLD, encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    items = [*make_documents(4), Failure("gone", "gone.txt", "gone"), *make_documents(8, seed=12)[4:]]

    def break_off():
        yield from items[:7]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        tag(tagger, break_off(), output, force=True)
    assert caught.value.__notes__ == ["7 records are kept: go on with --resume"]
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    with pytest.raises(DataError, match=r"not finished is kept in .*\.o\.jsonl\.partial\. --resume goes on with it"):
        tag(tagger, items, output)
    summary, _ = tag(tagger, items, output, resume=True)
    whole, _ = tag(tagger, items, tmp_path / "whole.jsonl")
    assert (summary.tagged, summary.spans, summary.failed) == (whole.tagged, whole.spans, 1)
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert errors_path(output).read_bytes() == errors_path(tmp_path / "whole.jsonl").read_bytes()
    assert len(list(tmp_path.iterdir())) == 4


def test_errors_of_an_earlier_run_do_not_outlive_it(tagger, tmp_path):
    output = tmp_path / "o.jsonl"
    tag(tagger, [Failure("gone", "gone.txt", "gone"), *make_documents(1)], output)
    assert errors_path(output).exists()
    with pytest.raises(DataError, match="exists already"):
        tag(tagger, make_documents(1), output)
    tag(tagger, [Failure("other", "other.txt", "other"), *make_documents(1)], output, force=True)
    assert [record["id"] for record in read(errors_path(output))] == ["other"]
    tag(tagger, make_documents(2), output, force=True)
    assert not errors_path(output).exists()
    assert len(read(output)) == 2


def test_a_lone_errors_file_is_not_overwritten(tagger, tmp_path):
    errors_path(tmp_path / "o.jsonl").write_text(OLD, encoding="utf-8")
    with pytest.raises(DataError, match=r"errors\.jsonl: exists already"):
        tag(tagger, make_documents(1), tmp_path / "o.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl.errors.jsonl"]


def test_every_output_form_says_the_same(tagger, tmp_path):
    documents = make_documents(20)
    records = {}
    for suffix in ("jsonl", "csv", "parquet"):
        tag(tagger, documents, tmp_path / f"o.{suffix}")
    _, records = tag(tagger, documents)
    assert read(tmp_path / "o.jsonl") == records
    rows = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [row["id"] for row in rows] == [record["id"] for record in records]
    for row, record in zip(rows, records, strict=True):
        assert [{k: v for k, v in span.items() if v is not None} for span in row["spans"]] == record["spans"]
        assert {entry["name"]: entry["score"] for entry in row["categories"]} == record["categories"]
    assert len((tmp_path / "o.csv").read_text(encoding="utf-8").splitlines()) > sum(len(r["spans"]) for r in records)


def test_no_inputs_give_an_empty_file(tagger, tmp_path):
    summary, _ = tag(tagger, [], tmp_path / "o.jsonl")
    assert (summary.tagged, summary.failed, summary.errors) == (0, 0, None)
    assert read(tmp_path / "o.jsonl") == []


def test_a_long_article_is_tagged_to_its_end(tagger):
    text = long_text(200_000)
    (found,) = tagger([text])
    assert found.spans[-1].end > len(text) - 500
    assert len(found.spans) > 1000


@pytest.mark.slow
def test_an_article_of_five_megabytes_is_tagged_to_its_end(tagger):
    text = long_text(5_000_000)
    (found,) = tagger([text])
    assert found.spans[-1].end > len(text) - 500
    assert len(found.spans) > 25_000


def long_text(size):
    rng = random.Random(8)
    parts, length = [], 0
    while length < size:
        parts.append(generated.make_article("part", rng, with_matters=True).article.text)
        length += len(parts[-1].encode()) + 1
    return "\n".join(parts)
