"""Inputs as a stream of documents: text, HTML, JSON lines, CSV and Parquet, from files or standard input.

All but Parquet may be compressed with gzip or Zstandard. What cannot be read becomes one `Failure` that says where and
what to do, and reading goes on. Records are streamed, so that memory holds a few articles and not a file of them; ids
that have been met, and hashes of contents where copies are looked for, are kept on disk. The names of all input files
are held, about half a kilobyte each: millions of articles are better put into a few files of records.
"""

import csv
import datetime
import io
import itertools
import json
import logging
import re
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from hoidam.errors import DataError
from hoidam.files import parse_json_line
from hoidam.ingest.copies import Duplicate, content_key
from hoidam.ingest.discover import KINDS, STDIN, Failure, Found, discover, form, name_files, printable, unreadable
from hoidam.ingest.seen import Seen
from hoidam.ingest.unpack import open_unpacked

__all__ = [
    "Columns",
    "Document",
    "Duplicate",
    "Failure",
    "Found",
    "Item",
    "discover",
    "read_found",
    "read_inputs",
    "read_record",
]

_SURROGATE = re.compile("[\ud800-\udfff]")
_VISIBLE = re.compile(r"[^\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_OPTIONAL = ("title", "url", "date", "source")
_CSV_FIELD_LIMIT = 1 << 26
_PARQUET_ROWS = 64
_HEADLINE_LINES, _HEADLINE_WORDS = 5, 4
_NAME_COLUMN = "Name the column that holds the texts"
_TO_UTF8 = "Convert it first, for example with `iconv -f LATIN1 -t UTF-8`"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Document:
    """One input text exactly as it was given, to whose code points all offsets refer.

    Of an HTML page, `text` is what was extracted from it. `source` is the file, with the line or row of a record;
    `origin` is the `source` that a record names itself; `body` is where a record says that the article's body lies.
    """

    id: str
    text: str
    source: str
    body: tuple[int, int] | None = None
    title: str | None = None
    url: str | None = None
    date: str | None = None
    origin: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields of a record that hold its text and its id."""

    text: str = "text"
    id: str = "id"


Item = Document | Failure | Duplicate


def read_inputs(
    inputs: Sequence[str | Path],
    *,
    text_column: str = "text",
    id_column: str = "id",
    deduplicate: bool = False,
    stdin_format: Literal["text", "jsonl"] = "text",
    stdin: BinaryIO | None = None,
) -> Iterator[Item]:
    """Discover and read inputs: one Document or Failure an article, no id twice among the documents.

    With `deduplicate`, a document whose body says the same as an earlier one's comes as a Duplicate.

    A text or HTML file's id is its name without the suffix, with its folder where two collide; a record without an id
    gets `<file>-<line>` (JSON lines) or `<file>-<row>` (CSV, Parquet). Columns other than id, text, title, url, date,
    source, body and meta are not read.
    """
    found = discover(inputs)
    if found.passed_over:
        _log.warning("passed over %d files that are not %s", found.passed_over, KINDS)
    columns = Columns(text_column, id_column)
    return read_found(found, columns=columns, deduplicate=deduplicate, stdin_format=stdin_format, stdin=stdin)


def read_found(
    found: Found,
    *,
    columns: Columns | None = None,
    deduplicate: bool = False,
    stdin_format: Literal["text", "jsonl"] = "text",
    stdin: BinaryIO | None = None,
) -> Iterator[Item]:
    """Read what `discover` found: its failures first, then its files in order."""
    yield from found.failures
    names = name_files(found.files)
    columns = columns or Columns()
    items = (
        item
        for path in found.files
        for item in (
            _read_stdin(stdin, stdin_format, columns) if path == STDIN else _read_file(path, names[path], columns)
        )
    )
    with closing(Seen()) as seen:
        for item in items:
            yield _compare(item, seen, deduplicate=deduplicate) if isinstance(item, Document) else item


def _compare(document: Document, seen: Seen, *, deduplicate: bool) -> Item:
    """The document, or what it is instead beside those before it: a failure with an id met twice, or a copy."""
    source = seen.first(document.id, document.source)
    if source is not None:
        problem = f"{document.id!r} occurs twice, first in {source}"
        error = DataError(problem, field="id", cure="Give every article its own id")
        return Failure.of(error, source=document.source, identifier=document.id)
    if deduplicate:
        original = seen.first(content_key(document.text, document.body), document.id)
        if original is not None:
            return Duplicate(document.id, document.source, original)
    return document


def read_record(record: Mapping[str, Any], *, name: str, place: str) -> Item:
    """A record that comes from no file, read as a line of JSON lines is; `name` is its id if it has none itself."""
    return _record(lambda: record, name, place, Columns())


def _read_file(path: Path, name: str, columns: Columns) -> Iterator[Item]:
    """All items of one file; an error that concerns the file as a whole ends it with one Failure."""
    try:
        if form(path) == ".parquet":
            yield from at_least_one(_read_parquet(path, name, columns))
        else:
            with open_unpacked(path) as stream:
                yield from _read_stream(stream, form(path), name, path, columns)
    except DataError as error:
        yield Failure.of(error, source=path, identifier=name)
    except OSError as error:
        yield Failure.of(unreadable(error), source=path, identifier=name)


def _read_stream(stream: BinaryIO, kind: str, name: str, path: Path, columns: Columns) -> Iterator[Item]:
    match kind:
        case ".txt":
            yield _page(_decode(stream.read()), name, path)
        case ".html" | ".htm":
            yield _read_html(stream.read(), name, path)
        case ".csv":
            yield from at_least_one(_read_csv(stream, name, path, columns))
        case _:
            yield from at_least_one(_read_json_lines(stream, name, path, columns))


def _read_stdin(stream: BinaryIO | None, stdin_format: str, columns: Columns) -> Iterator[Item]:
    name, path = "stdin", Path("<stdin>")
    try:
        if stream is None and sys.stdin is None:
            raise DataError("closed", cure="Send a text into it, or name a file")
        stream = stream or sys.stdin.buffer
        yield from _read_stream(stream, ".jsonl" if stdin_format == "jsonl" else ".txt", name, path, columns)
    except DataError as error:
        yield Failure.of(error, source=path, identifier=name)
    except OSError as error:
        yield Failure.of(unreadable(error), source=path, identifier=name)


def at_least_one(items: Iterator[Item]) -> Iterator[Item]:
    """Pass the items of a file on; raises DataError where there are none."""
    first = next(items, None)
    if first is None:
        raise DataError("holds no records", cure="Leave it out")
    yield first
    yield from items


def _page(text: str, name: str, path: Path) -> Document:
    _refuse_empty(text)
    return Document(id=name, text=text, source=printable(path))


def _refuse_empty(text: str) -> None:
    if not _VISIBLE.search(text):
        raise DataError("empty", cure="Leave it out")


def _decode(data: bytes) -> str:
    _refuse_binary(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte {data[error.start]:#04x} at {error.start}"
        raise DataError(problem, cure=_TO_UTF8) from None


def _refuse_binary(data: bytes) -> None:
    if b"\0" in data[:8192]:
        raise DataError("not text: it holds zero bytes", cure="Give a text file in UTF-8")


def _read_html(data: bytes, name: str, path: Path) -> Document:
    """Extract a page's text with trafilatura: offsets refer to that text, since nobody reads offsets into markup.

    Recall is favoured and comments are left out; the page's headline becomes the first line where it is missing.
    """
    html = _decode_html(data).removeprefix("\ufeff")
    _refuse_empty(html)
    page = _extract(html)
    text = page.text if page is not None and page.text else ""
    if not _VISIBLE.search(text):
        raise DataError("no article text found in the page", cure="Save its text as .txt, or leave it out")
    if page.title and not _begins_with_headline(text, page.title):
        text = f"{page.title}\n{text}"
    return Document(id=name, text=text, source=printable(path), title=page.title, url=page.url, date=page.date)


def _decode_html(data: bytes) -> str:
    """UTF-8, or the encoding that the page itself declares."""
    try:
        return _decode(data)
    except DataError:
        declared = _CHARSET.search(data[:2048])
        if declared is None:
            raise
    try:
        return data.decode(declared[1].decode())
    except (LookupError, UnicodeError):
        raise DataError(f"neither UTF-8 nor {declared[1].decode()!r}, which it declares", cure=_TO_UTF8) from None


def _extract(html: str) -> Any:
    import trafilatura

    # Its own warnings would repeat, without the file's name, what the Failure says.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    try:
        return trafilatura.bare_extraction(html, favor_recall=True, include_comments=False, with_metadata=True)
    except Exception as error:
        # Pages from anywhere go through lxml and many heuristics: what one of them raises concerns this page alone.
        raise DataError(
            f"not parsed as HTML ({type(error).__name__}: {error})", cure="Save its text as .txt"
        ) from error


def _begins_with_headline(text: str, title: str) -> bool:
    """Whether one of the first lines is the headline; a page's title may have the site's name after it."""
    wanted = " ".join(title.casefold().split())
    keys = (" ".join(line.casefold().split()) for line in text.split("\n"))
    first = itertools.islice(filter(None, keys), _HEADLINE_LINES)
    return any(wanted == key or (len(key.split()) >= _HEADLINE_WORDS and wanted.startswith(key)) for key in first)


def _read_json_lines(stream: BinaryIO, name: str, path: Path, columns: Columns) -> Iterator[Item]:
    return line_items(stream, name=name, path=path, columns=columns)


def line_items(stream: BinaryIO, *, name: str, path: Path | str, columns: Columns, first: int = 1) -> Iterator[Item]:
    """One item for each line of JSON that is not empty; `first` is the number that the first line has in its file."""
    for line, data in enumerate(_text_stream(stream) if first == 1 else stream, start=first):
        content = data.removeprefix(b"\xef\xbb\xbf") if line == 1 else data
        if content.strip():
            yield _record(partial(_parse_json, content, path, line), f"{name}-{line}", f"{path}:{line}", columns)


def _text_stream(stream: BinaryIO) -> "io.BufferedReader[Any]":
    raw = cast(io.RawIOBase, stream)
    buffered: io.BufferedReader[Any] = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(raw)
    _refuse_binary(buffered.peek())
    return buffered


def _parse_json(data: bytes, path: Path | str, line: int) -> Mapping[str, Any]:
    try:
        return parse_json_line(data.decode("utf-8"), path=path, line=line)
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte {data[error.start]:#04x} at {error.start} of the line"
        raise DataError(problem, cure=_TO_UTF8) from None
    except ValueError as error:
        # Python refuses to read integers of several thousand digits.
        raise DataError(f"broken JSON ({error})", cure="Give one JSON object a line") from None


def _read_csv(stream: BinaryIO, name: str, path: Path, columns: Columns) -> Iterator[Item]:
    """Rows under a header line, parted by comma, semicolon or tab; what is not UTF-8 fails row by row."""
    csv.field_size_limit(_CSV_FIELD_LIMIT)
    lines = io.TextIOWrapper(_text_stream(stream), encoding="utf-8-sig", errors="surrogateescape", newline="")
    top = lines.readline()
    if not top:
        return
    reader = csv.reader(itertools.chain([top], lines), delimiter=_delimiter(top, columns), strict=True)
    header = [label.strip() for label in _csv_row(_next_row(reader) or [])]
    _columns_read(header, columns)
    number = 0
    while True:
        line = reader.line_num + 1
        row = _next_row(reader)
        if row is None:
            return
        if row:
            number += 1
            yield _record(partial(_csv_record, row, header), f"{name}-{number}", f"{path}:{line}", columns)


def _columns_read(known: Sequence[str], columns: Columns) -> list[str]:
    """Those of a table's columns that are read; raises DataError where that of the texts is missing or one is twice."""
    if columns.text not in known:
        raise DataError(f"no column {columns.text!r} among {known}", cure=_NAME_COLUMN)
    wanted = [label for label in known if label in {columns.text, columns.id, "body", "meta", *_OPTIONAL}]
    for label in wanted:
        if wanted.count(label) > 1:
            raise DataError(f"{wanted.count(label)} columns {label!r}", cure="Give each its own name")
    return wanted


def _delimiter(top: str, columns: Columns) -> str:
    for sign in ",;\t":
        if columns.text in map(str.strip, next(csv.reader([top], delimiter=sign))):
            return sign
    return ","


def _next_row(reader: Iterator[list[str]]) -> list[str] | csv.Error | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        return error


def _csv_row(row: list[str] | csv.Error) -> list[str]:
    if isinstance(row, csv.Error):
        raise DataError(f"broken CSV ({row})", cure='Quote fields with ", and double each " inside')
    if any(map(_SURROGATE.search, row)):
        raise DataError("not UTF-8", cure=_TO_UTF8)
    return row


def _csv_record(row: list[str] | csv.Error, header: Sequence[str]) -> Mapping[str, Any]:
    fields = _csv_row(row)
    if len(fields) != len(header):
        raise DataError(
            f"{len(fields)} fields under {len(header)} columns", cure='Quote texts that hold separators with "'
        )
    record: dict[str, Any] = {label: value or None for label, value in zip(header, fields, strict=True)}
    return {label: _json_cell(value) if label in ("meta", "body") else value for label, value in record.items()}


def _json_cell(value: str | None) -> Any:
    """A cell that holds an object or list is JSON; anything else is left for the check of its field to refuse."""
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError):
        return value


