"""Gold as what the network learns from: one feature a window, and what of the gold could not be laid on words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from hoidam.document import Annotated, Span
from hoidam.encode.batches import EncodedWindow, pad_batch
from hoidam.encode.tags import NO_CATEGORY, TagLayers, lay_tags
from hoidam.encode.text import TextEncoder
from hoidam.encode.windows import Window
from hoidam.errors import AlignmentError
from hoidam.ingest.normalise import Normalised, normalise
from hoidam.labels import LabelScheme
from hoidam.train.lessons import Lesson, pad_lessons


def make_features(
    gold: Sequence[Annotated], *, encoder: TextEncoder, scheme: LabelScheme, unlabelled: Sequence[Annotated] = ()
) -> Dataset:
    """One row a window: `ids`, `piece_words`, `tags` [words][types], `categories` [words], `article` [categories].

    Windows of `unlabelled` articles follow, with NO_CATEGORY wherever gold would speak. Words are cut at gold edges, so
    that every span can be learnt; raises AlignmentError if one cannot.
    """
    rows = [row for annotated in gold for row in _rows(annotated, encoder=encoder, scheme=scheme)]
    for annotated in unlabelled:
        for row in _rows(annotated, encoder=encoder, scheme=scheme):
            rows.append(row | {name: np.full_like(row[name], NO_CATEGORY).tolist() for name in ("tags", "article")})
    return Dataset.from_list([row | {"row": index} for index, row in enumerate(rows)])


def normalised_body(annotated: Annotated) -> Normalised:
    """The body of an article, all of it where none is marked, normalised: what is encoded."""
    text = annotated.article.text
    return normalise(text if annotated.body is None else text[slice(*annotated.body)])


def _rows(annotated: Annotated, *, encoder: TextEncoder, scheme: LabelScheme) -> list[dict[str, Any]]:
    normalised = normalised_body(annotated)
    start = 0 if annotated.body is None else annotated.body[0]
    spans = []
    for span in annotated.spans:
        left, right = normalised.from_input(span.start - start, span.end - start)
        spans.append(Span(left, right, span.type, span.category))
    encoded = encoder.encode(normalised.text, cuts=[edge for span in spans for edge in (span.start, span.end)])
    layers = lay_tags(spans, encoded.words, scheme)
    if layers.unreachable:
        span = layers.unreachable[0]
        raise AlignmentError(
            f"{annotated.id}: {normalised.text[span.start : span.end]!r} cannot be laid on words, though they were cut "
            "at its edges: please report this text as a defect"
        )
    return [
        _row(window, encoded_window, layers, scheme=scheme)
        for window, encoded_window in zip(encoded.windows, encoded.encoded, strict=True)
    ]


def _row(window: Window, encoded: EncodedWindow, layers: TagLayers, *, scheme: LabelScheme) -> dict[str, Any]:
    categories = layers.categories[window.start : window.end]
    article = np.zeros(len(scheme.categories), dtype=np.int64)
    article[categories[categories != NO_CATEGORY]] = 1
    return {
        "ids": list(encoded.ids),
        "piece_words": list(encoded.piece_words),
        "tags": layers.tags[:, window.start : window.end].T.tolist(),
        "categories": categories.tolist(),
        "article": article.tolist(),
        "length": len(encoded.ids),
    }


_LENGTH_STEP = 8
"""Padded lengths in training: what matrix units read fast, with less padding than tagging, where like meets like."""


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads feature rows to a batch of tensors; where `lower` is given, a row's kept lower-layer states go with it.

    So do, as `lesson`, the `lessons` of a teacher, by row.

    *Shapes:* as TaggerModel.forward takes them; `lower[row]` [pieces, width].
    """

    pad_id: int
    lower: Sequence[np.ndarray] | None = None
    lessons: Sequence[Lesson] | None = None

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Pad one batch."""
        import torch

        windows = [EncodedWindow(tuple(row["ids"]), tuple(row["piece_words"])) for row in rows]
        batch = pad_batch(windows, pad_id=self.pad_id, step=_LENGTH_STEP)
        types = len(rows[0]["tags"][0])
        shape = (len(rows), max(window.word_count for window in windows))
        tags = np.full((*shape, types), NO_CATEGORY, dtype=np.int64)
        categories = np.full(shape, NO_CATEGORY, dtype=np.int64)
        for index, row in enumerate(rows):
            tags[index, : len(row["tags"])] = row["tags"]
            categories[index, : len(row["categories"])] = row["categories"]
        inputs = {
            "attention_mask": batch.attention_mask,
            "piece_words": batch.piece_words,
            "tags": tags,
            "categories": categories,
            "article": np.array([row["article"] for row in rows], dtype=np.float32).reshape(len(rows), -1),
        }
        if self.lower is None:
            inputs["input_ids"] = batch.input_ids
        else:
            inputs["inputs_embeds"] = self._states(rows, batch.input_ids, self.lower)
        tensors: dict[str, Any] = {name: torch.from_numpy(array) for name, array in inputs.items()}
        if self.lessons is not None:
            tensors["lesson"] = pad_lessons([self.lessons[row["row"]] for row in rows])
        return tensors

    @staticmethod
    def _states(rows: Sequence[dict[str, Any]], ids: np.ndarray, lower: Sequence[np.ndarray]) -> np.ndarray:
        states = np.zeros((*ids.shape, lower[0].shape[-1]), dtype=np.float32)
        for index, row in enumerate(rows):
            states[index, : row["length"]] = lower[row["row"]]
        return states
