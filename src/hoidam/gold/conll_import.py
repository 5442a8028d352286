"""CoNLL files to articles and gold, and to a label scheme where there is none yet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.gold.conll import ConllDocument, Layout, Places, Sentence, read_documents
from hoidam.gold.exchange import EMPTY, Imported, Labels, derive_scheme, without_clashes
from hoidam.gold.tagging import parse_tag, read_tags
from hoidam.labels import LabelScheme


def read_conll(paths: Iterable[Path], *, layout: Layout, scheme: LabelScheme | None = None) -> Imported:
    """Read files as articles with gold; without a scheme, its types are the labels found, sorted, without categories.

    Such a scheme is flat where there is one column of tags. A label is a type, or `TYPE.CATEGORY` where the scheme
    gives a type categories. Raises DataError with file and line as `read_documents` does, and on a tag or label that
    there is not.
    """
    documents = read_documents(paths, layout=layout)
    if scheme is None:
        labels = (label for document in documents for _, label in _labels(document, layout) if label)
        cure = "Name the column of tags with --columns"
        scheme = derive_scheme(labels, flat=len(layout.layers) == 1, cure=cure)
    reader = _Reader(layout, scheme)
    annotated = [one for document in documents if (one := reader.read(document)) is not None]
    return Imported(annotated, scheme, dict(+reader.mended))


def _labels(document: ConllDocument, layout: Layout) -> Iterator[tuple[int, str]]:
    """The label of every tag, empty for outside, with its line."""
    for token in (token for sentence in document.sentences for token in sentence):
        for tag in token.tags:
            try:
                yield token.line, parse_tag(tag, tagging=layout.tagging)[1]
            except DataError as error:
                raise error.at(document.path, token.line) from None


class _Reader:
    """Makes documents into annotated articles and counts what had to be mended."""

    def __init__(self, layout: Layout, scheme: LabelScheme) -> None:
        self.layout = layout
        self.scheme = scheme
        self.labels = Labels(scheme)
        self.mended: Counter[str] = Counter()

    def read(self, document: ConllDocument) -> Annotated | None:
        """The article of a document; None where it has no characters."""
        self._check(document)
        text, places = document.lay()
        if not text.strip():
            self.mended[EMPTY] += 1
            return None
        # In the order of layers: where two may not overlap, the layer that comes first keeps its own.
        found = (span for layer in range(len(self.layout.layers)) for span in self._layer(document, places, layer))
        spans = tuple(sorted(without_clashes(found, scheme=self.scheme, mended=self.mended)))
        categories = frozenset(span.category for span in spans if span.category is not None)
        return Annotated(Article(document.id, text), spans, categories)

    def _check(self, document: ConllDocument) -> None:
        for line, label in _labels(document, self.layout):
            if label:
                try:
                    self.labels.find(label)
                except DataError as error:
                    raise error.at(document.path, line) from None

    def _layer(self, document: ConllDocument, places: Sequence[Places], layer: int) -> Iterator[Span]:
        for sentence, there in zip(document.sentences, places, strict=True):
            yield from self._sentence(sentence, there, layer)

    def _sentence(self, sentence: Sentence, places: Places, layer: int) -> Iterator[Span]:
        tags = (token.tags[layer] for token in sentence)
        for start, end, label in read_tags(tags, tagging=self.layout.tagging, flaws=self.mended):
            solid = [place for place in places[start:end] if place[0] < place[1]]
            if solid:
                yield Span(solid[0][0], solid[-1][1], *self.labels.find(label))
            else:
                self.mended[EMPTY] += 1
