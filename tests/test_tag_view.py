"""The page of tagged articles: marks over the very text, nothing that escapes, readable colours, working controls."""

import base64
import hashlib
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

import markup
import pytest
from browser import Browser
from hostile import HOSTILE

from hoidam.document import Span
from hoidam.errors import DataError
from hoidam.pages import show
from hoidam.tag.view import (
    Closing,
    Opening,
    ViewDocument,
    cut_into_pieces,
    read_view_documents,
    render_view,
    view,
)

TEMPLATE = resources.files("hoidam.tag").joinpath("view.html.jinja").read_text(encoding="utf-8")


class Reader(markup.Reader):
    """Reads a page back, with the text of each article and the mark classes over each character."""

    def __init__(self, page: str) -> None:
        self.texts: list[list[tuple[str, tuple[str, ...]]]] = []
        super().__init__(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attributes)
        if ("class", "text") in attributes:
            self.texts.append([])

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if ("div", "text") in self.stack:
            marks = tuple(classes for tag, classes in self.stack if tag == "mark")
            self.texts[-1] += [(character, marks) for character in data]


def random_spans(rng: random.Random, length: int, *, types: str = "ABC", count: int = 8) -> tuple[Span, ...]:
    edges = [sorted(rng.sample(range(length + 1), 2)) for _ in range(rng.randint(0, count))]
    return tuple(Span(start, end, rng.choice(types), rng.choice((None, "X", "Y"))) for start, end in edges)


def random_text(rng: random.Random, *, length: int = 40) -> str:
    return "".join(rng.choices("ăbc d.\n<&>\"'😀\u202e\0", k=rng.randint(2, length)))


def cover(spans: Sequence[Span], *, start: int, end: int) -> list[list[Span]]:
    """The spans over each character, found without any stack."""
    return [sorted_spans(span for span in spans if span.start <= at < span.end) for at in range(start, end)]


def sorted_spans(spans: Iterable[Span]) -> list[Span]:
    return sorted(spans, key=repr)


def tagged_line(document: ViewDocument) -> str:
    spans = [span.to_dict(document.text) for span in document.spans]
    record = {"id": document.id, "source": document.source, "spans": spans, "categories": dict(document.categories)}
    return json.dumps(record | {"model": "m"}) + "\n"


def test_pieces_hold_the_text_and_exactly_the_spans_over_each_character() -> None:
    rng = random.Random(1)
    for _ in range(3000):
        text = random_text(rng)
        spans = random_spans(rng, len(text))
        start, end = sorted(rng.choices(range(len(text) + 1), k=2)) if rng.random() < 0.5 else (0, len(text))
        stack: list[Span] = []
        found: list[list[Span]] = []
        surfaces = ""
        firsts: Counter[str] = Counter()
        lasts: Counter[str] = Counter()
        for piece in cut_into_pieces(text, spans, start=start, end=end):
            if isinstance(piece, Opening):
                stack.append(piece.span)
                firsts[repr(piece.span)] += piece.first
                lasts[repr(piece.span)] += piece.last
            elif isinstance(piece, Closing):
                stack.pop()
            else:
                assert piece
                surfaces += piece
                found += [sorted_spans(stack)] * len(piece)
        assert stack == []
        assert surfaces == text[start:end]
        assert found == cover(spans, start=start, end=end)
        seen = [span for span in spans if set(range(start, end)) & set(range(span.start, span.end))]
        assert +firsts == Counter(repr(span) for span in seen if span.start >= start)
        assert +lasts == Counter(repr(span) for span in seen if span.end <= end)


def test_spans_that_only_nest_are_never_split() -> None:
    rng = random.Random(2)
    for _ in range(500):
        spans: list[Span] = []
        for span in random_spans(rng, 40, count=12):
            if not any(span.overlaps(other) and not _nest(span, other) for other in spans):
                spans.append(span)
        openings = [piece.span for piece in cut_into_pieces("x" * 40, spans) if isinstance(piece, Opening)]
        assert sorted_spans(openings) == sorted_spans(spans)


