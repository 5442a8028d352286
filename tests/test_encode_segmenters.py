"""Segmenters: found by name, refused in another version, and their words in the characters they were given."""

import os
import random
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
import tiny

from hoidam.encode.segmenters import SEGMENTER_NAMES, VNCORENLP_FOLDER, load_segmenter, part_syllables
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


def test_words_between_spaces_are_those_of_a_text_that_was_cut_before():
    words = split_words("Ngày 12/3 , BN523\u00a0a_b\n( Lý )", load_segmenter("spaces", version=""))
    assert [words.surface(word) for word in range(len(words))] == ["Ngày", "12/3", ",", "BN523", "a_b", "(", "Lý", ")"]


@pytest.mark.parametrize("name", ["underthesea", "pyvi"])
def test_a_missing_package_is_named_with_the_install_that_cures_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'hoidam\[{name}\]'"):
        load_segmenter(name)


@pytest.mark.parametrize("name", ["underthesea", "pyvi"])
def test_another_version_than_the_models_is_refused(name):
    pytest.importorskip(name)
    installed = metadata.version(name)
    assert load_segmenter(name, version=installed).version == installed
    with pytest.raises(CheckpointError, match=rf"pip install '{name}==1\.2\.3'") as caught:
        load_segmenter(name, version="1.2.3")
    assert installed in str(caught.value)


@pytest.mark.parametrize(
    "text", ["Hoà bình, hòa bình", "thuỷ lợi Thủy", "Đồng chí  Trịnh Cẩm", "a_b _ hợp_tác hợp tác _"]
)
@pytest.mark.parametrize("name", ["underthesea", "pyvi"])
def test_the_real_segmenter_leaves_characters_as_they_are(name, text):
    pytest.importorskip(name)
    groups = load_segmenter(name).segment(text)
    assert "".join("".join(groups).split()) == "".join(text.split())


@pytest.mark.parametrize("name", ["underthesea", "pyvi"])
def test_the_real_segmenter_joins_syllables_of_news(name):
    pytest.importorskip(name)
    words = split_words(tiny.TEXT, load_segmenter(name))
    joined = {words.surface(word) for word in range(len(words))}
    assert len(words) < len(split_words(tiny.TEXT, load_segmenter("none")))
    assert {"biên_giới", "hội_đàm", "Trung_Quốc"} <= joined


@pytest.mark.parametrize("name", ["pyvi"])
def test_any_text_is_covered_by_the_real_segmenters_words(name):
    pytest.importorskip(name)
    segmenter, rng = load_segmenter(name), random.Random(1)
    for _ in range(500):
        text = tiny.nasty_text(rng)
        words = split_words(text, segmenter)
        covered = "".join(text[start:end] for start, end in zip(words.starts, words.ends, strict=True))
        assert "".join(covered.split()) == "".join(text.split())


def test_joined_syllables_are_parted_just_where_the_line_has_no_underscore():
    rng = random.Random(2)
    for _ in range(3000):
        syllables = ["".join(rng.choice("ab_") for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 6))]
        words, place = [], 0
        while place < len(syllables):
            count = rng.randint(1, 3)
            words.append(syllables[place : place + count])
            place += count
        parted = part_syllables(" ".join(syllables), ["_".join(word) for word in words])
        assert ["".join(word.split()) for word in parted] == ["".join(word) for word in words]
    assert part_syllables("Lào Cai a_b", ["Lào_Cai", "a_b"]) == ["Lào Cai", "a_b"]


class FakePipeline:
    """py_vncorenlp's interface: it goes to its folder and stays there, and gives sentences of joined words."""

    def __init__(self, max_heap_size="-Xmx2g", annotators=("wseg", "pos", "ner", "parse"), save_dir="./"):
        assert annotators == ["wseg"]
        if not Path(save_dir, "models").is_dir():
            raise Exception("Please download the VnCoreNLP model!")
        os.chdir(save_dir)

    def word_segment(self, text):
        return ["Ông Nguyễn_Văn_Hùng hội_đàm .", "Hợp_tác a_b , _ x_y"]


VNCORENLP_TEXT = "Ông Nguyễn Văn  Hùng hội đàm. Hợp tác a_b, _ x y"


@pytest.fixture
def vncorenlp(monkeypatch, tmp_path):
    module = ModuleType("py_vncorenlp")
    module.VnCoreNLP = FakePipeline
    monkeypatch.setitem(sys.modules, "py_vncorenlp", module)
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.1.4" if name == "py_vncorenlp" else version(name))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vn" / "models").mkdir(parents=True)
    monkeypatch.setenv(VNCORENLP_FOLDER, "vn")
    return tmp_path


def test_words_of_vncorenlp_lie_on_the_characters_of_their_line(vncorenlp):
    segmenter = load_segmenter("vncorenlp")
    assert Path.cwd() == vncorenlp
    assert (segmenter.name, segmenter.version) == ("vncorenlp", "0.1.4")
    words = split_words(VNCORENLP_TEXT, segmenter)
    assert [VNCORENLP_TEXT[start:end] for start, end in zip(words.starts, words.ends, strict=True)] == [
        "Ông", "Nguyễn Văn  Hùng", "hội đàm", ".", "Hợp tác", "a_b", ",", "_", "x y",
    ]  # fmt: skip
    other = "Chữ khác hẳn"
    assert len(split_words(other, segmenter)) == 3
    with pytest.raises(CheckpointError, match=r"pip install 'py_vncorenlp==0\.1\.3'"):
        load_segmenter("vncorenlp", version="0.1.3")


def test_vncorenlp_that_cannot_start_says_what_it_needs(vncorenlp, monkeypatch):
    monkeypatch.setenv(VNCORENLP_FOLDER, "elsewhere")
    with pytest.raises(RecipeError, match=r"Please download the VnCoreNLP model!\)\. Install Java"):
        load_segmenter("vncorenlp")
    monkeypatch.setitem(sys.modules, "py_vncorenlp", None)
    with pytest.raises(RecipeError, match="pip install py_vncorenlp"):
        load_segmenter("vncorenlp")
    monkeypatch.delenv(VNCORENLP_FOLDER)
    with pytest.raises(RecipeError, match=VNCORENLP_FOLDER):
        load_segmenter("vncorenlp")
    assert Path.cwd() == vncorenlp
