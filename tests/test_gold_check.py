"""Checks of annotation: each rule finds its error in a sentence that has it, and is silent on the one put right."""

import itertools
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from hoidam.document import Annotated, Article, Span
from hoidam.gold.check import Finding, check
from hoidam.gold.checks import Checks, Listed, TypeChecks, read_checks
from hoidam.gold.inline import parse_inline
from hoidam.labels import Category, LabelScheme, SpanType, read_labels

ANNOTATIONS = Path(__file__).parents[1] / "annotations"
SCHEME = read_labels(ANNOTATIONS / "labels.toml")
CHECKS = read_checks(ANNOTATIONS / "checks.toml", scheme=SCHEME)
BARE = LabelScheme(types=(SpanType("A"), SpanType("B"), SpanType("C", categorised=True)), categories=(Category("X"),))


def corpus(*texts: str) -> list[Annotated]:
    cooperation = ["yes" if "{TOPIC" in text else "no" for text in texts]
    heads = (f"=== a{row}\noutlet: radio-tv\ncooperation: {said}\n\n" for row, said in enumerate(cooperation, start=1))
    return parse_inline("\n".join(head + text + "\n" for head, text in zip(heads, texts, strict=True)), scheme=SCHEME)


def found(*texts: str) -> set[tuple[str, str, str]]:
    """Article, rule and snippet of each finding by the shipped checks."""
    return {(f.article, f.rule, f.snippet) for f in check(corpus(*texts), scheme=SCHEME, checks=CHECKS)}


