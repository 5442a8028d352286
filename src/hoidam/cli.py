"""The command line: parses, calls a worker, prints, and turns failures into exit codes.

Exit codes: 0 all done; 1 the command could not be carried out, or nobody reads its output any more; 2 wrong usage;
3 done, but some inputs failed; 130 stopped by Ctrl-C or SIGTERM.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

import hoidam
from hoidam.errors import HoidamError
from hoidam.processes import is_first_to_fail, is_main

if TYPE_CHECKING:
    from hoidam.document import Annotated as Gold
    from hoidam.evaluate import Benchmark, Floor, Sources
    from hoidam.gold.conll import Layout
    from hoidam.gold.cuts import WordFinder
    from hoidam.gold.exchange import Imported
    from hoidam.ingest.readers import Columns, Failure
    from hoidam.labels import LabelScheme
    from hoidam.tag.cluster import Cluster

FAILED, SOME_FAILED, STOPPED = 1, 3, 130

app = typer.Typer(
    help="Tag who, where and on what in Vietnamese news about cooperation across a border.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
gold_app = typer.Typer(help="Work on annotated articles: check, count, exchange.", no_args_is_help=True)
encoder_app = typer.Typer(help="Prepare pre-trained encoders.", no_args_is_help=True)
benchmark_app = typer.Typer(help="Freeze gold to score on.", no_args_is_help=True)
app.add_typer(gold_app, name="gold")
app.add_typer(encoder_app, name="encoder")
app.add_typer(benchmark_app, name="benchmark")

Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Device = Annotated[str, typer.Option(help="auto, cpu, or a GPU such as cuda or cuda:1.")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")]
Precision = Annotated[
    Literal["auto", "fp32", "bf16"], typer.Option(help="Of the network's numbers; auto is what is fastest here.")
]
Labels = Annotated[
    Path | None,
    typer.Option(help="The label scheme; by default the labels.toml nearest to the gold.", show_default=False),
]
ArticleFiles = Annotated[list[Path], typer.Option("--articles", help="Files with the articles' texts; repeatable.")]
GoldFiles = Annotated[list[Path], typer.Option("--gold", help="Gold files; repeatable.")]
MetaKey = Annotated[str, typer.Option("--by", help="The meta key to count by.")]
Form = Annotated[
    Literal["inline", "conll", "label-studio", "doccano", "brat"],
    typer.Option("--format", help="Marks in the text, tags by token, or a tool's own."),
]
ColumnNames = Annotated[
    str | None,
    typer.Option(
        help="CoNLL: a line's columns by `token`, `tag` (as many as there are), `tag:TYPE` (bare letters), `_` (passed "
        "over), `*` (any number passed over); by default token,*,tag.",
        show_default=False,
    ),
]
Tags = Annotated[
    Literal["bio", "iob1", "ioe1", "ioe2", "iobes", "bilou", "io"] | None,
    typer.Option("--tagging", help="CoNLL: how tags are written; by default bio.", show_default=False),
]
Unit = Annotated[
    Literal["sentence", "document"] | None,
    typer.Option(help="CoNLL: what is an article; by default a sentence, else what -DOCSTART- lines part."),
]
Joined = Annotated[bool, typer.Option("--joined", help="CoNLL: a `_` within a token stands for a space.")]
Comment = Annotated[str, typer.Option(metavar="PREFIX", help="CoNLL: pass over lines that begin so.")]
TextColumn = Annotated[str, typer.Option(help="The field that holds a record's text.")]
IdColumn = Annotated[str, typer.Option(help="The field that holds a record's id.")]


def main() -> NoReturn:
    """Run the command line; every expected failure is one message on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    for kind in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(kind) != signal.SIG_IGN:
            signal.signal(kind, _stop)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except HoidamError as error:
        _say_error(str(error), error)
        sys.exit(FAILED)
    except _Stopped as error:
        _say_error("stopped", error)
        sys.exit(STOPPED)
    except OSError as error:
        _discard_output()
        if not isinstance(error, BrokenPipeError):
            _say_error(f"the operating system refused: {error}", error)
        sys.exit(FAILED)
    except Exception:
        if not is_first_to_fail():
            sys.exit(FAILED)
        raise
    sys.exit(0)


class _Stopped(BaseException):
    """Ctrl-C or SIGTERM. No KeyboardInterrupt, which typer would turn into a silent exit."""


def _stop(*_: Any) -> NoReturn:
    raise _Stopped


