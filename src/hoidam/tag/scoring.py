"""Files of gold against a model or a tagged file: the report, with what gold could not be reached and why."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hoidam
from hoidam.checkpoint import describe_hardware, load_model
from hoidam.document import Annotated, Span, Tagged, read_articles, read_gold, read_tagged
from hoidam.evaluate import Report, bootstrap, score
from hoidam.labels import LabelScheme, read_labels
from hoidam.predict import choose_device
from hoidam.provenance import command, commit

Causes = Mapping[str, Mapping[Span, str]]


def score_files(
    *,
    gold: Sequence[Path],
    articles: Sequence[Path],
    labels: Path,
    model: Path | None,
    tagged: Path | None,
    device: str = "auto",
    examples: int = 0,
) -> dict[str, Any]:
    """Score a model, or a file that was tagged before, as a report in plain data.

    Raises DataError on files that do not fit together and CheckpointError on a model of another scheme.
    """
    scheme = read_labels(labels)
    texts = read_articles(articles)
    wanted = read_gold(gold, texts, scheme)
    facts: dict[str, Any] = {
        "command": command(),
        "hoidam": hoidam.__version__,
        "commit": commit(),
        "data_sha256": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in (*gold, *articles)},
    }
    causes: Causes = {}
    if model is not None:
        given, causes, facts["model"] = _tag(wanted, model=model, device=device, scheme=scheme)
        facts["hardware"] = describe_hardware()
    elif tagged is not None:
        given = read_tagged(tagged, texts, scheme)
        facts["tagged"] = {"file": str(tagged), "models": sorted({one.model for one in given})}
    ids = {annotated.id for annotated in wanted}
    scores = score(wanted, predictions=[one for one in given if one.id in ids], scheme=scheme, unreachable=causes)
    return Report(scores, bootstrap(scores)).to_dict(facts=facts, examples=examples)


def _tag(
    wanted: Sequence[Annotated], *, model: Path, device: str, scheme: LabelScheme
) -> tuple[list[Tagged], Causes, str]:
    loaded = load_model(model, device=choose_device(device), scheme=scheme)
    texts = [annotated.article.text for annotated in wanted]
    predictions = [found.above(loaded.settings.thresholds) for found in loaded.predictor.predict(texts)]
    tagged = [
        Tagged(annotated.id, "", found.spans, found.categories, loaded.identity)
        for annotated, found in zip(wanted, predictions, strict=True)
    ]
    causes = {
        annotated.id: loaded.predictor.read(annotated.article.text).unreachable(annotated) for annotated in wanted
    }
    return tagged, causes, loaded.identity
