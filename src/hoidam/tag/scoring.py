"""Files of gold against a model or a tagged file: the report, with what gold could not be reached and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import hoidam
from hoidam.document import Annotated, Span, Tagged, read_tagged
from hoidam.errors import CheckpointError, DataError
from hoidam.evaluate import Benchmark, Candidates, GoldSet, Measure, Scores, Sources, make_report, score
from hoidam.files import file_sha256, read_json_lines
from hoidam.labels import LabelScheme
from hoidam.provenance import command, commit

if TYPE_CHECKING:
    from hoidam.predict import Prediction

LARGEST_LOSS = 0.002
"""Mean F1 over span types (strict) and article categories that a model may lose when it is stored in another form."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What is scored: predictions, and of a model also all that it found and the gold that it cannot reach."""

    predictions: Sequence[Tagged]
    facts: Mapping[str, Any]
    candidates: Candidates | None = None
    unreachable: Mapping[str, Mapping[Span, str]] | None = None


def score_files(
    sources: Sources | Benchmark,
    *,
    model: Path | None,
    tagged: Path | None,
    device: str = "auto",
    precision: str = "fp32",
    seen_in: Sequence[Path] = (),
    show_errors: bool = False,
) -> dict[str, Any]:
    """Score a model, or a file that was tagged before, as a report in plain data.

    In fp32 unless told otherwise: what bf16 gives depends on the processor, and a published score should not. `seen_in`
    are gold files whose mentions count as seen. Raises DataError on files that do not fit together or are not as a
    benchmark froze them, and CheckpointError on a model of another scheme.
    """
    wanted, seen = sources.read(), _mentions(seen_in)
    facts: dict[str, Any] = {"command": command(), "hoidam": hoidam.__version__, "commit": commit()}
    if isinstance(sources, Benchmark):
        facts["benchmark"] = {"name": sources.name, "sha256": sources.sha256}
        sources = sources.sources
    facts["data_sha256"] = {str(path): file_sha256(path) for path in dict.fromkeys((*sources.files, *seen_in))}
    if model is not None:
        found = _tag(wanted.gold, model=model, device=device, precision=precision, scheme=wanted.scheme)
    elif tagged is not None:
        found = _read(wanted, tagged)
    else:
        raise ValueError("either a model or a tagged file is needed")
    return make_report(
        wanted.gold,
        predictions=found.predictions,
        scheme=wanted.scheme,
        candidates=found.candidates,
        unreachable=found.unreachable,
        second=wanted.second,
        seen=seen,
        show_errors=show_errors,
    ).to_dict(facts=facts | dict(found.facts))


def refuse_losses(sources: Sources | Benchmark, *, model: Path, exported: Path) -> str:
    """Score two forms of a model and give a sentence on both.

    Raises CheckpointError where the exported one loses more than LARGEST_LOSS of their mean.
    """
    wanted = sources.read()
    before, after = (_f1(_scored(wanted, model=folder)) for folder in (model, exported))
    found = _side_by_side(before, after)
    if fmean(before.values()) - fmean(after.values()) > LARGEST_LOSS:
        raise CheckpointError(
            f"{model}: loses more than {LARGEST_LOSS} of mean F1 in this form ({found}), so nothing was written. "
            "Choose another --format"
        )
    return f"F1 on {len(wanted.gold)} articles: {found}."


def refuse_worse(sources: Sources | Benchmark, *, model: Path, exported: Path, than: Path, margin: float) -> str:
    """Score a model as it is exported beside another one, such as its teacher, and give a sentence on both.

    Raises CheckpointError where its strict micro F1 over span types lies more than `margin`, a share of 1, below.
    """
    wanted = sources.read()
    theirs, ours = (_scored(wanted, model=folder) for folder in (than, exported))
    before, after = (scores.table(Measure.STRICT).micro.ratios.f1 or 0.0 for scores in (theirs, ours))
    found = _side_by_side({"all types": before} | _f1(theirs), {"all types": after} | _f1(ours))
    if before - after > margin:
        raise CheckpointError(
            f"{model}: more than {margin} of strict F1 below {than} ({found}), so nothing was written. "
            "Train it longer, or with more layers"
        )
    return f"Beside {than.name}, F1 on {len(wanted.gold)} articles: {found}."


def _side_by_side(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {before[name]:.4f} -> {after[name]:.4f}" for name in before)


def _scored(wanted: GoldSet, *, model: Path) -> Scores:
    predictions = _tag(wanted.gold, model=model, device="cpu", precision="fp32", scheme=wanted.scheme).predictions
    return score(wanted.gold, predictions=predictions, scheme=wanted.scheme)


def _f1(scores: Scores) -> dict[str, float]:
    """Strict F1 by span type, and micro F1 of the categories where the scheme has any."""
    found = {name: counts.ratios.f1 or 0.0 for name, counts in scores.table(Measure.STRICT).rows.items()}
    categories = scores.table(Measure.CATEGORIES)
    return found | ({"categories": categories.micro.ratios.f1 or 0.0} if categories.rows else {})


def _tag(wanted: Sequence[Annotated], *, model: Path, device: str, precision: str, scheme: LabelScheme) -> _Found:
    # torch is loaded for a model alone: a file that was tagged before is scored without it.
    from hoidam.checkpoint import describe_hardware, load_model

    loaded = load_model(model, device=device, precision=precision, scheme=scheme)

    def tagged(predictions: "Sequence[Prediction]") -> list[Tagged]:
        return [
            found.tagged(annotated.id, model=loaded.identity)
            for annotated, found in zip(wanted, predictions, strict=True)
        ]

    settings = loaded.settings
    predictions = loaded.predictor.predict([annotated.article.text for annotated in wanted])
    return _Found(
        predictions=tagged([settings.decide(found) for found in predictions]),
        facts={
            "model": loaded.identity,
            "network": loaded.predictor.network.description,
            "hardware": describe_hardware(),
        },
        candidates=Candidates(
            raw=tagged(predictions),
            calibrated=tagged([found.calibrated(settings.calibration) for found in predictions]),
            thresholds=settings.thresholds.by_label(),
        ),
        unreachable={
            annotated.id: loaded.predictor.read(annotated.article.text).unreachable(annotated) for annotated in wanted
        },
    )


def _read(wanted: GoldSet, path: Path) -> _Found:
    given = read_tagged(path, wanted.articles, wanted.scheme)
    ids = {annotated.id for annotated in wanted.gold}
    facts = {"tagged": {"file": str(path), "sha256": file_sha256(path), "models": sorted({one.model for one in given})}}
    return _Found([one for one in given if one.id in ids], facts)


def _mentions(paths: Sequence[Path]) -> frozenset[tuple[str, str]]:
    """Types and surfaces of the spans in gold files, whose lines repeat the surface: no text is needed."""
    found: set[tuple[str, str]] = set()
    for path in paths:
        for line, record in read_json_lines(path):
            try:
                found.update((str(span["type"]), str(span["text"])) for span in record["spans"])
            except (KeyError, TypeError):
                raise DataError(
                    "no spans with type and text", path=path, line=line, field="spans", cure="Give a gold file"
                ) from None
    return frozenset(found)
