"""Outcomes as plain data: rates, ratios with their spread, and scores."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.speed.race import Outcome
from eval.speed.variants import ALL, LARGEST_LOSS, SAME_SCORES, Ratio
from hoidam.evaluate import GoldSet, Scores, score
from hoidam.evaluate.counts import Measure

FORMAT = "hoidam-speed-1"


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


def loss_row(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """How far strict micro F1 of `SAME_SCORES` lies apart, None where one was not scored."""
    found = {row["name"]: row["f1"]["micro"] for row in scores if row["name"] in SAME_SCORES}
    if len(found) < len(SAME_SCORES):
        return None
    of, to = SAME_SCORES
    return {"of": of, "to": to, "difference": found[of] - found[to], "at_most": LARGEST_LOSS}


def missed(results: Mapping[str, Any], *, wanted: Iterable[Ratio] = ()) -> list[str]:
    """What was asked for and not reached, a line each; a ratio of `wanted` that could not be taken is one too."""
    lines = missed_ratios(results["ratios"], wanted=wanted)
    loss = results["loss"]
    if loss and abs(loss["difference"]) > loss["at_most"]:
        lines.append(f"F1 of {loss['of']} and {loss['to']}: {loss['difference']:+.4f} apart")
    return lines


def missed_ratios(rows: Sequence[Mapping[str, Any]], *, wanted: Iterable[Ratio]) -> list[str]:
    """The rows of `ratio_rows` that are too low, and what is `wanted` and not among them, a line each."""
    lines = [
        f"{row['of']} to {row['to']}: {row['median']:.2f}, wanted {row['at_least']:.2f}"
        for row in rows
        if row["at_least"] is not None and row["median"] < row["at_least"]
    ]
    taken = {(row["of"], row["to"]) for row in rows}
    return lines + [
        f"{ratio.of} to {ratio.to}: not measured"
        for ratio in wanted
        if ratio.at_least is not None and (ratio.of, ratio.to) not in taken
    ]