def _discard_output() -> None:
    """Let what is left in the buffer go: at its end Python would write it, and fail, once more."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _say_error(message: str, error: BaseException) -> None:
    """Say what was wrong, with what the work that it ended has noted on it, in one line and one process."""
    if is_first_to_fail():
        _say("; ".join([f"hoidam: {message}", *getattr(error, "__notes__", [])]))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hoidam {hoidam.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, a TOML file.")],
    output: Annotated[
        Path | None, typer.Option(help="The run folder; by default runs/NAME beside the recipe.", show_default=False)
    ] = None,
    changes: Changes = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    seeds: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Train once with each seed, and summarise.", show_default=False)
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Train once for each of so many parts of train and dev as dev, and summarise."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Fine-tune an encoder by a recipe into a run folder: model, recipe, provenance, curves, dev scores."""
    if seeds and folds:
        raise typer.BadParameter("give either --seeds or --folds")
    from hoidam.train.recipe import read_recipe

    settings = read_recipe(recipe, changes=changes or [])
    folder = output or recipe.parent / "runs" / (settings.name + ("-seeds" if seeds else "-folds" if folds else ""))
    if seeds or folds:
        from hoidam.train.several import train_folds, train_seeds

        if folds:
            found = train_folds(settings, count=folds, folder=folder, resume=resume, device=device)
        else:
            found = train_seeds(settings, seeds=_seeds(seeds or ""), folder=folder, resume=resume, device=device)
        _print_rows(list(found.rows()), title="Scores on dev")
        _say(f"runs: {folder}")
        return
    from hoidam.train.run import train as run_training
    from hoidam.train.together import part

    model = run_training(settings, folder=folder, resume=resume, device=device)
    if is_main():
        _say(f"model: {model}")
        _print_report_table(folder / "dev.json", title="Scores on dev")
    part()


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: give whole numbers, such as --seeds 1,2,3") from None


@app.command()
def search(
    recipe: Annotated[Path, typer.Argument(help="A recipe, a TOML file.")],
    vary: Annotated[
        list[str],
        typer.Option(
            metavar="KEY=VALUES",
            help="A setting to vary, as LOW:HIGH, LOW:HIGH:log or A,B,C; repeatable.",
        ),
    ],
    trials: Annotated[int, typer.Option(min=1, help="How many trials there are to be in the end.")] = 20,
    output: Annotated[
        Path | None,
        typer.Option(help="The search folder; by default runs/NAME-search beside the recipe.", show_default=False),
    ] = None,
    changes: Changes = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a search that was stopped.")] = False,
    device: Device = "auto",
) -> None:
    """Search for better settings of a recipe: trials with other values, judged on dev; the best as a recipe."""
    from hoidam.train.recipe import read_recipe

    settings = read_recipe(recipe, changes=changes or [])
    from hoidam.train.search import BEST_NAME
    from hoidam.train.search import search as run_search
    from hoidam.train.trials import table

    folder = output or recipe.parent / "runs" / f"{settings.name}-search"
    found = run_search(settings, vary=vary, trials=trials, folder=folder, resume=resume, device=device)
    _print_rows(table(found), title="Trials")
    _say(f"best: {folder / BEST_NAME}")


@app.command()
def average(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of finished runs of one recipe.")],
    output: Annotated[Path, typer.Option(help="The run folder to write.")],
    device: Device = "auto",
) -> None:
    """Average the weights of runs with other seeds into one model, often better than each; scored on dev."""
    from hoidam.train.average import average as average_runs

    model = average_runs(runs, folder=output, device=device)
    _say(f"model: {model}")
    _print_report_table(output / "dev.json", title="Scores on dev")


@app.command()
def evaluate(
    gold: Annotated[list[Path] | None, typer.Option(help="Gold files; repeatable.", show_default=False)] = None,
    articles: Annotated[
        list[Path] | None, typer.Option(help="Files with the articles' texts; repeatable.", show_default=False)
    ] = None,
    benchmark: Annotated[
        Path | None, typer.Option(help="A frozen benchmark, in place of --gold, --articles, --second and --labels.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Tag the articles with this model, then score.")] = None,
    tagged: Annotated[Path | None, typer.Option(help="Score this tagged file.")] = None,
    labels: Labels = None,
    second: Annotated[
        Path | None, typer.Option(help="Another annotator's gold on some of the articles: the ceiling.")
    ] = None,
    seen_in: Annotated[
        list[Path] | None, typer.Option(help="Gold whose mentions count as seen; repeatable.", show_default=False)
    ] = None,
    floors: Annotated[Path | None, typer.Option(help="Floors to hold on the benchmark; below one, exit 1.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write the report into this folder: JSON, Markdown, an HTML page, and the errors as CSV."),
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Put the text of every error into the report; not for a test part.")
    ] = False,
    force: Force = False,
    device: Device = "auto",
    precision: Precision = "fp32",
) -> None:
    """Score spans and categories against gold, with intervals over articles."""
    if (model is None) == (tagged is None):
        raise typer.BadParameter("give either --model or --tagged")
    if floors is not None and benchmark is None:
        raise typer.BadParameter("--floors needs --benchmark")
    sources = _sources(benchmark, gold=gold, articles=articles, labels=labels, second=second)
    bounds = _floors(floors, sources)
    from hoidam.tag.scoring import score_files

    if report is not None:
        from hoidam.evaluate import report_paths

        report_paths(report, force=force)
    result = score_files(
        sources,
        model=model,
        tagged=tagged,
        device=device,
        precision=precision,
        seen_in=seen_in or [],
        show_errors=errors,
    )
    _print_table(result, title="Scores")
    if report is not None:
        from hoidam.evaluate import write_report

        for path in write_report(report, report=result, force=force):
            _say(f"report: {path}")
    if bounds:
        _hold(bounds, report=result)


