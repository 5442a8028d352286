"""Tagged articles as one HTML page that a person reads: spans highlighted, summaries, filters; nothing is fetched."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hoidam.document import Span, check_score
from hoidam.errors import DataError
from hoidam.files import read_json_lines, refuse_overwrite, whole_file
from hoidam.ingest.body import find_body
from hoidam.pages import page_template

HEADLINE_LENGTH = 160
PREVIEW_LENGTH = 320
"""Code points of an article that stand for it while it is closed."""

TYPE_HUE, CATEGORY_HUE = 255.0, 20.0
"""Where the two colour wheels begin, in degrees of OKLCH hue."""

Texts = Mapping[str, str] | Callable[[str], str | None]
"""Article texts by id; None, or a missing key, where there is no text."""


@dataclass(frozen=True, slots=True)
class ViewDocument:
    """One article as the page shows it; spans on code points of `text`, scores from 0 to 1.

    Raises DataError where a span leaves the text or a score its range.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    categories: Mapping[str, float] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        for span in self.spans:
            if span.end > len(self.text):
                raise DataError(
                    f"offsets {span.start} to {span.end}",
                    field="spans",
                    cure=f"The text of {self.id!r} has {len(self.text)} code points",
                )
            if span.score is not None:
                check_score(span.score, field="spans")
        for score in self.categories.values():
            check_score(score, field="categories")


class Opening(NamedTuple):
    """A mark begins: the part of a span up to where it ends or a crossing span forces it to be split."""

    span: Span
    first: bool
    last: bool


class Closing(NamedTuple):
    """The mark that was opened last ends."""


Piece = str | Opening | Closing


class Label(NamedTuple):
    """A span type or category of the page: its CSS class, how many spans and articles carry it, its hue in degrees."""

    name: str
    key: str
    hue: int
    spans: int
    articles: int


class Entry(NamedTuple):
    """One line of an article's summary: a surface form, its category if it has one, how often it occurs."""

    surface: str
    category: Label | None
    times: int


class Bar(NamedTuple):
    """An article's category and its score."""

    label: Label
    score: float


@dataclass(frozen=True, slots=True)
class Card:
    """What the template shows of one article; `before` and `after` are the page around its body."""

    id: str
    source: str
    headline: str
    preview: list[Piece]
    before: str
    body: list[Piece]
    after: str
    bars: list[Bar]
    groups: list[tuple[Label, list[Entry]]]

    @property
    def link(self) -> bool:
        """Whether the source is a web address."""
        return re.fullmatch(r"https?://\S+", self.source) is not None


def view(tagged: Path, *, texts: Texts, output: Path, force: bool = False, title: str | None = None) -> int:
    """Write the page for a tagged file and give the number of articles; the title is the file's name if none is given.

    Raises DataError, with file and line, on a record without text, a doubled id or a span that is not in its text, and
    where `output` exists and `force` is not given.
    """
    refuse_overwrite(output, force=force)
    documents = list(read_view_documents(tagged, texts=texts))
    page = render_view(documents, title=title or tagged.name)
    with whole_file(output, force=force) as stream:
        stream.write(page)
    return len(documents)


def read_view_documents(path: Path, *, texts: Texts) -> Iterator[ViewDocument]:
    """Read a tagged file without a label scheme, in file order; raises DataError as `view` does."""
    look_up = texts.get if isinstance(texts, Mapping) else texts
    seen: set[str] = set()
    for line, record in read_json_lines(path):
        try:
            document = _document(record, look_up)
            if document.id in seen:
                raise DataError(f"{document.id!r} occurs twice", field="id", cure="Keep one line an article")
        except DataError as error:
            raise error.at(path, line) from None
        seen.add(document.id)
        yield document


def render_view(documents: Iterable[ViewDocument], *, title: str) -> str:
    """One self-contained HTML page, some 8 KB an article: no network, all escaped, colours from the data's labels."""
    documents = tuple(documents)
    types = _labels(
        "t",
        spans=Counter(span.type for document in documents for span in document.spans),
        articles=Counter(name for document in documents for name in {span.type for span in document.spans}),
        first_hue=TYPE_HUE,
    )
    categories = _labels(
        "c",
        spans=Counter(span.category for document in documents for span in document.spans if span.category is not None),
        articles=Counter(name for document in documents for name in document.categories),
        first_hue=CATEGORY_HUE,
    )
    return page_template("tag/view.html.jinja").render(
        title=title,
        cards=[_card(document, types=types, categories=categories) for document in documents],
        types=types,
        categories=categories,
        span_count=sum(len(document.spans) for document in documents),
        with_category=sum(bool(document.categories) for document in documents),
    )


def cut_into_pieces(text: str, spans: Iterable[Span], *, start: int = 0, end: int | None = None) -> list[Piece]:
    """Text from `start` to `end` with well-nested openings and closings of marks; crossing spans are split.

    The strings joined are the text, and between the openings and closings around a string lie exactly its spans. A span
    has one opening with `first` and one with `last`, unless `start` or `end` cuts it.
    """
    end = len(text) if end is None else end
    inside = [span for span in spans if max(span.start, start) < min(span.end, end)]
    begins: dict[int, list[Span]] = {}
    for span in inside:
        begins.setdefault(max(span.start, start), []).append(span)
    edges = {start, end} | set(begins) | {min(span.end, end) for span in inside}

    pieces: list[Piece] = []
    stack: list[Span] = []
    position = start
    for edge in sorted(edges):
        if position < edge:
            pieces.append(text[position:edge])
        position = edge
        waiting = begins.get(edge, [])
        while any(min(span.end, end) <= edge for span in stack):
            span = stack.pop()
            pieces.append(Closing())
            if min(span.end, end) > edge:
                waiting.append(span)
        for span in sorted(waiting, key=lambda span: (-span.end, span.type)):
            stack.append(span)
            whole_end = min(span.end for span in stack)
            pieces.append(Opening(span, first=span.start == edge, last=span.end == whole_end and span.end <= end))
    return pieces


