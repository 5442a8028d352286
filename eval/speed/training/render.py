"""The JSON of training runs as Markdown, from their data alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eval.speed.training.results import fastest
from hoidam.evaluate.render import escape_markdown, markdown_table

_NOTHING = "–"
_INTRODUCTION = (
    "How fast `hoidam train` learns, and the same encoder in transformers' plain example set-up (`run_ner.py`), on the "
    "same articles. Pieces are those that the network reads, padding left out. [README.md](README.md#training) says "
    "how it is measured and what favours whom."
)


def render(runs: Sequence[Mapping[str, Any]]) -> str:
    """The whole of TRAINING.md, a section a run."""
    sections = ["# Training throughput", _INTRODUCTION]
    for run in runs:
        sections += _sections(run)
    return "\n\n".join(sections) + "\n"


def _sections(run: Mapping[str, Any]) -> Iterator[str]:
    machine = run["machine"]
    yield f"## {machine['gpu'] or machine['processor']}"
    yield from _facts(run)
    if run["ratios"]:
        yield markdown_table(
            ("pieces a second of", "to", "ratio", "over the rounds", "wanted"), _ratios(run), numbers=True
        )
    header = ("", "pieces/s", "over the rounds", "step", "padding", "memory, MiB", "once, s", "epoch, s", "of peak")
    yield markdown_table(header, _rates(run), numbers=True)
    yield "\n".join(_explained(row) for row in run["variants"])
    if advice := [_advice(row, run["variants"]) for row in fastest(run["variants"])]:
        yield "\n".join(advice)


def _facts(run: Mapping[str, Any]) -> Iterator[str]:
    machine = run["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = f"on {machine['gpu']}, beside {machine['processor']}" if run["device"] != "cpu" else machine["processor"]
    peak = f"{run['peak'] / 1e12:,.2f} TFLOP/s" if run["peak"] else "not measured"
    yield (
        f"{where}, {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['threads']} threads. "
        f"Python {machine['python']}, {versions}. Hoidam {run['hoidam']}, commit {run['commit'] or 'unknown'}."
    )
    yield (
        f"{run['rounds']} rounds of {run['steps']} steps over the variants of a recipe in turn, after {run['warm_up']} "
        f"that are not counted. Ratios are taken round by round; shown are the median, the least and the largest. Best "
        f"rate of matrix products in bfloat16 measured: {peak}. All of it took {run['minutes']:.1f} minutes."
    )
    yield f"    {run['command']}"


def _ratios(run: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in run["ratios"]:
        least = row["at_least"]
        held = "held" if least is not None and row["median"] >= least else "missed"
        wanted = _NOTHING if least is None else f"{least:.1f}: {held}"
        yield row["of"], row["to"], f"{row['median']:.2f}", f"{row['low']:.2f} to {row['high']:.2f}", wanted


def _rates(run: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in run["variants"]:
        if "skipped" in row:
            yield row["name"], *["left out"] + [_NOTHING] * 7
            continue
        rate, rounds = row["pieces_per_second"], row["rounds"]
        yield (
            row["name"],
            f"{rate['median']:,.0f}",
            f"{rate['low']:,.0f} to {rate['high']:,.0f}",
            f"{1000 * sum(found['seconds'] for found in rounds) / len(rounds) / run['steps']:,.0f} ms",
            f"{row['padding']:.1%}",
            f"{row['peak_mib']:,.0f}",
            f"{row['once_seconds']:.1f}" if row["once_seconds"] else _NOTHING,
            f"{row['epoch_seconds']:,.1f}",
            _NOTHING if row["share_of_peak"] is None else f"{row['share_of_peak']:.1%}",
        )


def _explained(row: Mapping[str, Any]) -> str:
    if "skipped" in row:
        return f"- `{row['name']}`: {row['what']}; left out: {escape_markdown(row['skipped'])}"
    return (
        f"- `{row['name']}`: {row['what']}; {row['precision']}, {row['attention']} attention, "
        f"{row['epoch_examples']:,} examples of {row['epoch_pieces'] / row['epoch_examples']:.0f} pieces an epoch"
    )


def _advice(best: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """What to set for the fastest of ours by a recipe."""
    first = next(row for row in rows if row["recipe"] == best["recipe"] and row["ours"])
    if best is first or "skipped" in first:
        return f"Fastest of ours by `{best['recipe']}`: `{best['name']}`."
    times = best["pieces_per_second"]["median"] / first["pieces_per_second"]["median"]
    settings = ", ".join(f"`{setting}`" for setting in best["settings"])
    return (
        f"Fastest of ours by `{best['recipe']}`: `{best['name']}`, {times:.1f} times the recipe as it is, "
        f"with {settings}."
    )
