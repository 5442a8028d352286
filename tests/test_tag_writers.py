import csv
import json
import random

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
    with open_writer(path) as writer:
        for one in tagged:
            writer.write(one.to_dict(TEXT))


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


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
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
    with pytest.raises(DataError, match=r"\.jsonl, \.csv or \.parquet"), open_writer(tmp_path / "o.xlsx"):
        pass
