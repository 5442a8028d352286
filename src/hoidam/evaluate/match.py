"""Pairs of gold and predicted spans: what counts as found."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from hoidam.document import Span

Pair = tuple[Span, Span]


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


def _start(span: Span) -> int:
    return span.start
