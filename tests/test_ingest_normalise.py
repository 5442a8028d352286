"""Normalising: what becomes what, and that every offset can be carried back to the input."""

import itertools
import random
import sys
import time
import unicodedata

import pytest

from hoidam.errors import AlignmentError
from hoidam.ingest.normalise import _joins_before, normalise, store_form

HEADLINE = "Huyện Sông Mã hội đàm với huyện Mường Ét về thủy lợi, đường thôn bản và chợ phiên"
NASTY = [
    *"aAăâeêoôơuưyqQhHtđĐ _-.,'\"“”–…/0",
    *"àáạảãằắẳếềôốộờớũứựỳỷỵ",
    *"ǎǍðÐƉɖ",
    *"\u0300\u0301\u0302\u0303\u0306\u0309\u030c\u031b\u0323\u0340\u0345\u035c\u1dc4\u20dd",
    *"\u00ad\u034f\u200b\u200c\u200d\u200e\u2060\ufeff\ufe0f",
    *"\t\n\r\x0b\x0c\x1c\x85\u00a0\u2000\u2003\u2009\u2028\u2029\u3000",
    "\r\n",
    "hoà",
    "thuỷ",
    "quý",
    "khoẻ",
    "oá",
    "uỳ",
    *"👨👩👧🇻🇳😀",
    *"각\u1100\u1161\u11a8\u09c7\u09be\u0958\u2126\uf900\u212b\u0b47\u0b56中文",
]


def nasty_text(rng: random.Random) -> str:
    pool = NASTY if rng.random() < 0.7 else rng.sample(NASTY, 6)
    return "".join(rng.choice(pool) for _ in range(rng.randint(1, 24)))


def any_text(rng: random.Random) -> str:
    """Any code points at all, those of one block together so that marks meet their bases; no surrogates."""
    block = rng.randrange(0, 0x20000, 0x80)
    codes = [rng.randrange(block, block + 0x80) if rng.random() < 0.8 else rng.randrange(0x20000) for _ in range(12)]
    return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)


def random_texts(count: int) -> list[str]:
    rng = random.Random(20260401)
    return [(any_text if index % 4 == 0 else nasty_text)(rng) for index in range(count)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("hoà bình", "hòa bình"),
        ("HOÀ BÌNH, Hoà, hOÀ", "HÒA BÌNH, Hòa, hÒA"),
        ("thuỷ lợi, uỷ ban, khoẻ, xoá, loè", "thủy lợi, ủy ban, khỏe, xóa, lòe"),
        ("hòa thủy khỏe", "hòa thủy khỏe"),
        ("quý quỳ Quý QUỶ", "quý quỳ Quý QUỶ"),
        ("hoàng hoạch ngoài khuỷu xoèn thuyền Tuyết", "hoàng hoạch ngoài khuỷu xoèn thuyền Tuyết"),
        ("uỷ_ban hoà-giải (hoà)", "ủy_ban hòa-giải (hòa)"),
        ("nǎm tǎng Ǎn", "năm tăng Ăn"),
        ("a\u030c na\u030cm", "ă năm"),
        ("ǎ\u0301 a\u0301\u030c a\u030c\u0301", "ắ ắ ắ"),
        ("Ðồng ðội ƉẠI ɖi", "Đồng đội ĐẠI đi"),
        ("e\u0301\u0302 é\u0302 e\u0302\u0301 ê\u0301", "ế ế ế ế"),
        ("e\u0323\u0302 ẹ\u0302 e\u0302\u0323", "ệ ệ ệ"),
        ("o\u0309\u031b ỏ\u031b u\u031b\u0309", "ở ở ử"),
        ("ho\u200bà hoa\u0300 hoa\u200b\u0300ng", "hòa hòa hoàng"),
        ("a\u00a0b\u2003c\td\u3000e", "a b c d e"),
        ("a\r\nb\rc\n\r\nd\u2028e", "a\nb\nc\n\nd\ne"),
        ("\ufeffxin\u00adchào\u200b \u2060bạn\u200e", "xinchào bạn"),
        ("“Việt” – ‘Lào’ — một_hai…", "“Việt” – ‘Lào’ — một_hai…"),
        ("😀 🇻🇳 ❤\ufe0f 👨\u200d👩\u200d👧", "😀 🇻🇳 ❤ 👨👩👧"),
        ("\u1100\u1161\u11a8 \u09c7\u09be", "각 \u09cb"),
        ("", ""),
        ("\u200b\ufeff", ""),
    ],
)
def test_variants_become_one_form(given: str, wanted: str) -> None:
    assert normalise(given).text == wanted


def test_decomposed_text_becomes_the_composed_text() -> None:
    assert normalise(unicodedata.normalize("NFD", HEADLINE)).text == HEADLINE


