"""Tag layers: spans to BIO rows and back, type by type, and what no row can say is named."""

import random

import numpy as np
import pytest
import tiny

from hoidam.document import Span
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.tags import BEGIN, INSIDE, NO_CATEGORY, OUTSIDE, lay_tags, read_tags
from hoidam.encode.words import split_words

NONE = load_segmenter("none")


def legal_row(rng, count):
    row = []
    for _ in range(count):
        before = row[-1] if row else OUTSIDE
        row.append(rng.choice([OUTSIDE, BEGIN] if before == OUTSIDE else [OUTSIDE, BEGIN, INSIDE, INSIDE]))
    return row


def slow_ranges(row):
    """Ranges by looking at each begin and walking on."""
    ranges = []
    for start in [place for place, tag in enumerate(row) if tag == BEGIN]:
        end = start + 1
        while end < len(row) and row[end] == INSIDE:
            end += 1
        ranges.append((start, end))
    return ranges


def test_legal_rows_survive_the_way_to_spans_and_back():
    rng = random.Random("rows")
    for case in range(3000):
        segmenter = [NONE, tiny.hostile_segmenter(), tiny.joining_segmenter()][case % 3]
        words = split_words(tiny.nasty_text(rng), segmenter)
        rows = [legal_row(rng, len(words)) for _ in tiny.SCHEME.types]
        spans, categories = [], np.full(len(words), NO_CATEGORY)
        for kind, row in zip(tiny.SCHEME.types, rows, strict=True):
            assert read_tags(np.array(row, dtype=int)) == read_tags(row) == slow_ranges(row)
            for start, end in read_tags(row):
                index = rng.randrange(3) if kind.categorised else None
                category = None if index is None else tiny.SCHEME.category_names[index]
                spans.append(Span(words.starts[start], words.ends[end - 1], kind.name, category))
                if index is not None:
                    categories[start:end] = index
        rng.shuffle(spans)
        layers = lay_tags(spans, words, tiny.SCHEME)
        assert layers.unreachable == ()
        assert layers.tags.tolist() == rows
        assert layers.categories.tolist() == categories.tolist()


def test_nested_and_touching_spans_keep_their_own_layers_and_begins():
    words = split_words("a b c d", NONE)
    spans = [Span(0, 3, "POST"), Span(2, 3, "SITE"), Span(4, 5, "POST"), Span(4, 7, "MATTER", "BETA")]
    layers = lay_tags(spans, words, tiny.SCHEME)
    assert layers.tags.tolist() == [[0, 0, 0, 0], [1, 2, 1, 0], [0, 1, 0, 0], [0, 0, 1, 2]]
    assert layers.categories.tolist() == [NO_CATEGORY, NO_CATEGORY, 1, 1]


@pytest.mark.parametrize("offsets", [(1, 7), (0, 2), (0, 4), (3, 7), (4, 4 + 1)])
def test_a_span_that_no_row_can_say_is_named_and_leaves_no_tag(offsets):
    words = split_words("abc def", NONE)
    span = Span(*offsets, "WHO")
    layers = lay_tags([span], words, tiny.SCHEME)
    assert layers.unreachable == (span,)
    assert not layers.tags.any()


def test_a_scheme_without_categories_has_none_to_learn():
    layers = lay_tags([Span(0, 1, "LOC")], split_words("a b", NONE), tiny.PLAIN_SCHEME)
    assert layers.tags.tolist() == [[0, 0], [1, 0]]
    assert (layers.categories == NO_CATEGORY).all()


def test_no_words_have_empty_layers():
    layers = lay_tags([], split_words("", NONE), tiny.SCHEME)
    assert layers.tags.shape == (4, 0)
    assert read_tags(layers.tags[0]) == []
