"""Shards: however files are cut, the records are those of the whole file, under the same ids and places."""

import json
import os
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny

from hoidam.errors import DataError, UnreachableError
from hoidam.ingest.readers import Columns, Document, Failure, read_inputs
from hoidam.ingest.shards import InputFile, Shard, cut_files, find_files, read_shard


def read_shards(inputs, *, size):
    shards = cut_files(find_files([str(path) for path in inputs]), size=size)
    return shards, [item for shard in shards for item in read_shard(shard, columns=Columns())]


def random_lines(rng):
    """Records good and bad, blank lines, several line ends at once; no id twice, which shards do not look for."""
    lines = []
    for number in range(rng.randint(1, 30)):
        record = {"id": f"r{number}", "text": tiny.nasty_text(rng, longest=30) + " x"}
        if rng.random() < 0.3:
            del record["id"]
        line = json.dumps(record, ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace")
        lines.append(
            rng.choice([line] * 12 + [b"", b"  ", line[:-3], b'{"id": 7}', b"[]", b'{"text": 3}', b"\xff\xfe"])
        )
    data = rng.choice([b"\n", b"\r\n"]).join(lines)
    return rng.choice([b"", b"\xef\xbb\xbf"]) + data + rng.choice([b"", b"\n", b"\n\n"])


def test_json_lines_cut_anywhere_give_what_the_whole_file_gives(tmp_path):
    rng = random.Random(5)
    shards = 0
    for turn in range(400):
        path = tmp_path / f"f{turn}.jsonl"
        path.write_bytes(random_lines(rng))
        found, items = read_shards([path], size=rng.choice([1, 7, 40, 300, 5000]))
        assert items == list(read_inputs([path]))
        assert [shard.end for shard in found[:-1]] == [shard.start for shard in found[1:]]
        shards += len(found)
    assert shards > 2000


def test_a_cut_does_not_depend_on_the_blocks_that_are_read(tmp_path, monkeypatch):
    path = tmp_path / "f.jsonl"
    path.write_bytes(b"".join(b"%d\n" % 10**n for n in range(60)))
    [file] = find_files([str(path)])
    whole = cut_files([file], size=50)
    assert len(whole) > 10
    for block in (1, 2, 3, 49, 50, 51, 64):
        monkeypatch.setattr("hoidam.ingest.shards._BLOCK", block)
        assert cut_files([file], size=50) == whole


def test_parquet_is_cut_between_row_groups(tmp_path):
    rng = random.Random(6)
    rows = [{"id": None if n % 3 else f"r{n}", "text": tiny.nasty_text(rng, longest=60) or None} for n in range(100)]
    for group in (1, 7, 100):
        path = tmp_path / f"f{group}.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
        for size in (1, 500, 1 << 20):
            shards, items = read_shards([path], size=size)
            assert items == list(read_inputs([path]))
            assert size > 1 or len(shards) == -(-100 // group)
    assert {Document, Failure} == set(map(type, items))


@pytest.mark.parametrize(
    ("name", "data"),
    [("f.parquet", b"PAR1 no such thing"), ("f.jsonl", b"\0\0\0"), ("f.jsonl", b""), ("f.jsonl", b"\n \n")],
    ids=["no Parquet", "binary", "empty", "blank"],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_file_that_is_none_is_one_failure_as_it_is_elsewhere(tmp_path, name, data, size):
    (tmp_path / name).write_bytes(data)
    _, items = read_shards([tmp_path / name], size=size)
    wanted = list(read_inputs([tmp_path / name]))
    # A blank file that is cut has shards without records.
    assert items == ([] if size == 1 and data == b"\n \n" else wanted)


def test_uris_and_paths_lead_to_the_same_records(tmp_path):
    folder = tmp_path / "a folder"
    for name in ("b.jsonl", "c/a.jsonl"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"id": name, "text": "Hội đàm"}), encoding="utf-8")
    for name in ("_temporary/x.jsonl", ".x.jsonl", "x.errors.jsonl", "x.duplicates.jsonl", "notes.md"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no input", encoding="utf-8")
    uri = folder.as_uri()
    _, items = read_shards([uri], size=1000)
    assert [(item.id, item.source) for item in items] == [
        ("b.jsonl", f"{uri}/b.jsonl:1"),
        ("c/a.jsonl", f"{uri}/c/a.jsonl:1"),
    ]
    _, [item] = read_shards([f"{uri}/b.jsonl"], size=1000)
    assert (item.id, item.source, item.text) == ("b.jsonl", f"{uri}/b.jsonl:1", "Hội đàm")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gone.jsonl", "no such file"),
        ("page.txt", "not a .jsonl or .parquet file"),
        ("file:///gone/folder", "cannot be reached"),
        ("nowhere://bucket/folder", "cannot be reached"),
        ("-", "not a .jsonl or .parquet file"),
    ],
)
def test_what_cannot_be_an_input_is_refused_at_once(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.txt").write_text("Hội đàm", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        find_files([given])


def test_a_name_that_is_not_utf_8_is_refused_at_once(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Hội đàm"}', encoding="utf-8")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/tin\xff.jsonl")
    (tmp_path / "a.jsonl").rename(odd)
    with pytest.raises(DataError) as caught:
        find_files([str(tmp_path)])
    assert str(caught.value) == f"{odd}: a name that is not UTF-8. Rename it"


def test_a_file_that_is_gone_when_it_is_read_may_come_back(tmp_path):
    shard = Shard(InputFile("f.jsonl", str(tmp_path / "f.jsonl"), "f", 10))
    with pytest.raises(UnreachableError, match="cannot be reached"):
        list(read_shard(shard, columns=Columns()))
