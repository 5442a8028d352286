"""How much there was to train on: pieces that are read, padding, and operations, counted alike for every trainer."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eval.speed.machine import encoder_operations


@dataclass(frozen=True, slots=True)
class Work:
    """Batches: the pieces of each window without padding, and the pieces of all as padded."""

    lengths: tuple[int, ...] = ()
    padded: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.lengths + other.lengths, self.padded + other.padded)

    @property
    def pieces(self) -> int:
        """Pieces that are read, specials included, padding not."""
        return sum(self.lengths)

    def operations(self, config: Any, *, passes: float) -> float:
        """Multiplications and additions that training on these needs in an encoder's matrix products, none for padding.

        `passes` counts forward passes' worth over all of its layers: 3 where all are trained, since backward takes two,
        so that a piece has 6 for each weight in a matrix.
        """
        return passes * encoder_operations(config, [(1, length) for length in self.lengths])


class Counted:
    """A collator whose batches are counted; they are handed out in the order in which they are trained on."""

    def __init__(self, collator: Callable[[list[Any]], Any]) -> None:
        self._collator = collator
        self._batches: deque[Work] = deque()

    def __call__(self, rows: list[Any]) -> Any:
        inputs = self._collator(rows)
        mask = inputs["attention_mask"]
        self._batches.append(Work(tuple(mask.sum(dim=1).tolist()), mask.numel()))
        return inputs

    def next(self) -> Work:
        """The batch made first of those not yet handed out: loaders make some ahead."""
        return self._batches.popleft()
