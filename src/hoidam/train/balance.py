"""How much each category counts for in training, so that rare ones are not drowned."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from hoidam.document import Annotated
from hoidam.labels import LabelScheme
from hoidam.train.recipe import ClassWeights


def category_weights(kind: ClassWeights, gold: Sequence[Annotated], *, scheme: LabelScheme) -> Tensor | None:
    """A weight for each category, from its number of spans in `gold`; None where all count alike.

    *Shape:* [categories]. "inverse_sqrt" gives each category one over the root of its number of spans, scaled so that a
    span has 1 on average: rare categories gain what frequent ones lose. One without spans has 1.
    """
    counted = Counter(span.category for annotated in gold for span in annotated.spans if span.category)
    if kind == "none" or not counted:
        return None
    scale = counted.total() / sum(count**0.5 for count in counted.values())
    return torch.tensor([scale / counted[name] ** 0.5 if counted[name] else 1.0 for name in scheme.category_names])
