"""Errors of annotation that a program can find; each rule is one function, its name in the findings it gives."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hoidam.document import Annotated, Span
from hoidam.gold.checks import Checks, TypeChecks
from hoidam.gold.shingles import body_text, near_duplicates, sentences
from hoidam.gold.surroundings import Surroundings, bare, cuts_word, ends_with_words, name_beside, unit_before
from hoidam.gold.untagged import find_untagged, find_untagged_beside, find_untagged_units
from hoidam.labels import LabelScheme

_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("“", "”"), ("«", "»"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One likely error: article, offset in its text, rule, the words concerned, what is wrong, what to do."""

    article: str
    offset: int
    rule: str
    snippet: str
    message: str
    cure: str


def check(annotated: Sequence[Annotated], *, scheme: LabelScheme, checks: Checks | None = None) -> list[Finding]:
    """Everything that looks wrong in a corpus, article by article in the order given, each in text order.

    Without `checks` only the rules that hold for every scheme and language. What the exceptions of `checks` list is
    left out; an exception that fits no finding of a given article is a finding itself, `unused-exception`.
    """
    checks = checks or Checks()
    surroundings = [Surroundings.of(one) for one in annotated]
    found = [finding for each in surroundings for finding in _in_article(each, scheme=scheme, checks=checks)]
    found += _across(surroundings, scheme=scheme, checks=checks)
    order = {one.id: row for row, one in reversed(list(enumerate(annotated)))}
    return sorted(_without_listed(found, checks=checks, ids=order), key=lambda f: (order[f.article], f.offset, f.rule))


def _without_listed(found: Iterable[Finding], *, checks: Checks, ids: Iterable[str]) -> Iterator[Finding]:
    unused = {(listed.article, listed.rule, listed.snippet): listed for listed in checks.exceptions}
    known = set(unused)
    for finding in found:
        key = (finding.article, finding.rule, finding.snippet)
        unused.pop(key, None)
        if key not in known:
            yield finding
    present = set(ids)
    for listed in unused.values():
        if listed.article in present:
            message = f"an exception for {listed.rule} that nothing needs"
            yield Finding(listed.article, 0, "unused-exception", listed.snippet, message, "Remove it")


def _in_article(around: Surroundings, *, scheme: LabelScheme, checks: Checks) -> Iterator[Finding]:
    for span in around.spans:
        rules = checks.of(span.type)
        for problem in (*_edges(around, span), *_wording(around, span, rules), *_neighbours(around, span, rules)):
            yield _finding(around, span, *problem)
    yield from _overlaps(around, checks)
    yield from _article_rules(around, scheme, checks)


Problem = tuple[str, str, str]
"""Rule, message, cure."""


def _edges(around: Surroundings, span: Span) -> Iterator[Problem]:
    text, form = around.text, around.form(span)
    for character, side in ((form[0], "begins"), (form[-1], "ends")):
        if character.isspace() or unicodedata.category(character)[0] in "PZC":
            yield "span-edge", f"{span.type} {side} with {character!r}", "Leave it outside"
    for at in (span.start, span.end):
        if cuts_word(text, at):
            yield "cut-word", f"{span.type} cuts the word {around.word_at(at)!r}", "Take the word in, or leave it out"
    if "\n" in form.strip():
        yield "line-end", f"{span.type} runs over a line end", "Annotate the part on one line"
    for opening, closing in _BRACKETS:
        if form.count(opening) != form.count(closing):
            yield "bracket", f"{span.type} holds {opening} or {closing} without the other", "Move the edge"
    start, end = around.body
    if not start <= span.start < span.end <= end:
        yield "outside-body", f"{span.type} outside the body {start}-{end}", "Remove it, or move the body's edges"