def _nest(one: Span, other: Span) -> bool:
    inner, outer = sorted((one, other), key=lambda span: span.end - span.start)
    return outer.start <= inner.start and inner.end <= outer.end


def test_the_page_shows_each_text_with_its_marks_and_nothing_else() -> None:
    rng = random.Random(3)
    documents = [ViewDocument("empty", "")]
    for number in range(150):
        text = random_text(rng, length=200).replace("\0", "0").replace("\u202e", "2")
        documents.append(ViewDocument(f"d{number}", text, random_spans(rng, len(text)), source="s"))
    reader = Reader(render_view(documents, title="t"))
    keys = {"A": "t0", "B": "t1", "C": "t2", None: "", "X": "c0", "Y": "c1"}
    assert len(reader.texts) == len(documents)
    for document, shown in zip(documents, reader.texts, strict=True):
        assert "".join(character for character, _ in shown) == document.text
        expected = cover(document.spans, start=0, end=len(document.text))
        for (_, marks), spans in zip(shown, expected, strict=True):
            labels = sorted(" ".join(re.findall(r"\b[tc]\d\b", classes)) for classes in marks)
            assert labels == sorted(f"{keys[span.type]} {keys[span.category]}".strip() for span in spans)


def hostile_page(words: Sequence[str]) -> str:
    """The same page whatever the words are: every place that shows data shows some of them."""
    documents = []
    for number, word in enumerate(words):
        text = f"{word} một {word} hai"
        middle = text.index("một")
        spans = (Span(0, middle + 2, words[0]), Span(middle, len(text), word, words[-1], 0.5))
        categories = {word: 0.25, words[0]: 1.0}
        documents.append(ViewDocument(f"{number} {word}", text, spans, categories, f"x {word}"))
    return render_view(documents, title=f"x {words[0]}")


def without_marks(reader: Reader) -> Counter[tuple[str, tuple[str, ...]]]:
    """Its tags counted, save the marks: how many a preview holds depends on the length of the text."""
    return Counter(tag for tag in reader.tags if tag[0] != "mark")


def test_hostile_text_ids_titles_and_labels_change_no_tag_and_no_attribute_name() -> None:
    benign = Reader(hostile_page([f"{number:02}" for number in range(len(HOSTILE))]))
    for turn in range(len(HOSTILE)):
        words = HOSTILE[turn:] + HOSTILE[:turn]
        page = hostile_page(words)
        reader = Reader(page)
        assert set(reader.tags) == set(benign.tags)
        assert without_marks(reader) == without_marks(benign)
        assert reader.raw["script"] == benign.raw["script"]
        assert reader.raw["style"].count("{") == benign.raw["style"].count("{")
        page.encode("utf-8")
        assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", page)
        assert [value for _, name, value in reader.attributes if name.startswith("on")] == []
        for word, shown in zip(words, reader.texts, strict=True):
            assert "".join(character for character, _ in shown) == show(f"{word} một {word} hai")


def test_only_web_addresses_become_links() -> None:
    sources = [
        'https://x.vn/?a=1&b="2"\'',
        "http://x.vn",
        "javascript:alert(1)",
        "http://x.vn\n",
        " https://x.vn",
        "a.txt",
        "",
    ]
    page = render_view([ViewDocument(str(number), "a", source=s) for number, s in enumerate(sources)], title="t")
    reader = Reader(page)
    assert [value for tag, name, value in reader.attributes if (tag, name) == ("a", "href")] == [
        "#articles",
        *sources[:2],
    ]


