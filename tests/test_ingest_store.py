"""Storing articles: what is written, what is left out, and that files appear whole or not at all."""

import json
import random
import sys
import unicodedata
from pathlib import Path

import pytest

from hoidam.document import read_articles
from hoidam.errors import DataError, MissingExtraError
from hoidam.ingest.copies import content_key
from hoidam.ingest.readers import Document
from hoidam.ingest.store import IngestSummary, NearCopies, article_record, ingest

SYLLABLES = [
    *("đoàn", "huyện", "bàn", "chợ", "phiên", "đường", "thôn", "bản", "suối", "ruộng", "trâu", "mía", "cam", "ngô"),
    *("lúa", "rừng", "mốc", "cầu", "đò", "lớp", "chữ"),
]


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def article_text(rng: random.Random, *, length: int = 300) -> str:
    return " ".join(rng.choices(SYLLABLES, k=length)).capitalize() + "."


def test_articles_are_stored_normalised_and_can_be_read_back(tmp_path: Path) -> None:
    given = "Hoà bình\r\n" + unicodedata.normalize("NFD", "Chợ phiên Nậm Lạnh") + "\u00a0😀\r"
    (tmp_path / "a.txt").write_bytes(given.encode())
    record = {"id": "b", "text": "Hai\r\nba", "title": "T", "source": "Báo", "date": "2024-01-01", "meta": {"p": 1}}
    (tmp_path / "b.jsonl").write_text(json.dumps(record), encoding="utf-8")
    output = tmp_path / "out" / "articles.jsonl"
    assert ingest([tmp_path / "a.txt", tmp_path / "b.jsonl"], output=output) == IngestSummary(2, 0, 0)
    articles = read_articles([output])
    assert articles["a"].text == "Hoà bình\nChợ phiên Nậm Lạnh\u00a0😀\n"
    assert articles["a"].source == str(tmp_path / "a.txt")
    assert lines_of(output)[1] == record | {"text": "Hai\nba"}
    assert sorted(path.name for path in output.parent.iterdir()) == ["articles.jsonl"]


def test_storing_what_was_stored_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("e\u0302\u0301ch\r\n", encoding="utf-8", newline="")
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    ingest([tmp_path / "a.txt"], output=first)
    ingest([first], output=second)
    assert first.read_bytes() == second.read_bytes()


def test_failures_are_written_beside_the_articles(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{\n{"text": ""}\n', encoding="utf-8")
    output = tmp_path / "articles.jsonl"
    assert ingest([tmp_path / "in.jsonl", tmp_path / "gone.txt"], output=output) == IngestSummary(1, 3, 0)
    errors = lines_of(tmp_path / "articles.jsonl.errors.jsonl")
    assert [error["id"] for error in errors] == [str(tmp_path / "gone.txt"), "in-2", "in-3"]
    assert all(set(error) == {"id", "source", "error"} for error in errors)


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    output = tmp_path / "articles.jsonl"
    for taken in (output, tmp_path / "articles.jsonl.errors.jsonl", tmp_path / "articles.jsonl.duplicates.jsonl"):
        taken.write_text("kept", encoding="utf-8")
        with pytest.raises(DataError, match="exists already"):
            ingest([tmp_path / "a.txt"], output=output)
        assert taken.read_text(encoding="utf-8") == "kept"
        assert ingest([tmp_path / "a.txt"], output=output, force=True) == IngestSummary(1, 0, 0)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "articles.jsonl"]
        output.unlink()


@pytest.mark.parametrize("name", ["articles.jsonl", "articles.jsonl.errors.jsonl", "articles.jsonl.duplicates.jsonl"])
def test_no_input_is_overwritten_even_with_force(name: str, tmp_path: Path) -> None:
    given = tmp_path / name
    given.write_text('{"id": "a", "text": "a", "votes": 3}\n', encoding="utf-8")
    with pytest.raises(DataError, match="is one of the inputs"):
        ingest([tmp_path / ".." / tmp_path.name / name], output=tmp_path / "articles.jsonl", force=True)
    assert given.read_text(encoding="utf-8") == '{"id": "a", "text": "a", "votes": 3}\n'
    assert list(tmp_path.iterdir()) == [given]


def test_what_was_left_out_is_not_read_again(tmp_path: Path) -> None:
    for name, text in {"a": "Mở chợ", "b": "Mở chợ", "c": ""}.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    assert ingest([tmp_path], output=tmp_path / "articles.jsonl", deduplicate="exact") == IngestSummary(1, 1, 1)
    (tmp_path / "articles.jsonl").unlink()
    again = ingest([tmp_path], output=tmp_path / "other.jsonl", deduplicate="exact")
    assert again == IngestSummary(1, 1, 1, passed_over=2)


def test_files_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name, encoding="utf-8")
    (tmp_path / "0.txt").write_text("", encoding="utf-8")

    def failing(document: Document) -> dict:
        if document.id == "c":
            raise KeyboardInterrupt
        return {"id": document.id}

    monkeypatch.setattr("hoidam.ingest.store.article_record", failing)
    with pytest.raises(KeyboardInterrupt):
        ingest([tmp_path], output=tmp_path / "articles.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.txt", "a.txt", "b.txt", "c.txt"]


