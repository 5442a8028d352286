"""Batches: padding that a model can tell from text, and plans that stay within their budget."""

import random

import numpy as np
import pytest

from hoidam.encode.batches import (
    LENGTH_STEP,
    EncodedWindow,
    batch_rows,
    encode_window,
    pad_batch,
    padded_length,
    plan_batches,
)
from hoidam.encode.windows import Window


def random_window(rng, *, longest=40):
    pieces = [tuple(rng.randint(4, 99) for _ in range(rng.randint(1, 4))) for _ in range(rng.randint(1, longest))]
    start = rng.randrange(len(pieces))
    end = rng.randint(start + 1, len(pieces))
    return pieces, Window(start, end, start, end)


def test_a_window_lays_its_words_between_the_specials():
    pieces = [(5,), (6, 7), (8,), (9, 9)]
    encoded = encode_window(pieces, Window(1, 4, 1, 4), first_id=0, last_id=2)
    assert encoded == EncodedWindow((0, 6, 7, 8, 9, 9, 2), (-1, 0, 0, 1, 2, 2, -1))
    assert encoded.word_count == 3


@pytest.mark.parametrize("pad_id", [0, 1, 7])
def test_padding_is_told_by_mask_and_words_alone_and_takes_the_given_id(pad_id):
    rng = random.Random(pad_id)
    for _ in range(300):
        cases = [random_window(rng) for _ in range(rng.randint(1, 6))]
        windows = [encode_window(pieces, window, first_id=pad_id, last_id=2) for pieces, window in cases]
        batch = pad_batch(windows, pad_id=pad_id)
        assert batch.input_ids.shape == batch.attention_mask.shape == batch.piece_words.shape
        assert batch.input_ids.shape[1] % LENGTH_STEP == 0
        assert batch.input_ids.shape[1] - max(len(window.ids) for window in windows) < LENGTH_STEP
        assert max(window.end - window.start for _, window in cases) == batch.piece_words.max() + 1
        for row, window in enumerate(windows):
            length = len(window.ids)
            assert batch.input_ids[row, :length].tolist() == list(window.ids)
            assert batch.piece_words[row, :length].tolist() == list(window.piece_words)
            assert (batch.input_ids[row, length:] == pad_id).all()
            assert (batch.piece_words[row, length:] == -1).all()
            assert batch.attention_mask[row].tolist() == [1] * length + [0] * (batch.input_ids.shape[1] - length)
        assert batch.input_ids.dtype == batch.attention_mask.dtype == batch.piece_words.dtype == np.int64


def test_plans_hold_every_item_once_and_only_items_of_one_padded_length_together():
    rng = random.Random("plans")
    for _ in range(2000):
        lengths = [rng.choice([rng.randint(3, 20), rng.randint(3, 512)]) for _ in range(rng.randint(0, 40))]
        budget = rng.choice([0, 64, 256, 4096])
        plan = list(plan_batches(lengths, budget=budget))
        assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
        assert plan == list(plan_batches(lengths, budget=budget))
        padded = []
        for batch in plan:
            (length,) = {padded_length(lengths[index]) for index in batch}
            assert len(batch) <= batch_rows(length, budget=budget)
            padded.append(length)
        assert padded == sorted(padded, reverse=True)
        windows = [EncodedWindow((0,) * length, (-1,) * length) for length in lengths]
        for batch in plan:
            found = pad_batch([windows[index] for index in batch], pad_id=1).input_ids.shape
            assert found == (len(batch), padded_length(lengths[batch[0]]))


def test_the_rows_of_a_batch_follow_from_the_length_alone():
    assert [batch_rows(length, budget=512) for length in (1, 16, 17, 250, 256, 500, 4000)] == [32, 32, 16, 2, 2, 1, 1]
    assert [batch_rows(length, budget=0) for length in (1, 256)] == [1, 1]


def test_a_plan_fills_its_batches():
    assert [len(batch) for batch in plan_batches([LENGTH_STEP] * 20, budget=8 * LENGTH_STEP)] == [8, 8, 4]
