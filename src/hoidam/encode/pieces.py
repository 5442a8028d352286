"""Words to pieces: a tokenizer asked word by word, so that every piece knows its word and with it its characters."""

import json
from typing import Any

from tokenizers import Tokenizer

from hoidam.encode.words import Words
from hoidam.errors import CheckpointError

LONGEST_WORD = 24
"""Pieces that stand for one word at most; what is longer is no word of a language, and its beginning says enough."""

LONGEST_SURFACE = 1_000
"""Characters of a word that a tokenizer is shown: the time of a pure Python one grows faster than a word's length."""

_CACHED_WORDS, _CACHED_SURFACE = 1 << 16, 64
"""How many words are kept with their pieces, and of how many characters at most: longer ones seldom come again."""


class PieceTable:
    """Piece ids by word, cached; built on any tokenizer that `transformers` loads, fast or pure Python.

    Raises CheckpointError on a tokenizer without padding, start or end pieces, which feeds no encoder, and on one that
    has no others: that is what `transformers` makes of a folder whose tokenizer files are missing.
    """

    def __init__(self, tokenizer: Any) -> None:
        if len(tokenizer) <= 2 * len(tokenizer.all_special_tokens):
            raise CheckpointError(f"{tokenizer.name_or_path}: no tokenizer's files. Copy the folder again, with them")
        self.pad_id = _id_of(tokenizer, "pad_token_id")
        self.first_id = _id_of(tokenizer, "cls_token_id", "bos_token_id")
        self.last_id = _id_of(tokenizer, "sep_token_id", "eos_token_id")
        self._unknown_id = _id_of(tokenizer, "unk_token_id", "pad_token_id")
        self._tokenizer = tokenizer
        self._fast = _without_added_space(tokenizer.backend_tokenizer) if tokenizer.is_fast else None
        self._cache: dict[str, tuple[int, ...]] = {}

    def encode(self, words: Words) -> list[tuple[int, ...]]:
        """Piece ids of every word, one to LONGEST_WORD each."""
        return [self.word_ids(words.surface(word), spaced=words.spaced(word)) for word in range(len(words))]

    def word_ids(self, surface: str, *, spaced: bool) -> tuple[int, ...]:
        """Piece ids of one word, which follows white space where `spaced`."""
        surface = surface[:LONGEST_SURFACE]
        key = f" {surface}" if spaced else surface
        found = self._cache.get(key)
        if found is None:
            found = tuple(self._look_up(key)[:LONGEST_WORD]) or (self._unknown_id,)
            self._keep(key, found)
        return found

    def _keep(self, key: str, found: tuple[int, ...]) -> None:
        if len(key) > _CACHED_SURFACE:
            return
        if len(self._cache) >= _CACHED_WORDS:
            self._cache.clear()
        self._cache[key] = found

    def _look_up(self, key: str) -> list[int]:
        if self._fast is not None:
            return list(self._fast.encode(key, add_special_tokens=False).ids)
        return list(self._tokenizer.convert_tokens_to_ids(self._tokenizer.tokenize(key.strip())))


def _id_of(tokenizer: Any, *names: str) -> int:
    for name in names:
        found = getattr(tokenizer, name, None)
        if found is not None:
            return int(found)
    raise CheckpointError(
        f"{tokenizer.name_or_path}: a tokenizer with no {' or '.join(names)}. Give an encoder, not a text generator"
    )


def _without_added_space(backend: Tokenizer) -> Tokenizer:
    """A copy that neither puts a space before a text nor takes one away: whether a word follows one is known here."""
    data = json.loads(backend.to_str())
    for name in ("normalizer", "pre_tokenizer"):
        data[name] = _keep_leading_space(data.get(name))
    data["truncation"] = data["padding"] = None
    return Tokenizer.from_str(json.dumps(data))


def _keep_leading_space(part: dict[str, Any] | None) -> dict[str, Any] | None:
    """A step of a tokenizer's reading, as its JSON holds it, changed so that a text's first space stays as it is."""
    if part is None or part["type"] == "Prepend":
        return None
    kind: str = part["type"]
    if kind == "Sequence":
        (name,) = part.keys() - {"type"}
        steps = [step for member in part[name] if (step := _keep_leading_space(member)) is not None]
        if any(step["type"] == "Metaspace" for step in steps):
            # A word has no space but the first, which this would throw away before Metaspace can mark it.
            steps = [step for step in steps if step["type"] != "WhitespaceSplit"]
        return {"type": kind, name: steps}
    changes: dict[str, dict[str, Any]] = {
        "Metaspace": {"prepend_scheme": "never"},
        "ByteLevel": {"add_prefix_space": False},
        "Strip": {"strip_left": False},
    }
    return part | changes.get(kind, {})
