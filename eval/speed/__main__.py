"""`python -m eval.speed`, from the project's root: race every variant, profile the stages, write what was found."""

import argparse
import json
import os
import sys
from pathlib import Path

from eval.speed.measure import measure
from eval.speed.render import render
from eval.speed.results import missed
from eval.speed.variants import RATIOS, VARIANTS
from hoidam.errors import HoidamError


def main() -> None:
    """Run, print RESULTS.md, and write it with its JSON into the output's folder; exit 1 where a ratio is missed."""
    options = parse()
    try:
        results = measure(options)
    except HoidamError as error:
        sys.exit(f"eval.speed: {error}")
    print(render(results))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (options.output / "RESULTS.md").write_text(render(results), encoding="utf-8")
    lines = missed(results, wanted=() if options.only else RATIOS)
    if lines and not options.quick:
        sys.exit("missed: " + "; ".join(lines))


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m eval.speed", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/hoidam-small"))
    parser.add_argument("--benchmark", type=Path, default=Path("eval/benchmarks/test.toml"))
    parser.add_argument("--gold", type=Path, action="append", help="in place of the benchmark; repeatable")
    parser.add_argument("--articles", type=Path, action="append", help="the texts of --gold; repeatable")
    parser.add_argument("--labels", type=Path, default=Path("annotations/labels.toml"), help="the scheme of --gold")
    parser.add_argument(
        "--output", type=Path, help="a folder for results.json and RESULTS.md; without it they are only shown"
    )
    parser.add_argument("--count", type=int, default=20, help="articles that are timed in every round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--copies", type=int, default=5, help="times that a command line gets these articles")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--only", nargs="+", choices=[variant.name for variant in VARIANTS], metavar="NAME")
    parser.add_argument(
        "--quick", action="store_true", help="four articles, two rounds: whether it works, no measurement"
    )
    options = parser.parse_args()
    if (options.gold is None) != (options.articles is None):
        parser.error("give --gold and --articles together")
    if options.quick:
        options.count, options.rounds, options.copies = 4, 2, 1
    return options


if __name__ == "__main__":
    main()
