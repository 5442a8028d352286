"""What every HTML page of the project shares: escaping, data and scripts that cannot break out, style.

A page is one file that fetches nothing. Its template stands beside the module that fills it and includes `base.css`,
`base.js` and, where texts are marked, `marks.css` from here, so that a colour, a focus ring, a mark or a rule of search
is the same on all pages.
"""

import base64
import hashlib
import json
import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

# What would reorder or break the page instead of being read: controls, bidirectional overrides and isolates, and
# code points that are no characters. Tabs and line ends stay. `base.js` has the same for texts that a script shows.
_HARMFUL = "\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff"
_UNSHOWN = re.compile(f"[\0-\x08\x0b\x0c\x0e-\x1f{_HARMFUL}]")
_CSS_PLAIN = re.compile(r"[^A-Za-z0-9_ -]")
_JSON_UNSAFE = re.compile(f"[<>&\u2028\u2029{_HARMFUL}]")


@cache
def page_template(name: str) -> Template:
    """The template of a page by its path inside the package; what it shows is escaped, what it lacks is an error."""
    environment = Environment(
        loader=PackageLoader("hoidam", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "show": show,
        "css_string": css_string,
        "embedded_json": embedded_json,
        "script_hash": _script_hash,
    }
    return environment.get_template(name)


def show(text: str) -> str:
    """Text with what no reader could see, or what would reorder the page around it, spelled out as code points."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSHOWN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", lines)


def css_string(text: str) -> Markup:
    """Text as a CSS string, quotes included, that can end neither itself nor the style element."""
    escaped = _CSS_PLAIN.sub(lambda found: f"\\{ord(found[0]):06x}", show(text))
    return Markup(f'"{escaped}"')  # noqa: S704 -- only letters, digits, _, -, spaces and escapes are left


def embedded_json(data: Any) -> Markup:
    """Data as JSON for a `<script type="application/json">`, which no text in it can end or leave.

    Raises ValueError where a number is not finite.
    """
    written = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(_JSON_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", written))  # noqa: S704 -- no < > & is left


def _script_hash(script: str) -> str:
    """A script's hash as a Content-Security-Policy names it, so that the browser runs no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
