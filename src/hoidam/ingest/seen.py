"""Keys that a stream has brought so far, kept on disk, so that memory does not grow with the stream."""

import sqlite3

from hoidam.errors import DataError

_CACHE_KIB = 16 * 1024


class Seen:
    """Keys and the value that each came with first, in a temporary file of SQLite.

    The file has no name and is gone when the process ends, however it ends. It lies where SQLite puts its temporary
    files: in the folder that SQLITE_TMPDIR or TMPDIR names, else in /var/tmp.
    """

    def __init__(self) -> None:
        # The generator that owns this may be read by a thread that did not make it, though by one at a time.
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "CREATE TABLE seen (key PRIMARY KEY, value TEXT) WITHOUT ROWID",
            "BEGIN",
        ):
            self._base.execute(statement)

    def first(self, key: str | bytes, value: str) -> str | None:
        """The value with which `key` came first; None where it comes for the first time, which is remembered.

        A str and a bytes key are never the same. Raises DataError where the file cannot grow.
        """
        try:
            added = self._base.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, value)).rowcount
            if added:
                return None
            return str(self._base.execute("SELECT value FROM seen WHERE key = ?", (key,)).fetchone()[0])
        except sqlite3.Error as error:
            raise DataError(
                f"the temporary file of what was read cannot grow ({error})",
                cure="Make room, or name a folder with room in SQLITE_TMPDIR",
            ) from None

    def close(self) -> None:
        """Give the file up."""
        self._base.close()
