"""What a run found: dev scores while it trains; at its end what the model gives out, reports, curves, the model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hoidam.checkpoint import save_model
from hoidam.document import Annotated, Tagged
from hoidam.errors import CheckpointError, DataError
from hoidam.evaluate import Candidates, Measure, make_report, read_report, render_markdown, score
from hoidam.files import json_line, whole_file, whole_folder
from hoidam.predict import Prediction, Predictor, Thresholds
from hoidam.train.calibrate import fit_calibration
from hoidam.train.card import render_card
from hoidam.train.corpus import Corpus
from hoidam.train.loop import DEV_SCORE
from hoidam.train.setup import Setup
from hoidam.train.thresholds import tune_thresholds

MODEL_NAME = "model"
PROVENANCE_NAME = "provenance.json"
DEV_NAME = "dev.json"


def dev_scores(predictor: Predictor, corpus: Corpus) -> dict[str, float]:
    """Strict F1 by type, categories' F1 and the mean over types that chooses the best epoch, without thresholds."""
    thresholds = Thresholds(spans={}, categories=0.5)
    kept = [found.above(thresholds) for found in predict_dev(predictor, corpus)]
    scores = score(corpus.dev, predictions=_tagged(corpus, kept), scheme=corpus.scheme)
    strict = scores.table(Measure.STRICT)
    found = {f"{name}_f1": counts.ratios.f1 or 0.0 for name, counts in strict.rows.items()}
    if corpus.scheme.categories:
        found["categories_f1"] = scores.table(Measure.CATEGORIES).micro.ratios.f1 or 0.0
    return found | {DEV_SCORE: strict.macro.f1 or 0.0}


def predict_dev(predictor: Predictor, corpus: Corpus) -> list[Prediction]:
    """Predictions for the dev articles as tagging would make them, before calibration and thresholds."""
    return predictor.predict([annotated.article.text for annotated in corpus.dev])


def _tagged(corpus: Corpus, predictions: Sequence[Prediction]) -> list[Tagged]:
    return [found.tagged(annotated.id) for annotated, found in zip(corpus.dev, predictions, strict=True)]


def write_results(
    folder: Path,
    *,
    setup: Setup,
    corpus: Corpus,
    provenance: Mapping[str, Any],
    curves: Sequence[Mapping[str, float | None]],
) -> Path:
    """Calibrate, choose thresholds, score dev in full precision, and write everything; gives the model's folder."""
    predictor = setup.predictor(precision="fp32")
    predictions = predict_dev(predictor, corpus)
    raw = _tagged(corpus, predictions)
    calibration = fit_calibration(corpus.dev, candidates=raw, scheme=corpus.scheme)
    calibrated = [found.calibrated(calibration) for found in predictions]
    thresholds = tune_thresholds(corpus.dev, calibrated, scheme=corpus.scheme)
    settings = setup.model_settings(calibration=calibration, thresholds=thresholds)
    report = make_report(
        corpus.dev,
        predictions=_tagged(corpus, [settings.decide(found) for found in predictions]),
        candidates=Candidates(raw, _tagged(corpus, calibrated), thresholds.by_label()),
        scheme=corpus.scheme,
        unreachable=_unreachable(predictor, corpus.dev),
        show_errors=True,
        seed=setup.recipe.seed,
    ).to_dict(facts=provenance)
    write_json(folder / DEV_NAME, report)
    (folder / "dev.md").write_text(render_markdown(report), encoding="utf-8")
    (folder / "curves.jsonl").write_text("".join(json_line(entry) for entry in curves), encoding="utf-8")
    write_json(folder / PROVENANCE_NAME, provenance)
    with whole_folder(folder / MODEL_NAME) as partial:
        card = render_card(settings, provenance=provenance, report=report)
        save_model(partial, model=setup.model, tokenizer=setup.tokenizer, settings=settings, card=card)
    return folder / MODEL_NAME


def best_on_dev(models: Sequence[Path]) -> Path:
    """Of the model folders of several runs, the one that does best on dev; the first of equals.

    What counts is what a model gives out, thresholds applied: the mean strict F1 over span types. The score that chose
    a run's best epoch also counts what thresholds hold back. Raises CheckpointError where there are several and one has
    no report on dev.
    """
    return models[0] if len(models) == 1 else max(models, key=_dev_score)


def _dev_score(model: Path) -> float:
    path = model.resolve().parent / DEV_NAME
    try:
        return float(read_report(path)["measures"]["strict"]["macro"]["f1"] or 0.0)
    except DataError:
        raise CheckpointError(f"{path}: no dev scores there. Give the models of finished runs, or one alone") from None


def read_provenance(run: Path) -> dict[str, Any]:
    """What a finished run recorded of itself; raises CheckpointError where it did not."""
    path = run / PROVENANCE_NAME
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        float(found["best_dev_score"])
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(f"{path}: no finished run's. Give the folders of finished runs") from None
    return found


def _unreachable(predictor: Predictor, gold: Sequence[Annotated]) -> dict[str, Any]:
    causes = {annotated.id: predictor.read(annotated.article.text).unreachable(annotated) for annotated in gold}
    return {name: found for name, found in causes.items() if found}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write, or write over, a file that is whole whenever it is there."""
    with whole_file(path, force=True) as stream:
        stream.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