def test_every_vietnamese_letter_composes_from_any_order_of_its_marks() -> None:
    tones = ["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]
    shaped = {"â": "a\u0302", "ă": "a\u0306", "ê": "e\u0302", "ô": "o\u0302", "ơ": "o\u031b", "ư": "u\u031b"}
    for letter, apart in shaped.items():
        for tone in tones:
            wanted = unicodedata.normalize("NFC", letter + tone)
            for given in (apart + tone, apart[0] + tone + apart[1], letter + tone):
                assert normalise(given).text == wanted, [hex(ord(character)) for character in given]
                assert normalise(given.upper()).text == wanted.upper()


def test_a_span_is_carried_back_through_every_kind_of_change() -> None:
    given = "\ufeff“Ðo\u200ba\u0300n” hoà\u00a0bình\r\nte\u0302\u0301t 😀 x\u0301\u00ad."
    normalised = normalise(given)
    assert normalised.text == "“Đoàn” hòa bình\ntết 😀 x\u0301."
    for surface, wanted in [
        ("“", "“"),
        ("Đoàn", "Ðo\u200ba\u0300n"),
        ("hòa", "hoà"),
        ("hòa bình", "hoà\u00a0bình"),
        ("\n", "\r\n"),
        ("tết", "te\u0302\u0301t"),
        ("😀", "😀"),
        (".", "."),
    ]:
        start = normalised.text.index(surface)
        found = normalised.to_input(start, start + len(surface))
        assert given[slice(*found)] == wanted
        assert normalised.from_input(*found) == (start, start + len(surface))


def test_what_was_removed_becomes_an_empty_span() -> None:
    start, end = normalise("ab\u200b\u200bcd").from_input(2, 4)
    assert start == end == 2


def test_normalised_text_is_normal_and_stays() -> None:
    for given in random_texts(6000):
        text = normalise(given).text
        assert unicodedata.is_normalized("NFC", text), ascii(given)
        assert normalise(text).text == text, ascii(given)
        assert not any(character.isspace() and character not in " \n" for character in text), ascii(given)
        assert not set("\r\u200b\u200d\ufeff\u00ad\ufe0fǎðÐ") & set(text), ascii(given)


def test_offsets_are_consistent_both_ways() -> None:
    rng = random.Random(5)
    for given in random_texts(6000):
        normalised = normalise(given)
        length = len(normalised.text)
        singles = [normalised.to_input(at, at + 1) for at in range(length)]
        for (start, end), (next_start, next_end) in itertools.pairwise(singles):
            assert start <= next_start, ascii(given)
            assert end <= next_end, ascii(given)
        for _ in range(4 if length else 0):
            start = rng.randrange(length)
            end = rng.randint(start + 1, length)
            found = normalised.to_input(start, end)
            assert 0 <= found[0] < found[1] <= len(given), ascii(given)
            assert found == (singles[start][0], singles[end - 1][1]), ascii(given)
            back = normalised.from_input(*found)
            assert back[0] <= start < end <= back[1], ascii(given)


def test_the_input_span_of_a_whole_run_of_words_normalises_to_that_run() -> None:
    """An independent check of the map: cut the input where the map says, normalise the cut, compare."""
    rng = random.Random(11)
    words = [
        "hoà",
        "thu\u200bỷ",
        "Ðông",
        "e\u0301\u0302ch",
        "nǎm",
        "quý",
        "x\u00ady",
        "đoa\u0300n",
        "a_b",
        "😀",
        "É\u0302",
    ]
    spaces = [" ", "\u00a0", "\r\n", "\t", " \u200b", "\n"]
    for _ in range(3000):
        given = "".join(rng.choice(words) + rng.choice(spaces) for _ in range(rng.randint(1, 8)))
        normalised = normalise(given)
        edges = [0] + [at for at, character in enumerate(normalised.text) if character.isspace()]
        start, end = sorted(rng.sample([*edges, len(normalised.text)], 2)) if len(edges) > 1 else (0, 1)
        if start < end:
            cut = given[slice(*normalised.to_input(start, end))]
            assert normalise(cut).text == normalised.text[start:end], ascii(given)


def test_every_input_character_is_reached_or_was_removed() -> None:
    for given in random_texts(2000):
        normalised = normalise(given)
        for at in range(len(given)):
            start, end = normalised.from_input(at, at + 1)
            assert 0 <= start <= end <= len(normalised.text)
            if start < end:
                back = normalised.to_input(start, end)
                assert back[0] <= at < back[1], ascii(given)
            else:
                assert normalise(given[at]).text in ("", "\n"), ascii(given)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 1), (-1, 1), (0, 4)])
def test_offsets_outside_the_text_are_refused(start: int, end: int) -> None:
    normalised = normalise("abc")
    for project in (normalised.to_input, normalised.from_input):
        with pytest.raises(AlignmentError, match="0 <= start < end <= 3"):
            project(start, end)


def test_all_that_unicode_composes_with_what_stands_before_is_known() -> None:
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            pair = "".join(chr(int(part, 16)) for part in parts)
            if unicodedata.normalize("NFC", pair) == chr(code):
                assert _joins_before(pair[1]), hex(code)
    assert all(_joins_before(character) for character in "\u1161\u1175\u11a8\u11c2")


def test_plain_text_is_fast() -> None:
    text = (HEADLINE + "\n") * 20_000
    start = time.process_time()
    assert normalise(text).text == text
    assert len(text) / (time.process_time() - start) > 2e6


def test_a_long_chunk_without_spaces_takes_time_in_proportion() -> None:
    text = "e\u0301\u0302\u200b" * 50_000
    start = time.process_time()
    assert normalise(text).text == "ế" * 50_000
    assert time.process_time() - start < 3


def test_the_store_form_changes_line_ends_and_composition_alone() -> None:
    assert store_form("a\r\nb\rc\u00a0hoà nǎm\u200b e\u0302\u0301") == "a\nb\nc\u00a0hoà nǎm\u200b ế"
    for given in random_texts(1000):
        stored = store_form(given)
        assert "\r" not in stored
        assert unicodedata.is_normalized("NFC", stored)
        assert store_form(stored) == stored
        assert normalise(stored).text == normalise(given).text
