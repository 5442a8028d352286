"""Words: every visible character in exactly one of them, whatever the text and whatever a segmenter does to it."""

import random
import unicodedata

import pytest
import tiny

from hoidam.encode.segmenters import Segmenter, load_segmenter
from hoidam.encode.words import Words, split_words, syllables

NONE = load_segmenter("none")


def surfaces(text, segmenter=NONE):
    words = split_words(text, segmenter)
    return [words.surface(word) for word in range(len(words))]


def giving(*groups):
    return Segmenter("giving", "", lambda line: list(groups))


def check_words(words):
    """What every Words must hold, told from the text alone."""
    owner = {}
    for word, (start, end) in enumerate(zip(words.starts, words.ends, strict=True)):
        assert start < end
        assert not words.text[start].isspace()
        assert not words.text[end - 1].isspace()
        assert "\n" not in words.text[start:end]
        for place in range(start, end):
            assert place not in owner
            owner[place] = word
    assert {place for place, character in enumerate(words.text) if not character.isspace()} <= owner.keys()
    assert list(owner.values()) == sorted(owner.values())
    ends = words.sentence_ends()
    assert ends == sorted(set(ends))
    assert ends[-1:] == ([len(words)] if len(words) else [])
    assert all(0 < end <= len(words) for end in ends)
    lines = [words.text.count("\n", 0, start) for start in words.starts]
    assert words.line_starts() == [word for word in range(1, len(words)) if lines[word] != lines[word - 1]]


@pytest.mark.parametrize("segmenter", [NONE, tiny.hostile_segmenter(), tiny.joining_segmenter()], ids=lambda s: s.name)
def test_words_cover_every_visible_character_exactly_once(segmenter):
    rng = random.Random(f"cover {segmenter.name}")
    for _ in range(4000):
        check_words(split_words(tiny.nasty_text(rng), segmenter))


def test_words_of_the_real_segmenter_cover_every_visible_character_exactly_once():
    pytest.importorskip("underthesea")
    segmenter = load_segmenter("underthesea")
    rng = random.Random("cover underthesea")
    for _ in range(600):
        check_words(split_words(tiny.nasty_text(rng), segmenter))


def test_what_a_faithful_segmenter_joins_is_a_word():
    text = "Bí thư  Huyện ủy\nMường Khương, ông Hưng"
    segmenter = Segmenter("lines", "", {"Bí thư  Huyện ủy": ["Bí thư", "Huyện ủy"]}.get)
    words = split_words(text, segmenter)
    assert [text[a:b] for a, b in zip(words.starts, words.ends, strict=True)] == [
        *("Bí thư", "Huyện ủy"),
        *("Mường", "Khương", ",", "ông", "Hưng"),
    ]
    assert words.surface(0) == "Bí_thư"


def test_a_word_over_several_spaces_is_joined_by_one_mark():
    assert surfaces("Bí \t thư", giving("Bí thư")) == ["Bí_thư"]


def test_a_segmenter_may_leave_out_and_add_white_space_alone():
    assert surfaces("Bí thư đi", giving(" Bíthư", "", " đi ")) == ["Bí_thư", "đi"]


@pytest.mark.parametrize(
    "groups",
    [
        ["Bí"],
        ["Bí", "thư", "thư"],
        ["thư", "Bí"],
        ["Bí", "Thư"],
        [unicodedata.normalize("NFD", "Bí"), "thư"],
        [],
        ["Bí_thư"],
    ],
)
def test_a_segmenter_that_changes_characters_is_not_followed(groups):
    assert surfaces("Bí thư", giving(*groups)) == ["Bí", "thư"]


def test_only_the_line_that_a_segmenter_spoilt_falls_back_to_syllables():
    segmenter = Segmenter("second", "", lambda line: [line] if line == "Bí thư" else [line.upper()])
    assert surfaces("Bí thư\nbí thư\nBí thư", segmenter) == ["Bí_thư", "bí", "thư", "Bí_thư"]


