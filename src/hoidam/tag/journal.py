"""What a run of tagging has finished so far, on disk beside its output, so that a run that was stopped can go on.

The folder `.<output>.partial/` is there from a run's start to its end:

- `run.json`: the settings that must be the same to go on; a folder without it is no run.
- `inputs.jsonl`: the input files with size and time of change, for the same purpose.
- `records.jsonl`: one line an item in input order, written as soon as the item is done: what the output or the errors
  file will hold of it. Once every item has its line the file is renamed to `complete.jsonl`.
- `made/`: output and errors file while they are made from the records. They take their names when they are whole.

A process may be killed at any moment: a line cut short is dropped, and every step after the last line can be done
again. What a loss of power leaves of the last seconds depends on the file system.
"""

import fcntl
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hoidam.errors import DataError
from hoidam.files import json_line, parse_json_line, refuse_inputs, refuse_overwrite, whole_file, writing
from hoidam.ingest.discover import printable
from hoidam.ingest.readers import Item
from hoidam.tag.writers import check_form, errors_path

_START_ANEW = "--force begins anew"


class Journal:
    """The records of a run that writes to `output`, in input order; `count` are kept."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f".{output.name}.partial")
        self.made = self.folder / "made" / output.name
        self.count = 0
        self._run = self.folder / "run.json"
        self._inputs = self.folder / "inputs.jsonl"
        self._records = self.folder / "records.jsonl"
        self._complete = self.folder / "complete.jsonl"

    @property
    def begun(self) -> bool:
        """Whether there is a run that has not ended."""
        return self._run.is_file()

    @property
    def complete(self) -> bool:
        """Whether every item of the run has its record, so that only the output is left to be made."""
        return self.begun and self._complete.is_file()

    def begin(self, settings: Mapping[str, Any], *, files: Iterable[Path], force: bool) -> None:
        """Start without records, over what is left of another run; `force` is kept for when this one goes on."""
        with writing(self.output):
            self._run.unlink(missing_ok=True)
            self._complete.unlink(missing_ok=True)
            with self._inputs.open("w", encoding="utf-8") as stream:
                stream.writelines(map(json_line, map(_describe, files)))
            self._records.write_bytes(b"")
            # Last, and whole: with it the run has begun.
            with whole_file(self._run) as stream:
                stream.write(json_line({"settings": settings, "force": force}))

    def go_on(self, settings: Mapping[str, Any], *, files: Iterable[Path]) -> None:
        """Go on with the run; raises DataError that names what differs from what it was begun with."""
        begun = json.loads(self._run.read_bytes())
        given = json.loads(json_line(settings))
        kept: dict[str, Any] = begun["settings"]
        different = [key for key in sorted(kept.keys() | given.keys()) if kept.get(key) != given.get(key)]
        if different:
            listed = "; ".join(f"{key}: {kept.get(key)!r}, now {given.get(key)!r}" for key in different)
            raise DataError(
                f"begun with other settings: {listed}", path=self.output, cure=f"Give the same, or {_START_ANEW}"
            )
        if self.complete:
            # The output may have its name by now, and be found among the inputs.
            self.count = _mend(self._complete)
            return
        refuse_overwrite(self.output, force=begun["force"])
        self._refuse_changed(files)
        self.count = _mend(self._records)

    def _refuse_changed(self, files: Iterable[Path]) -> None:
        with self._inputs.open(encoding="utf-8") as stream:
            for before, path in itertools.zip_longest(map(json.loads, stream), files):
                now = None if path is None else _describe(path)
                if before != now:
                    changed = (now or before)["file"]
                    raise DataError(
                        f"not as it was when the run of {self.output} began",
                        path=changed,
                        cure=f"Give the inputs as they were, or {_START_ANEW}",
                    )

    def follow(self, items: Iterator[Item]) -> Iterator[None]:
        """Take one of `items` for each record; raises DataError where it is not the one that the record is of."""
        for number, record in enumerate(self.records(), start=1):
            item = next(items, None)
            if item is None or (item.id, item.source) != (record.get("id"), record.get("source")):
                found = "no more items" if item is None else f"{item.id!r} in {item.source}"
                raise DataError(
                    f"item {number} was {record.get('id')!r} in {record.get('source')} when the run began, now {found}",
                    path=self.output,
                    cure=f"Give the inputs as they were, or {_START_ANEW}",
                )
            yield

    @contextmanager
    def appending(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Give a function that keeps one more record; once the block ends without an exception, the run is complete.

        A record is out of reach of the process's end when the function returns, which raises DataError where it cannot
        be written.
        """
        with writing(self.output):
            stream = self._records.open("ab", buffering=0)

        def add(record: Mapping[str, Any]) -> None:
            data = json_line(record).encode()
            with writing(self.output):
                while data:
                    data = data[stream.write(data) :]
            self.count += 1

        with stream:
            yield add
        self._records.replace(self._complete)

    def records(self) -> Iterator[dict[str, Any]]:
        """The records that are kept."""
        path = self._complete if self.complete else self._records
        with path.open(encoding="utf-8", newline="\n") as stream:
            for line, text in enumerate(stream, start=1):
                yield parse_json_line(text, path=path, line=line)

    def deliver(self, *, errors: bool) -> None:
        """Give output and errors file their names, and end the run; without `errors`, an earlier file of them goes."""
        if errors:
            errors_path(self.made).replace(errors_path(self.output))
        else:
            errors_path(self.output).unlink(missing_ok=True)
        self.made.replace(self.output)
        self.remove()

    def remove(self) -> None:
        """End the run without a trace."""
        self._run.unlink(missing_ok=True)
        shutil.rmtree(self.folder)


