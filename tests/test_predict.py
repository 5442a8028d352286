"""Predictions: on the input's offsets, and the same to the last bit whatever is tagged beside a text."""

import itertools
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tiny

from hoidam.checkpoint import load_model
from hoidam.decode import find_spans
from hoidam.document import Span
from hoidam.predict import Prediction, Thresholds

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", params=["bert", "phobert", "plain"])
def predictor(request, phobert_folder, bert_folder):
    """A tiny model over each encoder, and one whose scheme has no categories."""
    if request.param == "plain":
        return tiny.predictor(bert_folder, tiny.PLAIN_SCHEME)
    folder = bert_folder if request.param == "bert" else phobert_folder
    segmenter = tiny.joining_segmenter() if request.param == "phobert" else None
    return tiny.predictor(folder, tiny.SCHEME, segmenter=segmenter)


def assert_equal(one, other):
    for name in ("tags", "categories", "article"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def assert_independent(predictor, texts, rng, *, rounds):
    """Whatever the order and the company, a text has the scores that it has alone."""
    readings = [predictor.read(text).encoded for text in texts]
    alone = [predictor.score([reading])[0] for reading in readings]
    for _ in range(rounds):
        order = rng.choices(range(len(texts)), k=rng.randint(1, 2 * len(texts)))
        for index, found in zip(order, predictor.score([readings[index] for index in order]), strict=True):
            assert_equal(found, alone[index])
    return alone


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_texts_scores_do_not_depend_on_what_it_is_tagged_with(bert_folder, phobert_folder, precision):
    rng = random.Random("company")
    texts = [tiny.news_text(rng, sentences=count) for count in (1, 3, 1, 8, 2, 12)]
    texts += ["", "a", "  \n ", *(tiny.nasty_text(rng) for _ in range(12))]
    for folder, scheme in ((bert_folder, tiny.SCHEME), (phobert_folder, tiny.SCHEME), (bert_folder, tiny.PLAIN_SCHEME)):
        predictor = tiny.predictor(folder, scheme, precision=precision, threads=3)
        assert max(len(predictor.read(text).encoded.windows) for text in texts) > 3
        alone = assert_independent(predictor, texts, rng, rounds=8)
        assert sum(len(find_spans(scores)) for scores in alone) > 100


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_full_sized_networks_scores_do_not_depend_on_company_threads_or_callers(precision):
    """Kernels that are chosen by shape differ in large products alone."""
    rng = random.Random("full size")
    lines = (ROOT / "data" / "articles" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in rng.sample(lines, 3)]
    one, two = (
        load_model(ROOT / "models" / "hoidam-small", device="cpu", precision=precision, threads=threads).predictor
        for threads in (1, 2)
    )
    alone = assert_independent(one, texts, rng, rounds=2)
    for found, known in zip(two.score([two.read(text).encoded for text in texts]), alone, strict=True):
        assert_equal(found, known)


def test_many_threads_may_predict_at_once(bert_folder):
    predictor = tiny.predictor(bert_folder, tiny.SCHEME, threads=2)
    rng = random.Random("callers")
    texts = [tiny.news_text(rng, sentences=rng.randint(1, 6)) for _ in range(64)]
    known = [predictor.predict([text])[0] for text in texts]
    scores = [[span.score for span in found.spans] for found in known]

    def call(_):
        order = random.Random(_).sample(range(len(texts)), len(texts))
        found = predictor.predict([texts[index] for index in order])
        assert found == [known[index] for index in order]
        return [[span.score for span in one.spans] for one in found] == [scores[index] for index in order]

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(call, range(8)))


def test_a_window_is_always_scored_in_one_shape(bert_folder, monkeypatch):
    predictor = tiny.predictor(bert_folder, tiny.SCHEME)
    shapes = []

    def score(batch, scored=predictor.network.score):
        shapes.append(batch.input_ids.shape)
        return scored(batch)

    monkeypatch.setattr(predictor.network, "score", score)
    rng = random.Random("shapes")
    texts = [tiny.news_text(rng, sentences=rng.randint(1, 6)) for _ in range(40)]
    for count in (1, 2, 40):
        predictor.predict(texts[:count])
    assert len({length for _, length in shapes}) == len(set(shapes)) > 2


def test_scoring_leaves_the_threads_of_the_caller_alone(bert_folder):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    tiny.predictor(bert_folder, tiny.SCHEME).predict([tiny.TEXT])
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)


def test_a_short_text_needs_its_share_of_the_evidence_that_an_article_needs():
    """At w words below 300, w 300ths of the threshold; an empty text counts as one word."""
    span = Span(0, 3, "A", "X", 0.9)
    thresholds = Thresholds(spans={}, categories=0.0, article=3.0)
    for words, least in ((0, 0.01), (1, 0.01), (30, 0.3), (150, 1.5), (299, 2.99), (300, 3.0), (5000, 3.0)):
        for total, given in ((least * 0.999, False), (least * 1.001, True)):
            kept = Prediction((span,), {"X": total / 2, "Y": total / 2}, words=words).above(thresholds)
            assert (bool(kept.spans), bool(kept.categories)) == (given, given)


def test_predictions_lie_in_the_input_in_order_with_scores_and_categories_of_the_scheme(predictor):
    rng = random.Random("predict")
    scheme = predictor.scheme
    texts = [tiny.nasty_text(rng) for _ in range(300)] + [tiny.news_text(rng, sentences=6) for _ in range(10)]
    count = 0
    for text, prediction in zip(texts, predictor.predict(texts), strict=True):
        assert list(prediction.spans) == sorted(prediction.spans)
        assert tuple(prediction.categories) == scheme.category_names
        assert all(0.0 <= score <= 1.0 for score in prediction.categories.values())
        for span in prediction.spans:
            assert text[span.start : span.end].strip()
            assert span.end <= len(text)
            assert 0.0 < span.score <= 1.0
            assert (span.category in scheme.category_names) == (span.type in scheme.categorised_names)
        for kind in scheme.type_names:
            same = [span for span in prediction.spans if span.type == kind]
            assert all(before.end <= after.start for before, after in itertools.pairwise(same))
        count += len(prediction.spans)
    assert count > 1000
