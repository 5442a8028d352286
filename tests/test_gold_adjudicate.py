"""Adjudication: either side can be had back whole, nothing decided overlaps, and nothing a person typed is lost."""

import itertools
import json
import random
import tomllib
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from hoidam.document import Annotated, Article, Span, read_articles, read_gold
from hoidam.errors import DataError
from hoidam.files import toml_value, write_json_lines
from hoidam.gold.adjudicate import Outcomes, adjudicate, merge
from hoidam.gold.decisions import Decision, Update
from hoidam.gold.disagreements import BODY, find_disagreements
from hoidam.labels import Category, LabelScheme, SpanType

SCHEME = LabelScheme(
    types=(SpanType("WHO"), SpanType("WHERE"), SpanType("WHAT", categorised=True)),
    categories=(Category("TRADE"), Category("HEALTH")),
)
LABELS = """
[[types]]
name = "WHO"
[[types]]
name = "WHERE"
[[types]]
name = "WHAT"
categorised = true
[[categories]]
name = "TRADE"
[[categories]]
name = "HEALTH"
"""
NASTY = [
    *'""\'\\#=[]{}@:…  \n\n\tabAB0',
    *("ma", "ma túy", " ma túy và ma túy ", "@1 ma", "TRADE: ma", " … ", "huyện Bát Xát ", '"""', "'''", "\\n", "\\"),
    *("\n[[disagreements]]\n", '\ndecision = "first"\n', "\n# ghi chú\n"),
    *"ắềữ\u0301\u0338\u20dd\u00a0\u2028\u0085\x0b\x1c\x7f\u200b\ufeff👩🇻각\u1161",
]


def random_text(rng: random.Random, pieces: int) -> str:
    return unicodedata.normalize("NFC", "".join(rng.choice(NASTY) for _ in range(pieces)) + "x")


def random_spans(rng: random.Random, length: int, tries: int) -> list[Span]:
    spans: list[Span] = []
    for _ in range(tries):
        start = rng.randrange(length)
        name = rng.choice(SCHEME.type_names)
        category = rng.choice(SCHEME.category_names) if name == "WHAT" else None
        span = Span(start, min(length, start + rng.randint(1, 12)), name, category)
        if not any(span.type == other.type and span.overlaps(other) for other in spans):
            spans.append(span)
    return spans


def annotated(article: Article, spans: list[Span], annotator: str, body: tuple[int, int] | None = None) -> Annotated:
    categories = frozenset(span.category for span in spans if span.category)
    return Annotated(article, tuple(sorted(spans)), categories, annotator, body)


def random_body(rng: random.Random, spans: list[Span], length: int) -> tuple[int, int] | None:
    if rng.random() < 0.5:
        return None
    start, end = (min((s.start for s in spans), default=0), max((s.end for s in spans), default=length))
    return rng.randint(0, start), rng.randint(end, length)


def random_pair(rng: random.Random, name: str = "a", *, bodies: bool = False) -> tuple[Annotated, Annotated]:
    """Two annotations of one text that share some spans and differ in others."""
    text = random_text(rng, rng.randint(1, 40))
    first = random_spans(rng, len(text), rng.randint(0, 8))
    second = [span for span in first if rng.random() < 0.5]
    for span in random_spans(rng, len(text), rng.randint(0, 8)):
        if not any(span.type == other.type and span.overlaps(other) for other in second):
            second.append(span)
    article = Article(name, text)
    sides = ((first, "A"), (second, "B"))
    return tuple(
        annotated(article, spans, who, random_body(rng, spans, len(text)) if bodies else None) for spans, who in sides
    )


def decided(pair, choose) -> list[Decision]:
    return [Decision(each, choose(each), 1) for each in find_disagreements([pair], scheme=SCHEME)]


def merged(pair, choose) -> Annotated:
    (found,) = merge([pair], decided(pair, choose), path=Path("d.toml"))
    return found