def is_finished(output: Path, *, inputs: Iterable[Path] = (), resume: bool = False, force: bool = False) -> bool:
    """Whether a run that is to be resumed has its output whole, so that nothing is left to do.

    Raises DataError on an output that cannot be: one of the `inputs`, of no known form, that exists (unless `force`),
    or of which an unfinished run is kept (unless `resume` or `force`).
    """
    check_form(output)
    journal = Journal(output)
    if journal.begun and (resume or not force):
        if not resume:
            raise DataError(
                f"a run that was not finished is kept in {journal.folder}",
                path=output,
                cure=f"--resume goes on with it, {_START_ANEW}",
            )
    elif resume and output.exists():
        # What a run left that was killed in its last moment.
        shutil.rmtree(journal.folder, ignore_errors=True)
        return True
    else:
        refuse_overwrite(output, force=force)
        refuse_overwrite(errors_path(output), force=force)
    if not (resume and journal.complete):
        refuse_inputs(output, inputs)
    return False


@contextmanager
def open_journal(
    output: Path, *, settings: Mapping[str, Any], files: Sequence[Path] = (), resume: bool = False, force: bool = False
) -> Iterator[Journal]:
    """Begin a run, or go on with one, for the length of a block.

    What ends the block early carries a note of how many records are kept; with none kept, nothing is left behind.
    Raises DataError as `is_finished` does, where another process is at the same output, and where what must be the same
    differs.
    """
    if is_finished(output, inputs=files, resume=resume, force=force):
        raise DataError("is there already, whole", path=output, cure="Leave it, or --force makes it anew")
    journal = Journal(output)
    with _locked(journal):
        goes_on = resume and journal.begun
        if goes_on:
            journal.go_on(settings, files=files)
        try:
            if not goes_on:
                journal.begin(settings, files=files, force=force)
            yield journal
        except BaseException as error:
            if journal.count:
                error.add_note(f"{journal.count} records are kept: go on with --resume")
            else:
                journal.remove()
            raise


@contextmanager
def _locked(journal: Journal) -> Iterator[None]:
    """Make the journal's folder and keep other processes from it."""
    with writing(journal.output, cure="Choose a folder of yours"):
        journal.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(journal.folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError("another process writes it", path=journal.output, cure="Wait for it, or stop it") from None
        yield
    finally:
        os.close(handle)


def _describe(path: Path) -> dict[str, Any]:
    """A file as it is now; of standard input, and of what is gone, the name alone."""
    with suppress(OSError):
        found = path.stat()
        return {"file": printable(path), "size": found.st_size, "changed": found.st_mtime_ns}
    return {"file": printable(path)}


def _mend(path: Path) -> int:
    """Cut off a last line that has no end; how many whole ones there are."""
    lines = size = 0
    with path.open("r+b") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                lines, size = lines + 1, size + len(line)
        stream.truncate(size)
    return lines
