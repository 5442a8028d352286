"""Many inputs through a tagger into one output file, with failures in a file beside it.

A run with an output file keeps what it has done in a journal, and makes the output from that at its end: one that is
stopped, however, goes on where it was and gives the same bytes as one that was not.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import hoidam
from hoidam.files import json_line, whole_file, writing
from hoidam.ingest.readers import Duplicate, Failure, Item
from hoidam.tag.journal import Journal, open_journal
from hoidam.tag.writers import JsonLinesWriter, errors_path, open_writer

if TYPE_CHECKING:
    from hoidam.document import Tagged
    from hoidam.ingest.readers import Document
    from hoidam.tag.tagger import Tagger

OnItem = Callable[[Failure | None], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did: articles tagged, spans found, inputs that failed and where they are listed, copies not tagged."""

    tagged: int
    spans: int
    failed: int
    errors: Path | None
    duplicates: int = 0


def tag_items(
    items: Iterable[Item],
    *,
    tagger: "Tagger",
    output: Path | None,
    stream: IO[str],
    settings: Mapping[str, Any] | None = None,
    files: Sequence[Path] = (),
    resume: bool = False,
    force: bool = False,
    on_item: OnItem = lambda failure: None,
) -> Summary:
    """Tag a stream of items into `output`, or as JSON lines into `stream` where there is none.

    With an output, its errors file is written whole beside it, and only where something failed; without one, failures
    are only told to `on_item`, which is called once an item. `resume` goes on with a run that was stopped, if there is
    one: `items` come from their beginning again, out of the same `files`, and the model and `settings` (plain data that
    the records depend on) must be the same.
    Raises DataError where a file is in the way or cannot be written, and where a run cannot go on.
    """
    if output is None:
        return _tag_into(stream, items, tagger, on_item)
    settings = {"hoidam": hoidam.__version__, "model": tagger.model.identity, **(settings or {})}
    with open_journal(output, settings=settings, files=files, resume=resume, force=force) as journal:
        if not journal.complete:
            _fill(journal, items, tagger, on_item)
        return _make_output(journal)


def _tag_into(stream: IO[str], items: Iterable[Item], tagger: "Tagger", on_item: OnItem) -> Summary:
    counts: Counter[str] = Counter()
    writer = JsonLinesWriter(stream)
    for result in tagger.tag(items):
        record = to_record(result, model=tagger.model.identity)
        _count(record, counts)
        if not isinstance(result, Failure):
            writer.write(record)
        on_item(_failure(result))
    return _summary(counts, errors=None)


def _fill(journal: Journal, items: Iterable[Item], tagger: "Tagger", on_item: OnItem) -> None:
    """Bring the journal from where it is to its end."""
    items = iter(items)
    for _ in journal.follow(items):
        on_item(None)
    with journal.appending() as add:
        for result in tagger.tag(items):
            add(to_record(result, model=tagger.model.identity))
            on_item(_failure(result))


def _make_output(journal: Journal) -> Summary:
    """Make output and errors file from a complete journal, and end it; can be done again wherever it was stopped."""
    counts: Counter[str] = Counter()
    with (
        writing(journal.output),
        open_writer(journal.made, force=True) as writer,
        whole_file(errors_path(journal.made), force=True) as errors,
    ):
        for record in journal.records():
            _count(record, counts)
            if "error" in record:
                errors.write(json_line(record))
            else:
                writer.write(record)
    journal.deliver(errors=counts["failed"] > 0)
    return _summary(counts, errors=errors_path(journal.output))


def to_record(result: "tuple[Document, Tagged] | Failure | Duplicate", *, model: str) -> dict[str, Any]:
    """What files hold of an item: told apart by `error` in that of a failure and `duplicate_of` in that of a copy."""
    match result:
        case Failure():
            return dict(result.to_dict())
        case Duplicate():
            found = {"id": result.id, "source": result.source, "spans": [], "categories": {}, "model": model}
            return found | {"duplicate_of": result.duplicate_of}
        case document, tagged:
            return tagged.to_dict(document.text)


def _failure(result: object) -> Failure | None:
    return result if isinstance(result, Failure) else None


def _count(record: Mapping[str, Any], counts: Counter[str]) -> None:
    kind = "failed" if "error" in record else "duplicates" if "duplicate_of" in record else "tagged"
    counts[kind] += 1
    counts["spans"] += len(record.get("spans", ()))


def _summary(counts: Counter[str], *, errors: Path | None) -> Summary:
    errors = errors if counts["failed"] else None
    return Summary(counts["tagged"], counts["spans"], counts["failed"], errors, counts["duplicates"])
