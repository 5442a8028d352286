"""The command line: what it reads and writes, its exit codes, and that every failure is one clear message."""

import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import generated
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoidam import cli
from hoidam.evaluate import read_report
from hoidam.labels import LabelScheme, SpanType
from hoidam.tag.tagger import Tagger
from hoidam.train.recipe import read_recipe

CONSOLE = Path(sys.executable).with_name("hoidam")
GAZETTEER = Path(__file__).parents[1] / "data" / "gazetteer"
GOOD = (
    "Hội đàm giữa huyện Vị Xuyên và tỉnh Quảng Tây\nTại buổi hội đàm, ông Lý Vĩ, Bí thư Huyện ủy Thanh Thủy, phát biểu."
)
HOSTILE = "\ufeff" + unicodedata.normalize("NFD", GOOD).replace("\n", "\r\n").replace("ông ", "ông\u00a0") + " 😀"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def good(place):
    """A text file that can be tagged, named by its name alone."""
    return write(place / "good.txt", GOOD).name


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def assert_spans_lie_on(text, record):
    assert record["spans"], "nothing was found"
    for span in record["spans"]:
        assert text[span["start"] : span["end"]] == span["text"]


def assert_refused(outcome, message, *, code=1):
    """One message on standard error, nothing on standard output."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("hoidam: ")
    assert message in outcome.err
    assert outcome.err.count("hoidam: ") == 1


def test_help_comes_in_under_half_a_second_without_torch():
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        shown = subprocess.run([CONSOLE, "--help"], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - started)
        assert "evaluate" in shown.stdout
    assert min(seconds) < 0.5
    code = """if True:
        import itertools, sys
        from hoidam.cli import main
        groups = (["gold", "check"], ["encoder"], ["compare"], ["summarise"], ["benchmark"])
        for words in ([], ["tag"], ["train"], ["evaluate"], ["view"], ["ingest"], *groups):
            sys.argv = ["hoidam", *words, "--help"]
            try:
                main()
            except SystemExit as exit:
                assert not exit.code, words
        assert "torch" not in sys.modules and "transformers" not in sys.modules and "numpy" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_the_version_is_printed(command):
    assert command("--version").out.startswith("hoidam ")


def write_inputs(folder):
    """The same two texts in every form that is read, and how each is asked for."""
    texts = {"one": GOOD, "two": HOSTILE}
    for name, text in texts.items():
        write(folder / "texts" / f"{name}.txt", text)
    rows = [{"id": name, "text": text} for name, text in texts.items()]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write(folder / "feed.jsonl", lines)
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, ["id", "text"])
    table.writeheader()
    table.writerows(rows)
    write(folder / "feed.csv", stream.getvalue())
    pq.write_table(pa.Table.from_pylist(rows), folder / "feed.parquet")
    return texts


@pytest.mark.parametrize(
    "inputs",
    [
        ["texts/one.txt", "texts/two.txt"],
        ["texts"],
        ["texts/*.txt"],
        ["feed.jsonl"],
        ["feed.csv"],
        ["feed.parquet"],
    ],
    ids=lambda inputs: inputs[0],
)
def test_files_folders_globs_and_tables_are_tagged_on_their_own_offsets(inputs, command, place, model_folder):
    texts = write_inputs(place)
    outcome = command("tag", *inputs, "--model", model_folder, "--device", "cpu")
    assert outcome.code == 0
    found = records(outcome.out)
    assert [record["id"] for record in found] == list(texts)
    for record in found:
        assert_spans_lie_on(texts[record["id"]], record)
        assert list(record) == ["id", "source", "spans", "categories", "model"]
        assert Path(record["source"].partition(":")[0]).is_file()
    spans = sum(len(record["spans"]) for record in found)
    assert re.fullmatch(rf"2 articles tagged, {spans} spans \(torch (bf16|fp32) on cpu\)\n", outcome.err)


@pytest.mark.parametrize("text", [GOOD, HOSTILE], ids=["plain", "hostile"])
def test_a_text_on_standard_input_is_tagged_as_it_was_given(text, command, place, model_folder):
    outcome = command("tag", "-", "--model", model_folder, "--device", "cpu", stdin=text.encode())
    (record,) = records(outcome.out)
    assert (record["id"], record["source"]) == ("stdin", "<stdin>")
    assert_spans_lie_on(text, record)


def test_records_name_their_text_and_id_as_they_like(command, place, model_folder):
    write(place / "feed.jsonl", json.dumps({"name": "a", "body_text": GOOD}) + "\n")
    columns = ("--text-column", "body_text", "--id-column", "name")
    outcome = command("tag", "feed.jsonl", "--model", model_folder, *columns)
    (record,) = records(outcome.out)
    assert record["id"] == "a"
    assert_spans_lie_on(GOOD, record)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_an_output_file_is_written_and_standard_output_left_empty(suffix, command, place, model_folder):
    texts = write_inputs(place)
    outcome = command("tag", "texts", "--model", model_folder, "--output", f"made/out.{suffix}")
    assert (outcome.code, outcome.out) == (0, "")
    assert files(place / "made") == [f"out.{suffix}"]
    if suffix == "csv":
        with (place / "made" / "out.csv").open(encoding="utf-8", newline="") as stream:
            spans = [(row["id"], int(row["start"]), int(row["end"]), row["text"]) for row in csv.DictReader(stream)]
    else:
        path = place / "made" / f"out.{suffix}"
        rows = pq.read_table(path).to_pylist() if suffix == "parquet" else records(path.read_text(encoding="utf-8"))
        spans = [(row["id"], span["start"], span["end"], span["text"]) for row in rows for span in row["spans"]]
    assert {name for name, *_ in spans} == set(texts)
    assert all(texts[name][start:end] == surface for name, start, end, surface in spans)


def test_a_file_whose_name_is_not_utf_8_is_tagged_into_a_file(command, place, model_folder):
    odd = os.fsdecode(b"tin\xff.txt")
    write(place / odd, GOOD)
    outcome = command("tag", odd, "--model", model_folder, "--output", "out.jsonl")
    assert (outcome.code, outcome.out) == (0, "")
    (record,) = records((place / "out.jsonl").read_text(encoding="utf-8"))
    assert record["source"] == "tin\\udcff.txt"
    assert_spans_lie_on(GOOD, record)


