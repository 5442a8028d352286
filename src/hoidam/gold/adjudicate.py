"""Two annotators' gold of the same articles and a person's decisions to one gold."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoidam.document import Annotated, Span, read_articles, read_gold
from hoidam.errors import DataError
from hoidam.files import refuse_inputs, refuse_overwrite, write_json_lines
from hoidam.gold.agree import shared
from hoidam.gold.decisions import Decision, Update, read_decisions, update_decisions
from hoidam.gold.disagreements import BODY, find_disagreements
from hoidam.gold.mistakes import raise_all
from hoidam.labels import LabelScheme

Pairs = Sequence[tuple[Annotated, Annotated]]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How disagreements ended: as the first annotator had it, as the second, otherwise, or not yet."""

    first: int = 0
    second: int = 0
    other: int = 0
    undecided: int = 0

    @property
    def decided(self) -> int:
        return self.first + self.second + self.other

    @property
    def all(self) -> int:
        return self.decided + self.undecided


@dataclass(frozen=True, slots=True)
class Adjudication:
    """What became of two annotations; `by_type` has the types that differ anywhere, the body among them, and `all`."""

    articles: int
    agreed_spans: int
    by_type: Mapping[str, Outcomes]
    names: tuple[str, str]
    """The first and the second annotator."""
    update: Update | None
    """What happened to the file of decisions; None where gold was written out of it."""

    def lines(self) -> Iterator[str]:
        """The closing summary, for people."""
        total = self.by_type["all"]
        yield f"{self.articles} articles by both: {self.agreed_spans} spans agreed on, {total.all} disagreements"
        for name, row in self.by_type.items():
            kinds = f"first right {row.first}, second right {row.second}, other {row.other}, undecided {row.undecided}"
            yield f"  {name}: {row.all}: {kinds}"
        for name, won in zip(self.names, (total.first, total.second), strict=True):
            if total.decided:
                yield f"{name} was right in {won} of {total.decided} decided ({won / total.decided:.0%})"


def adjudicate(
    first: Path,
    second: Path,
    *,
    articles: Sequence[Path],
    scheme: LabelScheme,
    decisions: Path,
    output: Path | None = None,
    annotator: str = "",
    force: bool = False,
) -> Adjudication:
    """Worker of `hoidam gold adjudicate`: bring the decisions up to date, or with `output` write gold out of them.

    `annotator` is who decides. Raises DataError where the two do not have the same articles, where the file of
    decisions does not fit them or is not complete, and where what was decided cannot stand together.
    """
    if output is not None:
        refuse_inputs(output, (first, second, decisions, *articles))
        refuse_overwrite(output, force=force)
    texts = read_articles(articles)
    pairs = _paired(read_gold([first], texts, scheme), read_gold([second], texts, scheme))
    disagreements = find_disagreements(pairs, scheme=scheme)
    update = update_decisions(decisions, disagreements) if output is None else None
    decided = read_decisions(decisions, disagreements, scheme=scheme)
    if output is not None:
        _refuse_undecided(decided, decisions)
        merged = merge(pairs, decided, path=decisions, annotator=annotator)
        write_json_lines(output, (one.to_dict() for one in merged), force=force)
    return _summary(pairs, decided, scheme=scheme, update=update)


def merge(pairs: Pairs, decisions: Iterable[Decision], *, path: Path, annotator: str = "") -> list[Annotated]:
    """One gold of two, in the first's order: what both have, and what was decided where they differ.

    Raises MistakesError with every decided span that overlaps another of its type or lies outside the body; `path` is
    where the decisions were read.
    """
    by_article: dict[str, list[Decision]] = {one.id: [] for one, _ in pairs}
    for decision in decisions:
        by_article[decision.disagreement.article.id].append(decision)
    raise_all([mistake.at(path) for pair in pairs for mistake in _clashes(pair, by_article[pair[0].id])])
    return [_merged(pair, by_article[pair[0].id], annotator) for pair in pairs]


def _merged(pair: tuple[Annotated, Annotated], decisions: Sequence[Decision], annotator: str) -> Annotated:
    spans = sorted(span for span, _ in _placed(pair, decisions))
    return Annotated(
        article=pair[0].article,
        spans=tuple(spans),
        categories=_categories(spans),
        annotator=f"{' and '.join(_names(pair))}, adjudicated{f' by {annotator}' if annotator else ''}",
        body=_body(pair, decisions),
    )


