"""CoNLL files to articles and gold, and to a label scheme where there is none yet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.files import toml_value, whole_file
from hoidam.gold.conll import ConllDocument, Layout, Places, Sentence, read_documents
from hoidam.gold.outputs import check_outputs, write_outputs
from hoidam.gold.tagging import parse_tag, read_tags
from hoidam.labels import LabelScheme, SpanType, read_labels

EMPTY = "sentences or spans without characters, left out"
NESTED = "spans over part of another that they may not overlap, left out"


@dataclass(frozen=True, slots=True)
class Imported:
    """Articles with gold, the scheme of their labels, and how many places were mended or left out, by kind."""

    annotated: Sequence[Annotated]
    scheme: LabelScheme
    mended: Mapping[str, int]


def import_conll(
    files: Sequence[Path], *, layout: Layout, labels: Path, articles: Path, gold: Path, force: bool = False
) -> Imported:
    """Worker of `hoidam gold import --format conll`: write what files hold as articles and gold, and return it.

    Where there is no file `labels` yet it is written, with the types that were found. Raises DataError as `read_conll`
    does, and where an output exists and `force` is not given, is one of the files, or where both are one.
    """
    check_outputs(articles, gold, inputs=files, force=force)
    known = read_labels(labels) if labels.exists() else None
    try:
        found = read_conll(files, layout=layout, scheme=known)
    except UnknownLabelError as error:
        raise error.under(labels) from None
    write_outputs(found.annotated, articles=articles, gold=gold, force=force)
    if known is None:
        with whole_file(labels) as stream:
            stream.write(_labels_toml(found.scheme))
    return found


def _labels_toml(scheme: LabelScheme) -> str:
    tables = [f"[[types]]\nname = {toml_value(name)}\n" for name in scheme.type_names]
    return "\n".join([f"flat = {toml_value(scheme.flat)}\n", *tables])


class UnknownLabelError(DataError):
    """A tag's label that the scheme does not have."""

    def under(self, labels: Path) -> DataError:
        """The same error, naming the file of the scheme."""
        cure = f"{self.cure}. Add it to {labels}, or name a new file with --labels to have it written"
        return DataError(self.problem, cure=cure, path=self.path, line=self.line, field=self.field)


def read_conll(paths: Iterable[Path], *, layout: Layout, scheme: LabelScheme | None = None) -> Imported:
    """Read files as articles with gold; without a scheme, its types are the labels found, sorted, without categories.

    Such a scheme is flat where there is one column of tags.
    A label is a type, or `TYPE.CATEGORY` where the scheme gives a type categories. Raises DataError with file and line
    as `read_documents` does, and on a tag or label that there is not.
    """
    documents = read_documents(paths, layout=layout)
    if scheme is None:
        scheme = _derived(documents, layout)
    reader = _Reader(layout, scheme)
    annotated = [one for document in documents if (one := reader.read(document)) is not None]
    return Imported(annotated, scheme, dict(+reader.mended))


def _derived(documents: Iterable[ConllDocument], layout: Layout) -> LabelScheme:
    """The labels of all tags as types, flat where they stand in one column."""
    labels = {label for *_, label in _labels(documents, layout) if label}
    if not labels:
        raise DataError("no tag but O in these files", field="columns", cure="Name the column of tags with --columns")
    return LabelScheme(types=tuple(map(SpanType, sorted(labels))), flat=len(layout.layers) == 1)


def _labels(documents: Iterable[ConllDocument], layout: Layout) -> Iterator[tuple[ConllDocument, int, str]]:
    """The label of every tag, empty for outside, with its document and line."""
    for document in documents:
        for token in (token for sentence in document.sentences for token in sentence):
            for tag in token.tags:
                try:
                    yield document, token.line, parse_tag(tag, tagging=layout.tagging)[1]
                except DataError as error:
                    raise error.at(document.path, token.line) from None


class _Reader:
    """Makes documents into annotated articles and counts what had to be mended."""

    def __init__(self, layout: Layout, scheme: LabelScheme) -> None:
        self.layout = layout
        self.flat = scheme.flat
        self.mended: Counter[str] = Counter()
        self.known: dict[str, tuple[str, str | None]] = {}
        for kind in scheme.types:
            categories = scheme.category_names if kind.categorised else ()
            self.known |= {f"{kind.name}.{category}": (kind.name, category) for category in categories}
            if not kind.categorised:
                self.known[kind.name] = kind.name, None

    def read(self, document: ConllDocument) -> Annotated | None:
        """The article of a document; None where it has no characters."""
        for _, line, label in _labels([document], self.layout):
            if label and label not in self.known:
                cure = f"Labels: {', '.join(self.known)}"
                raise UnknownLabelError(f"unknown label {label!r}", path=document.path, line=line, cure=cure)
        text, places = document.lay()
        if not text.strip():
            self.mended[EMPTY] += 1
            return None
        spans = tuple(sorted(self._spans(document, places)))
        categories = frozenset(span.category for span in spans if span.category is not None)
        return Annotated(Article(document.id, text), spans, categories)

    def _spans(self, document: ConllDocument, places: Sequence[Places]) -> list[Span]:
        """The spans of all layers; where two may not overlap, the layer that comes first keeps its own."""
        kept: list[Span] = []
        for layer in range(len(self.layout.layers)):
            found = [
                span
                for sentence, there in zip(document.sentences, places, strict=True)
                for span in self._layer_spans(sentence, there, layer)
                if span not in kept
            ]
            fitting = [span for span in found if not any(self._clash(span, other) for other in kept)]
            self.mended[NESTED] += len(found) - len(fitting)
            kept += fitting
        return kept

    def _clash(self, span: Span, other: Span) -> bool:
        return span.overlaps(other) and (self.flat or span.type == other.type)

    def _layer_spans(self, sentence: Sentence, places: Places, layer: int) -> Iterator[Span]:
        tags = (token.tags[layer] for token in sentence)
        for start, end, label in read_tags(tags, tagging=self.layout.tagging, flaws=self.mended):
            solid = [place for place in places[start:end] if place[0] < place[1]]
            if solid:
                yield Span(solid[0][0], solid[-1][1], *self.known[label])
            else:
                self.mended[EMPTY] += 1
