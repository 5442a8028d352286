"""What a word segmenter costs: gold edges that fall inside its words, which no model on these words can find."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hoidam.document import Annotated

WordFinder = Callable[[str], Iterable[tuple[int, int]]]
"""Gives the words of a text as offsets, end exclusive, in order."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """Spans of gold, those with an edge inside a word, and how many such edges these have."""

    spans: int = 0
    cut_spans: int = 0
    cut_edges: int = 0

    def __add__(self, other: "Cuts") -> "Cuts":
        return Cuts(self.spans + other.spans, self.cut_spans + other.cut_spans, self.cut_edges + other.cut_edges)

    @property
    def share(self) -> float | None:
        """The share of spans that are cut, 0 to 1; None where there is no span."""
        return self.cut_spans / self.spans if self.spans else None

    def to_dict(self) -> dict[str, float | None]:
        return {"spans": self.spans, "cut_spans": self.cut_spans, "cut_edges": self.cut_edges, "share": self.share}


def count_cuts(
    parts: Mapping[str, Sequence[Annotated]], *, segmenters: Mapping[str, WordFinder]
) -> dict[str, dict[str, Cuts]]:
    """By segmenter, then by part."""
    return {
        name: {part: sum((_cuts(one, words) for one in annotated), Cuts()) for part, annotated in parts.items()}
        for name, words in segmenters.items()
    }


def _cuts(one: Annotated, words: WordFinder) -> Cuts:
    found = list(words(one.article.text))
    starts, ends = {start for start, _ in found}, {end for _, end in found}
    edges = [(span.start not in starts) + (span.end not in ends) for span in one.spans]
    return Cuts(len(edges), sum(map(bool, edges)), sum(edges))