def slow_groups(first: Annotated, second: Annotated) -> set[frozenset[Span]]:
    """Joining any two overlapping spans of a type, until nothing joins; then without what both sides have alike."""
    groups = [{span} for span in {*first.spans, *second.spans}]
    joined = True
    while joined:
        joined = False
        for one, other in itertools.combinations(groups, 2):
            if any(a.type == b.type and a.overlaps(b) for a in one for b in other):
                groups.remove(other)
                one.update(other)
                joined = True
                break
    return {frozenset(group) for group in groups if not group <= {*first.spans} & {*second.spans}}


def without_name(one: Annotated) -> Annotated:
    """For comparing: a body that is the whole text is as good as none."""
    return replace(one, annotator="", body=None if one.body == (0, len(one.article.text)) else one.body)


def test_either_side_can_be_had_back_exactly():
    rng = random.Random(1)
    for _ in range(2000):
        pair = random_pair(rng, bodies=True)
        first, second = (merged(pair, lambda each, side=side: getattr(each, side)) for side in ("first", "second"))
        assert replace(first, annotator="A") == pair[0]
        assert without_name(second) == without_name(pair[1])


def test_groups_are_those_of_a_search_over_all_pairs_and_come_in_text_order():
    rng = random.Random(2)
    for _ in range(1000):
        pair = random_pair(rng)
        found = find_disagreements([pair], scheme=SCHEME)
        assert {frozenset((*each.first, *each.second)) for each in found} == slow_groups(*pair)
        assert sum(len(each.first) + len(each.second) for each in found) == sum(map(len, slow_groups(*pair)))
        assert all(set(each.first) <= set(pair[0].spans) for each in found)
        assert [each.start for each in found] == sorted(each.start for each in found)


def test_no_mixture_of_sides_overlaps():
    rng = random.Random(3)
    mixed = 0
    for _ in range(3000):
        pair = random_pair(rng)
        found = merged(pair, lambda each: rng.choice([each.first, each.second, ()]))
        for before, after in itertools.combinations(found.spans, 2):
            assert before.type != after.type or not before.overlaps(after)
        assert found.categories == {span.category for span in found.spans if span.category}
        mixed += found.spans not in (pair[0].spans, pair[1].spans)
    assert mixed > 1000


def test_both_sides_of_a_group_never_stand_together():
    """Why there is no such decision: wherever both have spans, two of them overlap."""
    rng = random.Random(4)
    for _ in range(1000):
        for each in find_disagreements([random_pair(rng)], scheme=SCHEME):
            if each.first and each.second:
                assert any(one.overlaps(other) for one in each.first for other in each.second)


def test_calling_the_other_annotator_first_changes_nothing():
    rng = random.Random(5)
    for _ in range(1000):
        pair = random_pair(rng, bodies=True)
        one, other = (find_disagreements([sides], scheme=SCHEME) for sides in (pair, pair[::-1]))
        assert [(a.type, a.first, a.second) for a in one] == [(b.type, b.second, b.first) for b in other]
        found = merged(pair, lambda each: each.first)
        turned = merged(pair[::-1], lambda each: each.second)
        assert without_name(found) == without_name(turned)


def test_what_is_shown_of_a_span_finds_it_again():
    rng = random.Random(6)
    shown_bare = shown_by_offset = shortened = 0
    for _ in range(1500):
        for each in find_disagreements([random_pair(rng, bodies=True)], scheme=SCHEME):
            for span in (*each.first, *each.second):
                shown = each.show(span)
                assert each.read(shown, scheme=SCHEME) == span
                shown_by_offset += "@" in shown
                shown_bare += "@" not in shown
                shortened += len(shown) < span.end - span.start
    assert min(shown_bare, shown_by_offset, shortened) > 50


def test_a_long_stretch_is_shown_by_its_ends():
    text = "Trang chủ " + " ".join(f"từ{number}" for number in range(60)) + " hết"
    bodies = (10, len(text) - 4), (0, len(text))
    pair = tuple(annotated(Article("a", text), [], "A", body) for body in bodies)
    (found,) = find_disagreements([pair], scheme=SCHEME)
    first, second = found.show(found.first[0]), found.show(found.second[0])
    assert first == "từ0 từ1 từ2 từ3 từ4 từ5 từ6 từ7 … từ52 từ53 từ54 từ55 từ56 từ57 từ58 từ59"
    assert second.startswith("Trang chủ từ0")
    assert second.endswith("từ59 hết")
    assert found.read("từ1 từ2 … từ3", scheme=SCHEME) == Span(14, 25, BODY)
    with pytest.raises(DataError, match="'từ5 … từ3' does not stand in the context"):
        found.read("từ5 … từ3", scheme=SCHEME)


