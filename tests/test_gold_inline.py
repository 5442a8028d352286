"""Inline marks: what is exported reads back as it was, and every mistake in a file is named with its place."""

import random
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from hoidam.document import Annotated, Article, Span, read_articles, read_gold
from hoidam.errors import DataError
from hoidam.files import write_json_lines
from hoidam.gold.exchange import export_text
from hoidam.gold.inline import import_inline, parse_inline, read_inline, to_inline
from hoidam.gold.mistakes import MistakesError
from hoidam.labels import Category, LabelScheme, SpanType

SCHEME = LabelScheme(
    types=(SpanType("WHO"), SpanType("OFFICE"), SpanType("WHERE"), SpanType("WHAT", categorised=True)),
    categories=(Category("TRADE"), Category("BORDER_GATE")),
)
NASTY = [
    *"{}\\=abcđĐ .,:-_\"'0",
    *"\n\n\n \t",
    "===",
    "=== x",
    "{{body}}",
    "{{/body}}",
    "{WHO:",
    "{WHAT.TRADE:",
    "\\{",
    "\\\n",
    "key: value",
    "huyện Bát Xát",
    *"ắềọữỵ\u0300\u0301\u0323\u031b\u0338\u0345\u20dd",
    *"\u00a0\u2028\u2029\x0b\x0c\x1c\x85\u200b\u200d\ufeff\u3000\ufe0f",
    *"👨👩🇻🇳각\u1100\u1161\u11a8\u0958中",
    "\U000e0001\U0010fffd",
]


def random_text(rng: random.Random) -> str:
    text = ""
    while not text:
        pool = NASTY if rng.random() < 0.5 else rng.sample(NASTY, 8)
        text = unicodedata.normalize("NFC", "".join(rng.choice(pool) for _ in range(rng.randint(1, 30))))
    return text


def random_spans(rng: random.Random, start: int, end: int) -> tuple[Span, ...]:
    """Spans that nest or stand apart, never two of one type at one place."""
    spans: list[Span] = []
    for _ in range(rng.randint(0, 12)):
        first, last = sorted(rng.sample(range(start, end + 1), 2))
        name = rng.choice(SCHEME.type_names)
        span = Span(first, last, name, rng.choice(SCHEME.category_names) if name == "WHAT" else None)
        if all(not span.overlaps(other) or nests(span, other) for other in spans):
            spans.append(span)
    return tuple(sorted(spans))


def nests(one: Span, other: Span) -> bool:
    inside = (one.start <= other.start and other.end <= one.end) or (other.start <= one.start and one.end <= other.end)
    return inside and one.type != other.type


def random_body(rng: random.Random, text: str) -> tuple[int, int] | None:
    starts = [at for at, character in enumerate(text) if not character.isspace()]
    if not starts or rng.random() < 0.3:
        return None
    start, end = sorted((rng.choice(starts), rng.choice(starts)))
    return start, end + 1


def random_article(rng: random.Random, name: str) -> Annotated:
    text = random_text(rng)
    body = random_body(rng, text)
    spans = random_spans(rng, *(body or (0, len(text))))
    values = ["a", "x: y", "=== z", "{WHO:q}", "\\", "ngày 1/5", "ắ 👩", "{{body}}"]
    fields = {key: rng.choice(values) for key in ("title", "url", "date", "source") if rng.random() < 0.3}
    meta = {
        key: rng.choice(["", *values]) for key in ("outlet", "cơ_quan", "a-b.c", "id", "text") if rng.random() < 0.3
    }
    return Annotated(
        Article(name, text, meta=meta, **fields),
        spans=spans,
        categories=frozenset(span.category for span in spans if span.category),
        annotator=rng.choice(["", *values]),
        body=body,
    )


def test_thousands_of_random_articles_read_back_as_they_were():
    rng = random.Random(20260501)
    nested = bodies = 0
    for round_ in range(1500):
        given = [random_article(rng, f"id {round_} {number}") for number in range(3)]
        assert parse_inline(to_inline(given), scheme=SCHEME) == given
        nested += sum(any(nests(a, b) for a in one.spans for b in one.spans) for one in given)
        bodies += sum(one.body is not None for one in given)
    assert nested > 500
    assert bodies > 500