def _sources(
    benchmark: Path | None,
    *,
    gold: list[Path] | None,
    articles: list[Path] | None,
    labels: Path | None,
    second: Path | None,
) -> "Benchmark | Sources":
    from hoidam.evaluate import Sources, read_benchmark
    from hoidam.labels import find_labels

    if benchmark is not None:
        if gold or articles or labels or second:
            raise typer.BadParameter("a --benchmark names its own gold, articles, labels and second annotator")
        return read_benchmark(benchmark)
    if not gold or not articles:
        raise typer.BadParameter("give --gold and --articles, or --benchmark")
    return Sources(labels or find_labels(gold[0]), tuple(articles), tuple(gold), second)


def _floors(path: Path | None, sources: "Benchmark | Sources") -> "tuple[Floor, ...]":
    from hoidam.evaluate import Benchmark, read_floors

    return read_floors(path, benchmark=sources.name) if path and isinstance(sources, Benchmark) else ()


def _hold(floors: "tuple[Floor, ...]", *, report: dict[str, Any]) -> None:
    """Print each floor with what was found; exit 1 where one is not held."""
    rows = []
    for floor in floors:
        found, side = floor.find(report), "at most" if floor.ceiling else "at least"
        held = "held" if floor.is_held_by(report) else "NOT HELD"
        rows.append((floor.figure, f"{side} {floor.bound:.3f}", "–" if found is None else f"{found:.3f}", held))
    _print_rows([("figure", "floor", "found", ""), *rows], title="Floors")
    if not all(floor.is_held_by(report) for floor in floors):
        raise typer.Exit(FAILED)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="REPORT_A", help="A report.json, or the folder that holds it.")],
    b: Annotated[Path, typer.Argument(metavar="REPORT_B", help="Another, on the same gold.")],
    output: Annotated[Path | None, typer.Option("--json", help="Write the comparison as a JSON file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of resampling.")] = 0,
    force: Force = False,
) -> None:
    """Say whether one model is better than another: paired differences, intervals, p-values, and in words."""
    from hoidam.evaluate import compare as compare_reports
    from hoidam.evaluate import find_report, read_report
    from hoidam.files import refuse_overwrite, whole_file

    if output is not None:
        refuse_overwrite(output, force=force)
    reports = [read_report(find_report(path)) for path in (a, b)]
    found = compare_reports(*reports, seed=seed)
    _print_rows(list(found.rows()), title=f"F1 on {found.articles} articles: A = {a}, B = {b}")
    print(*found.sentences(), "", found.method, sep="\n")
    left_out = len(found.only_a) + len(found.only_b)
    if left_out:
        _say(f"left out: {len(found.only_a)} articles that only A has, {len(found.only_b)} that only B has")
    if output is not None:
        with whole_file(output, force=force) as stream:
            stream.write(found.to_text())
        _say(f"comparison: {output}")


@app.command()
def summarise(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="One group each: all reports below it.")],
    output: Annotated[Path | None, typer.Option(help="Write the summary as a .md or .json file.")] = None,
    force: Force = False,
) -> None:
    """Summarise reports, such as runs with several seeds: mean, standard deviation and range by group."""
    from hoidam.evaluate import summarise as summarise_reports
    from hoidam.files import refuse_overwrite, whole_file

    if output is not None:
        refuse_overwrite(output, force=force)
    found = summarise_reports(folders)
    text = found.to_text(output.suffix) if output is not None else ""
    _print_rows(list(found.rows()), title="Summary")
    if output is not None:
        with whole_file(output, force=force) as stream:
            stream.write(text)
        _say(f"summary: {output}")


@benchmark_app.command("freeze")
def benchmark_freeze(
    benchmark: Annotated[
        Path, typer.Argument(help="A TOML file with name, description, labels, articles, gold and perhaps second.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Freeze it anew.")] = False,
) -> None:
    """Pin a benchmark to its gold as it is now: any later change of an article or of its gold is an error."""
    from hoidam.evaluate import freeze

    found = freeze(benchmark, force=force)
    _say(f"{benchmark}: {len(found.gold)} articles, {len(found.second)} by a second annotator, {found.sha256}")


