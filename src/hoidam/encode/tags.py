"""Tag layers: spans as one row of BIO tags per span type, over words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hoidam.document import Span
from hoidam.encode.words import Words
from hoidam.labels import LabelScheme

OUTSIDE, BEGIN, INSIDE = 0, 1, 2
TAG_COUNT = 3
NO_CATEGORY = -100
"""Where a word has no category to learn: torch's cross-entropy passes this index over."""


@dataclass(frozen=True, slots=True)
class TagLayers:
    """Gold as a model learns it: `tags` [types, words] in BIO, `categories` [words] with NO_CATEGORY where none.

    `unreachable` are spans with an edge inside a word, which no tag sequence can say.
    """

    tags: np.ndarray
    categories: np.ndarray
    unreachable: tuple[Span, ...]


def lay_tags(spans: Iterable[Span], words: Words, scheme: LabelScheme) -> TagLayers:
    """Write spans (offsets into `words.text`) as tag layers."""
    types = {name: index for index, name in enumerate(scheme.type_names)}
    category_index = {name: index for index, name in enumerate(scheme.category_names)}
    tags = np.zeros((len(types), len(words)), dtype=np.int64)
    categories = np.full(len(words), NO_CATEGORY, dtype=np.int64)
    unreachable = []
    for span in spans:
        found = words.within(span.start, span.end)
        if found is None:
            unreachable.append(span)
            continue
        first, end = found
        tags[types[span.type], first] = BEGIN
        tags[types[span.type], first + 1 : end] = INSIDE
        if span.category is not None:
            categories[first:end] = category_index[span.category]
    return TagLayers(tags, categories, tuple(unreachable))


def read_tags(tags: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
    """Word ranges of the spans in one legal BIO row."""
    ranges: list[tuple[int, int]] = []
    start = None
    for word, tag in enumerate([*tags, OUTSIDE]):
        if tag != INSIDE and start is not None:
            ranges.append((start, word))
            start = None
        if tag == BEGIN:
            start = word
    return ranges