def test_a_round_trip_through_files_keeps_every_byte(tmp_path: Path):
    rng = random.Random(7)
    given = [random_article(rng, f"a{number}") for number in range(60)]
    write_json_lines(tmp_path / "articles.jsonl", (one.article.to_dict() for one in given))
    write_json_lines(tmp_path / "gold.jsonl", (one.to_dict() for one in given))
    files = {"articles": [tmp_path / "articles.jsonl"], "scheme": SCHEME, "output": tmp_path / "x.txt"}
    exported = export_text([tmp_path / "gold.jsonl"], write=to_inline, **files)
    assert exported == given
    imported = import_inline(
        [tmp_path / "x.txt"], scheme=SCHEME, articles=tmp_path / "a2.jsonl", gold=tmp_path / "g2.jsonl"
    )
    assert imported == given
    assert (tmp_path / "a2.jsonl").read_bytes() == (tmp_path / "articles.jsonl").read_bytes()
    assert (tmp_path / "g2.jsonl").read_bytes() == (tmp_path / "gold.jsonl").read_bytes()
    assert read_gold([tmp_path / "g2.jsonl"], read_articles([tmp_path / "a2.jsonl"]), SCHEME) == given


def read_or_mistakes(text: str) -> tuple[list[Annotated], tuple[DataError, ...]]:
    try:
        return parse_inline(text, scheme=SCHEME), ()
    except MistakesError as error:
        return [], error.mistakes


def starts_or_ends_in_white_space(one: Annotated) -> bool:
    body = one.article.text[slice(*one.body)] if one.body else "x"
    return body != body.strip()


def test_random_damage_gives_articles_or_mistakes_and_nothing_else():
    rng = random.Random(3)
    read = 0
    for number in range(2000):
        text = to_inline([random_article(rng, f"a{number}")])
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(["", *NASTY, "{", "}"]) + text[at + rng.randint(0, 2) :]
        found, mistakes = read_or_mistakes(text)
        assert all(mistake.line and mistake.cure for mistake in mistakes)
        read += not mistakes
        for one in found:
            assert unicodedata.is_normalized("NFC", one.article.text)
            assert all(span.end <= len(one.article.text) for span in one.spans)
        again = [one for one in found if not starts_or_ends_in_white_space(one)]
        assert not again or parse_inline(to_inline(again), scheme=SCHEME) == again
    assert 100 < read < 1900


EXAMPLE = """\ufeff=== lc-001
outlet: district-portal
date: 2023-05-12
annotator: An
title: Hội đàm

Trang chủ
{{body}}

Ông {WHO:Lý Văn Thà}, {OFFICE:Chủ tịch UBND {WHERE:huyện Bát Xát}}, bàn về {WHAT.TRADE:thương mại \\{mới\\}}.
{{/body}}
Tin liên quan

=== lc-002
Không có gì.
"""


def test_the_documented_format_is_read():
    first, second = parse_inline(EXAMPLE.replace("lc-002\n", "lc-002\n\n"), scheme=SCHEME)
    text = first.article.text
    assert text.startswith("Trang chủ\n\nÔng Lý Văn Thà, Chủ tịch")
    assert text.endswith("thương mại {mới}.\nTin liên quan")
    assert [(text[s.start : s.end], s.type, s.category) for s in first.spans] == [
        ("Lý Văn Thà", "WHO", None),
        ("Chủ tịch UBND huyện Bát Xát", "OFFICE", None),
        ("huyện Bát Xát", "WHERE", None),
        ("thương mại {mới}", "WHAT", "TRADE"),
    ]
    assert first.categories == {"TRADE"}
    assert first.annotator == "An"
    assert (first.article.date, first.article.title, first.article.url) == ("2023-05-12", "Hội đàm", None)
    assert first.article.meta == {"outlet": "district-portal"}
    assert text[slice(*first.body)].startswith("Ông Lý")
    assert text[slice(*first.body)].endswith("{mới}.")
    assert (second.id, second.article.text, second.body) == ("lc-002", "Không có gì.", None)