@app.command()
def tag(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT…", help="Files, folders, globs, or - for one text.")],
    model: Annotated[
        Path | None,
        typer.Option(help="The model folder; by default the one that the nearest pyproject.toml names."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="A .jsonl, .csv or .parquet file, the first two also with .gz or .zst; without it JSON lines go to "
            "standard output. With --engine ray a folder or the URI of one, such as s3://bucket/tagged."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped; start where there is none.")
    ] = False,
    force: Force = False,
    deduplicate: Annotated[
        bool, typer.Option("--deduplicate", help="Tag an article once: later copies of its body name the first.")
    ] = False,
    device: Device = "auto",
    precision: Precision = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default one a core where there is much to tag.")
    ] = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="This machine, or a Ray cluster, which takes .jsonl and .parquet.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster; by default RAY_ADDRESS, or one on this machine.")
    ] = None,
    actors: Annotated[
        int | None, typer.Option(min=1, help="Ray actors, each with a model; by default as many as find room.")
    ] = None,
    cpus: Annotated[
        int | None, typer.Option("--cpus-per-actor", min=1, help="Cores of a Ray actor; 1 by default.")
    ] = None,
    gpus: Annotated[
        float | None, typer.Option("--gpus-per-actor", min=0, help="GPUs of a Ray actor, such as 1 or 0.5.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Articles that a Ray actor tags together.")] = None,
) -> None:
    """Tag articles: spans with scores on the input's own offsets, and the article's categories."""
    if resume and (output is None or force):
        raise typer.BadParameter("--resume needs --output, and does not go with --force, which begins anew")
    if engine == "ray":
        if deduplicate or workers:
            raise typer.BadParameter("--deduplicate and --workers need --engine local")
        from hoidam.ingest.readers import Columns
        from hoidam.tag.cluster import Cluster

        _tag_on_cluster(
            inputs,
            model,
            output,
            cluster=Cluster(address, actors, cpus or 1, gpus or 0),
            columns=Columns(text_column, id_column),
            precision=precision,
            batch=batch,
            resume=resume,
            force=force,
        )
        return
    if any((address, actors, cpus, gpus, batch)):
        raise typer.BadParameter(
            "--address, --actors, --cpus-per-actor, --gpus-per-actor and --batch need --engine ray"
        )
    if any("://" in place for place in [*inputs, output or ""]):
        raise typer.BadParameter("URIs need --engine ray")
    from hoidam.configuration import find_model
    from hoidam.ingest.discover import printable
    from hoidam.ingest.readers import Columns, discover, read_found
    from hoidam.tag.journal import is_finished

    found = discover(inputs)
    target = None if output is None else Path(output)
    if target is not None and is_finished(target, inputs=found.files, resume=resume, force=force):
        _say(f"{output}: is there already, whole. --force makes it anew")
        return
    from hoidam.tag.batch import tag_items
    from hoidam.tag.tagger import Tagger

    tagger = Tagger.load(model or find_model(Path()), device=device, precision=precision, workers=workers)
    network = tagger.model.predictor.network.description
    with _progress("tagging", bar=target is not None or not sys.stdout.isatty()) as step:

        def on_item(failure: "Failure | None") -> None:
            step()
            if failure is not None:
                _say(f"failed: {failure.error}")

        columns = {"text_column": text_column, "id_column": id_column}
        summary = tag_items(
            read_found(found, columns=Columns(text_column, id_column), deduplicate=deduplicate),
            tagger=tagger,
            output=target,
            stream=sys.stdout,
            settings={"inputs": [*map(printable, inputs)], **columns, "deduplicate": deduplicate, "network": network},
            files=found.files,
            resume=resume,
            force=force,
            on_item=on_item,
        )
    copies = f"; {summary.duplicates} copies" if summary.duplicates else ""
    passed = f"; {found.passed_over} files of other kinds passed over" if found.passed_over else ""
    failed = f"; {summary.failed} failed" + (f", listed in {summary.errors}" if summary.errors else "")
    found_spans = f"{summary.spans} spans ({network})"
    _say(f"{summary.tagged} articles tagged, {found_spans}{copies}{failed if summary.failed else ''}{passed}")
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def _tag_on_cluster(
    inputs: list[str],
    model: Path | None,
    output: str | None,
    *,
    cluster: "Cluster",
    columns: "Columns",
    precision: str,
    batch: int | None,
    resume: bool,
    force: bool,
) -> None:
    """Tag with Ray, and close as `tag` does."""
    if output is None:
        raise typer.BadParameter("--engine ray needs --output, a folder or the URI of one")
    from hoidam.configuration import find_model
    from hoidam.stores import join
    from hoidam.tag.cluster import tag_on_cluster
    from hoidam.tag.parts import PartFolder

    if resume and not force and PartFolder(output).is_whole():
        _say(f"{output}: is there already, whole. --force makes it anew")
        return
    with contextlib.ExitStack() as stack:
        done = tag_on_cluster(
            inputs,
            model=model or find_model(Path()),
            output=output,
            cluster=cluster,
            columns=columns,
            precision=precision,
            batch=batch,
            resume=resume,
            force=force,
            on_begin=lambda shards: stack.enter_context(_progress("tagging shards", total=shards)),
        )
    failed = f"; {done.failed} failed, listed in {join(output, 'errors')}" if done.failed else ""
    _say(f"{done.articles} articles tagged, {done.spans} spans, {len(done.parts)} parts{failed}")
    if done.failed:
        raise typer.Exit(SOME_FAILED)


