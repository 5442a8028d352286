"""The stretch of a page's plain text that is the article's own headline and body, by rules over lines.

Pages carry menus, dates and counters above the headline, and bylines, share buttons, related headlines with teasers,
comments and imprints below the last paragraph. Each line is given a kind; the first paragraph of running text is
found; the headline is looked for upwards from it and the end downwards.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hoidam.ingest.furniture import MENU_WORDS, SECTIONS, SENTENCE_END, Kind, is_menu, is_office, is_signature, kind_of
from hoidam.ingest.normalise import normalise

HEADLINE_WORDS = 5
INSET_PARAGRAPH, INSET_CHARACTERS = 120, 350

_ABOVE_HEADLINE = {Kind.NAVIGATION, Kind.RELATED, Kind.FOOTER, Kind.PROSE}
_HEADLINE = {Kind.TEXT, Kind.BYLINE}
_AFTER_BODY = {Kind.NAVIGATION, Kind.SHARE, Kind.TAGS, Kind.RELATED, Kind.FOOTER}
_CLOSING = {Kind.BYLINE, Kind.DATE}
_TRAILING = {Kind.BYLINE, Kind.DATE, Kind.SHARE, Kind.IMAGE, Kind.CREDIT, Kind.TAGS}


@dataclass(frozen=True, slots=True)
class Line:
    """One line with text in it: offsets of what is left after stripping, and its kind."""

    start: int
    end: int
    text: str
    kind: Kind

    @property
    def words(self) -> int:
        return len(self.text.split())

    @property
    def key(self) -> str:
        return " ".join(self.text.casefold().split())

    @property
    def is_paragraph(self) -> bool:
        return self.kind is Kind.PROSE and SENTENCE_END.search(self.text) is not None


def find_body(text: str) -> tuple[int, int]:
    """Start and end of the article's own headline and body, in code points of `text`, end exclusive.

    Captions, and a date line under the headline, lie inside. Without furniture it is the whole text, stripped; it is
    empty for an empty text alone. Paragraphs are never cut.
    """
    normalised = normalise(text)
    lines = _lines(normalised.text)
    if not lines:
        return 0, len(text)
    lead = _find_lead(lines)
    return normalised.to_input(lines[_find_headline(lines, lead)].start, lines[_find_end(lines, lead)].end)


def _lines(text: str) -> list[Line]:
    lines = [Line(match.start(), match.end(), match[0], kind_of(match[0])) for match in _LINE.finditer(text)]
    return _mark_menus(lines)


def _find_lead(lines: Sequence[Line]) -> int:
    """The first paragraph of running text, save one in the page's head; failing that, a line long enough to be one."""
    prose = [index for index, line in enumerate(lines) if line.kind is Kind.PROSE]
    for index, following in itertools.pairwise(prose):
        repeated = lines[index].key == lines[following].key and not lines[index].text.endswith(".")
        if not repeated and not _in_head(lines[index + 1 : following]):
            return index
    if prose:
        return prose[-1]
    texts = [index for index, line in enumerate(lines) if line.kind in _HEADLINE]
    return next((index for index in texts if lines[index].words >= HEADLINE_WORDS), texts[0] if texts else 0)


def _in_head(between: Sequence[Line]) -> bool:
    """Whether the lines between two paragraphs show that the first still belonged to the head of the page."""
    article = {Kind.SHARE, Kind.TAGS, Kind.RELATED, Kind.FOOTER, Kind.BYLINE}
    return any(is_menu(line.text) for line in between) and all(line.kind not in article for line in between)


def _find_headline(lines: Sequence[Line], lead: int) -> int:
    """The top line of the headline over `lead`: in the nearest lines above that no menu parts from each other."""
    bottom = lead if lines[lead].is_paragraph else lead + 1
    while bottom > 0:
        top = min(bottom, lead)
        while top > 0 and lines[top - 1].kind not in _ABOVE_HEADLINE:
            top -= 1
        headlines = [index for index in range(top, bottom) if lines[index].kind in _HEADLINE or index == lead]
        if headlines:
            return _top_headline(lines, headlines, under_menu=top > 0)
        bottom = top - 1
    return _short_headline(lines, lead)


def _top_headline(lines: Sequence[Line], candidates: Sequence[int], *, under_menu: bool) -> int:
    """The first candidate below all that are repeated further down: page titles and ends of breadcrumbs stand first.

    Under a menu, lines of a few words are taken for names of sections where a longer line follows.
    """
    last = {lines[index].key: index for index in candidates}
    top, *others = candidates
    repeated = [i for i in candidates if last[lines[i].key] > i and lines[i].words >= MENU_WORDS]
    if any(lines[i].words >= HEADLINE_WORDS and lines[top].key.startswith(lines[i].key) for i in others):
        repeated.append(top)
    left = [index for index in candidates if index > max(repeated, default=-1)]
    if not under_menu:
        return left[0]
    return next((index for index in left if lines[index].words >= HEADLINE_WORDS), left[-1])


