"""Spans as CoNLL files: on the tokens of the files that the texts came from, or on words of the project's own."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoidam.document import Annotated, Article, Span, read_articles, read_gold, read_tagged
from hoidam.errors import DataError
from hoidam.files import refuse_inputs, whole_file
from hoidam.gold.conll import DOCUMENT_START, TAG, TOKEN, ConllDocument, Layout, Places, read_documents, read_lines
from hoidam.gold.cuts import WordFinder
from hoidam.gold.exchange import label_of
from hoidam.gold.tagging import OUTSIDE, Chunk, Tagging, write_tags
from hoidam.labels import LabelScheme

OFF_WORDS = "an edge inside a word"
OVER_LINES = "over a line end"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: gold, how many spans, the columns to import them by; what no tag can say, by type and cause."""

    annotated: Sequence[Annotated]
    spans: int
    columns: tuple[str, ...]
    lost: Mapping[tuple[str, str], int]


def export_conll(
    *,
    gold: Sequence[Path],
    tagged: Path | None,
    articles: Sequence[Path],
    scheme: LabelScheme,
    output: Path,
    layout: Layout,
    words: Sequence[Path] | WordFinder,
    force: bool = False,
) -> Exported:
    """Worker of `hoidam gold export --format conll`: write gold, or what was tagged, in the tagging of `layout`.

    `words` are the files that the articles were imported from by the same layout, whose lines the output then has with
    other tags; or what finds words in a text, each of whose lines becomes a sentence. Types that overlap anywhere stand
    in different columns. Raises DataError as `read_gold` and `read_tagged` do, where a file to take words from and the
    articles are not the same texts, and where the output exists and `force` is not given or is one of the inputs.
    """
    sources = () if callable(words) else words
    refuse_inputs(output, (*gold, *articles, *sources, *([tagged] if tagged else [])))
    texts = read_articles(articles)
    annotated = read_gold(gold, texts, scheme)
    if tagged is not None:
        annotated += [Annotated(texts[one.id], one.spans) for one in read_tagged(tagged, texts, scheme)]
    tags = TagWriter(annotated, scheme=scheme, tagging=layout.tagging)
    lines = on_words(annotated, words, tags, layout) if callable(words) else on_sources(annotated, words, tags, layout)
    with whole_file(output, force=force) as stream:
        stream.writelines(f"{line}\n" for line in lines)
    return Exported(annotated, tags.written, (TOKEN, *[TAG] * len(tags.columns)), dict(tags.lost))


class TagWriter:
    """Lays spans on words, and counts what was written and what could not be."""

    def __init__(self, annotated: Iterable[Annotated], *, scheme: LabelScheme, tagging: Tagging) -> None:
        self.columns = part_types(annotated, scheme)
        self.tagging = tagging
        self.written = 0
        self.lost: Counter[tuple[str, str]] = Counter()

    def rows(self, one: Annotated, places: Sequence[Places]) -> list[tuple[str, ...]]:
        """The tags of each word in turn, one for each column."""
        starts = {place[0]: (line, word) for line, word, place in _solid(places)}
        ends = {place[1]: (line, word) for line, word, place in _solid(places)}
        chunks: dict[tuple[int, int], list[Chunk]] = {}
        for span in one.spans:
            first, last = starts.get(span.start), ends.get(span.end)
            if first is None or last is None:
                self.lost[span.type, OFF_WORDS] += 1
            elif first[0] != last[0]:
                self.lost[span.type, OVER_LINES] += 1
            else:
                key = first[0], next(at for at, types in enumerate(self.columns) if span.type in types)
                chunks.setdefault(key, []).append(Chunk(first[1], last[1] + 1, label_of(span)))
                self.written += 1
        rows: list[tuple[str, ...]] = []
        for line, there in enumerate(places):
            layers = [self._layer(one, chunks.get((line, at), []), len(there)) for at in range(len(self.columns))]
            rows += zip(*layers, strict=True)
        return rows

    def _layer(self, one: Annotated, chunks: Sequence[Chunk], length: int) -> list[str]:
        try:
            return write_tags(chunks, length=length, tagging=self.tagging)
        except DataError as error:
            raise DataError(f"{one.id}: {error.problem}", cure=error.cure) from None


def _solid(places: Sequence[Places]) -> Iterator[tuple[int, int, tuple[int, int]]]:
    return (
        (line, word, place)
        for line, there in enumerate(places)
        for word, place in enumerate(there)
        if place[0] < place[1]
    )


def part_types(annotated: Iterable[Annotated], scheme: LabelScheme) -> list[list[str]]:
    """Types in as few columns as taking them in the scheme's order gives, so that no spans of a column overlap."""
    crossing = {pair for one in annotated for pair in _overlaps(one.spans)}
    columns: list[list[str]] = []
    for name in scheme.type_names:
        free = (types for types in columns if not any({(name, o), (o, name)} & crossing for o in types))
        column = next(free, None)
        if column is None:
            columns.append([name])
        else:
            column.append(name)
    return columns


def _overlaps(spans: Iterable[Span]) -> Iterator[tuple[str, str]]:
    still_open: list[Span] = []
    for span in sorted(spans):
        still_open = [before for before in still_open if before.end > span.start]
        yield from ((before.type, span.type) for before in still_open)
        still_open.append(span)


def on_words(annotated: Iterable[Annotated], words: WordFinder, tags: TagWriter, layout: Layout) -> Iterator[str]:
    """The lines of a file on words that are found in each text."""
    for one in annotated:
        text = one.article.text
        places = _by_line(words(text), text)
        rows = iter(tags.rows(one, places))
        if layout.unit == "document":
            yield "\t".join((DOCUMENT_START, *[OUTSIDE] * len(tags.columns)))
            yield ""
        for there in places:
            yield from ("\t".join(("_".join(text[start:end].split()), *next(rows))) for start, end in there)
            yield ""


def _by_line(words: Iterable[tuple[int, int]], text: str) -> list[Places]:
    lines: list[Places] = []
    for start, end in words:
        if not lines or "\n" in text[lines[-1][-1][1] : start]:
            lines.append([])
        lines[-1].append((start, end))
    return lines


def on_sources(
    annotated: Iterable[Annotated], sources: Sequence[Path], tags: TagWriter, layout: Layout
) -> Iterator[str]:
    """The lines of the sources with other tags: what holds no token stays as it is."""
    left = {one.id: one for one in annotated}
    rows: dict[tuple[Path, int], str] = {}
    for document in read_documents(sources, layout=layout):
        text, places = document.lay()
        tokens = [token for sentence in document.sentences for token in sentence]
        for token, row in zip(tokens, tags.rows(_take(document, text, left), places), strict=True):
            rows[document.path, token.line] = "\t".join((token.surface, *row))
    if left:
        raise DataError(f"{next(iter(left))!r} is in none of the sources", cure="Give the files of all articles")
    for path in sources:
        lines = read_lines(path)
        yield from (rows.get((path, number), line) for number, line in enumerate(lines, start=1))
        if lines[-1].strip():
            yield ""


def _take(document: ConllDocument, text: str, left: dict[str, Annotated]) -> Annotated:
    """The article that a document became; one without characters became none."""
    if not text.strip():
        return Annotated(Article(document.id, text))
    one = left.pop(document.id, None)
    if one is None or one.article.text != text:
        problem = f"{document.id!r} is not among the articles" if one is None else f"{document.id!r} has another text"
        cure = "Give gold, or a tagged file, of all that the file holds, and the options that it was imported by"
        raise DataError(problem, path=document.path, cure=cure)
    return one
