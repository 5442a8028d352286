"""Words to pieces: a tokenizer asked word by word, so that every piece knows its word and with it its characters."""

import json
from typing import Any

from tokenizers import Tokenizer

from hoidam.encode.words import Words

LONGEST_WORD = 24
"""Pieces that stand for one word at most; what is longer is no word of a language, and its beginning says enough."""

_CACHE_LIMIT = 1_000_000


class PieceTable:
    """Piece ids by word, cached; built on any tokenizer that `transformers` loads, fast or pure Python."""

    def __init__(self, tokenizer: Any) -> None:
        self.pad_id: int = tokenizer.pad_token_id
        self.first_id: int = _either(tokenizer.cls_token_id, tokenizer.bos_token_id)
        self.last_id: int = _either(tokenizer.sep_token_id, tokenizer.eos_token_id)
        self._unknown_id: int = tokenizer.unk_token_id
        self._tokenizer = tokenizer
        self._fast = _without_added_space(tokenizer.backend_tokenizer) if tokenizer.is_fast else None
        self._cache: dict[str, tuple[int, ...]] = {}

    def encode(self, words: Words) -> list[tuple[int, ...]]:
        """Piece ids of every word, one to LONGEST_WORD each."""
        return [self.word_ids(words.surface(word), spaced=words.spaced(word)) for word in range(len(words))]

    def word_ids(self, surface: str, *, spaced: bool) -> tuple[int, ...]:
        """Piece ids of one word, which follows white space where `spaced`."""
        key = f" {surface}" if spaced else surface
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            found = self._cache[key] = tuple(self._look_up(key)[:LONGEST_WORD]) or (self._unknown_id,)
        return found

    def _look_up(self, key: str) -> list[int]:
        if self._fast is not None:
            return list(self._fast.encode(key, add_special_tokens=False).ids)
        return list(self._tokenizer.convert_tokens_to_ids(self._tokenizer.tokenize(key.strip())))


def _either(preferred: int | None, other: int | None) -> int:
    value = preferred if preferred is not None else other
    if value is None:
        raise ValueError("a tokenizer without sequence start and end pieces cannot feed an encoder")
    return value


def _without_added_space(backend: Tokenizer) -> Tokenizer:
    """A copy that puts no space before a text by itself: whether a word follows one is known here."""
    data = json.loads(backend.to_str())
    stack = [data.get("pre_tokenizer"), data.get("normalizer"), data.get("decoder")]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if part.get("type") == "Metaspace":
                part["prepend_scheme"] = "never"
            if part.get("type") == "ByteLevel" and "add_prefix_space" in part:
                part["add_prefix_space"] = False
            stack.extend(part.get("pretokenizers", []) + part.get("normalizers", []))
    data["truncation"] = data["padding"] = None
    return Tokenizer.from_str(json.dumps(data))
