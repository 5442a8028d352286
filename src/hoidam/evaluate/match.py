"""Pairs of gold and predicted spans, and the kinds of error that the pairs and the unpaired spans show."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hoidam.document import Span

Pair = tuple[Span, Span]


class ErrorKind(StrEnum):
    """What is wrong with a span.

    Of a gold and a predicted span of one type that `match_overlapping` pairs: their offsets differ (BOUNDARY), or only
    their categories do (CATEGORY). Of the spans left over: the same offsets with another type (TYPE, one to one), a
    gold span alone (MISSED), a predicted span alone (INVENTED). Spans that differ in both type and offsets are never
    paired, because types nest. So, over all types, MISSED + BOUNDARY + TYPE is the gold that strict scoring did not
    find, INVENTED + BOUNDARY + TYPE what it did not accept, and CATEGORY what it accepts in spite of its category.
    """

    MISSED = "missed"
    INVENTED = "invented"
    BOUNDARY = "boundary"
    TYPE = "type"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class SpanError:
    """One error: its kind, the gold span and the predicted span (None where there is none), with their surfaces."""

    article: str
    kind: ErrorKind
    gold: Span | None
    predicted: Span | None
    gold_text: str | None
    predicted_text: str | None

    @property
    def type(self) -> str:
        """The gold span's type, or that of an invented span."""
        return _either(self.gold, self.predicted).type


def match_overlapping(gold: Sequence[Span], predicted: Sequence[Span]) -> list[Pair]:
    """Pair gold with predicted spans that share at least one code point, each span in one pair at most.

    The number of pairs is the largest possible, and the pairs do not depend on the order given. Both sides must be
    free of overlaps among themselves, as spans of one type are. It is the overlap that SemEval-2013 task 9.1 asks for
    in its "type" measure (Segura-Bedmar et al. 2013; partial matches of MUC-5, Chinchor and Sundheim 1993, with full
    and not half credit), made one to one, so that one long span never counts as several found.

    One sweep is enough: of the leftmost unpaired gold and predicted spans, if they overlap, at most one overlaps
    anything further right, so pairing them loses nothing; if they do not, the one that ends first overlaps nothing
    that is left. Spans with the same offsets overlap nothing else and so are always paired with each other.
    """
    pairs: list[Pair] = []
    waiting, given = sorted(gold, key=_start), sorted(predicted, key=_start)
    g = p = 0
    while g < len(waiting) and p < len(given):
        if waiting[g].overlaps(given[p]):
            pairs.append((waiting[g], given[p]))
            g, p = g + 1, p + 1
        elif waiting[g].end < given[p].end:
            g += 1
        else:
            p += 1
    return pairs


def match_groups(gold: Iterable[Span], predicted: Iterable[Span], *, key: Callable[[Span], Hashable]) -> list[Pair]:
    """Pairs of overlapping spans that agree on `key`, by `match_overlapping` within each group."""
    wanted, given = group_spans(gold, key=key), group_spans(predicted, key=key)
    return [pair for name, spans in wanted.items() for pair in match_overlapping(spans, given.get(name, ()))]


def find_errors(
    pairs: Sequence[Pair], *, gold: Iterable[Span], predicted: Iterable[Span], article: str, text: str
) -> list[SpanError]:
    """All errors of one article in text order, from its gold, its prediction and their pairs by type."""

    def error(kind: ErrorKind, wanted: Span | None, given: Span | None) -> SpanError:
        return SpanError(article, kind, wanted, given, _surface(wanted, text), _surface(given, text))

    found, used = {wanted for wanted, _ in pairs}, {given for _, given in pairs}
    rest = _rest([span for span in gold if span not in found], [span for span in predicted if span not in used])
    errors = [error(*wrong) for wrong in (*_wrong_pairs(pairs), *rest)]
    return sorted(errors, key=lambda wrong: (_start(_either(wrong.gold, wrong.predicted)), wrong.type, wrong.kind))


def same_offsets(pair: Pair) -> bool:
    """Whether the two spans of a pair start and end at the same code points."""
    return (pair[0].start, pair[0].end) == (pair[1].start, pair[1].end)


def place_of(span: Span) -> tuple[int, int, str]:
    """What strict scoring compares: start, end and type."""
    return span.start, span.end, span.type


def group_spans(spans: Iterable[Span], *, key: Callable[[Span], Hashable]) -> dict[Hashable, list[Span]]:
    """Spans by what they agree on, each group in the order given."""
    groups: defaultdict[Hashable, list[Span]] = defaultdict(list)
    for span in spans:
        groups[key(span)].append(span)
    return groups


def _wrong_pairs(pairs: Iterable[Pair]) -> Iterator[tuple[ErrorKind, Span, Span]]:
    for wanted, given in pairs:
        if not same_offsets((wanted, given)):
            yield ErrorKind.BOUNDARY, wanted, given
        elif wanted.category != given.category:
            yield ErrorKind.CATEGORY, wanted, given


def _rest(missed: Iterable[Span], invented: Iterable[Span]) -> Iterator[tuple[ErrorKind, Span | None, Span | None]]:
    """Spans of both sides with the same offsets are type errors, one to one in the order of their types' names."""
    unused = group_spans(sorted(invented, key=lambda span: span.type), key=lambda span: (span.start, span.end))
    for span in sorted(missed, key=lambda span: span.type):
        there = unused.get((span.start, span.end))
        yield (ErrorKind.TYPE, span, there.pop(0)) if there else (ErrorKind.MISSED, span, None)
    for spans in unused.values():
        yield from ((ErrorKind.INVENTED, None, span) for span in spans)


def _start(span: Span) -> int:
    return span.start


def _either(gold: Span | None, predicted: Span | None) -> Span:
    span = gold or predicted
    if span is None:
        raise ValueError("an error needs a gold or a predicted span")
    return span


def _surface(span: Span | None, text: str) -> str | None:
    return None if span is None else text[span.start : span.end]
