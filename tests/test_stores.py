"""Stores: a URI leads to what a path does, on a disk and in S3; what is refused is said in one line with the cure."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import copy_files

from hoidam.errors import DataError
from hoidam.ingest.discover import discover
from hoidam.ingest.readers import Columns, read_inputs
from hoidam.ingest.shards import cut_files, find_files, read_shard
from hoidam.stores import Folder, join, locate
from hoidam.tag.parts import PartFolder, Plan

NAMES = ("a", "b", "ab", "bản tin", "a+b", "a#b", "a%41", "[a]", "a&=b", "c.jsonl")
BUCKETS = count()
MODEL = Path(__file__).parents[1] / "models" / "hoidam-small"
PATTERNS = ("*", "**", "a*", "*b", "[ab]", "[!a]*", "b*n*", "*.jsonl", "a", "bản tin", "bản%20tin")


def make_tree(rng, folder):
    """Files some folders deep, folders with a suffix of files among them, and what is no input."""
    for _ in range(rng.randint(1, 12)):
        inner = folder.joinpath(*rng.choices(NAMES, k=rng.randint(0, 3)))
        inner.mkdir(parents=True, exist_ok=True)
        name = rng.choice(["a.jsonl", "bản tin.jsonl", "b.parquet", "ab.JSONL", "notes.md", ".a.jsonl"])
        (inner / name).write_text(f'{{"text": "{rng.random()}"}}', encoding="utf-8")


def make_pattern(rng):
    return "/".join(rng.choices(PATTERNS, k=rng.randint(1, 3)))


def paths_below(folder, pattern):
    """What a pattern finds on a disk, of what a cluster reads."""
    files = discover([f"{folder}/{pattern.replace('%20', ' ')}"]).files
    return sorted(path.relative_to(folder).as_posix() for path in files)


def keys_below(uri, pattern):
    """What a pattern finds by URI."""
    root = locate(uri)[1]
    try:
        files = find_files([join(uri, pattern)])
    except DataError as error:
        if any(words in str(error) for words in ("holds no input", "No such file", "Not a directory")):
            return []
        raise
    return sorted(locate(file.place)[1].removeprefix(f"{root}/") for file in files)


def test_a_pattern_finds_by_uri_what_it_finds_on_a_disk(tmp_path):
    rng = random.Random(3)
    hits = 0
    for turn in range(60):
        folder = tmp_path / str(turn)
        make_tree(rng, folder)
        for _ in range(40):
            pattern = make_pattern(rng)
            wanted = paths_below(folder, pattern)
            assert keys_below(f"file://{folder}", pattern) == wanted, pattern
            hits += bool(wanted)
    assert hits > 300


def test_a_uri_leads_to_any_name(tmp_path):
    for name in NAMES:
        path = tmp_path / name
        assert locate(f"file://{tmp_path}/{name.replace('%', '%25')}")[1] == locate(path.as_uri())[1] == str(path)


@pytest.mark.parametrize(
    ("place", "joined"),
    [
        ("out", "out/errors"),
        ("out?/", "out?/errors"),
        ("s3://bucket/out/", "s3://bucket/out/errors"),
        ("s3://bucket?scheme=http&region=a/b", "s3://bucket/errors?scheme=http&region=a/b"),
    ],
)
def test_options_stay_behind_a_path(place, joined):
    assert join(place, "errors") == joined


def test_a_secret_in_a_uri_is_neither_used_nor_shown():
    with pytest.raises(
        DataError, match=r"^s3://bucket/feed: a secret key in a URI\. .*AWS_SECRET_ACCESS_KEY"
    ) as caught:
        locate("s3://key:se%2Fcret@bucket/feed")
    assert "cret" not in str(caught.value).removesuffix("instead").replace("secret key", "")


@pytest.fixture
def bucket(store):
    """The URI of an empty bucket, without options, and the options."""
    name = f"bucket-{next(BUCKETS)}"
    store.make_bucket(name)
    return f"s3://{name}", store.query


@pytest.fixture
def by_environment(store, monkeypatch):
    """The address of the store as the environment gives it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{store.address}")


def upload(folder, uri):
    filesystem, path = locate(uri)
    copy_files(str(folder), path, destination_filesystem=filesystem)


def test_s3_holds_what_a_disk_does(bucket, by_environment, tmp_path):
    rng = random.Random(8)
    uri = f"{bucket[0]}/bản tin"
    for _ in range(4):
        make_tree(rng, tmp_path)
    upload(tmp_path, uri)
    for pattern in ("", "*.jsonl", "**/*.jsonl", "a*/**", "*/*", "[!a]*/", "bản%20tin/b*"):
        wanted = paths_below(tmp_path, pattern)
        assert wanted, pattern
        assert keys_below(uri, pattern) == wanted, pattern