def test_decomposed_letters_and_other_line_ends_become_the_stored_form():
    plain = "=== a\n\n{WHO:Lý Thị Hà} và {WHERE:Bát Xát}\nHết\n"
    given = unicodedata.normalize("NFD", plain).replace("\n", "\r\n")
    assert given != plain
    assert parse_inline(given, scheme=SCHEME) == parse_inline(plain, scheme=SCHEME)


@pytest.mark.parametrize(
    ("text", "line", "column", "found"),
    [
        ("x {NOBODY:b}", 3, 3, "unknown type 'NOBODY'"),
        ("x {who:b}", 3, 3, "unknown type 'who'"),
        ("x {WHAT:b}", 3, 3, "WHAT without a category"),
        ("x {WHAT.OTHER:b}", 3, 3, "unknown category 'OTHER'"),
        ("x {WHO.TRADE:b}", 3, 3, "WHO with category 'TRADE'"),
        ("x\ny {WHO:b\nz", 4, 3, "not closed on its line"),
        ("x {WHO:b", 3, 3, "not closed on its line"),
        ("x } y", 3, 3, "a } that closes no mark"),
        ("x { y } z", 3, 3, "a { that begins no mark"),
        ("ắ {WHO:} y", 3, 3, "an empty mark"),
        ("{WHO:a {WHO:b}}", 3, 8, "WHO inside WHO"),
        ("x \\y", 3, 3, "a backslash before 'y'"),
        ("x\\", 3, 2, "a backslash at the end"),
        ("{WHO:a}\u0301", 3, 1, "parts a letter from its accent"),
        ("x {WHO:b\\\n{{body}}\nc}\n{{/body}}", 4, 1, "{{body}} inside a mark"),
        ("{{body}}\nx\n{{body}}\ny\n{{/body}}", 5, 1, "a second {{body}}"),
        ("x\n{{body}}\ny", 4, 1, "{{body}} without {{/body}}"),
        ("x\n{{/body}}\ny", 4, 1, "{{/body}} without {{body}}"),
        ("x\n{{/body}}\ny\n{{body}}", 4, 1, "{{/body}} without {{body}}"),
        ("x\n{{body}}\n\n{{/body}}\ny", 4, 1, "nothing in the body"),
        ("{{body}}\nx\n{{/body}}\ny {WHO:z}", 6, 3, "WHO 'z' outside the body"),
        ("", 1, 1, "an article without text"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_column(text: str, line: int, column: int, found: str):
    with pytest.raises(MistakesError) as caught:
        parse_inline(f"=== a\n\n{text}", scheme=SCHEME, path="f.txt")
    (mistake,) = caught.value.mistakes
    assert str(mistake).startswith(f"f.txt:{line}: column {column}: ")
    assert found in str(mistake)
    assert mistake.cure


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("x\n=== a\n\ny", 1, "'x' where the first article"),
        ("", 1, "nothing"),
        ("===\n\ny", 1, "without an id"),
        ("=== a\n\nx\n=== a\n\ny", 4, "id 'a' stands at f.txt:1"),
        ("=== a\nNo key\n\ny", 2, "'No key' in the header"),
        ("=== a\nb: 1\nb: 2\n\ny", 3, "key 'b' occurs twice"),
    ],
)
def test_a_mistake_around_the_text_is_named_with_its_line(text: str, line: int, found: str):
    with pytest.raises(MistakesError) as caught:
        parse_inline(text, scheme=SCHEME, path="f.txt")
    (mistake,) = caught.value.mistakes
    assert mistake.line == line
    assert found in str(mistake)


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path):
    (tmp_path / "one.txt").write_text("=== a\n\n{WHO:x\n{NO:y} }\n\n=== b\n\n{WHAT:z}\n", encoding="utf-8")
    (tmp_path / "two.txt").write_bytes(b"=== c\n\n\xff")
    (tmp_path / "three.txt").write_text("=== a\n\nfine\n", encoding="utf-8")
    with pytest.raises(MistakesError) as caught:
        read_inline([tmp_path / name for name in ("one.txt", "two.txt", "three.txt")], scheme=SCHEME)
    places = {(Path(str(m.path)).name, m.line) for m in caught.value.mistakes}
    assert places == {("one.txt", 3), ("one.txt", 4), ("one.txt", 8), ("two.txt", None), ("three.txt", 1)}
    assert len(caught.value.mistakes) == 6
    assert all(str(mistake) in str(caught.value) for mistake in caught.value.mistakes)