def _labels(
    prefix: str, *, spans: Mapping[str, int], articles: Mapping[str, int], first_hue: float
) -> dict[str, Label]:
    """Labels by name, sorted so that the same set has the same colours on every page; hues lie evenly on a circle."""
    names = sorted(set(spans) | set(articles))
    return {
        name: Label(
            name=name,
            key=f"{prefix}{index}",
            hue=round(first_hue + 360 * index / len(names)) % 360,
            spans=spans.get(name, 0),
            articles=articles.get(name, 0),
        )
        for index, name in enumerate(names)
    }


def _card(document: ViewDocument, *, types: Mapping[str, Label], categories: Mapping[str, Label]) -> Card:
    text = document.text
    start, end = _body(document)
    headline_start = end - len(text[start:end].lstrip())
    line_end = min(_line_end(text, headline_start), end)
    headline_end = _cut(text, headline_start, line_end, length=HEADLINE_LENGTH)
    preview_end = _cut(text, headline_end, end, length=PREVIEW_LENGTH)
    bars = [Bar(categories[name], score) for name, score in document.categories.items()]
    return Card(
        id=document.id,
        source=document.source,
        headline=text[headline_start:headline_end] + ("" if headline_end == line_end else "…"),
        preview=cut_into_pieces(text, document.spans, start=headline_end, end=preview_end)
        + ([] if preview_end == end else ["…"]),
        before=text[:start],
        body=cut_into_pieces(text, document.spans, start=start, end=end),
        after=text[end:],
        bars=sorted(bars, key=lambda bar: (-bar.score, bar.label.name)),
        groups=_groups(document, types=types, categories=categories),
    )


def _body(document: ViewDocument) -> tuple[int, int]:
    """The stretch that is the article's own; the whole text where a span lies outside of what the rules find."""
    start, end = find_body(document.text)
    if all(start <= span.start and span.end <= end for span in document.spans):
        return start, end
    return 0, len(document.text)


def _line_end(text: str, start: int) -> int:
    found = text.find("\n", start)
    return len(text) if found < 0 else found


def _cut(text: str, start: int, end: int, *, length: int) -> int:
    """Where to cut a stretch that is longer than `length`: before its last whole word, if it has one."""
    if end - start <= length:
        return end
    space = text.rfind(" ", start, start + length)
    return space if space > start else start + length


def _groups(
    document: ViewDocument, *, types: Mapping[str, Label], categories: Mapping[str, Label]
) -> list[tuple[Label, list[Entry]]]:
    """Distinct surface forms by type, the most frequent first, then in text order."""
    found: dict[str, Counter[tuple[str, str | None]]] = {name: Counter() for name in types}
    for span in sorted(document.spans, key=lambda span: (span.start, span.end)):
        surface = " ".join(document.text[span.start : span.end].split())
        found[span.type][surface, span.category] += 1
    return [
        (
            types[name],
            [
                Entry(surface, categories.get(category or ""), count)
                for (surface, category), count in counts.most_common()
            ],
        )
        for name, counts in found.items()
        if counts
    ]


def _document(record: Mapping[str, Any], look_up: Callable[[str], str | None]) -> ViewDocument:
    identity, categories = record.get("id"), record.get("categories", {})
    if not isinstance(identity, str):
        raise DataError(f"found {identity!r}", field="id", cure="Every record needs an id, a string")
    text = look_up(identity)
    if text is None:
        raise DataError(
            f"no text for {identity!r}", field="id", cure="Give the articles that were tagged, with the same ids"
        )
    if not isinstance(categories, Mapping):
        raise DataError(f"found {categories!r}", field="categories", cure='Give {"NAME": score, …}')
    entries = record.get("spans")
    if not isinstance(entries, list):
        raise DataError("not a list", field="spans", cure='Give [{"start", "end", "type", "text"}, …]')
    return ViewDocument(
        id=identity,
        text=text,
        spans=tuple(_span(entry, text) for entry in entries),
        categories=categories,
        source=str(record.get("source") or ""),
    )


def _span(entry: Any, text: str) -> Span:
    def wrong(problem: str, cure: str) -> DataError:
        return DataError(f"{problem} in {entry!r}", field="spans", cure=cure)

    if not isinstance(entry, Mapping):
        raise wrong("no object", "Each span is an object")
    start, end, kind, category = (entry.get(key) for key in ("start", "end", "type", "category"))
    if not (type(start) is int and type(end) is int and 0 <= start < end <= len(text)):
        raise wrong("bad offsets", f"Need integers with 0 <= start < end <= {len(text)}")
    if not (isinstance(kind, str) and kind) or not (category is None or (isinstance(category, str) and category)):
        raise wrong("bad label", "A type is a string, and so is a category where there is one")
    if entry.get("text") != text[start:end]:
        raise wrong(f"shifted: the text there is {text[start:end]!r}", "Give the very texts that were tagged")
    return Span(start, end, kind, category, entry.get("score"))
