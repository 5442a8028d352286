"""From scores to spans: window scores merged to one row a word, legal tag sequences, spans with scores."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hoidam.encode.tags import BEGIN, INSIDE, OUTSIDE, read_tags
from hoidam.encode.windows import Window

_ILLEGAL = -1e9


@dataclass(frozen=True, slots=True)
class ArticleScores:
    """The network's word on one article.

    *Shapes:* `tags` [words, types, 3] log-probabilities; `categories` [words, categories] logits and `article`
    [categories] probabilities, both empty on the last axis where the scheme has no categories.
    """

    tags: np.ndarray
    categories: np.ndarray
    article: np.ndarray


@dataclass(frozen=True, slots=True)
class WordSpan:
    """A span over words `start` to `end` (exclusive) of the type with index `type`; `score` from 0 to 1."""

    start: int
    end: int
    type: int
    score: float


def merge_windows(
    windows: Sequence[Window],
    *,
    line_starts: Sequence[int],
    tags: Sequence[np.ndarray],
    categories: Sequence[np.ndarray],
    article: Sequence[np.ndarray],
) -> ArticleScores:
    """Take each word's scores from the window that owns it, and each category's highest article score.

    Words at `line_starts` go on with no span: a paragraph's end is the end of every span.

    *Shapes*, per window, logits: `tags` [words, types, 3]; `categories` [words, categories]; `article` [categories].
    """
    owned = [slice(window.own_start - window.start, window.own_end - window.start) for window in windows]
    logits = np.concatenate([scores[part] for scores, part in zip(tags, owned, strict=True)])
    logits[list(line_starts), :, INSIDE] = _ILLEGAL
    return ArticleScores(
        tags=log_softmax(logits),
        categories=np.concatenate([scores[part] for scores, part in zip(categories, owned, strict=True)]),
        article=np.exp(-np.logaddexp(0.0, -np.max(np.stack(article), axis=0))),
    )


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def best_tags(log_probabilities: np.ndarray) -> np.ndarray:
    """The most probable legal BIO row: no INSIDE at the start or after OUTSIDE.

    *Shapes:* [words, 3] -> [words]. Where the best tag of every word already makes a legal row it is the answer;
    otherwise Viterbi finds it.
    """
    greedy = log_probabilities.argmax(axis=-1)
    before = np.concatenate([[OUTSIDE], greedy[:-1]])
    if not bool(((greedy == INSIDE) & (before == OUTSIDE)).any()):
        return np.asarray(greedy)
    return _viterbi(log_probabilities)


def _viterbi(log_probabilities: np.ndarray) -> np.ndarray:
    # Plain numbers: word by word, numpy's cost several times as much.
    rows = log_probabilities.tolist()
    outside, begin, _ = rows[0]
    inside = _ILLEGAL
    back = []
    for row in rows[1:]:
        best = max(outside, begin, inside)
        from_best = OUTSIDE if outside == best else BEGIN if begin == best else INSIDE
        back.append((from_best, from_best, BEGIN if begin >= inside else INSIDE))
        outside, begin, inside = row[OUTSIDE] + best, row[BEGIN] + best, row[INSIDE] + max(begin, inside)
    tags = [int(np.argmax((outside, begin, inside)))]
    for steps in reversed(back):
        tags.append(steps[tags[-1]])
    return np.array(tags[::-1])


def find_spans(scores: ArticleScores, *, flat: bool = False) -> list[WordSpan]:
    """Every span of the most probable legal rows, by start, end and type; of `flat` ones those that score best.

    A span's score is the geometric mean of the probabilities of its words' tags and of its ending where it does.
    """
    found = []
    for kind in range(scores.tags.shape[1]):
        layer = scores.tags[:, kind]
        for start, end in read_tags(best_tags(layer)):
            parts = [layer[start, BEGIN], *layer[start + 1 : end, INSIDE]]
            if end < len(layer):
                parts.append(math.log1p(-min(math.exp(layer[end, INSIDE]), 1 - 1e-12)))
            found.append(WordSpan(start, end, kind, math.exp(sum(parts) / len(parts))))
    return sorted(_best_apart(found) if flat else found, key=_order)


def _best_apart(spans: Iterable[WordSpan]) -> list[WordSpan]:
    """The spans that overlap none with a higher score that is kept itself; of equals the first."""
    kept: list[WordSpan] = []
    taken: set[int] = set()
    for span in sorted(spans, key=lambda span: (-span.score, *_order(span))):
        words = range(span.start, span.end)
        if taken.isdisjoint(words):
            taken.update(words)
            kept.append(span)
    return kept


def _order(span: WordSpan) -> tuple[int, int, int]:
    return span.start, span.end, span.type


def span_categories(scores: ArticleScores, span: WordSpan) -> np.ndarray:
    """Probabilities of a span's categories: the softmax of its words' mean logits. *Shape:* [categories]."""
    return np.asarray(np.exp(log_softmax(scores.categories[span.start : span.end].mean(axis=0))))
