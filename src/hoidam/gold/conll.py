"""CoNLL files: a token a line with its tags, an empty line after each sentence.

    Bệnh    O
    nhân    O
    523     B-PATIENT_ID

Columns stand apart by tabs in a line that has one, else by blanks; `-DOCSTART-` lines part documents. An article's text
is its tokens in NFC, joined by spaces, and its sentences by line ends; a token without characters of its own, such as a
lone no-break space, has no place in it. Several columns of tags are layers whose spans may nest.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from hoidam.errors import DataError
from hoidam.files import read_text
from hoidam.gold.tagging import OUTSIDE, Tagging

TOKEN, TAG, PASSED, REST = "token", "tag", "_", "*"
DOCUMENT_START = "-DOCSTART-"

_BLANKS = re.compile(r"[ \t]+")
_JOINER = re.compile(r"(?<=[^_])_(?=[^_])")

Unit = Literal["sentence", "document"]
Places = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Layout:
    """How CoNLL files are laid out.

    `columns` name a line's columns in order: `token`; `tag` for each layer of tags, or `tag:TYPE` for one that has a
    type's bare letters; `_` for a column to pass over, and `*` for any number of these. `unit` is what becomes one
    article. In `joined` files, word-segmented ones, a `_` between two other characters of a token stands for a space.
    Lines that begin with `comment` are passed over. Raises DataError on columns that cannot be.
    """

    columns: tuple[str, ...] = (TOKEN, REST, TAG)
    tagging: Tagging = "bio"
    unit: Unit = "sentence"
    joined: bool = False
    comment: str = ""

    def __post_init__(self) -> None:
        known = all(name in (TOKEN, PASSED, REST) or _is_tag(name) for name in self.columns)
        if not known or self.columns.count(TOKEN) != 1 or self.columns.count(REST) > 1 or not self.layers:
            raise DataError(
                f"found {','.join(self.columns)!r}",
                field="columns",
                cure="Name `token` once and `tag` or `tag:TYPE` at least once, `_` for a column to pass over, and at "
                "most one `*` for any number of these",
            )

    @property
    def layers(self) -> tuple[str, ...]:
        """The columns with tags."""
        return tuple(filter(_is_tag, self.columns))

    def read_line(self, line: str) -> tuple[str, tuple[str, ...]]:
        """Token and tags of a line; raises DataError where it has other columns."""
        cells = [cell.strip(" ") for cell in line.split("\t")] if "\t" in line else _BLANKS.split(line.strip(" "))
        passed = len(cells) - len(self.columns) + 1
        names = [each for name in self.columns for each in ([PASSED] * passed if name == REST else [name])]
        if len(names) != len(cells):
            raise DataError(
                f"found {len(cells)} columns in {line!r}",
                cure=f"Need {','.join(self.columns)}; name them with --columns",
            )
        tags = tuple(_full_tag(cell, name) for name, cell in zip(names, cells, strict=True) if _is_tag(name))
        return cells[names.index(TOKEN)], tags

    def shown(self, surface: str) -> str:
        """A token as the article has it."""
        text = unicodedata.normalize("NFC", surface)
        return (_JOINER.sub(" ", text) if self.joined else text).strip()


def _is_tag(column: str) -> bool:
    return column == TAG or bool(_type_of(column))


def _type_of(column: str) -> str:
    """The type of a `tag:TYPE` column, else nothing."""
    name, _, label = column.partition(":")
    return label if name == TAG else ""


def _full_tag(cell: str, column: str) -> str:
    label = _type_of(column)
    return f"{cell}-{label}" if label and cell != OUTSIDE and "-" not in cell else cell


@dataclass(frozen=True, slots=True)
class Token:
    """A line of a file: its number from 1, the token as it is there and as the article has it, a tag for each layer."""

    line: int
    surface: str
    text: str
    tags: tuple[str, ...]


Sentence = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class ConllDocument:
    """What becomes one article: the file's name with a number as its id, and its sentences."""

    id: str
    path: Path
    sentences: tuple[Sentence, ...]

    def lay(self) -> tuple[str, list[Places]]:
        """Its text, and by sentence the place of each token in it; a token without characters has an empty one."""
        lines: list[str] = []
        places: list[Places] = []
        start = 0
        for sentence in self.sentences:
            line, found = _lay_sentence(sentence, start)
            lines.append(line)
            places.append(found)
            start += len(line) + 1
        return "\n".join(lines), places


def _lay_sentence(sentence: Sentence, start: int) -> tuple[str, Places]:
    line = ""
    places: Places = []
    for token in sentence:
        line += " " if line and token.text else ""
        places.append((start + len(line), start + len(line) + len(token.text)))
        line += token.text
    return line, places


def read_documents(paths: Iterable[Path], *, layout: Layout) -> list[ConllDocument]:
    """What files hold: a document a sentence, or one for each `-DOCSTART-` line.

    Raises DataError with file and line where a line has other columns than the layout, where documents are wanted of a
    file that parts none, and where two files have one name, and with it their documents.
    """
    found: list[ConllDocument] = []
    names: dict[str, Path] = {}
    for path in paths:
        if path.stem in names:
            problem = f"is named like {names[path.stem]}, and articles are named by their files"
            raise DataError(problem, path=path, cure="Rename one of the two")
        names[path.stem] = path
        found += _read_file(path, layout)
    return found


def _read_file(path: Path, layout: Layout) -> Iterator[ConllDocument]:
    lines = read_lines(path)
    sentences = _sentences(lines, path, layout)
    if layout.unit == "sentence":
        units = [[sentence] for _, sentence in sentences]
    elif any(line.startswith(DOCUMENT_START) for line in lines):
        units = [[sentence for _, sentence in group] for _, group in groupby(sentences, key=lambda pair: pair[0])]
    else:
        raise DataError(f"no {DOCUMENT_START} line", path=path, cure="Take sentences as articles, --unit sentence")
    yield from (ConllDocument(f"{path.stem}-{number}", path, tuple(unit)) for number, unit in enumerate(units, start=1))


def read_lines(path: Path) -> list[str]:
    """The lines of a file, whichever line ends it has."""
    text = read_text(path).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def _sentences(lines: Iterable[str], path: Path, layout: Layout) -> Iterator[tuple[int, Sentence]]:
    """Each sentence with the number of `-DOCSTART-` lines above it."""
    documents = 0
    tokens: list[Token] = []
    for number, line in enumerate((*lines, ""), start=1):
        if layout.comment and line.startswith(layout.comment):
            continue
        begins = line.startswith(DOCUMENT_START)
        if line.strip() and not begins:
            tokens.append(_token(line, number, path, layout))
        elif tokens:
            yield documents, tuple(tokens)
            tokens = []
        documents += begins


def _token(line: str, number: int, path: Path, layout: Layout) -> Token:
    try:
        surface, tags = layout.read_line(line)
    except DataError as error:
        raise error.at(path, number) from None
    return Token(number, surface, layout.shown(surface), tags)
