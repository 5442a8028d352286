"""Many inputs through a tagger into one output file, with failures in a file beside it."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hoidam.files import json_line, whole_file
from hoidam.ingest.readers import Failure, Item
from hoidam.tag.tagger import Tagger
from hoidam.tag.writers import JsonLinesWriter, errors_path, open_writer


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did: articles tagged, spans found, inputs that failed and where they are listed."""

    tagged: int
    spans: int
    failed: int
    errors: Path | None


def tag_items(
    items: Iterable[Item],
    *,
    tagger: Tagger,
    output: Path | None,
    stream: IO[str],
    force: bool = False,
    on_item: Callable[[Failure | None], None] = lambda failure: None,
) -> Summary:
    """Tag a stream of items into `output`, or as JSON lines into `stream` where there is none.

    With an output, its errors file is written whole beside it, and only where something failed; without one, failures
    are only told to `on_item`, which is called once an item. Raises DataError where a file is in the way.
    """
    tagged = spans = failed = 0
    with ExitStack() as stack:
        errors = None
        if output is not None:
            writer = stack.enter_context(open_writer(output, force=force))
        else:
            writer = JsonLinesWriter(stream)
        for result in tagger.tag(items):
            if isinstance(result, Failure):
                failed += 1
                if output is not None:
                    errors = errors or stack.enter_context(whole_file(errors_path(output), force=force))
                    errors.write(json_line(result.to_dict()))
                on_item(result)
                continue
            document, found = result
            writer.write(found, document.text)
            tagged += 1
            spans += len(found.spans)
            on_item(None)
    if output is not None and not failed:
        # What an earlier run listed there is no longer so.
        errors_path(output).unlink(missing_ok=True)
    return Summary(tagged, spans, failed, errors_path(output) if errors and output else None)