def _short_headline(lines: Sequence[Line], lead: int) -> int:
    """A headline so short that it was taken for the last entry of a menu; failing that, the lead itself."""
    index = lead - 1
    while index >= 0 and lines[index].kind in _TRAILING:
        index -= 1
    found = index >= 0 and lines[index].words >= 3 and _is_short(lines[index]) and lines[index].key not in SECTIONS
    return index if found else lead


def _find_end(lines: Sequence[Line], lead: int) -> int:
    """The last line of the body."""
    own = {line.key for line in lines[: lead + 1]}
    stop = next((index for index in range(lead + 1, len(lines)) if _ends_body(lines, index, own)), len(lines))
    last_paragraph = max((index for index in range(lead, stop) if lines[index].is_paragraph), default=lead)
    stop = next((index for index in range(last_paragraph + 1, stop) if _closes(lines, index)), stop)
    while stop - 1 > lead and lines[stop - 1].kind in _TRAILING and not _signs(lines, stop - 1):
        stop -= 1
    return stop - 2 if _is_signed(lines, stop, last_paragraph) else stop - 1


def _closes(lines: Sequence[Line], index: int) -> bool:
    return lines[index].kind in _CLOSING and not _signs(lines, index)


def _signs(lines: Sequence[Line], index: int) -> bool:
    """Whether a name belongs to the article, since an office stands over it: it signs a letter."""
    return lines[index].kind is Kind.BYLINE and is_office(lines[index - 1].text) and ":" not in lines[index].text


def _is_signed(lines: Sequence[Line], stop: int, last_paragraph: int) -> bool:
    """Whether the last line before `stop` is a body's name; a caption would stand under an image."""
    line = stop - 1
    under_text = line > last_paragraph and lines[line - 1].kind is not Kind.IMAGE
    return under_text and stop < len(lines) and is_signature(lines[line].text)


def _ends_body(lines: Sequence[Line], index: int, own: set[str]) -> bool:
    line = lines[index]
    if line.kind is Kind.TEXT:
        doubled = index + 1 < len(lines) and lines[index + 1].key == line.key and line.key not in own
        return doubled and lines[index - 1].kind is Kind.BYLINE
    if line.kind is Kind.NAVIGATION and not is_menu(line.text) and line.key not in SECTIONS:
        return False
    return line.kind in _AFTER_BODY and not _goes_on(lines, index)


def _goes_on(lines: Sequence[Line], marker: int) -> bool:
    """Whether the article goes on after a marker: a box of links between paragraphs, buttons over the first one."""
    line, before, after = lines[marker], lines[marker - 1], lines[marker + 1 : marker + 2]
    if line.kind is Kind.RELATED:
        return _is_inset(lines, marker)
    if line.kind is Kind.FOOTER or before.kind is Kind.BYLINE:
        return False
    is_subheading = line.key in SECTIONS and bool(after) and after[0].kind not in _AFTER_BODY
    return is_subheading or _paragraph_follows(lines, marker)


def _paragraph_follows(lines: Sequence[Line], marker: int) -> bool:
    for index in range(marker + 1, len(lines)):
        if lines[index].kind in (Kind.RELATED, Kind.FOOTER):
            return False
        if lines[index].is_paragraph:
            return True
    return False


def _is_inset(lines: Sequence[Line], marker: int) -> bool:
    """Paragraphs that stand together are the article's own; teasers alternate with headlines."""
    names_its_link = ":" in lines[marker].text[:-1]
    count = characters = 0
    for index in range(marker + 1, len(lines)):
        line = lines[index]
        if line.kind is Kind.FOOTER:
            return False
        long = line.is_paragraph and len(line.text) >= INSET_PARAGRAPH
        count, characters = (count + 1, characters + len(line.text)) if long else (0, 0)
        if (count >= 2 and characters >= INSET_CHARACTERS) or (names_its_link and index == marker + 1 and long):
            return True
    return False


def _mark_menus(lines: Sequence[Line]) -> list[Line]:
    """Short lines in a row above the first paragraph are a menu in a column."""
    head = next((index for index, line in enumerate(lines) if line.kind is Kind.PROSE), 0)
    marked = list(lines)
    for start, end in _short_runs(lines[:head]):
        known = any(line.kind is Kind.NAVIGATION for line in lines[start:end])
        if end - start >= (3 if known else 5):
            marked[start:end] = [replace(line, kind=Kind.NAVIGATION) for line in lines[start:end]]
    return marked


def _short_runs(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    start = 0
    for index in range(len(lines) + 1):
        if index == len(lines) or not _is_short(lines[index]):
            if start < index:
                yield start, index
            start = index + 1


def _is_short(line: Line) -> bool:
    bare = line.kind in (Kind.TEXT, Kind.BYLINE, Kind.NAVIGATION)
    return bare and line.words <= MENU_WORDS and line.text[-1] not in ".!?…:;"


_LINE = re.compile(r"\S(?:.*\S)?")
