"""The page of a report in a real browser: its list of errors, by mouse and keyboard, on every width and in the dark."""

import json
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Browser, Page
from hostile import HOSTILE
from reports import Json, make_report

from hoidam.evaluate.page import render_page
from hoidam.pages import show

Open = Callable[..., Page]

ITEMS = """return all("#list > li").map((item) => ({
  kind: item.querySelector(".what b").textContent,
  article: item.querySelector(".what bdi").textContent,
  sides: [...item.querySelectorAll(".side-line")].map((line) => line.textContent),
  context: item.querySelector(".context").textContent,
  gold: [...item.querySelectorAll(".context .g")].map((mark) => mark.textContent).join(""),
  predicted: [...item.querySelectorAll(".context .p")].map((mark) => mark.textContent).join(""),
}));"""


@pytest.fixture(scope="module")
def report() -> Json:
    return make_report(11, errors=230, articles=12)


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens reports and, at the end, finds that none had anything to complain about or asked for another file."""
    opened: list[tuple[Page, str]] = []

    def open_report(report: Json, **looks: object) -> Page:
        path = tmp_path / f"{len(opened)}.html"
        path.write_text(render_page(report), encoding="utf-8")
        page = browser.open(path, **looks)
        opened.append((page, path.as_uri()))
        return page

    yield open_report
    for page, address in opened:
        assert page.console == []
        assert {request.partition("#")[0] for request in page.requests} == {address}
        page.close()


def found(page: Page) -> int:
    """The number of errors that the page says it shows."""
    return int(re.match(r"[\d,]+", str(page.run("return one('#status').textContent;")))[0].replace(",", ""))  # type: ignore[index]


def show_all(page: Page) -> list[Json]:
    page.run("while (!one('#more').hidden) one('#more').click();")
    return list(page.run(ITEMS))


def choose(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.run(
            f"const field = one('.filters').elements[{json.dumps(name)}]; field.value = {json.dumps(value)};"
            "field.dispatchEvent(new Event('input', { bubbles: true }));"
        )


def values_of(error: Json, name: str) -> set[str]:
    return (
        {error[name]} if name in error else {span[name] for span in error["gold"] + error["predicted"] if name in span}
    )


def bare(text: str) -> str:
    """Text in lower case without diacritics."""
    parts = unicodedata.normalize("NFD", " ".join(text.lower().split()))
    return "".join(part for part in parts if not unicodedata.combining(part)).replace("đ", "d")


def test_each_error_stands_in_its_text_with_gold_and_prediction_marked(open_page: Open, report: Json) -> None:
    items = show_all(open_page(report))
    order = {article: number for number, article in enumerate(dict.fromkeys(item["article"] for item in items))}

    def place(error: Json) -> tuple[int, int]:
        return order[error["article"]], min(span["start"] for span in error["gold"] + error["predicted"])

    listed = sorted(report["errors"]["list"], key=place)
    assert [(item["kind"], item["article"]) for item in items] == [(e["kind"], e["article"]) for e in listed]
    for item, error in zip(items, listed, strict=True):
        assert item["context"] == error["context"]["text"]
        assert item["gold"] == "".join(span["text"] for span in error["gold"])
        assert item["predicted"] == "".join(span["text"] for span in error["predicted"])
        wanted = []
        for side, title in (("gold", "gold"), ("predicted", "prediction")):
            for span in error[side]:
                score = f"{span['score']:.2f}" if "score" in span else ""
                wanted.append(
                    title + " · ".join(filter(None, (span["type"], span.get("category")))) + span["text"] + score
                )
            wanted += [] if error[side] else [f"{title}nothing"]
        assert item["sides"] == wanted


def test_every_filter_leaves_as_many_errors_as_it_says_and_only_those(open_page: Open, report: Json) -> None:
    page = open_page(report)
    listed = report["errors"]["list"]
    for name in ("kind", "type", "category", "article"):
        options = page.run(f"return [...one('.filters').elements.{name}.options].map((one) => [one.value, one.text]);")
        assert options[0] == ["", "all"]
        counts = Counter(value for error in listed for value in values_of(error, name))
        assert dict(options[1:]) == {show(value): f"{show(value)} ({number})" for value, number in counts.items()}
        for value, number in counts.items():
            choose(page, **{name: value})
            assert found(page) == number
            if name != "article":
                kinds = Counter(item["kind"] for item in show_all(page))
                assert kinds == Counter(error["kind"] for error in listed if value in values_of(error, name))
        choose(page, **{name: ""})
        assert found(page) == len(listed)
    choose(page, kind="boundary", type="TOPIC")
    both = [error for error in listed if error["kind"] == "boundary" and "TOPIC" in values_of(error, "type")]
    assert found(page) == len(both) == len(show_all(page))


def test_free_text_is_found_with_and_without_diacritics(open_page: Open, report: Json) -> None:
    page = open_page(report)
    texts = [
        " ".join([error["context"]["text"], *(span["text"] for span in error["gold"] + error["predicted"])])
        for error in report["errors"]["list"]
    ]
    for wanted in ("hoi dam", "HỘI  đàm", "Mã", "ma", "😀", "doan", "đoan"):
        choose(page, text=wanted)
        exact = [text for text in texts if " ".join(wanted.lower().split()) in text.lower()]
        loose = [text for text in texts if bare(wanted) in bare(text)]
        assert found(page) == len(loose if bare(wanted) == " ".join(wanted.lower().split()) else exact), wanted
    choose(page, text="there is no such word")
    assert found(page) == 0
    assert page.run("return [one('#empty').hidden, all('#list > li').length];") == [False, 0]
    page.click("#empty button")
    assert found(page) == len(texts)


def test_orders(open_page: Open, report: Json) -> None:
    page = open_page(report)

    def scores(error: Json) -> float:
        return max((span["score"] for span in error["predicted"]), default=-1.0)

    choose(page, sort="kind")
    kinds = [item["kind"] for item in show_all(page)]
    assert kinds == sorted(error["kind"] for error in report["errors"]["list"])
    for order, sign in (("sure", -1), ("unsure", 1)):
        choose(page, sort=order)
        shown = [
            max((float(line[-4:]) for line in item["sides"] if re.search(r"\d\.\d\d$", line)), default=None)
            for item in show_all(page)
        ]
        given = [score for score in shown if score is not None]
        assert given == sorted(given, key=lambda score: sign * score)
        assert len(given) == sum(scores(error) >= 0 for error in report["errors"]["list"])
        assert shown[len(given) :] == [None] * (len(shown) - len(given))


def test_the_keyboard_alone_reaches_and_works_everything(open_page: Open, report: Json) -> None:
    page = open_page(report)
    focused = "const at = document.activeElement; return at.name || at.id || at.className || at.tagName;"
    page.press("Tab")
    assert page.run(focused) == "skip"
    page.press("Enter")
    assert page.run(focused) == "main"
    stops: list[str] = []
    while "text" not in stops:
        page.press("Tab")
        stops.append(page.run(focused))
        ring = page.run("return parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 3;")
        assert ring, stops[-1]
        assert len(stops) < 200
    assert stops[-6:] == ["kind", "type", "category", "article", "sort", "text"]
    assert stops.count("SUMMARY") == page.run("return all('summary').length;") > 5
    assert stops.count("link") == len(report["worst_articles"])

    page.type("hội đàm")
    fewer = found(page)
    assert 0 < fewer < 230
    page.press("Tab", shift=True, times=5)
    assert page.run(focused) == "kind"
    page.press("ArrowDown")
    assert page.run("return document.activeElement.value;") == "boundary"
    assert found(page) < fewer
    page.press("Tab", times=6)
    assert page.run("return document.activeElement.type;") == "reset"
    page.press("Enter")
    assert found(page) == 230
    assert page.run("return location.hash;") == "#errors"
    page.press("Tab")
    assert page.run(focused) == "panel" or page.run(focused) == "more"
    before = page.run("return all('#list > li').length;")
    page.press("Enter")
    assert page.run("return all('#list > li').length;") > before

    page.run("one('details:not([open]) > summary').focus();")
    page.press("Enter")
    assert page.run("return document.activeElement.parentElement.open;") is True
    page.run("one('[data-article]').focus();")
    page.press("Enter")
    worst = report["worst_articles"][0]
    assert page.run(focused) == "errors-h"
    assert found(page) == worst["errors"]
    assert {item["article"] for item in show_all(page)} == {worst["id"]}


def test_the_address_keeps_what_is_chosen(open_page: Open, report: Json) -> None:
    page = open_page(report)
    choose(page, kind="missed", sort="type", text="đoàn")
    address = str(page.run("return location.hash;"))
    number = found(page)
    again = open_page(report, fragment=address)
    assert again.run("return one('.filters').elements.kind.value;") == "missed"
    assert again.run("return one('.filters').elements.sort.value;") == "type"
    assert found(again) == number
    strange = open_page(report, fragment="#kind=unheard&sort=constructor&type=%3Cb%3E")
    assert found(strange) == len(report["errors"]["list"])


def test_texts_stay_texts_whatever_they_hold(open_page: Open) -> None:
    words = iter(range(10**9))
    hostile = make_report(
        4,
        types=HOSTILE[:5],
        categories=HOSTILE,
        errors=150,
        word=lambda rng: HOSTILE[next(words) % len(HOSTILE)],
    )
    page = open_page(hostile)
    page.run("document.querySelectorAll('details').forEach((part) => { part.open = true; });")
    items = show_all(page)
    assert Counter(item["context"] for item in items) == Counter(
        show(error["context"]["text"]) for error in hostile["errors"]["list"]
    )
    assert page.run("return all('script').length;") == 2
    assert page.run(
        "return all('#list b, #list img, #list style').every((node) => node.matches('.what b, .side-line b'));"
    )
    for name in ("type", "category", "article", "kind"):
        values = page.run(
            f"return [...one('.filters').elements.{name}.options].slice(1).map((one) => [one.value, one.text]);"
        )
        for value, text in values:
            choose(page, **{name: value})
            assert found(page) == int(re.search(r"\((\d+)\)$", text)[1])  # type: ignore[index]
        choose(page, **{name: ""})


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways(open_page: Open, width: int, dark: bool) -> None:
    wide = make_report(
        2,
        types=[f"{'VERY_LONG_' * 6}NAME_{number}" for number in range(10)],
        categories=[f"C{number}" * 12 for number in range(20)],
        word=lambda rng: "x" * rng.choice((1, 5, 90)),
    )
    page = open_page(wide, width=width, dark=dark)
    page.run("document.querySelectorAll('details').forEach((part) => { part.open = true; });")
    show_all(page)
    assert page.run("return document.documentElement.scrollWidth;") == width
    assert page.run("return all('.scroll').some((box) => box.scrollWidth > box.clientWidth);")
    assert page.run("return matchMedia('(prefers-color-scheme: dark)').matches;") is dark
    light = page.run("return getComputedStyle(document.body).backgroundColor;")
    assert (float(re.search(r"[\d.]+", light)[0]) < 0.5) is dark  # type: ignore[index]


def test_what_is_closed_on_the_screen_is_printed(open_page: Open, report: Json) -> None:
    page = open_page(report)
    assert page.run("return all('details:not([open])').length;") > 0
    page.call("Page.printToPDF")
    assert page.run("return all('details:not([open])').length;") == 0
    page.look(media="print", dark=True)
    assert page.run("return getComputedStyle(document.documentElement).colorScheme;") == "light"
    assert page.run("return ['nav', '.filters', '#more'].some((part) => shown(one(part)));") is False
    assert page.run("return shown(one('#list li'));") is True


def test_reports_without_texts_errors_or_labels_open_too(open_page: Open) -> None:
    for options in ({"texts": False}, {"errors": 0}, {"types": (), "categories": (), "errors": 0, "analysis": False}):
        page = open_page(make_report(1, **options))  # type: ignore[arg-type]
        assert page.run("return all('#list').length;") == 0
        assert not re.search(r"\b(NaN|undefined|null)\b", page.run("return document.body.innerText;"))


def test_ten_thousand_errors_open_at_once_and_are_shown_as_they_are_asked_for(open_page: Open) -> None:
    large = make_report(5, articles=1000, errors=10_000)
    page = open_page(large)
    timing = page.run(
        "const [entry] = performance.getEntriesByType('navigation'); return [entry.domInteractive, entry.loadEventEnd];"
    )
    assert timing[1] < 3000, timing
    assert found(page) == 10_000
    started = time.monotonic()
    choose(page, text="tuan")
    assert 0 < found(page) < 10_000
    assert time.monotonic() - started < 3
    for shown in (50, 100):
        assert page.run("return all('#list > li').length;") == shown
        page.run("scrollTo(0, document.documentElement.scrollHeight);")
        page.wait(f"all('#list > li').length > {shown}")
