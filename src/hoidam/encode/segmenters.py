"""Word segmenters: what joins Vietnamese syllables into words, for encoders that were trained on joined words."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from hoidam.errors import CheckpointError, MissingExtraError, RecipeError


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A named segmenter: `segment` turns a line into words, or gives None where syllables are the words.

    The words hold the line's characters in order; white space between syllables of one word is free.
    """

    name: str
    version: str
    segment: Callable[[str], list[str] | None]


def _no_segmenter() -> Segmenter:
    return Segmenter("none", "", lambda line: None)


def _underthesea() -> Segmenter:
    try:
        from underthesea import word_tokenize
    except ImportError:
        raise MissingExtraError("underthesea", extra="underthesea", purpose="The underthesea segmenter") from None
    return Segmenter(
        "underthesea",
        metadata.version("underthesea"),
        # Its normalising moves tone marks, which would lose the characters that offsets count.
        lambda line: list(word_tokenize(line, use_token_normalize=False)),
    )


_LOADERS: dict[str, Callable[[], Segmenter]] = {"none": _no_segmenter, "underthesea": _underthesea}
SEGMENTER_NAMES = tuple(_LOADERS)


def load_segmenter(name: str, *, version: str | None = None) -> Segmenter:
    """Load a segmenter by name.

    Raises RecipeError on an unknown name, MissingExtraError where its package is not installed, and CheckpointError
    where `version` (what a model was trained with) is given and another is installed: words would be cut otherwise.
    """
    if name not in _LOADERS:
        raise RecipeError(f"segmenter: unknown name {name!r}. Known: {', '.join(_LOADERS)}")
    segmenter = _LOADERS[name]()
    if version is not None and version != segmenter.version:
        raise CheckpointError(
            f"the model was trained with {name} {version}, and {segmenter.version} is installed. "
            f"Install the same: pip install '{name}=={version}'"
        )
    return segmenter
