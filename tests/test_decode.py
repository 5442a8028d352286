"""Decoding: the best legal row by brute force, scores of the owning window."""

import itertools
import math
import random

import numpy as np
import pytest

from hoidam.decode import ArticleScores, best_tags, find_spans, log_softmax, merge_windows, span_categories
from hoidam.encode.tags import BEGIN, INSIDE, OUTSIDE, read_tags
from hoidam.encode.windows import cut_windows


def is_legal(row):
    return all(tag != INSIDE or before != OUTSIDE for before, tag in itertools.pairwise([OUTSIDE, *row]))


LEGAL = {
    words: np.array([row for row in itertools.product(range(3), repeat=words) if is_legal(row)], dtype=int)
    for words in range(1, 7)
}


def random_layer(generator, words):
    """Log-probabilities from flat to certain, some of them tied, some that leave the greedy row illegal."""
    logits = generator.normal(size=(words, 3)) * generator.choice([0.1, 1.0, 5.0, 40.0])
    if generator.random() < 0.2:
        logits = np.round(logits)
    if generator.random() < 0.4:
        logits[:, INSIDE] += 2.0
    return log_softmax(logits)


def test_the_best_row_is_the_best_of_all_legal_rows():
    generator = np.random.default_rng(1)
    illegal = 0
    for _ in range(6000):
        words = int(generator.integers(1, 7))
        layer = random_layer(generator, words)
        row = best_tags(layer)
        assert row.shape == (words,)
        assert is_legal(row.tolist())
        totals = layer[np.arange(words), LEGAL[words]].sum(axis=1)
        assert layer[np.arange(words), row].sum() == pytest.approx(totals.max(), abs=1e-9)
        illegal += not is_legal(layer.argmax(axis=1).tolist())
    assert illegal > 1000


def test_rows_are_legal_at_any_length_and_however_unlikely_that_is():
    generator = np.random.default_rng(2)
    for words in [1, 2, 30, 300]:
        layer = random_layer(generator, words)
        assert is_legal(best_tags(layer).tolist())
        certain = np.full((words, 3), -1e4)
        certain[:, INSIDE] = 0.0
        assert is_legal(best_tags(certain).tolist())
    assert best_tags(np.zeros((0, 3))).tolist() == []


def test_scores_of_any_size_become_log_probabilities():
    logits = np.array([[1e4, -1e4, 0.0], [3.0, 3.0, 3.0], [-800.0, -801.0, -802.0]], dtype=np.float32)
    found = log_softmax(logits)
    assert found.dtype == np.float64
    np.testing.assert_allclose(np.exp(found).sum(axis=-1), 1.0, rtol=1e-12)
    assert found[0, 0] == 0.0
    np.testing.assert_allclose(found[1], -math.log(3))
    np.testing.assert_allclose(found[2], log_softmax(np.array([0.0, -1.0, -2.0])))


def article_scores(layers):
    tags = np.stack(layers, axis=1)
    return ArticleScores(tags, np.zeros((len(tags), 0)), np.zeros(0))


def test_spans_are_those_of_the_best_rows_in_text_order_with_scores_that_are_probabilities():
    generator = np.random.default_rng(3)
    count = 0
    for _ in range(1500):
        words, types = int(generator.integers(1, 25)), int(generator.integers(1, 5))
        layers = [random_layer(generator, words) for _ in range(types)]
        found = find_spans(article_scores(layers))
        wanted = {(*ends, kind) for kind, layer in enumerate(layers) for ends in read_tags(best_tags(layer))}
        assert [(span.start, span.end, span.type) for span in found] == sorted(wanted)
        for span in found:
            assert 0.0 < span.score <= 1.0
            assert span.score == pytest.approx(slow_score(layers[span.type], span.start, span.end), rel=1e-9)
        count += len(found)
    assert count > 5000


def slow_score(layer, start, end):
    """Geometric mean of the probabilities of begin, insides, and not going on, one by one."""
    factors = [math.exp(layer[start][BEGIN])] + [math.exp(layer[word][INSIDE]) for word in range(start + 1, end)]
    if end < len(layer):
        factors.append(1.0 - min(math.exp(layer[end][INSIDE]), 1 - 1e-12))
    return math.exp(sum(map(math.log, factors)) / len(factors))


def test_a_certain_span_scores_one_and_a_doubtful_end_lowers_it():
    layer = log_softmax(np.array([[0, 90, 0], [0, 0, 90], [90, 0, 0]]))
    (sure,) = find_spans(article_scores([layer]))
    assert sure.score == pytest.approx(1.0)
    layer[2] = np.log([0.6, 1e-9, 0.4])
    (unsure,) = find_spans(article_scores([layer]))
    assert unsure.score == pytest.approx(0.6 ** (1 / 3))


