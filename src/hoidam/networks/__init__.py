"""A trained network as the rest of the package sees it: padded windows in, scores out, whatever computes them.

What a network says of a window must depend on that window alone. Matrix kernels are chosen by the shape of what they
multiply, and another kernel adds in another order: in bfloat16 that moves a logit by a tenth. So a window is always
multiplied in one and the same shape: its padded length follows from its own pieces, and the number of rows from that
length. And each batch is computed by one thread; several batches run at once.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hoidam.encode.batches import Batch


@dataclass(frozen=True, slots=True)
class NetworkScores:
    """Logits for a batch of windows, in float32.

    *Shapes:* `tags` [windows, words, types, 3]; `categories` [windows, words, categories] and `article` [windows,
    categories], both empty on the last axis where the scheme has no categories. There are as many words as pieces;
    those past a window's own mean nothing.
    """

    tags: np.ndarray
    categories: np.ndarray
    article: np.ndarray


class Network(Protocol):
    """Scores batches; many threads may call it at once."""

    @property
    def batch_pieces(self) -> int:
        """About how many pieces, as padded, a batch should have; 0 for one window at a time."""

    @property
    def threads(self) -> int:
        """Batches that may well be scored at once."""

    @property
    def device(self) -> str:
        """Where it computes: cpu, or a GPU."""

    @property
    def description(self) -> str:
        """What computes, how exactly and where, in a few words."""

    def score(self, batch: Batch) -> NetworkScores:
        """Score one batch."""
