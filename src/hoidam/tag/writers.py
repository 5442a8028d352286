"""Records of tagged articles as JSON lines, CSV or Parquet, chosen by the output's suffix.

JSON lines and CSV may be compressed, by a further `.gz` or `.zst`; the same records give the same bytes.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from hoidam.errors import DataError
from hoidam.files import json_line, whole_file
from hoidam.ingest.discover import COMPRESSIONS, form

FORMS = (".jsonl", ".csv", ".parquet")

_ROW_GROUP = 1000


class TaggedWriter(Protocol):
    """Takes the records of tagged articles one by one."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one article."""

    def close(self) -> None:
        """Write what is left; the writer is not used again."""


class JsonLinesWriter:
    """One object a line, as the file formats of the project have it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one article as one line."""
        self._stream.write(json_line(record))

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class CsvWriter:
    """One row a span, with the article's columns repeated; an article without spans has one row without a span."""

    _ARTICLE = ("id", "source", "categories", "model", "duplicate_of")
    _SPAN = ("start", "end", "type", "category", "text", "score")

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        columns = [*self._ARTICLE, *self._SPAN]
        # Python quotes a field for the characters that end rows, and readers end rows at a carriage return too.
        self._rows = csv.DictWriter(_LineFeeds(stream), columns, restval="", lineterminator="\r\n")
        self._rows.writeheader()

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one article as one row a span."""
        article = {name: record.get(name, "") for name in self._ARTICLE}
        article["categories"] = " ".join(f"{name}:{score}" for name, score in record["categories"].items())
        self._rows.writerows(article | span for span in record["spans"] or [{}])

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class _LineFeeds:
    """Takes rows that end in carriage return and line feed and ends them in a line feed."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        self._stream.write(row.removesuffix("\r\n") + "\n")


class ParquetWriter:
    """One row an article, spans and categories as lists of structs."""

    _SPANS = pa.list_(
        pa.struct(
            [
                ("start", pa.int64()),
                ("end", pa.int64()),
                ("type", pa.string()),
                ("category", pa.string()),
                ("text", pa.string()),
                ("score", pa.float64()),
            ]
        )
    )
    _CATEGORIES = pa.list_(pa.struct([("name", pa.string()), ("score", pa.float64())]))
    _SCHEMA = pa.schema(
        [
            ("id", pa.string()),
            ("source", pa.string()),
            ("spans", _SPANS),
            ("categories", _CATEGORIES),
            ("model", pa.string()),
            ("duplicate_of", pa.string()),
        ]
    )

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = pq.ParquetWriter(stream, self._SCHEMA)
        self._rows: list[dict[str, Any]] = []

    def write(self, record: Mapping[str, Any]) -> None:
        """Take one article; rows are written by the group."""
        categories = [{"name": name, "score": score} for name, score in record["categories"].items()]
        self._rows.append({**record, "categories": categories})
        if len(self._rows) >= _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left and the file's footer."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, schema=self._SCHEMA))
            self._rows = []


def errors_path(output: Path) -> Path:
    """Where the failures of a run are listed that writes to `output`."""
    return output.with_name(f"{output.name}.errors.jsonl")


def check_form(path: Path) -> None:
    """Raise DataError on an output whose suffix has no form, or that is a folder."""
    if form(path) not in FORMS:
        raise DataError(
            f"no output form {path.suffix!r}",
            path=path,
            cure="Use .jsonl, .csv or .parquet; the first two also with .gz or .zst",
        )
    if path.is_dir():
        raise DataError("is a folder", path=path, cure="Give the name of a file")


@contextmanager
def open_writer(path: Path, *, force: bool = False) -> Iterator[TaggedWriter]:
    """A writer whose file appears whole when the block ends; raises DataError as `check_form` and `whole_file` do."""
    check_form(path)
    with whole_file(path, force=force, binary=True) as stream, closing(_make_writer(stream, path)) as writer:
        yield writer


def _make_writer(stream: IO[bytes], path: Path) -> TaggedWriter:
    if form(path) == ".parquet":
        return ParquetWriter(stream)
    compression = COMPRESSIONS.get(path.suffix.lower())
    binary = stream if compression is None else pa.CompressedOutputStream(stream, compression)
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
    return JsonLinesWriter(text) if form(path) == ".jsonl" else CsvWriter(text)