TEXT = (
    'Ông Lý Vĩ nói "ma túy \\ ma túy" 😀 ở huyện Bát Xát.\n'
    "Hai bên bàn thương mại, du lịch và y tế. Bà Lý Vĩ về huyện Mã."
)


def at(words: str, name: str, category: str | None = None, *, after: int = 0) -> Span:
    start = TEXT.index(words, after)
    return Span(start, start + len(words), name, category)


TRADE, BOTH = at("thương mại", "WHAT", "TRADE"), at("thương mại, du lịch", "WHAT", "TRADE")
FIRST = [at("Lý Vĩ", "WHO"), at("ma túy", "WHAT", "HEALTH"), at("huyện Bát Xát", "WHERE"), TRADE]
SECOND = [at("Lý Vĩ", "WHO"), at("Bát Xát", "WHERE"), BOTH, at("y tế", "WHAT", "HEALTH")]
# Their disagreements, in text order: ma túy (first alone), (huyện) Bát Xát, thương mại(, du lịch), y tế (second alone).


class Desk:
    """A folder with two annotations and what a person does there."""

    def __init__(self, folder: Path, first: list[Span] = FIRST, second: list[Span] = SECOND) -> None:
        self.folder, self.decisions, self.output = folder, folder / "d.toml", folder / "gold.jsonl"
        self.articles, self.sides = folder / "articles.jsonl", [folder / "first.jsonl", folder / "second.jsonl"]
        (folder / "labels.toml").write_text(LABELS, encoding="utf-8")
        write_json_lines(self.articles, [Article("a", TEXT).to_dict(), Article("b", "Không có gì.").to_dict()])
        self.annotate(first, second)

    def annotate(self, first: list[Span], second: list[Span], **more) -> None:
        for path, spans, who in zip(self.sides, (first, second), ("An", "Bình"), strict=True):
            sides = [annotated(Article("a", TEXT), spans, who, more.get(who))]
            sides += [annotated(Article("b", "Không có gì."), [], who)]
            write_json_lines(path, [one.to_dict() for one in sides], force=True)

    def run(self, *, write: bool = False, **more):
        more = {"articles": [self.articles], "scheme": SCHEME, "decisions": self.decisions} | more
        return adjudicate(*self.sides, output=self.output if write else None, **more)

    def gold(self) -> list[Annotated]:
        return read_gold([self.output], read_articles([self.articles]), SCHEME)

    @property
    def text(self) -> str:
        return self.decisions.read_text(encoding="utf-8")

    @property
    def tables(self) -> list[dict]:
        return tomllib.loads(self.text)["disagreements"]

    def decide(self, *decisions: str) -> None:
        """Fill in the decisions, each with what else is to stand on the lines below it."""
        head, *rest = self.text.split('decision = ""')
        assert len(rest) == len(decisions)
        filled = (f"decision = {decision}{part}" for decision, part in zip(decisions, rest, strict=True))
        self.decisions.write_text(head + "".join(filled), encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_file_shows_each_disagreement_with_its_words(desk: Desk):
    found = desk.run()
    assert found.update == Update(kept=0, added=4, set_aside=0)
    assert desk.tables[0] == {
        "article": "a",
        "type": "WHAT",
        "offset": 15,
        "context": 'Ông Lý Vĩ nói "ma túy \\ ma túy" 😀 ở huyện Bát Xát.\nHai bên bàn thương',
        "first": ["HEALTH: ma túy"],
        "second": [],
        "decision": "",
        "reason": "",
    }
    assert all(table["context"] in TEXT for table in desk.tables)
    assert [(table["type"], table["first"], table["second"]) for table in desk.tables] == [
        ("WHAT", ["HEALTH: ma túy"], []),
        ("WHERE", ["huyện Bát Xát"], ["Bát Xát"]),
        ("WHAT", ["TRADE: thương mại"], ["TRADE: thương mại, du lịch"]),
        ("WHAT", [], ["HEALTH: y tế"]),
    ]


def test_decisions_become_gold_that_reads_back(desk: Desk):
    desk.run()
    desk.decide('"none"', '"second"', '"other"\nspans = ["TRADE: thương mại", "TRADE: du lịch"]', '"second"')
    found = desk.run(write=True, annotator="Chi")
    a, b = desk.gold()
    wanted = [at("Lý Vĩ", "WHO"), at("Bát Xát", "WHERE"), TRADE, at("du lịch", "WHAT", "TRADE"), SECOND[-1]]
    assert list(a.spans) == wanted
    assert (a.categories, b.spans) == ({"TRADE", "HEALTH"}, ())
    assert a.annotator == "An and Bình, adjudicated by Chi"
    assert (found.articles, found.agreed_spans, found.update) == (2, 1, None)
    assert found.by_type == {
        "WHERE": Outcomes(second=1),
        "WHAT": Outcomes(second=2, other=1),
        "all": Outcomes(second=3, other=1),
    }
    assert list(found.lines())[-2:] == ["An was right in 0 of 4 decided (0%)", "Bình was right in 3 of 4 decided (75%)"]


def test_an_outcome_is_what_was_decided_and_not_the_word_for_it(desk: Desk):
    desk.run()
    other = '"other"\nspans = ["TRADE: thương mại"]'
    desk.decide('"none"', '"none"', other, '""')
    assert desk.run().by_type["all"] == Outcomes(first=1, second=1, other=1, undecided=1)


def test_nasty_text_goes_through_the_file_unharmed(tmp_path: Path):
    rng = random.Random(7)
    pairs = [random_pair(rng, f'"{number}"\\ #', bodies=True) for number in range(150)]
    paths = [tmp_path / name for name in ("articles.jsonl", "first.jsonl", "second.jsonl", "d.toml", "gold.jsonl")]
    write_json_lines(paths[0], (one.article.to_dict() for one, _ in pairs))
    for path, side in zip(paths[1:3], zip(*pairs, strict=True), strict=True):
        write_json_lines(path, (one.to_dict() for one in side))
    settings = {"articles": paths[:1], "scheme": SCHEME, "decisions": paths[3]}
    found = adjudicate(*paths[1:3], **settings)
    disagreements = find_disagreements(pairs, scheme=SCHEME)
    tables = tomllib.loads(paths[3].read_text(encoding="utf-8"))["disagreements"]
    assert [(t["article"], t["offset"], t["context"]) for t in tables] == [
        (each.article.id, each.start, each.context) for each in disagreements
    ]
    assert found.update == Update(kept=0, added=len(disagreements), set_aside=0)
    assert adjudicate(*paths[1:3], **settings).update == Update(kept=len(disagreements), added=0, set_aside=0)
    for side in ("first", "second"):
        lines = []
        for table in tables:
            shown = {"decision": "other", "spans": table[side]} if table[side] else {"decision": "none"}
            entry = table | shown | {"reason": random_text(rng, 5)}
            lines += ["[[disagreements]]", *(f"{key} = {toml_value(value)}" for key, value in entry.items())]
        paths[3].write_text("\n".join(lines), encoding="utf-8")
        adjudicate(*paths[1:3], output=paths[4], force=True, **settings)
        gold = read_gold(paths[4:], read_articles(paths[:1]), SCHEME)
        wanted = [pair[side == "second"] for pair in pairs]
        assert [without_name(one) for one in gold] == [without_name(one) for one in wanted]


def test_values_written_as_toml_read_back():
    rng = random.Random(8)
    for _ in range(3000):
        text = "".join(chr(rng.choice([rng.randrange(0x80), rng.randrange(0xD800), 0x1F600])) for _ in range(9))
        value = rng.choice([text, [text, "x"], (text,), 7, -2.5, 1e-05, True, False, []])
        line = toml_value(value)
        assert tomllib.loads(f"v = {line}")["v"] == (list(value) if isinstance(value, tuple) else value)
        assert "\n" not in line


def test_an_unchanged_file_is_not_written_again(desk: Desk):
    desk.run()
    desk.decide('"first"', '""', '""   # hỏi lại', '""')
    desk.decisions.write_bytes(b"\xef\xbb\xbf" + desk.text.replace("\n", "\r\n").encode())
    before = desk.decisions.read_bytes()
    assert desk.run().update == Update(kept=4, added=0, set_aside=0)
    assert desk.decisions.read_bytes() == before


def test_after_a_change_what_still_fits_is_kept_and_nothing_typed_is_lost(desk: Desk):
    desk.run()
    desk.decide('"first"', '""', '"second"   # chắc chắn', '""')
    typed = desk.text.replace("# Where two", "# Của Chi. Where two").replace(
        '[[disagreements]]\narticle = "a"\ntype = "WHERE"',
        '# xem lại\n[[disagreements]]\narticle = "a"\ntype = "WHERE"',
    )
    desk.decisions.write_text(typed.replace('reason = ""', "reason = '''\nvì \"thế\"'''", 1), encoding="utf-8")
    old = desk.text
    shorter = at("Xát", "WHERE")
    desk.annotate([*FIRST[:2], shorter, BOTH], [*SECOND[:1], SECOND[1], TRADE, at("du lịch", "WHAT", "TRADE")])
    found = desk.run()
    # ma túy stays; Xát and (thương mại, du lịch) are new; the old thương mại was decided, the old Bát Xát commented on.
    assert found.update == Update(kept=1, added=2, set_aside=2)
    data = tomllib.loads(desk.text)
    assert [table["decision"] for table in data["disagreements"]] == ["first", "", ""]
    assert [table["first"] for table in data["set_aside"]] == [["huyện Bát Xát"], ["TRADE: thương mại"]]
    assert '# xem lại\n[[set_aside]]\narticle = "a"\ntype = "WHERE"' in desk.text
    for line in ("# Của Chi. Where two annotators", "'''\nvì \"thế\"'''", '"second"   # chắc chắn'):
        assert line in desk.text
    desk.annotate(FIRST, SECOND)
    assert desk.run().update == Update(kept=3, added=1, set_aside=0)
    assert desk.text.strip() == old.strip()


def test_entries_a_person_has_not_touched_go_without_a_trace(desk: Desk):
    desk.run()
    desk.annotate(FIRST, FIRST)
    assert desk.run().update == Update(kept=0, added=0, set_aside=0)
    assert "[[" not in desk.text
    found = desk.run(write=True)
    assert (list(found.by_type), list(desk.gold()[0].spans)) == (["all"], FIRST)


def test_words_that_stand_twice_are_told_apart_by_their_offset(desk: Desk):
    second = TEXT.rindex("ma túy")
    desk.annotate([Span(TEXT.index("ma túy"), second + 6, "WHAT", "HEALTH")], [])
    desk.run()
    desk.decide('"other"\nspans = ["HEALTH: ma túy"]')
    with pytest.raises(
        DataError, match=rf"d.toml:18: a: WHAT at 15: 'ma túy' stands 2 times .* at 15, {second}\. .*@15"
    ):
        desk.run()
    desk.decisions.write_text(
        desk.text.replace('["HEALTH: ma túy"]', f'["HEALTH: @{second} ma túy"]'), encoding="utf-8"
    )
    desk.run(write=True)
    assert desk.gold()[0].spans == (Span(second, second + 6, "WHAT", "HEALTH"),)


def test_words_of_the_group_go_before_the_same_words_around_it(desk: Desk):
    later = Span(TEXT.rindex("ma túy"), TEXT.rindex("ma túy") + 6, "WHAT", "HEALTH")
    desk.annotate([later], [])
    desk.run()
    assert desk.tables[0]["context"].count("ma túy") == 2
    assert desk.tables[0]["first"] == ["HEALTH: ma túy"]
    desk.decide('"other"\nspans = ["TRADE: ma túy"]')
    desk.run(write=True)
    assert desk.gold()[0].spans == (replace(later, category="TRADE"),)


def test_words_typed_with_decomposed_accents_are_found(desk: Desk):
    desk.run()
    desk.decide('"none"', '"first"', unicodedata.normalize("NFD", '"other"\nspans = ["TRADE: du lịch"]'), '"first"')
    desk.run(write=True)
    assert at("du lịch", "WHAT", "TRADE") in desk.gold()[0].spans


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ('"frist"', "d.toml:37: a: WHAT at 63: decision is 'frist'. Give one of first, second, none, other"),
        ('"other"', "d.toml:37: a: WHAT at 63: no spans. Add"),
        ('"other"\nspans = []', "d.toml:37: a: WHAT at 63: no spans. Add"),
        ('"first"\nspans = ["TRADE: du lịch"]', "d.toml:38: a: WHAT at 63: spans, but decision is 'first'"),
        ('"other"\nspans = ["du lịch"]', "d.toml:38: a: WHAT at 63: no category in 'du lịch'"),
        ('"other"\nspans = ["BORDER: du lịch"]', "d.toml:38: a: WHAT at 63: no category in 'BORDER: du lịch'"),
        ('"other"\nspans = ["TRADE: "]', "d.toml:38: a: WHAT at 63: '' does not stand in the context"),
        ('"other"\nspans = ["TRADE: du lị"]', "d.toml:38: a: WHAT at 63: 'du lị' does not stand in the context"),
        ('"other"\nspans = ["TRADE: @9 du lịch"]', "'@9 du lịch' does not stand in the context"),
        ('"other"\nspans = [7]', "d.toml:38: spans: found [7]. Give a list of strings"),
        ('"first"\ncolour = 1', "d.toml:38: colour: unknown key. Known keys: article"),
        ("1", "d.toml:37: decision: found 1. Give a string"),
        ("first", "d.toml: not TOML (Invalid value (at line 37"),
        ('"first"\n[more]', "its entries cannot be told apart"),
        ('"first"\n[[disagreements]]', "d.toml:38: article: missing. Give a string"),
        ('"""\n[[disagreements]]\n"""', "d.toml:30: an entry that cannot be told apart. Let no line within"),
    ],
)
def test_what_is_typed_wrong_is_refused_with_its_line_and_left_alone(desk: Desk, decision: str, message: str):
    desk.run()
    desk.decide('"first"', '"first"', decision, '"first"')
    before = desk.text
    for write in (False, True):
        with pytest.raises(DataError) as caught:
            desk.run(write=write)
        assert message in str(caught.value)
        assert desk.text == before
        assert not desk.output.exists()


