"""Places that pyarrow's file systems reach: local paths and URIs, such as `s3://bucket/folder`.

A URI is written as people write it: letters of any script and spaces stand for themselves, `%20` for a space too. What
follows a `?` are options of pyarrow's, such as `endpoint_override`; they belong to the place and not to a file's name.
"""

import glob
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from hoidam.errors import DataError

_PLAIN = "%/:@!$&'()*+,;=~"
"""What may stand in the path of a URI besides letters, digits and `_.-`, with the sign of what is escaped already."""
_SECRET = re.compile(r"(\w+://)[^/@]*:[^/@]*@")
_PARTIAL = "partial"
_CURES = {
    r"AWS Error NO_SUCH_BUCKET|Bucket '.*' not found": "Make the bucket first, or correct its name",
    r"AWS Error \w*(ACCESS|SIGNATURE|TOKEN|EXPIRED|UNKNOWN \(HTTP status 40[013]\))": "Set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to keys that have the right to it",
    r"AWS Error \w*(NETWORK|TIMEOUT)": "Check the network and the address of the store, which AWS_ENDPOINT_URL gives "
    "or endpoint_override in the URI",
}
"""What to do by what pyarrow says, whose errors have no other mark of their kind."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of `size` bytes at `inner` below the URI `folder` as it was given, whose `query` has its `?`."""

    folder: str
    inner: str
    query: str
    size: int

    @property
    def source(self) -> str:
        """Its name for people."""
        return self.folder + self.inner

    @property
    def place(self) -> str:
        """Its URI, by which it is opened."""
        return self.folder + quote(self.inner) + self.query


def is_uri(place: str) -> bool:
    """Whether a place is a URI and no local path."""
    return "://" in place


def locate(place: str) -> tuple[Any, str]:
    """The pyarrow file system of a place, a URI or a local path, and its path there.

    Raises DataError on a name that is not UTF-8, where no such file system is known or it does not answer, and where a
    URI holds a secret key.
    """
    from pyarrow.fs import FileSystem, LocalFileSystem

    if not is_uri(place):
        refuse_odd_name(place)
        return LocalFileSystem(), str(Path(place).absolute())
    if found := _SECRET.match(place):
        cure = "It would be written into records: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        raise DataError("a secret key in a URI", path=found[1] + place[found.end() :], cure=cure)
    base, query = _split(place)
    try:
        with reaching(place):
            filesystem, path = FileSystem.from_uri(quote(base, safe=_PLAIN) + query)
    except (ValueError, ImportError, NotImplementedError) as error:
        raise DataError(
            f"cannot be reached ({error})", path=place, cure="Give a path, or a URI as pyarrow has them"
        ) from None
    return filesystem, path.rstrip("/") or path


def refuse_odd_name(place: str) -> None:
    """Raise DataError on a name made of bytes that are not UTF-8, which pyarrow's file systems do not take."""
    try:
        place.encode()
    except UnicodeEncodeError:
        raise DataError("a name that is not UTF-8", path=place, cure="Rename it") from None


def join(place: str, inner: str) -> str:
    """The place of what lies at `inner` in the folder `place`."""
    base, query = _split(place) if is_uri(place) else (place, "")
    return f"{base.rstrip('/')}/{inner}{query}"


def _split(uri: str) -> tuple[str, str]:
    base, question, query = uri.partition("?")
    return base, question + query


@contextmanager
def reaching(place: str) -> Iterator[None]:
    """Turn what a file system refuses in a block into a DataError that names the place."""
    try:
        yield
    except OSError as error:
        raise refusal(error).at(place) from None


def refusal(error: OSError) -> DataError:
    """What a file system said, in one line with what to do about it."""
    found = " ".join(str(error.strerror or error).split())
    cure = next((cure for pattern, cure in _CURES.items() if re.search(pattern, found)), None)
    return DataError(f"cannot be reached ({found})", cure=cure or "Check the place and your rights to it")


