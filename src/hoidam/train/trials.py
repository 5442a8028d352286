"""The trials of a search as a table and as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoidam.checkpoint import describe_hardware
from hoidam.evaluate.render import markdown_table, number
from hoidam.files import whole_file
from hoidam.provenance import command, commit, versions
from hoidam.train.recipe import Recipe

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

FORMAT = "hoidam-search-1"
_WHOLE = "whole"
_STATES = {"COMPLETE": _WHOLE, "PRUNED": "pruned", "FAIL": "failed"}


def table(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """The trials for people, the best first, below a header."""
    keys = list(found["varied"])
    ranked = sorted(found["trials"], key=lambda trial: (trial["state"] != _WHOLE, -(trial["dev_score"] or 0.0)))
    return [
        ("trial", *keys, "dev score", "epochs", "seconds", "state"),
        *(
            (
                str(trial["number"]),
                *(figure(trial["values"][key]) for key in keys),
                number(trial["dev_score"]),
                figure(trial["epochs"]),
                figure(trial["seconds"]),
                trial["state"],
            )
            for trial in ranked
        ),
    ]


def figure(value: Any) -> str:
    """A setting or a figure in few characters, a dash where there is none."""
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) and value < 1 else str(value)


def write_trials(
    folder: Path, *, study: "Study", recipe: Recipe, varied: Mapping[str, str], best: int
) -> dict[str, Any]:
    """Write `trials.json` and `trials.md`, and give what the former holds; `varied` is what was asked for by key."""
    found = {
        "format": FORMAT,
        "recipe": recipe.to_dict(),
        "varied": dict(varied),
        "best": best,
        "trials": [_record(trial) for trial in study.trials if trial.state.is_finished()],
        "command": command(),
        "commit": commit(),
        "versions": versions(),
        "hardware": describe_hardware(),
    }
    header, *rows = table(found)
    note = (
        "Settings that were tried, by the dev score of their best epoch. Chosen on dev: expect less on other articles."
    )
    with whole_file(folder / "trials.json", force=True) as stream:
        stream.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    with whole_file(folder / "trials.md", force=True) as stream:
        stream.write(f"# {recipe.name}: search\n\n{note}\n\n{markdown_table(header, rows)}\n")
    return found


def _record(trial: "FrozenTrial") -> dict[str, Any]:
    known = trial.user_attrs
    return {
        "number": trial.number,
        "state": _STATES[trial.state.name],
        "values": trial.params,
        **{name: known.get(name) for name in ("dev_score", "epochs", "seconds", "error")},
        "dev_scores": list(trial.intermediate_values.values()),
    }
