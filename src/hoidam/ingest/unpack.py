"""Compressed files as streams of their content, read as far as they are whole."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hoidam.errors import DataError
from hoidam.ingest.discover import COMPRESSIONS

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# What is unpacked in one call is lost where the archive breaks within it: small, so that no whole record is.
_STEP = 256


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading; of a compressed one, its content.

    Raises OSError where it cannot be opened, and while reading DataError, with the bytes read so far, where an archive
    is cut or broken.
    """
    compression = COMPRESSIONS.get(path.suffix.lower())
    return path.open("rb") if compression is None else io.BufferedReader(_Unpacked(path, compression))


class _Unpacked(io.RawIOBase):
    def __init__(self, path: Path, compression: str) -> None:
        import pyarrow

        self._archive = path.open("rb")
        self._content = pyarrow.CompressedInputStream(self._archive, compression)
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        try:
            count: int = self._content.readinto(memoryview(buffer)[:_STEP])
        except OSError as error:
            raise DataError(
                f"the archive is cut or broken after {self._bytes} bytes of its content ({error})",
                cure="What stands before is read; fetch the file again",
            ) from None
        self._bytes += count
        return count

    def close(self) -> None:
        self._archive.close()
        super().close()
