"""What was given with a score, whether it is right, and how much there was to find: what scores are judged by."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoidam.document import Annotated, Tagged
from hoidam.evaluate.counts import Counts
from hoidam.labels import LabelScheme

ALL_CATEGORIES = "all categories"
"""The label of an article's categories, taken together; no span type can be called so."""


@dataclass(frozen=True, slots=True)
class Items:
    """Scored items of one label, in no order, and how many items gold has.

    *Shapes:* `scores` [items] from 0 to 1, `right` [items].
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    wanted: int

    def counts(self, threshold: float) -> Counts:
        """Counts of the items whose score is `threshold` or more."""
        kept = self.right[self.scores >= threshold]
        return Counts(correct=int(kept.sum()), predicted=len(kept), gold=self.wanted)


def span_items(gold: Iterable[Annotated], *, predictions: Iterable[Tagged], scheme: LabelScheme) -> dict[str, Items]:
    """Every predicted span that has a score, by type; right where offsets, type and category are those of gold."""
    given = {tagged.id: tagged.spans for tagged in predictions}
    found: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    wanted: Counter[str] = Counter()
    for annotated in gold:
        wanted.update(span.type for span in annotated.spans)
        right = set(annotated.spans)
        for span in given.get(annotated.id, ()):
            if span.score is not None:
                found[span.type].append((span.score, span in right))
    return {name: _items(found[name], wanted[name]) for name in scheme.type_names}


def category_items(gold: Iterable[Annotated], *, predictions: Iterable[Tagged]) -> Items:
    """Every article's every category that has a score; right where gold has it."""
    given = {tagged.id: tagged.categories for tagged in predictions}
    found: list[tuple[float, bool]] = []
    wanted = 0
    for annotated in gold:
        wanted += len(annotated.categories)
        scores = given.get(annotated.id, {})
        found.extend((score, name in annotated.categories) for name, score in scores.items())
    return _items(found, wanted)


def _items(found: Sequence[tuple[float, bool]], wanted: int) -> Items:
    return Items(
        scores=np.array([score for score, _ in found], dtype=np.float64),
        right=np.array([right for _, right in found], dtype=np.bool_),
        wanted=wanted,
    )
