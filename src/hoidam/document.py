"""Articles, spans over them, and their JSON-lines files.

Offsets are code points into `Article.text` exactly as it is stored, end exclusive.
"""

import hashlib
import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoidam.errors import DataError
from hoidam.files import json_line, read_json_lines
from hoidam.labels import LabelScheme


@dataclass(frozen=True, slots=True)
class Article:
    """One news article: an `id` unique in its corpus and its text, NFC with `\\n` line ends."""

    id: str
    text: str
    title: str | None = None
    url: str | None = None
    date: str | None = None
    source: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hash of the text, which gold files repeat so that an edited text is noticed."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        optional = {"title": self.title, "url": self.url, "date": self.date, "source": self.source}
        record = {"id": self.id, "text": self.text} | {key: value for key, value in optional.items() if value}
        return record | ({"meta": dict(self.meta)} if self.meta else {})


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A typed stretch of text, `start` to `end` (exclusive); `score` is 0 to 1 where a model gave the span.

    Spans sort by start, end, type and category, and are equal in these; the score counts in neither.
    """

    start: int
    end: int
    type: str
    category: str | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise DataError(f"offsets {self.start} to {self.end}", field="spans", cure="Need 0 <= start < end")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and self._order() == other._order()

    def __hash__(self) -> int:
        return hash(self._order())

    def __lt__(self, other: "Span") -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[int, int, str, str]:
        return self.start, self.end, self.type, self.category or ""

    def overlaps(self, other: "Span") -> bool:
        return self.start < other.end and other.start < self.end

    def to_dict(self, text: str) -> dict[str, Any]:
        """The span as files hold it, with its surface form repeated as `text`."""
        record: dict[str, Any] = {"start": self.start, "end": self.end, "type": self.type}
        if self.category is not None:
            record["category"] = self.category
        record["text"] = text[self.start : self.end]
        if self.score is not None:
            record["score"] = round(self.score, 6)
        return record


def fold_surface(surface: str) -> str:
    """What surfaces of the same mention have in common: case and the width of white space make no difference."""
    return " ".join(surface.casefold().split())


@dataclass(frozen=True, slots=True)
class Annotated:
    """An article with its gold: spans in text order, article categories, who annotated, where the body lies.

    `body` is the stretch of text that is the article's own headline and body; None means the whole text.
    """

    article: Article
    spans: tuple[Span, ...] = ()
    categories: frozenset[str] = frozenset()
    annotator: str = ""
    body: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        return self.article.id

    @property
    def sha256(self) -> str:
        """Hash of what is scored: the text, the spans and the categories, whoever annotated them."""
        scored = {key: value for key, value in self.to_dict().items() if key not in ("annotator", "body")}
        return hashlib.sha256(json_line(scored).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = {
            "id": self.id,
            "text_sha256": self.article.sha256,
            "spans": [span.to_dict(self.article.text) for span in sorted(self.spans)],
            "categories": sorted(self.categories),
            "annotator": self.annotator,
        }
        return record | ({"body": list(self.body)} if self.body else {})


@dataclass(frozen=True, slots=True)
class Tagged:
    """What a model says of one input: spans with scores, article categories above their threshold, the model's name."""

    id: str
    source: str
    spans: tuple[Span, ...]
    categories: Mapping[str, float]
    model: str

    def to_dict(self, text: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "source": self.source,
            "spans": [span.to_dict(text) for span in self.spans],
            "categories": {name: round(score, 6) for name, score in self.categories.items()},
            "model": self.model,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Mention(Span):
    """A span that knows its `text`, which is not compared either."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class TaggedText(Tagged):
    """What a model says of a text, together with the text."""

    text: str
    spans: tuple[Mention, ...]

    @classmethod
    def of(cls, tagged: Tagged, text: str) -> "TaggedText":
        """A text with what was found in it."""
        spans = tuple(
            Mention(span.start, span.end, span.type, span.category, span.score, text[span.start : span.end])
            for span in tagged.spans
        )
        return cls(tagged.id, tagged.source, spans, tagged.categories, tagged.model, text)


_ARTICLE_FIELDS = {"id": str, "text": str, "title": str, "url": str, "date": str, "source": str, "meta": dict}


def article_from_dict(record: Mapping[str, Any]) -> Article:
    """Build an article from a JSON object; raises DataError that names the field at fault."""
    known: dict[str, Any] = {}
    for name, kind in _ARTICLE_FIELDS.items():
        value = record.get(name)
        if value is None:
            if name in ("id", "text"):
                raise DataError("missing", field=name, cure=f"Every article needs {name!r}, a string")
        elif not isinstance(value, kind):
            raise DataError(f"is {type(value).__name__}", field=name, cure=f"Give a {kind.__name__}")
        else:
            known[name] = value
    if any("\ud800" <= character <= "\udfff" for character in known["text"]):
        raise DataError("holds half a surrogate pair", field="text", cure="Write it as whole Unicode characters")
    return Article(**known)


def read_articles(paths: Iterable[Path]) -> dict[str, Article]:
    """Read stored articles by id, in file order; raises DataError on text that is not normalised or an id met twice."""
    articles: dict[str, Article] = {}
    for path in paths:
        for line, record in read_json_lines(path):
            try:
                article = article_from_dict(record)
                if article.id in articles:
                    raise DataError(f"{article.id!r} occurs twice", field="id", cure="Give every article its own id")
                if "\r" in article.text or not unicodedata.is_normalized("NFC", article.text):
                    raise DataError(
                        "not NFC with \\n line ends", field="text", cure="Store articles with `hoidam ingest`"
                    )
            except DataError as error:
                raise error.at(path, line) from None
            articles[article.id] = article
    return articles


def read_gold(paths: Iterable[Path], articles: Mapping[str, Article], scheme: LabelScheme) -> list[Annotated]:
    """Read gold files against the articles they annotate, in file order.

    Raises DataError on an article that is missing or whose text has changed, a span that leaves the text or whose
    surface differs, a label outside the scheme, or two overlapping spans of one type.
    """
    found: dict[str, Annotated] = {}
    for path in paths:
        for line, record in read_json_lines(path):
            try:
                annotated = _gold_from_dict(record, articles, scheme)
                if annotated.id in found:
                    raise DataError(f"{annotated.id!r} occurs twice", field="id", cure="Keep one gold line an article")
            except DataError as error:
                raise error.at(path, line) from None
            found[annotated.id] = annotated
    return list(found.values())


def _gold_from_dict(record: Mapping[str, Any], articles: Mapping[str, Article], scheme: LabelScheme) -> Annotated:
    article = articles.get(str(record.get("id")))
    if article is None:
        raise DataError(f"no article {record.get('id')!r}", field="id", cure="Give the file that holds its text")
    if record.get("text_sha256") != article.sha256:
        raise DataError(
            f"text of {article.id!r} is not the text that was annotated",
            field="text_sha256",
            cure="Restore the article, or annotate the new text",
        )
    spans = spans_from_list(record.get("spans"), article.text, scheme)
    body = record.get("body")
    return Annotated(
        article=article,
        spans=spans,
        categories=frozenset(_categories(record.get("categories", []), scheme)),
        annotator=str(record.get("annotator", "")),
        body=None if body is None else _body(body, spans, article.text),
    )


def spans_from_list(entries: Any, text: str, scheme: LabelScheme) -> tuple[Span, ...]:
    """Read the `spans` of a gold or tagged record, sorted; raises DataError that names the offset at fault."""
    if not isinstance(entries, list):
        raise DataError("not a list", field="spans", cure='Give [{"start", "end", "type", "text"}, …]')
    spans = sorted(_span(entry, text, scheme) for entry in entries)
    rivals = [spans] if scheme.flat else [[s for s in spans if s.type == name] for name in scheme.type_names]
    for before, after in (pair for group in rivals for pair in itertools.pairwise(group)):
        if before.overlaps(after):
            both = f"two {after.type}" if before.type == after.type else f"{before.type} and {after.type}"
            raise DataError(
                f"{both} spans overlap at {after.start}: {text[before.start : before.end]!r} and "
                f"{text[after.start : after.end]!r}",
                field="spans",
                cure=f"Spans of {'a flat scheme' if scheme.flat else 'one type'} never overlap: keep one",
            )
    return tuple(spans)


def _span(entry: Any, text: str, scheme: LabelScheme) -> Span:
    def wrong(problem: str, cure: str) -> DataError:
        return DataError(f"{problem} in {entry!r}", field="spans", cure=cure)

    if not isinstance(entry, Mapping):
        raise wrong("no object", "Each span is an object")
    start, end, kind, category = (entry.get(key) for key in ("start", "end", "type", "category"))
    if not (type(start) is int and type(end) is int and 0 <= start < end <= len(text)):
        raise wrong("bad offsets", f"Need integers with 0 <= start < end <= {len(text)}")
    if kind not in scheme.type_names:
        raise wrong("unknown type", f"Types of this scheme: {', '.join(scheme.type_names)}")
    if kind in scheme.categorised_names:
        if category not in scheme.category_names:
            raise wrong("missing or unknown category", f"Categories: {', '.join(scheme.category_names)}")
    elif category is not None:
        raise wrong("a category", f"{kind} spans carry none")
    if entry.get("text") != text[start:end]:
        raise wrong(f"shifted: the text there is {text[start:end]!r}", "Offsets count code points of the stored text")
    score = entry.get("score")
    return Span(start, end, kind, category, None if score is None else check_score(score, field="spans"))


def check_score(score: Any, *, field: str) -> float:
    """The score as it is; raises DataError where it is no number from 0 to 1."""
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise DataError(f"score {score!r}", field=field, cure="Scores are numbers from 0 to 1")
    return float(score)


def _categories(names: Any, scheme: LabelScheme) -> Sequence[str]:
    if not isinstance(names, list) or not all(name in scheme.category_names for name in names):
        raise DataError(f"found {names!r}", field="categories", cure=f"A list of {', '.join(scheme.category_names)}")
    return names


def _body(body: Any, spans: Sequence[Span], text: str) -> tuple[int, int]:
    if not (isinstance(body, list) and len(body) == 2 and all(type(offset) is int for offset in body)):
        raise DataError(f"found {body!r}", field="body", cure="Give [start, end]")
    start, end = body
    if not 0 <= start < end <= len(text):
        raise DataError(f"found {body!r}", field="body", cure=f"Need 0 <= start < end <= {len(text)}")
    for span in spans:
        if not start <= span.start < span.end <= end:
            raise DataError(
                f"span {text[span.start : span.end]!r} at {span.start} lies outside", field="body", cure="Move one"
            )
    return start, end


def read_tagged(path: Path, articles: Mapping[str, Article], scheme: LabelScheme) -> list[Tagged]:
    """Read a tagged file over known articles, in file order; raises DataError as `read_gold` does."""
    return list(_iterate_tagged(path, articles, scheme))


def _iterate_tagged(path: Path, articles: Mapping[str, Article], scheme: LabelScheme) -> Iterator[Tagged]:
    seen: set[str] = set()
    for line, record in read_json_lines(path):
        try:
            article = articles.get(str(record.get("id")))
            if article is None or article.id in seen:
                problem = "no article" if article is None else "a second line for"
                raise DataError(f"{problem} {record.get('id')!r}", field="id", cure="One line an article, ids as given")
            seen.add(article.id)
            categories = record.get("categories", {})
            if not isinstance(categories, Mapping):
                raise DataError(f"found {categories!r}", field="categories", cure='Give {"NAME": score, …}')
            _categories(list(categories), scheme)
            yield Tagged(
                id=article.id,
                source=str(record.get("source", "")),
                spans=spans_from_list(record.get("spans"), article.text, scheme),
                categories={name: check_score(score, field="categories") for name, score in categories.items()},
                model=str(record.get("model", "")),
            )
        except DataError as error:
            raise error.at(path, line) from None
