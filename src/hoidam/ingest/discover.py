"""The input files behind files, folders, globs and `-`, in a fixed order, and a name for each of them."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoidam.errors import DataError

PAGES, RECORDS = (".txt", ".html", ".htm"), (".jsonl", ".csv", ".parquet")
SUFFIXES = PAGES + RECORDS
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
KINDS = f"{', '.join(SUFFIXES)}, and all but the last as .gz or .zst"
STDIN = Path("-")
BY_PRODUCTS = (".errors.jsonl", ".duplicates.jsonl")
"""Ends of the names of what runs write beside their output."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One input that could not be read; `error` names the place, what was found and the cure."""

    id: str
    source: str
    error: str

    def to_dict(self) -> dict[str, str]:
        return {"id": self.id, "source": self.source, "error": self.error}

    @classmethod
    def of(cls, error: DataError, *, source: Path | str, identifier: str | None = None) -> "Failure":
        """The failure of `source`, whose name the message carries even where the error did not know it."""
        place = printable(source)
        return cls(identifier or place, place, printable(str(error.at(source))))


@dataclass(frozen=True, slots=True)
class Found:
    """Input files in reading order, inputs that are none, and how many other files the folders and globs held."""

    files: tuple[Path, ...] = ()
    failures: tuple[Failure, ...] = ()
    passed_over: int = 0


def discover(inputs: Sequence[str | Path]) -> Found:
    """Find the input files behind files, folders (searched to the bottom), globs and `-` for standard input.

    The order of `inputs` is kept; what one folder or glob holds is sorted; a file met twice is read once. Other files
    in folders, and hidden ones, are counted; a named file of another kind, or a name with nothing behind it, fails.
    """
    return _join(_expand(str(given)) for given in inputs)


def form(path: Path) -> str:
    """The suffix that says what a file holds, in small letters: `.jsonl` of `a.jsonl` and of `a.jsonl.gz`."""
    suffix, inner = path.suffix.lower(), path.with_suffix("").suffix.lower()
    # Parquet compresses itself and is not read as a stream.
    return inner if suffix in COMPRESSIONS and inner != ".parquet" else suffix


def printable(path: Path | str) -> str:
    """A path as text that can be written as UTF-8, whatever bytes its name is made of."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def unreadable(error: OSError | ValueError) -> DataError:
    """What the operating system said, as an error for a person."""
    found = (error.strerror if isinstance(error, OSError) else None) or error
    return DataError(f"cannot be read ({found})", cure="Check the path and your rights to it")


def name_files(files: Iterable[Path]) -> dict[Path, str]:
    """The shortest name that tells each file from the others: stem, folder and stem, path, path with suffix.

    A text or HTML file's name is its id; records without an id number on from their file's name.
    """
    forms = (
        lambda path: _bare(path).name,
        lambda path: f"{path.parent.name}/{_bare(path).name}".lstrip("/"),
        lambda path: _bare(path).as_posix(),
        lambda path: path.as_posix(),
    )
    files = list(files)
    names: dict[Path, str] = {}
    for suffixes in (PAGES, RECORDS):
        left = [path for path in files if form(path) in suffixes]
        for name in forms:
            counts = Counter(map(name, left))
            names |= {path: printable(name(path)) for path in left if counts[name(path)] == 1}
            left = [path for path in left if counts[name(path)] > 1]
    return names


def _bare(path: Path) -> Path:
    """The path without its suffix, and without that of a compression."""
    return path.with_suffix("").with_suffix("") if path.suffix.lower() in COMPRESSIONS else path.with_suffix("")


def _join(parts: Iterable[Found]) -> Found:
    files: dict[Path, Path] = {}
    failures: list[Failure] = []
    passed_over = 0
    for part in parts:
        for path in part.files:
            files.setdefault(path.absolute(), path)
        failures += part.failures
        passed_over += part.passed_over
    return Found(tuple(files.values()), tuple(failures), passed_over)


def _expand(given: str) -> Found:
    path = Path(given)
    try:
        if path == STDIN:
            return Found((STDIN,))
        if path.is_dir():
            return _walk(path)
        if path.exists() or path.is_symlink():
            return _named(path)
    except (OSError, ValueError) as error:
        return Found(failures=(Failure.of(unreadable(error), source=given),))
    return _match(given)


def _named(path: Path) -> Found:
    if form(path) in SUFFIXES:
        return Found((path,))
    problem = f"a file of kind {path.suffix!r}" if path.suffix else "a file without a suffix"
    return Found(failures=(Failure.of(DataError(problem, cure=f"Give one of {KINDS}"), source=path),))


def _match(pattern: str) -> Found:
    is_pattern = glob.has_magic(pattern)
    matches = sorted(glob.glob(pattern, recursive=True)) if is_pattern else []  # noqa: PTH207 (absolute ones too)
    if not matches:
        problem = "the pattern matches nothing" if is_pattern else "no such file or folder"
        return Found(failures=(Failure.of(DataError(problem, cure="Check the path"), source=pattern),))
    return _join(_walk(Path(match)) if Path(match).is_dir() else _sift([Path(match)]) for match in matches)


def _walk(folder: Path) -> Found:
    """All files under a folder, links followed, each real folder entered once."""
    failures: list[Failure] = []

    def refused(error: OSError) -> None:
        failures.append(Failure.of(unreadable(error), source=error.filename or folder))

    paths: list[Path] = []
    entered: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True, onerror=refused):
        real = os.path.realpath(root)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(root, name) for name in names]
    found = _sift(sorted(paths))
    if not found.files and not failures:
        failures.append(Failure.of(DataError("holds no input", cure=f"Kinds read: {KINDS}"), source=folder))
    return Found(found.files, tuple(failures), found.passed_over)


def _sift(paths: Sequence[Path]) -> Found:
    """Keep what can be read; hidden files and what earlier runs wrote beside their output are no input."""
    kept = tuple(path for path in paths if form(path) in SUFFIXES and not _is_by_product(path.name))
    return Found(kept, passed_over=len(paths) - len(kept))


def _is_by_product(name: str) -> bool:
    return name.startswith(".") or name.endswith(BY_PRODUCTS)