def test_all_mistakes_are_told_at_once(desk: Desk):
    desk.run()
    desk.decide('"x"', '"y"', '"first"', '"other"')
    with pytest.raises(DataError, match="3 mistakes:") as caught:
        desk.run()
    assert [mistake.line for mistake in caught.value.mistakes] == [17, 27, 47]


def test_gold_comes_only_out_of_a_complete_file_that_fits(desk: Desk):
    with pytest.raises(DataError, match=r"d.toml: no such file. Run without --output first"):
        desk.run(write=True)
    desk.run()
    desk.decide('"first"', '""', '"first"', '""')
    with pytest.raises(
        DataError, match=r"d.toml:27: a: WHERE at 36: 2 of 4 disagreements are undecided, this the first"
    ):
        desk.run(write=True)
    desk.annotate(FIRST, SECOND[:-1])
    with pytest.raises(DataError, match=r"d.toml:40: a: WHAT at 86: no such disagreement: an annotation has changed"):
        desk.run(write=True)
    desk.annotate(FIRST, [*SECOND, at("Mã", "WHERE")])
    with pytest.raises(DataError, match=r"d.toml: a: WHERE at 110: a disagreement that the file lacks. Run without"):
        desk.run(write=True)
    desk.annotate(FIRST, SECOND)
    desk.decisions.write_text(desk.text + desk.text[desk.text.index("[[") :], encoding="utf-8")
    with pytest.raises(DataError, match=r"d.toml:\d+: a: WHERE at 36: stands in the file twice"):
        desk.run(write=True)
    assert not desk.output.exists()


