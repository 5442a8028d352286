"""What all exchange forms have in common: labels as names, a scheme where there is none, one way in and one out."""

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hoidam.document import Annotated, Article, Span, read_articles, read_gold
from hoidam.errors import DataError
from hoidam.files import refuse_inputs, toml_value, whole_file
from hoidam.gold.offsets import Count, Mention, place_mentions, store
from hoidam.gold.outputs import check_outputs, write_outputs
from hoidam.labels import LabelScheme, SpanType, read_labels

NESTED = "spans over part of another that they may not overlap, left out"
EMPTY = "articles or spans without characters, left out"
TRIMMED = "spans with white space at an edge, trimmed"

Labelled = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Imported:
    """Articles with gold, the scheme of their labels, and how many places were mended or left out, by kind."""

    annotated: Sequence[Annotated]
    scheme: LabelScheme
    mended: Mapping[str, int]


def import_gold(
    files: Sequence[Path],
    *,
    read: Callable[[LabelScheme | None], Imported],
    labels: Path,
    articles: Path,
    gold: Path,
    force: bool = False,
) -> Imported:
    """Worker of `hoidam gold import`: write what `read` makes of the files as articles and gold, and return it.

    Where there is no file `labels` yet, `read` derives a scheme, and it is written there. Raises DataError as `read`
    does, on an id met twice, and where an output exists and `force` is not given, is one of the files, or both are one.
    """
    check_outputs(articles, gold, inputs=files, force=force)
    known = read_labels(labels) if labels.exists() else None
    try:
        found = read(known)
    except UnknownLabelError as error:
        raise error.under(labels) from None
    twice = [name for name, count in Counter(one.id for one in found.annotated).items() if count > 1]
    if twice:
        raise DataError(
            f"{twice[0]!r} occurs twice", field="id", cure="Import the files one by one, to outputs of their own"
        )
    write_outputs(found.annotated, articles=articles, gold=gold, force=force)
    if known is None:
        with whole_file(labels) as stream:
            stream.write(_labels_toml(found.scheme))
    return found


def export_text(
    gold: Sequence[Path],
    *,
    write: Callable[[Sequence[Annotated]], str],
    articles: Sequence[Path],
    scheme: LabelScheme,
    output: Path,
    force: bool = False,
) -> list[Annotated]:
    """Worker of `hoidam gold export`: what `write` makes of gold with its articles as one file; gives the gold.

    Raises DataError as `read_gold` and `write` do, where the output exists and `force` is not given, or where it is one
    of the inputs.
    """
    refuse_inputs(output, (*gold, *articles))
    annotated = read_gold(gold, read_articles(articles), scheme)
    text = write(annotated)
    with whole_file(output, force=force) as stream:
        stream.write(text)
    return annotated


def _labels_toml(scheme: LabelScheme) -> str:
    tables = [f"[[types]]\nname = {toml_value(name)}\n" for name in scheme.type_names]
    return "\n".join([f"flat = {toml_value(scheme.flat)}\n", *tables])


class UnknownLabelError(DataError):
    """A label that the scheme does not have."""

    def under(self, labels: Path) -> DataError:
        """The same error, naming the file of the scheme."""
        cure = f"{self.cure}. Add it to {labels}, or name a new file with --labels to have it written"
        return DataError(self.problem, cure=cure, path=self.path, line=self.line, field=self.field)


def derive_scheme(labels: Iterable[str], *, flat: bool, cure: str) -> LabelScheme:
    """Types of these names, sorted, without categories; raises DataError, with `cure`, where there is none."""
    names = sorted(set(labels))
    if not names:
        raise DataError("no label in these files", cure=cure)
    return LabelScheme(types=tuple(map(SpanType, names)), flat=flat)


def label_of(span: Span) -> str:
    """A span's type, or `TYPE.CATEGORY` where it has one."""
    return span.type if span.category is None else f"{span.type}.{span.category}"


