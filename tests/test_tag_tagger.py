"""A tagger: typed results for texts, and for streams the same bytes from any number of processes."""

import io
import subprocess
import sys

import generated
import pytest

import hoidam
from hoidam.document import Mention, Span, TaggedText
from hoidam.ingest.readers import Document, Failure
from hoidam.tag import tagger as tagger_module
from hoidam.tag.batch import tag_items
from hoidam.tag.tagger import Tagger


@pytest.fixture(scope="module")
def texts():
    return [annotated.article.text for annotated in generated.make_articles("a", 120, seed=4)]


@pytest.fixture(scope="module")
def items(texts):
    documents = [Document(str(number), text, "made") for number, text in enumerate(texts)]
    return [*documents[:50], Failure("bad", "made", "broken"), *documents[50:]]


def tagged(tagger, items):
    stream, failures = io.StringIO(), []
    tag_items(items, tagger=tagger, output=None, stream=stream, on_item=failures.append)
    return stream.getvalue(), [place for place, failure in enumerate(failures) if failure]


@pytest.fixture(scope="module")
def alone(model_folder, items):
    found = tagged(Tagger.load(model_folder, device="cpu"), items)
    assert found[0].count("\n") == 120
    assert found[1] == [50]
    return found


def test_several_workers_give_the_same_bytes_as_none(model_folder, items, alone):
    assert tagged(Tagger.load(model_folder, device="cpu", workers=3), items) == alone


def test_workers_that_share_one_network_give_the_same_bytes(model_folder, items, alone, monkeypatch):
    tagger = Tagger.load(model_folder, device="cpu", workers=2)
    network, lengths = tagger.model.predictor.network, set()

    def score(batch, scored=network.score):
        lengths.add(batch.input_ids.shape[1])
        return scored(batch)

    monkeypatch.setattr(network, "device", "cuda:0")
    monkeypatch.setattr(network, "score", score)
    assert tagged(tagger, items) == alone
    assert len(lengths) > 2


def test_workers_are_started_where_there_is_much_to_tag(model_folder, items, alone, monkeypatch):
    tagger = Tagger.load(model_folder, device="cpu", workers=None)
    monkeypatch.setattr(tagger_module, "usable_cores", lambda: 3)
    started = []

    def ordered_map(start, chunks, *, workers, answer):
        started.append(workers)
        return map(tagger.tag_chunk, chunks)

    monkeypatch.setattr(tagger_module, "ordered_map", ordered_map)
    for few, expected in ((121, []), (120, [3])):
        monkeypatch.setattr(tagger_module, "FEW_DOCUMENTS", few)
        assert tagged(tagger, items) == alone
        assert started == expected


def test_texts_give_spans_that_know_their_text(model_folder, texts):
    tagger = Tagger.load(model_folder, device="cpu")
    results = tagger(iter(texts))
    assert [result.id for result in results] == [str(number) for number in range(len(texts))]
    assert sum(len(result.spans) for result in results) > 300
    for text, result in zip(texts, results, strict=True):
        assert isinstance(result, TaggedText)
        assert result.text == text
        for span in result.spans:
            assert isinstance(span, Mention)
            assert span.text == text[span.start : span.end]
            assert span.to_dict(text)["text"] == span.text
            assert span == Span(span.start, span.end, span.type, span.category)
            assert len({span, Span(span.start, span.end, span.type, span.category)}) == 1
    one = tagger(texts[3])
    assert (one.spans, one.categories, one.text) == (results[3].spans, results[3].categories, texts[3])
    assert tagger([]) == []


def test_the_package_offers_the_tagger_and_loads_torch_only_then():
    assert hoidam.Tagger is Tagger
    with pytest.raises(AttributeError, match="no attribute 'Taggers'"):
        hoidam.Taggers  # noqa: B018
    code = (
        "import sys, hoidam, hoidam.cli; before = 'torch' in sys.modules;"
        "from hoidam import Tagger; sys.exit(before or 'torch' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
