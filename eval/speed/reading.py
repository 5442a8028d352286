"""Texts as our models read them, for the rivals that are given the same windows and for counting what was read."""

from dataclasses import dataclass
from pathlib import Path

from hoidam.checkpoint import load_tokenizer, read_settings
from hoidam.encode.pieces import PieceTable
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.text import EncodedText, TextEncoder
from hoidam.ingest.body import find_body
from hoidam.ingest.normalise import Normalised, normalise


@dataclass(frozen=True, slots=True)
class Reading:
    """The body of a text, which starts at `start`: normalised, and encoded."""

    start: int
    normalised: Normalised
    encoded: EncodedText

    @property
    def pieces(self) -> int:
        """Pieces that the network reads, those of overlapping windows twice."""
        return sum(len(window.ids) for window in self.encoded.encoded)

    def to_input(self, first: int, end: int) -> tuple[int, int]:
        """Where the words `first` to `end` (exclusive) lie in the input text."""
        words = self.encoded.words
        start, stop = self.normalised.to_input(words.starts[first], words.ends[end - 1])
        return self.start + start, self.start + stop


class Reader:
    """Reads texts as the model in a folder does, without its network."""

    def __init__(self, model: Path) -> None:
        settings, _ = read_settings(model)
        self.tokenizer = load_tokenizer(str(model))
        segmenter = load_segmenter(settings.segmenter, version=settings.segmenter_version)
        self._encoder = TextEncoder(
            PieceTable(self.tokenizer), segmenter, size=settings.window_size, overlap=settings.window_overlap
        )

    def read(self, text: str) -> Reading:
        """Find the body of a text, normalise and encode it."""
        start, end = find_body(text)
        normalised = normalise(text[start:end])
        return Reading(start, normalised, self._encoder.encode(normalised.text))
