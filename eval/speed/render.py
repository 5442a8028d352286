"""`results.json` as Markdown, from its data alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hoidam.evaluate.render import escape_markdown, markdown_table

_NOTHING = "–"


def render(results: Mapping[str, Any]) -> str:
    """The whole of RESULTS.md."""
    return "\n\n".join(["# Speed", *_sections(results)]) + "\n"


def _sections(results: Mapping[str, Any]) -> Iterator[str]:
    yield _facts(results)
    yield "## Ratios"
    yield _table(("articles a second of", "to", "ratio", "over the rounds", "wanted"), _ratios(results))
    yield "## Rates"
    header = ("", "articles/s", "over the rounds", "pieces/s", "start, s", "memory, MiB", "GPU busy")
    yield _table(header, _rates(results))
    yield "\n".join(f"- `{row['name']}`: {row['what']}{_left_out(row)}" for row in results["variants"])
    if results["scores"]:
        yield "## Scores"
        yield f"Strict F1 on {results['gold']} articles; categories are an article's, micro-averaged."
        yield _table(("", *(escape_markdown(label) for label in _labels(results))), _scores(results))
    if results["profile"]:
        yield "## Stages"
        yield _profile_facts(results["profile"])
        yield _table(
            ("stage", "processor ms an article", "share", "floor, ms", "times its floor"), _stages(results["profile"])
        )


def _facts(results: Mapping[str, Any]) -> str:
    machine, timed = results["machine"], results["timed"]
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    each = {name: timed[name] / timed["articles"] for name in ("words", "pieces")}
    return "\n\n".join(
        [
            f"{machine['processor']}, {machine['cores']} cores{gpu}, {machine['memory_gib']} GiB; {machine['threads']} "
            f"threads for every variant unless it says otherwise. Python {machine['python']}, {versions}. "
            f"Hoidam {results['hoidam']}, commit {results['commit'] or 'unknown'}, model {results['model']}.",
            f"{results['rounds']} rounds over all variants in turn, {timed['articles']} articles of "
            f"{each['words']:.0f} words and {each['pieces']:.0f} pieces each. Ratios are taken round by round; "
            f"shown are the median, the least and the largest. All of it took {results['minutes']:.1f} minutes.",
            f"    {results['command']}",
        ]
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return markdown_table(header, rows, numbers=True)


def _ratios(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in results["ratios"]:
        wanted = (
            _NOTHING if row["at_least"] is None else f"{row['at_least']:.1f}: {_held(row['median'] >= row['at_least'])}"
        )
        yield row["of"], row["to"], f"{row['median']:.2f}", _range(row), wanted
    if loss := results["loss"]:
        difference = 100 * loss["difference"]
        wanted = f"within {100 * loss['at_most']:.1f}: {_held(abs(loss['difference']) <= loss['at_most'])}"
        yield f"strict F1 of {loss['of']}", loss["to"], f"{difference:+.2f} points", _NOTHING, wanted


def _held(held: bool) -> str:
    return "held" if held else "missed"


def _range(row: Mapping[str, float]) -> str:
    return f"{row['low']:.2f} to {row['high']:.2f}"


def _rates(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in results["variants"]:
        if "skipped" in row:
            yield row["name"], *["left out"] + [_NOTHING] * 5
            continue
        rate = row["articles_per_second"]
        yield (
            row["name"],
            f"{rate['median']:.2f}",
            _range(rate),
            f"{row['pieces_per_second']:,.0f}",
            f"{row['load_seconds']:.1f}",
            f"{row['peak_mib']:,.0f}",
            _NOTHING if row["gpu_busy"] is None else f"{row['gpu_busy']:.0%}",
        )


def _left_out(row: Mapping[str, Any]) -> str:
    return f"; left out: {escape_markdown(row['skipped'])}" if "skipped" in row else ""


def _labels(results: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(label for row in results["scores"] for label in row["f1"]))


def _scores(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in results["scores"]:
        yield row["name"], *(_f1(row["f1"].get(label)) for label in _labels(results))


def _f1(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.4f}"


def _profile_facts(profile: Mapping[str, Any]) -> str:
    best = profile["best"]
    return (
        f"`hoidam tag` over {profile['articles']} articles on one core in {profile['precision']}, loading left out; "
        f"{profile['words']:,} words, {profile['pieces']:,} pieces, {profile['padded_pieces']:,} with padding. Best "
        f"rates measured: {best['fp32_operations'] / 1e9:,.0f} GFLOP/s in float32 and "
        f"{best['bf16_operations'] / 1e9:,.0f} in bfloat16 on matrices of the encoder's shapes, "
        f"{best['bytes'] / 1e9:.1f} GB/s of memory."
    )


def _stages(profile: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    total = sum(row["seconds"] for row in profile["stages"])
    for row in profile["stages"]:
        floor, each = row["floor"], 1000 / profile["articles"]
        yield (
            row["stage"],
            f"{row['seconds'] * each:.3f}",
            f"{row['seconds'] / total:.1%}",
            _NOTHING if floor is None else f"{floor * each:.2g}",
            _NOTHING if floor is None else f"{row['seconds'] / floor:,.1f}",
        )
    yield "all", f"{total * 1000 / profile['articles']:.3f}", "100.0%", _NOTHING, _NOTHING
