"""Counts that add up over articles and files, and the ratios that are taken from them at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hoidam.labels import LabelScheme

ANY_TYPE = "any type"
"""The only row of EXACT; no span type can be called so, as the names of a scheme hold no white space."""


class Measure(StrEnum):
    """What is counted as correct, and over which labels; the values are the names in a report's JSON.

    Pairs are one to one throughout, so that no span earns credit twice, and within a type (and category, where that is
    asked for), so that nested spans of other types do not disturb. STRICT is the exact match of CoNLL-2003 (Tjong Kim
    Sang and De Meulder 2003) and of SemEval-2013 task 9.1's "strict"; EXACT, PARTIAL and OVERLAP are that task's
    "exact", "partial" and "type" (Segura-Bedmar et al. 2013) on MUC-5's categories of responses (Chinchor and Sundheim
    1993), save that PARTIAL and OVERLAP pair within a type, where SemEval's "partial" passes over the type and its
    "type" lets a span of any type fill the place.
    """

    STRICT = "strict"
    """Same start, end and type; by span type. Equals seqeval's strict mode and conlleval where spans are flat."""
    STRICT_CATEGORY = "strict_category"
    """Same start, end, type and category; by categorised span type."""
    STRICT_BY_CATEGORY = "strict_by_category"
    """The pairs of STRICT_CATEGORY, by category."""
    EXACT = "exact"
    """Same start and end, whatever the type; one row. Two gold spans with these offsets need two predicted ones."""
    PARTIAL = "partial"
    """The pairs of OVERLAP, one for each with the same offsets, half a one for each other (MUC-5); by span type."""
    OVERLAP = "overlap"
    """Same type and a shared code point; by span type."""
    OVERLAP_CATEGORY = "overlap_category"
    """Same type and category and a shared code point; by categorised span type."""
    OVERLAP_BY_CATEGORY = "overlap_by_category"
    """The pairs of OVERLAP_CATEGORY, by category."""
    CATEGORIES = "categories"
    """The article has the category; by category."""

    def labels(self, scheme: LabelScheme) -> tuple[str, ...]:
        """The labels that this measure has a row for, in the scheme's order."""
        match self:
            case Measure.EXACT:
                return (ANY_TYPE,)
            case Measure.STRICT | Measure.PARTIAL | Measure.OVERLAP:
                return scheme.type_names
            case Measure.STRICT_CATEGORY | Measure.OVERLAP_CATEGORY:
                return scheme.categorised_names
            case _:
                return scheme.category_names


@dataclass(frozen=True, slots=True)
class Ratios:
    """Precision, recall and F1, each 0 to 1, or None where there is nothing to score."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items are correct (halves where the measure gives half credit), were predicted, and are in gold."""

    correct: float = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.correct + other.correct, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def scored(self) -> bool:
        """Whether gold or the prediction has any such item."""
        return self.predicted + self.gold > 0

    @property
    def ratios(self) -> Ratios:
        """Precision is None where nothing was predicted, recall where gold is empty, F1 where both are."""
        return Ratios(
            precision=ratio(self.correct, self.predicted),
            recall=ratio(self.correct, self.gold),
            f1=ratio(2 * self.correct, self.predicted + self.gold),
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Counts by label, with a row for every label of the scheme."""

    rows: Mapping[str, Counts]

    @property
    def micro(self) -> Counts:
        """The rows added up."""
        return sum(self.rows.values(), Counts())

    @property
    def macro(self) -> Ratios:
        """Unweighted mean over the labels that gold or the prediction has, as in seqeval.

        As there, a precision or recall without a denominator counts as 0 in the mean of such labels; labels that
        neither side has are left out, and where no label is left the mean is None.
        """
        scored = [counts.ratios for counts in self.rows.values() if counts.scored]
        return Ratios(
            precision=ratio(sum(row.precision or 0.0 for row in scored), len(scored)),
            recall=ratio(sum(row.recall or 0.0 for row in scored), len(scored)),
            f1=ratio(sum(row.f1 or 0.0 for row in scored), len(scored)),
        )


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Articles without cooperation that were read, and how many of them were given a category or a categorised span.

    An article is without cooperation where its gold has no span of a categorised type and no category.
    """

    articles: int = 0
    with_category: int = 0
    with_span: int = 0

    def __add__(self, other: "FalseAlarms") -> "FalseAlarms":
        return FalseAlarms(
            self.articles + other.articles, self.with_category + other.with_category, self.with_span + other.with_span
        )

    @property
    def category_rate(self) -> float | None:
        return ratio(self.with_category, self.articles)

    @property
    def span_rate(self) -> float | None:
        return ratio(self.with_span, self.articles)


@dataclass(frozen=True, slots=True)
class Reach:
    """Gold spans that could not be reached, and how many of them were found all the same (a wrong cause, then)."""

    gold: int = 0
    found: int = 0

    def __add__(self, other: "Reach") -> "Reach":
        return Reach(self.gold + other.gold, self.found + other.found)


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`, or None where `whole` is 0: there is nothing to score."""
    return part / whole if whole else None
