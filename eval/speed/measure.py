"""Everything that `python -m eval.speed` measures, put together as plain data."""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hoidam
from eval.speed.machine import describe
from eval.speed.process import environment, tell
from eval.speed.race import Setting, race
from eval.speed.reading import Reader
from eval.speed.results import FORMAT, loss_row, ratio_rows, score_rows, variant_row
from eval.speed.variants import RATIOS, VARIANTS, Variant
from hoidam.checkpoint import WEIGHTS_NAME, read_settings
from hoidam.evaluate import GoldSet, Sources, read_benchmark
from hoidam.files import file_sha256, write_json_lines
from hoidam.provenance import commit


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was measured, as plain data."""
    started = time.monotonic()
    sources, gold = read_gold(options)
    timed_ids = choose([annotated.id for annotated in gold.gold], count=options.count)
    if options.quick:
        gold = gold.only(gold=timed_ids, second=())
    setting = Setting(
        model=options.model,
        articles=sources.articles,
        gold=gold,
        timed=timed_ids,
        threads=options.threads,
        copies=options.copies,
    )
    outcomes = race(chosen(options.only), setting=setting, repeats=options.rounds)
    timed = count(setting)
    scores = score_rows(outcomes, gold)
    stages = profile(setting, quick=options.quick)
    return {
        "format": FORMAT,
        "command": shlex.join(["python", "-m", "eval.speed", *sys.argv[1:]]),
        "hoidam": hoidam.__version__,
        "commit": commit(),
        "model": identity(options.model),
        "data_sha256": {path.name: file_sha256(path) for path in sources.files},
        "machine": describe(threads=options.threads),
        "rounds": options.rounds,
        "timed": timed,
        "gold": len(gold.gold),
        "variants": [variant_row(one, pieces_per_article=timed["pieces"] / timed["articles"]) for one in outcomes],
        "ratios": ratio_rows(outcomes, RATIOS),
        "loss": loss_row(scores),
        "scores": scores,
        "profile": stages,
        "minutes": (time.monotonic() - started) / 60,
    }


def read_gold(options: argparse.Namespace) -> tuple[Sources, GoldSet]:
    """The gold that is scored, a part of whose articles is timed."""
    if options.gold is None:
        benchmark = read_benchmark(options.benchmark)
        return benchmark.sources, benchmark.read()
    sources = Sources(options.labels, tuple(options.articles), tuple(options.gold))
    return sources, sources.read()


def choose(ids: Sequence[str], *, count: int) -> tuple[str, ...]:
    """So many ids, evenly spread over those given; some come more than once where these are too few."""
    return tuple(ids[place * len(ids) // count] for place in range(count))


def chosen(names: Sequence[str] | None) -> tuple[Variant, ...]:
    """The variants with these names, or all."""
    return tuple(variant for variant in VARIANTS if names is None or variant.name in names)


def identity(model: Path) -> str:
    """A model's name and the first digits of its weights' hash, as tagged records have them."""
    settings, hashes = read_settings(model)
    return f"{settings.name}@{hashes[WEIGHTS_NAME][:12]}"


def count(setting: Setting) -> dict[str, int]:
    """How much the timed articles hold, as the model reads it."""
    reader = Reader(setting.model)
    readings = [reader.read(setting.gold.articles[name].text) for name in setting.timed]
    return {
        "articles": len(readings),
        "words": sum(len(reading.encoded.words) for reading in readings),
        "pieces": sum(reading.pieces for reading in readings),
    }


def profile(setting: Setting, *, quick: bool) -> dict[str, Any]:
    """The stages of `hoidam tag` on the gold's articles, measured in a process of its own."""
    tell("profiling the stages")
    with tempfile.TemporaryDirectory(prefix="hoidam-speed-") as folder:
        articles = Path(folder) / "articles.jsonl"
        write_json_lines(articles, (annotated.article.to_dict() for annotated in setting.gold.gold))
        small = ("--repeats", "1", "--mebibytes", "64") if quick else ()
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "eval.speed.stages", str(articles), "--model", str(setting.model), *small],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            env=environment(1, gpu=False),
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