def test_of_flat_spans_none_overlaps_a_better_one_and_no_other_is_lost():
    rng = random.Random(6)
    dropped = 0
    for _ in range(2000):
        layers = [log_softmax(np.array([[rng.gauss(0, 2) for _ in range(3)] for _ in range(6)])) for _ in range(3)]
        everything, kept = find_spans(article_scores(layers)), find_spans(article_scores(layers), flat=True)
        assert [span for span in everything if span in kept] == kept
        for span in everything:
            rivals = [other for other in kept if other != span and overlap(span, other)]
            assert (span in kept) == (rivals == [])
            assert span in kept or max(other.score for other in rivals) >= span.score
        dropped += len(everything) - len(kept)
    assert dropped > 1000


def overlap(one, other):
    return one.start < other.end and other.start < one.end


def test_no_words_have_no_spans():
    assert find_spans(article_scores([np.zeros((0, 3))] * 2)) == []


def test_merging_takes_each_word_from_its_owner_and_each_category_at_its_highest():
    generator = np.random.default_rng(4)
    rng = random.Random(4)
    for _ in range(60):
        count = rng.randint(1, 400)
        lengths = [rng.randint(1, 6) for _ in range(count)]
        windows = cut_windows(lengths, [count], size=96, overlap=rng.randrange(25))
        starts = sorted(rng.sample(range(count), min(count, 3)))
        tags = [generator.normal(size=(w.end - w.start, 2, 3)).astype(np.float32) for w in windows]
        categories = [generator.normal(size=(w.end - w.start, 4)).astype(np.float32) for w in windows]
        article = [generator.normal(size=4).astype(np.float32) for _ in windows]
        given = [array.copy() for array in tags]
        merged = merge_windows(windows, line_starts=starts, tags=tags, categories=categories, article=article)
        for index, window in enumerate(windows):
            assert (given[index] == tags[index]).all()
            for word in range(window.own_start, window.own_end):
                place = word - window.start
                assert (merged.categories[word] == categories[index][place]).all()
                if word not in starts:
                    np.testing.assert_allclose(merged.tags[word], log_softmax(tags[index][place]), atol=1e-12)
        assert merged.tags.shape == (count, 2, 3)
        for category in range(4):
            highest = max(float(scores[category]) for scores in article)
            assert merged.article[category] == pytest.approx(1 / (1 + math.exp(-highest)), rel=1e-5)


def test_no_span_goes_over_a_line_start_and_one_may_begin_there():
    windows = cut_windows([1] * 6, [6], size=96, overlap=0)
    tags = np.zeros((6, 1, 3), dtype=np.float32)
    tags[[0, 3], :, BEGIN] = 9
    tags[[1, 2, 4, 5], :, INSIDE] = 9
    empty = {"categories": [np.zeros((6, 0))], "article": [np.zeros(0)]}
    for starts, wanted in [([], [(0, 3), (3, 6)]), ([2], [(0, 2), (3, 6)]), ([2, 3, 5], [(0, 2), (3, 5)])]:
        found = find_spans(merge_windows(windows, line_starts=starts, tags=[tags], **empty))
        assert [(span.start, span.end) for span in found][: len(wanted)] == wanted
        assert not any(span.start < start < span.end for span in found for start in starts)


@pytest.mark.filterwarnings("error")
def test_a_category_that_no_window_sees_scores_next_to_nothing():
    windows = cut_windows([1], [1], size=96, overlap=0)
    tags, categories = [np.zeros((1, 1, 3), dtype=np.float32)], [np.zeros((1, 2), dtype=np.float32)]
    article = [np.array([-200.0, 200.0], dtype=np.float32)]
    merged = merge_windows(windows, line_starts=[], tags=tags, categories=categories, article=article)
    np.testing.assert_allclose(merged.article, [0.0, 1.0], atol=1e-12)


def test_a_spans_categories_are_the_softmax_of_its_words_mean():
    logits = np.array([[9.0, 0.0], [1.0, 2.0], [3.0, 2.0]])
    scores = ArticleScores(np.zeros((3, 1, 3)), logits, np.zeros(2))
    (span,) = find_spans(article_scores([log_softmax(np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9]]))]))
    assert (span.start, span.end) == (1, 3)
    np.testing.assert_allclose(span_categories(scores, span), [0.5, 0.5])
