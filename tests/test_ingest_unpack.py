"""Compressed inputs: read as what is in them, and as far as they are whole."""

import gzip
import io
import json
import random
import zlib

import pyarrow as pa
import pytest

from hoidam.errors import DataError
from hoidam.ingest.discover import discover
from hoidam.ingest.readers import Document, Failure, read_inputs
from hoidam.ingest.unpack import open_unpacked

ARCHIVES = {".gz": "gzip", ".zst": "zstd"}


def pack(data, suffix, *, parts=1):
    """Compressed in one part or several, one after the other, as tools that append write them."""
    size = -(-len(data) // parts) or 1
    packed = io.BytesIO()
    for start in range(0, len(data) or 1, size):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, ARCHIVES[suffix]) as stream:
            stream.write(data[start : start + size])
        packed.write(sink.getvalue())
    return packed.getvalue()


PAGE = "<html><body><article><p>{}</p></article></body></html>"


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "Hai bên\r\nhội đàm"),
        ("a.html", PAGE.format("Hai bên hội đàm về chợ phiên. " * 20)),
        ("a.jsonl", '\ufeff{"text": "Hai bên"}\n{"text": 5}\n{"text": "hội đàm"}\n'),
        ("a.csv", 'id,text\nk,"Hai\nbên"\n,hội đàm\n'),
    ],
)
def test_a_compressed_file_reads_as_what_is_in_it(tmp_path, archive, name, content):
    plain, packed = tmp_path / "plain" / name, tmp_path / "packed" / f"{name}{archive}"
    for path, data in ((plain, content.encode()), (packed, pack(content.encode(), archive, parts=3))):
        path.parent.mkdir()
        path.write_bytes(data)

    def described(path):
        return [
            (item.id, item.text if isinstance(item, Document) else item.error.replace(str(path), ""))
            for item in read_inputs([path])
        ]

    assert described(packed) == described(plain)
    assert discover([tmp_path / "packed"]).files == (packed,)


def test_archives_of_other_things_are_no_input(tmp_path):
    for name in ("a.tar.gz", "b.gz", "c.parquet.gz", "d.zip"):
        (tmp_path / name).write_bytes(b"x")
    found = discover([*sorted(tmp_path.iterdir())])
    assert not found.files
    assert len(found.failures) == 4
    assert all("Give one of .txt, " in failure.error and ".gz or .zst" in failure.error for failure in found.failures)


def test_names_are_told_apart_through_their_compression(tmp_path):
    for name in ("a.txt", "a.txt.gz", "b.txt.zst", "c.txt.gz", "c.html"):
        content = f"Bài {name} " * 30
        data = (PAGE.format(content) if "html" in name else content).encode()
        suffix = name[name.rindex(".") :]
        (tmp_path / name).write_bytes(pack(data, suffix) if suffix in ARCHIVES else data)
    names = [item.id.removeprefix(f"{tmp_path}/") for item in read_inputs([tmp_path])]
    assert names == ["a.txt", "a.txt.gz", "b", "c.html", "c.txt.gz"]


@pytest.mark.parametrize("archive", ARCHIVES)
def test_what_stands_before_a_break_is_read_and_the_break_says_where_it_is(tmp_path, archive):
    rng = random.Random(archive)
    path = tmp_path / f"a.jsonl{archive}"
    lines = [json.dumps({"text": rng.randbytes(rng.randrange(1, 400)).hex()}) + "\n" for _ in range(600)]
    packed = pack("".join(lines).encode(), archive)
    longest = 0
    for _ in range(30):
        damaged = bytearray(packed[: rng.randrange(1, len(packed))])
        if rng.random() < 0.3:
            damaged += b"no more of it"
        path.write_bytes(damaged)
        *documents, failure = read_inputs([path])
        assert [document.text for document in documents] == [
            json.loads(line)["text"] for line in lines[: len(documents)]
        ]
        assert isinstance(failure, Failure)
        assert failure.id == "a"
        bytes_read = int(failure.error.partition("broken after ")[2].partition(" ")[0])
        sizes = [len(line) for line in lines]
        assert sum(sizes[: len(documents)]) <= bytes_read < sum(sizes[: len(documents) + 1])
        if archive == ".gz":
            assert bytes_read >= len(zlib.decompressobj(31).decompress(bytes(damaged))) - 256
        longest = max(longest, len(documents))
    assert longest > 300


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("content", [b"", b"plain text", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])
def test_what_is_no_archive_is_one_failure(tmp_path, archive, content):
    path = tmp_path / f"a.txt{archive}"
    path.write_bytes(content)
    (failure,) = read_inputs([path])
    assert failure.error.startswith(f"{path}: ")


def test_a_compressed_file_may_be_larger_than_memory_would_like(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb") as stream:
        for number in range(100):
            stream.write(json.dumps({"text": f"{number} " * 30_000}).encode() + b"\n")
    with open_unpacked(path) as stream:
        assert sum(map(len, stream)) > 100 * 60_000
    path.write_bytes(path.read_bytes()[:-20])
    with open_unpacked(path) as stream, pytest.raises(DataError, match="cut or broken after"):
        stream.read()