def find(uri: str) -> list[Stored]:
    """The files behind the URI of a file, of a folder (searched to the bottom) or of a pattern of such, sorted.

    `*` and `[…]` match within a name, `**` any folders, as they do on a disk; a `?` would begin the options. Raises
    DataError where nothing can be reached there.
    """
    from pyarrow.fs import FileType

    base, query = _split(uri)
    names = base.split("/")
    # Scheme, `//` and bucket or host come first.
    magic = next((place for place, name in enumerate(names) if place > 2 and glob.has_magic(name)), len(names))
    folder, pattern = "/".join(names[:magic]).removesuffix("/"), [unquote(name) for name in names[magic:]]
    if pattern and not pattern[-1]:
        # A slash at the end asks for folders alone, which are searched to the bottom.
        pattern[-1] = "**"
    filesystem, path = locate(folder + query)
    with reaching(uri):
        [info] = filesystem.get_file_info([path])
        if info.type == FileType.File and not pattern:
            return [Stored(folder, "", query, info.size)]
        found = {info.path: info.size for info in _match(filesystem, path, pattern)}
    # A path that is a root ends with a slash already.
    start = len(path.rstrip("/"))
    return [Stored(folder, inner[start:], query, size) for inner, size in sorted(found.items())]


def _match(filesystem: Any, folder: str, pattern: Sequence[str]) -> Iterator[Any]:
    """What pyarrow knows of each file in a folder that a pattern, name by name, matches, or a folder of it does."""
    from pyarrow.fs import FileSelector, FileType

    to_the_bottom = not pattern or pattern == ["**"]
    for info in filesystem.get_file_info(FileSelector(folder, recursive=to_the_bottom)):
        is_folder = info.type == FileType.Directory
        if to_the_bottom:
            if not is_folder:
                yield info
        elif pattern[0] == "**":
            if is_folder:
                yield from _match(filesystem, info.path, pattern)
        elif fnmatchcase(info.base_name, pattern[0]):
            if is_folder:
                yield from _match(filesystem, info.path, pattern[1:])
            elif len(pattern) == 1:
                yield info
    if pattern[:1] == ["**"] and not to_the_bottom:
        yield from _match(filesystem, folder, pattern[1:])


def _holds_files(filesystem: Any, folder: str) -> bool:
    """Whether there is a file in a folder, however deep; no more is listed than it takes to know."""
    from pyarrow.fs import FileSelector, FileType

    infos = filesystem.get_file_info(FileSelector(folder))
    folders = [info.path for info in infos if info.type == FileType.Directory]
    return len(folders) < len(infos) or any(_holds_files(filesystem, inner) for inner in folders)


class Folder:
    """A folder at `place`, a path or URI, in which every file is whole from the start; its methods raise DataError."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._filesystem, self._root = locate(place)

    def is_empty(self) -> bool:
        """Whether no file is there yet; raises DataError too where it is a file itself, or no bucket for the folder."""
        from pyarrow.fs import FileType

        with reaching(self.place):
            [info] = self._filesystem.get_file_info([self._root])
            if info.type == FileType.File:
                raise DataError("is a file", path=self.place, cure="Give the name of a folder")
            try:
                return not _holds_files(self._filesystem, self._root)
            except FileNotFoundError:
                return True

    def clear(self, *, folders: Sequence[str]) -> None:
        """Make it anew, with nothing in it but these folders, in which alone files can be written."""
        with reaching(self.place):
            self._filesystem.create_dir(self._root)
            self._filesystem.delete_dir_contents(self._root)
            for folder in (_PARTIAL, *folders):
                self._filesystem.create_dir(self._path(folder))

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """The bytes of each file, None where there is none."""
        with reaching(self.place):
            found = self._filesystem.get_file_info([self._path(path) for path in paths])
        return [info.size if info.is_file else None for info in found]

    def read(self, path: str) -> bytes:
        with reaching(self.place), self._filesystem.open_input_stream(self._path(path), compression=None) as stream:
            data: bytes = stream.read()
        return data

    def write(self, path: str, data: bytes) -> None:
        """Write a file that appears whole; where two come to write the same one, either's is."""
        partial = self._path(f"{_PARTIAL}/{uuid.uuid4().hex}")
        with reaching(self.place):
            with self._filesystem.open_output_stream(partial, compression=None) as stream:
                stream.write(data)
            self._filesystem.move(partial, self._path(path))

    def end(self, *, files: Sequence[str], folders: Sequence[str]) -> None:
        """Take away files and folders when the last file is written, and what was for writing."""
        with reaching(self.place):
            for file in files:
                self._filesystem.delete_file(self._path(file))
            for folder in (_PARTIAL, *folders):
                self._filesystem.delete_dir(self._path(folder))

    def _path(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"