BAD = {
    "binary.txt": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not text: it holds zero bytes"),
    "blank.txt": (" \n\u200b\n", "empty"),
    "broken.parquet": (b"PAR1 and no more", "not a whole Parquet file"),
    "columns.csv": ("name,words\na,b\n", "no column 'text'"),
    "empty.csv": ("", "holds no records"),
    "empty.jsonl": ("", "holds no records"),
    "empty.txt": ("", "empty"),
    "latin.txt": ("Hội đàm à côté".encode("latin-1", "replace"), "not UTF-8: byte 0xe0"),
    "list.jsonl": ("[1, 2]\n", "list.jsonl:1: found a list"),
    "page.html": ("<html><body></body></html>", "no article text found"),
    "textless.jsonl": ('{"id": "x"}\n', "textless.jsonl:1: text: missing"),
}


def test_inputs_that_fail_are_listed_and_the_others_are_tagged(command, place, model_folder, monkeypatch):
    for name, (content, _) in BAD.items():
        write(place / "in" / name, content)
    write(
        place / "in" / "mixed.jsonl", f'{{"id": "first", "text": {json.dumps(GOOD)}}}\n{{"id": \n{{"text": "Hà Nội"}}\n'
    )
    write(place / "in" / "good.txt", GOOD)
    write(place / "in" / "notes.docx", b"PK")
    (place / "in" / "dangling.txt").symlink_to("nowhere")
    (place / "in" / "locked").mkdir()
    forbid(monkeypatch, "in/locked")
    outcome = command(
        "tag", "in", "gone.txt", "no*.txt", "in/notes.docx", "--model", model_folder, "--output", "o.jsonl"
    )
    assert outcome.code == 3
    assert outcome.out == ""
    assert files(place)[-2:] == ["o.jsonl", "o.jsonl.errors.jsonl"]
    tagged = records((place / "o.jsonl").read_text(encoding="utf-8"))
    assert [record["id"] for record in tagged] == ["good", "first", "mixed-3"]
    expected = {f"in/{name}": message for name, (_, message) in BAD.items()} | {
        "in/mixed.jsonl:2": "broken JSON",
        "in/dangling.txt": "cannot be read (No such file or directory)",
        "in/locked": "cannot be read (Permission denied)",
        "gone.txt": "no such file or folder",
        "no*.txt": "the pattern matches nothing",
        "in/notes.docx": "a file of kind '.docx'",
    }
    failures = records((place / "o.jsonl.errors.jsonl").read_text(encoding="utf-8"))
    found = {failure["source"]: failure["error"] for failure in failures}
    assert len(failures) == len(expected)
    for source, message in expected.items():
        error = next(error for place, error in found.items() if place.removesuffix(":1") == source)
        assert message in error
        assert source in error
        assert outcome.err.count(f"failed: {error}\n") == 1
    summary = outcome.err.splitlines()[-1]
    assert summary.startswith("3 articles tagged, ")
    assert f"; {len(expected)} failed, listed in o.jsonl.errors.jsonl; 1 files of other kinds passed over" in summary


def forbid(monkeypatch, folder):
    """Refuse to list a folder, as the system does for anyone but root."""
    scan = os.scandir

    def scandir(path):
        if str(path) == folder:
            raise PermissionError(13, "Permission denied", folder)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_failures_go_to_standard_error_where_there_is_no_output_file(command, place, good, model_folder):
    outcome = command("tag", good, "gone.txt", "--model", model_folder)
    assert outcome.code == 3
    (record,) = records(outcome.out)
    assert_spans_lie_on(GOOD, record)
    assert "failed: gone.txt: no such file or folder" in outcome.err
    assert files(place) == ["good.txt"]