def test_the_page_asks_for_nothing_from_outside_and_runs_only_its_own_script() -> None:
    reader = Reader(render_view([ViewDocument("a", "a b", (Span(0, 1, "A"),))], title="t"))
    assert [tag for tag, _ in reader.tags if tag in ("img", "iframe", "object", "embed", "base")] == []
    addresses = [value for _, name, value in reader.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert addresses == ["data:,", "#articles"]
    assert not re.search(r"url\(|@import|@font-face|\bfetch\(|XMLHttpRequest|innerHTML", "".join(reader.raw.values()))
    [policy] = [value for _, name, value in reader.attributes if name == "content" and "default-src" in value]
    digest = base64.b64encode(hashlib.sha256(reader.raw["script"].encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}'" in policy


def test_nothing_names_a_label() -> None:
    source = resources.files("hoidam.tag").joinpath("view.py").read_text(encoding="utf-8")
    for name in ("OFFICIAL", "PLACE", "TOPIC", "TRADE", "SECURITY"):
        assert name not in TEMPLATE + source
    assert "TITLE" not in re.sub("TITLE_[A-Z]+", "", TEMPLATE + source)


def label_hues(page: str, prefix: str) -> dict[str, int]:
    style = Reader(page).raw["style"]
    return {key: int(hue) for key, hue in re.findall(rf"^\.({prefix}\d+) {{ --hc?: (\d+);", style, re.MULTILINE)}


def test_hues_differ_and_depend_on_the_set_of_labels_alone() -> None:
    for count in (1, 4, 16, 90):
        names = [f"L{number:03}" for number in range(count)]
        once = ViewDocument("a", "ab", tuple(Span(0, 1, name, name) for name in names))
        again = ViewDocument("b", "ab", tuple(Span(0, 2, name, name) for name in reversed(names) for _ in "12"))
        for prefix in "tc":
            hues = label_hues(render_view([once], title="t"), prefix)
            assert len(set(hues.values())) == count
            assert hues == label_hues(render_view([again, once], title="t"), prefix)
            around = sorted(hues.values())
            gaps = [(after - before) % 360 for before, after in zip(around, around[1:] + around[:1], strict=True)]
            assert count == 1 or max(gaps) - min(gaps) <= 1


def test_the_summary_counts_distinct_surfaces_by_type_and_category() -> None:
    text = "Lan và Mai gặp Lan\nở chợ  Lan"
    odd = text.index("ợ  L")
    places = [match.span() for match in re.finditer("Lan|Mai", text)]
    spans = [Span(start, end, "WHO") for start, end in places] + [
        Span(odd, odd + 4, "WHAT", "X"),
        Span(0, 3, "WHAT", "Y"),
    ]
    page = render_view([ViewDocument("a", text, tuple(spans))], title="t")
    groups = re.findall(r'<div class="group t\d">(.*?)</div>', page, re.DOTALL)
    shown = [[re.sub(r"<[^>]+>", "", item) for item in re.findall(r"<li.*?</li>", group)] for group in groups]
    assert shown == [["Lan Y", "ợ L X"], ["Lan × 3", "Mai"]]
    facts = re.findall(r'<li class="t\d"><i></i><b>(\d+)</b> <bdi>(\w+)', page)
    assert facts == [("2", "WHAT"), ("4", "WHO")]


def test_bars_run_from_the_highest_score_down() -> None:
    page = render_view([ViewDocument("a", "x", (), {"B": 0.5, "A": 0.5, "C": 0.987})], title="t")
    bars = re.findall(r'style="--v:([\d.]+)"><b><bdi>(\w)</bdi></b><span class="count">([\d.]+)', page)
    assert bars == [("0.987", "C", "0.99"), ("0.500", "A", "0.50"), ("0.500", "B", "0.50")]


def test_a_closed_article_is_its_headline_and_a_preview() -> None:
    headline = "Hai huyện bàn về chợ phiên và đường mới"
    body = "Sáng nay đoàn của huyện đã tới nơi và bắt đầu làm việc với chủ nhà. " * 20
    long_line = ViewDocument("b", "từ " * 400)
    page = render_view([ViewDocument("a", f"{headline}\n\n{body}"), long_line, ViewDocument("c", "")], title="t")
    headlines = re.findall(r'<h2 lang=""><bdi>(.*?)</bdi>', page)
    previews = re.findall(r'<p class="preview" lang="">(.*?)</p>', page, re.DOTALL)
    assert headlines[0] == headline
    assert previews[0].strip().startswith("Sáng nay đoàn")
    assert previews[0].endswith("…")
    assert headlines[1] == "từ " * 52 + "từ…"
    assert len(previews[1]) < 330
    assert headlines[2] == "c"
    assert page.count('<details class="card panel"') == 3
    assert not re.search(r'<details class="card[^>]* open', page)


def test_one_article_alone_is_open() -> None:
    page = render_view([ViewDocument("a", "x")], title="t")
    assert re.search(r'<details class="card[^>]* open', page)


def test_a_page_without_articles_or_labels_is_whole() -> None:
    assert "0 articles · 0 spans · 0 types" in render_view([], title="t")
    assert 'id="choice"' not in render_view([ViewDocument("a", "x")], title="t")


def test_articles_render_by_the_hundred_in_a_second() -> None:
    rng = random.Random(5)
    text = ("Sáng nay đoàn của huyện đã tới nơi và bắt đầu làm việc với chủ nhà về chợ phiên. " * 8 + "\n\n") * 4
    starts = [sorted(rng.sample(range(len(text) - 40), 60)) for _ in range(250)]
    documents = [
        ViewDocument(str(number), text, tuple(Span(start, start + 20, rng.choice("ABC")) for start in row))
        for number, row in enumerate(starts)
    ]
    before = time.process_time()
    page = render_view(documents, title="t")
    assert time.process_time() - before < 5
    assert len(page) < 250 * 5 * len(text)


def test_a_span_past_the_text_or_a_score_out_of_range_is_refused() -> None:
    with pytest.raises(DataError, match="offsets 1 to 4"):
        ViewDocument("a", "abc", (Span(1, 4, "A"),))
    for score in (-0.1, 1.1, math.nan, True, "1"):
        with pytest.raises(DataError, match="spans: score"):
            ViewDocument("a", "abc", (Span(1, 2, "A", None, score),))  # type: ignore[arg-type]
        with pytest.raises(DataError, match="categories: score"):
            ViewDocument("a", "abc", (), {"X": score})  # type: ignore[dict-item]


DOCUMENTS = (
    ViewDocument("a/1", "Hà Nội 😀 Huế", (Span(0, 6, "P", None, 0.5), Span(9, 12, "Q", "X", 1)), {"X": 1.0}, "f.txt"),
    ViewDocument("b", "không có gì"),
)


def test_a_tagged_file_is_read_without_a_scheme(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(map(tagged_line, DOCUMENTS)), encoding="utf-8")
    texts = {document.id: document.text for document in DOCUMENTS}
    assert tuple(read_view_documents(tmp_path / "t.jsonl", texts=texts)) == DOCUMENTS
    assert view(tmp_path / "t.jsonl", texts=texts.get, output=tmp_path / "new" / "p.html") == 2
    page = (tmp_path / "new" / "p.html").read_text(encoding="utf-8")
    assert page == render_view(DOCUMENTS, title="t.jsonl")


def test_an_existing_page_stays_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(tagged_line(DOCUMENTS[1]), encoding="utf-8")
    page = tmp_path / "p.html"
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists already"):
        view(tmp_path / "t.jsonl", texts={"b": DOCUMENTS[1].text}, output=page)
    assert page.read_text(encoding="utf-8") == "mine"
    view(tmp_path / "t.jsonl", texts={"b": DOCUMENTS[1].text}, output=page, force=True, title="Của tôi")
    assert "<title>Của tôi</title>" in page.read_text(encoding="utf-8")


SPAN = {"start": 0, "end": 2, "type": "P", "text": "ab"}
BROKEN = {
    "no text for 'x'": {"id": "x", "spans": []},
    "found None": {"spans": []},
    "'a' occurs twice": {"id": "a", "spans": []},
    "spans: not a list": {"id": "c", "spans": {}},
    "spans: no object": {"id": "c", "spans": [1]},
    "categories: found": {"id": "c", "spans": [], "categories": ["X"]},
    "categories: score": {"id": "c", "spans": [], "categories": {"X": None}},
    "spans: score": {"id": "c", "spans": [SPAN | {"score": 2}]},
    "shifted: the text there is 'bc'": {"id": "c", "spans": [SPAN | {"start": 1, "end": 3}]},
    "shifted: the text there is 'ab'": {"id": "c", "spans": [{"start": 0, "end": 2, "type": "P"}]},
    "bad offsets": {"id": "c", "spans": [SPAN | {"end": 9}]},
    "bad offsets in .*0.0": {"id": "c", "spans": [SPAN | {"start": 0.0}]},
    "bad offsets in .*True": {"id": "c", "spans": [SPAN | {"start": True}]},
    "bad label": {"id": "c", "spans": [SPAN | {"type": None}]},
    "bad label in .*''": {"id": "c", "spans": [SPAN | {"category": ""}]},
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_record_is_named_with_its_line_and_no_page_appears(tmp_path: Path, problem: str) -> None:
    tagged = tmp_path / "t.jsonl"
    lines = [{"id": "a", "spans": [SPAN]}, BROKEN[problem]]
    tagged.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with pytest.raises(DataError, match=rf"t\.jsonl:2: .*{problem}.*\. \w"):
        view(tagged, texts={"a": "abc", "c": "abc"}, output=tmp_path / "p.html")
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


TOOLS = """
const painted = (mark) => getComputedStyle(mark).backgroundColor !== "rgba(0, 0, 0, 0)";
const worded = (mark) => getComputedStyle(mark, "::before").content !== "none";
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const point = (mark) => mark.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
const set = (id, value) => { one(id).value = value; one(id).dispatchEvent(new Event("input")); };
const ids = () => all(".card:not([hidden]) .id").map((node) => node.textContent);
const turn = () => new Promise((done) => setTimeout(done, 50));
"""


def probe(
    page: str, steps: Mapping[str, str], *, browser: Browser, folder: Path, fragment: str = ""
) -> dict[str, object]:
    """Run the steps of JavaScript one after the other in the page and give their values."""
    path = folder / "probe.html"
    path.write_text(page, encoding="utf-8")
    opened = browser.open(path, fragment=fragment)
    seen = {name: opened.run(TOOLS + step) for name, step in steps.items()}
    assert opened.console == []
    opened.close()
    return seen


CROSSING = "Đường mới tới chợ Bến Đò"
SCENE = [
    ViewDocument(
        "x1", CROSSING, (Span(0, 13, "A", None, 0.91), Span(6, 24, "B", "K", 0.5), Span(14, 24, "A")), {"K": 0.7}
    ),
    ViewDocument("x2", "Thương mại ở Lào Cai", (Span(0, 10, "B", "L", 0.25),), {"L": 0.9, "K": 0.6}),
    ViewDocument("x3", "Không có gì cả"),
]


def test_toggling_a_type_or_category_hides_its_marks_and_no_others(browser: Browser, tmp_path: Path) -> None:
    state = "return all('.text mark').map((mark) => [mark.className.match(/[tc]\\d/g).join(), painted(mark)].join());"
    steps = {
        "start": f"one('[data-open=yes]').click(); {state}",
        "types off": f"one('input[value=A]').click(); {state}",
        "words": "return all('.text mark.a').map(worded);",
        "address": "return location.hash;",
        "category off": f"one('input[value=A]').click(); one('input[value=K]').click(); {state}",
        "bars": "return all('.bars li').filter(shown).map((bar) => bar.textContent);",
        "none": f"one('[data-none=type]').click(); {state}",
        "all": f"one('[data-all=type]').click(); one('[data-all=category]').click(); {state}",
    }
    seen = probe(render_view(SCENE, title="t"), steps, browser=browser, folder=tmp_path)
    marks = ["t0", "t1,c0", "t1,c0", "t0", "t1,c1"]
    expected = {
        "start": [True] * 5,
        "types off": [False, True, True, False, True],
        "category off": [True, False, False, True, True],
        "none": [False] * 5,
        "all": [True] * 5,
    }
    for name, painted in expected.items():
        shown = [f"{mark},{str(state).lower()}" for mark, state in zip(marks, painted, strict=True)]
        assert sorted(seen[name]) == sorted(shown), name  # type: ignore[call-overload]
    assert seen["words"] == [False, True, False, True]
    assert seen["address"] == "#hide-type=A"
    assert seen["bars"] == ["L0.90"]


def test_search_filter_and_keys_work(browser: Browser, tmp_path: Path) -> None:
    steps = {
        "restored": "return [ids(), one('#status').textContent, one('.off-t0') !== null];",
        "opened": "return all('.card[open] .id').map((node) => node.textContent);",
        "plain": "set('#choice', ''); set('#search', 'duong MOI'); return ids();",
        "exact": "set('#search', 'Dường mới'); return [ids(), one('#empty').hidden];",
        "none": "set('#search', ''); set('#choice', '-'); return ids();",
        "back": "set('#choice', ''); one('[data-all=type]').click(); one('[data-open=yes]').click(); await turn();",
        "stops": "return all('.text [tabindex=\"0\"]').map((mark) => mark.textContent);",
        "focus": "one('.text mark').focus(); return one('#tip').textContent;",
        "right": "press('ArrowRight'); return [document.activeElement.textContent, one('#tip').textContent];",
        "end": "press('End'); return [document.activeElement.textContent, one('#tip').textContent];",
        "moved": "return all('[open] .text')[0].querySelector('[tabindex=\"0\"]') === document.activeElement;",
        "described": "return document.activeElement.getAttribute('aria-describedby');",
        "escape": "press('Escape'); return one('#tip').hidden;",
        "pointed": "point(one('.text mark')); return one('#tip').hidden;",
        "ring": "return parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2;",
    }
    fragment = "#hide-type=A&category=L&text=lao&open=x2"
    seen = probe(render_view(SCENE, title="t"), steps, browser=browser, folder=tmp_path, fragment=fragment)
    assert seen["restored"] == [["x2"], "1 of 3 articles", True]
    assert seen["opened"] == ["x2"]
    assert seen["plain"] == ["x1"]
    assert seen["exact"] == [[], False]
    assert seen["none"] == ["x3"]
    assert seen["stops"] == ["Đường mới tới", "Thương mại"]
    assert seen["focus"] == "Ascore 0.91"
    assert seen["right"] == ["mới tới", "BKscore 0.50Ascore 0.91"]
    assert seen["end"] == ["chợ Bến Đò", "Ano scoreBKscore 0.50"]
    assert seen["moved"] is True
    assert (seen["described"], seen["escape"], seen["pointed"], seen["ring"]) == ("tip", True, False, True)


def test_a_browser_finds_nothing_to_complain_about(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(hostile_page(HOSTILE), encoding="utf-8")
    page = browser.open(path)
    assert page.console == []
    assert page.requests == [path.as_uri()]
    assert page.run("return all('script').length;") == 1
    assert page.run("return one('#status').textContent;") == "12 of 12 articles"
    page.close()
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", "<script>stray()</script></body>"), "utf-8")
    page = browser.open(path)
    assert any("Content Security Policy" in line for line in page.console)
    page.close()


def test_the_documents_are_read_once_so_a_generator_will_do() -> None:
    assert render_view(iter(SCENE), title="t") == render_view(SCENE, title="t")
