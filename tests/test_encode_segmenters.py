"""Segmenters: found by name, refused in another version, and their words in the characters they were given."""

import sys
from importlib import metadata

import pytest
import tiny

from hoidam.encode.segmenters import SEGMENTER_NAMES, load_segmenter
from hoidam.encode.words import split_words
from hoidam.errors import CheckpointError, MissingExtraError, RecipeError


def test_without_a_segmenter_syllables_are_the_words():
    segmenter = load_segmenter("none", version="")
    assert segmenter.segment("Bí thư") is None
    assert (segmenter.name, segmenter.version) == ("none", "")


def test_an_unknown_segmenter_is_refused_with_the_known_names():
    with pytest.raises(RecipeError, match="'jieba'") as caught:
        load_segmenter("jieba")
    assert all(name in str(caught.value) for name in SEGMENTER_NAMES)


def test_a_missing_package_is_named_with_the_install_that_cures_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "underthesea", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hoidam\[underthesea\]'"):
        load_segmenter("underthesea")


def test_another_version_than_the_models_is_refused():
    pytest.importorskip("underthesea")
    installed = metadata.version("underthesea")
    assert load_segmenter("underthesea", version=installed).version == installed
    with pytest.raises(CheckpointError, match=r"pip install 'underthesea==1\.2\.3'") as caught:
        load_segmenter("underthesea", version="1.2.3")
    assert installed in str(caught.value)


@pytest.mark.parametrize("text", ["Hoà bình, hòa bình", "thuỷ lợi Thủy", "Đồng chí  Trịnh Cẩm"])
def test_the_real_segmenter_leaves_characters_as_they_are(text):
    pytest.importorskip("underthesea")
    groups = load_segmenter("underthesea").segment(text)
    assert "".join("".join(groups).split()) == "".join(text.split())


def test_the_real_segmenter_joins_syllables_of_news():
    pytest.importorskip("underthesea")
    words = split_words(tiny.TEXT, load_segmenter("underthesea"))
    joined = {words.surface(word) for word in range(len(words))}
    assert len(words) < len(split_words(tiny.TEXT, load_segmenter("none")))
    assert {"biên_giới", "hội_đàm", "Trung_Quốc"} <= joined