@app.command()
def export(
    models: Annotated[
        list[Path],
        typer.Option("--model", help="The model folder; of several, runs with other seeds, the best on dev is taken."),
    ],
    output: Annotated[Path, typer.Option(help="The folder to write.")],
    form: Annotated[
        Literal["float32", "float16", "int8", "onnx", "onnx-int8"],
        typer.Option("--format", help="How to store the weights, or the network for ONNX Runtime."),
    ],
    benchmark: Annotated[Path | None, typer.Option(help="A frozen benchmark to check the result on.")] = None,
    gold: Annotated[
        list[Path] | None, typer.Option(help="Gold to check the result on; repeatable.", show_default=False)
    ] = None,
    articles: Annotated[
        list[Path] | None, typer.Option(help="Files with the gold's texts; repeatable.", show_default=False)
    ] = None,
    labels: Labels = None,
    reports: Annotated[
        list[Path] | None,
        typer.Option("--report", help="A report folder of `hoidam evaluate`, for the card; repeatable."),
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(help="Markdown for the card: what the model is for, its limits, its licence.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another model, such as a student's teacher, to score beside it.")
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="How far the strict F1 over all types may lie below --against.")
    ] = 0.007,
    force: Force = False,
) -> None:
    """Write a model in another form: float16 is half as large, int8 a quarter; onnx runs without torch's kernels.

    Where gold is given, and for the ONNX forms it must be, nothing is written that loses more than 0.002 of mean F1.
    """
    checked = bool(benchmark or gold or articles)
    if against and not checked:
        raise typer.BadParameter("--against scores two models on gold: give --benchmark, or --gold and --articles")
    if form.startswith("onnx") and not checked:
        raise typer.BadParameter("an ONNX form is checked on gold: give --benchmark, or --gold and --articles")
    sources = _sources(benchmark, gold=gold, articles=articles, labels=labels, second=None) if checked else None
    from hoidam.checkpoint import export_model
    from hoidam.tag.scoring import refuse_losses, refuse_worse
    from hoidam.train.card import card_sections
    from hoidam.train.results import best_on_dev

    model = best_on_dev(models)

    def check(exported: Path) -> str:
        found = [refuse_losses(sources, model=model, exported=exported)] if sources else []
        if sources and against:
            found.append(refuse_worse(sources, model=model, exported=exported, than=against, margin=margin))
        for line in found:
            _say(line)
        return " ".join(found)

    export_model(model, output, form=form, sections=card_sections(reports or [], notes=notes), check=check, force=force)
    _say(f"model: {output}, of {model}")


