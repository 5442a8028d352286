"""The command line: parses, calls a worker, prints, and turns failures into exit codes.

Exit codes: 0 all done; 1 the command could not be carried out; 2 wrong usage; 3 done, but some inputs failed.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

import hoidam
from hoidam.errors import HoidamError

if TYPE_CHECKING:
    from hoidam.document import Annotated as Gold
    from hoidam.evaluate import Benchmark, Floor, Sources
    from hoidam.ingest.readers import Columns, Failure
    from hoidam.labels import LabelScheme
    from hoidam.tag.cluster import Cluster

FAILED, SOME_FAILED = 1, 3

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
Labels = Annotated[
    Path | None,
    typer.Option(help="The label scheme; by default the labels.toml nearest to the gold.", show_default=False),
]
ArticleFiles = Annotated[list[Path], typer.Option("--articles", help="Files with the articles' texts; repeatable.")]
GoldFiles = Annotated[list[Path], typer.Option("--gold", help="Gold files; repeatable.")]
MetaKey = Annotated[str, typer.Option("--by", help="The meta key to count by.")]
TextColumn = Annotated[str, typer.Option(help="The field that holds a record's text.")]
IdColumn = Annotated[str, typer.Option(help="The field that holds a record's id.")]


def main() -> NoReturn:
    """Run the command line; every expected failure is one message on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    signal.signal(signal.SIGTERM, _stop)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except HoidamError as error:
        _say(f"hoidam: {error}")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        _say("hoidam: stopped")
        sys.exit(130)
    except OSError as error:
        _discard_output()
        if not isinstance(error, BrokenPipeError):
            _say(f"hoidam: the operating system refused: {error}")
        sys.exit(FAILED)
    sys.exit(0)


def _stop(*_: Any) -> NoReturn:
    """End on SIGTERM as on Ctrl-C, so that partial files are taken away."""
    raise KeyboardInterrupt


def _discard_output() -> None:
    """Let what is left in the buffer go: at its end Python would write it, and fail, once more."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str) -> None:
    print(message, file=sys.stderr)


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
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    device: Device = "auto",
) -> None:
    """Fine-tune an encoder by a recipe into a run folder: model, recipe, provenance, curves, dev scores."""
    from hoidam.train.recipe import read_recipe

    settings = read_recipe(recipe, changes=changes or [])
    from hoidam.train.run import train as run_training

    folder = output or recipe.parent / "runs" / settings.name
    model = run_training(settings, folder=folder, resume=resume, device=device)
    _say(f"model: {model}")
    _print_report_table(folder / "dev.json", title="Scores on dev")


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
    result = score_files(sources, model=model, tagged=tagged, device=device, seen_in=seen_in or [], show_errors=errors)
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
            help="A .jsonl, .csv or .parquet file; without it JSON lines go to standard output. "
            "With --engine ray a folder or the URI of one, such as s3://bucket/tagged."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped; start where there is none.")
    ] = False,
    force: Force = False,
    device: Device = "auto",
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
    if engine == "ray":
        from hoidam.ingest.readers import Columns
        from hoidam.tag.cluster import Cluster

        _tag_on_cluster(
            inputs,
            model,
            output,
            cluster=Cluster(address, actors, cpus or 1, gpus or 0),
            columns=Columns(text_column, id_column),
            batch=batch,
            resume=resume,
            force=force,
        )
        return
    if any((address, actors, cpus, gpus, batch, resume)):
        raise typer.BadParameter(
            "--address, --actors, --cpus-per-actor, --gpus-per-actor, --batch and --resume need --engine ray"
        )
    from hoidam.configuration import find_model
    from hoidam.ingest.readers import Columns, discover, read_found
    from hoidam.tag.writers import check_output

    found = discover(inputs)
    target = None if output is None else Path(output)
    if target is not None:
        check_output(target, inputs=found.files, force=force)
    from hoidam.tag.batch import tag_items
    from hoidam.tag.tagger import Tagger

    tagger = Tagger.load(model or find_model(Path()), device=device)
    with _progress("tagging", bar=target is not None or not sys.stdout.isatty()) as step:

        def on_item(failure: "Failure | None") -> None:
            step()
            if failure is not None:
                _say(f"failed: {failure.error}")

        summary = tag_items(
            read_found(found, columns=Columns(text_column, id_column)),
            tagger=tagger,
            output=target,
            stream=sys.stdout,
            force=force,
            on_item=on_item,
        )
    passed = f"; {found.passed_over} files of other kinds passed over" if found.passed_over else ""
    failed = f"; {summary.failed} failed" + (f", listed in {summary.errors}" if summary.errors else "")
    _say(f"{summary.tagged} articles tagged, {summary.spans} spans{failed if summary.failed else ''}{passed}")
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def _tag_on_cluster(
    inputs: list[str],
    model: Path | None,
    output: str | None,
    *,
    cluster: "Cluster",
    columns: "Columns",
    batch: int | None,
    resume: bool,
    force: bool,
) -> None:
    """Tag with Ray, and close as `tag` does."""
    if output is None:
        raise typer.BadParameter("--engine ray needs --output, a folder or the URI of one")
    from hoidam.configuration import find_model
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
            batch=batch,
            resume=resume,
            force=force,
            on_begin=lambda shards: stack.enter_context(_progress("tagging shards", total=shards)),
        )
    failed = f"; {done.failed} failed, listed in {output}/errors" if done.failed else ""
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
    form: Annotated[Literal["float32", "float16", "int8"], typer.Option("--format", help="How to store the weights.")],
    reports: Annotated[
        list[Path] | None,
        typer.Option("--report", help="A report folder of `hoidam evaluate`, for the card; repeatable."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a model with its weights in another form: float16 is half as large, int8 a quarter."""
    from hoidam.checkpoint import export_model
    from hoidam.train.card import card_sections
    from hoidam.train.results import best_on_dev

    model = best_on_dev(models)
    export_model(model, output, storage=form, scores=card_sections(reports or []), force=force)
    _say(f"model: {output}, of {model}")


