"""Other packages on the same articles: transformers' pipeline with our weights, and underthesea's tagger."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch

from eval.speed.reading import Reader, Reading
from hoidam.checkpoint import WEIGHTS_NAME, read_settings
from hoidam.document import Span, Tagged
from hoidam.encode.tags import BEGIN, INSIDE, OUTSIDE, TAG_COUNT
from hoidam.encode.windows import Window
from hoidam.ingest.readers import Document

LAYER = "PLACE"
"""The one tag layer that the pipeline is given; it has one softmax a piece, and our layers nest."""

UNDERTHESEA_TYPES = {"PER": "OFFICIAL", "LOC": "PLACE"}


@dataclass(frozen=True, slots=True)
class Given:
    """One of our windows as the pipeline gets it, and the way back from what it finds among them."""

    reading: Reading
    window: Window

    @property
    def text(self) -> str:
        """The stretch of text that the window reads."""
        words = self.reading.encoded.words
        return words.text[words.starts[self.window.start] : words.ends[self.window.end - 1]]

    @property
    def words(self) -> list[str]:
        """The surfaces of the words that the window reads."""
        return [self.reading.encoded.words.surface(word) for word in range(self.window.start, self.window.end)]

    def place(self, entity: Mapping[str, Any]) -> Span | None:
        """An entity, whose offsets count in the words joined by spaces, as a span of the input.

        None where another window owns its first word.
        """
        starts = list(accumulate((len(word) + 1 for word in self.words), initial=0))
        first = self.window.start + bisect_right(starts, entity["start"]) - 1
        last = self.window.start + bisect_left(starts, entity["end"]) - 1
        if not self.window.own_start <= first < self.window.own_end:
            return None
        start, end = self.reading.to_input(first, last + 1)
        return Span(start, end, LAYER, None, float(entity["score"]))


class PipelineEngine:
    """`transformers.pipeline("token-classification")` over our encoder in float32, `batch_size` windows at a time.

    It is given the texts of our windows, cut outside what is timed. With `words` it is given their words instead, and
    averages the scores of a word's pieces: slower, as it then reads some more pieces, but only so are its spans worth
    scoring, since its own ways of joining pieces cut words or take punctuation into spans.
    """

    def __init__(self, model: Path, *, batch_size: int, words: bool = False, device: str = "cpu") -> None:
        from transformers import pipeline

        self._reader = Reader(model)
        self._windows: dict[str, list[Given]] = {}
        self._batch_size = batch_size
        self._words = words
        build: Any = pipeline
        self._pipeline = build(
            "token-classification",
            model=build_classifier(model),
            tokenizer=self._reader.tokenizer,
            aggregation_strategy="average" if words else "simple",
            device=device,
        )

    def windows(self, document: Document) -> list[Given]:
        """What the pipeline is given of a document, made once."""
        if document.id not in self._windows:
            reading = self._reader.read(document.text)
            self._windows[document.id] = [Given(reading, window) for window in reading.encoded.windows]
        return self._windows[document.id]

    def warm_up(self, documents: Sequence[Document]) -> None:
        self.run(documents)

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        windows = [self.windows(document) for document in documents]
        every = [window for one in windows for window in one]
        if not self._words:
            self._pipeline([window.text for window in every], batch_size=self._batch_size)
            return len(documents), []
        words = [window.words for window in every]
        found = iter(self._pipeline(words, batch_size=self._batch_size, is_split_into_words=True, delimiter=" "))
        return len(documents), [
            _tagged(document, [window.place(entity) for window in one for entity in next(found)])
            for document, one in zip(documents, windows, strict=True)
        ]


def _tagged(document: Document, spans: Iterable[Span | None]) -> Tagged:
    return Tagged(document.id, document.source, tuple(apart(span for span in spans if span)), {}, "")


def apart(spans: Iterable[Span]) -> list[Span]:
    """Spans none of which overlap within a type: where windows differ, the one that begins first, then the longest."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not any(span.type == other.type and span.overlaps(other) for other in kept):
            kept.append(span)
    return sorted(kept)


def build_classifier(model: Path) -> Any:
    """The encoder of a model folder under transformers' own token classifier, whose head is our norm and one layer."""
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForTokenClassification

    from hoidam.weights import unpack

    settings, _ = read_settings(model)
    weights = unpack(load_file(model / WEIGHTS_NAME))
    config: Any = AutoConfig.from_pretrained(model)
    config.id2label = {OUTSIDE: "O", BEGIN: f"B-{LAYER}", INSIDE: f"I-{LAYER}"}
    config.label2id = {name: index for index, name in config.id2label.items()}
    build: Any = AutoModelForTokenClassification
    classifier = build.from_config(config, dtype=torch.float32)
    classifier.base_model.load_state_dict(_below(weights, "encoder."))
    layer = settings.scheme.type_names.index(LAYER)
    rows = slice(TAG_COUNT * layer, TAG_COUNT * (layer + 1))
    classifier.classifier = torch.nn.Sequential(
        torch.nn.LayerNorm(config.hidden_size), torch.nn.Linear(config.hidden_size, TAG_COUNT)
    )
    norm = {f"0.{name}": values for name, values in _below(weights, "norm.").items()}
    head = {f"1.{name}": values[rows] for name, values in _below(weights, "tag_head.").items()}
    classifier.classifier.load_state_dict(norm | head)
    return classifier.eval()


def _below(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): values for name, values in weights.items() if name.startswith(prefix)}


class UndertheseaEngine:
    """`underthesea.ner`, line by line over the whole text; persons count as officials and locations as places."""

    def __init__(self, model: Path) -> None:
        from underthesea import ner

        self._ner = ner

    def warm_up(self, documents: Sequence[Document]) -> None:
        self.run(documents[:2])

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        return len(documents), [_tagged(document, self._spans(document.text)) for document in documents]

    def _spans(self, text: str) -> Iterator[Span]:
        start = 0
        for line in text.split("\n"):
            if line.strip():
                tokens = [(str(token[0]), str(token[-1])) for token in self._ner(line)]
                for left, right, kind in entities(line, tokens):
                    yield Span(start + left, start + right, kind)
            start += len(line) + 1


def entities(line: str, tokens: Sequence[tuple[str, str]]) -> Iterator[tuple[int, int, str]]:
    """Offsets and types of the entities among words with BIO tags, laid over their line by counting characters.

    Words are compared by number of characters alone, since underthesea moves tone marks; raises ValueError where
    their numbers differ.
    """
    solid = [place for place, character in enumerate(line) if not character.isspace()]
    if sum(len("".join(word.split())) for word, _ in tokens) != len(solid):
        raise ValueError(f"{line!r}: underthesea gave other characters back")
    used = 0
    open_entity: tuple[int, int, str] | None = None
    for word, tag in tokens:
        length = len("".join(word.split()))
        left, right = solid[used], solid[used + length - 1] + 1
        used += length
        kind = UNDERTHESEA_TYPES.get(tag[2:])
        if open_entity and tag.startswith("I-") and kind == open_entity[2]:
            open_entity = (open_entity[0], right, open_entity[2])
            continue
        if open_entity:
            yield open_entity
        open_entity = (left, right, kind) if kind else None
    if open_entity:
        yield open_entity