def _wording(around: Surroundings, span: Span, rules: TypeChecks) -> Iterator[Problem]:
    form = around.form(span)
    folded = form.casefold()
    if not any(folded.startswith(phrase.casefold()) for phrase in rules.may_start_with):
        for phrase in rules.never_starts_with:
            if folded.startswith(f"{phrase.casefold()} "):
                yield "forbidden-start", f"{span.type} begins with {form[: len(phrase)]!r}", "Leave it outside"
    for phrase in rules.never_ends_with:
        if ends_with_words(form, f" {phrase}"):
            yield "forbidden-end", f"{span.type} ends with {form[-len(phrase) :]!r}", "Leave it outside"
    for phrase in rules.never_contains:
        if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", form):
            yield "forbidden-words", f"{span.type} holds {phrase!r}", "Leave it outside, or remove the span"
    if "," in form and rules.comma_names is not None and _strange_comma(form, rules.comma_names):
        cure = "Make two spans, or list the name in `comma_names`"
        yield "comma", f"{span.type} holds a comma that is in none of the names listed", cure
    if rules.needs_capital and not any(character.isupper() or character.isdigit() for character in form):
        yield "no-capital", f"{span.type} without a capital letter", "Remove it, unless it is a name misspelt"
    if rules.max_words is not None and len(form.split()) > rules.max_words:
        yield "too-long", f"{span.type} of {len(form.split())} words", "Shorten it, or make several spans"


def _neighbours(around: Surroundings, span: Span, rules: TypeChecks) -> Iterator[Problem]:
    if rules.whole_names:
        beside = name_beside(around, span.start, span.end, rules)
        if beside:
            yield "part-of-name", f"{beside!r} beside {span.type} seems to belong to it", "Take the whole name"
    unit = _unit_left_out(around, span, rules)
    if unit:
        yield "unit-left-out", f"{unit!r} stands directly before {span.type}", "Take it in"
    for other in around.starting_at(span.end + 1):
        if other.type in rules.takes_after and around.text[span.end] == " ":
            message = f"the {other.type} {around.form(other)!r} stands directly behind {span.type}"
            yield "ends-early", message, f"Take it into the {span.type}"


def _unit_left_out(around: Surroundings, span: Span, rules: TypeChecks) -> str | None:
    if any(around.form(span).casefold().startswith(f"{unit.casefold()} ") for unit in rules.takes_before):
        return None
    return unit_before(around.line_before(span.start), rules)


def _strange_comma(form: str, names: Iterable[str]) -> bool:
    """Whether a comma is left when the names are cut out; letters compare without accents, which may be misspelt."""
    rest = bare(form)
    for name in names:
        rest = rest.replace(bare(name), "")
    return "," in rest


def _overlaps(around: Surroundings, checks: Checks) -> Iterator[Finding]:
    """Spans that cross, and spans inside a type that theirs never lies in; equal offsets are both ways right."""
    for outer, inner in around.overlapping():
        nests_in = checks.of(inner.type).nests_in
        inside = inner.end <= outer.end
        if outer.type == inner.type:
            yield _finding(around, inner, "overlap", f"two spans of {inner.type} overlap", "Keep one")
        elif not inside:
            message = f"crosses the {outer.type} {around.form(outer)!r}"
            yield _finding(around, inner, "crossing", message, "Move one of the edges")
        elif nests_in is not None and outer.type not in nests_in:
            either_way = (outer.start, outer.end) == (inner.start, inner.end)
            if not (either_way and inner.type in (checks.of(outer.type).nests_in or ())):
                message = f"{inner.type} inside the {outer.type} {around.form(outer)!r}"
                yield _finding(around, inner, "nesting", message, "Remove one, or move an edge")


def _article_rules(around: Surroundings, scheme: LabelScheme, checks: Checks) -> Iterator[Finding]:
    one = around.annotated
    if not one.spans:
        yield _of_article(around, "no-spans", "", "an article without a span", "Annotate it, or remove it")
    union = {span.category for span in one.spans if span.category is not None}
    if one.categories != union:
        differing = ", ".join(sorted(one.categories ^ union))
        message = f"the article's categories and its spans' differ by {differing}"
        yield _of_article(around, "categories-differ", differing, message, "Make them the union of the spans' own")
    present = {span.type for span in one.spans}
    for name in scheme.type_names:
        for needed in checks.of(name).needs if name in present else ():
            if needed not in present:
                message = f"{name}, but no {needed} in the article"
                yield _of_article(around, "lacks-type", name, message, f"Annotate the {needed}, or remove the {name}")
    yield from _meta_rules(around, checks)


def _meta_rules(around: Surroundings, checks: Checks) -> Iterator[Finding]:
    one = around.annotated
    for key, values in checks.meta_values.items():
        found = one.article.meta.get(key)
        if found not in values:
            cure = f"Give one of {', '.join(values)}"
            yield _of_article(around, "meta-value", str(found), f"{key} is {found!r}", cure)
    said = checks.meta_with_categories if one.categories else checks.meta_without_categories
    for key, wanted in said.items():
        found = one.article.meta.get(key)
        if found is not None and found != wanted:
            message = f"{key} is {found!r}, but the article has {'' if one.categories else 'no '}categories"
            yield _of_article(around, "meta-differs", str(found), message, "Correct one of the two")