def test_records_from_s3_are_those_of_the_disk(bucket, tmp_path):
    uri, query = bucket
    lines = [{"id": f"r{number}", "text": f"Hội đàm {number}"} if number % 3 else {"text": "x"} for number in range(18)]
    (tmp_path / "thư").mkdir()
    (tmp_path / "thư" / "a.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"id"', encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "thư" / "b.parquet", row_group_size=6)
    upload(tmp_path, uri + query)
    wanted = list(read_inputs([tmp_path]))
    for given in (uri + query, f"{uri}/thư/*{query}"):
        shards = cut_files(find_files([given]), size=150)
        assert len(shards) > 5
        items = [item for shard in shards for item in read_shard(shard, columns=Columns())]
        assert [item.id for item in items] == [item.id for item in wanted]
        assert [item.source for item in items] == [item.source.replace(str(tmp_path), uri) for item in wanted]
        assert items[3].text == wanted[3].text


def test_files_of_one_name_in_two_stores_are_both_read(bucket):
    uri, query = bucket
    filesystem, path = locate(f"{uri}/a.jsonl{query}")
    with filesystem.open_output_stream(path) as stream:
        stream.write(b'{"text": "x"}\n')
    files = find_files([f"{uri}/a.jsonl{query}", f"{uri}/a.jsonl{query}&region=eu-west-1", f"{uri}/*.jsonl{query}"])
    assert [file.source for file in files] == [f"{uri}/a.jsonl"] * 2
    assert len({file.name for file in files}) == 2


@pytest.mark.parametrize("inner", ["", "/deep/out"])
def test_a_run_in_s3_begins_goes_on_ends_and_is_not_written_over(bucket, inner):
    uri, query = bucket
    filesystem, path = locate(uri + query)
    place = uri + inner + query
    plan = Plan({"model": "m"}, cut_files([]))
    folder = PartFolder(place)
    for options in ({"resume": True}, {"force": True}, {}):
        folder.check(**{"resume": False, "force": False} | options)
    folder.begin(plan)
    assert folder.plan_to_go_on(plan.settings, []) == plan
    folder.check(resume=True, force=False)
    with pytest.raises(DataError, match="not finished"):
        folder.check(resume=False, force=False)
    folder.finish(plan, {}, versions={})
    assert folder.is_whole()
    for resume in (False, True):
        with pytest.raises(DataError, match="is there already, whole"):
            folder.check(resume=resume, force=False)
    folder.begin(plan)
    assert not folder.is_whole()
    with filesystem.open_output_stream(f"{path}/taken") as stream:
        stream.write(b"x")
    with pytest.raises(DataError, match="is a file"):
        PartFolder(f"{uri}/taken{query}").check(resume=False, force=True)


def test_where_several_write_one_file_it_is_one_of_theirs(bucket):
    uri, query = bucket
    folder = Folder(f"{uri}/out{query}")
    folder.clear(folders=["tagged"])
    assert folder.is_empty()
    contents = [bytes([number]) * (6 << 20) for number in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(folder.write, "tagged/a"), contents * 3))
    assert folder.read("tagged/a") in contents
    assert folder.sizes(["tagged/a", "tagged/b", "tagged"]) == [6 << 20, None, None]
    assert not folder.is_empty()
    folder.end(files=["tagged/a"], folders=["tagged"])
    assert folder.is_empty()


def refused(words, command):
    """The one line that a command says, which starts no cluster."""
    outcome = command("tag", *words, "--engine", "ray", "--model", MODEL)
    assert outcome.code == 1
    [line] = outcome.err.splitlines()
    return line


@pytest.fixture
def article(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Hội đàm"}', encoding="utf-8")
    return path


def test_a_bucket_that_is_not_there_is_named_with_the_cure(store, by_environment, command, article):
    given, output = "s3://no-such-bucket/feed/*.jsonl", "s3://no-such-bucket/out"
    for words, place in (
        ([given, "--output", article.with_name("out")], given),
        ([article, "--output", output], output),
    ):
        line = refused(words, command)
        assert line.startswith(f"hoidam: {place}: cannot be reached (")
        assert line.endswith("Make the bucket first, or correct its name")
    assert not article.with_name("out").exists()


@pytest.fixture
def asking(store):
    """The store, which refuses our keys."""
    store.ask_for_keys(ask=True)
    yield store
    store.ask_for_keys(ask=False)


def test_keys_that_are_refused_are_named_with_the_cure(bucket, asking, command, article):
    given = "".join(bucket)
    for words in ([given, "--output", article.with_name("out")], [article, "--output", given]):
        line = refused(words, command)
        assert line.startswith(f"hoidam: {given}: cannot be reached (")
        assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in line


def test_a_store_that_does_not_answer_is_named_with_the_cure(command, article):
    given = "s3://bucket/feed?endpoint_override=127.0.0.1:9&scheme=http"
    line = refused([given, "--output", article.with_name("out")], command)
    assert line.startswith(f"hoidam: {given}: cannot be reached (")
    assert "AWS_ENDPOINT_URL" in line


def test_uris_need_the_ray_engine(command, article):
    for words in ([article, "--output", "s3://bucket/out.jsonl"], ["s3://bucket/a.jsonl"]):
        outcome = command("tag", *words, "--model", MODEL)
        assert outcome.code == 2
        assert "URIs need --engine ray" in outcome.err
