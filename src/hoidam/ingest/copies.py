"""Copies: articles whose bodies say the same in the same words, wherever they come from."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from hoidam.ingest.body import find_body
from hoidam.ingest.normalise import normalise


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A document that repeats an earlier one; `similarity` is 1 where the words are the same."""

    id: str
    source: str
    duplicate_of: str
    similarity: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        similarity = round(self.similarity, 3)
        return {"id": self.id, "source": self.source, "duplicate_of": self.duplicate_of, "similarity": similarity}


def syllables(text: str, body: tuple[int, int] | None = None) -> list[str]:
    """What bodies are compared by: their syllables, normalised and in lower case; the body is found if not given.

    Of a body without letters and digits it is the signs, as spaces part them.
    """
    start, end = body or find_body(text)
    said = normalise(text[start:end]).text.casefold()
    return re.findall(r"\w+", said) or said.split()


def content_key(text: str, body: tuple[int, int] | None = None) -> bytes:
    """A hash that two texts share whose bodies are the same row of syllables; 16 bytes."""
    return hashlib.blake2b(" ".join(syllables(text, body)).encode(), digest_size=16).digest()