def _across(surroundings: Sequence[Surroundings], *, scheme: LabelScheme, checks: Checks) -> Iterator[Finding]:
    yield from _near_duplicates(surroundings, checks)
    yield from _repeated_sentences(surroundings, checks)
    yield from _two_categories(surroundings, scheme)
    yield from _untagged(surroundings, scheme, checks)


def _untagged(surroundings: Sequence[Surroundings], scheme: LabelScheme, checks: Checks) -> Iterator[Finding]:
    told: set[tuple[str, int]] = set()
    for name in scheme.type_names:
        rules = checks.of(name)
        for hit in find_untagged(surroundings, name=name, rules=rules):
            told.add((hit.article, hit.start))
            rule = "untagged-repeat" if hit.here else "untagged-elsewhere"
            where = "elsewhere in this article" if hit.here else f"in {hit.others} others"
            message, cure = f"tagged {name} {where}, but not here", "Tag it, or list the context in `untagged_in`"
            yield Finding(hit.article, hit.start, rule, hit.form, message, cure)
        for hit in find_untagged_units(surroundings, name=name, rules=rules):
            cure = "Tag it, or list the words in `leaves_before` or `untagged_in`"
            if (hit.article, hit.start) not in told:
                yield Finding(hit.article, hit.start, "untagged-unit", hit.form, f"seems to be {name}", cure)
        for hit in find_untagged_beside(surroundings, name=name, rules=rules):
            message, cure = f"seems to belong to {name}", "Tag it, or list it as an exception"
            yield Finding(hit.article, hit.start, "untagged-beside", hit.form, message, cure)


def _near_duplicates(surroundings: Sequence[Surroundings], checks: Checks) -> Iterator[Finding]:
    annotated = [around.annotated for around in surroundings]
    pairs = near_duplicates(annotated, threshold=checks.near_duplicate, size=checks.shingle_words)
    for pair in pairs:
        message = f"shares {pair.jaccard:.0%} of its {checks.shingle_words}-word shingles with {pair.first}"
        yield Finding(pair.second, 0, "near-duplicate", pair.first, message, "Remove one of the two")


def _repeated_sentences(surroundings: Sequence[Surroundings], checks: Checks) -> Iterator[Finding]:
    first: dict[tuple[str, ...], str] = {}
    for around in surroundings:
        start, _ = around.body
        for offset, found in sentences(body_text(around.annotated), at_least=checks.sentence_words):
            where = first.setdefault(found, around.id)
            if where != around.id:
                message, cure = f"this sentence stands in {where} too", "Reword it in one of the two"
                yield Finding(around.id, start + offset, "repeated-sentence", " ".join(found), message, cure)


def _two_categories(surroundings: Sequence[Surroundings], scheme: LabelScheme) -> Iterator[Finding]:
    """The rarer categories of a phrase that has several; of equally frequent ones, the later in the scheme."""
    places: defaultdict[tuple[str, str], list[tuple[Surroundings, Span]]] = defaultdict(list)
    for around in surroundings:
        for span in around.spans:
            if span.category is not None:
                places[span.type, " ".join(around.form(span).casefold().split())].append((around, span))
    for found in places.values():
        counts = Counter(span.category for _, span in found)
        if len(counts) > 1:
            usual = max((name for name in scheme.category_names if name in counts), key=lambda name: counts[name])
            where = _some_ids(around.id for around, span in found if span.category == usual)
            for around, span in found:
                if span.category != usual:
                    message = f"{span.category} here, {usual} in {where}"
                    yield _finding(around, span, "two-categories", message, "Decide by the head noun, once for all")


def _some_ids(ids: Iterable[str], *, limit: int = 3) -> str:
    distinct = list(dict.fromkeys(ids))
    rest = len(distinct) - limit
    return ", ".join(distinct[:limit]) + (f" and {rest} more" if rest > 0 else "")


def _finding(around: Surroundings, span: Span, rule: str, message: str, cure: str) -> Finding:
    return Finding(around.id, span.start, rule, around.form(span), message, cure)


def _of_article(around: Surroundings, rule: str, snippet: str, message: str, cure: str) -> Finding:
    return Finding(around.id, around.body[0], rule, snippet, message, cure)
