"""A whole text as a model reads it: words, pieces and windows together."""

from collections.abc import Iterable
from dataclasses import dataclass

from hoidam.encode.batches import EncodedWindow, encode_window
from hoidam.encode.pieces import PieceTable
from hoidam.encode.segmenters import Segmenter
from hoidam.encode.windows import Window, cut_windows
from hoidam.encode.words import Words, split_words


@dataclass(frozen=True, slots=True)
class EncodedText:
    """The words of a text and the windows that cover them, `windows[i]` encoded as `encoded[i]`."""

    words: Words
    windows: tuple[Window, ...]
    encoded: tuple[EncodedWindow, ...]


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """Turns normalised texts into windows of at most `size` pieces, specials not counted, with `overlap`."""

    pieces: PieceTable
    segmenter: Segmenter
    size: int
    overlap: int

    def encode(self, text: str, *, cuts: Iterable[int] = ()) -> EncodedText:
        """Encode one text; `cuts` are offsets at which words are cut, the gold edges in training."""
        words = split_words(text, self.segmenter).split_at(cuts)
        pieces = self.pieces.encode(words)
        windows = cut_windows([len(ids) for ids in pieces], words.sentence_ends(), size=self.size, overlap=self.overlap)
        first_id, last_id = self.pieces.first_id, self.pieces.last_id
        encoded = tuple(encode_window(pieces, window, first_id=first_id, last_id=last_id) for window in windows)
        return EncodedText(words, tuple(windows), encoded)
