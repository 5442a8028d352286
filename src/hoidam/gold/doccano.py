"""doccano's JSON lines: a text a line with its labels, offsets in UTF-16 units, as the browser counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hoidam.document import Annotated
from hoidam.errors import DataError
from hoidam.files import json_line, read_json_lines
from hoidam.gold.exchange import Imported, article_of, derive_scheme, label_of, make_annotated, record_of
from hoidam.gold.offsets import Count, Mention
from hoidam.labels import LabelScheme

COUNT = Count(utf16=True)
ARTICLE = "article"
"""The field that carries an article's id through doccano, which numbers its texts anew."""


def read_doccano(paths: Iterable[Path], *, scheme: LabelScheme | None = None) -> Imported:
    """Read exports of doccano, with `label` (or `labels`) as `[start, end, label]`, or `entities`.

    Raises DataError with file and line.
    """
    records = [(path, line, record) for path in paths for line, record in read_json_lines(path)]
    mended: Counter[str] = Counter()
    if scheme is None:
        labels = (mention.label for path, line, record in records for mention in _mentions(record, path, line))
        scheme = derive_scheme(labels, flat=False, cure="Export the texts with their labels")
    annotated = []
    for path, line, record in records:
        try:
            article = article_of(record, name=str(record.get(ARTICLE, record.get("id", f"{path.stem}-{line}"))))
            mentions = _mentions(record, path, line)
            body = record.get("body")
            annotated.append(make_annotated(article, mentions, counts=[COUNT], scheme=scheme, mended=mended, body=body))
        except DataError as error:
            raise error.at(path, line) from None
    return Imported(annotated, scheme, dict(+mended))


def _mentions(record: Mapping[str, Any], path: Path, line: int) -> list[Mention]:
    try:
        if "entities" in record:
            return [Mention(int(e["start_offset"]), int(e["end_offset"]), str(e["label"])) for e in record["entities"]]
        entries = record["label"] if "label" in record else record["labels"]
        return [Mention(int(start), int(end), str(label)) for start, end, label in entries]
    except (KeyError, TypeError, ValueError):
        cure = "Export from doccano as JSONL, a sequence labelling project"
        raise DataError("no labels as [start, end, label]", path=path, line=line, field="label", cure=cure) from None


def to_doccano(annotated: Sequence[Annotated]) -> str:
    """Articles as lines to import into a sequence labelling project; fields other than text and label ride along."""
    return "".join(json_line(_record(one)) for one in annotated)


def _record(one: Annotated) -> dict[str, Any]:
    units = {place: unit for unit, place in COUNT.places(one.article.text).items()}
    labels = [[units[span.start], units[span.end], label_of(span)] for span in one.spans]
    record = record_of(one)
    return {ARTICLE: record.pop("id"), **record, "label": labels}
