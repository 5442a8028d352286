"""Counts that add up over articles and files, and the ratios that are taken from them at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hoidam.labels import LabelScheme


class Measure(StrEnum):
    """What is counted as correct, and over which labels; the values are the names in a report's JSON."""

    STRICT = "strict"
    """Same start, end and type; by span type. Equals seqeval's strict mode where spans are flat."""
    STRICT_CATEGORY = "strict_category"
    """Same start, end, type and category; by categorised span type."""
    OVERLAP = "overlap"
    """Same type and a shared code point, one to one; by span type."""
    OVERLAP_CATEGORY = "overlap_category"
    """Same type and category and a shared code point, one to one; by categorised span type."""
    OVERLAP_BY_CATEGORY = "overlap_by_category"
    """The pairs of OVERLAP_CATEGORY, by category."""
    CATEGORIES = "categories"
    """The article has the category; by category."""

    def labels(self, scheme: LabelScheme) -> tuple[str, ...]:
        """The labels that this measure has a row for, in the scheme's order."""
        if self in (Measure.STRICT, Measure.OVERLAP):
            return scheme.type_names
        if self in (Measure.STRICT_CATEGORY, Measure.OVERLAP_CATEGORY):
            return scheme.categorised_names
        return scheme.category_names


@dataclass(frozen=True, slots=True)
class Ratios:
    """Precision, recall and F1, each 0 to 1, or None where there is nothing to score."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items are correct, how many were predicted, how many gold has."""

    correct: int = 0
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


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """How many errors there are of each `ErrorKind`; the fields bear the kinds' names."""

    missed: int = 0
    invented: int = 0
    boundary: int = 0
    type: int = 0
    category: int = 0

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            missed=self.missed + other.missed,
            invented=self.invented + other.invented,
            boundary=self.boundary + other.boundary,
            type=self.type + other.type,
            category=self.category + other.category,
        )


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`, or None where `whole` is 0: there is nothing to score."""
    return part / whole if whole else None
