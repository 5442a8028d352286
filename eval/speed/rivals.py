"""Other packages on the same articles: transformers' pipeline with our weights, and underthesea's tagger."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from eval.speed.reading import Reader
from hoidam.checkpoint import WEIGHTS_NAME, read_settings
from hoidam.document import Span, Tagged
from hoidam.encode.tags import BEGIN, INSIDE, OUTSIDE, TAG_COUNT
from hoidam.encode.windows import Window
from hoidam.encode.words import Words
from hoidam.ingest.normalise import Normalised
from hoidam.ingest.readers import Document

LAYER = "PLACE"
"""The one tag layer that the pipeline is given; it has one softmax a piece, and our layers nest."""

UNDERTHESEA_TYPES = {"PER": "OFFICIAL", "LOC": "PLACE"}


@dataclass(frozen=True, slots=True)
class WindowText:
    """The text that one of our windows reads, `start` code points into the normalised body, and what it owns of it."""

    text: str
    start: int
    own_start: int
    own_end: int


def window_text(words: Words, window: Window) -> WindowText:
    """Cut a window's text out, between the first and the last word that the window reads."""
    start, end = words.starts[window.start], words.ends[window.end - 1]
    return WindowText(words.text[start:end], start, words.starts[window.own_start], words.ends[window.own_end - 1])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document as the pipeline gets it: where the body starts, its map back to the input, and its windows' texts."""

    body_start: int
    normalised: Normalised
    windows: tuple[WindowText, ...]

    def place(self, window: WindowText, found: dict[str, Any]) -> Span | None:
        """An entity of the pipeline on the input's offsets; None where another window owns its first character."""
        surface = window.text[found["start"] : found["end"]]
        start = window.start + found["start"] + len(surface) - len(surface.lstrip())
        end = start + len(surface.strip())
        if not window.own_start <= start < window.own_end or start == end:
            return None
        left, right = self.normalised.to_input(start, end)
        return Span(self.body_start + left, self.body_start + right, LAYER, None, float(found["score"]))


class PipelineEngine:
    """`transformers.pipeline("token-classification")` over our encoder in float32, `batch_size` windows at a time.

    Bodies, normalised text and windows are cut beforehand, outside what is timed.
    """

    def __init__(self, model: Path, *, batch_size: int) -> None:
        from transformers import pipeline

        self._reader = Reader(model)
        self._prepared: dict[str, Prepared] = {}
        self._batch_size = batch_size
        build: Any = pipeline
        self.pipeline = build(
            "token-classification",
            model=build_classifier(model),
            tokenizer=self._reader.tokenizer,
            aggregation_strategy="simple",
            device="cuda" if torch.cuda.is_available() else "cpu",
        )

    def prepare(self, document: Document) -> Prepared:
        """What the pipeline is given of a document, made once."""
        if document.id not in self._prepared:
            reading = self._reader.read(document.text)
            windows = tuple(window_text(reading.encoded.words, window) for window in reading.encoded.windows)
            self._prepared[document.id] = Prepared(reading.start, reading.normalised, windows)
        return self._prepared[document.id]

    def warm_up(self, documents: Sequence[Document]) -> None:
        self.run(documents)

    def run(self, documents: Sequence[Document]) -> tuple[int, list[Tagged]]:
        prepared = [self.prepare(document) for document in documents]
        texts = [window.text for one in prepared for window in one.windows]
        found = iter(self.pipeline(texts, batch_size=self._batch_size))
        return len(documents), [
            _tagged(document, chain.from_iterable(_placed(one, window, next(found)) for window in one.windows))
            for document, one in zip(documents, prepared, strict=True)
        ]


def _placed(prepared: Prepared, window: WindowText, found: Iterable[dict[str, Any]]) -> Iterator[Span]:
    for entity in found:
        span = prepared.place(window, entity)
        if span is not None:
            yield span


def _tagged(document: Document, spans: Iterable[Span]) -> Tagged:
    return Tagged(document.id, document.source, tuple(sorted(set(spans))), {}, "")


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