@app.command()
def view(
    tagged: Annotated[Path, typer.Argument(help="A .jsonl file that `hoidam tag` wrote.")],
    output: Annotated[Path, typer.Option(help="The page to write.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="What was tagged; by default the files that the records name as their source."),
    ] = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
    force: Force = False,
) -> None:
    """Write one self-contained page that shows tagged articles with their spans."""
    from hoidam.tag.sources import read_texts
    from hoidam.tag.view import view as write_page

    texts = read_texts(tagged, inputs=inputs or [], text_column=text_column, id_column=id_column)
    count = write_page(tagged, texts=texts, output=output, force=force)
    _say(f"{count} articles: {output}")


@app.command()
def serve(
    model: Annotated[
        Path | None,
        typer.Option(help="The model folder; by default the one that the nearest pyproject.toml names."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    device: Device = "auto",
    precision: Precision = "auto",
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.")] = 10_000_000,
    max_characters: Annotated[int, typer.Option(min=1, help="Code points of an article.")] = 100_000,
    max_articles: Annotated[int, typer.Option(min=1, help="Articles of a request.")] = 64,
    max_waiting: Annotated[int, typer.Option(min=1, help="Articles that wait; beyond it, 503.")] = 512,
    max_requests: Annotated[int, typer.Option(min=1, help="Requests at once; beyond it, 429.")] = 128,
) -> None:
    """Tag over HTTP, with a page to paste an article into; SIGTERM ends it in order."""
    from hoidam.configuration import find_model
    from hoidam.errors import MissingExtraError
    from hoidam.serve.limits import Limits

    try:
        from hoidam.serve.run import run
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), extra="serve", purpose="`hoidam serve`") from None
    from hoidam.tag.tagger import Tagger

    limits = Limits(
        body_bytes=max_body,
        characters=max_characters,
        articles=max_articles,
        waiting=max_waiting,
        requests=max_requests,
    )
    tagger = Tagger.load(model or find_model(Path()), device=device, precision=precision)
    run(tagger, host=host, port=port, limits=limits, on_listen=lambda address: _say(f"hoidam: {address}"))


@app.command()
def ingest(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT…", help="Files, folders, globs, or -.")],
    output: Annotated[Path, typer.Option(help="The .jsonl file of articles to write.")],
    deduplicate: Annotated[
        Literal["none", "exact", "near"], typer.Option(help="Leave out articles that say the same as an earlier one.")
    ] = "none",
    force: Force = False,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
) -> None:
    """Turn pages and files into stored articles: NFC, line feeds, one JSON object a line."""
    from hoidam.ingest.store import ingest as store

    summary = store(
        inputs,
        output=output,
        deduplicate=None if deduplicate == "none" else deduplicate,
        text_column=text_column,
        id_column=id_column,
        force=force,
    )
    passed = f"; {summary.passed_over} files of other kinds passed over" if summary.passed_over else ""
    _say(
        f"{summary.written} articles written, {summary.duplicates} left out as copies, {summary.failed} failed{passed}"
    )
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


@encoder_app.command("prepare")
def encoder_prepare(
    source: Annotated[str, typer.Argument(metavar="SPEC", help="A hub id, a folder, or `embedded`.")],
    output: Annotated[Path, typer.Option(help="The folder to write.")],
    force: Force = False,
) -> None:
    """Write an encoder and its tokenizer as a local folder in safetensors."""
    from hoidam.encode.prepare import prepare

    prepare(source, output, force=force)
    _say(f"encoder: {output}")


@gold_app.command("check")
def gold_check(
    gold: GoldFiles,
    articles: ArticleFiles,
    labels: Labels = None,
    checks: Annotated[Path | None, typer.Option(help="Rules and listed exceptions of this corpus.")] = None,
) -> None:
    """Find what a program can find wrong in annotations: article, offset, words, what is wrong, what to do."""
    from hoidam.gold.check import check
    from hoidam.gold.checks import read_checks

    annotated, scheme = _read_gold(gold, articles, labels)
    findings = check(annotated, scheme=scheme, checks=read_checks(checks, scheme=scheme) if checks else None)
    for finding in findings:
        place = f"{finding.article}:{finding.offset}: {finding.rule}"
        print(f"{place}: {finding.snippet!r}: {finding.message}. {finding.cure}")
    _say(f"{len(annotated)} articles checked, {len(findings)} findings")
    if findings:
        raise typer.Exit(FAILED)


@gold_app.command("stats")
def gold_stats(
    gold: GoldFiles,
    articles: ArticleFiles,
    labels: Labels = None,
    key: MetaKey = "outlet",
    gazetteer: Annotated[
        Path | None, typer.Option(help="A gazetteer's folder: count articles by border region.")
    ] = None,
    place_type: Annotated[str, typer.Option(help="The span type whose mentions are looked up in it.")] = "",
    segmenters: Annotated[
        str, typer.Option(metavar="NAME,…", help="Count the gold edges that fall inside these segmenters' words.")
    ] = "",
) -> None:
    """Count a corpus, one part a gold file: articles, words, spans, categories, mentions not seen in train, regions."""
    if (gazetteer is None) != (not place_type):
        raise typer.BadParameter("--gazetteer and --place-type go together")
    from hoidam.gazetteer import read_gazetteer
    from hoidam.gold.stats import render_markdown, stats

    if len({path.stem for path in gold}) < len(gold):
        raise typer.BadParameter("two gold files have one name, and a part is named by its file")
    parts = [_read_gold([path], articles, labels) for path in gold]
    counted = stats(
        {path.stem: part for path, (part, _) in zip(gold, parts, strict=True)},
        scheme=parts[0][1],
        key=key,
        gazetteer=read_gazetteer(gazetteer) if gazetteer else None,
        place_type=place_type,
        segmenters={name: _word_finder(name) for name in segmenters.split(",") if name},
    )
    print(render_markdown(counted), end="")


@gold_app.command("import")
def gold_import(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files with annotated articles.")],
    articles: Annotated[Path, typer.Option(help="The .jsonl file of articles to write.")],
    gold: Annotated[Path, typer.Option(help="The .jsonl file of gold to write.")],
    form: Form = "inline",
    columns: ColumnNames = None,
    tagging: Tags = None,
    unit: Unit = None,
    joined: Joined = False,
    comment: Comment = "",
    labels: Labels = None,
    force: Force = False,
) -> None:
    """Turn annotated files into articles and gold, and but for inline marks a labels.toml where there is none yet."""
    layout = _layout(form, columns=columns, tagging=tagging, unit=unit, joined=joined, comment=comment)
    if form == "inline":
        from hoidam.gold.inline import import_inline
        from hoidam.labels import find_labels, read_labels

        scheme = read_labels(labels or find_labels(gold))
        annotated: Sequence[Gold] = import_inline(files, scheme=scheme, articles=articles, gold=gold, force=force)
    else:
        from hoidam.gold.exchange import import_gold
        from hoidam.labels import place_labels

        place = labels or place_labels(gold)
        read = _reader(form, files, layout)
        found = import_gold(files, read=read, labels=place, articles=articles, gold=gold, force=force)
        annotated = found.annotated
        for kind, count in found.mended.items():
            _say(f"{count} {kind}")
    _say(f"{len(annotated)} articles, {sum(len(one.spans) for one in annotated)} spans: {articles}, {gold}")


def _reader(form: str, files: list[Path], layout: "Layout | None") -> "Callable[[LabelScheme | None], Imported]":
    """What reads these files, by the scheme that there is, or by one that it derives."""
    from hoidam.gold.brat import read_brat
    from hoidam.gold.conll_import import read_conll
    from hoidam.gold.doccano import read_doccano
    from hoidam.gold.label_studio import read_label_studio

    if layout is not None:
        return lambda scheme: read_conll(files, layout=layout, scheme=scheme)
    read = {"brat": read_brat, "doccano": read_doccano, "label-studio": read_label_studio}[form]
    return lambda scheme: read(files, scheme=scheme)


def _layout(form: str, *, columns: str | None, **options: Any) -> "Layout | None":
    """The layout of CoNLL files, None for another form, which takes no options of theirs."""
    given = {name: value for name, value in options.items() if value}
    if columns is not None:
        given["columns"] = tuple(columns.split(","))
    if form == "conll":
        from hoidam.gold.conll import Layout

        return Layout(**given)
    if given:
        raise typer.BadParameter(f"--{next(iter(given))} goes with --format conll")
    return None


@gold_app.command("export")
def gold_export(
    articles: ArticleFiles,
    output: Annotated[Path, typer.Option(help="The file to write; for brat the folder.")],
    gold: Annotated[list[Path] | None, typer.Option(help="Gold files; repeatable.", show_default=False)] = None,
    tagged: Annotated[
        Path | None, typer.Option(help="CoNLL: a tagged file, in place of gold.", show_default=False)
    ] = None,
    form: Form = "inline",
    sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--source",
            help="CoNLL: a file that was imported, by the same options, whose words to keep; repeatable.",
            show_default=False,
        ),
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(help="CoNLL without sources: what cuts words; by default none, syllables.", show_default=False),
    ] = None,
    columns: ColumnNames = None,
    tagging: Tags = None,
    unit: Unit = None,
    joined: Joined = False,
    comment: Comment = "",
    labels: Labels = None,
    force: Force = False,
) -> None:
    """Write gold as marked text or for a tool, to be edited by a person; or gold or tagged articles as CoNLL."""
    from hoidam.labels import find_labels, read_labels

    given = gold or ([tagged] if tagged else [])
    if not given or (gold and tagged):
        raise typer.BadParameter("give either --gold or --tagged")
    if sources and segmenter:
        raise typer.BadParameter("--source has the words; leave out --segmenter")
    layout = _layout(form, columns=columns, tagging=tagging, unit=unit, joined=joined, comment=comment)
    scheme = read_labels(labels or find_labels(given[0]))
    if layout is None:
        if not gold or sources or segmenter:
            raise typer.BadParameter("--tagged, --source and --segmenter go with --format conll")
        written = _exporter(form)(gold, articles=articles, scheme=scheme, output=output, force=force)
        _say(f"{len(written)} articles: {output}")
        _say_bodies(written if form == "brat" else [])
        return
    from hoidam.gold.conll_export import export_conll

    found = export_conll(
        gold=gold or [],
        tagged=tagged,
        articles=articles,
        scheme=scheme,
        output=output,
        layout=layout,
        words=sources or _word_finder(segmenter or "none"),
        force=force,
    )
    _say(f"{len(found.annotated)} articles, {found.spans} spans, columns {','.join(found.columns)}: {output}")
    _say_bodies(found.annotated)
    for (name, cause), count in sorted(found.lost.items()):
        _say(f"not written: {count} {name} with {cause}")
    if found.lost:
        raise typer.Exit(SOME_FAILED)


