"""Inputs as shards: stretches of JSON lines or Parquet files that any machine can read by itself.

Files lie on a disk that every machine sees or in an object store, as pyarrow's file systems reach them. A file of up to
`SHARD_BYTES` is one shard and is not opened to be planned. A larger one is cut: JSON lines where lines begin, Parquet
between row groups. Every record keeps the line or row that it has in its file.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from hoidam.errors import DataError, UnreachableError
from hoidam.ingest.discover import BY_PRODUCTS, Failure, discover, name_files
from hoidam.ingest.readers import Columns, Item, at_least_one, line_items, row_items
from hoidam.stores import find, is_uri, locate, reaching, refusal, refuse_odd_name

LINES, ROWS = ".jsonl", ".parquet"
SHARD_BYTES = 32 << 20
"""Some 10,000 articles as JSON lines: minutes of work for one core, which is what is lost with a machine."""

_BLOCK = 1 << 23
_READERS = 16


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of records: `source` as it was given, `place` as every machine can open it, `size` in bytes.

    A source leaves out the options of a URI. Records without an id number on from `name`.
    """

    source: str
    place: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A stretch of a file from its line or row `first` on (from 1).

    `start` to `end` are bytes of JSON lines and row groups of Parquet; without an end it is the whole file.
    """

    file: InputFile
    first: int = 1
    start: int = 0
    end: int | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Shard":
        return cls(**{**data, "file": InputFile(**data["file"])})


def find_files(inputs: Sequence[str]) -> list[InputFile]:
    """The files of records behind files, folders and globs, by path or URI, in the order of `inputs`.

    What a folder holds is sorted. Raises DataError where there is nothing behind an input or another kind of file.
    """
    found: dict[str, tuple[str, int]] = {}
    for source, place, size in chain.from_iterable(map(_find, inputs)):
        found.setdefault(place, (source, size))
    names = name_files(Path(source) for source, _ in found.values())
    # What differs by the options of its URI alone has no name of its own.
    return [InputFile(source, place, names.get(Path(source), place), size) for place, (source, size) in found.items()]


def _find(given: str) -> Iterator[tuple[str, str, int]]:
    """Source, place and size of each file behind an input."""
    files = _find_uri(given) if is_uri(given) else _find_local(given)
    for source, place, size in files:
        refuse_odd_name(place)
        if Path(source).suffix.lower() not in (LINES, ROWS):
            raise DataError(
                f"not a {LINES} or {ROWS} file", path=source, cure="Gather articles with `hoidam ingest` first"
            )
        yield source, place, size


def _find_local(given: str) -> Iterator[tuple[str, str, int]]:
    found = discover([given])
    for failure in found.failures:
        raise DataError(failure.error)
    for path in found.files:
        yield str(path), str(path.absolute()), path.stat().st_size if path.exists() else 0


def _find_uri(given: str) -> Iterator[tuple[str, str, int]]:
    found = [file for file in find(given) if not file.inner or _is_input(file.inner)]
    if not found:
        raise DataError("holds no input", path=given, cure=f"Kinds read: {LINES}, {ROWS}")
    yield from ((file.source, file.place, file.size) for file in found)


def _is_input(path: str) -> bool:
    """Whether a file holds records, and is not one that programs keep for themselves."""
    hidden = any(part.startswith((".", "_")) for part in path.split("/"))
    return path.lower().endswith((LINES, ROWS)) and not path.endswith(BY_PRODUCTS) and not hidden


def cut_files(files: Sequence[InputFile], *, size: int = SHARD_BYTES) -> list[Shard]:
    """The shards of files, in order, of about `size` bytes each; raises DataError where a large one cannot be read."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(chain.from_iterable(pool.map(partial(_cut, size=size), files)))


def _cut(file: InputFile, *, size: int) -> list[Shard]:
    from pyarrow import ArrowInvalid

    if file.size <= size:
        return [Shard(file)]
    try:
        with reaching(file.source):
            begins = list(_cut_lines(file, size) if _holds_lines(file) else _cut_rows(file, size))
    except ArrowInvalid:
        # No Parquet: whoever reads the shard will say so.
        return [Shard(file)]
    ends = [start for _, start in begins[1:]]
    return [Shard(file, first, start, end) for (first, start), end in zip(begins[:-1], ends, strict=True)]


def _holds_lines(file: InputFile) -> bool:
    return Path(file.source).suffix.lower() == LINES


def _cut_lines(file: InputFile, size: int) -> Iterator[tuple[int, int]]:
    """Line and byte where each shard begins, the first line at or past a multiple of `size`, and the file's end."""
    line = 1
    position, goal = 0, size
    yield line, position
    filesystem, path = locate(file.place)
    with filesystem.open_input_stream(path, compression=None) as stream:
        while block := stream.read(_BLOCK):
            done = 0
            while (found := block.find(b"\n", max(done, goal - 1 - position))) >= 0:
                line += block.count(b"\n", done, found + 1)
                done = found + 1
                goal = position + done + size
                if position + done < file.size:
                    yield line, position + done
            line += block.count(b"\n", done)
            position += len(block)
    yield line, file.size


def _cut_rows(file: InputFile, size: int) -> Iterator[tuple[int, int]]:
    """Row and row group where each shard begins, as soon as the groups before hold `size` bytes, and the file's end."""
    from pyarrow import parquet

    filesystem, path = locate(file.place)
    with filesystem.open_input_file(path) as stream:
        metadata = parquet.ParquetFile(stream).metadata
    row, held = 1, size
    for index in range(metadata.num_row_groups):
        if held >= size:
            held = 0
            yield row, index
        group = metadata.row_group(index)
        row += group.num_rows
        held += group.total_byte_size
    yield row, metadata.num_row_groups


def read_shard(shard: Shard, *, columns: Columns) -> Iterator[Item]:
    """One Document or Failure a record, as reading the whole file gives them; ids are not compared with each other.

    Raises UnreachableError where the system does not let the file be read.
    """
    file = shard.file
    try:
        items = _line_items(shard, columns) if _holds_lines(file) else _row_items(shard, columns)
        yield from at_least_one(items) if shard.end is None else items
    except DataError as error:
        yield Failure.of(error, source=file.source, identifier=file.name)
    except OSError as error:
        found = refusal(error)
        raise UnreachableError(found.problem, cure=found.cure) from None


def _line_items(shard: Shard, columns: Columns) -> Iterator[Item]:
    file = shard.file
    filesystem, path = locate(file.place)
    with filesystem.open_input_file(path) as stream:
        stream.seek(shard.start)
        lines = io.BytesIO(stream.read(None if shard.end is None else shard.end - shard.start))
    yield from line_items(lines, name=file.name, path=file.source, columns=columns, first=shard.first)


def _row_items(shard: Shard, columns: Columns) -> Iterator[Item]:
    file = shard.file
    groups = None if shard.end is None else range(shard.start, shard.end)
    filesystem, path = locate(file.place)
    with filesystem.open_input_file(path) as stream:
        yield from row_items(
            stream, name=file.name, path=file.source, columns=columns, groups=groups, first=shard.first
        )