class Labels:
    """Labels as other forms write them: a type's name, or `TYPE.CATEGORY` where the scheme gives it categories."""

    def __init__(self, scheme: LabelScheme) -> None:
        self._known: dict[str, Labelled] = {}
        for kind in scheme.types:
            categories = scheme.category_names if kind.categorised else ()
            self._known |= {f"{kind.name}.{category}": (kind.name, category) for category in categories}
            if not kind.categorised:
                self._known[kind.name] = kind.name, None

    def find(self, label: str) -> Labelled:
        """Type and category of a label; raises UnknownLabelError."""
        if label not in self._known:
            raise UnknownLabelError(f"unknown label {label!r}", cure=f"Labels: {', '.join(self._known)}")
        return self._known[label]


def without_clashes(spans: Iterable[Span], *, scheme: LabelScheme, mended: Counter[str]) -> list[Span]:
    """The spans but those that the scheme lets not stand beside an earlier one of the row; these are counted.

    Twice the same span is once.
    """
    kept: list[Span] = []
    taken: dict[str, list[tuple[int, int]]] = {}
    for span in dict.fromkeys(spans):
        rivals = taken.setdefault("" if scheme.flat else span.type, [])
        after = bisect(rivals, (span.start, span.end))
        if any(start < span.end and span.start < end for start, end in rivals[max(0, after - 1) : after + 1]):
            mended[NESTED] += 1
        else:
            rivals.insert(after, (span.start, span.end))
            kept.append(span)
    return kept


def make_annotated(
    article: Article,
    mentions: Sequence[Mention],
    *,
    counts: Sequence[Count],
    scheme: LabelScheme,
    mended: Counter[str],
    annotator: str = "",
    body: object = None,
) -> Annotated:
    """The article with its text stored and the mentions as spans, the longest first where two clash.

    `body` is what a record has under this name: an export wrote it as a list, of a text that was stored already.
    """
    placed = place_mentions(article.text, mentions, counts=counts)
    trimmed = list(_trimmed(article.text, mentions, placed, mended))
    text, edges = store(article.text, [pair for _, pair in trimmed])
    known = Labels(scheme)
    found = [Span(*pair, *known.find(label)) for (label, _), pair in zip(trimmed, edges, strict=True)]
    longest_first = sorted(found, key=lambda span: (span.start, -span.end))
    spans = tuple(sorted(without_clashes(longest_first, scheme=scheme, mended=mended)))
    categories = frozenset(span.category for span in spans if span.category is not None)
    known_body = (body[0], body[1]) if isinstance(body, list) and len(body) == 2 and text == article.text else None
    return Annotated(replace(article, text=text), spans, categories, annotator, known_body)


def _trimmed(
    text: str, mentions: Iterable[Mention], placed: Iterable[tuple[int, int]], mended: Counter[str]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """Labels with the edges of their surfaces without white space, which a hand takes in by mistake."""
    for mention, (start, end) in zip(mentions, placed, strict=True):
        surface = text[start:end]
        left, right = end - len(surface.lstrip()), start + len(surface.rstrip())
        if left >= right:
            mended[EMPTY] += 1
        else:
            mended[TRIMMED] += (left, right) != (start, end)
            yield mention.label, (left, right)


def record_of(one: Annotated) -> dict[str, object]:
    """An article as a tool's record, with its body where it has one: what `article_of` reads."""
    return one.article.to_dict() | ({"body": list(one.body)} if one.body else {})


def article_of(record: Mapping[str, object], *, name: str) -> Article:
    """An article out of a tool's record: its text, and of other fields those that articles have."""
    text = record.get("text")
    if not isinstance(text, str):
        raise DataError("missing", field="text", cure="Give the tool's field with the text this name")
    fields = {key: value for key in ("title", "url", "date", "source") if isinstance(value := record.get(key), str)}
    meta = record.get("meta")
    return Article(name, text, meta=meta if isinstance(meta, Mapping) else {}, **fields)