def test_an_entry_whose_description_was_edited_fits_nothing_and_is_kept_aside(desk: Desk):
    desk.run()
    desk.decide('"first"', '"first"', '"first"', '"first"')
    desk.decisions.write_text(desk.text.replace('["huyện Bát Xát"]', '["Bát Xát"]', 1), encoding="utf-8")
    with pytest.raises(DataError, match="2 mistakes:"):
        desk.run(write=True)
    assert desk.run().update == Update(kept=3, added=1, set_aside=1)
    assert tomllib.loads(desk.text)["set_aside"][0]["decision"] == "first"


def test_decisions_that_cannot_stand_together_are_refused(desk: Desk):
    desk.run()
    long = '"other"\nspans = ["TRADE: du lịch và y tế"]'
    desk.decide('"first"', '"first"', long, '"second"')
    with pytest.raises(DataError, match=r"d.toml:37: a: WHAT at 63: 'du lịch và y tế' at 75 overlaps 'y tế' at 86"):
        desk.run(write=True)
    assert not desk.output.exists()


def test_a_body_is_decided_like_a_span_and_holds_all_of_them(desk: Desk):
    bodies = {"An": (TEXT.index("Hai"), len(TEXT)), "Bình": (0, len(TEXT) - 1)}
    desk.annotate([TRADE], [TRADE, SECOND[0]], **bodies)
    found = desk.run()
    assert list(found.by_type) == [BODY, "WHO", "all"]
    table = desk.tables[0]
    assert (table["type"], table["offset"]) == (BODY, 0)
    desk.decide('"first"', '"second"')
    with pytest.raises(DataError, match=r"a: WHO at 4: 'Lý Vĩ' lies outside the body 51-113"):
        desk.run(write=True)
    desk.decisions.write_text(desk.text.replace('= "first"', '= "none"'), encoding="utf-8")
    with pytest.raises(DataError, match="an article has one body"):
        desk.run(write=True)
    other = '"other"\nspans = ["Lý Vĩ nói … y tế"]'
    desk.decisions.write_text(desk.text.replace('= "none"', f"= {other}"), encoding="utf-8")
    desk.run(write=True)
    assert desk.gold()[0].body == (4, TEXT.index("y tế") + 4)


