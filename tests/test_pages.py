"""What pages share: nothing that is shown can act, and every colour is readable in light and dark."""

import json
import math
import re
from importlib import resources

import pytest
from hostile import HOSTILE

from hoidam.pages import css_string, embedded_json, show

STYLE = resources.files("hoidam.pages").joinpath("base.css").read_text(encoding="utf-8")


def test_line_breaks_and_tabs_stay_and_unseen_characters_are_spelled_out() -> None:
    assert show("a\r\nb\rc\n\td") == "a\nb\nc\n\td"
    assert show("x\u202ey\0\ud83d") == "x⟨U+202E⟩y⟨U+0000⟩⟨U+D83D⟩"
    assert show("Tiếng Việt 👩‍👩‍👧 e\u0302\u200b") == "Tiếng Việt 👩‍👩‍👧 e\u0302\u200b"


def test_a_css_string_holds_the_name_and_cannot_end_early() -> None:
    for text in HOSTILE:
        written = css_string(text)
        assert re.fullmatch(r'"(?:[A-Za-z0-9_ -]|\\[0-9a-f]{6})*"', written)
        read = re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), written[1:-1])
        assert read == show(text)


def luminance(lightness: float, chroma: float, hue: float) -> float:
    """Relative luminance (WCAG) of an OKLCH colour clipped to sRGB; matrices from Ottosson's description of Oklab."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    red, green, blue = (min(1.0, max(0.0, value)) for value in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def palette(block: str) -> dict[str, tuple[float, ...]]:
    """The custom properties of a rule: lightness and chroma, and the hue where it is fixed."""
    found: dict[str, tuple[float, ...]] = {}
    for name, value in re.findall(r"--([\w-]+): ([^;]+);", block):
        if value == "#fff":
            found[name] = (1.0, 0.0, 0.0)
        elif numbers := re.fullmatch(r"(?:oklch\()?([\d. ]+)\)?", value):
            found[name] = tuple(map(float, numbers[1].split()))
    return found


def test_every_hue_is_readable_in_light_and_dark() -> None:
    light, dark = re.findall(r":root \{\s*(?:color-scheme: light dark;)?\s*(--page.*?)\}", STYLE, re.DOTALL)
    for colours in (palette(light), palette(dark)):
        ink, soft, page, card, on_fill = (
            luminance(*colours[name]) for name in ("ink", "soft", "page", "card", "on-fill")
        )
        assert min(contrast(ink, page), contrast(ink, card)) >= 12
        assert min(contrast(soft, page), contrast(soft, card)) >= 4.5
        for name in ("focus", "mark", "second"):
            assert min(contrast(luminance(*colours[name]), card), contrast(luminance(*colours[name]), page)) >= 3
        assert contrast(ink, luminance(*colours["heat"])) >= 4.5
        for hue in range(360):
            tint, edge, word, fill = (
                luminance(colours[name][0], colours[name][1], hue) for name in ("tint", "edge", "word", "fill")
            )
            assert contrast(ink, tint) >= 7
            assert contrast(word, tint) >= 4.5
            assert contrast(on_fill, fill) >= 4.5
            assert contrast(edge, card) >= 3
            assert contrast(word, 1.0 if card > 0.5 else card) >= 4.5


def test_embedded_data_reads_back_and_cannot_leave_its_element() -> None:
    data = {"list": HOSTILE, "text": "</script><!-- \u2028\u2029 & <script>", "none": None, "number": 0.1}
    written = embedded_json(data)
    assert json.loads(written) == data
    assert not re.search("[<>&\u2028\u2029\ud800-\udfff]", written)
    for broken in (math.nan, math.inf):
        with pytest.raises(ValueError, match="JSON"):
            embedded_json({"x": broken})
