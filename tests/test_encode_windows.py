"""Windows: whatever the lengths, every word is read, owned once, and nothing is longer than the encoder takes."""

import random
from itertools import pairwise

import pytest

from hoidam.encode.pieces import LONGEST_WORD
from hoidam.encode.windows import SMALLEST_WINDOW, Window, cut_windows
from hoidam.errors import RecipeError


def random_case(rng):
    """Piece lengths of one kind or mixed, and sentence ends from none to everywhere; the last is always one."""
    count = rng.choice([0, 1, 2, rng.randint(0, 60), rng.randint(0, 800)])
    longest = rng.choice([1, 2, 5, LONGEST_WORD])
    shortest = rng.choice([1, longest])
    lengths = [rng.randint(shortest, longest) for _ in range(count)]
    share = rng.choice([0.0, 0.02, 0.2, 1.0])
    ends = sorted({end for end in range(1, count) if rng.random() < share} | ({count} if count else set()))
    size = rng.choice([SMALLEST_WINDOW, SMALLEST_WINDOW + 1, rng.randint(SMALLEST_WINDOW, 510)])
    overlap = rng.choice([0, 1, size // 4, rng.randint(0, size // 4)])
    return lengths, ends, size, overlap


def owner_by_depth(windows, lengths, word):
    """The windows in which a word stands deepest: furthest, by its middle, from the edges where text was cut off."""

    def depth(window):
        middle = sum(lengths[:word]) + lengths[word] / 2
        left = middle - sum(lengths[: window.start]) if window.start else float("inf")
        right = sum(lengths[: window.end]) - middle if window.end < len(lengths) else float("inf")
        return min(left, right)

    reading = [window for window in windows if window.start <= word < window.end]
    best = max(depth(window) for window in reading)
    return [window for window in reading if depth(window) >= best - lengths[word]]


def test_windows_cover_all_words_own_each_once_and_fit():
    rng = random.Random("windows")
    for _ in range(10_000):
        lengths, ends, size, overlap = random_case(rng)
        windows = cut_windows(lengths, ends, size=size, overlap=overlap)
        owned = [word for window in windows for word in range(window.own_start, window.own_end)]
        assert owned == list(range(len(lengths)))
        assert all(window.start <= window.own_start < window.own_end <= window.end for window in windows)
        assert all(sum(lengths[window.start : window.end]) <= size for window in windows)
        for before, after in pairwise(windows):
            assert before.start < after.start <= before.end < after.end
            assert sum(lengths[after.start : before.end]) <= overlap


def test_each_word_is_owned_where_it_stands_deepest():
    rng = random.Random("depth")
    for _ in range(150):
        lengths, ends, size, overlap = random_case(rng)
        windows = cut_windows(lengths, ends, size=size, overlap=overlap)
        for window in windows:
            for word in {window.own_start, window.own_end - 1}:
                assert window in owner_by_depth(windows, lengths, word)


def test_the_same_words_are_always_cut_alike():
    lengths = [3] * 200
    assert cut_windows(lengths, [200], size=100, overlap=20) == cut_windows(lengths, [200], size=100, overlap=20)


def test_a_text_that_fits_is_one_window():
    assert cut_windows([1] * 96, [5, 96], size=96, overlap=24) == [Window(0, 96, 0, 96)]
    assert cut_windows([], [], size=96, overlap=24) == []


def test_windows_are_cut_at_the_last_sentence_end_that_leaves_them_half_full():
    windows = cut_windows([1] * 150, [30, 60, 90, 120, 150], size=100, overlap=0)
    assert [(window.start, window.end) for window in windows] == [(0, 90), (90, 150)]
    windows = cut_windows([1] * 150, [40, 150], size=100, overlap=0)
    assert [(window.start, window.end) for window in windows] == [(0, 100), (100, 150)]


def test_the_next_window_begins_at_a_sentence_within_the_overlap():
    windows = cut_windows([1] * 160, [80, 95, 160], size=100, overlap=25)
    assert [(window.start, window.end) for window in windows] == [(0, 95), (80, 160)]
    assert [(window.own_start, window.own_end) for window in windows] == [(0, 88), (88, 160)]


@pytest.mark.parametrize(("size", "overlap"), [(SMALLEST_WINDOW - 1, 0), (100, 26), (100, -1), (0, 0)])
def test_sizes_that_cannot_work_are_refused(size, overlap):
    with pytest.raises(RecipeError, match=f"{SMALLEST_WINDOW} pieces"):
        cut_windows([1], [1], size=size, overlap=overlap)
