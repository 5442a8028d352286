"""The service's page in a real browser: an article is pasted, tagged and shown as text, whatever it holds."""

import json

import generated
import pytest

ARTICLE = generated.make_articles("a", 1, seed=3)[0].article.text
HOSTILE = f"😀👨\u200d👩\u200d👧 <script>document.title = 'bad'</script><img src=x onerror=alert(1)> \u202e {ARTICLE}"


@pytest.fixture
def page(browser, service):
    """The page; at the end it has complained of nothing and asked nobody but its service."""
    page = browser.open(f"{service.address}/")
    yield page
    assert page.console == []
    assert all(request.startswith((service.address, "data:")) for request in page.requests)
    page.close()


def tag(page, text):
    page.run("one('#input').focus(); one('#input').select();")
    page.type(text)
    page.click("#submit")
    page.wait("!one('#submit').disabled && one('#status').textContent.includes('span')")


def test_marks_lie_where_the_record_says_and_hostile_text_is_text(page, service):
    tag(page, HOSTILE)
    spans = service.post("/tag", {"text": HOSTILE})[2]["spans"]
    assert spans
    outer_first = sorted(spans, key=lambda span: (span["start"], -span["end"], span["type"]))
    shown = page.run("return all('#text mark.a').map((mark) => mark.textContent);")
    assert shown == [span["text"].replace("\u202e", "⟨U+202E⟩") for span in outer_first]
    assert page.run("return one('#text').textContent;") == HOSTILE.replace("\u202e", "⟨U+202E⟩")
    assert page.run("return [document.title, all('#text script, #text img').length];") == ["Hoidam", 0]
    names = page.run("return all('#found .tag').map((tag) => tag.textContent);")
    assert names == [span["type"] for span in spans]


def test_the_keyboard_is_enough(page):
    assert page.run("return document.activeElement.id;") == "input"
    page.type(ARTICLE)
    page.press("Tab")
    page.press("Enter")
    page.wait("one('#text mark')")
    page.run("one('#copy').focus();")
    page.press("Tab")
    page.press("Enter")
    assert page.run("return one('mark.seen').dataset.span;") == "0"


def test_what_the_service_refuses_is_told_and_what_is_empty_is_asked_for(browser, service):
    page = browser.open(f"{service.address}/")
    page.click("#submit")
    assert page.run("return one('#status').textContent;") == "Paste an article first."
    page.type("x" * 5001)
    assert page.run("return one('#count').className;") == "error"
    page.click("#submit")
    page.wait("one('#status').textContent.includes('at most 5000')")
    assert page.run("return one('#result').hidden;")
    page.close()


def test_the_record_is_copied_whole(page):
    tag(page, ARTICLE)
    page.run("navigator.clipboard.writeText = (text) => { globalThis.copied = text; return Promise.resolve(); };")
    page.click("#copy")
    page.wait("globalThis.copied")
    record = json.loads(page.run("return globalThis.copied;"))
    assert record["spans"][0]["text"] in ARTICLE


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_on_a_narrow_screen(page, dark):
    page.look(width=360, dark=dark)
    page.click("#sample")
    page.wait("one('#status').textContent.includes('span')")
    assert page.run("return document.documentElement.scrollWidth;") <= 360
