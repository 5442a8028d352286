"""Segmenting ahead: the lines of a corpus cut into words by several processes, and kept for the next run.

A cache is a folder of Parquet files for each segmenter and version, with the columns `line` and `words`. A file appears
whole, is never changed, and has the hash of its bytes for a name: damage is found, and processes need no lock.
"""

import hashlib
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hoidam.encode.segmenters import Segmenter, load_segmenter
from hoidam.errors import DataError
from hoidam.files import whole_file
from hoidam.progress import progress

CACHE_FOLDER = "HOIDAM_CACHE"
"""The environment variable that names the folder to keep segmented lines in."""

_FORM = 1
"""To be raised when this package makes other words of what a version of a segmenter gives."""
_FILE_LINES = 20_000
"""Lines that are kept in one file: what a run that is stopped loses at most."""
_PROCESS_LINES = 5_000
"""Lines that are worth another process: it takes some three seconds to start, in which one segments half of these."""
_TASK_LINES = 250
"""Lines that a process is handed at once."""

_SCHEMA = pa.schema({"line": pa.string(), "words": pa.list_(pa.string())})
_loaded = cache(load_segmenter)


def cache_folder() -> Path:
    """The folder that HOIDAM_CACHE names, else `hoidam` in the platform's folder for caches."""
    named = os.environ.get(CACHE_FOLDER)
    if named:
        return Path(named)
    usual = {"win32": Path.home() / "AppData" / "Local", "darwin": Path.home() / "Library" / "Caches"}
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return (Path(base) if base else usual.get(sys.platform, Path.home() / ".cache")) / "hoidam"


def segment_ahead(segmenter: Segmenter, texts: Iterable[str], *, workers: int, folder: Path) -> Segmenter:
    """The same segmenter with the lines of normalised `texts` in its memory, and later ones as they come.

    Lines that the cache in `folder` lacks are cut by up to `workers` processes, 1 or more, and kept there. A file of
    the cache that is damaged is removed, and a cache that cannot be written is done without, each with a line on
    standard error. A segmenter that comes with hoidam is quicker than any memory, and given back as it is.
    """
    if not segmenter.package:
        return segmenter
    wanted = dict.fromkeys(line for text in texts for line in text.split("\n") if line.strip())
    kept = folder / "segmented" / f"{segmenter.name}-{segmenter.version}-{_FORM}"
    known = {line: words for line, words in _read(kept) if line in wanted}
    missing = [line for line in wanted if line not in known]
    fresh = _segment(segmenter, missing, workers=workers)
    with progress("segmenting lines", total=len(missing)) as step:
        for start in range(0, len(missing), _FILE_LINES):
            lines = missing[start : start + _FILE_LINES]
            for line, words in zip(lines, islice(fresh, len(lines)), strict=True):
                known[line] = words
                step()
            _keep(kept, lines, [known[line] for line in lines])
    return replace(segmenter, segment=partial(_remember, segmenter, known))


def _remember(segmenter: Segmenter, known: dict[str, list[str] | None], line: str) -> list[str] | None:
    if line not in known:
        known[line] = segmenter.segment(line)
    return known[line]


def _segment(segmenter: Segmenter, lines: Sequence[str], *, workers: int) -> Iterator[list[str] | None]:
    """The words of each line, in the order of the lines."""
    workers = min(workers, len(lines) // _PROCESS_LINES)
    if workers <= 1:
        yield from map(segmenter.segment, lines)
        return
    # Segmenters cannot be sent to a process, and a fork would take along the threads of libraries that are loaded here.
    task = partial(_segment_line, segmenter.name, segmenter.version)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(task, lines, chunksize=_TASK_LINES)


def _segment_line(name: str, version: str, line: str) -> list[str] | None:
    return _loaded(name, version=version).segment(line)


def _read(kept: Path) -> Iterator[tuple[str, list[str] | None]]:
    for path in sorted(kept.glob("*.parquet")):
        try:
            content = path.read_bytes()
        except OSError:
            # Another process found it damaged and removed it, or it is not ours to read.
            continue
        if hashlib.sha256(content).hexdigest() != path.stem:
            print(f"{path}: damaged; it is removed, and its lines are segmented anew", file=sys.stderr)
            with suppress(OSError):
                path.unlink()
            continue
        table = pq.read_table(pa.BufferReader(content))
        yield from zip(table["line"].to_pylist(), table["words"].to_pylist(), strict=True)


def _keep(kept: Path, lines: Sequence[str], words: Sequence[Sequence[str] | None]) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table({"line": lines, "words": words}, schema=_SCHEMA), buffer, compression="zstd")
    content = buffer.getvalue().to_pybytes()
    try:
        with whole_file(kept / f"{hashlib.sha256(content).hexdigest()}.parquet", force=True, binary=True) as stream:
            stream.write(content)
    except (DataError, OSError) as error:
        print(f"segmented lines are not kept: {error}", file=sys.stderr)