@app.command()
def view(
    tagged: Annotated[Path, typer.Argument(help="A .jsonl file that `hoidam tag` wrote.")],
    output: Annotated[Path, typer.Option(help="The page to write.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="What was tagged; by default the files that the records name as their source."),
    ] = None,
    force: Force = False,
) -> None:
    """Write one self-contained page that shows tagged articles with their spans."""
    from hoidam.tag.sources import read_texts
    from hoidam.tag.view import view as write_page

    count = write_page(tagged, texts=read_texts(tagged, inputs=inputs or []), output=output, force=force)
    _say(f"{count} articles: {output}")


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
    _say(f"{summary.written} articles written, {summary.duplicates} left out as copies, {summary.failed} failed")
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
    )
    print(render_markdown(counted), end="")


@gold_app.command("import")
def gold_import(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files with annotated articles.")],
    articles: Annotated[Path, typer.Option(help="The .jsonl file of articles to write.")],
    gold: Annotated[Path, typer.Option(help="The .jsonl file of gold to write.")],
    form: Annotated[Literal["inline"], typer.Option("--format", help="How the files are marked.")] = "inline",
    labels: Labels = None,
    force: Force = False,
) -> None:
    """Turn marked files into articles and gold."""
    from hoidam.gold.inline import import_inline
    from hoidam.labels import find_labels, read_labels

    scheme = read_labels(labels or find_labels(gold))
    found = import_inline(files, scheme=scheme, articles=articles, gold=gold, force=force)
    _say(f"{len(found)} articles, {sum(len(one.spans) for one in found)} spans: {articles}, {gold}")


@gold_app.command("export")
def gold_export(
    gold: GoldFiles,
    articles: ArticleFiles,
    output: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[Literal["inline"], typer.Option("--format", help="How to mark the text.")] = "inline",
    labels: Labels = None,
    force: Force = False,
) -> None:
    """Write gold as marked text, to be read or edited by a person and imported again."""
    from hoidam.gold.inline import export_inline
    from hoidam.labels import find_labels, read_labels

    scheme = read_labels(labels or find_labels(gold[0]))
    found = export_inline(gold, articles=articles, scheme=scheme, output=output, force=force)
    _say(f"{len(found)} articles: {output}")


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