def test_articles_go_to_json_lines_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Articles are stored as JSON lines"):
        ingest([tmp_path], output=tmp_path / "articles.csv")


def test_the_body_moves_with_the_stored_text() -> None:
    text = "Trang chủ\r\n" + unicodedata.normalize("NFD", "Mở chợ phiên\r\nHai huyện đồng ý.") + "\r\nTin khác"
    start, end = text.index("M"), text.index("\r\nTin")
    record = article_record(Document(id="a", text=text, source="a.txt", body=(start, end)))
    assert record["text"][slice(*record["body"])] == "Mở chợ phiên\nHai huyện đồng ý."


@pytest.mark.parametrize("deduplicate", ["exact", "near"])
def test_the_same_words_are_stored_once(deduplicate: str, tmp_path: Path) -> None:
    text = article_text(random.Random(1))
    spellings = {
        "a": text,
        "b": unicodedata.normalize("NFD", text).replace(" ", "\u00a0"),
        "c": f"Trang chủ | Tin tức\n{text.upper()}\nBình luận (0)\n",
        "d": article_text(random.Random(2)),
    }
    for name, spelling in spellings.items():
        (tmp_path / f"{name}.txt").write_text(spelling, encoding="utf-8")
    output = tmp_path / "articles.jsonl"
    assert ingest([tmp_path], output=output, deduplicate=deduplicate) == IngestSummary(2, 0, 2)
    assert [record["id"] for record in lines_of(output)] == ["a", "d"]
    assert lines_of(tmp_path / "articles.jsonl.duplicates.jsonl") == [
        {"id": name, "source": str(tmp_path / f"{name}.txt"), "duplicate_of": "a", "similarity": 1.0} for name in "bc"
    ]


def test_copies_are_kept_unless_asked_for(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("Hai bên mở chợ.", encoding="utf-8")
    assert ingest([tmp_path], output=tmp_path / "articles.jsonl") == IngestSummary(2, 0, 0)


def document(name: str, text: str) -> Document:
    return Document(id=name, text=text, source=f"{name}.txt")


def similarity(one: str, other: str) -> float:
    """The true share of five-syllable runs, counted without sketches."""
    runs = [{tuple(text.lower().rstrip(".").split()[i : i + 5]) for i in range(296)} for text in (one, other)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def test_near_copies_are_found_and_others_are_not() -> None:
    rng = random.Random(3)
    finder = NearCopies()
    for number in range(60):
        original = article_text(rng)
        words = original.split()
        for place in rng.sample(range(300), 3):
            words[place] = "khác"
        near = " ".join(words)
        other = " ".join([*original.split()[:100], *article_text(rng, length=200).lower().split()])
        assert similarity(original, near) > 0.85
        assert similarity(original, other) < 0.4
        for kept in (document(f"o{number}", original), document(f"x{number}", other)):
            assert finder.find(kept) is kept
        copy = finder.find(document(f"n{number}", near))
        assert copy.duplicate_of == f"o{number}"
        assert abs(copy.similarity - similarity(original, near)) < 0.15
        assert content_key(near) != content_key(original)


def test_the_most_similar_article_is_named() -> None:
    rng = random.Random(4)
    words = article_text(rng).split()
    first, second, third = words.copy(), words.copy(), words.copy()
    for place in (10, 60, 110, 160, 210, 260, 290):
        first[place] = "khác"
    second[30], third[250] = "lạ", "lạ"
    finder = NearCopies()
    for kept in (document("first", " ".join(first)), document("second", " ".join(second))):
        assert finder.find(kept) is kept
    assert finder.find(document("third", " ".join(third))).duplicate_of == "second"


def test_articles_of_fewer_syllables_than_a_run_are_compared_too() -> None:
    finder = NearCopies()
    for kept in (document("a", "Mở chợ"), document("b", "Mở cầu"), document("c", "!!!"), document("d", "😀")):
        assert finder.find(kept) is kept
    assert finder.find(document("e", "mở  chợ!")).duplicate_of == "a"
    assert finder.find(document("f", " 😀")).duplicate_of == "d"


def test_near_copies_need_an_extra_and_say_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hoidam\[dedup\]'"):
        ingest([tmp_path], output=tmp_path / "articles.jsonl", deduplicate="near")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    assert ingest([tmp_path], output=tmp_path / "articles.jsonl", deduplicate="exact") == IngestSummary(1, 0, 0)
