import csv
import gzip
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoidam.document import Span, Tagged
from hoidam.errors import DataError
from hoidam.tag.writers import open_writer

TEXT = 'Ông Lý Văn Thà, "Chủ tịch"; huyện Bát Xát\n😀 và châu Hồng Hà'


def make(count, seed=1):
    generator = random.Random(seed)
    for number in range(count):
        spans = []
        for _ in range(generator.randrange(4)):
            start = generator.randrange(len(TEXT) - 1)
            end = generator.randrange(start + 1, len(TEXT))
            category = generator.choice([None, "C1"])
            spans.append(Span(start, end, generator.choice("AB"), category, generator.random()))
        yield Tagged(f"id-{number}", f"feed.jsonl:{number}", tuple(sorted(spans)), {"C1": 0.9, "C2": 0.5}, "m@1")


def write(path, tagged):
    write_records(path, [one.to_dict(TEXT) for one in tagged])


def write_records(path, records):
    with open_writer(path) as writer:
        for record in records:
            writer.write(record)


def test_json_lines_hold_every_article_with_the_surfaces_of_its_spans(tmp_path):
    tagged = list(make(50))
    write(tmp_path / "o.jsonl", tagged)
    records = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert records == [json.loads(json.dumps(one.to_dict(TEXT))) for one in tagged]
    assert all(TEXT[span["start"] : span["end"]] == span["text"] for record in records for span in record["spans"])


def test_csv_has_a_row_for_every_span_and_one_for_an_article_without_any(tmp_path):
    tagged = list(make(50))
    write(tmp_path / "o.csv", tagged)
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = [(one, span) for one in tagged for span in one.spans or (None,)]
    assert len(rows) == len(expected)
    for row, (one, span) in zip(rows, expected, strict=True):
        assert (row["id"], row["source"], row["model"]) == (one.id, one.source, one.model)
        assert row["categories"] == "C1:0.9 C2:0.5"
        if span is None:
            assert row["start"] == row["text"] == ""
        else:
            assert (int(row["start"]), int(row["end"]), row["type"]) == (span.start, span.end, span.type)
            assert row["text"] == TEXT[span.start : span.end]
            assert float(row["score"]) == pytest.approx(span.score, abs=1e-6)


def test_csv_keeps_every_character_of_ids_sources_and_texts(tmp_path):
    generator = random.Random(2)
    names = ["".join(generator.choices('a\r\n\t\x0b\x0c\x1c\x85\u2028",;đ ', k=5)) for _ in range(500)]
    span = {"start": 0, "end": 5, "type": "A", "score": 0.5}
    article = {"categories": {}, "model": "m@1"}
    records = [article | {"id": n, "source": n[::-1], "spans": [span | {"text": n}]} for n in names]
    write_records(tmp_path / "o.csv", records)
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["id"], row["source"], row["text"]) for row in rows] == [(n, n[::-1], n) for n in names]
    write(tmp_path / "plain.csv", make(20))
    assert b"\r" not in (tmp_path / "plain.csv").read_bytes()


def test_parquet_has_a_row_for_every_article_over_several_row_groups(tmp_path):
    tagged = list(make(2500))
    write(tmp_path / "o.parquet", tagged)
    file = pq.ParquetFile(tmp_path / "o.parquet")
    assert file.num_row_groups == 3
    rows = file.read().to_pylist()
    assert [row["id"] for row in rows] == [one.id for one in tagged]
    assert [[span["start"] for span in row["spans"]] for row in rows] == [
        [span.start for span in one.spans] for one in tagged
    ]
    assert rows[0]["categories"] == [{"name": "C1", "score": 0.9}, {"name": "C2", "score": 0.5}]


@pytest.mark.parametrize("plain", ["jsonl", "csv"])
@pytest.mark.parametrize(("archive", "compression"), [("gz", "gzip"), ("zst", "zstd")])
def test_compressed_files_hold_what_plain_ones_do_and_the_same_bytes_each_time(tmp_path, plain, archive, compression):
    tagged = list(make(300))
    for name in (f"o.{plain}", f"o.{plain}.{archive}", f"other.{plain}.{archive}"):
        write(tmp_path / name, tagged)
    packed = (tmp_path / f"o.{plain}.{archive}").read_bytes()
    assert packed == (tmp_path / f"other.{plain}.{archive}").read_bytes()
    content = pa.CompressedInputStream(pa.BufferReader(packed), compression).read()
    assert content == (tmp_path / f"o.{plain}").read_bytes()
    assert archive != "gz" or gzip.decompress(packed) == content


def test_a_copy_names_its_original_in_every_form(tmp_path):
    (one, other) = (tagged.to_dict(TEXT) for tagged in make(2))
    copy = other | {"spans": [], "categories": {}, "duplicate_of": one["id"]}
    for suffix in ("jsonl", "csv", "parquet"):
        write_records(tmp_path / f"o.{suffix}", [one, copy])
    assert json.loads((tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()[-1]) == copy
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as stream:
        *first, last = csv.DictReader(stream)
    assert {row["duplicate_of"] for row in first} == {""}
    assert (last["id"], last["duplicate_of"], last["text"]) == ("id-1", "id-0", "")
    rows = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [(row["id"], row["duplicate_of"]) for row in rows] == [("id-0", None), ("id-1", "id-0")]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "csv", "csv.zst", "parquet"])
def test_a_run_that_breaks_leaves_nothing_behind(tmp_path, suffix):
    path = tmp_path / f"o.{suffix}"

    def break_off():
        with open_writer(path) as writer:
            writer.write(next(make(1)).to_dict(TEXT))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_exists_is_kept_and_an_unknown_suffix_refused(tmp_path):
    (tmp_path / "o.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists already"), open_writer(tmp_path / "o.csv"):
        pass
    assert (tmp_path / "o.csv").read_text(encoding="utf-8") == "mine"
    for name in ("o.xlsx", "o", "o.gz", "o.tar.gz", "o.parquet.gz"):
        with pytest.raises(DataError, match=r"\.jsonl, \.csv or \.parquet"), open_writer(tmp_path / name):
            pass
