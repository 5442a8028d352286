"""What was measured of training as plain data: rates, shares, and ratios with their spread."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from eval.speed.results import rate_ratios, spread
from eval.speed.training.race import Outcome
from eval.speed.training.variants import RATIOS
from eval.speed.variants import Ratio

FORMAT = "hoidam-training-speed-1"


def variant_row(outcome: Outcome, *, peak: float | None) -> dict[str, Any]:
    """What was measured of one variant, or why it was left out; `peak` is the machine's operations a second."""
    variant = outcome.variant
    head = {"name": variant.name, "what": variant.what, "recipe": variant.recipe, "ours": variant.trainer == "hoidam"}
    head["settings"] = [*variant.options.get("changes", ()), *(f"{k}={v}" for k, v in variant.environment.items())]
    if outcome.skipped or not outcome.rounds:
        return head | {"skipped": outcome.skipped or "no step was timed"}
    rates, rounds = spread(outcome.rates), outcome.rounds
    shares = [found["operations"] / found["seconds"] / peak for found in rounds] if peak else []
    return (
        head
        | outcome.facts
        | {
            "rounds": rounds,
            "pieces_per_second": rates,
            "padding": 1 - sum(found["pieces"] for found in rounds) / sum(found["padded"] for found in rounds),
            "peak_mib": rounds[-1]["peak_mib"],
            "epoch_seconds": outcome.facts["epoch_pieces"] / rates["median"],
            "share_of_peak": statistics.median(shares) if shares else None,
        }
    )


def ratios_between(names: Iterable[str], *, device: str) -> list[Ratio]:
    """The ratios that variants of these names make; what is wanted of them is wanted on a CPU."""
    raced = set(names)
    found = [ratio for ratio in RATIOS if {ratio.of, ratio.to} <= raced]
    return found if device == "cpu" else [replace(ratio, at_least=None) for ratio in found]


def ratio_rows(outcomes: Iterable[Outcome], ratios: Iterable[Ratio]) -> list[dict[str, Any]]:
    """Ratios of pieces a second, taken round by round; one that needs a variant that was left out is left out too."""
    rates = {outcome.variant.name: outcome.rates for outcome in outcomes if outcome.rounds and not outcome.skipped}
    return rate_ratios(rates, ratios)


def fastest(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of ours, the fastest by each recipe."""
    ours = [row for row in rows if row["ours"] and "skipped" not in row]
    recipes = dict.fromkeys(row["recipe"] for row in ours)
    return [
        max((row for row in ours if row["recipe"] == name), key=lambda row: float(row["pieces_per_second"]["median"]))
        for name in recipes
    ]
