"""Articles through a model: body, normalised text, windows, scores, calibration, and what thresholds let pass."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from hoidam.decode import ArticleScores, WordSpan, find_spans, merge_windows, span_categories
from hoidam.document import Annotated, Span, Tagged
from hoidam.encode.batches import EncodedWindow, batch_rows, pad_batch, plan_batches
from hoidam.encode.tags import TAG_COUNT
from hoidam.encode.text import EncodedText, TextEncoder
from hoidam.errors import DataError
from hoidam.evaluate.items import ALL_CATEGORIES
from hoidam.ingest.body import find_body
from hoidam.ingest.normalise import Normalised, normalise
from hoidam.labels import LabelScheme
from hoidam.networks import Network, NetworkScores

_LEAST_SCORE = 1e-12
"""Scores closer to 0 or 1 count as so close, so that their odds are finite."""
_FULL_LENGTH = 300
"""Words from which on an article must show all the evidence that is asked for; a shorter one must in proportion."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An input text as the model reads it: its body, `length` code points from `body_start` on, normalised, encoded."""

    body_start: int
    length: int
    normalised: Normalised
    encoded: EncodedText

    def input_offsets(self, span: WordSpan) -> tuple[int, int]:
        """Where a span over words lies in the input text, in its own code points."""
        words = self.encoded.words
        start, end = self.normalised.to_input(words.starts[span.start], words.ends[span.end - 1])
        return self.body_start + start, self.body_start + end

    def unreachable(self, gold: Annotated) -> dict[Span, str]:
        """The gold spans that no prediction on this reading can equal, each with the cause."""
        causes = {}
        body_end = self.body_start + self.length
        for span in gold.spans:
            if not self.body_start <= span.start < span.end <= body_end:
                causes[span] = "outside the body found"
                continue
            start, end = self.normalised.from_input(span.start - self.body_start, span.end - self.body_start)
            if self.encoded.words.within(start, end) is None:
                causes[span] = "edge inside a word"
            elif "\n" in self.normalised.text[start:end]:
                causes[span] = "over a line end"
        return causes


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """A map of scores that keeps their order: `slope` and `intercept` on the logit; as it stands, every score stays.

    Platt scaling (Platt 1999). Raises DataError unless the slope is above 0 and both are finite.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.slope < math.inf and math.isfinite(self.intercept)):
            raise DataError(
                f"slope {self.slope}, intercept {self.intercept}",
                field="calibration",
                cure="Need a finite slope above 0",
            )

    def __call__(self, score: float) -> float:
        """The score, 0 to 1, that a score from 0 to 1 becomes."""
        return (1 + math.tanh((self.slope * logit(score) + self.intercept) / 2)) / 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores are mapped, by span type and for article categories, to be the share of such items that are right."""

    spans: Mapping[str, ScoreMap] = field(default_factory=dict)
    categories: ScoreMap = ScoreMap()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Calibrated scores that a span of each type, and an article's category, must reach to be given out.

    An article whose categories' scores add up to less than `article` has none, and no span with a category: the sum is
    the number of categories to be expected. What is about cooperation speaks of several fields, or of one for certain.
    Of a text of less than 300 words a share of `article` is asked for: a brief has no room to speak of several.
    """

    spans: Mapping[str, float]
    categories: float = 0.5
    article: float = 0.0

    def by_label(self) -> dict[str, float]:
        """The thresholds of span types, and of categories under `ALL_CATEGORIES`, as evaluation names them."""
        return {**self.spans, ALL_CATEGORIES: self.categories}


@dataclass(frozen=True, slots=True)
class Prediction:
    """Spans in text order on the input's offsets, and categories, with scores from 0 to 1.

    What a Predictor gives holds every span that it found, every category, and the network's own scores. `words` of the
    text were read, divided at white space.
    """

    spans: tuple[Span, ...]
    categories: Mapping[str, float]
    words: int

    @property
    def evidence(self) -> float:
        """The number of categories to be expected, counted up for a short text to what a whole article would show."""
        return sum(self.categories.values()) / min(1.0, max(1, self.words) / _FULL_LENGTH)

    def calibrated(self, calibration: Calibration) -> "Prediction":
        """The same spans and categories with their scores mapped."""
        maps = calibration.spans
        return replace(
            self,
            spans=tuple(replace(span, score=maps.get(span.type, ScoreMap())(span.score or 0.0)) for span in self.spans),
            categories={name: calibration.categories(score) for name, score in self.categories.items()},
        )

    def above(self, thresholds: Thresholds) -> "Prediction":
        """What reaches its threshold; categories from the highest score down."""
        about_any = self.evidence >= thresholds.article
        categories = {
            name: score
            for name, score in sorted(self.categories.items(), key=lambda item: (-item[1], item[0]))
            if about_any and score >= thresholds.categories
        }
        spans = tuple(
            span
            for span in self.spans
            if (span.score or 0.0) >= thresholds.spans.get(span.type, 0.0) and (about_any or span.category is None)
        )
        return replace(self, spans=spans, categories=categories)

    def tagged(self, name: str, *, source: str = "", model: str = "") -> Tagged:
        """The prediction under an article's id, with where the text and the prediction come from."""
        return Tagged(name, source, self.spans, self.categories, model)