def _placed(pair: tuple[Annotated, Annotated], decisions: Sequence[Decision]) -> Iterator[tuple[Span, Decision | None]]:
    """The spans of the result, each with the decision that put it there."""
    one, other = pair
    yield from ((span, None) for span in set(one.spans) & set(other.spans))
    for decision in decisions:
        if decision.disagreement.type != BODY:
            yield from ((span, decision) for span in decision.spans or ())


def _body(pair: tuple[Annotated, Annotated], decisions: Sequence[Decision]) -> tuple[int, int] | None:
    one, other = pair
    for decision in decisions:
        if decision.disagreement.type == BODY and decision.spans:
            side = {decision.disagreement.first: one, decision.disagreement.second: other}.get(decision.spans)
            return side.body if side else (decision.spans[0].start, decision.spans[0].end)
    return one.body


def _clashes(pair: tuple[Annotated, Annotated], decisions: Sequence[Decision]) -> Iterator[DataError]:
    placed = sorted(_placed(pair, decisions), key=lambda item: (item[0].type, item[0].start))
    text = pair[0].article.text
    start, end = _body(pair, decisions) or (0, len(text))
    for span, decision in placed:
        if decision is not None and not start <= span.start < span.end <= end:
            yield _clash(decision, f"{text[span.start : span.end]!r} lies outside the body {start}-{end}")
    for (before, earlier), (after, later) in itertools.pairwise(placed):
        decided = [decision for decision in (later, earlier) if decision is not None]
        if decided and before.type == after.type and before.overlaps(after):
            decision = min(decided, key=lambda each: _outcome(each) != "other")
            forms = (f"{text[span.start : span.end]!r} at {span.start}" for span in (before, after))
            yield _clash(decision, f"{' overlaps '.join(forms)}")


def _clash(decision: Decision, problem: str) -> DataError:
    cure = "Decide so that spans of one type lie apart, all in the body"
    return DataError(problem, line=decision.line, field=decision.disagreement.place, cure=cure)


def _categories(spans: Iterable[Span]) -> frozenset[str]:
    return frozenset(span.category for span in spans if span.category is not None)


def _names(pair: tuple[Annotated, Annotated]) -> tuple[str, str]:
    return pair[0].annotator or "first", pair[1].annotator or "second"


def _paired(first: Sequence[Annotated], second: Sequence[Annotated]) -> Pairs:
    for one in (*first, *second):
        if one.categories != _categories(one.spans):
            cure = "Make them the union of its spans' own: `hoidam gold check` finds such articles"
            raise DataError(f"the categories of {one.id!r} are not its spans'", field="categories", cure=cure)
    pairs = shared(first, second)
    alone = sorted({one.id for one in first} ^ {one.id for one in second})
    if alone:
        some = ", ".join(alone[:3]) + (f" and {len(alone) - 3} more" if len(alone) > 3 else "")
        raise DataError(f"only one annotator has {some}", field="id", cure="Give two files over the same articles")
    return pairs


def _refuse_undecided(decisions: Sequence[Decision], path: Path) -> None:
    left = [decision for decision in decisions if decision.spans is None]
    if left:
        problem = f"{len(left)} of {len(decisions)} disagreements are undecided, this the first"
        cure = "Decide them all, then give --output"
        raise DataError(problem, path=path, line=left[0].line, field=left[0].disagreement.place, cure=cure)


def _summary(
    pairs: Pairs, decisions: Sequence[Decision], *, scheme: LabelScheme, update: Update | None
) -> Adjudication:
    counts = Counter((decision.disagreement.type, _outcome(decision)) for decision in decisions)
    present = {name for name, _ in counts}
    kinds = ("first", "second", "other", "undecided")
    by_type = {
        name: Outcomes(*(counts[name, kind] for kind in kinds))
        for name in (BODY, *scheme.type_names)
        if name in present
    }
    totals = Outcomes(*(sum(counts[name, kind] for name in present) for kind in kinds))
    return Adjudication(
        articles=len(pairs),
        agreed_spans=sum(len(set(one.spans) & set(other.spans)) for one, other in pairs),
        by_type={**by_type, "all": totals},
        names=_joined_names(pairs),
        update=update,
    )


def _joined_names(pairs: Pairs) -> tuple[str, str]:
    """Every name of each side, where several people annotated it."""
    first, second = ("/".join(sorted(set(names))) for names in zip(*map(_names, pairs), strict=True))
    return first, second


def _outcome(decision: Decision) -> str:
    """By what was decided, not by the word for it: `none` is the side that has nothing."""
    if decision.spans is None:
        return "undecided"
    spans = tuple(sorted(decision.spans))
    sides = {decision.disagreement.first: "first", decision.disagreement.second: "second"}
    return sides.get(spans, "other")