def test_a_model_that_pyproject_names_need_not_be_given(command, place, good, model_folder):
    assert_refused(command("tag", good), "no model named")
    write(place / "pyproject.toml", f'[tool.hoidam]\nmodel = "{model_folder}"\n')
    assert command("tag", good).out == command("tag", good, "--model", model_folder).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nowhere"], "nowhere: no such folder"),
        (["--model", "."], ".: no model here"),
        (["--device", "toaster"], "device: 'toaster' is not on this machine"),
        (["--device", "meta"], "device: 'meta' is not on this machine"),
        (["--device", "cuda:77"], "device: 'cuda:77' is not on this machine"),
        (["--output", "o.xlsx"], "o.xlsx: no output form '.xlsx'. Use .jsonl, .csv or .parquet"),
        (["--output", "out"], "out: no output form ''"),
        (["--output", "taken.csv"], "taken.csv: exists already. Give another name, or --force"),
        (["--output", "folder.jsonl", "--force"], "folder.jsonl: is a folder"),
        (["--output", "good.txt/o.jsonl"], "good.txt/o.jsonl: cannot be written"),
        (["feed.jsonl", "--output", "./feed.jsonl", "--force"], "feed.jsonl: is one of the inputs"),
        ([".", "--output", "feed.jsonl", "--force"], "feed.jsonl: is one of the inputs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_tagged_is_refused_in_one_message(arguments, message, command, place, good, model_folder):
    write(place / "taken.csv", "mine")
    write(place / "feed.jsonl", json.dumps({"text": GOOD}) + "\n")
    (place / "folder.jsonl").mkdir()
    before = {name: (place / name).read_bytes() for name in files(place)}
    model = [] if "--model" in arguments else ["--model", model_folder]
    assert_refused(command("tag", good, *arguments, *model), message)
    assert {name: (place / name).read_bytes() for name in files(place)} == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["tag"],
        ["tag", "good.txt", "--model", ".", "--colour", "red"],
        ["sing"],
        ["gold", "sing"],
        ["train"],
        ["evaluate", "--gold", "g.jsonl", "--articles", "a.jsonl"],
        ["evaluate", "--gold", "g.jsonl", "--articles", "a.jsonl", "--model", ".", "--tagged", "t.jsonl"],
        ["evaluate", "--gold", "g.jsonl", "--model", "."],
        ["ingest", "good.txt", "--output", "o.jsonl", "--deduplicate", "fuzzy"],
        ["evaluate", "--gold", "g.jsonl", "--articles", "a.jsonl", "--model", ".", "--errors", "many"],
        ["evaluate", "--benchmark", "b.toml", "--gold", "g.jsonl", "--model", "."],
        ["evaluate", "--gold", "g.jsonl", "--articles", "a.jsonl", "--model", ".", "--floors", "f.toml"],
        ["compare", "a"],
        ["summarise"],
        ["benchmark", "freeze"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_apart_by_its_exit_code(arguments, command, place, good):
    outcome = command(*arguments)
    assert outcome.code == 2
    assert "Usage: " in outcome.out + outcome.err
    assert files(place) == ["good.txt"]


def test_an_output_is_replaced_with_force(command, place, good, model_folder):
    write(place / "o.jsonl", "old")
    write(place / "o.jsonl.errors.jsonl", "old")
    assert command("tag", good, "--model", model_folder, "--output", "o.jsonl", "--force").code == 0
    assert files(place) == ["good.txt", "o.jsonl"]
    assert_spans_lie_on(GOOD, *records((place / "o.jsonl").read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_a_run_that_is_stopped_keeps_what_is_done_and_goes_on_with_resume(
    command, place, corpus, model_folder, monkeypatch, kind
):
    arguments = ("tag", corpus.articles("dev"), "--model", model_folder, "--output", "o.jsonl")
    tag = Tagger.tag

    def stop(tagger, items):
        for number, result in enumerate(tag(tagger, items)):
            if number == 3:
                signal.raise_signal(kind)
            yield result

    with monkeypatch.context() as patch:
        patch.setattr(Tagger, "tag", stop)
        outcome = command(*arguments)
        assert (outcome.code, outcome.err) == (130, "hoidam: stopped; 3 records are kept: go on with --resume\n")
    assert not (place / "o.jsonl").exists()
    assert_refused(command(*arguments), "--resume goes on with it, --force begins anew")
    assert_refused(
        command(*arguments, "--resume", "--id-column", "key"), "begun with other settings: id_column: 'id', now 'key'"
    )
    outcome = command(*arguments, "--resume")
    assert outcome.code == 0
    assert files(place) == ["o.jsonl"]
    found = records((place / "o.jsonl").read_text(encoding="utf-8"))
    assert [record["id"] for record in found] == [
        json.loads(line)["id"] for line in corpus.articles("dev").read_text(encoding="utf-8").splitlines()
    ]
    assert outcome.err.startswith(f"{len(found)} articles tagged, {sum(len(one['spans']) for one in found)} spans")
    again = command(*arguments, "--resume")
    assert (again.code, again.err) == (0, "o.jsonl: is there already, whole. --force makes it anew\n")


def test_a_run_that_is_stopped_before_anything_is_done_leaves_nothing(command, place, good, model_folder, monkeypatch):
    monkeypatch.setattr(Tagger, "tag", lambda *_: signal.raise_signal(signal.SIGINT))
    outcome = command("tag", good, "--model", model_folder, "--output", "o.jsonl")
    assert (outcome.code, outcome.err) == (130, "hoidam: stopped\n")
    assert [path.name for path in place.iterdir()] == ["good.txt"]


def test_a_disk_that_is_full_is_one_message(command, place, good, model_folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    arguments = ("tag", good, "--model", model_folder, "--output", "o.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr("hoidam.tag.writers.JsonLinesWriter.write", full)
        message = (
            "o.jsonl: cannot be written (No space left on device). Make room there; 1 records are kept: go on with"
        )
        assert_refused(command(*arguments), message)
    assert command(*arguments, "--resume").code == 0
    assert files(place) == ["good.txt", "o.jsonl"]


@pytest.mark.parametrize("arguments", [["--resume"], ["--resume", "--output", "o.jsonl", "--force"]], ids=" ".join)
def test_resuming_needs_an_output_and_does_not_begin_anew(arguments, command, place, good):
    outcome = command("tag", good, *arguments)
    assert outcome.code == 2
    assert "--resume needs --output" in " ".join(outcome.err.split())


def test_copies_are_tagged_once_and_compressed_files_read_and_written(command, place, model_folder):
    rows = [{"id": "a", "text": GOOD}, {"id": "b", "text": HOSTILE.removesuffix(" 😀")}, {"id": "c", "text": "Hà Nội"}]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    write(place / "feed.jsonl.gz", gzip.compress(content.encode()))
    arguments = ("tag", "feed.jsonl.gz", "--model", model_folder, "--deduplicate")
    outcome = command(*arguments, "--output", "o.jsonl.gz")
    assert outcome.code == 0
    assert outcome.err.startswith("2 articles tagged, ")
    assert re.search(r" spans \(.*\); 1 copies\n$", outcome.err)
    first, copy, last = records(gzip.decompress((place / "o.jsonl.gz").read_bytes()).decode())
    assert copy == {
        "id": "b",
        "source": "feed.jsonl.gz:2",
        "spans": [],
        "categories": {},
        "model": first["model"],
        "duplicate_of": "a",
    }
    assert_spans_lie_on(GOOD, first)
    assert last["id"] == "c"
    assert records(command(*arguments).out) == [first, copy, last]


def test_json_lines_are_utf_8_whatever_the_terminal_is(place, good, model_folder, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr("sys.argv", ["hoidam", "tag", good, "--model", str(model_folder)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    assert_spans_lie_on(GOOD, *records(raw.getvalue().decode("utf-8")))


def test_a_reader_that_goes_away_ends_the_command_quietly(console, corpus, model_folder):
    done = console(
        "tag", corpus.articles("train"), "--model", model_folder, shell="{} | head -1; echo ${PIPESTATUS[0]}"
    )
    first, code = done.stdout.splitlines()
    assert json.loads(first)["id"] == "train-0"
    assert code in ("0", "1")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize(
    ("shell", "said"),
    [("{} | exec 0<&-; exit ${PIPESTATUS[0]}", ""), ("{} > /dev/full", "No space left")],
    ids=["closed", "full"],
)
def test_output_that_cannot_be_delivered_fails_without_a_traceback(shell, said, console):
    done = console("--version", shell=shell)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_recipe_is_trained_into_a_folder_beside_it_once(command, place, corpus, fresh_folder):
    corpus.write_recipe(place / "small.toml", fresh_folder, name="small")
    changes = ("--set", "training.epochs=1", "--set", "seed=7", "--device", "cpu")
    outcome = command("train", "small.toml", *changes)
    assert outcome.code == 0
    assert "Scores on dev" in outcome.out
    assert "macro" in outcome.out
    assert "model: runs/small/model" in outcome.err
    assert "epoch 1 of 1: loss " in outcome.err
    kept = read_recipe(place / "runs" / "small" / "recipe.toml")
    assert (kept.training.epochs, kept.seed) == (1, 7)
    assert_refused(command("train", "small.toml", *changes), "runs/small: exists already")
    assert_refused(command("train", "small.toml", *changes, "--resume"), "runs/small: this run is finished")
    assert_refused(command("train", "small.toml", "--resume"), "these differ: seed, training.epochs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.toml"], "gone.toml: no such file"),
        (["."], ".: cannot be read (Is a directory)"),
        (["words.toml"], "words.toml: not TOML"),
        (["small.toml", "--set", "training.epoch=3"], "training.epoch: unknown. Known here: epochs, batch_size"),
        (["small.toml", "--set", "epochs"], "--set epochs: write it as key=value"),
        (["small.toml", "--device", "toaster"], "device: 'toaster' is not on this machine"),
        (["small.toml", "--set", "encoder.name=nowhere"], "nowhere: no encoder could be loaded"),
        (["small.toml", "--set", "data.dev=gone.jsonl"], "gone.jsonl: cannot be read (No such file or directory)"),
        (["small.toml", "--output", "small.toml/run"], "small.toml/run: cannot be written (Not a directory)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_trained_is_refused_in_one_message(arguments, message, command, place, corpus, fresh_folder):
    corpus.write_recipe(place / "small.toml", fresh_folder)
    write(place / "words.toml", "no recipe")
    outcome = command("train", *arguments)
    windows, _, rest = outcome.err.rpartition("hoidam: ")
    assert windows == "" or "windows; " in windows
    assert (outcome.code, outcome.out) == (1, "")
    assert message in rest
    assert files(place) == ["small.toml", "words.toml"]


def scored(corpus, *arguments, part="dev"):
    return ("evaluate", "--gold", corpus.gold(part), "--articles", corpus.articles(part), *arguments)


def test_a_model_is_scored_as_its_tagged_file_is(command, place, corpus, model_folder, run_folder):
    labels = ("--labels", corpus.labels)
    outcome = command(*scored(corpus, *labels, "--model", model_folder, "--report", "by-model", "--device", "cpu"))
    assert outcome.code == 0
    assert "macro" in outcome.out
    assert files(place) == [f"by-model/{name}" for name in ("errors.csv", "report.html", "report.json", "report.md")]
    exactly = ("--device", "cpu", "--precision", "fp32")
    command("tag", corpus.articles("dev"), "--model", model_folder, "--output", "dev.jsonl", *exactly)
    assert command(*scored(corpus, *labels, "--tagged", "dev.jsonl", "--report", "by-file")).code == 0
    by_model, by_file = (read_report(place / name / "report.json") for name in ("by-model", "by-file"))
    assert by_model["measures"] == by_file["measures"]
    assert by_model["per_article"] == read_report(run_folder / "dev.json")["per_article"]
    assert by_model["facts"]["model"] == by_file["facts"]["tagged"]["models"][0]
    before = (place / "by-file" / "report.json").read_bytes()
    assert_refused(
        command(*scored(corpus, *labels, "--tagged", "nowhere.jsonl", "--report", "by-file")),
        "by-file/report.json: exists already",
    )
    assert (place / "by-file" / "report.json").read_bytes() == before


def write_worse(tagged, path):
    """A tagged file without every second span of another."""
    found = records(tagged.read_text(encoding="utf-8"))
    write(path, "".join(json.dumps(record | {"spans": record["spans"][::2]}) + "\n" for record in found))


def test_a_report_shows_text_when_asked_and_a_second_annotator_beside_the_model(command, place, corpus, model_folder):
    command("tag", corpus.articles("dev"), "--model", model_folder, "--output", "dev.jsonl", "--device", "cpu")
    write_worse(place / "dev.jsonl", place / "worse.jsonl")
    lines = corpus.gold("dev").read_text(encoding="utf-8").splitlines(keepends=True)
    write(place / "second.jsonl", "".join(lines[:4]))
    asked = ("--labels", corpus.labels, "--tagged", "worse.jsonl", "--second", "second.jsonl")
    seen = ("--seen-in", corpus.gold("train"))
    assert command(*scored(corpus, *asked, *seen, "--report", "silent")).code == 0
    assert command(*scored(corpus, *asked, "--errors", "--report", "shown")).code == 0
    silent, shown = (read_report(place / name / "report.json") for name in ("silent", "shown"))
    assert silent["second"]["articles"] == 4
    assert silent["second"]["measures"]["strict"]["micro"]["f1"] == 1.0
    assert "second annotator" in (place / "silent" / "report.md").read_text(encoding="utf-8")
    assert str(corpus.gold("train")) in silent["facts"]["data_sha256"]
    assert silent["errors"]["list"] == []
    texts = {one.id: one.article.text for one in corpus.dev}
    assert len(shown["errors"]["list"]) == sum(shown["errors"]["total"].values()) > 0
    for error in shown["errors"]["list"]:
        for span in (*error["gold"], *error["predicted"]):
            assert texts[error["article"]][span["start"] : span["end"]] == span["text"]
            assert span["text"] in error["context"]["text"]


def test_categories_are_ranked_by_all_scores_of_a_model_and_by_those_given_of_a_file(
    command, place, corpus, model_folder
):
    labels = ("--labels", corpus.labels)
    command(*scored(corpus, *labels, "--model", model_folder, "--report", "by-model", "--device", "cpu"))
    command("tag", corpus.articles("dev"), "--model", model_folder, "--output", "dev.jsonl", "--device", "cpu")
    command(*scored(corpus, *labels, "--tagged", "dev.jsonl", "--report", "by-file"))
    model, file = (read_report(place / name / "report.json")["ranking"]["values"] for name in ("by-model", "by-file"))
    for name in ("subset_accuracy", "hamming_loss"):
        assert model[name] == file[name]
    assert model["coverage_error"]["value"] <= file["coverage_error"]["value"]


def test_a_benchmark_is_frozen_scored_and_held_to_its_floors(command, place, corpus, model_folder):
    head = {
        "name": "dev",
        "description": "made by rule",
        "labels": str(corpus.labels),
        "articles": [str(corpus.articles("dev"))],
        "gold": [str(corpus.gold("dev"))],
    }
    write(place / "dev.toml", "".join(f"{key} = {json.dumps(value)}\n" for key, value in head.items()))
    model = ("--model", model_folder, "--device", "cpu")
    assert_refused(command("evaluate", "--benchmark", "dev.toml", *model), "dev.toml: not frozen yet")
    assert command("benchmark", "freeze", "dev.toml").err.startswith("dev.toml: 10 articles, 0 by a second annotator, ")
    assert_refused(command("benchmark", "freeze", "dev.toml"), "dev.toml: frozen already")
    write(place / "floors.toml", "[dev.minimum]\nstrict.macro.f1 = 0.5\n[dev.maximum]\nranking.hamming_loss = 1\n")
    held = ("evaluate", "--benchmark", "dev.toml", *model, "--floors", "floors.toml", "--report", "held")
    outcome = command(*held)
    assert outcome.code == 0
    assert "at least 0.500" in outcome.out
    assert "at most 1.000" in outcome.out
    assert "NOT HELD" not in outcome.out
    report = read_report(place / "held" / "report.json")
    assert report["facts"]["benchmark"]["name"] == "dev"
    write(place / "floors.toml", "[dev.minimum]\nstrict.macro.f1 = 1.01\n")
    outcome = command(*held, "--force")
    assert outcome.code == 1
    assert "NOT HELD" in outcome.out
    write(place / "floors.toml", "[test.minimum]\nstrict.macro.f1 = 0.5\n")
    assert_refused(command(*held, "--force"), "floors.toml: no floors for 'dev'")


def test_two_models_are_compared_and_runs_summarised(command, place, corpus, model_folder):
    labels = ("--labels", corpus.labels)
    command("tag", corpus.articles("dev"), "--model", model_folder, "--output", "dev.jsonl", "--device", "cpu")
    command(*scored(corpus, *labels, "--tagged", "dev.jsonl", "--report", "runs/1"))
    write_worse(place / "dev.jsonl", place / "worse.jsonl")
    command(*scored(corpus, *labels, "--tagged", "worse.jsonl", "--report", "runs/2"))

    outcome = command("compare", "runs/2", "runs/1/report.json", "--json", "difference.json")
    assert (outcome.code, outcome.err) == (0, "comparison: difference.json\n")
    assert "F1 on 10 articles: A = runs/2, B = runs/1/report.json" in outcome.out
    assert "strict: B is better than A on" in outcome.out
    data = json.loads((place / "difference.json").read_text(encoding="utf-8"))
    assert " ".join(data["sentences"]) in " ".join(outcome.out.split())
    assert_refused(
        command("compare", "runs/2", "runs/1", "--json", "difference.json"), "difference.json: exists already"
    )
    assert_refused(command("compare", "runs/2", "runs/3"), "runs/3: cannot be read")
    data = json.loads((place / "runs/1/report.json").read_text(encoding="utf-8"))
    for name in ("measures", "per_article"):
        kept = {key: value for key, value in data.items() if key != name}
        write(place / "cut/report.json", json.dumps(kept))
        assert_refused(command("compare", "runs/2", "cut"), f"cut/report.json: {name}: not there. Evaluate again")
        assert_refused(command("summarise", "cut"), f"cut/report.json: {name}: not there")

    outcome = command("summarise", "runs", "runs/1", "--output", "summary.md")
    assert (outcome.code, outcome.err) == (0, "summary: summary.md\n")
    assert (place / "summary.md").read_text(encoding="utf-8").count("| strict.MATTER.f1 | runs") == 2
    assert_refused(command("summarise", "runs", "--output", "summary.txt"), "output: found '.txt'")
    assert_refused(command("summarise", "nowhere"), "nowhere: no report.json below it")


def test_a_model_of_another_scheme_is_not_scored(command, place, corpus, model_folder):
    other = generated.write_labels(place / "other.toml", LabelScheme(types=(SpanType("WHO"), SpanType("SITE"))))
    generated.write_corpus(
        place / "corpus", train=2, dev=2, scheme=LabelScheme(types=(SpanType("WHO"), SpanType("SITE")))
    )
    small = generated.Corpus(place / "corpus", (), ())
    assert_refused(
        command(*scored(small, "--labels", other, "--model", model_folder)),
        "the model was trained with other labels (WHO, POST, SITE, MATTER; 3 categories) than these (WHO, SITE; 0",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "gone.toml"], "gone.toml: no such file"),
        (["--labels", "."], ".: cannot be read (Is a directory)"),
        (["--labels", "{labels}", "--tagged", "gone.jsonl"], "gone.jsonl: cannot be read"),
        (["--labels", "{labels}", "--tagged", "words.jsonl"], "words.jsonl:1: broken JSON"),
        (["--labels", "{labels}", "--tagged", "shifted.jsonl"], "shifted.jsonl:1: spans: shifted: the text there is"),
        (
            ["--labels", "{labels}", "--tagged", "scores.jsonl"],
            "scores.jsonl:1: spans: score 'high'. Scores are",
        ),
        (["--labels", "{labels}", "--seen-in", "gone.jsonl"], "gone.jsonl: cannot be read"),
        (["--labels", "{labels}", "--seen-in", "{texts}"], "dev.jsonl:1: spans: no spans with type and text"),
        (["--labels", "{labels}", "--seen-in", "kinds.jsonl"], "kinds.jsonl:1: spans: no spans with type and text"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_scored_is_refused_in_one_message(arguments, message, command, place, corpus):
    write(place / "words.jsonl", "no record\n")
    span = {"start": 1, "end": 3, "type": "WHO", "text": "?"}
    write(place / "shifted.jsonl", json.dumps({"id": "dev-0", "spans": [span]}) + "\n")
    text = json.loads(corpus.articles("dev").read_text(encoding="utf-8").splitlines()[0])["text"]
    span = {"start": 0, "end": 2, "type": "WHO", "text": text[:2], "score": "high"}
    write(place / "scores.jsonl", json.dumps({"id": "dev-0", "spans": [span]}) + "\n")
    write(place / "kinds.jsonl", json.dumps({"id": "dev-0", "spans": [{"type": "WHO"}]}) + "\n")
    given = [argument.format(labels=corpus.labels, texts=corpus.articles("dev")) for argument in arguments]
    tagged = [] if "--tagged" in given else ["--tagged", "words.jsonl"]
    assert_refused(command(*scored(corpus, *given, *tagged)), message)


def test_a_page_shows_what_was_tagged_wherever_it_came_from(command, place, model_folder):
    write_inputs(place)
    for number, source in enumerate(("texts", "feed.jsonl", "feed.csv", "feed.parquet")):
        command("tag", source, "--model", model_folder, "--output", f"{number}.jsonl")
        outcome = command("view", f"{number}.jsonl", "--output", f"{number}.html")
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err == f"2 articles: {number}.html\n"
        assert "Thanh Thủy" in (place / f"{number}.html").read_text(encoding="utf-8")


def test_a_page_finds_texts_whose_names_depend_on_what_was_read_beside_them(command, place, model_folder):
    write(place / "in" / "a" / "x.txt", GOOD)
    write(place / "in" / "b" / "x.txt", "")
    write(place / "in" / "a" / "feed.jsonl", json.dumps({"text": GOOD}) + "\n")
    write(place / "in" / "b" / "feed.jsonl", "broken\n")
    assert command("tag", "in", "--model", model_folder, "--output", "o.jsonl").code == 3
    ids = [record["id"] for record in records((place / "o.jsonl").read_text(encoding="utf-8"))]
    assert ids == ["a/feed-1", "a/x"]
    assert command("view", "o.jsonl", "--output", "o.html").code == 0


@pytest.mark.parametrize("given", [[], ["--input", "feed.csv"]])
def test_a_page_finds_texts_and_ids_in_columns_of_any_name(given, command, place, model_folder):
    columns = ("--text-column", "noi_dung", "--id-column", "ma")
    write(place / "feed.csv", f'ma,noi_dung\nk1,"{GOOD}"\n')
    assert command("tag", "feed.csv", "--model", model_folder, "--output", "o.jsonl", *columns).code == 0
    assert command("view", "o.jsonl", "--output", "o.html", *given, *columns).code == 0
    assert "Thanh Thủy" in (place / "o.html").read_text(encoding="utf-8")
    assert_refused(command("view", "o.jsonl", "--output", "p.html", *given), "no text for 'k1'")


def test_a_page_without_its_texts_is_refused(command, place, model_folder):
    tagged = command("tag", "-", "--model", model_folder, stdin=GOOD.encode())
    write(place / "o.jsonl", tagged.out)
    assert_refused(command("view", "o.jsonl", "--output", "o.html"), "o.jsonl:1: id: no text for 'stdin'")
    write(place / "stdin.txt", GOOD)
    assert command("view", "o.jsonl", "--input", "stdin.txt", "--output", "o.html").code == 0
    assert_refused(command("view", "o.jsonl", "--output", "o.html"), "o.html: exists already")
    assert_refused(command("view", "gone.jsonl", "--output", "p.html"), "gone.jsonl: cannot be read")
    assert files(place) == ["o.html", "o.jsonl", "stdin.txt"]


def test_gold_is_checked_counted_divided_and_compared(command, place, corpus):
    both = ("--articles", corpus.articles("train"), "--labels", corpus.labels)
    counted = command("gold", "stats", "--gold", corpus.gold("train"), *both)
    assert counted.code == 0
    assert "MATTER" in counted.out
    places = ("--articles-output", "articles", "--gold-output", "gold", "--dev", 0.2, "--test", 0.2)
    divided = command("gold", "split", "--gold", corpus.gold("train"), *both, *places)
    assert divided.code == 0
    assert files(place) == [
        f"{kind}/{part}.jsonl" for kind in ("articles", "gold") for part in ("dev", "test", "train")
    ]
    sizes = [len(path.read_text(encoding="utf-8").splitlines()) for path in sorted((place / "gold").iterdir())]
    assert sum(sizes) == len(corpus.train)
    agreed = command("gold", "agree", corpus.gold("train"), corpus.gold("train"), *both)
    assert (agreed.code, "1.000" in agreed.out) == (0, True)
    twice = command("gold", "stats", "--gold", corpus.gold("train"), "--gold", "gold/train.jsonl", *both)
    assert (twice.code, "one name" in twice.err) == (2, True)
    write(place / "none.jsonl", "")
    for verb in ("check", "stats"):
        assert_refused(command("gold", verb, "--gold", "none.jsonl", *both), "none.jsonl: no gold in it")
    made = ("--gold", corpus.gold("train"), *both, "--output", "marked.txt")
    assert command("gold", "export", *made).code == 0
    assert_refused(command("gold", "export", *made), "marked.txt: exists already")
    over = ("--gold", "gold/dev.jsonl", *both, "--output", "gold/dev.jsonl", "--force")
    assert_refused(command("gold", "export", *over), "gold/dev.jsonl: is one of the inputs")
    over = ("--articles", "a.jsonl", "--gold", "marked.txt", "--labels", corpus.labels, "--force")
    assert_refused(command("gold", "import", "marked.txt", *over), "marked.txt: is one of the inputs")
    back = ("--articles", "a.jsonl", "--gold", "g.jsonl", "--labels", corpus.labels)
    assert command("gold", "import", "marked.txt", *back).code == 0
    checked = command("gold", "check", "--gold", "g.jsonl", "--articles", "a.jsonl", "--labels", corpus.labels)
    assert checked.code in (0, 1)
    assert checked.err.startswith("32 articles checked, ")
    assert checked.out.count("\n") == int(checked.err.split(", ")[1].split()[0])


CONLL = "Ông O\nLý B-PER\nVĩ I-PER\nở O\nUBND I-ORG\nVinh I-ORG\n\n"


def test_conll_files_are_imported_and_exported_and_what_was_mended_or_lost_is_told(command, place):
    write(place / "dev.conll", CONLL)
    outputs = ("--articles", "a.jsonl", "--gold", "g.jsonl")
    made = command("gold", "import", "dev.conll", "--format", "conll", *outputs)
    assert (made.code, made.out) == (0, "")
    assert made.err == "1 spans without their beginning, mended\n1 articles, 2 spans: a.jsonl, g.jsonl\n"
    assert (place / "labels.toml").read_text(encoding="utf-8") == (
        'flat = true\n\n[[types]]\nname = "ORG"\n\n[[types]]\nname = "PER"\n'
    )
    export = ("gold", "export", "--format", "conll", *outputs)
    for name, options in {
        "source": ("--source", "dev.conll"),
        "iobes": ("--source", "dev.conll", "--tagging", "iobes"),
        "own": ("--segmenter", "spaces", "--unit", "document"),
    }.items():
        written = command(*export, *options, "--output", f"{name}.conll")
        assert (written.code, written.out) == (0, "")
        assert written.err == f"1 articles, 2 spans, columns token,tag: {name}.conll\n"
    source, iobes, own = ((place / f"{name}.conll").read_text("utf-8") for name in ("source", "iobes", "own"))
    assert source == CONLL.replace("UBND I-", "UBND B-").replace(" ", "\t")
    assert iobes == source.replace("Vĩ\tI-", "Vĩ\tE-").replace("Vinh\tI-", "Vinh\tE-")
    assert own == f"-DOCSTART-\tO\n\n{source}"
    tagged = [{"id": "dev-1", "spans": [{"start": 4, "end": 5, "type": "PER", "text": "L"}]}]
    write(place / "t.jsonl", json.dumps(tagged[0]) + "\n")
    lost = command(*export[:-2], "--tagged", "t.jsonl", "--output", "t.conll", "--source", "dev.conll")
    assert lost.code == 3
    assert lost.err.splitlines()[1] == "not written: 1 PER with an edge inside a word"
    assert "B-" not in (place / "t.conll").read_text("utf-8")


@pytest.mark.parametrize("form", ["inline", "label-studio", "doccano", "brat"])
def test_gold_goes_to_a_tool_and_comes_back(form, command, place, corpus):
    given = ("--labels", corpus.labels, "--format", form)
    source = ("--gold", corpus.gold("dev"), "--articles", corpus.articles("dev"))
    made = command("gold", "export", *source, *given, "--output", "made")
    assert (made.code, made.err) == (0, "10 articles: made\n")
    assert_refused(command("gold", "export", *source, *given, "--output", "made"), "made: exists already")
    inputs = sorted((place / "made").glob("*.ann")) if form == "brat" else ["made"]
    back = command("gold", "import", *inputs, *given, "--articles", "a.jsonl", "--gold", "g.jsonl")
    assert (back.code, back.err.count("\n")) == (0, 1)
    spans = [
        sorted((one["id"], json.dumps(one["spans"])) for one in records(path.read_text("utf-8")))
        for path in (corpus.gold("dev"), place / "g.jsonl")
    ]
    assert spans[0] == spans[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "d.conll", "--tagging", "bio"], "--tagging goes with --format conll"),
        (["import", "d.conll", "--columns", "token,tag"], "--columns goes with --format conll"),
        (["export", "--output", "o", "--segmenter", "none"], "--segmenter go with --format conll"),
        (["export", "--output", "o", "--tagged", "t.jsonl"], "give either --gold or --tagged"),
        (["export", "--output", "o", "--format", "conll", "--source", "d.conll", "--segmenter", "none"], "leave out"),
    ],
)
def test_options_of_conll_files_go_with_them_alone(arguments, message, command, place):
    write(place / "labels.toml", '[[types]]\nname = "PER"\n')
    outcome = command("gold", *arguments, "--articles", "a.jsonl", "--gold", "g.jsonl")
    assert outcome.code == 2
    assert message in " ".join(outcome.err.replace("│", " ").split())


def test_gold_edges_that_a_segmenter_cuts_are_counted(command, corpus):
    counting = ("gold", "stats", "--gold", corpus.gold("train"), "--articles", corpus.articles("train"))
    counted = command(*counting, "--labels", corpus.labels, "--segmenters", "none,spaces")
    assert counted.code == 0
    assert "| spans cut by a segmenter (edges) | train |" in counted.out
    assert "| none | 0.00% (0) |" in counted.out
    assert "| spaces | 0.00% (0) |" not in counted.out
    wrong = command(*counting, "--labels", corpus.labels, "--segmenters", "jieba")
    assert_refused(wrong, "segmenter: unknown name 'jieba'")


def test_a_model_is_written_anew_with_the_reports_on_it(command, place, corpus, model_folder):
    scoring = scored(corpus, "--labels", corpus.labels, "--model", model_folder, "--device", "cpu")
    for report in ("reports/dev", "others/dev"):
        assert command(*scoring, "--report", report).code == 0
    export = ("export", "--output", "small", "--format", "int8")
    (place / "notes.md").write_text("For the desk alone.\n", encoding="utf-8")
    written = command(*export, "--model", model_folder, "--report", "reports/dev", "--notes", "notes.md")
    assert (written.code, written.out, written.err) == (0, "", f"model: small, of {model_folder}\n")
    card = (place / "small" / "README.md").read_text(encoding="utf-8")
    assert card.count("\n## Scores: dev\n") == card.count("\n## Use and limits\n\nFor the desk alone.\n") == 1
    assert command("tag", corpus.articles("dev"), "--model", "small").code == 0
    given = ("--model", model_folder)
    for arguments, message in (
        (given, "small: exists already"),
        (("--model", "gone"), "gone: no such folder"),
        (("--model", "reports"), "reports: no model here"),
        ((*given, "--model", "gone"), "no dev scores there"),
        ((*given, "--report", "gone"), "gone"),
        ((*given, "--notes", "gone.md"), "gone.md: cannot be read"),
        ((*given, "--report", "reports/dev", "--report", "others/dev"), "reports/dev: another report's folder"),
        ((*given, "--output", "reports", "--force"), "reports: is no model's folder"),
    ):
        assert_refused(command(*export, *arguments), message)
    assert files(place / "small") == sorted(path.name for path in model_folder.iterdir())


def test_a_model_that_falls_short_of_another_is_not_written(command, place, corpus, model_folder, fresh_folder):
    recipe = corpus.write_recipe(place / "worse.toml", fresh_folder, training={"epochs": 1}, data={"train_limit": 8})
    assert command("train", recipe, "--output", "worse", "--device", "cpu").code == 0
    worse = place / "worse" / "model"
    gold = ("--gold", corpus.gold("dev"), "--articles", corpus.articles("dev"), "--labels", corpus.labels)
    export = ("export", "--format", "int8", *gold)
    refused = command(*export, "--model", worse, "--against", model_folder, "--output", "small")
    assert_refused(refused, f"worse/model: more than 0.007 of strict F1 below {model_folder} (all types ")
    assert not (place / "small").exists()
    written = command(*export, "--model", worse, "--against", model_folder, "--margin", 1, "--output", "small")
    assert written.code == 0
    found = re.search(r"Beside model, F1 on 10 articles: all types ([01]\.\d+) -> ([01]\.\d+), WHO ", written.err)
    for name, folder, f1 in zip(("a", "b"), (model_folder, worse), found.groups(), strict=True):
        scoring = scored(corpus, "--labels", corpus.labels, "--model", folder, "--device", "cpu")
        assert command(*scoring, "--report", name).code == 0
        micro = read_report(place / name / "report.json")["measures"]["strict"]["micro"]["f1"]
        assert micro == pytest.approx(float(f1), abs=1e-3)
    assert found.group() in (place / "small" / "README.md").read_text(encoding="utf-8")
    assert command(*export, "--model", model_folder, "--against", worse, "--output", "better").code == 0
    bare = ("export", "--format", "int8", "--model", worse, "--against", worse, "--output", "bare")
    assert "--against scores two models on gold" in command(*bare).err


def test_articles_are_counted_by_region_with_a_gazetteer_and_its_type(command, corpus):
    counting = ("gold", "stats", "--gold", corpus.gold("train"), "--articles", corpus.articles("train"))
    gazetteer = ("--labels", corpus.labels, "--gazetteer", GAZETTEER)
    counted = command(*counting, *gazetteer, "--place-type", "SITE")
    assert counted.code == 0
    assert "| known to the gazetteer | train (mentions) |" in counted.out
    assert command(*counting, *gazetteer).code == 2
    assert command(*counting, "--place-type", "SITE").code == 2
    assert_refused(command(*counting, *gazetteer, "--place-type", "TOWN"), "unknown type 'TOWN'")
    assert_refused(command(*counting, "--gazetteer", "gone", "--place-type", "SITE"), "gone/unit-words.csv")


def test_inputs_are_stored_and_failures_listed(command, place):
    write(place / "in" / "good.txt", HOSTILE)
    write(place / "in" / "empty.txt", "")
    outcome = command("ingest", "in", "--output", "articles.jsonl")
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err == "1 articles written, 0 left out as copies, 1 failed\n"
    (article,) = records((place / "articles.jsonl").read_text(encoding="utf-8"))
    assert unicodedata.is_normalized("NFC", article["text"])
    assert_refused(command("ingest", "in", "--output", "articles.jsonl"), "articles.jsonl: exists already")


def test_standard_input_that_is_closed_is_a_failure(console, place):
    done = console("ingest", "-", "--output", "articles.jsonl", shell="{} <&-", cwd=place)
    assert done.returncode == 3
    assert done.stderr == "0 articles written, 0 left out as copies, 1 failed\n"
    assert records((place / "articles.jsonl.errors.jsonl").read_text(encoding="utf-8")) == [
        {"id": "stdin", "source": "<stdin>", "error": "<stdin>: closed. Send a text into it, or name a file"}
    ]


def test_an_encoder_folder_is_prepared_once(command, place, fresh_folder):
    assert command("encoder", "prepare", fresh_folder, "--output", "encoder").code == 0
    assert "model.safetensors" in files(place / "encoder")
    assert_refused(command("encoder", "prepare", fresh_folder, "--output", "encoder"), "encoder: exists already")
    assert_refused(command("encoder", "prepare", "nowhere", "--output", "other"), "nowhere: no encoder")
    assert not (place / "other").exists()


def test_progress_is_told_on_standard_error_as_lines(command, corpus, model_folder, monkeypatch):
    monkeypatch.setattr("hoidam.progress._LINE_SECONDS", 0.0)
    outcome = command("tag", corpus.articles("dev"), "--model", model_folder)
    assert len(records(outcome.out)) == len(corpus.dev)
    assert outcome.err.count("tagging: ") == len(corpus.dev)
    assert f"tagging: {len(corpus.dev)}, " in outcome.err


@pytest.mark.parametrize("both", [False, True], ids=["errors on a terminal", "all on a terminal"])
def test_a_terminal_gets_a_bar_and_no_result_is_lost_to_it(both, command, corpus, model_folder, monkeypatch):
    plain = command("tag", corpus.articles("dev"), "--model", model_folder)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: both)
    shown = command("tag", corpus.articles("dev"), "gone.txt", "--model", model_folder)
    assert shown.out == plain.out
    assert "failed: gone.txt" in shown.err
    assert ("tagging" in shown.err) != both


def test_a_terminal_is_shown_how_far_training_is_and_given_the_scores_alone(
    command, place, corpus, fresh_folder, monkeypatch
):
    corpus.write_recipe(place / "small.toml", fresh_folder, training={"epochs": 1})
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    outcome = command("train", "small.toml", "--device", "cpu")
    assert outcome.code == 0
    assert "training" in outcome.err
    assert "Scores on dev" in outcome.out
    assert "loss" not in outcome.out
