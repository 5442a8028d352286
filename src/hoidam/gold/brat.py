"""brat's standoff files: a `.txt` with the text and an `.ann` with its annotations, by article.

A span with a category has it as the attribute `Category`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hoidam.document import Annotated, Article, read_articles, read_gold
from hoidam.errors import DataError
from hoidam.files import read_text, whole_folder
from hoidam.gold.exchange import Imported, derive_scheme, make_annotated
from hoidam.gold.offsets import Count, Mention
from hoidam.labels import LabelScheme

ATTRIBUTE = "Category"
PARTED = "spans in several parts, left out"
NOT_SPANS = "annotations that are no spans, left out"
COUNTS = (Count(utf16=False), Count(utf16=False, crlf_as_one=True))

_SPAN = re.compile(r"(T\d+)\t(\S+) (\d+) (\d+)\t(.*)")
_PARTED = re.compile(r"T\d+\t\S+ \d+ \d+(?:;\d+ \d+)+\t.*")
_CATEGORY = re.compile(rf"A\d+\t{ATTRIBUTE} (T\d+) (\S+)")
_OTHER = re.compile(r"[A-SU-Z#*]\S*\t.*")


def read_brat(paths: Iterable[Path], *, scheme: LabelScheme | None = None) -> Imported:
    """Read `.ann` files, each with the `.txt` beside it, whose name is the id; raises DataError with the file."""
    mended: Counter[str] = Counter()
    found = [(path, _mentions(path, mended)) for path in paths]
    if scheme is None:
        labels = (mention.label for _, mentions in found for mention in mentions)
        scheme = derive_scheme(labels, flat=False, cure="Give the .ann files")
    annotated = []
    for path, mentions in found:
        article = Article(path.stem, read_text(path.with_suffix(".txt")))
        try:
            annotated.append(make_annotated(article, mentions, counts=COUNTS, scheme=scheme, mended=mended))
        except DataError as error:
            raise error.at(path) from None
    return Imported(annotated, scheme, dict(+mended))


def _mentions(path: Path, mended: Counter[str]) -> list[Mention]:
    spans: dict[str, re.Match[str]] = {}
    categories: dict[str, str] = {}
    for number, line in enumerate(read_text(path).replace("\r\n", "\n").split("\n"), start=1):
        if match := _SPAN.fullmatch(line):
            spans[match[1]] = match
        elif match := _CATEGORY.fullmatch(line):
            categories[match[1]] = match[2]
        elif _PARTED.fullmatch(line):
            mended[PARTED] += 1
        elif _OTHER.fullmatch(line):
            mended[NOT_SPANS] += 1
        elif line.strip():
            raise DataError(f"found {line!r}", path=path, line=number, cure="Give brat's .ann files")
    return [_mention(match, categories) for match in spans.values()]


def _mention(match: re.Match[str], categories: Mapping[str, str]) -> Mention:
    key, kind, start, end, surface = match.groups()
    return Mention(int(start), int(end), f"{kind}.{categories[key]}" if key in categories else kind, surface)


def export_brat(
    gold: Sequence[Path], *, articles: Sequence[Path], scheme: LabelScheme, output: Path, force: bool = False
) -> list[Annotated]:
    """Worker of `hoidam gold export --format brat`: write a folder with two files an article; gives the gold.

    Raises DataError as `read_gold` does, where an id cannot be a file's name, and where the folder exists and `force`
    is not given; with `force` it is replaced, if it holds nothing else than such files.
    """
    if output.is_dir() and any(path.suffix not in (".txt", ".ann") for path in output.iterdir()):
        raise DataError("holds other files than .txt and .ann", path=output, cure="Give another name")
    annotated = read_gold(gold, read_articles(articles), scheme)
    for one in annotated:
        if "/" in one.id or one.id.startswith("."):
            raise DataError(f"{one.id!r} cannot be a file's name", field="id", cure="Export another format")
    with whole_folder(output, force=force) as folder:
        for one in annotated:
            (folder / f"{one.id}.txt").write_text(one.article.text, encoding="utf-8", newline="")
            (folder / f"{one.id}.ann").write_text("".join(_lines(one)), encoding="utf-8", newline="")
    return annotated


def _lines(one: Annotated) -> Iterable[str]:
    for number, span in enumerate(one.spans, start=1):
        surface = " ".join(one.article.text[span.start : span.end].splitlines())
        yield f"T{number}\t{span.type} {span.start} {span.end}\t{surface}\n"
        if span.category is not None:
            yield f"A{number}\t{ATTRIBUTE} T{number} {span.category}\n"
