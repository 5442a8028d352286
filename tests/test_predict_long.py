"""Long documents: bounded memory, the same answer every time, and every window read alike wherever it stands."""

import random
import tracemalloc
from itertools import accumulate, pairwise

import numpy as np
import pytest
import tiny

LARGEST_BATCH = 5_000
"""Pieces; a network's batch on a CPU stays below."""


@pytest.fixture(scope="module")
def predictor(bert_folder):
    return tiny.predictor(bert_folder, tiny.SCHEME, size=96, overlap=24)


def long_text(words, *, seed="long"):
    rng, parts, count = random.Random(seed), [], 0
    while count < words:
        parts.append(tiny.news_text(rng, sentences=8))
        count += len(parts[-1].split())
    return " ".join("\n".join(parts).split(" ")[:words])


def test_memory_grows_with_a_text_and_its_results_alone(bert_folder, monkeypatch):
    from hoidam import predict

    predictor = tiny.predictor(bert_folder, tiny.PLAIN_SCHEME, size=96, overlap=24)
    sizes, peaks = [], []

    def recording(windows, *, pad_id, pad=predict.pad_batch):
        batch = pad(windows, pad_id=pad_id)
        sizes.append(batch.input_ids.size)
        return batch

    monkeypatch.setattr("hoidam.predict.pad_batch", recording)
    predictor.predict([long_text(200)])
    for words in (2_000, 20_000):
        text = long_text(words)
        tracemalloc.start()
        (found,) = predictor.predict([text], bodies=[(0, len(text))])
        peaks.append(tracemalloc.get_traced_memory()[1] / len(text))
        tracemalloc.stop()
        assert max(span.end for span in found.spans) > 0.98 * len(text)
    # What a network works on is bounded; what is kept is so much a character, whatever the length.
    assert max(sizes) <= LARGEST_BATCH
    assert sum(sizes) > 8 * LARGEST_BATCH
    assert peaks[1] < 1.15 * peaks[0]
    assert peaks[1] < 300


def test_a_long_text_has_one_answer(predictor):
    text = long_text(3_000)
    first, again, beside = (predictor.predict(texts)[0] for texts in ([text], [text], [text, "Hai bên hội đàm."]))
    assert first == again
    assert places(first) == places(beside)
    assert scores(first) == pytest.approx(scores(beside), abs=1e-5)


def places(prediction):
    return [(span.start, span.end, span.type, span.category) for span in prediction.spans]


def scores(prediction):
    return [span.score for span in prediction.spans]


def test_a_words_scores_depend_on_the_pieces_of_its_window_alone(predictor):
    # All that a word's scores may depend on: what stands in the rest of the text, and how far in, is not among it.
    rng = random.Random("windows")
    compared = 0
    for _ in range(25):
        text = tiny.news_text(rng, sentences=rng.randint(10, 40)).replace("\n", " ")
        encoded = predictor.encoder.encode(text)
        (in_text,) = predictor.score([encoded])
        for window, laid in zip(encoded.windows, encoded.encoded, strict=True):
            alone = predictor.encoder.encode(
                text[encoded.words.starts[window.start] : encoded.words.ends[window.end - 1]]
            )
            if alone.encoded != (laid,):
                # A window that begins within a word's company: its first word stood after no space.
                continue
            (by_itself,) = predictor.score([alone])
            own = slice(window.own_start, window.own_end)
            there = slice(window.own_start - window.start, window.own_end - window.start)
            np.testing.assert_allclose(in_text.tags[own], by_itself.tags[there], atol=1e-5)
            np.testing.assert_allclose(in_text.categories[own], by_itself.categories[there], atol=1e-5)
            compared += window.start > 0
    assert compared > 100


def test_a_paragraph_that_fills_a_window_is_tagged_alike_wherever_it_stands(bert_folder):
    """With one paragraph to a window and no overlap every word has the same context in the window, in any order."""
    predictor = tiny.predictor(bert_folder, tiny.SCHEME, size=200, overlap=0)
    rng = random.Random("paragraphs")
    paragraphs = [text for text in (paragraph(rng) for _ in range(60)) if fills_a_window(text, predictor)]
    assert len(paragraphs) > 20
    # A text's first and last words have nothing beside them, so others stand there.
    edge = paragraphs[0]
    wanted = {text: by_paragraph([edge, text, edge], predictor)[1] for text in paragraphs}
    found_spans = 0
    for _ in range(20):
        order = rng.choices(paragraphs, k=rng.randint(2, 12))
        for text, found in zip(order, by_paragraph([edge, *order, edge], predictor)[1:-1], strict=True):
            assert [span[:4] for span in found] == [span[:4] for span in wanted[text]]
            assert [span[4] for span in found] == pytest.approx([span[4] for span in wanted[text]], abs=1e-5)
            found_spans += len(found)
    assert found_spans > 500


def paragraph(rng):
    """One sentence."""
    return " ".join(rng.choices([word for word in tiny.TEXT.split() if word.isalpha()], k=rng.randint(100, 170))) + "."


def fills_a_window(text, predictor):
    """Whether it fits a window, and two of its kind do not."""
    encoded = predictor.encoder.encode(text)
    return len(encoded.windows) == 1 and len(encoded.encoded[0].ids) - 2 > predictor.encoder.size // 2


def by_paragraph(paragraphs, predictor):
    """The spans of each paragraph, with offsets from its start."""
    text = "\n".join(paragraphs)
    (found,) = predictor.predict([text], bodies=[(0, len(text))])
    ends = list(accumulate(len(text) + 1 for text in paragraphs))
    return [
        [
            (span.start - start, span.end - start, span.type, span.category, span.score)
            for span in found.spans
            if start <= span.start < end
        ]
        for start, end in pairwise([0, *ends])
    ]