class Predictor:
    """Applies a network to texts; batches run over the windows of all texts given together.

    It keeps no state: many threads may call it at once.
    """

    def __init__(self, network: Network, *, encoder: TextEncoder, scheme: LabelScheme) -> None:
        self.network = network
        self.encoder = encoder
        self.scheme = scheme
        self._threads = ThreadPoolExecutor(network.threads, thread_name_prefix="network")

    def predict(
        self, texts: Sequence[str], *, bodies: Sequence[tuple[int, int] | None] | None = None
    ) -> list[Prediction]:
        """Find the spans and categories of texts as they were given, in their `bodies` where these are known."""
        known = bodies or [None] * len(texts)
        readings = [self.read(text, body=body) for text, body in zip(texts, known, strict=True)]
        scores = self.score([reading.encoded for reading in readings])
        return [self._decide(reading, found) for reading, found in zip(readings, scores, strict=True)]

    def read(self, text: str, *, body: tuple[int, int] | None = None) -> Reading:
        """Find the body of a text unless it is known, normalise and encode it."""
        start, end = body or find_body(text)
        normalised = normalise(text[start:end])
        return Reading(start, end - start, normalised, self.encoder.encode(normalised.text))

    def score(self, texts: Sequence[EncodedText]) -> list[ArticleScores]:
        """The network's scores for each text, in the order given."""
        rows = iter(self.score_windows([window for text in texts for window in text.encoded]))
        return [self._merge(text, [next(rows) for _ in text.windows]) for text in texts]

    def score_windows(self, windows: Sequence[EncodedWindow]) -> list[NetworkScores]:
        """The network's scores of each window, for its own words alone, in the order given."""
        plan = list(plan_batches([len(window.ids) for window in windows], budget=self.network.batch_pieces))
        rows: dict[int, NetworkScores] = {}
        batches = [[windows[index] for index in batch] for batch in plan]
        for batch, scores in zip(plan, self._threads.map(self._forward, batches), strict=True):
            rows.update(zip(batch, scores, strict=True))
        return [rows[index] for index in range(len(windows))]

    def _forward(self, windows: Sequence[EncodedWindow]) -> list[NetworkScores]:
        """Scores of windows of one padded length, each for its own words alone."""
        rows = batch_rows(len(windows[0].ids), budget=self.network.batch_pieces)
        # A batch that is not full is filled up: its shape is then that of every batch of its length.
        filled = [*windows, *[windows[0]] * (rows - len(windows))]
        scores = self.network.score(pad_batch(filled, pad_id=self.encoder.pieces.pad_id))
        return [
            NetworkScores(scores.tags[row, :words], scores.categories[row, :words], scores.article[row])
            for row, words in enumerate(window.word_count for window in windows)
        ]

    def _merge(self, text: EncodedText, rows: Sequence[NetworkScores]) -> ArticleScores:
        if not rows:
            categories = len(self.scheme.categories)
            return ArticleScores(
                tags=np.zeros((0, len(self.scheme.types), TAG_COUNT)),
                categories=np.zeros((0, categories)),
                article=np.zeros(categories),
            )
        return merge_windows(
            text.windows,
            line_starts=text.words.line_starts(),
            tags=[row.tags for row in rows],
            categories=[row.categories for row in rows],
            article=[row.article for row in rows],
        )

    def _decide(self, reading: Reading, scores: ArticleScores) -> Prediction:
        spans = []
        evidence = np.zeros(len(self.scheme.categories))
        for found in find_spans(scores, flat=self.scheme.flat):
            kind = self.scheme.types[found.type]
            category, score = None, found.score
            if kind.categorised:
                probabilities = span_categories(scores, found)
                best = int(probabilities.argmax())
                category = self.scheme.category_names[best]
                evidence = np.maximum(evidence, found.score * probabilities)
                score *= float(probabilities[best])
            spans.append(Span(*reading.input_offsets(found), kind.name, category, score))
        categories = (evidence + scores.article) / 2
        return Prediction(
            tuple(sorted(spans)),
            dict(zip(self.scheme.category_names, categories.tolist(), strict=True)),
            words=len(reading.normalised.text.split()),
        )


def logit(score: float) -> float:
    """The log of a score's odds, finite for 0 and 1 too."""
    kept = min(max(score, _LEAST_SCORE), 1 - _LEAST_SCORE)
    return math.log(kept) - math.log1p(-kept)
