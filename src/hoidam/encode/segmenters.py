"""Word segmenters: what joins Vietnamese syllables into words, for encoders that were trained on joined words."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hoidam.errors import CheckpointError, MissingExtraError, RecipeError

VNCORENLP_FOLDER = "VNCORENLP_FOLDER"
"""The environment variable that says where VnCoreNLP's jar and models lie."""


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A named segmenter: `segment` turns a line into words, or gives None where syllables are the words.

    The words hold the line's characters in order; white space between syllables of one word is free. `version` is that
    of `package`, which a segmenter that comes with hoidam does not have.
    """

    name: str
    version: str
    segment: Callable[[str], list[str] | None]
    package: str = ""


def _no_segmenter() -> Segmenter:
    return Segmenter("none", "", lambda line: None)


def _spaces() -> Segmenter:
    return Segmenter("spaces", "", str.split)


def _underthesea() -> Segmenter:
    try:
        from underthesea import word_tokenize
    except ImportError:
        raise MissingExtraError("underthesea", extra="underthesea", purpose="The underthesea segmenter") from None
    # Its normalising moves tone marks, which would lose the characters that offsets count.
    return _packaged("underthesea", lambda line: list(word_tokenize(line, use_token_normalize=False)))


def _pyvi() -> Segmenter:
    try:
        from pyvi import ViTokenizer
    except ImportError:
        raise MissingExtraError("pyvi", extra="pyvi", purpose="The pyvi segmenter") from None
    return _packaged("pyvi", lambda line: part_syllables(line, ViTokenizer.tokenize(line).split()))


def _vncorenlp() -> Segmenter:
    cure = (
        "Install Java and `pip install py_vncorenlp`, let its `download_model` fill a folder, and name that folder in "
        f"the environment variable {VNCORENLP_FOLDER}"
    )
    folder = os.environ.get(VNCORENLP_FOLDER)
    if not folder:
        raise RecipeError(f"The vncorenlp segmenter needs the folder of VnCoreNLP's jar and models. {cure}")
    here = Path.cwd()
    try:
        from py_vncorenlp import VnCoreNLP

        pipeline = VnCoreNLP(annotators=["wseg"], save_dir=str(Path(folder).absolute()))
    except Exception as error:
        raise RecipeError(f"The vncorenlp segmenter did not start ({type(error).__name__}: {error}). {cure}") from None
    finally:
        # It goes to its own folder and stays there, and paths of inputs and outputs are relative to this one.
        os.chdir(here)

    def segment(line: str) -> list[str]:
        return part_syllables(line, " ".join(pipeline.word_segment(line)).split())

    return _packaged("vncorenlp", segment, package="py_vncorenlp")


def _packaged(name: str, segment: Callable[[str], list[str]], *, package: str = "") -> Segmenter:
    return Segmenter(name, metadata.version(package or name), segment, package or name)


def part_syllables(line: str, words: Iterable[str]) -> list[str]:
    """Words whose syllables a segmenter joined by `_`, with spaces there; a `_` that the line itself has stays."""
    place = 0
    parted = []
    for word in words:
        place = _solid(line, place)
        characters = []
        for character in word:
            if character == "_" and line[place : place + 1] != "_":
                characters.append(" ")
                place = _solid(line, place)
            else:
                characters.append(character)
                place = _solid(line, place) + 1
        parted.append("".join(characters))
    return parted


def _solid(line: str, place: int) -> int:
    """The first place from `place` on that is not white space."""
    while line[place : place + 1].isspace():
        place += 1
    return place


_LOADERS: dict[str, Callable[[], Segmenter]] = {
    "none": _no_segmenter,
    "spaces": _spaces,
    "underthesea": _underthesea,
    "pyvi": _pyvi,
    "vncorenlp": _vncorenlp,
}
SEGMENTER_NAMES = tuple(_LOADERS)


def load_segmenter(name: str, *, version: str | None = None) -> Segmenter:
    """Load a segmenter by name.

    `none` takes syllables and punctuation marks for words, `spaces` whatever white space parts, as in a text that was
    cut into tokens before. Raises RecipeError on an unknown name or where VnCoreNLP does not start, MissingExtraError
    where a package is not installed, and CheckpointError where `version` (what a model was trained with) is given and
    another is installed: words would be cut otherwise.
    """
    if name not in _LOADERS:
        raise RecipeError(f"segmenter: unknown name {name!r}. Known: {', '.join(_LOADERS)}")
    segmenter = _LOADERS[name]()
    if version is not None and version != segmenter.version:
        raise CheckpointError(
            f"the model was trained with {name} {version}, and {segmenter.version} is installed. "
            f"Install the same: pip install '{segmenter.package}=={version}'"
        )
    return segmenter
