"""Outcomes as plain data: rates, ratios with their spread, and scores."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from eval.speed.race import Outcome
from eval.speed.variants import ALL, Loss, Ratio
from hoidam.evaluate import GoldSet, Scores, score
from hoidam.evaluate.counts import Measure

FORMAT = "hoidam-speed-2"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and largest of values over the rounds."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def variant_row(outcome: Outcome, *, pieces_per_article: float) -> dict[str, Any]:
    """What was measured of one variant, or why it was left out."""
    head = {"name": outcome.variant.name, "what": outcome.variant.what}
    if outcome.skipped:
        return head | {"skipped": outcome.skipped}
    return head | {
        "articles": outcome.articles,
        "seconds": outcome.seconds,
        "articles_per_second": spread(outcome.rates),
        "pieces_per_second": statistics.median(outcome.rates) * pieces_per_article,
        "load_seconds": outcome.load_seconds,
        "peak_mib": outcome.peak_mib,
        "gpu_busy": outcome.busy,
    }


def ratio_rows(outcomes: Iterable[Outcome], ratios: Iterable[Ratio]) -> list[dict[str, Any]]:
    """Ratios of articles a second, taken round by round; one that needs a variant that was left out is left out too."""
    return rate_ratios({outcome.variant.name: outcome.rates for outcome in outcomes if not outcome.skipped}, ratios)


def rate_ratios(rates: Mapping[str, Sequence[float]], ratios: Iterable[Ratio]) -> list[dict[str, Any]]:
    """Ratios of rates that are given by variant and round; one that needs a variant that is not there is left out."""
    return [
        {
            "of": ratio.of,
            "to": ratio.to,
            "at_least": ratio.at_least,
            **spread([ours / theirs for ours, theirs in zip(rates[ratio.of], rates[ratio.to], strict=True)]),
        }
        for ratio in ratios
        if ratio.of in rates and ratio.to in rates
    ]


def score_rows(outcomes: Iterable[Outcome], gold: GoldSet) -> list[dict[str, Any]]:
    """Strict F1 by span type for the types that a variant finds, and over all types and for categories where it can."""
    rows = []
    for outcome in outcomes:
        if outcome.tagged is None or outcome.skipped:
            continue
        scores = score(gold.gold, predictions=outcome.tagged, scheme=gold.scheme)
        whole = outcome.variant.scored == ALL
        labels = gold.scheme.type_names if whole else outcome.variant.scored
        strict = scores.table(Measure.STRICT)
        f1 = {label: strict.rows[label].ratios.f1 for label in labels}
        totals = {"micro": strict.micro.ratios.f1, "categories": _categories(scores)} if whole else {}
        rows.append({"name": outcome.variant.name, "f1": f1 | totals})
    return rows


def _categories(scores: Scores) -> float | None:
    return scores.table(Measure.CATEGORIES).micro.ratios.f1


def loss_rows(scores: Sequence[Mapping[str, Any]], losses: Iterable[Loss]) -> list[dict[str, Any]]:
    """How far strict micro F1 of two variants lies apart; one that needs a variant that was not scored is left out."""
    found = {row["name"]: row["f1"]["micro"] for row in scores if "micro" in row["f1"]}
    return [
        {**asdict(loss), "difference": found[loss.of] - found[loss.to]}
        for loss in losses
        if loss.of in found and loss.to in found
    ]


def is_held(loss: Mapping[str, Any]) -> bool:
    """Whether a row of `loss_rows` lies within its bound."""
    apart = -loss["difference"] if loss["below_only"] else abs(loss["difference"])
    return bool(apart <= loss["at_most"])


def missed(results: Mapping[str, Any], *, wanted: Iterable[Ratio] = ()) -> list[str]:
    """What was asked for and not reached, a line each; a ratio of `wanted` that could not be taken is one too."""
    lines = [
        f"{row['of']} to {row['to']}: {row['median']:.2f}, wanted {row['at_least']:.2f}"
        for row in results["ratios"]
        if row["at_least"] is not None and row["median"] < row["at_least"]
    ]
    taken = {(row["of"], row["to"]) for row in results["ratios"]}
    lines += [
        f"{ratio.of} to {ratio.to}: not measured"
        for ratio in wanted
        if ratio.at_least is not None and (ratio.of, ratio.to) not in taken
    ]
    lines += [
        f"F1 of {loss['of']} and {loss['to']}: {loss['difference']:+.4f} apart"
        for loss in results["losses"]
        if not is_held(loss)
    ]
    return lines