def _read_parquet(path: Path, name: str, columns: Columns) -> Iterator[Item]:
    # Opened here: pyarrow opens no name that is not UTF-8.
    with path.open("rb") as stream:
        yield from row_items(stream, name=name, path=path, columns=columns)


def row_items(
    file: Any,
    *,
    name: str,
    path: Path | str,
    columns: Columns,
    groups: Sequence[int] | None = None,
    first: int = 1,
) -> Iterator[Item]:
    """One item for each row of an open Parquet file, or of some of its row groups, in order.

    `first` is the number that the first row read has in its file.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file, buffer_size=1 << 20) as table:
            wanted = _columns_read(table.schema_arrow.names, columns)
            rows = _parquet_rows(table.iter_batches(batch_size=_PARQUET_ROWS, row_groups=groups, columns=wanted))
            for number, parse in enumerate(rows, start=first):
                yield _record(parse, f"{name}-{number}", f"{path}:{number}", columns)
    except pyarrow.ArrowException as error:
        raise DataError(f"not a whole Parquet file ({error})", cure="Write it again") from None


def _parquet_rows(batches: Iterable[Any]) -> Iterator[Callable[[], Mapping[str, Any]]]:
    for batch in batches:
        for index in range(batch.num_rows):
            yield partial(_parquet_record, batch, index)


def _parquet_record(batch: Any, index: int) -> Mapping[str, Any]:
    return {label: _parquet_cell(batch.column(label)[index], label) for label in batch.schema.names}


def _parquet_cell(cell: Any, label: str) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        raise DataError("not UTF-8", cure="Write the file again with texts in UTF-8") from None
    except (ValueError, OverflowError, LookupError) as error:
        # Dates past those that Python knows, or in a time zone that this machine does not.
        raise DataError(f"cannot be read ({error})", field=label, cure="Write it as a string") from None


def _record(parse: Callable[[], Mapping[str, Any]], name: str, place: str, columns: Columns) -> Item:
    """Turn what `parse` gives into a Document; an error becomes a Failure, under the record's own id if it has one."""
    identifier = name
    try:
        record = parse()
        identifier = _identifier(record.get(columns.id), columns) or name
        return _document(record, identifier, place, columns)
    except DataError as error:
        return Failure.of(error, source=place, identifier=identifier)


