r"""Articles with their spans marked in the text itself, for people who write in a plain editor.

    === lc-001
    outlet: district-portal
    date: 2023-05-12

    Menu of the page
    {{body}}
    Ông {OFFICIAL:Lý Văn Thà}, {TITLE:Chủ tịch UBND {PLACE:huyện Bát Xát}}, bàn về {TOPIC.TRADE:thương mại}.
    {{/body}}

Many articles a file. Each starts with `=== ` and its id; `key: value` lines and an empty line follow, then the text to
the next `=== `. `title`, `url`, `date`, `source` and `annotator` are fields, other keys go to `meta`. Empty lines
around the text are not part of it. A backslash makes `{`, `}`, `\` and `=` plain text; before a line end it makes that
line end part of the text at its very start or end, or part of a mark, which otherwise closes on its own line. The body
lines vanish from the text; white space next to them is not part of the body. Within a line they stand for themselves:
`byline {{body}}headline`. A file that is not NFC is read as if it were, and columns count its NFC code points.
"""

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.files import read_text
from hoidam.gold.mistakes import raise_all
from hoidam.gold.outputs import check_outputs, write_outputs
from hoidam.labels import LabelScheme

_HEADLINE = re.compile(r"===(?:\s|$)")
_KEY_VALUE = re.compile(r"([\w.-]+):(?:\s+(.*))?")
_TOKEN = re.compile(
    r"\\(?P<escaped>.?)|\{\{(?P<edge>/?body)\}\}"
    r"|\{(?P<type>[^\s{}:.,]+)(?:\.(?P<category>[^\s{}:.,]+))?:|(?P<brace>[{}])"
)
_EDGE_LINES = {"{{body}}": "body", "{{/body}}": "/body"}
_ESCAPABLE = "{}\\="
_FIELDS = ("title", "url", "date", "source")
_RESERVED = (*_FIELDS, "annotator")


class _Place(NamedTuple):
    """Where something stands in a file: line and column, both from 1."""

    line: int
    column: int