def test_annotations_that_are_no_pair_are_refused(desk: Desk):
    lines = desk.sides[1].read_text(encoding="utf-8").splitlines(keepends=True)
    desk.sides[1].write_text(lines[0], encoding="utf-8")
    with pytest.raises(DataError, match=r"only one annotator has b\. Give two files over the same articles"):
        desk.run()
    record = json.loads(lines[0]) | {"categories": ["TRADE"]}
    write_json_lines(desk.sides[1], [record], force=True)
    with pytest.raises(DataError, match="the categories of 'a' are not its spans'"):
        desk.run()
    assert not desk.decisions.exists()


def test_nothing_is_written_over(desk: Desk):
    desk.run()
    desk.decide(*['"first"'] * 4)
    desk.run(write=True)
    with pytest.raises(DataError, match="exists already"):
        desk.run(write=True)
    desk.run(write=True, force=True)
    for path in (*desk.sides, desk.decisions, desk.articles):
        before = path.read_bytes()
        with pytest.raises(DataError, match="is one of the inputs"):
            adjudicate(
                *desk.sides,
                articles=[desk.articles],
                scheme=SCHEME,
                decisions=desk.decisions,
                output=path.parent / "." / path.name,
                force=True,
            )
        assert path.read_bytes() == before


def test_the_command_writes_the_file_then_the_gold(desk: Desk, command):
    words = ("gold", "adjudicate", *desk.sides, "--articles", desk.articles, "--decisions", desk.decisions)
    first = command(*words)
    assert (first.code, first.out) == (0, "")
    assert f"0 entries kept, 4 new, 0 set aside: {desk.decisions}" in first.err
    refused = command(*words, "--output", desk.output)
    assert refused.code == 1
    assert "4 of 4 disagreements are undecided" in refused.err
    desk.decide(*['"second"'] * 4)
    done = command(*words, "--output", desk.output, "--annotator", "Chi")
    assert (done.code, done.out) == (0, "")
    assert "2 articles by both: 1 spans agreed on, 4 disagreements" in done.err
    assert "Bình was right in 4 of 4 decided (100%)" in done.err
    assert list(desk.gold()[0].spans) == SECOND
    assert command("gold", "agree", desk.output, desk.sides[1], "--articles", desk.articles).code == 0
