"""Strings that look like a span of some type and are none: those tagged elsewhere, and names behind a unit word."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hoidam.document import Span
from hoidam.gold.checks import TypeChecks
from hoidam.gold.surroundings import Surroundings, cuts_word, is_name_word, is_word, name_beside, unit_before

_WORD = re.compile(r"\w+")
_NEXT = re.compile(r",? (\w+)")
_TWO_BEFORE = re.compile(r"(?<!\w)(\w+) (\w+)(?:,| \()? ?\Z")


@dataclass(frozen=True, slots=True)
class Untagged:
    """A string that stands untagged at `start`; whether its own article has it tagged, and how many others."""

    article: str
    start: int
    form: str
    here: bool
    others: int


def find_untagged(surroundings: Sequence[Surroundings], *, name: str, rules: TypeChecks) -> Iterator[Untagged]:
    """Whole words in a body that are a tagged string of the type `name`, but touch no span of it.

    Left out are strings inside spans that the type does not nest in, parts of longer names, and the contexts of
    `rules.untagged_in`. Of several strings that begin with one word the longest counts.
    """
    if not rules.tag_repeats and rules.tag_everywhere is None:
        return
    articles = _articles_by_form(surroundings, name=name, rules=rules)
    forms = _by_first_word(articles)
    for around in surroundings:
        blocked = _blocked(around, name=name, rules=rules)
        done = 0
        for word in _WORD.finditer(around.text, *around.body):
            if word[0] not in forms or word.start() < done or cuts_word(around.text, word.start()):
                continue
            found = (form for form in forms[word[0]] if _stands(form, around, word.start()))
            expected = ((form, *_expected(articles[form], around.id, rules)) for form in found)
            form, here, others = next((hit for hit in expected if hit[1] or hit[2]), ("", False, 0))
            done = word.start() + len(form)
            alone = form and name_beside(around, word.start(), done, rules) is None
            if alone and _is_free(around, word.start(), done, blocked, rules):
                yield Untagged(around.id, word.start(), form, here, others)


def find_untagged_units(surroundings: Sequence[Surroundings], *, name: str, rules: TypeChecks) -> Iterator[Untagged]:
    """Unit words of `rules.takes_before` with a capitalised word behind them that touch no span of the type `name`."""
    if not rules.takes_before:
        return
    units = "|".join(re.escape(unit) for unit in sorted(rules.takes_before, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{units}) (?=(\w+))")
    for around in surroundings:
        blocked = _blocked(around, name=name, rules=rules)
        for match in pattern.finditer(around.text, *around.body):
            end = _name_end(around.text, match.end())
            stays = unit_before(around.line_before(match.end()), rules) is None
            if end > match.end() and not stays and _is_free(around, match.start(), end, blocked, rules):
                yield Untagged(around.id, match.start(), around.text[match.start() : end], here=False, others=0)


def find_untagged_beside(surroundings: Sequence[Surroundings], *, name: str, rules: TypeChecks) -> Iterator[Untagged]:
    """Capitalised words in no span, behind a span of `rules.expected_after` or before one of `rules.expected_before`.

    The form is of one word behind, of two before.
    """
    for around in surroundings:
        for span in around.spans:
            after = _NEXT.match(around.text, span.end) if span.type in rules.expected_after else None
            if after and is_name_word(after[1]) and not _stays_out(around, after.start(1), rules):
                yield Untagged(around.id, after.start(1), after[1], here=False, others=0)
            line = around.line_before(span.start)
            before = _TWO_BEFORE.search(line) if span.type in rules.expected_before else None
            if before and is_name_word(before[1]) and is_name_word(before[2]):
                start = span.start - len(line) + before.start(1)
                end = span.start - len(line) + before.end(2)
                if not around.covered(start) and not around.covered(end - 1):
                    yield Untagged(around.id, start, around.text[start:end], here=False, others=0)


def _stays_out(around: Surroundings, start: int, rules: TypeChecks) -> bool:
    folded = around.text[start : start + 40].casefold()
    apart = (*rules.never_starts_with, *rules.beside_names)
    return around.covered(start) or any(folded.startswith(f"{phrase.casefold()} ") for phrase in apart)


def _stands(form: str, around: Surroundings, start: int) -> bool:
    end = start + len(form)
    return around.text.startswith(form, start) and end <= around.body[1] and not cuts_word(around.text, end)


def _expected(articles: set[str], article: str, rules: TypeChecks) -> tuple[bool, int]:
    """Whether the article's own spans ask for a tag, and how many other articles' do."""
    others = len(articles - {article})
    widely = rules.tag_everywhere is not None and others >= rules.tag_everywhere
    return rules.tag_repeats and article in articles, others if widely else 0


def _name_end(text: str, start: int) -> int:
    """Where the capitalised words end that begin at `start`; `start` itself where there is none."""
    end = start
    for word in _WORD.finditer(text, start):
        if not is_name_word(word[0]) or text[end : word.start()] not in ("", " "):
            break
        end = word.end()
    return end


def _is_free(around: Surroundings, start: int, end: int, blocked: Sequence[Span], rules: TypeChecks) -> bool:
    stretch = Span(start, end, "")
    if any(span.overlaps(stretch) for span in blocked):
        return False
    return not any(context.fits(around.text, start, end) for context in rules.untagged_in)


def _blocked(around: Surroundings, *, name: str, rules: TypeChecks) -> list[Span]:
    """Spans in which nothing is left untagged: those of the type itself, and of types that it does not nest in."""
    free = rules.nests_in or ()
    return [span for span in around.spans if span.type == name or span.type not in free]


def _articles_by_form(
    surroundings: Sequence[Surroundings], *, name: str, rules: TypeChecks
) -> defaultdict[str, set[str]]:
    articles: defaultdict[str, set[str]] = defaultdict(set)
    for around in surroundings:
        for span in around.spans:
            if span.type == name and len(around.form(span).split()) >= rules.repeat_words:
                for form in _spellings(around.form(span), rules):
                    articles[form].add(around.id)
    return articles


def _by_first_word(forms: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The strings by their first word, the longest first."""
    by_word: defaultdict[str, list[str]] = defaultdict(list)
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        first = _WORD.match(form)
        if first and is_word(form[0]):
            by_word[first[0]].append(form)
    return dict(by_word)


def _spellings(form: str, rules: TypeChecks) -> set[str]:
    """A string as it stands at the start of a sentence and, where it has several words, in a headline's capitals."""
    found = {form, form[0].upper() + form[1:]}
    if not rules.needs_capital:
        found.add(form[0].lower() + form[1:])
    if len(form.split()) > 1:
        found.add(form.upper())
    return found