def test_a_literal_underscore_is_kept_as_a_character():
    text = "a_b c _ d"
    words = split_words(text, giving("a_b c", "_", "d"))
    assert list(zip(words.starts, words.ends, strict=True)) == [(0, 5), (6, 7), (8, 9)]
    assert surfaces("a_b") == ["a", "_", "b"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ngày 12/3/2024, 2.000 tỷ", ["Ngày", "12", "/", "3", "/", "2024", ",", "2", ".", "000", "tỷ"]),
        ("UBND TP.HCM", ["UBND", "TP", ".", "HCM"]),
        ("HàNội McDonald iPhone VNĐ", ["Hà", "Nội", "Mc", "Donald", "i", "Phone", "VNĐ"]),
        ("COVID-19", ["COVID", "-", "19"]),
        ("a…b", ["a", "…", "b"]),
        (unicodedata.normalize("NFD", "thuế"), [unicodedata.normalize("NFD", "thuế")]),
        ("😀👍", ["😀", "👍"]),
        ("", []),
        (" \n\u00a0\t", []),
    ],
)
def test_syllables_are_runs_of_letters_or_digits_and_single_marks(text, wanted):
    assert surfaces(text) == wanted


def test_syllables_of_a_stretch_keep_the_offsets_of_the_text():
    assert list(syllables("ab cd ef", 2, 7)) == [(3, 5), (6, 7)]


@pytest.mark.parametrize("text", ["1\u20e3", "-\u0301", "e\u20dd", "☺\u0300\u0301", "\u0915\u093c", "½\u0323"])
def test_a_mark_stays_with_the_character_that_carries_it(text):
    assert surfaces(text) == [text]
    assert surfaces(f"x {text}y", giving("x", *text, "y"))[:2] == ["x", text]


def test_a_mark_that_stands_alone_is_a_word_of_its_own():
    assert surfaces("\u0301 \u0301a") == ["\u0301", "\u0301", "a"]


def test_sentences_end_at_stops_before_a_space_and_at_line_ends():
    text = 'Ông A (huyện B). "Đã ký." Năm 2.000; xong\nHết… (Rồi.) 3.5 x'
    words = split_words(text, NONE)
    sentences = [text[words.starts[a] : words.ends[b - 1]] for a, b in _pairs(words.sentence_ends())]
    assert sentences == ["Ông A (huyện B).", '"Đã ký."', "Năm 2.000;", "xong", "Hết…", "(Rồi.)", "3.5 x"]


def _pairs(ends):
    return zip([0, *ends], ends, strict=False)


def test_words_are_spaced_after_any_white_space_and_at_the_start():
    words = split_words("a(b c\nd\u00a0e", NONE)
    assert [words.spaced(word) for word in range(len(words))] == [True, False, False, True, True, True]


def test_words_cut_at_gold_edges_still_cover_the_text_and_reach_every_edge():
    rng = random.Random("cuts")
    segmenters = [NONE, tiny.hostile_segmenter(), tiny.joining_segmenter()]
    reached = 0
    for case in range(6000):
        text = tiny.nasty_text(rng)
        words = split_words(text, segmenters[case % 3])
        spans = [span for span in (tiny.random_offsets(rng, text) for _ in range(3)) if span]
        spans = [span for span in spans if "\n" not in text[slice(*span)]]
        cut = words.split_at(edge for span in spans for edge in span)
        check_words(cut)
        assert set(words.starts) <= set(cut.starts)
        assert set(words.ends) <= set(cut.ends)
        for start, end in spans:
            first, last = cut.within(start, end)
            assert (cut.starts[first], cut.ends[last - 1]) == (start, end)
            reached += words.within(start, end) is None
    assert reached > 500


def test_cutting_nowhere_changes_nothing():
    words = split_words(tiny.TEXT, tiny.joining_segmenter())
    assert words.split_at([]) == words
    assert words.split_at([0, len(tiny.TEXT), *words.starts, *words.ends]) == words


def test_words_within_agree_with_a_search_over_all_pairs():
    rng = random.Random("within")
    for _ in range(400):
        text = tiny.nasty_text(rng, longest=12)[:12]
        words = split_words(text, tiny.hostile_segmenter())
        ranges = {
            (words.starts[first], words.ends[last]): (first, last + 1)
            for first in range(len(words))
            for last in range(first, len(words))
        }
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                assert words.within(start, end) == ranges.get((start, end))


def test_no_words_at_all_is_a_value():
    words = split_words("", NONE)
    assert words == Words("", (), ())
    assert words.sentence_ends() == words.line_starts() == []
    assert words.within(0, 1) is None
    assert words.split_at([0]) == words
