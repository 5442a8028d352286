"""What a teacher says of train windows, and how far from it a student is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from hoidam.encode.tags import OUTSIDE
from hoidam.model import TaggerOutput
from hoidam.networks import NetworkScores


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a teacher says of one window, in half precision, or of a batch of them, padded with zeros.

    *Shapes:* logits `tags` [words, types, 3], `categories` [words, categories], `article` [categories]; `categorised`
    [words], from 0 to 1, how probable it is that a word lies in a span with a category. Of a batch, windows come first.
    """

    tags: Tensor
    categories: Tensor
    article: Tensor
    categorised: Tensor


def make_lesson(scores: NetworkScores, *, categorised: Sequence[int]) -> Lesson:
    """The lesson of one window from the teacher's scores; `categorised` are the indices of types with categories."""
    tags, categories, article = map(torch.from_numpy, (scores.tags, scores.categories, scores.article))
    outside = tags.softmax(dim=-1)[:, list(categorised), OUTSIDE].prod(dim=-1)
    return Lesson(tags.half(), categories.half(), article.half(), (1 - outside).half())


def pad_lessons(lessons: Sequence[Lesson]) -> dict[str, Tensor]:
    """A batch's lesson by field: a Trainer carries mappings of tensors to its device, and no objects."""
    return {
        field.name: nn.utils.rnn.pad_sequence([getattr(lesson, field.name) for lesson in lessons], batch_first=True)
        for field in fields(Lesson)
    }


def lesson_loss(
    output: TaggerOutput, *, piece_words: Tensor, lesson: Mapping[str, Tensor], temperature: float
) -> Tensor:
    """How far a student is from a batch's lesson: Kullback-Leibler divergences, 0 where both say the same.

    Put together as gold's loss is: tags averaged over words and summed over types, categories averaged over the words
    that the teacher believes in spans with one, by how much it does; an article's over windows and categories. At a
    temperature, logits are divided by it and divergences multiplied by its square, which keeps the size of their
    gradients (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").

    *Shapes:* `piece_words` [windows, pieces]; `lesson` as `pad_lessons` gives it.
    """
    taught = Lesson(**lesson)
    words = torch.arange(taught.tags.shape[1], device=piece_words.device)
    present = words <= piece_words.amax(dim=1, keepdim=True)
    loss: Tensor = _divergence(output["tag_logits"], taught.tags, temperature)[present].sum(dim=-1).mean()
    if output.category_logits is not None:
        apart, weights = _divergence(output.category_logits, taught.categories, temperature), taught.categorised.float()
        # At least one word's weight: where the teacher sees no such span, what is left of its doubts stays small.
        loss = loss + (weights * apart).sum() / weights.sum().clamp(min=1)
    if output.article_logits is not None:
        loss = loss + _divergence(_yes_no(output.article_logits), _yes_no(taught.article), temperature).mean()
    return loss


def _divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """*Shapes:* logits [..., choices], twice -> [...]."""
    own, taught = ((logits.float() / temperature).log_softmax(dim=-1) for logits in (student, teacher))
    return temperature**2 * nn.functional.kl_div(own, taught, reduction="none", log_target=True).sum(dim=-1)


def _yes_no(logits: Tensor) -> Tensor:
    """Logits of yes alone as those of yes and no. *Shapes:* [...] -> [..., 2]."""
    return torch.stack([logits, torch.zeros_like(logits)], dim=-1)
