"""Label Studio's JSON: a list of tasks, each with its data and what annotators made of it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hoidam.document import Annotated
from hoidam.errors import DataError
from hoidam.files import read_text
from hoidam.gold.exchange import Imported, article_of, derive_scheme, label_of, make_annotated, record_of
from hoidam.gold.offsets import BROWSER, Count, Mention
from hoidam.labels import LabelScheme

OTHERS = "annotations of a second annotator, left out"
NOT_SPANS = "results that are no labelled spans, left out"
NOT_ANNOTATED = "tasks that nobody annotated, left out"
_COUNT = Count(utf16=True)


def read_label_studio(paths: Iterable[Path], *, scheme: LabelScheme | None = None) -> Imported:
    """Read exports of Label Studio; of a task that several annotated, the first annotation that was not cancelled.

    An article's id is that of the task's data, where it has one, else the task's. Offsets are those under which the
    surfaces that Label Studio repeats are found: its versions differ on emoji and line ends. Raises DataError that
    names the task.
    """
    mended: Counter[str] = Counter()
    found = [
        (path, task, mentions)
        for path in paths
        for task in _tasks(path)
        if (mentions := _mentions(task, mended)) is not None
    ]
    if scheme is None:
        labels = (mention.label for _, _, mentions in found for mention in mentions)
        scheme = derive_scheme(labels, flat=False, cure="Export the tasks with their annotations")
    annotated = []
    for path, task, mentions in found:
        try:
            data = task["data"]
            article = article_of(data, name=str(data.get("id", task.get("id"))))
            facts = {"annotator": _annotator(task), "body": data.get("body")}
            annotated.append(make_annotated(article, mentions, counts=BROWSER, scheme=scheme, mended=mended, **facts))
        except DataError as error:
            error.field = f"task {task.get('id')}"
            raise error.at(path) from None
    return Imported(annotated, scheme, dict(+mended))


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        tasks = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError):
        tasks = None
    if not isinstance(tasks, list) or not all(isinstance(t, dict) and isinstance(t.get("data"), dict) for t in tasks):
        raise DataError("not a list of tasks with data", path=path, cure="Export from Label Studio as JSON")
    return tasks


def _chosen(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in task.get("annotations", []) if not one.get("was_cancelled")]


def _annotator(task: Mapping[str, Any]) -> str:
    name = _chosen(task)[0].get("completed_by", "")
    return str(name.get("email", "") if isinstance(name, Mapping) else name)


def _mentions(task: Mapping[str, Any], mended: Counter[str]) -> list[Mention] | None:
    chosen = _chosen(task)
    if not chosen:
        mended[NOT_ANNOTATED] += 1
        return None
    mended[OTHERS] += len(chosen) - 1
    return list(_spans(chosen[0].get("result", []), mended))


def _spans(results: Iterable[Mapping[str, Any]], mended: Counter[str]) -> Iterator[Mention]:
    for result in results:
        value = result.get("value", {})
        if result.get("type") != "labels" or not value.get("labels"):
            mended[NOT_SPANS] += 1
            continue
        start, end = value["start"], value["end"]
        yield from (Mention(int(start), int(end), str(label), value.get("text")) for label in value["labels"])


def to_label_studio(annotated: Sequence[Annotated]) -> str:
    """Articles as tasks with one annotation each; offsets in UTF-16 units, as the browser counts."""
    return json.dumps([_task(one) for one in annotated], ensure_ascii=False, indent=1) + "\n"


def _task(one: Annotated) -> dict[str, Any]:
    text = one.article.text
    units = {place: unit for unit, place in _COUNT.places(text).items()}
    results = [
        {
            "id": f"{one.id}-{number}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {
                "start": units[span.start],
                "end": units[span.end],
                "text": text[span.start : span.end],
                "labels": [label_of(span)],
            },
        }
        for number, span in enumerate(one.spans, start=1)
    ]
    return {
        "data": record_of(one),
        "annotations": [{"completed_by": {"email": one.annotator}, "result": results}],
    }
