"""Tagging on a Ray cluster of two nodes: what it writes is what one machine finds, whatever dies on the way."""

import hashlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import generated
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import copy_files

from hoidam.errors import CheckpointError, DataError, WorkerError
from hoidam.ingest.readers import Columns, read_inputs
from hoidam.ingest.shards import InputFile, Shard, cut_files, find_files
from hoidam.stores import locate
from hoidam.tag import cluster as cluster_module
from hoidam.tag.batch import tag_items
from hoidam.tag.cluster import Cluster, ShardTagger, Start, tag_on_cluster
from hoidam.tag.parts import PartFolder, Plan
from hoidam.tag.tagger import Tagger

# Ray Data reads its own deprecated settings when it logs them.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")

SHARD_BYTES = 4000
COLUMNS = Columns()


class Mortal(ShardTagger):
    """An actor of which one, once, is killed when its second part has been written, and one shard fails, once."""

    def __init__(self, fetch):
        super().__init__(fetch)
        self.parts = 0
        self.notes = Path(self._start.output).with_name("notes")

    def once(self, name):
        try:
            (self.notes / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def wait_for_the_other(self):
        import ray

        (self.notes / f"node-{ray.get_runtime_context().get_node_id()}").touch()
        ends = time.monotonic() + 120
        while len(list(self.notes.glob("node-*"))) < 2:
            assert time.monotonic() < ends
            time.sleep(0.05)

    def _write_part(self, index, shard):
        self.wait_for_the_other()
        if index == 3 and self.once("failed"):
            raise RuntimeError("no more memory")
        part = super()._write_part(index, shard)
        self.parts += 1
        if self.parts == 2 and self.once("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        return part


@pytest.fixture(scope="module")
def address():
    """A Ray cluster of two nodes with a CPU each."""
    ray = cluster_module._import_ray()
    from ray.cluster_utils import Cluster as Nodes

    # The nodes know nothing of the folder of the tests.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    nodes = Nodes(initialize_head=True, head_node_args=node)
    nodes.add_node(num_cpus=1, object_store_memory=100 << 20)
    yield nodes.address
    nodes.shutdown()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """JSON lines with broken ones between, and Parquet of several row groups."""
    folder = tmp_path_factory.mktemp("inputs")
    records = [{"id": one.id, "text": one.article.text} for one in generated.make_articles("made", 60, seed=4)]
    lines = [json.dumps(record, ensure_ascii=False) for record in records[:40]]
    lines[7:7] = ['{"id": "cut', "", '{"id": "silent"}', '{"id": "odd", "text": 7}']
    lines.insert(30, '{"text": "Ông Giàng A Páo hội đàm."}')
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    table = pa.Table.from_pylist([*records[40:], {"id": "empty", "text": " "}])
    pq.write_table(table, folder / "b.parquet", row_group_size=6)
    return [str(folder / "a.jsonl"), str(folder / "b.parquet")]


@pytest.fixture(scope="module")
def alone(inputs, model_folder):
    """What one machine finds: records and failures."""
    stream, failures = io.StringIO(), []
    tagger = Tagger.load(model_folder, device="cpu")
    tag_items(read_inputs(inputs), tagger=tagger, output=None, stream=stream, on_item=failures.append)
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    return records, [failure.to_dict() for failure in failures if failure is not None]


def run(inputs, model, output, **options):
    given = {"columns": COLUMNS, "shard_bytes": SHARD_BYTES, "cluster": Cluster()} | options
    return tag_on_cluster(inputs, model=model, output=str(output), **given)


def read_output(folder):
    """Records and failures of a whole run, its files being those of the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    written = [file for part in manifest["parts"] for file in (part["tagged"], part["errors"]) if file]
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert present == {"manifest.json"} | {file["path"] for file in written}
    for file in written:
        data = (folder / file["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    records, failures = [], []
    for part in manifest["parts"]:
        rows = pq.read_table(folder / part["tagged"]["path"]).to_pylist()
        lines = (folder / part["errors"]["path"]).read_text(encoding="utf-8").splitlines() if part["errors"] else []
        spans = sum(len(row["spans"]) for row in rows)
        assert (len(rows), spans, len(lines)) == (part["articles"], part["spans"], part["failed"])
        records += rows
        failures += map(json.loads, lines)
    assert [len(records), len(failures)] == [manifest["articles"], manifest["failed"]]
    return records, failures


def assert_same(found, wanted):
    """Records and failures alike but for the last digits of scores, and for how Parquet holds them."""
    assert found[1] == wanted[1]
    assert [row["id"] for row in found[0]] == [record["id"] for record in wanted[0]]
    for row, record in zip(found[0], wanted[0], strict=True):
        spans = [{name: value for name, value in span.items() if value is not None} for span in row["spans"]]
        scores = [span.pop("score") for span in spans]
        assert scores == pytest.approx([span["score"] for span in record["spans"]], abs=1e-5)
        assert spans == [{name: value for name, value in span.items() if name != "score"} for span in record["spans"]]
        categories = {entry["name"]: entry["score"] for entry in row["categories"]}
        assert categories == pytest.approx(record["categories"], abs=1e-5)
        assert (row["source"], row["model"]) == (record["source"], record["model"])


@pytest.mark.slow
def test_two_nodes_find_what_one_machine_does_though_a_worker_is_killed_and_a_shard_fails(
    address, inputs, alone, model_folder, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(cluster_module, "ShardTagger", Mortal)
    notes, output = tmp_path / "notes", tmp_path / "output"
    notes.mkdir()
    steps = []

    def begin(shards):
        steps.append(shards)
        return lambda: steps.append("done")

    options = {"cluster": Cluster(address, actors=2), "on_begin": begin}
    with pytest.raises(WorkerError, match=r"^1 of (\d+) shards are not done, .*RuntimeError: no more memory"):
        run(inputs, model_folder, output, **options)
    count = steps[0]
    assert count >= 8
    assert steps == [count, *["done"] * count]
    assert (notes / "killed").exists()
    assert not (output / "manifest.json").exists()
    with pytest.raises(DataError, match="not finished"):
        run(inputs, model_folder, output, **options)

    before = {path: path.stat().st_mtime_ns for path in (output / "tagged").iterdir()}
    steps.clear()
    manifest = run(inputs, model_folder, output, resume=True, **options)
    assert steps == [1, "done"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert_same(read_output(output), alone)
    assert (manifest.articles, manifest.failed) == tuple(map(len, alone))
    assert len(manifest.parts) == count
    assert capfd.readouterr() == ("", "")


def test_a_run_in_s3_stops_goes_on_and_finds_what_one_machine_does(
    store, address, inputs, alone, model_folder, tmp_path, monkeypatch
):
    fails = tmp_path / "fails"
    fails.touch()

    class Failing(ShardTagger):
        def _write_part(self, index, shard):
            if index == 2 and fails.exists():
                raise RuntimeError("no more memory")
            return super()._write_part(index, shard)

    monkeypatch.setattr(cluster_module, "ShardTagger", Failing)
    store.make_bucket("feed")
    filesystem, _ = locate(f"s3://feed{store.query}")
    copy_files(str(Path(inputs[0]).parent), "feed/in", destination_filesystem=filesystem)
    given, output = [f"s3://feed/in/*{store.query}"], f"s3://feed/out{store.query}"
    with pytest.raises(WorkerError, match=r"^1 of (\d+) shards are not done, .*RuntimeError: no more memory"):
        run(given, model_folder, output, cluster=Cluster(address))
    fails.unlink()
    todo = []

    def begin(shards):
        todo.append(shards)
        return lambda: None

    run(given, model_folder, output, cluster=Cluster(address), resume=True, on_begin=begin)
    assert todo == [1]
    copy_files("feed/out", str(tmp_path / "output"), source_filesystem=filesystem)
    folder = str(Path(inputs[0]).parent)
    moved = [[one | {"source": one["source"].replace(folder, "s3://feed/in")} for one in part] for part in alone]
    for failure in moved[1]:
        failure["error"] = failure["error"].replace(folder, "s3://feed/in")
    assert_same(read_output(tmp_path / "output"), moved)


@pytest.mark.slow
def test_a_command_that_is_killed_goes_on_where_it_was(address, inputs, alone, model_folder, tmp_path):
    output = tmp_path / "output"
    code = (
        "from hoidam import cli; from hoidam.ingest import shards; from hoidam.tag import cluster;"
        f"cluster.tag_on_cluster.__kwdefaults__['shard_bytes'] = {SHARD_BYTES}; cli.main()"
    )
    words = [sys.executable, "-c", code, "tag", *inputs, "--model", model_folder, "--engine", "ray"]
    words += ["--address", address, "--actors", "1", "--output", output, "--resume"]
    first = subprocess.Popen(words, stderr=subprocess.PIPE)
    while len(list(output.glob("done/*"))) < 3:
        assert first.poll() is None
        time.sleep(0.02)
    first.kill()
    assert all(line.startswith(b"tagging shards:") for line in first.communicate()[1].splitlines())
    before = {path: path.stat().st_mtime_ns for path in list(output.glob("tagged/*"))[:3]}
    second = subprocess.run(words, capture_output=True, text=True, check=False)
    records, _ = alone
    assert second.returncode == 3
    spans = sum(len(record["spans"]) for record in records)
    assert f"{len(records)} articles tagged, {spans} spans" in second.stderr
    assert all(line.startswith(("tagging shards:", f"{len(records)} articles")) for line in second.stderr.splitlines())
    assert second.stdout == ""
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert_same(read_output(output), alone)
    third = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (third.returncode, third.stderr) == (0, f"{output}: is there already, whole. --force makes it anew\n")


@pytest.mark.slow
def test_a_shard_that_kills_its_actors_is_left_and_the_others_are_done(
    address, inputs, model_folder, tmp_path, monkeypatch
):
    class Deadly(ShardTagger):
        def _write_part(self, index, shard):
            if index == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return super()._write_part(index, shard)

    monkeypatch.setattr(cluster_module, "ShardTagger", Deadly)
    monkeypatch.setattr(cluster_module, "DEATHS", 1)
    with pytest.raises(WorkerError, match=r"^1 of (\d+) shards are not done, the first because its actor died 2 times"):
        run(inputs, model_folder, tmp_path / "output", cluster=Cluster(address))
    assert not (tmp_path / "output" / "done" / "part-000002.json").exists()


@pytest.mark.slow
def test_what_an_actor_cannot_load_is_said_and_not_tried_for_ever(address, inputs, model_folder, tmp_path, monkeypatch):
    class Broken(ShardTagger):
        def __init__(self, fetch):
            raise CheckpointError("model.safetensors: not the file that hoidam.json names")

    monkeypatch.setattr(cluster_module, "ShardTagger", Broken)
    with pytest.raises(WorkerError, match="the cluster gave up"):
        run(inputs, model_folder, tmp_path / "output", cluster=Cluster(address))


@pytest.fixture
def actor(model_folder, tmp_path):
    """An actor outside of any cluster."""
    PartFolder(str(tmp_path / "output")).begin(Plan({}, []))
    files = cluster_module._read_files(model_folder)
    return ShardTagger(lambda: Start(files, str(tmp_path / "output"), COLUMNS, 3, 1, "cpu", "fp32"))


def do(actor, index, shard):
    row = {"index": index, "shard": json.dumps(cluster_module.asdict(shard))}
    return json.loads(actor(row)["result"])


def test_a_file_that_stays_away_is_a_failure_and_one_that_comes_back_is_none(actor, inputs, tmp_path, monkeypatch):
    [shard] = cut_files(find_files(inputs[:1]))
    later = tmp_path / "later.jsonl"
    missing = Shard(InputFile("later.jsonl", str(later), "later", 10))
    waits = []
    monkeypatch.setattr(cluster_module.time, "sleep", waits.append)
    part = do(actor, 0, missing)
    assert (part["articles"], part["failed"], len(waits)) == (0, 1, cluster_module.ATTEMPTS)
    assert json.loads((tmp_path / "output" / "errors" / "part-000000.jsonl").read_text())["id"] == "later"
    monkeypatch.setattr(cluster_module.time, "sleep", lambda _: later.write_bytes(Path(inputs[0]).read_bytes()))
    part = do(actor, 1, missing)
    assert (
        (part["articles"], part["failed"])
        == (41, 3)
        == tuple(do(actor, 2, shard)[key] for key in ("articles", "failed"))
    )


def test_a_part_that_cannot_be_written_is_not_done(actor, inputs, tmp_path):
    [shard] = cut_files(find_files(inputs[:1]))
    (tmp_path / "output" / "tagged").rmdir()
    (tmp_path / "output" / "tagged").write_text("in the way", encoding="utf-8")
    assert do(actor, 0, shard).startswith(f"{inputs[0]}: DataError: {tmp_path / 'output'}: cannot be reached")
    assert not list((tmp_path / "output" / "done").iterdir())


def make_plan(inputs, **settings):
    return Plan(settings, cut_files(find_files(inputs), size=SHARD_BYTES))


def test_a_plan_is_read_as_it_was_written(inputs, tmp_path):
    plan = make_plan(inputs, model="m")
    folder = PartFolder(str(tmp_path / "output"))
    assert folder.plan_to_go_on(plan.settings, plan.files) is None
    folder.begin(plan)
    assert folder.plan_to_go_on(plan.settings, plan.files) == plan
    assert [file.source for file in plan.files] == inputs


def test_a_run_goes_on_under_the_same_settings_and_inputs_only(inputs, tmp_path):
    plan = make_plan(inputs, model="m", text="text")
    folder = PartFolder(str(tmp_path / "output"))
    folder.begin(plan)
    with pytest.raises(DataError, match="model: 'm', now 'n'; text: 'text', now None"):
        folder.plan_to_go_on({"model": "n"}, plan.files)
    for files in (plan.files[:1], [*plan.files, InputFile("c.jsonl", "/c.jsonl", "c", 3)]):
        with pytest.raises(DataError, match=r"(b\.parquet|c\.jsonl): not as it was"):
            folder.plan_to_go_on(plan.settings, files)


def test_a_part_counts_while_its_files_are_as_long_as_they_were(actor, inputs, tmp_path):
    plan = make_plan(inputs)
    folder = PartFolder(str(tmp_path / "output"))
    folder.begin(plan)
    for index in (0, 4, 1):
        do(actor, index, plan.shards[index])
    parts = folder.read_parts(plan)
    assert list(parts) == [0, 1, 4]
    assert parts[0].failed == 3
    (tmp_path / "output" / parts[0].errors.path).unlink()
    (tmp_path / "output" / parts[1].tagged.path).write_bytes(b"PAR1")
    assert list(folder.read_parts(plan)) == [4]


PLANNED = {"plan.json": json.dumps(Plan({}, []).to_dict())}
DONE = {"manifest.json": json.dumps({"model": "m", "settings": {}, "inputs": [], "parts": [], "later": 1})}
FOREIGN = [
    {"notes.txt": "mine"},
    {"manifest.json": "{}", "notes.txt": "mine"},
    {"manifest.json": '{"name": "a web page", "settings": {}}'},
    {"manifest.json": '["model", "settings", "inputs", "parts"]'},
    {"manifest.json": "[" * 100_000},
    {"plan.json": '{"settings": {}}', "manifest.json": PLANNED["plan.json"]},
    {"plan.json": "# Plan"},
]


@pytest.mark.parametrize(
    ("there", "options", "message"),
    [
        (DONE, {}, "is there already, whole"),
        (DONE, {"resume": True}, "is there already, whole"),
        (PLANNED, {}, "--resume goes on"),
        *((there, {"force": True}, "is not of a run of ours") for there in FOREIGN),
        *((there, {"resume": True}, "is not of a run of ours") for there in FOREIGN),
        (DONE, {"force": True}, None),
        (PLANNED, {"force": True}, None),
        (PLANNED, {"resume": True}, None),
        ({}, {}, None),
    ],
)
def test_what_is_in_the_way_stays(tmp_path, there, options, message):
    for name, text in there.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    folder = PartFolder(tmp_path.as_uri())
    given = {"resume": False, "force": False} | options
    if message is None:
        folder.check(**given)
    else:
        with pytest.raises(DataError, match=message):
            folder.check(**given)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == there


@pytest.mark.parametrize("options", [{}, {"force": True}, {"resume": True}])
def test_what_a_run_leaves_that_ends_before_its_plan_is_in_no_one_s_way(tmp_path, monkeypatch, options):
    folder = PartFolder(str(tmp_path / "output"))
    monkeypatch.setattr(folder, "_write", lambda *_: None)
    folder.begin(Plan({}, []))
    given = {"resume": False, "force": False} | options
    folder.check(**given)
    (tmp_path / "output" / "tagged" / "mine.txt").touch()
    with pytest.raises(DataError, match="is not of a run of ours"):
        folder.check(**given)


def test_a_run_is_known_by_what_it_writes(inputs, tmp_path):
    plan = make_plan(inputs[:1], model="m")
    folder = PartFolder(str(tmp_path / "output"))
    folder.begin(plan)
    folder.check(resume=True, force=False)
    parts = {index: folder.write_part(index, shard, []) for index, shard in enumerate(plan.shards)}
    folder.finish(plan, parts, versions={})
    folder.check(resume=False, force=True)
    with pytest.raises(DataError, match="is there already, whole"):
        folder.check(resume=True, force=False)


def test_an_output_whose_name_is_not_utf_8_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a name that is not UTF-8\. Rename it"):
        PartFolder(os.fsdecode(os.fsencode(tmp_path) + b"/o\xff"))


def node(alive=True, **resources):
    return {"Alive": alive, "Resources": resources}


def test_actors_are_as_many_as_find_room():
    nodes = [node(CPU=5.0), node(CPU=64.0, GPU=2.0), node(alive=False, CPU=99.0), node()]
    assert cluster_module._room(nodes, Cluster(cpus=2)) == 2 + 32
    assert cluster_module._room(nodes, Cluster(gpus=1)) == 2
    assert cluster_module._room(nodes, Cluster(gpus=0.25, cpus=16)) == 4
    with pytest.raises(WorkerError, match="128 CPUs and 0 GPUs"):
        cluster_module._room(nodes, Cluster(cpus=128))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "ray"], "--engine ray needs"),
        (["--actors", "2"], "need --engine"),
        (["--resume"], "needs --output"),
        (["--engine", "ray", "--output", "o", "--workers", "2"], "need --engine local"),
        (["--engine", "ray", "--output", "o", "--actors", "0"], "actors"),
    ],
)
def test_options_that_say_nothing_here_are_wrong_usage(words, message, command, inputs, model_folder):
    outcome = command("tag", *inputs, "--model", model_folder, *words)
    assert outcome.code == 2
    assert message in outcome.err


def test_inputs_are_refused_before_a_cluster_is_started(command, model_folder, tmp_path, inputs):
    words = ["--model", model_folder, "--engine", "ray", "--output", tmp_path / "output"]
    assert "no such file" in command("tag", tmp_path / "gone.jsonl", *words).err
    assert "no model here" in command("tag", *inputs, *words[2:], "--model", tmp_path).err
    assert not (tmp_path / "output").exists()


def test_without_ray_the_cure_is_named(command, inputs, model_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = command("tag", *inputs, "--model", model_folder, "--engine", "ray", "--output", tmp_path / "output")
    assert outcome.code == 1
    assert outcome.err.endswith("which is not installed: pip install 'hoidam[ray]'\n")
    assert not (tmp_path / "output").exists()
