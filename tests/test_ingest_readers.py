"""Reading inputs: what is found, what becomes a document, and that whatever is wrong gives one failure and no more."""

import io
import json
import os
import tracemalloc
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoidam.ingest.discover import discover, name_files
from hoidam.ingest.readers import Document, Failure, read_inputs

TEXT = "Xã Ia Dom tiếp đoàn Đồn Đăk Đang\nHai bên hẹn gặp mỗi quý một lần."


def put(path: Path, content: str | bytes = TEXT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def put_records(path: Path, *records: object) -> Path:
    return put(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def read(*inputs: Path | str, **options) -> tuple[list[Document], list[Failure]]:
    items = list(read_inputs(inputs, **options))
    return [i for i in items if isinstance(i, Document)], [i for i in items if isinstance(i, Failure)]


def only_failure(*inputs: Path | str, **options) -> Failure:
    documents, failures = read(*inputs, **options)
    assert documents == []
    assert len(failures) == 1
    return failures[0]


def test_folders_are_searched_to_the_bottom_and_sorted(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.jsonl", "a/c/y.HTML", "x.csv", "w.parquet", "v.htm"):
        put(tmp_path / name)
    for name in (
        "notes.md",
        "a/pic.jpg",
        ".hidden.txt",
        "a/.cache/q.txt",
        "o.jsonl.errors.jsonl",
        "o.jsonl.duplicates.jsonl",
    ):
        put(tmp_path / name)
    found = discover([tmp_path])
    names = [path.relative_to(tmp_path).as_posix() for path in found.files]
    assert names == ["a/c/y.HTML", "a/z.jsonl", "b.txt", "v.htm", "w.parquet", "x.csv"]
    assert found.passed_over == 5
    assert found.failures == ()


def test_inputs_keep_their_order_and_are_read_once(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.md"):
        put(tmp_path / name)
    found = discover([tmp_path / "b.txt", f"{tmp_path}/*", tmp_path, "-", "-"])
    assert [path.name for path in found.files] == ["b.txt", "a.txt", "-"]
    assert found.passed_over == 2


def test_a_glob_goes_into_folders(tmp_path: Path) -> None:
    put(tmp_path / "2024" / "a.txt")
    put(tmp_path / "2025" / "deep" / "b.txt")
    assert [path.name for path in discover([f"{tmp_path}/20*"]).files] == ["a.txt", "b.txt"]
    assert [path.name for path in discover([f"{tmp_path}/**/b.txt"]).files] == ["b.txt"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    assert discover([put(tmp_path / "a[1].txt")]).files == (tmp_path / "a[1].txt",)


def test_links_between_folders_do_not_go_round_for_ever(tmp_path: Path) -> None:
    put(tmp_path / "a" / "x.txt")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [path.name for path in discover([tmp_path]).files] == ["x.txt"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("missing.txt", "no such file or folder. Check the path"),
        ("*.html", "the pattern matches nothing. Check the path"),
        ("page.pdf", "a file of kind '.pdf'. Give one of .txt"),
        ("README", "a file without a suffix. Give one of .txt"),
        ("empty", "holds no input. Kinds read: .txt"),
        ("null\0byte", "no such file or folder. Check the path"),
        ("x" * 5000, "cannot be read (File name too long)"),
    ],
)
def test_an_input_that_is_none_is_one_failure(given: str, problem: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(Path("page.pdf"))
    put(Path("README"))
    put(Path("empty/notes.md"))
    put(Path("good.txt"))
    documents, failures = read(given, "good.txt")
    assert [document.id for document in documents] == ["good"]
    assert len(failures) == 1
    assert failures[0].source == given
    assert failures[0].error.startswith(f"{given}: {problem}")


def test_a_folder_that_may_not_be_read_is_one_failure(tmp_path: Path, monkeypatch) -> None:
    put(tmp_path / "open" / "a.txt")
    put(tmp_path / "shut" / "b.txt")
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    documents, failures = read(tmp_path)
    assert [document.id for document in documents] == ["a"]
    assert [failure.source for failure in failures] == [str(tmp_path / "shut")]
    assert "Permission denied" in failures[0].error


@pytest.mark.parametrize("suffix", ["txt", "html", "jsonl", "csv", "parquet"])
def test_a_file_that_is_gone_is_one_failure(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"gone.{suffix}").symlink_to(tmp_path / "nowhere")
    put(tmp_path / "here.txt")
    documents, failures = read(tmp_path)
    assert [document.id for document in documents] == ["here"]
    assert [failure.id for failure in failures] == ["gone"]
    assert "No such file" in failures[0].error


@pytest.mark.parametrize("suffix", ["txt", "html", "jsonl", "csv", "parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01PK\x03\x04" * 40, "Đoàn \n".encode("utf-16"), "Sài Gòn\n".encode("latin-1") * 3]
)
def test_a_file_that_holds_no_text_is_failures_that_name_it(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = put(tmp_path / f"odd.{suffix}", content)
    documents, failures = read(path, put(tmp_path / "good.txt"))
    assert [document.id for document in documents] == ["good"]
    assert failures
    assert all(failure.error.startswith(str(path)) for failure in failures)
    assert len(failures) == 1 or suffix == "jsonl"


def test_text_is_given_as_it_stands(tmp_path: Path) -> None:
    given = "\ufeffHoà\u00a0bình\r\nte\u0302\u0301t 😀\r cuối "
    documents, _ = read(put(tmp_path / "a.txt", given))
    assert documents == [Document(id="a", text=given, source=str(tmp_path / "a.txt"))]


def test_latin_1_text_says_where_and_how_to_convert_it(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.txt", "Cửa khẩu".replace("ử", "u").replace("ẩ", "a").encode() + " Sài Gòn".encode("latin-1")
    )
    assert only_failure(path).error == (
        f"{path}: not UTF-8: byte 0xe0 at 10. Convert it first, for example with `iconv -f LATIN1 -t UTF-8`"
    )


def test_names_take_as_much_of_the_path_as_tells_them_apart() -> None:
    paths = [
        "p/a.txt",
        "q/a.html",
        "q/b.txt",
        "r/q/b.txt",
        "s/q/b.txt",
        "c.txt",
        "c.html",
        "d.txt",
        "u/d.txt",
        "p/a.jsonl",
    ]
    names = name_files(map(Path, paths))
    assert [names[Path(path)] for path in paths] == [
        *("p/a", "q/a", "q/b", "r/q/b", "s/q/b", "c.txt", "c.html", "d", "u/d", "a")
    ]


def test_a_name_that_is_not_utf_8_can_still_be_read_and_written_down(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [TEXT]}), tmp_path / "a.parquet")
    (tmp_path / "a.parquet").rename(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe0n.parquet"))
    put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe0i.txt")))
    documents, failures = read(tmp_path)
    assert failures == []
    assert [document.id for document in documents] == ["b\\udce0i", "b\\udce0n-1"]
    for document in documents:
        document.source.encode()


def test_standard_input_is_text_or_json_lines(tmp_path: Path) -> None:
    documents, failures = read("-", stdin=io.BytesIO(TEXT.encode()))
    assert (documents, failures) == ([Document(id="stdin", text=TEXT, source="<stdin>")], [])
    lines = io.BytesIO(json.dumps({"text": TEXT}).encode() + b"\n{")
    documents, failures = read("-", stdin=lines, stdin_format="jsonl")
    assert [(document.id, document.source) for document in documents] == [("stdin-1", "<stdin>:1")]
    assert [failure.id for failure in failures] == ["stdin-2"]
    for content in (b"", b"  \n", b"\xff\xfe", b"a\0b"):
        assert only_failure("-", stdin=io.BytesIO(content)).source == "<stdin>"


def test_standard_input_that_is_closed_or_breaks_off_is_one_failure(tmp_path: Path, monkeypatch) -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            raise OSError(5, "Input/output error")

    good = put(tmp_path / "good.txt")
    monkeypatch.setattr("sys.stdin", None)
    for stdin, problem in (
        (None, "closed. Send a text"),
        (io.BufferedReader(Broken()), "cannot be read (Input/output"),
    ):
        for stdin_format in ("text", "jsonl"):
            documents, failures = read("-", good, stdin=stdin, stdin_format=stdin_format)
            assert [document.id for document in documents] == ["good"]
            assert [failure.source for failure in failures] == ["<stdin>"]
            assert failures[0].error.startswith(f"<stdin>: {problem}")


def test_records_keep_their_fields(tmp_path: Path) -> None:
    record = {
        "id": "x-1",
        "text": TEXT,
        "title": "Tiếp đoàn",
        "url": "https://tin.example/1",
        "date": "2024-05-02",
        "source": "Báo Vùng Cao",
        "meta": {"page": 3},
        "body": [0, 32],
        "votes": 9,
    }
    documents, failures = read(put_records(tmp_path / "a.jsonl", record))
    assert failures == []
    assert documents == [
        Document(
            id="x-1",
            text=TEXT,
            source=f"{tmp_path}/a.jsonl:1",
            body=(0, 32),
            title="Tiếp đoàn",
            url="https://tin.example/1",
            date="2024-05-02",
            origin="Báo Vùng Cao",
            meta={"page": 3},
        )
    ]


def test_json_lines_number_on_from_the_file_and_may_be_empty_or_marked(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", '\ufeff{"text": "Một"}\r\n\n  \n{"text": "Hai", "id": 7}\n{"text": "Ba", "id": ""}')
    documents, failures = read(tmp_path / "a.jsonl")
    assert failures == []
    assert [(document.id, document.text) for document in documents] == [("a-1", "Một"), ("7", "Hai"), ("a-5", "Ba")]


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    put_records(tmp_path / "a.jsonl", {"noi_dung": TEXT, "ma": "k1"})
    put(tmp_path / "b.csv", f'ma,noi_dung\nk2,"{TEXT}"\n')
    pq.write_table(pa.table({"noi_dung": [TEXT], "ma": ["k3"]}), tmp_path / "c.parquet")
    documents, failures = read(tmp_path, text_column="noi_dung", id_column="ma")
    assert failures == []
    assert [(document.id, document.text) for document in documents] == [("k1", TEXT), ("k2", TEXT), ("k3", TEXT)]


BROKEN = [
    ("{", "broken JSON (Expecting property name"),
    ('"text"', "found a str. Give one JSON object a line"),
    ("[" * 100_000, "broken JSON (nested too deep)"),
    ('{"n": ' + "9" * 10_000 + "}", "broken JSON (Exceeds the limit"),
    ('{"id": "k"}', "text: missing"),
    ('{"id": "k", "text": null}', "text: missing"),
    ('{"id": "k", "text": 5}', "text: is int. Give a string"),
    ('{"id": "k", "text": ["a"]}', "text: is list. Give a string"),
    ('{"id": "k", "text": ""}', "text: empty"),
    ('{"id": "k", "text": " \\n\\u200b\\ufeff"}', "text: empty"),
    ('{"id": "k", "text": "a\\ud83d"}', "text: holds half a surrogate pair"),
    ('{"id": "k", "text": "a", "title": "\\udc00"}', "title: holds half a surrogate pair"),
    ('{"id": "k", "text": "a", "meta": {"b": "\\udc00"}}', "meta: cannot be stored as JSON"),
    ('{"id": "k", "text": "a", "meta": 3}', "meta: is int. Give an object"),
    ('{"id": "k", "text": "a", "url": 3}', "url: is int. Give a string"),
    ('{"id": "k", "text": "a", "body": [0, 2]}', "body: found [0, 2]. Give [start, end] with 0 <= start < end <= 1"),
    ('{"id": "k", "text": "a", "body": "0-1"}', "body: found '0-1'"),
    ('{"id": 1.5, "text": "a"}', "id: is float. Give a string"),
    ('{"id": true, "text": "a"}', "id: is bool. Give a string"),
    ('{"id": "\\ud800", "text": "a"}', "id: holds half a surrogate pair"),
    (b'{"text": "S\xe0i G\xf2n"}', "not UTF-8: byte 0xe0 at 11 of the line. Convert it first"),
    ('{"id": "first", "text": "a"}', "id: 'first' occurs twice, first in "),
]


@pytest.mark.parametrize(("line", "problem"), BROKEN)
def test_a_broken_line_is_one_failure_with_its_place(line: str | bytes, problem: str, tmp_path: Path) -> None:
    data = line if isinstance(line, bytes) else line.encode()
    path = put(tmp_path / "a.jsonl", b'{"id": "first", "text": "a"}\n' + data + b'\n{"id": "last", "text": "a"}\n')
    documents, failures = read(path)
    assert [document.id for document in documents] == ["first", "last"]
    assert len(failures) == 1
    assert failures[0].source == f"{path}:2"
    assert failures[0].error.startswith(f"{path}:2: {problem}")
    assert failures[0].id in ("k", "first", "a-2")
    assert (failures[0].id == "k") == ('"k"' in str(line))
    json.dumps(failures[0].to_dict(), ensure_ascii=False).encode()


def test_an_id_met_in_two_files_is_a_failure_that_names_both(tmp_path: Path) -> None:
    put(tmp_path / "a.txt")
    put_records(tmp_path / "b.jsonl", {"id": "a", "text": TEXT})
    documents, failures = read(tmp_path)
    assert [document.id for document in documents] == ["a"]
    assert failures == [
        Failure(
            id="a",
            source=f"{tmp_path}/b.jsonl:1",
            error=f"{tmp_path}/b.jsonl:1: id: 'a' occurs twice, first in {tmp_path}/a.txt. "
            "Give every article its own id",
        )
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_rows_become_documents(delimiter: str, tmp_path: Path) -> None:
    header = delimiter.join(["text", "id", "title", "date", "meta", "outlet"])
    rows = [
        delimiter.join(['"Một, hai; ""ba""\r\nbốn\tnăm"', "k1", "Đầu", "2024-01-02", '"{""p"": 1}"', "báo"]),
        delimiter.join(["Chữ", "", "", "", "", ""]),
    ]
    put(tmp_path / "a.csv", "\ufeff" + "\r\n".join([header, rows[0], "", rows[1]]) + "\r\n")
    documents, failures = read(tmp_path / "a.csv")
    assert failures == []
    first, second = documents
    assert (first.id, first.text) == ("k1", 'Một, hai; "ba"\r\nbốn\tnăm')
    assert (first.title, first.date, first.meta) == ("Đầu", "2024-01-02", {"p": 1})
    assert second == Document(id="a-2", text="Chữ", source=f"{tmp_path}/a.csv:5")


def test_broken_csv_rows_are_failures_and_reading_goes_on(tmp_path: Path) -> None:
    rows = [b"id,text", b"k1,a,b", b"k2", b'k3,"a"b', b"k4,", b"k5,S\xe0i", b'k6,"{"', b"k7,good"]
    path = put(tmp_path / "a.csv", b"\n".join(rows))
    documents, failures = read(path)
    assert [document.id for document in documents] == ["k6", "k7"]
    assert [failure.source.rpartition(":")[2] for failure in failures] == ["2", "3", "4", "5", "6"]
    assert [failure.error.partition(": ")[2].partition(".")[0] for failure in failures] == [
        "3 fields under 2 columns",
        "1 fields under 2 columns",
        "broken CSV (',' expected after '\"')",
        "text: missing",
        "not UTF-8",
    ]


def test_a_quote_that_never_closes_is_one_failure(tmp_path: Path) -> None:
    documents, failures = read(put(tmp_path / "a.csv", 'id,text\nk1,a\nk2,"b\nk3,c\n'))
    assert [document.id for document in documents] == ["k1"]
    assert [failure.source for failure in failures] == [f"{tmp_path}/a.csv:3"]


@pytest.mark.parametrize("content", ["id,body\nk,x\n", '"id\n', "text\n", "\ufeff"])
def test_a_csv_file_without_its_column_or_rows_is_one_failure(content: str, tmp_path: Path) -> None:
    failure = only_failure(put(tmp_path / "a.csv", content))
    assert failure.id == "a"
    assert failure.error.startswith(f"{tmp_path}/a.csv: ")


def test_parquet_rows_become_documents(tmp_path: Path) -> None:
    import datetime

    table = pa.table(
        {
            "text": pa.array([TEXT, None, "Hai", ""], pa.large_string()),
            "id": pa.array([1, 2, None, 4]),
            "date": pa.array([datetime.date(2024, 5, 2)] * 4),
            "meta": [{"page": 1}] * 4,
            "votes": [1, 2, 3, 4],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    documents, failures = read(tmp_path / "a.parquet")
    assert [(document.id, document.text, document.date) for document in documents] == [
        ("1", TEXT, "2024-05-02"),
        ("a-3", "Hai", "2024-05-02"),
    ]
    assert documents[0].meta == {"page": 1}
    assert [(failure.id, failure.source) for failure in failures] == [
        ("2", f"{tmp_path}/a.parquet:2"),
        ("4", f"{tmp_path}/a.parquet:4"),
    ]


def test_parquet_of_another_shape_is_failures(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["a"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": [b"bytes"]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "c.parquet")
    latin = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 4], pa.int32()).buffers()[1], pa.py_buffer(b"S\xe0i!")]
    )
    pq.write_table(pa.table({"text": latin}), tmp_path / "d.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    put(tmp_path / "e.parquet", whole[: len(whole) // 2])
    documents, failures = read(tmp_path)
    assert documents == []
    assert [failure.id for failure in failures] == ["a", "b-1", "c", "d-1", "e"]
    for failure, problem in zip(
        failures,
        ["no column 'text' among ['body']", "is bytes", "holds no records", "not UTF-8", "Parquet"],
        strict=True,
    ):
        assert problem in failure.error


@pytest.mark.parametrize("field", ["body", "meta"])
def test_a_csv_cell_nested_too_deep_is_one_failure(field: str, tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", f'id,text,{field}\nk1,Một,"{"[" * 5000}"\nk2,Hai,\n')
    documents, failures = read(path)
    assert [document.id for document in documents] == ["k2"]
    assert [(failure.id, failure.source) for failure in failures] == [("k1", f"{path}:2")]
    assert failures[0].error.startswith(f"{path}:2: {field}: ")
    assert "Give" in failures[0].error
    assert len(failures[0].error) < 300 + len(str(path))


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param(pa.array([10**18, 0], pa.timestamp("us")), id="past the last year"),
        pytest.param(pa.array([-(10**18), 0], pa.timestamp("us")), id="before the first year"),
        pytest.param(pa.array([2**31 - 1, 0], pa.date32()), id="past the last day"),
        pytest.param(pa.array([0, None], pa.timestamp("us", "Nowhere/City")), id="no such time zone"),
    ],
)
def test_a_date_that_cannot_be_read_is_one_failure(dates: pa.Array, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["Một", "Hai"], "date": dates}), path)
    documents, failures = read(path)
    assert [document.id for document in documents] == ["a-2"]
    assert [failure.source for failure in failures] == [f"{path}:1"]
    assert failures[0].error.startswith(f"{path}:1: date: cannot be read (")
    assert failures[0].error.endswith("Write it as a string")


@pytest.mark.parametrize("doubled", ["text", "id"])
def test_a_column_that_is_there_twice_is_a_failure_of_the_file_where_it_is_read(doubled: str, tmp_path: Path) -> None:
    names = ["id", "text", "votes", "votes"]
    put(tmp_path / "a.csv", ",".join([*names, doubled]) + "\nk1,Một,1,2,b\n")
    put(tmp_path / "b.csv", ",".join(names) + "\nk2,Hai,1,2\n")
    row = [pa.array([value]) for value in ("k3", "Ba", "1", "2", "b")]
    pq.write_table(pa.Table.from_arrays(row, names=[*names, doubled]), tmp_path / "c.parquet")
    row[0] = pa.array(["k4"])
    pq.write_table(pa.Table.from_arrays(row[:4], names=names), tmp_path / "d.parquet")
    documents, failures = read(tmp_path)
    assert [document.id for document in documents] == ["k2", "k4"]
    assert [failure.error for failure in failures] == [
        f"{tmp_path}/{name}: 2 columns {doubled!r}. Give each its own name" for name in ("a.csv", "c.parquet")
    ]


def page(body: str, *, title: str = "Xã Ia Dom tiếp đoàn Đồn Đăk Đang - Báo Cao Nguyên") -> str:
    return f"""<!DOCTYPE html><html lang="vi"><head><meta charset="utf-8"><title>{title}</title></head>
    <body><nav><a href="/">Trang chủ</a> <a href="/ts">Thời sự</a></nav><article>{body}</article>
    <footer><p>Bản quyền thuộc về tòa soạn</p></footer></body></html>"""


PARAGRAPHS = [
    "Chiều 3/6, tại nhà sinh hoạt cộng đồng, ông Rơ Châm Thuih, Chủ tịch UBND xã Ia Dom, đã tiếp đoàn Đồn Đăk Đang.",
    "Hai bên bàn việc báo tin cho nhau khi có người lạ qua suối, và hẹn mỗi quý gặp nhau một lần ở một bên bờ.",
    "Kết thúc buổi gặp, chủ nhà mời khách ở lại ăn bữa cơm lam với canh lá bép, chuyện trò tới khi trời tối hẳn.",
]


def test_a_page_gives_its_article_under_its_headline(tmp_path: Path) -> None:
    paragraphs = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    put(tmp_path / "with.html", page(f"<h1>Xã Ia Dom tiếp đoàn Đồn Đăk Đang</h1>{paragraphs}"))
    put(tmp_path / "without.htm", "\ufeff" + page(paragraphs, title="Tiếp đoàn Đồn Đăk Đang"))
    documents, failures = read(tmp_path)
    assert failures == []
    assert [document.id for document in documents] == ["with", "without"]
    for document, headline in zip(
        documents, ["Xã Ia Dom tiếp đoàn Đồn Đăk Đang", "Tiếp đoàn Đồn Đăk Đang"], strict=True
    ):
        lines = document.text.split("\n")
        assert lines[0] == headline
        assert document.text.count(headline) == 1
        assert all(paragraph in lines for paragraph in PARAGRAPHS)
        assert "Trang chủ" not in document.text


def test_a_page_may_declare_another_encoding(tmp_path: Path) -> None:
    content = page("".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS), title="Tiep doan Dak Dang")
    windows = unicodedata.normalize("NFC", content.replace("utf-8", "windows-1252"))
    plain = "".join(c for c in unicodedata.normalize("NFD", windows) if not unicodedata.combining(c))
    plain = plain.replace("Đ", "D").replace("đ", "d").replace("bep", "b\u00e9p")
    documents, _ = read(put(tmp_path / "a.html", plain.encode("windows-1252")))
    assert "b\u00e9p" in documents[0].text
    undeclared = plain.replace("windows-1252", "utf-8").encode("windows-1252")
    assert "neither UTF-8 nor 'utf-8'" in only_failure(put(tmp_path / "b.html", undeclared)).error
    silent = plain.replace('<meta charset="windows-1252">', "").encode("windows-1252")
    assert "not UTF-8: byte 0xe9" in only_failure(put(tmp_path / "c.html", silent)).error
    unknown = plain.replace("windows-1252", "punycode").encode("windows-1252")
    assert "punycode" in only_failure(put(tmp_path / "d.html", unknown)).error


@pytest.mark.parametrize("content", ["<html></html>", "<html><body><nav></nav></body></html>", "<!-- x", "\ufeff"])
def test_a_page_without_an_article_is_one_failure(content: str, tmp_path: Path) -> None:
    path = put(tmp_path / "a.html", content)
    assert only_failure(path).error.startswith(f"{path}: ")


def test_a_page_that_breaks_the_extractor_is_one_failure(tmp_path: Path, monkeypatch) -> None:
    def broken(*_args, **_options):
        raise RecursionError("too deep")

    monkeypatch.setattr("trafilatura.bare_extraction", broken)
    documents, failures = read(put(tmp_path / "a.html", page("<p>x</p>")), put(tmp_path / "b.txt"))
    assert [document.id for document in documents] == ["b"]
    assert "not parsed as HTML (RecursionError: too deep)" in failures[0].error


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_articles_of_five_megabytes_pass(suffix: str, tmp_path: Path) -> None:
    text = "Hai bên cùng bàn. " * 280_000
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"text": [text, "Ngắn"]}), path)
    elif suffix == "csv":
        put(path, f'text\n"{text}"\nNgắn\n')
    else:
        put_records(path, {"text": text}, {"text": "Ngắn"})
    documents, failures = read(path)
    assert failures == []
    assert [document.text for document in documents] == [text, "Ngắn"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_records_are_streamed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    text = "Hai ben cung ban. " * 3000
    line = json.dumps({"text": text}) if suffix == "jsonl" else f'"{text}"'
    with path.open("w", encoding="utf-8") as stream:
        stream.write("text\n" if suffix == "csv" else "")
        stream.writelines(f"{line}\n" for _ in range(300))
    tracemalloc.start()
    try:
        assert sum(1 for item in read_inputs([path]) if isinstance(item, Document)) == 300
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 8


def test_reading_begins_before_the_file_ends(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b'{"text": "a"}\n')
    with os.fdopen(read_end, "rb") as stream:
        items = read_inputs(["-"], stdin=stream, stdin_format="jsonl")
        os.write(write_end, b'{"text": "b"}\n')
        os.close(write_end)
        assert [item.text for item in items] == ["a", "b"]
