"""Many mistakes in one error, so that a person repairs a file once and not mistake by mistake."""

from collections.abc import Sequence
from pathlib import Path

from hoidam.errors import DataError


class MistakesError(DataError):
    """All mistakes found in some files, in the order found; the message has a line for each."""

    def __init__(self, mistakes: Sequence[DataError]) -> None:
        self.mistakes = tuple(mistakes)
        found = [str(mistake) for mistake in self.mistakes]
        super().__init__(found[0] if len(found) == 1 else "\n  ".join((f"{len(found)} mistakes:", *found)))

    def at(self, path: Path | str, line: int | None = None) -> DataError:
        """The same error with the file, and where it had none the line, filled in for every mistake."""
        return MistakesError([mistake.at(path, line) for mistake in self.mistakes])


def raise_all(mistakes: Sequence[DataError]) -> None:
    """Raise MistakesError where there is any."""
    if mistakes:
        raise MistakesError(mistakes)