def _say_bodies(annotated: "Sequence[Gold]") -> None:
    bodies = sum(one.body is not None for one in annotated)
    if bodies:
        _say(f"not written: where the body lies in {bodies} articles")


def _exporter(form: str) -> "Callable[..., list[Gold]]":
    """The worker that writes gold in a form."""
    from functools import partial

    from hoidam.gold.brat import export_brat
    from hoidam.gold.doccano import to_doccano
    from hoidam.gold.exchange import export_text
    from hoidam.gold.inline import to_inline
    from hoidam.gold.label_studio import to_label_studio

    writers = {"inline": to_inline, "doccano": to_doccano, "label-studio": to_label_studio}
    return export_brat if form == "brat" else partial(export_text, write=writers[form])


def _word_finder(segmenter: str) -> "WordFinder":
    """What cuts a text into words as a model with this segmenter reads them, on the text's own offsets."""
    from hoidam.encode.segmenters import load_segmenter
    from hoidam.encode.words import split_words
    from hoidam.ingest.normalise import normalise

    loaded = load_segmenter(segmenter)

    def words(text: str) -> list[tuple[int, int]]:
        normalised = normalise(text)
        found = split_words(normalised.text, loaded)
        return [normalised.to_input(start, end) for start, end in zip(found.starts, found.ends, strict=True)]

    return words


@gold_app.command("split")
def gold_split(
    gold: GoldFiles,
    articles: ArticleFiles,
    articles_output: Annotated[Path, typer.Option(help="The folder for the articles of train, dev and test.")],
    gold_output: Annotated[Path, typer.Option(help="The folder for their gold.")],
    dev: Annotated[float, typer.Option(help="The share of articles for dev.")] = 0.15,
    test: Annotated[float, typer.Option(help="The share of articles for test.")] = 0.15,
    seed: Annotated[int, typer.Option(help="The seed of the split.")] = 1,
    labels: Labels = None,
    force: Force = False,
) -> None:
    """Divide a corpus into train, dev and test, by article and near-duplicate, alike in outlets and categories."""
    from hoidam.gold.split import PARTS, split, write_split

    annotated, _ = _read_gold(gold, articles, labels)
    parts = split(annotated, seed=seed, dev=dev, test=test)
    write_split(annotated, parts, articles=articles_output, gold=gold_output, force=force)
    for part in PARTS:
        _say(f"{part}: {len(getattr(parts, part))} articles")
    _say(f"near-duplicates across parts: {parts.crossing_duplicates}")


