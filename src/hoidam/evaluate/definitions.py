"""What each measure and each kind of error means, in the words that readers of a report are given."""

from typing import NamedTuple


class Definition(NamedTuple):
    """A title, what is counted, and where the definition comes from if it is not plain."""

    title: str
    meaning: str
    source: str = ""


_SEGURA = "SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013)"

MEASURES = {
    "strict": Definition(
        "Strict spans", "Correct: same start, end and type.", "CoNLL-2003; on flat spans the strict mode of seqeval"
    ),
    "strict_category": Definition(
        "Strict spans with category", "Correct: same start, end, type and category; types that have categories alone."
    ),
    "strict_by_category": Definition(
        "Strict spans by category", "The spans of the measure before, counted by category."
    ),
    "exact": Definition(
        "Exact bounds",
        "Correct: same start and end, whatever the type, each span used once.",
        f"“exact” of {_SEGURA}",
    ),
    "partial": Definition(
        "Partial spans",
        "Correct: one for the same start, end and type, and a half for an overlap with a span of the type.",
        f"MUC-5 (Chinchor and Sundheim 1993); “partial” of {_SEGURA}, here within a type",
    ),
    "overlap": Definition(
        "Overlapping spans",
        "Correct: same type and at least one shared character, each span used once.",
        f"“type” of {_SEGURA}, made one to one",
    ),
    "overlap_category": Definition(
        "Overlapping spans with category",
        "Correct: same type and category and at least one shared character, each span used once.",
    ),
    "overlap_by_category": Definition(
        "Overlapping spans by category", "The spans of the measure before, counted by category."
    ),
    "categories": Definition("Article categories", "Correct: the article has the category."),
}
"""Measures by their name in a report, in the order of reports."""

RANKING = {
    "subset_accuracy": Definition("Subset accuracy", "Share of articles whose set of categories is right."),
    "hamming_loss": Definition("Hamming loss", "Share of wrong decisions over all articles and categories; 0 is best."),
    "label_ranking_average_precision": Definition(
        "Label ranking average precision",
        "How high an article's own categories stand among all by score; 1 is best.",
        "Tsoumakas, Katakis and Vlahavas 2010",
    ),
    "coverage_error": Definition(
        "Coverage error",
        "How many categories must be read from the top until all of an article's own are seen; "
        "their mean number is best.",
        "Tsoumakas, Katakis and Vlahavas 2010",
    ),
    "mean_average_precision": Definition(
        "Mean average precision",
        "Mean over the categories that some articles have and others lack, of the area under "
        "precision by recall; 1 is best.",
    ),
}
"""What is said of the whole set of an article's categories, by name in a report."""

KINDS = {
    "missed": Definition("missed", "a gold span that no predicted span of its type touches"),
    "invented": Definition("invented", "a predicted span that touches no gold span of its type"),
    "boundary": Definition("boundary", "right type, overlapping, another start or end"),
    "type": Definition("type", "right start and end, another type"),
    "category": Definition("category", "right start, end and type, another category"),
    "split": Definition("split", "one gold span, several predicted spans of its type"),
    "merged": Definition("merged", "several gold spans, one predicted span of their type"),
    "furniture": Definition("furniture", "invented outside the body of the article"),
}
"""Kinds of error by their name in a report, in the order of reports."""
