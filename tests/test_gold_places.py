"""Counts by region and of what a gazetteer knows: they equal a count by hand and, on random corpora, a slow count."""

import datetime
import json
import random

import pytest

from hoidam.document import Annotated, Article, Span
from hoidam.errors import DataError
from hoidam.gazetteer import Gazetteer, Place, UnitWord
from hoidam.gold.places import Known, place_stats
from hoidam.gold.stats import render_markdown, stats
from hoidam.labels import LabelScheme, SpanType

SCHEME = LabelScheme(types=(SpanType("WHO"), SpanType("WHERE")))
END = datetime.date(2025, 6, 30)
PLACES = [
    Place("x", "country", "nước", "Xa"),
    Place("x.a", "province", "tỉnh", "An", "x", border=True, valid_to=END, successors=("x.b",)),
    Place("x.b", "province", "tỉnh", "Bình", "x", border=True),
    Place("x.c", "province", "tỉnh", "Cát", "x"),
    Place("x.a.l", "district", "huyện", "Lam", "x.a", border=True, valid_to=END),
    Place("x.b.l", "commune", "xã", "Lam", "x.b", border=True, valid_from=END + datetime.timedelta(days=1)),
    Place("x.a.m", "district", "huyện", "Mai", "x.a", border=True),
    Place("x.c.m", "district", "huyện", "Mai", "x.c"),
    Place("w", "water", "sông", "Nga"),
]
GAZETTEER = Gazetteer(
    {place.id: place for place in PLACES},
    unit_words=tuple(UnitWord(p.unit, p.unit, (p.level,)) for p in {place.unit: place for place in PLACES}.values()),
)


def article(name: str, *mentions: str, kind: str = "WHERE", date: str | None = None) -> Annotated:
    text, spans = "", []
    for mention in mentions:
        spans.append(Span(len(text), len(text) + len(mention), kind))
        text += f"{mention} . "
    return Annotated(Article(name, text, date=date), tuple(spans))


TRAIN = [
    article("a", "tỉnh An", "tỉnh An", "Lam"),
    article("b", "Lam", "Đâu", date="2025-07-01"),
    article("c", "Mai", "sông Nga", date="2020-01-01T08:00"),
    article("d", "An", kind="WHO"),
]
DEV = [article("e", "huyện Lam", date="sau này"), article("f", "Bình", "An", date="2026-01-01")]


def test_counts_equal_those_made_by_hand():
    found = place_stats({"train": TRAIN, "dev": DEV}, gazetteer=GAZETTEER, place_type="WHERE")
    assert found.known == {"train": Known(7, 6), "dev": Known(3, 3)}
    assert found.known["dev"].share == 1
    assert {region.place.id: region.articles for region in found.regions} == {
        "x.a": {"train": 1, "dev": 2},
        "x.b": {"train": 2, "dev": 2},
    }
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_counts_equal_a_slow_count_on_random_corpora():
    """For each region, the slow count asks of every mention whether each place of its name reaches the region."""
    rng = random.Random(3)
    names = ["An", "Bình", "Cát", "Lam", "Mai", "Nga", "Xa", "Đâu"]
    for _ in range(200):
        part = [
            article(
                f"{i}", *rng.choices(names, k=rng.randint(0, 4)), date=rng.choice([None, "2020-05-05", "2026-05-05"])
            )
            for i in range(rng.randint(0, 6))
        ]
        found = place_stats({"all": part}, gazetteer=GAZETTEER, place_type="WHERE")
        for region in found.regions:
            assert region.articles["all"] == sum(
                any(all_lie_in(surface, region.place.id, one.article.date) for surface in mentions(one)) for one in part
            )
        surfaces = [surface for one in part for surface in mentions(one)]
        assert found.known["all"] == Known(len(surfaces), sum(surface != "Đâu" for surface in surfaces))


def mentions(one: Annotated) -> list[str]:
    return [one.article.text[span.start : span.end] for span in one.spans]


def all_lie_in(name: str, region: str, date: str | None) -> bool:
    same = [place for place in PLACES if place.name == name]
    valid = [place for place in same if date is None or lasted(place, date)]
    return bool(same) and all(reaches(place.id, region) for place in valid or same)


def lasted(place: Place, date: str) -> bool:
    return str(place.valid_from or "0") <= date <= str(place.valid_to or "9")


def reaches(start: str, goal: str) -> bool:
    place = GAZETTEER.places[start]
    return start == goal or any(reaches(key, goal) for key in (place.parent, *place.successors) if key)


def test_the_tables_follow_the_others_and_show_the_counts():
    parts = {"train": TRAIN, "dev": DEV}
    plain = render_markdown(stats(parts, scheme=SCHEME))
    page = render_markdown(stats(parts, scheme=SCHEME, gazetteer=GAZETTEER, place_type="WHERE"))
    closing = plain[plain.index("Near-duplicate pairs") :]
    assert (
        page
        == plain.removesuffix(closing)
        + (
            "| articles by border region | train | dev | total |\n"
            "| --- | ---: | ---: | ---: |\n"
            "| tỉnh An (to 2025-06-30) | 1 | 2 | 3 |\n"
            "| tỉnh Bình | 2 | 2 | 4 |\n"
            "\n"
            "| known to the gazetteer | train (mentions) | dev (mentions) |\n"
            "| --- | ---: | ---: |\n"
            "| WHERE | 86% (7) | 100% (3) |\n"
            "\n"
        )
        + closing
    )


def test_a_corpus_in_one_piece_has_no_total_and_nothing_to_know_is_none():
    page = render_markdown(stats({"all": DEV[:0]}, scheme=SCHEME, gazetteer=GAZETTEER, place_type="WHERE"))
    assert "| tỉnh Bình | 0 |\n" in page
    assert "| WHERE | - |\n" in page


def test_a_type_that_the_scheme_does_not_have_is_an_error():
    with pytest.raises(DataError, match=r"unknown type 'PLACE'.*WHO, WHERE"):
        stats({"all": DEV}, scheme=SCHEME, gazetteer=GAZETTEER, place_type="PLACE")
