"""Files that appear whole or not at all, and JSON lines that say where they are broken."""

import hashlib
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hoidam.errors import DataError

_OTHER_FOLDER = "Choose a folder of yours"


def refuse_overwrite(path: Path, *, force: bool) -> None:
    """Raise DataError where `path` exists and `force` is not given."""
    if path.exists() and not force:
        raise DataError("exists already", path=path, cure="Give another name, or --force to replace it")


def refuse_inputs(path: Path, inputs: Iterable[Path]) -> None:
    """Raise DataError where `path` is one of the files that are read: not even `force` replaces these."""
    target = path.resolve()
    if path.exists() and any(given.resolve() == target for given in inputs):
        raise DataError("is one of the inputs", path=path, cure="Write the output somewhere else")


@contextmanager
def writing(path: Path, *, cure: str = "Make room there") -> Iterator[None]:
    """Turn what the system refuses in a block that writes `path` into a DataError that names it."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror or error})", path=path, cure=cure) from None


@contextmanager
def whole_file(path: Path, *, force: bool = False, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a file for writing that takes its name only when the block ends without an exception.

    Raises DataError where the name is taken and `force` is not given or a folder's, or where nothing can be written.
    """
    refuse_overwrite(path, force=force)
    if path.is_dir():
        raise DataError("is a folder", path=path, cure="Give the name of a file")
    with writing(path, cure=_OTHER_FOLDER):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        partial = Path(name)
    try:
        with os.fdopen(handle, "wb" if binary else "w", encoding=None if binary else "utf-8") as stream:
            yield stream
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a folder to fill that takes its name only when the block ends without an exception.

    Raises DataError where the name is taken and `force` is not given or a file's, or where nothing can be written.
    """
    refuse_overwrite(path, force=force)
    if path.is_file():
        raise DataError("is a file", path=path, cure="Give the name of a folder")
    with writing(path, cure=_OTHER_FOLDER):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial"))
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_text(path: Path) -> str:
    """Read a UTF-8 file exactly as it is, line ends and byte-order mark included in the code points given back.

    Raises DataError that names the byte where it is not UTF-8 text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", path=path, cure="Give a file that is there and yours to read"
        ) from None
    if b"\0" in data[:8192]:
        raise DataError("not text: it holds zero bytes", path=path, cure="Give a text file in UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8: byte {data[error.start]:#04x} at {error.start}",
            path=path,
            cure="Convert it first, for example with `iconv -f LATIN1 -t UTF-8`",
        ) from None


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises DataError with the file's name where it is missing or broken."""
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"not TOML ({error})", path=path, cure="Correct it there") from None


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for every non-empty line; raises DataError with file and line."""
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if text.strip():
            yield line, parse_json_line(text, path=path, line=line)


def parse_json_line(text: str, *, path: Path | str, line: int) -> dict[str, Any]:
    """Read one line as a JSON object; raises DataError with file and line."""
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        found = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise DataError(f"broken JSON ({found})", path=path, line=line, cure="Give one JSON object a line") from None
    if not isinstance(record, dict):
        raise DataError(
            f"found a {type(record).__name__}", path=path, line=line, cure="Give one JSON object a line"
        ) from None
    return record


def write_json_lines(path: Path, records: Iterable[Mapping[str, Any]], *, force: bool = False) -> None:
    """Write one JSON object a line, in readable Unicode; the file appears whole or not at all."""
    with whole_file(path, force=force) as stream:
        for record in records:
            stream.write(json_line(record))


def json_line(record: Mapping[str, Any]) -> str:
    """One object as one line of JSON, line end included."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def toml_value(value: Any) -> str:
    """A string, number, truth value, or a list of them as TOML on one line, in readable Unicode.

    Strings are written as JSON has them, whose escapes are TOML's; TOML alone escapes the delete character.
    """
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