def plain(text: str = "abc def ghi", **changes: object) -> Annotated:
    return replace(Annotated(Article("a", text)), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (plain(spans=(Span(0, 7, "WHO"), Span(4, 11, "WHERE"))), "WHO 0-7 'abc def' and WHERE 4-11 'def ghi' cross"),
        (plain(spans=(Span(0, 7, "WHO"), Span(4, 7, "WHO"))), "overlap"),
        (plain(spans=(Span(0, 12, "WHO"),)), "leaves the text"),
        (plain(spans=(Span(0, 3, "WHO"),), body=(4, 11)), "outside its body"),
        (plain(body=(3, 11)), "white space at an edge"),
        (plain(body=(0, 12)), "not in the text"),
        (plain(categories=frozenset({"TRADE"})), "categories"),
        (plain(""), "its text is empty"),
        (plain("a\r\nb"), "its text"),
        (plain("a\u0301"), "its text"),
        (plain("a\ud800"), "its text"),
        (plain("a\0"), "its text"),
        (plain(annotator=" An"), "annotator is ' An'"),
        (plain(article=Article("a", "b", title="c\nd")), "title is 'c\\nd'"),
        (plain(article=Article("", "b")), "id is empty"),
        (plain(article=Article("a", "b", meta={"n": 3})), "n is 3"),
        (plain(article=Article("a", "b", meta={"date": "x"})), "meta key 'date'"),
        (plain(article=Article("a", "b", meta={"a b": "x"})), "meta key 'a b'"),
    ],
)
def test_what_cannot_be_said_inline_is_refused_by_name(given: Annotated, found: str):
    with pytest.raises(MistakesError) as caught:
        to_inline([plain(), replace(given, article=replace(given.article, id=given.id and "bad"))])
    assert len(caught.value.mistakes) == 1
    assert found in str(caught.value)
    assert repr(given.id and "bad") in str(caught.value)


def test_two_articles_of_one_id_are_not_exported():
    with pytest.raises(DataError, match="occurs twice"):
        to_inline([plain(), plain()])


def test_nothing_is_written_where_an_output_exists_or_a_file_is_wrong(tmp_path: Path):
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("=== a\n\nx {WHO:b}\n", encoding="utf-8")
    bad.write_text("=== a\n\nx {WHO:b\n", encoding="utf-8")
    articles, gold = tmp_path / "articles.jsonl", tmp_path / "gold.jsonl"
    with pytest.raises(DataError, match="not closed"):
        import_inline([bad], scheme=SCHEME, articles=articles, gold=gold)
    with pytest.raises(DataError, match="one file"):
        import_inline([good], scheme=SCHEME, articles=gold, gold=gold)
    gold.write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists already"):
        import_inline([good], scheme=SCHEME, articles=articles, gold=gold)
    assert gold.read_text(encoding="utf-8") == "mine"
    assert not articles.exists()
    import_inline([good], scheme=SCHEME, articles=articles, gold=gold, force=True)
    assert len(read_gold([gold], read_articles([articles]), SCHEME)) == 1


def test_mistakes_keep_their_places_when_a_file_is_filled_in():
    error = MistakesError([DataError("p", line=3), DataError("q", path="g", line=4)]).at("f")
    assert isinstance(error, MistakesError)
    assert [(m.path, m.line) for m in error.mistakes] == [("f", 3), ("g", 4)]