class _Line(NamedTuple):
    number: int
    text: str

    @property
    def goes_on(self) -> bool:
        """Whether its last backslash escapes the line end."""
        return (len(self.text) - len(self.text.rstrip("\\"))) % 2 == 1


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of one article: the `=== ` line, the header, the text."""

    path: Path | str
    start: _Line
    lines: Sequence[_Line]

    @property
    def id(self) -> str:
        return self.start.text[3:].strip()


def read_inline(paths: Iterable[Path], *, scheme: LabelScheme) -> list[Annotated]:
    """Read files of inline marks, articles in file order.

    Raises MistakesError, a DataError, with every mistake of every file: file, line, column, what was found, what to do.
    """
    blocks: list[_Block] = []
    mistakes: list[DataError] = []
    for path in paths:
        try:
            blocks += _blocks(read_text(path), path=path, mistakes=mistakes)
        except DataError as error:
            mistakes.append(error)
    return _read_blocks(blocks, scheme=scheme, mistakes=mistakes)


def parse_inline(text: str, *, scheme: LabelScheme, path: Path | str = "<text>") -> list[Annotated]:
    """Read inline marks from a string; raises MistakesError as `read_inline` does, naming `path` as the file."""
    mistakes: list[DataError] = []
    return _read_blocks(_blocks(text, path=path, mistakes=mistakes), scheme=scheme, mistakes=mistakes)


def to_inline(annotated: Iterable[Annotated]) -> str:
    """Write articles with inline marks; `parse_inline` gives the same articles back, scores of spans aside.

    Raises MistakesError where that cannot be: spans that cross, that leave the body, or overlap within a type;
    categories that are not those of the spans; a body that begins or ends in white space; a text that is not as article
    files hold it; header values that are no single-line strings; an id met twice.
    """
    pieces: list[str] = []
    mistakes: list[DataError] = []
    seen: set[str] = set()
    for one in annotated:
        found = list(_unsayable(one))
        if one.id in seen:
            found.append(DataError(f"id {one.id!r} occurs twice", cure="Give every article its own id"))
        seen.add(one.id)
        mistakes += found
        if not found:
            pieces.append(_header(one) + "\n" + _marked(one) + "\n")
    raise_all(mistakes)
    return "\n".join(pieces)


def import_inline(
    files: Iterable[Path], *, scheme: LabelScheme, articles: Path, gold: Path, force: bool = False
) -> list[Annotated]:
    """Worker of `hoidam gold import --format inline`: write what the files hold as articles and gold, and return it.

    Raises MistakesError as `read_inline` does, and DataError where an output exists and `force` is not given, is one
    of the files, or where both are one; then neither is written.
    """
    sources = tuple(files)
    check_outputs(articles, gold, inputs=sources, force=force)
    annotated = read_inline(sources, scheme=scheme)
    write_outputs(annotated, articles=articles, gold=gold, force=force)
    return annotated


def _blocks(text: str, *, path: Path | str, mistakes: list[DataError]) -> list[_Block]:
    """Cut a file at its `=== ` lines; what stands before the first is a mistake."""
    stored = _store_form(text.removeprefix("\ufeff"))
    lines = [_Line(number, line) for number, line in enumerate(stored.split("\n"), start=1)]
    starts = [index for index, line in enumerate(lines) if _HEADLINE.match(line.text)]
    before = next((line for line in lines[: starts[0] if starts else None] if line.text.strip()), None)
    if before or not starts:
        number, found = before or (1, "nothing")
        problem = f"found {_short(found)} where the first article should start"
        mistakes.append(DataError(problem, path=path, line=number, cure="Start each article with a line `=== ID`"))
    ends = [*starts[1:], len(lines)]
    return [_Block(path, lines[start], lines[start + 1 : end]) for start, end in zip(starts, ends, strict=False)]


def _read_blocks(blocks: Sequence[_Block], *, scheme: LabelScheme, mistakes: list[DataError]) -> list[Annotated]:
    found: list[Annotated | None] = []
    seen: dict[str, _Block] = {}
    for block in blocks:
        reader = _ArticleReader(block, scheme, mistakes)
        if not block.id:
            reader.wrong(_Place(block.start.number, 1), "an article without an id", "Write `=== ` and an id of its own")
        elif block.id in seen:
            first = seen[block.id]
            problem = f"id {block.id!r} stands at {first.path}:{first.start.number} already"
            reader.wrong(_Place(block.start.number, 5), problem, "Give every article its own id")
        seen.setdefault(block.id, block)
        found.append(reader.read())
    raise_all(mistakes)
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class _Open:
    """A mark that is not closed yet; `span_type` is None where the mark itself is a mistake."""

    place: _Place
    start: int
    span_type: str | None = None
    category: str | None = None


@dataclass(slots=True)
class _ArticleReader:
    """Reads one block; what is wrong goes to `mistakes`, and reading goes on behind it."""

    block: _Block
    scheme: LabelScheme
    mistakes: list[DataError]
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    open: list[_Open] = field(default_factory=list)
    marks: list[tuple[Span, _Place]] = field(default_factory=list)
    edges: dict[str, tuple[int, _Place]] = field(default_factory=dict)
    failed: bool = False
    edges_failed: bool = False

    def wrong(self, place: _Place, problem: str, cure: str) -> None:
        self.failed = True
        column = f"column {place.column}"
        self.mistakes.append(DataError(problem, path=self.block.path, line=place.line, field=column, cure=cure))

    def read(self) -> Annotated | None:
        """The article, or None where it has a mistake."""
        header, lines = self._header()
        self._text(lines)
        text = "".join(self.pieces)
        self._check_spans(text)
        body = self._body(text)
        if self.failed:
            return None
        fields = {name: header.pop(name, None) or None for name in _FIELDS}
        annotator = header.pop("annotator", "")
        spans = tuple(sorted(span for span, _ in self.marks))
        return Annotated(
            article=Article(self.block.id, text, meta=header, **fields),
            spans=spans,
            categories=_union(spans),
            annotator=annotator,
            body=body,
        )

    def _header(self) -> tuple[dict[str, str], Sequence[_Line]]:
        """Header by key, and the lines of the text."""
        header: dict[str, str] = {}
        for index, line in enumerate(self.block.lines):
            if not line.text.strip():
                return header, self.block.lines[index + 1 :]
            match = _KEY_VALUE.fullmatch(line.text)
            if not match:
                problem = f"found {_short(line.text)} in the header"
                self.wrong(_Place(line.number, 1), problem, "Write `key: value`, and an empty line before the text")
                return header, self.block.lines[index:]
            if match[1] in header:
                self.wrong(_Place(line.number, 1), f"key {match[1]!r} occurs twice", "Keep one of them")
            header[match[1]] = (match[2] or "").strip()
        return header, ()

    def _text(self, lines: Sequence[_Line]) -> None:
        kept, edges = _trimmed(lines)
        if not kept:
            self.wrong(_Place(self.block.start.number, 1), "an article without text", "Write its text or remove it")
        for index, line in enumerate(kept):
            self._add("\n" if index else "")
            self._edge_lines(edges[index])
            self._line(line)
            if not line.goes_on:
                self._close_all()
            elif index + 1 == len(kept):
                place = _Place(line.number, len(line.text))
                self.wrong(place, "a backslash at the end of the text", r"Write \\ for a plain backslash")
        self._close_all()
        self._edge_lines(edges[len(kept)])

    def _edge_lines(self, lines: Iterable[_Line]) -> None:
        for line in lines:
            self._edge(_EDGE_LINES[line.text.strip()], _Place(line.number, 1))

    def _line(self, line: _Line) -> None:
        done = 0
        for token in _TOKEN.finditer(line.text):
            self._add(line.text[done : token.start()])
            self._token(token, _Place(line.number, token.start() + 1))
            done = token.end()
        self._add(line.text[done:])

    def _token(self, token: re.Match[str], place: _Place) -> None:
        if token["escaped"] is not None:
            self._escaped(token["escaped"], place)
        elif token["edge"]:
            self._edge(token["edge"], place)
        elif token["type"]:
            self._begin(token["type"], token["category"], place)
        elif token["brace"] == "{":
            self.wrong(place, "a { that begins no mark", r"Write {TYPE:…} or {TYPE.CATEGORY:…}, or \{ for plain text")
            self.open.append(_Open(place, self.length))
        else:
            self._end(place)

    def _escaped(self, character: str, place: _Place) -> None:
        if character and character not in _ESCAPABLE:
            self.wrong(place, f"a backslash before {character!r}", r"Write \\ for a plain backslash")
        self._add(character)

    def _begin(self, name: str, category: str | None, place: _Place) -> None:
        problem = cure = ""
        if name not in self.scheme.type_names:
            problem, cure = f"unknown type {name!r}", f"Types: {', '.join(self.scheme.type_names)}"
        elif name not in self.scheme.categorised_names:
            if category is not None:
                problem, cure = f"{name} with category {category!r}", f"Write {{{name}:…}}: it carries none"
        elif category not in self.scheme.category_names:
            problem = f"{name} without a category" if category is None else f"unknown category {category!r}"
            cure = f"Write {{{name}.CATEGORY:…}} with one of {', '.join(self.scheme.category_names)}"
        if problem:
            self.wrong(place, problem, cure)
        self.open.append(_Open(place, self.length, None if problem else name, category))

    def _end(self, place: _Place) -> None:
        if not self.open:
            self.wrong(place, "a } that closes no mark", r"Remove it, open its mark, or write \} for plain text")
            return
        mark = self.open.pop()
        if mark.start == self.length:
            self.wrong(mark.place, "an empty mark", "Put the words inside it, or remove it")
        elif mark.span_type:
            self.marks.append((Span(mark.start, self.length, mark.span_type, mark.category), mark.place))

    def _close_all(self) -> None:
        """What is open at the end of its line is a mistake, found here so that it does not swallow the text."""
        for mark in self.open:
            self.wrong(mark.place, "a mark that is not closed on its line", "Write its }")
        self.open.clear()

    def _edge(self, name: str, place: _Place) -> None:
        shown = f"{{{{{name}}}}}"
        problem = cure = ""
        if self.open:
            problem, cure = f"{shown} inside a mark", "Close the mark before it"
        elif name in self.edges:
            problem, cure = f"a second {shown}", "An article has one body"
        elif name == "/body" and "body" not in self.edges:
            problem, cure = f"{shown} without {{{{body}}}} before it", "Put a line {{body}} before the headline"
        if problem:
            self.wrong(place, problem, cure)
            self.edges_failed = True
        self.edges.setdefault(name, (self.length, place))

    def _add(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def _check_spans(self, text: str) -> None:
        for name in self.scheme.type_names:
            same = sorted((mark for mark in self.marks if mark[0].type == name), key=lambda mark: (mark[0], mark[1]))
            for (before, _), (after, place) in itertools.pairwise(same):
                if before.overlaps(after):
                    self.wrong(place, f"{name} inside {name}", "Spans of one type never overlap: keep one")
        if not unicodedata.is_normalized("NFC", text):
            places = [place for span, place in self.marks if _parts_letter(text, span)]
            place = places[0] if places else _Place(self.block.start.number, 1)
            self.wrong(place, "a mark that parts a letter from its accent", "Take both inside, or leave both out")

    def _body(self, text: str) -> tuple[int, int] | None:
        """The stretch between the body lines, without the white space around it."""
        if not self.edges or self.edges_failed:
            return None
        if "/body" not in self.edges:
            self.wrong(self.edges["body"][1], "{{body}} without {{/body}}", "Put a line {{/body}} after the body")
            return None
        (start, place), (end, _) = self.edges["body"], self.edges["/body"]
        stretch = text[start:end]
        if not stretch.strip():
            self.wrong(place, "nothing in the body", "Put the lines around headline and text, or remove them")
            return None
        for span, mark_place in self.marks:
            if not start <= span.start < span.end <= end:
                problem = f"{span.type} {_short(text[span.start : span.end])} outside the body"
                self.wrong(mark_place, problem, "Remove the mark, or move the body line")
        return _stripped(start, end, text=text, spans=[span for span, _ in self.marks])


def _trimmed(lines: Iterable[_Line]) -> tuple[list[_Line], Mapping[int, list[_Line]]]:
    """Text lines without empty ones around them, and the body lines by the index of the text line they stand before."""
    kept: list[_Line] = []
    edges: list[tuple[int, _Line]] = []
    for line in lines:
        if line.text.strip() in _EDGE_LINES:
            edges.append((len(kept), line))
        else:
            kept.append(line)
    first = next((index for index, line in enumerate(kept) if line.text), len(kept))
    last = len(kept)
    while last > first and not kept[last - 1].text and not kept[last - 2].goes_on:
        last -= 1
    by_index: defaultdict[int, list[_Line]] = defaultdict(list)
    for index, line in edges:
        by_index[min(max(index, first), last) - first].append(line)
    return kept[first:last], by_index


def _stripped(start: int, end: int, *, text: str, spans: Sequence[Span]) -> tuple[int, int]:
    """White space inside a mark stays: that mark is wrong, but it is not outside."""
    stretch = text[start:end]
    first = start + len(stretch) - len(stretch.lstrip())
    last = start + len(stretch.rstrip())
    return min([first, *(span.start for span in spans)]), max([last, *(span.end for span in spans)])


def _parts_letter(text: str, span: Span) -> bool:
    edges = (text[max(0, at - 8) : at + 8] for at in (span.start, span.end))
    return not all(unicodedata.is_normalized("NFC", edge) for edge in edges)


def _unsayable(one: Annotated) -> Iterator[DataError]:
    """What keeps an article from being written inline and read back as it is."""

    def wrong(problem: str, cure: str) -> DataError:
        return DataError(f"{one.id!r}: {problem}", cure=cure)

    text = one.article.text
    if not text or text != _store_form(text) or not _encodes(text):
        yield wrong("its text is empty, not NFC, or no plain text", "Store articles with `hoidam ingest`")
    if not one.id:
        yield wrong("id is empty", "Give every article its own id")
    for key, value in (("id", one.id), *_header_items(one)):
        if not _is_value(value):
            yield wrong(f"{key} is {value!r}", "Inline headers hold one line of NFC text without white space around it")
    for key in one.article.meta:
        if key in _RESERVED or not _KEY_VALUE.fullmatch(f"{key}:") or not _is_value(key):
            yield wrong(f"meta key {key!r}", "Use letters, digits, - _ . and none of the names of fields")
    if one.categories != _union(one.spans):
        yield wrong("its categories are not those of its spans", "Inline marks say categories by spans alone")
    yield from (wrong(problem, cure) for problem, cure in (*_crossings(one), *_body_problems(one)))


def _crossings(one: Annotated) -> Iterator[tuple[str, str]]:
    text = one.article.text
    outer: list[Span] = []
    for span in sorted(one.spans, key=_outer_first):
        if span.end > len(text):
            yield f"a span from {span.start} to {span.end} leaves the text", "Annotate the text as it is"
            continue
        outer = [before for before in outer if before.end > span.start]
        for before in outer:
            names = " and ".join(f"{s.type} {s.start}-{s.end} {_short(text[s.start : s.end])}" for s in (before, span))
            if before.end < span.end:
                yield f"{names} cross", "Inline marks only nest: move one of the edges, or export another format"
            elif before.type == span.type:
                yield f"{names} overlap", "Spans of one type never overlap: keep one"
        outer.append(span)


def _body_problems(one: Annotated) -> Iterator[tuple[str, str]]:
    if one.body is None:
        return
    (start, end), text = one.body, one.article.text
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        yield f"its body {start}-{end} is not in the text, or has white space at an edge", "Move the body's edges"
    for span in one.spans:
        if not start <= span.start < span.end <= end:
            yield f"span {span.start}-{span.end} lies outside its body {start}-{end}", "Move one"


def _header_items(one: Annotated) -> Iterator[tuple[str, object]]:
    values: dict[str, object] = {name: getattr(one.article, name) for name in _FIELDS} | {"annotator": one.annotator}
    yield from ((name, value) for name, value in values.items() if value)
    yield from one.article.meta.items()


def _header(one: Annotated) -> str:
    lines = (f"{key}: {value}".rstrip() for key, value in _header_items(one))
    return "".join(f"{line}\n" for line in (f"=== {one.id}", *lines))


def _is_value(value: object) -> bool:
    return isinstance(value, str) and value == _store_form(value).strip() and "\n" not in value and _encodes(value)


def _encodes(text: str) -> bool:
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


def _marked(one: Annotated) -> str:
    """The text with marks, escapes and body lines."""
    before = _insertions(one)
    text = one.article.text
    first, last = len(text) - len(text.lstrip("\n")), len(text.rstrip("\n"))
    bound = {at for span in one.spans for at in range(span.start, span.end) if text[at] == "\n"}
    bound |= {*range(first), *range(last, len(text))}
    pieces: list[str] = []
    for at, character in enumerate(text):
        pieces += before[at]
        line_start = at == 0 or text[at - 1] == "\n"
        escape = character in "{}\\" or at in bound or (line_start and text.startswith("===", at))
        pieces.append(f"\\{character}" if escape else character)
    return "".join((*pieces, *before[len(text)])) + "\n"


def _insertions(one: Annotated) -> Mapping[int, list[str]]:
    """What stands before each code point: closing marks, then a body line, then opening marks, the outermost first."""
    spans = sorted(one.spans, key=_outer_first)
    before: defaultdict[int, list[str]] = defaultdict(list)
    for span in spans:
        before[span.end].append("}")
    if one.body is not None:
        for at, line in _body_lines(one.body, one.article.text):
            before[at].append(line)
    for span in spans:
        category = "" if span.category is None else f".{span.category}"
        before[span.start].append(f"{{{span.type}{category}:")
    return before


def _body_lines(body: tuple[int, int], text: str) -> tuple[tuple[int, str], tuple[int, str]]:
    """Body lines where only white space stands between the body's edge and its line's, else the same within the line.

    The line is closed before `{{/body}}` where the text goes on, since that line end may be an escaped one.
    """
    start, end = body
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    opening, closing = (start, "{{body}}"), (end, "{{/body}}")
    if not text[line_start:start].strip():
        opening = (line_start, "{{body}}\n")
    if not text[end:line_end].strip():
        closing = (line_end + 1, "{{/body}}\n") if line_end < len(text) else (line_end, "\n{{/body}}")
    return opening, closing


def _outer_first(span: Span) -> tuple[int, int, str]:
    return span.start, -span.end, span.type


def _union(spans: Iterable[Span]) -> frozenset[str]:
    return frozenset(span.category for span in spans if span.category is not None)


def _store_form(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _short(text: str, limit: int = 40) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
