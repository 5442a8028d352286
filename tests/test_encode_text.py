"""Text to windows and back to the offsets of the input, over ten thousand texts that are meant to break it."""

import random
from itertools import pairwise

import pytest
import tiny

from hoidam.document import Span
from hoidam.encode.pieces import LONGEST_WORD, PieceTable
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.tags import lay_tags
from hoidam.encode.text import TextEncoder
from hoidam.encode.windows import SMALLEST_WINDOW
from hoidam.ingest.body import find_body
from hoidam.ingest.normalise import normalise

SEGMENTERS = {"none": load_segmenter("none"), "hostile": tiny.hostile_segmenter(), "joining": tiny.joining_segmenter()}


@pytest.fixture(scope="module")
def tables(phobert_folder, bert_folder):
    from hoidam.checkpoint import load_tokenizer

    return [PieceTable(load_tokenizer(str(folder))) for folder in (phobert_folder, bert_folder)]


def random_input(rng):
    """A nasty text, three of a hundred long enough for several windows, some with news around."""
    kind = rng.random()
    if kind < 0.03:
        return "".join(tiny.nasty_text(rng) + rng.choice(["", " ", "\n", ". "]) for _ in range(rng.randint(5, 25)))
    if kind < 0.06:
        return tiny.news_text(rng, sentences=rng.randint(1, 6)) + tiny.nasty_text(rng)
    return tiny.nasty_text(rng)


def random_encoder(rng, tables, segmenter):
    size = rng.choice([SMALLEST_WINDOW, SMALLEST_WINDOW + 1, rng.randint(SMALLEST_WINDOW, 254)])
    return TextEncoder(rng.choice(tables), segmenter, size=size, overlap=rng.choice([0, size // 4, rng.randrange(24)]))


def check_windows(encoded, encoder):
    """Every word is read and owned once, and the pieces laid out are those of its words."""
    words = encoded.words
    pieces = encoder.pieces.encode(words)
    assert len(encoded.windows) == len(encoded.encoded)
    owned = [word for window in encoded.windows for word in range(window.own_start, window.own_end)]
    assert owned == list(range(len(words)))
    for window, laid in zip(encoded.windows, encoded.encoded, strict=True):
        assert window.start <= window.own_start < window.own_end <= window.end
        assert len(laid.ids) == len(laid.piece_words) <= encoder.size + 2
        assert laid.word_count == window.end - window.start
        assert (laid.ids[0], laid.ids[-1]) == (encoder.pieces.first_id, encoder.pieces.last_id)
        own = pieces[window.start : window.end]
        assert laid.ids[1:-1] == tuple(piece for ids in own for piece in ids)
        assert laid.piece_words == (-1, *(place for place, ids in enumerate(own) for _ in ids), -1)
    assert all(1 <= len(ids) <= LONGEST_WORD for ids in pieces)


def check_way_back(text, body, normalised, words, rng):
    """Any span of words lies inside the body of the input, is not empty, and disjoint words stay disjoint there."""
    inside = []
    for start, end in zip(words.starts, words.ends, strict=True):
        left, right = normalised.to_input(start, end)
        assert 0 <= left < right <= body[1] - body[0]
        inside.append((body[0] + left, body[0] + right))
    assert all(before[1] <= after[0] for before, after in pairwise(inside))
    for _ in range(3 if inside else 0):
        first, last = sorted(rng.choices(range(len(inside)), k=2))
        left, right = normalised.to_input(words.starts[first], words.ends[last])
        left, right = body[0] + left, body[0] + right
        assert body[0] <= left < right <= body[1]
        assert text[left:right].strip()
        assert (left, right) == (inside[first][0], inside[last][1])


def check_texts(count, segmenters, tables, *, seed):
    rng = random.Random(seed)
    several = 0
    for case in range(count):
        text = random_input(rng)
        encoder = random_encoder(rng, tables, segmenters[case % len(segmenters)])
        body = find_body(text)
        normalised = normalise(text[slice(*body)])
        encoded = encoder.encode(normalised.text)
        assert "".join(encoded.words.text.split()) == "".join(
            "".join(normalised.text[start:end].split())
            for start, end in zip(encoded.words.starts, encoded.words.ends, strict=True)
        )
        check_windows(encoded, encoder)
        check_way_back(text, body, normalised, encoded.words, rng)
        several += len(encoded.windows) > 2
    return several


def test_ten_thousand_texts_are_read_whole_and_lead_back_to_their_input(tables):
    assert check_texts(10_000, list(SEGMENTERS.values()), tables, seed="nasty") > 100


def test_texts_cut_by_the_real_segmenter_are_read_whole_and_lead_back_to_their_input(tables):
    pytest.importorskip("underthesea")
    check_texts(500, [load_segmenter("underthesea")], tables, seed="underthesea")


def gold_of(rng, text):
    """Spans over an input that do not overlap within a type, edges on visible characters."""
    spans = []
    for kind in tiny.SCHEME.types:
        category = rng.choice(tiny.SCHEME.category_names) if kind.categorised else None
        place = 0
        while place < len(text):
            found = tiny.random_offsets(rng, text[place:])
            if found is None:
                break
            start, end = place + found[0], place + found[1]
            spans.append(Span(start, end, kind.name, category))
            place = end + rng.choice([0, 1, 5])
    return spans


@pytest.mark.parametrize("name", SEGMENTERS)
def test_gold_can_always_be_laid_on_words_that_are_cut_at_its_edges(name, tables):
    rng = random.Random(f"gold {name}")
    laid = unreached = 0
    for _ in range(1500):
        text = random_input(rng)
        normalised = normalise(text)
        edges = {}
        for span in gold_of(rng, text):
            start, end = normalised.from_input(span.start, span.end)
            surface = normalised.text[start:end]
            # Gold on invisible characters alone, or up to them, is no gold: a check refuses it before training.
            if surface and surface == surface.strip():
                edges[Span(start, end, span.type, span.category)] = None
        spans = list(edges)
        encoder = random_encoder(rng, tables, SEGMENTERS[name])
        encoded = encoder.encode(normalised.text, cuts=[edge for span in spans for edge in (span.start, span.end)])
        check_windows(encoded, encoder)
        layers = lay_tags(spans, encoded.words, tiny.SCHEME)
        assert layers.unreachable == ()
        laid += len(spans)
        unreached += len(lay_tags(spans, encoder.encode(normalised.text).words, tiny.SCHEME).unreachable)
    assert laid > 5000
    assert unreached > 100


def test_an_empty_text_has_no_words_and_no_windows(tables):
    encoded = TextEncoder(tables[0], SEGMENTERS["none"], size=96, overlap=0).encode(" \n\t", cuts=[0, 1])
    assert (len(encoded.words), encoded.windows, encoded.encoded) == (0, (), ())
