"""The work of `hoidam ingest`: inputs to an article file, failures beside it, copies left out."""

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from hoidam.document import Article
from hoidam.errors import DataError, MissingExtraError
from hoidam.files import json_line, refuse_inputs, refuse_overwrite, whole_file
from hoidam.ingest.copies import Duplicate, syllables
from hoidam.ingest.normalise import store_form
from hoidam.ingest.readers import Columns, Document, Failure, discover, read_found

SHINGLE_SYLLABLES = 5
NEAR_SIMILARITY = 0.8
_PERMUTATIONS = 128
# Buckets find pairs at their threshold half of the time: lower, so that few pairs above NEAR_SIMILARITY are missed.
_CANDIDATE_SIMILARITY = 0.6


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """How many articles were written, inputs failed, copies were left out, and files of other kinds passed over."""

    written: int
    failed: int
    duplicates: int
    passed_over: int = 0


def ingest(
    inputs: Sequence[str | Path],
    *,
    output: Path,
    deduplicate: Literal["exact", "near"] | None = None,
    text_column: str = "text",
    id_column: str = "id",
    stdin_format: Literal["text", "jsonl"] = "text",
    force: bool = False,
) -> IngestSummary:
    """Write every input as an article record, its whole text in store form.

    Failures go to `<output>.errors.jsonl`, what `deduplicate` leaves out to `<output>.duplicates.jsonl`; neither file
    is there when it has nothing to say. Raises DataError where a file is in the way and `force` is not given or it is
    one of the inputs, and MissingExtraError where near duplicates are asked for without datasketch.
    """
    if output.suffix != ".jsonl":
        raise DataError("not a .jsonl name", path=output, cure="Articles are stored as JSON lines")
    finder = NearCopies() if deduplicate == "near" else None
    given = discover(inputs)
    items = read_found(
        given,
        columns=Columns(text_column, id_column),
        deduplicate=deduplicate == "exact",
        stdin_format=stdin_format,
    )
    with _Writers(output, inputs=given.files, force=force) as writers:
        for item in items:
            found = finder.find(item) if finder and isinstance(item, Document) else item
            if isinstance(found, Failure):
                writers.write("errors", found.to_dict())
            elif isinstance(found, Duplicate):
                writers.write("duplicates", found.to_dict())
            else:
                writers.write("articles", article_record(found))
    counts = writers.counts
    return IngestSummary(counts["articles"], counts["errors"], counts["duplicates"], given.passed_over)


def article_record(document: Document) -> dict[str, Any]:
    """The article as stored, with its body's offsets moved to the stored text where the document gave them."""
    article = Article(
        id=document.id,
        text=store_form(document.text),
        title=document.title,
        url=document.url,
        date=document.date,
        source=document.origin or document.source,
        meta=document.meta,
    )
    body = [len(store_form(document.text[:offset])) for offset in document.body or ()]
    return article.to_dict() | ({"body": body} if body else {})


class NearCopies:
    """Remembers the bodies of documents and says which later ones nearly repeat them, in memory that grows with each.

    Near copies share at least 0.8 of their runs of five syllables, as MinHash estimates it (Broder 1997).
    """

    def __init__(self) -> None:
        try:
            self._datasketch: Any = importlib.import_module("datasketch")
        except ImportError:
            raise MissingExtraError("datasketch", extra="dedup", purpose="Finding near duplicates") from None
        self._buckets = self._datasketch.MinHashLSH(threshold=_CANDIDATE_SIMILARITY, num_perm=_PERMUTATIONS)
        self._sketches: dict[str, Any] = {}
        self._order: dict[str, int] = {}

    def find(self, document: Document) -> Document | Duplicate:
        """The document, remembered, or the copy that it is of the most similar one before (the earliest of several)."""
        sketch = self._datasketch.MinHash(num_perm=_PERMUTATIONS, seed=1)
        sketch.update_batch([shingle.encode() for shingle in _shingles(syllables(document.text, document.body))])
        scored = [(float(sketch.jaccard(self._sketches[name])), name) for name in self._buckets.query(sketch)]
        similarity, name = max(scored, key=lambda pair: (pair[0], -self._order[pair[1]]), default=(0.0, ""))
        if similarity >= NEAR_SIMILARITY:
            return Duplicate(document.id, document.source, name, similarity)
        self._buckets.insert(document.id, sketch)
        self._sketches[document.id] = sketch
        self._order[document.id] = len(self._order)
        return document


def _shingles(row: Sequence[str]) -> set[str]:
    last = max(len(row) - SHINGLE_SYLLABLES, 0)
    return {" ".join(row[start : start + SHINGLE_SYLLABLES]) for start in range(last + 1)}


class _Writers:
    """The three output files: articles always, errors and duplicates once there is one; all whole or none."""

    def __init__(self, output: Path, *, inputs: Sequence[Path], force: bool) -> None:
        self._paths = {"articles": output} | {
            name: output.with_name(f"{output.name}.{name}.jsonl") for name in ("errors", "duplicates")
        }
        self._inputs, self._force = inputs, force
        self._streams: dict[str, IO[str]] = {}
        self._stack = ExitStack()
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> "_Writers":
        for path in self._paths.values():
            refuse_overwrite(path, force=self._force)
            refuse_inputs(path, self._inputs)
        self._open("articles")
        return self

    def write(self, name: str, record: Mapping[str, Any]) -> None:
        if name not in self._streams:
            self._open(name)
        self._streams[name].write(json_line(record))
        self.counts[name] += 1

    def _open(self, name: str) -> None:
        self._streams[name] = self._stack.enter_context(whole_file(self._paths[name], force=self._force))

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)
        if raised[0] is None:
            for name in self._paths.keys() - self._streams.keys():
                self._paths[name].unlink(missing_ok=True)
