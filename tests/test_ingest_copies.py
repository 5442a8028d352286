"""Copies: found among what is read, whatever else differs, and told with the first that said it."""

import random
import unicodedata

from hoidam.ingest.copies import content_key
from hoidam.ingest.readers import Document, Duplicate, Failure, read_inputs

WORDS = ["đoàn", "huyện", "bàn", "chợ", "phiên", "đường", "thôn", "bản", "suối", "ruộng", "Hoà", "Bình"]


def spellings(rng, text):
    """The same words in other clothes."""
    yield unicodedata.normalize("NFD", text)
    yield text.replace(" ", "\u00a0")
    yield text.upper()
    yield text.replace(" ", rng.choice([", ", "\u2003", "  ", " – "]))
    yield text.replace("Hoà", "Hòa")


def test_texts_share_a_key_where_their_words_are_the_same_and_only_there():
    rng = random.Random(1)
    keys = {}
    for _ in range(1000):
        text = " ".join(rng.choices(WORDS, k=rng.randrange(1, 8)))
        key = content_key(text)
        assert keys.setdefault(key, text) == text
        for other in spellings(rng, text):
            assert content_key(other) == key, other
    assert len(keys) > 700


def test_texts_without_letters_are_copies_where_they_are_the_same():
    texts = ["!!!", "!!", "😀", "😀 😀", "…", "— —"]
    assert len(set(map(content_key, texts))) == len(texts)
    assert content_key(" !!!\n") == content_key("!!!") == content_key("!!!\u200b")


def test_the_body_alone_is_compared_where_it_is_given():
    text = "Trang chủ\nHai bên bàn về chợ phiên.\nTin khác"
    start, end = text.index("Hai"), text.index("\nTin")
    assert content_key(text, (start, end)) == content_key("hai bên bàn về chợ phiên")
    assert content_key(text, (start, end)) != content_key(text, (start, len(text)))


def test_copies_name_the_first_of_them_and_ids_are_looked_at_before(tmp_path):
    for name, text in {"a": "Mở chợ", "b": "mở  chợ!", "c": "Mở cầu", "d": "MỞ CHỢ"}.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "e.jsonl").write_text('{"id": "a", "text": "Mở chợ"}\n', encoding="utf-8")
    items = list(read_inputs([tmp_path], deduplicate=True))
    assert [type(item) for item in items] == [Document, Duplicate, Document, Duplicate, Failure]
    assert [(item.id, item.duplicate_of, item.source) for item in items if isinstance(item, Duplicate)] == [
        ("b", "a", f"{tmp_path}/b.txt"),
        ("d", "a", f"{tmp_path}/d.txt"),
    ]
    assert [type(item) for item in read_inputs([tmp_path])] == [Document] * 4 + [Failure]
