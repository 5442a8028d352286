"""Tagged articles as JSON lines, CSV or Parquet, chosen by the output's suffix."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from hoidam.document import Tagged
from hoidam.errors import DataError
from hoidam.files import json_line, refuse_inputs, refuse_overwrite, whole_file

FORMS = (".jsonl", ".csv", ".parquet")

_ROW_GROUP = 1000


class TaggedWriter(Protocol):
    """Takes tagged articles one by one, each with the text that its offsets refer to."""

    def write(self, tagged: Tagged, text: str) -> None:
        """Write one article."""


class JsonLinesWriter:
    """One object a line, as the file formats of the project have it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, tagged: Tagged, text: str) -> None:
        """Write one article as one line."""
        self._stream.write(json_line(tagged.to_dict(text)))


class CsvWriter:
    """One row a span, with the article's columns repeated; an article without spans has one row without a span."""

    _ARTICLE = ("id", "source", "categories", "model")
    _SPAN = ("start", "end", "type", "category", "text", "score")

    def __init__(self, stream: IO[str]) -> None:
        self._rows = csv.DictWriter(stream, [*self._ARTICLE, *self._SPAN], restval="", lineterminator="\n")
        self._rows.writeheader()

    def write(self, tagged: Tagged, text: str) -> None:
        """Write one article as one row a span."""
        record = tagged.to_dict(text)
        article = {name: record[name] for name in self._ARTICLE}
        article["categories"] = " ".join(f"{name}:{score}" for name, score in record["categories"].items())
        self._rows.writerows(article | span for span in record["spans"] or [{}])


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
        ]
    )

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = pq.ParquetWriter(stream, self._SCHEMA)
        self._rows: list[dict[str, Any]] = []

    def write(self, tagged: Tagged, text: str) -> None:
        """Take one article; rows are written by the group."""
        record = tagged.to_dict(text)
        record["categories"] = [{"name": name, "score": score} for name, score in record["categories"].items()]
        self._rows.append(record)
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


def check_output(path: Path, *, inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Raise DataError on a suffix that has no form, on one of the `inputs`, and on what exists without `force`."""
    if path.suffix.lower() not in FORMS:
        raise DataError(f"no output form {path.suffix!r}", path=path, cure="Use .jsonl, .csv or .parquet")
    for taken in (path, errors_path(path)):
        refuse_overwrite(taken, force=force)
    refuse_inputs(path, inputs)


@contextmanager
def open_writer(path: Path, *, force: bool = False) -> Iterator[TaggedWriter]:
    """A writer whose file appears whole when the block ends; raises DataError as `check_output` does."""
    check_output(path, force=force)
    match path.suffix.lower():
        case ".jsonl":
            with whole_file(path, force=force) as stream:
                yield JsonLinesWriter(stream)
        case ".csv":
            with whole_file(path, force=force) as stream:
                yield CsvWriter(stream)
        case _:
            with whole_file(path, force=force, binary=True) as stream, closing(ParquetWriter(stream)) as writer:
                yield writer
