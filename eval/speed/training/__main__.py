"""`python -m eval.speed.training`, from the project's root: how fast training is against transformers' plain set-up."""

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import hoidam
from eval.speed.machine import describe
from eval.speed.results import missed_ratios
from eval.speed.training.race import Outcome, Setting, race
from eval.speed.training.render import render
from eval.speed.training.results import FORMAT, ratio_rows, ratios_between, variant_row
from eval.speed.training.variants import VARIANTS, Variant
from hoidam.errors import HoidamError
from hoidam.files import file_sha256
from hoidam.provenance import commit
from hoidam.train.recipe import read_recipe

_LENGTHS = {"cpu": {"rounds": 6, "steps": 8, "warm_up": 2}, "cuda": {"rounds": 5, "steps": 20, "warm_up": 10}}
"""How long a device is measured, where the command line does not say."""


def main() -> None:
    """Race, show what was found and write it; exit 1 where a ratio is missed."""
    options = parse()
    lines: list[str] = []
    if not options.render:
        try:
            run = measure(options)
        except HoidamError as error:
            sys.exit(f"eval.speed.training: {error}")
        print(render([run]))
        write(run, options)
        names = [variant.name for variant in chosen(options)]
        lines = missed_ratios(run["ratios"], wanted=ratios_between(names, device=options.device))
    if options.output is not None:
        (options.output / "TRAINING.md").write_text(render(read_runs(options.output)), encoding="utf-8")
    if lines:
        sys.exit("missed: " + "; ".join(lines))


def write(run: dict[str, Any], options: argparse.Namespace) -> None:
    """A run's JSON into the output's folder, under the run's name."""
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        path = options.output / f"training-{options.name or options.device}.json"
        path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")


def read_runs(folder: Path) -> list[dict[str, Any]]:
    """What runs have written into a folder, by their names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("training-*.json"))]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was measured, as plain data."""
    started = time.monotonic()
    changes = (f"encoder.name={options.encoder}",)
    files: set[str] = set()
    outcomes: list[Outcome] = []
    peak = None
    for path in options.recipe:
        data = read_recipe(path, changes=changes).data
        files |= {data.labels, *data.articles, *data.train}
        setting = Setting(
            recipe=path,
            changes=changes,
            device=options.device,
            threads=options.threads,
            warm_up=options.warm_up,
            rounds=options.rounds,
            steps=options.steps,
        )
        found, measured = race([one for one in chosen(options) if one.recipe == path.stem], setting=setting)
        outcomes += found
        peak = max(filter(None, (peak, measured)), default=None)
    ratios = ratios_between([outcome.variant.name for outcome in outcomes], device=options.device)
    return {
        "format": FORMAT,
        "command": shlex.join(["python", "-m", "eval.speed.training", *sys.argv[1:]]),
        "hoidam": hoidam.__version__,
        "commit": commit(),
        "data_sha256": {Path(name).name: file_sha256(Path(name)) for name in sorted(files)},
        "machine": describe(threads=options.threads),
        "device": options.device,
        **{name: getattr(options, name) for name in _LENGTHS["cpu"]},
        "peak": peak,
        "variants": [variant_row(outcome, peak=peak) for outcome in outcomes],
        "ratios": ratio_rows(outcomes, ratios),
        "minutes": (time.monotonic() - started) / 60,
    }


def chosen(options: argparse.Namespace) -> list[Variant]:
    """The variants of the recipes that race on the device, or of them those that were named."""
    recipes = {path.stem for path in options.recipe}
    raced = [
        variant for variant in VARIANTS if variant.recipe in recipes and (options.device != "cpu" or not variant.gpu)
    ]
    return [variant for variant in raced if options.only is None or variant.name in options.only]


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m eval.speed.training", description=__doc__)
    parser.add_argument(
        "--recipe", type=Path, nargs="+", default=[Path("training/embedded.toml"), Path("training/quick.toml")]
    )
    parser.add_argument(
        "--encoder", type=Path, default=Path("models/encoders/embedded"), help="in place of the recipe's"
    )
    parser.add_argument("--device", choices=list(_LENGTHS), default="cpu")
    parser.add_argument(
        "--output", type=Path, help="a folder for training-NAME.json and TRAINING.md; without it they are only shown"
    )
    parser.add_argument("--name", help="of the run among those that TRAINING.md shows; the device's if not given")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--steps", type=int, help="in a round")
    parser.add_argument("--warm-up", type=int, help="steps before the first round")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--only", nargs="+", choices=[variant.name for variant in VARIANTS], metavar="VARIANT")
    parser.add_argument("--render", action="store_true", help="only write TRAINING.md anew from what runs have written")
    options = parser.parse_args()
    if options.render and options.output is None:
        parser.error("--render needs --output")
    for name, number in _LENGTHS[options.device].items():
        if getattr(options, name) is None:
            setattr(options, name, number)
    return options


if __name__ == "__main__":
    main()
