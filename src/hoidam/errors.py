"""The errors that a person sees: what was found, where, and what to do about it."""

from pathlib import Path


class HoidamError(Exception):
    """Base of every expected failure; the command line prints it as one message and no traceback."""


class DataError(HoidamError):
    """A file or record that cannot be used as it stands.

    The message reads `path:line: field: problem. cure`; parts that are unknown are left out.
    """

    def __init__(
        self,
        problem: str,
        *,
        cure: str = "",
        path: Path | str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        self.problem, self.cure, self.path, self.line, self.field = problem, cure, path, line, field
        place = "" if path is None else str(path) if line is None else f"{path}:{line}"
        message = ": ".join(part for part in (place, field, problem) if part)
        super().__init__(f"{message}. {cure}" if cure else message)

    def at(self, path: Path | str, line: int | None = None) -> "DataError":
        """The same error with its file and line filled in, where it had none."""
        return type(self)(
            self.problem,
            cure=self.cure,
            path=self.path if self.path is not None else path,
            line=self.line if self.line is not None else line,
            field=self.field,
        )


class UnreachableError(DataError):
    """A file that the system did not let us read; another attempt may succeed."""


class RecipeError(HoidamError):
    """A training recipe with unknown, missing or wrong settings; lists all of them."""


class AlignmentError(HoidamError):
    """Words, pieces or spans that cannot be laid over their text exactly."""


class CheckpointError(HoidamError):
    """A model folder that is missing, incomplete, changed, or made for something else."""


class WorkerError(HoidamError):
    """A worker process that ended before its work did."""


class MissingExtraError(HoidamError):
    """An optional package is needed and is not installed; names the `pip install` that cures it."""

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'hoidam[{extra}]'")