@gold_app.command("noise")
def gold_noise(
    gold: GoldFiles,
    articles: ArticleFiles,
    articles_output: Annotated[Path, typer.Option(help="The .jsonl file for the garbled articles.")],
    gold_output: Annotated[Path, typer.Option(help="The .jsonl file for their gold.")],
    rate: Annotated[float, typer.Option(help="The probability that a word, or space, is drawn, 0 to 1.")] = 0.05,
    kinds: Annotated[
        str, typer.Option(metavar="NAME,…", help="Any of marks, tones, case, letters, spaces.")
    ] = "marks,tones,case,letters,spaces",
    seed: Annotated[int, typer.Option(help="The seed of what is garbled.")] = 1,
    labels: Labels = None,
    force: Force = False,
) -> None:
    """Put typing errors into annotated articles, so that `hoidam evaluate` shows what they cost a model.

    Fewer are garbled than drawn: not words without another spelling, such as those without marks, and of a word and a
    space that touch one alone. What share was is printed.
    """
    from hoidam.gold.noise import add_noise
    from hoidam.gold.outputs import check_outputs, write_outputs

    annotated, _ = _read_gold(gold, articles, labels)
    check_outputs(articles_output, gold_output, inputs=[*gold, *articles], force=force)
    noisy = add_noise(annotated, kinds=kinds.split(","), rate=rate, seed=seed)
    write_outputs(noisy.gold, articles=articles_output, gold=gold_output, force=force)
    _say(f"{len(noisy.gold)} articles: {articles_output}, {gold_output}")
    _say(f"garbled: words {noisy.words}, spaces {noisy.spaces}")


@gold_app.command("agree")
def gold_agree(
    first: Annotated[Path, typer.Argument(help="One annotator's gold.")],
    second: Annotated[Path, typer.Argument(help="The other's, on some of the same articles.")],
    articles: ArticleFiles,
    labels: Labels = None,
) -> None:
    """Say how far two annotators agree on the articles that both have done."""
    from hoidam.gold.agree import agree

    (one, scheme), (other, _) = (_read_gold([path], articles, labels) for path in (first, second))
    found = agree(one, other, scheme=scheme)
    rows = [
        (measure, label, *(f"{value:.3f}" for value in (row.value, row.low, row.high) if value is not None))
        for measure, table in (("strict F1", found.strict), ("overlap F1", found.overlap), ("kappa", found.kappa))
        for label, row in table.items()
    ]
    _print_rows([("agreement", "label", "value", "low", "high"), *rows], title=f"{found.articles} articles by both")


@gold_app.command("adjudicate")
def gold_adjudicate(
    first: Annotated[Path, typer.Argument(help="One annotator's gold.")],
    second: Annotated[Path, typer.Argument(help="The other's, on the same articles.")],
    articles: ArticleFiles,
    decisions: Annotated[Path, typer.Option(help="The .toml file to decide in; written, or brought up to date.")],
    output: Annotated[
        Path | None, typer.Option(help="The .jsonl file of gold to write, once all is decided.", show_default=False)
    ] = None,
    annotator: Annotated[str, typer.Option(metavar="NAME", help="Who decides, for the gold to name.")] = "",
    labels: Labels = None,
    force: Force = False,
) -> None:
    """Let a person decide where two annotators differ, then write the gold that follows."""
    from hoidam.gold.adjudicate import adjudicate
    from hoidam.labels import find_labels, read_labels

    found = adjudicate(
        first,
        second,
        articles=articles,
        scheme=read_labels(labels or find_labels(first)),
        decisions=decisions,
        output=output,
        annotator=annotator,
        force=force,
    )
    for line in found.lines():
        _say(line)
    if found.update is not None:
        made = found.update
        _say(f"{made.kept} entries kept, {made.added} new, {made.set_aside} set aside: {decisions}")
    else:
        _say(f"{found.articles} articles: {output}")


def _read_gold(gold: list[Path], articles: list[Path], labels: Path | None) -> "tuple[list[Gold], LabelScheme]":
    from hoidam.document import read_articles, read_gold
    from hoidam.errors import DataError
    from hoidam.labels import find_labels, read_labels

    scheme = read_labels(labels or find_labels(gold[0]))
    annotated = read_gold(gold, read_articles(articles), scheme)
    if not annotated:
        raise DataError("no gold in it", path=gold[0], cure="Give a file with a line an article")
    return annotated, scheme


def _progress(what: str, *, total: int | None = None, bar: bool = True) -> Any:
    from hoidam.progress import progress

    return progress(what, total=total, bar=bar)


def _print_report_table(path: Path, *, title: str) -> None:
    from hoidam.evaluate import read_report

    _print_table(read_report(path), title=title)


def _print_table(report: dict[str, Any], *, title: str) -> None:
    from hoidam.evaluate import render_table

    _print_rows(render_table(report), title=title)
    alarms = report["false_alarms"]
    if alarms["articles"]:
        print(f"false alarms: {alarms['with_category']} of {alarms['articles']} articles without a category got one")


def _print_rows(rows: Sequence[tuple[str, ...]], *, title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    header, *rows = rows
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
