import json

import pytest
from test_evaluate_cases import SCHEME

from hoidam.document import Article, Span, read_gold, read_tagged
from hoidam.errors import DataError
from hoidam.labels import LabelScheme, SpanType

ARTICLES = {"a": Article("a", "Một hai ba")}
SPAN = {"start": 0, "end": 3, "type": "PERSON", "text": "Một"}


def read(tmp_path, **fields):
    path = tmp_path / "tagged.jsonl"
    path.write_text(json.dumps({"id": "a", "spans": []} | fields) + "\n", encoding="utf-8")
    return read_tagged(path, ARTICLES, SCHEME)


@pytest.mark.parametrize("score", [0, 0.25, 1])
def test_a_tagged_file_gives_scores_as_they_are(score, tmp_path):
    (found,) = read(tmp_path, spans=[SPAN | {"score": score}], categories={"RED": score})
    assert found.spans == (Span(0, 3, "PERSON"),)
    assert found.spans[0].score == found.categories["RED"] == score
    (found,) = read(tmp_path, spans=[SPAN])
    assert found.spans[0].score is None


@pytest.mark.parametrize("score", ["0.5", "high", True, -0.1, 1.5, float("nan"), float("inf"), [0.5], {}])
def test_what_is_no_score_is_refused_with_its_place(score, tmp_path):
    with pytest.raises(DataError, match=r"tagged\.jsonl:1: spans: score .* from 0 to 1"):
        read(tmp_path, spans=[SPAN | {"score": score}])
    with pytest.raises(DataError, match=r"tagged\.jsonl:1: categories: score .* from 0 to 1"):
        read(tmp_path, categories={"RED": score})


def test_an_unknown_category_is_refused(tmp_path):
    with pytest.raises(DataError, match="categories: found"):
        read(tmp_path, categories={"GHOST": 0.5})


@pytest.mark.parametrize("categories", [["GHOST"], [["RED"]], [None], "RED", {"RED": 1}])
def test_gold_whose_categories_are_no_list_of_names_is_refused(categories, tmp_path):
    path = tmp_path / "gold.jsonl"
    record = {"id": "a", "text_sha256": ARTICLES["a"].sha256, "spans": [], "categories": categories}
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"gold\.jsonl:1: categories: found"):
        read_gold([path], ARTICLES, SCHEME)


def test_spans_of_a_flat_scheme_never_overlap_and_the_scheme_comes_back_as_it_was(tmp_path):
    flat = LabelScheme(types=(SpanType("LOC"), SpanType("ORG")), flat=True)
    assert LabelScheme.from_dict(flat.to_dict()) == flat
    nested = LabelScheme.from_dict(flat.to_dict() | {"flat": False})
    path = tmp_path / "tagged.jsonl"
    spans = [
        {"start": 0, "end": 7, "type": "ORG", "text": "Một hai"},
        {"start": 4, "end": 7, "type": "LOC", "text": "hai"},
    ]
    path.write_text(json.dumps({"id": "a", "spans": spans}) + "\n", encoding="utf-8")
    assert len(read_tagged(path, ARTICLES, nested)[0].spans) == 2
    with pytest.raises(DataError, match="ORG and LOC spans overlap at 4: 'Một hai' and 'hai'"):
        read_tagged(path, ARTICLES, flat)
    with pytest.raises(DataError, match="flat: found 1"):
        LabelScheme.from_dict(flat.to_dict() | {"flat": 1})