def rules(findings: Iterable[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


CLEAN = [
    "Chiều 3/4, ông {OFFICIAL:Lò Văn Xuyến}, {TITLE:Bí thư Huyện ủy {PLACE:Mường Lát}}, tiếp đoàn"
    " {PLACE:huyện Viêng Xay} ({PLACE:Lào}). Hai bên bàn {TOPIC.TRADE:thương mại}, {TOPIC.TOURISM:du lịch}."
    " Ông {OFFICIAL:Xuyến} dạy tiếng Lào.",
    "Bà {OFFICIAL:Sầm Thị Mơ}, {TITLE:Giám đốc Sở Văn hóa, Thể thao và Du lịch {PLACE:tỉnh Cao Bằng}}, và Thiếu tá"
    " {OFFICIAL:Nông Đức Ái}, {TITLE:Đồn trưởng}, thăm hai tỉnh {PLACE:Cao Bằng}, {PLACE:Lạng Sơn}.",
    "{TITLE:Phó Giám đốc Sở VH,TT&DL} {OFFICIAL:Bế Kim Chung} nói. Mặt trận Tổ quốc Việt Nam không phải"
    " {PLACE:Việt Nam}; Bộ Công an Việt Nam cũng không.",
]
WRONG = [
    ("Ông {OFFICIAL:Lò Văn Xuyến}, {TITLE:Bí thư, Chủ tịch HĐND xã}.", "comma", "Bí thư, Chủ tịch HĐND xã"),
    ("{OFFICIAL:Ông Lò Văn Xuyến}, {TITLE:Bí thư}.", "forbidden-start", "Ông Lò Văn Xuyến"),
    ("{TITLE:Trưởng đoàn} {OFFICIAL:Thiếu tá Lò Mẩy}.", "forbidden-start", "Thiếu tá Lò Mẩy"),
    ("Tại {PLACE:khu vực Mường Lát}.", "forbidden-start", "khu vực Mường Lát"),
    ("Tại {PLACE:hai huyện Mường Lát}.", "forbidden-start", "hai huyện Mường Lát"),
    ("Về {TOPIC.TRADE:thúc đẩy thương mại}.", "forbidden-start", "thúc đẩy thương mại"),
    ("Về {TOPIC.TRADE:thương mại hai bên}.", "forbidden-end", "thương mại hai bên"),
    (
        "Ông {OFFICIAL:Lò Mẩy}, {TITLE:Bí thư Huyện ủy nhiệm kỳ 2020 - 2025}.",
        "forbidden-words",
        "Bí thư Huyện ủy nhiệm kỳ 2020 - 2025",
    ),
    ("Ông {OFFICIAL:lò mẩy}, {TITLE:Bí thư}.", "no-capital", "lò mẩy"),
    ("Từ {PLACE:huyện Mường Lát }về.", "span-edge", "huyện Mường Lát "),
    ("Từ {PLACE:(Lào)} về.", "span-edge", "(Lào)"),
    ("Từ {PLACE:Mường Lát,} về.", "span-edge", "Mường Lát,"),
    ("Từ {PLACE:Mường Lá}t về.", "cut-word", "Mường Lá"),
    ("Từ M{PLACE:ường Lát} về.", "cut-word", "ường Lát"),
    ("Từ {TOPIC.TRADE:cặp cửa khẩu Ma Lù (Lào} về.", "bracket", "cặp cửa khẩu Ma Lù (Lào"),
    ("Từ {PLACE:Mường\\\nLát} về.", "line-end", "Mường\nLát"),
    ("Ông {OFFICIAL:Lò Mẩy} Xuyến, {TITLE:Bí thư}.", "part-of-name", "Lò Mẩy"),
    ("Gặp ông Lò {OFFICIAL:Mẩy}, {TITLE:Bí thư}.", "part-of-name", "Mẩy"),
    ("Từ huyện {PLACE:Mường Lát} về.", "unit-left-out", "Mường Lát"),
    ("Từ Cửa khẩu quốc tế {PLACE:Na Mèo} về.", "unit-left-out", "Na Mèo"),
    ("Ông {OFFICIAL:Lò Mẩy}, {TITLE:Bí thư Huyện ủy} {PLACE:Mường Lát}.", "ends-early", "Bí thư Huyện ủy"),
    ("{TITLE:Bí thư {OFFICIAL:Lò Mẩy}} nói.", "nesting", "Lò Mẩy"),
    ("Từ {PLACE:Mường Lát} về. Dân Mường Lát vui.", "untagged-repeat", "Mường Lát"),
    ("Từ {PLACE:Mường Lát} về.\nDÂN MƯỜNG LÁT VUI", "untagged-repeat", "MƯỜNG LÁT"),
    ("Ông {OFFICIAL:Lò Mẩy}, {TITLE:Bí thư}, đến. Ông Lò Mẩy vui.", "untagged-repeat", "Lò Mẩy"),
    ("Lập {TOPIC.SECURITY:tổ tuần tra chung}. Tổ tuần tra chung đi.", "untagged-repeat", "Tổ tuần tra chung"),
    ("Từ huyện Mường Lát về {PLACE:Lào}.", "untagged-unit", "huyện Mường Lát"),
    ("Ông {OFFICIAL:Lò Mẩy}, {TITLE:Bí thư}, Chủ tịch HĐND xã.", "untagged-beside", "Chủ"),
    ("Ông {OFFICIAL:Lò Mẩy}, {TITLE:Bí thư}; bà Hà Thị Én, {TITLE:Chủ tịch}.", "untagged-beside", "Thị Én"),
    ("Ông {OFFICIAL:Lò Mẩy} đến.", "lacks-type", "OFFICIAL"),
    ("Có {TITLE:Bí thư} đến.", "lacks-type", "TITLE"),
    ("Không có gì.", "no-spans", ""),
]


@pytest.mark.parametrize("text", CLEAN)
def test_a_right_article_gives_no_finding(text: str):
    assert found(text) == set()


@pytest.mark.parametrize(("text", "rule", "snippet"), WRONG)
def test_an_error_is_found_with_its_snippet(text: str, rule: str, snippet: str):
    assert ("a1", rule, snippet) in found(text)


def test_a_finding_says_where_and_what_to_do():
    for text, rule, snippet in WRONG:
        for finding in check(corpus(text), scheme=SCHEME, checks=CHECKS):
            assert finding.message
            assert finding.cure
            if finding.rule == rule and finding.snippet == snippet and rule != "lacks-type":
                assert corpus(text)[0].article.text.startswith(snippet, finding.offset)


RIGHT = [
    "Từ {PLACE:Mường Lát} về. Đoàn đi bằng xe Mường Láts và Tân Mường Lát.",
    "{{body}}\nTừ {PLACE:Mường Lát} về.\n{{/body}}\nTin Mường Lát",
    "Từ các huyện {PLACE:Mường Lát}, {PLACE:Quan Sơn} về.",
    "Tại điểm cầu {PLACE:Mường Lát}, Sở Nông nghiệp và Phát triển nông thôn {PLACE:Thanh Hóa} nói.",
    "Ông {OFFICIAL:Hòa}, {TITLE:Bí thư}, đi {PLACE:Tuy Hòa}.",
    "Ông {OFFICIAL:Ly Mí Và}, {TITLE:Bí thư}, nói.",
    "Xây {TOPIC.INFRASTRUCTURE:{PLACE:cầu Bắc Luân III}}.",
    "Ông {OFFICIAL:Anh}, {TITLE:Bí thư}, ở {PLACE:quận Hai Bà Trưng}, nói.",
    "Ông {OFFICIAL:Lò Mẩy}, {TITLE:Phó Trưởng phòng Cảnh sát phòng, chống ma túy}, nói.",
    "Theo {TITLE:Bí thư} {OFFICIAL:Lò Mẩy}, Thiếu tá {OFFICIAL:Hà Én}, {TITLE:Đồn trưởng}.",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_only_looks_like_an_error_is_left_alone(text: str):
    assert found(text) == set()


def test_a_place_tagged_in_other_articles_is_missed_in_this_one():
    tagged = [f"Từ {{PLACE:Mường Lát}} về lần {number}." for number in range(2)]
    assert found(tagged[0], "Dân Mường Lát và {PLACE:Lào} vui.") == set()
    assert found(*tagged, "Dân Mường Lát và {PLACE:Lào} vui.") == {("a3", "untagged-elsewhere", "Mường Lát")}


def test_the_rarer_category_of_a_phrase_is_found():
    texts = ["Bàn {TOPIC.TRADE:hội chợ}.", "Mở {TOPIC.TRADE:Hội chợ}.", "Tổ chức {TOPIC.CULTURE:hội chợ}."]
    assert found(*texts) == {("a3", "two-categories", "hội chợ")}


def test_a_long_sentence_in_two_articles_is_found_and_a_short_one_is_not():
    long, short = "hai bên vui mừng nhận thấy quan hệ ngày càng gắn bó", "hai bên vui mừng"
    others = (" ".join(f"{letter}{number}" for number in range(20)) for letter in "xy")
    one, other = (f"Từ {{PLACE:{name}}}. {words}." for name, words in zip(("Lào", "Thà Khẹc"), others, strict=True))
    assert found(f"{one} {long.capitalize()}.", f"{other}\n{long};") == {("a2", "repeated-sentence", long)}
    assert found(f"Từ {{PLACE:Lào}}. {short}.", f"Từ {{PLACE:Thà Khẹc}}. {short}.") == set()
    furniture = "{{body}}\nTừ {PLACE:%s}.\n{{/body}}\n" + long
    assert found(furniture % "Lào", furniture % "Thà Khẹc") == set()


def test_near_duplicates_are_found_once_a_pair():
    words = " ".join(f"w{number}" for number in range(40))
    assert ("a2", "near-duplicate", "a1") in found(f"{{PLACE:Lào}} {words} x", f"{{PLACE:Lào}} {words} y")


def test_meta_that_contradicts_the_annotation_is_found():
    (given,) = corpus("Bàn {TOPIC.TRADE:hội chợ}.")
    article = replace(given.article, meta={"outlet": "radio", "cooperation": "no"})
    findings = check([replace(given, article=article)], scheme=SCHEME, checks=CHECKS)
    assert sorted((f.rule, f.snippet) for f in findings) == [("meta-differs", "no"), ("meta-value", "radio")]


def bare(text: str, *spans: Span, **changes: object) -> Annotated:
    categories = frozenset(span.category for span in spans if span.category)
    return replace(Annotated(Article("a", text), spans, categories), **changes)  # type: ignore[arg-type]


def test_without_settings_only_rules_for_every_language_are_asked():
    assert check([bare("ông Mẩy, x", Span(0, 10, "A"), Span(0, 3, "B"))], scheme=BARE) == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (bare("ab cd ef", Span(0, 5, "A"), Span(3, 8, "A")), ["overlap"]),
        (bare("ab cd ef", Span(0, 5, "A"), Span(3, 8, "B")), ["crossing"]),
        (bare("ab cd ef", Span(0, 5, "A"), Span(3, 5, "B")), []),
        (bare("ab cd ef", Span(0, 2, "A"), body=(3, 8)), ["outside-body"]),
        (bare("ab cd ef", Span(0, 5, "A"), body=(3, 8)), ["outside-body"]),
        (bare("ab cd ef", Span(0, 2, "C", "X"), categories=frozenset()), ["categories-differ"]),
        (bare("ab cd ef", Span(0, 2, "A"), categories=frozenset({"X"})), ["categories-differ"]),
        (bare("ab cd ef", Span(0, 2, "C", "X")), []),
        (bare("q\u0301b", Span(0, 1, "A")), ["cut-word"]),
        (bare("q\u0301b", Span(1, 3, "A")), ["cut-word"]),
        (bare("a\u00a0b", Span(0, 2, "A")), ["span-edge"]),
        (bare("a\u200bb", Span(0, 2, "A")), ["span-edge"]),
    ],
)
def test_rules_for_every_scheme(given: Annotated, wanted: list[str]):
    assert rules(check([given], scheme=BARE)) == wanted


def test_overlaps_equal_a_comparison_of_every_two_spans():
    rng = random.Random(4)
    for _ in range(1500):
        edges = [sorted(rng.sample(range(12), 2)) for _ in range(rng.randint(0, 6))]
        spans = sorted({Span(start, end, rng.choice("AB")) for start, end in edges})
        wanted = []
        for one, other in itertools.combinations(spans, 2):
            nested = one.start <= other.start and other.end <= one.end
            nested |= other.start <= one.start and one.end <= other.end
            if one.overlaps(other) and (one.type == other.type or not nested):
                wanted.append("overlap" if one.type == other.type else "crossing")
        given = rules(check([bare(" " * 12, *spans)], scheme=BARE))
        assert sorted(rule for rule in given if rule in ("overlap", "crossing")) == sorted(wanted)


def test_a_tagged_string_is_found_at_each_whole_word_that_no_span_touches():
    rng = random.Random(5)
    checks = Checks(types={"A": TypeChecks(tag_repeats=True, nests_in=("B",))})
    hits = 0
    for _ in range(1000):
        words = [rng.choice(["na", "na mu", "mu", "nam", "lo,"]) for _ in range(rng.randint(1, 12))]
        text = " ".join(words)
        spans = [Span(at, at + 2, "A") for at in range(len(text)) if text.startswith("na", at) and rng.random() < 0.3]
        spans = [span for span in spans if text[span.end : span.end + 1] in (" ", "")]
        given = [f for f in check([bare(text, *spans)], scheme=BARE, checks=checks) if f.rule == "untagged-repeat"]
        whole = [at for at in range(len(text)) if f" {text} ".startswith(" na ", at)]
        wanted = [at for at in whole if all(span.start != at for span in spans)] if spans else []
        assert [finding.offset for finding in given] == wanted
        hits += len(wanted)
    assert hits > 500


def test_listed_exceptions_are_left_out_and_needless_ones_are_found():
    given = corpus("Từ huyện {PLACE:Mường Lát} về.")
    listed = Listed("a1", "unit-left-out", "Mường Lát", "as in the law")
    checks = replace(CHECKS, exceptions=(listed,))
    assert check(given, scheme=SCHEME, checks=checks) == []
    needless = (listed, replace(listed, snippet="Lát"), replace(listed, article="elsewhere", snippet="Lát"))
    findings = check(given, scheme=SCHEME, checks=replace(CHECKS, exceptions=needless))
    assert [(f.article, f.rule, f.snippet) for f in findings] == [("a1", "unused-exception", "Lát")]


def test_findings_come_in_the_order_of_the_corpus_and_its_texts():
    texts = ["Từ huyện {PLACE:Mường Lát}, xã {PLACE:Pù Nhi} về.", "Không có gì.", "Từ xã {PLACE:Nhi Sơn} về."]
    findings = check(list(reversed(corpus(*texts))), scheme=SCHEME, checks=CHECKS)
    assert [(f.article, f.rule) for f in findings] == [
        ("a3", "unit-left-out"),
        ("a2", "no-spans"),
        ("a1", "unit-left-out"),
        ("a1", "unit-left-out"),
    ]
    assert findings[2].offset < findings[3].offset


def test_five_hundred_articles_take_seconds():
    rng = random.Random(6)
    names = [f"{first}{rest} {number}" for first in "BCDGHKLM" for rest in ("ắc", "ông") for number in range(25)]

    def sentence() -> str:
        person, number = f"Lò Văn {rng.randint(0, 9999)}", rng.randint(0, 9999)
        words = " ".join(f"w{rng.randint(0, 9999)}" for _ in range(40))
        return (
            f"Ông {{OFFICIAL:{person}}}, {{TITLE:Bí thư Huyện ủy}}, từ {{PLACE:{rng.choice(names)}}} về"
            f" {{PLACE:{rng.choice(names)}}} bàn {{TOPIC.TRADE:việc {number}}} với {words}."
        )

    texts = ["\n".join(sentence() for _ in range(8)) for _ in range(500)]
    given = corpus(*texts)
    start = time.monotonic()
    check(given, scheme=SCHEME, checks=CHECKS)
    assert time.monotonic() - start < 20