def _identifier(value: Any, columns: Columns) -> str | None:
    if type(value) is int:
        return str(value)
    return _string(value, columns.id)


def _document(record: Mapping[str, Any], identifier: str, place: str, columns: Columns) -> Document:
    if record.get(columns.text) is None:
        raise DataError("missing", field=columns.text, cure="Every record needs its text; name the field that holds it")
    text = _string(record[columns.text], columns.text) or ""
    if not _VISIBLE.search(text):
        raise DataError("empty", field=columns.text, cure="Leave the record out")
    title, url, date, origin = (_string(record.get(label), label) for label in _OPTIONAL)
    return Document(
        id=identifier,
        text=text,
        source=printable(place),
        body=_body(record.get("body"), len(text)),
        title=title,
        url=url,
        date=date,
        origin=origin,
        meta=_meta(record.get("meta")),
    )


def _string(value: Any, label: str) -> str | None:
    """A field's text; dates as Parquet has them are written out; None where there is nothing."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if value is not None and not isinstance(value, str):
        raise DataError(f"is {type(value).__name__}", field=label, cure="Give a string")
    if value and _SURROGATE.search(value):
        raise DataError("holds half a surrogate pair", field=label, cure="Write it as whole Unicode characters")
    return value or None


def _body(value: Any, length: int) -> tuple[int, int] | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(type(offset) is int for offset in value):
        start, end = value
        if 0 <= start < end <= length:
            return start, end
    raise DataError(
        f"found {reprlib.repr(value)}", field="body", cure=f"Give [start, end] with 0 <= start < end <= {length}"
    )


def _meta(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DataError(f"is {type(value).__name__}", field="meta", cure="Give an object")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"cannot be stored as JSON ({error})", field="meta", cure="Give plain values") from None
    return value
