"""Endurance: whatever ends a run of tagging, going on gives the bytes of a run that nothing ended."""

import gc
import gzip
import io
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import endurance
import generated
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from endurance import FakeTagger

from hoidam.errors import DataError
from hoidam.files import json_line
from hoidam.ingest.readers import discover, read_found
from hoidam.tag.batch import tag_items
from hoidam.tag.journal import Journal, is_finished, open_journal
from hoidam.tag.writers import errors_path


@pytest.fixture
def feed(tmp_path):
    return write_feed(tmp_path / "given" / "feed.jsonl", count=90)


def write_feed(path, *, count):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in endurance.lines(count)), encoding="utf-8")
    return path


def output_in(folder, name="o.jsonl"):
    folder.mkdir(exist_ok=True)
    return folder / name


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_runs_killed_at_twenty_random_moments_end_with_the_same_bytes(feed, tmp_path, suffix):
    happened = endurance.endure("moments", feed, output_in(tmp_path / "out", f"o.{suffix}"), seed=5)
    print(happened)
    assert len(happened["moments"]) == endurance.KILLS
    assert happened["files"] == ["output", "output.errors.jsonl"]
    assert len({kept for kept in happened["kept"] if 0 < kept < 90}) > 4, "hardly a kill hit a run at work"


@pytest.mark.parametrize(
    ("suffix", "replacing"), [("jsonl", False), ("csv.gz", True), ("parquet", False)], ids=["new", "replacing", "table"]
)
def test_a_run_may_be_killed_before_every_single_step_in_the_file_system(tmp_path, suffix, replacing):
    feed = write_feed(tmp_path / "feed.jsonl", count=20)
    happened = endurance.endure("steps", feed, output_in(tmp_path / "out", f"o.{suffix}"), seed=int(replacing))
    assert happened["steps"] > 15


@pytest.fixture
def stopped(feed, tmp_path):
    """An output whose run was stopped after 40 items."""
    output = output_in(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        tag(feed, output, stop=40)
    return output


def tag(feed, output, *, stop=None, settings=None, **options):
    found = discover([feed])

    def items():
        for number, item in enumerate(read_found(found, deduplicate=True)):
            if number == stop:
                raise KeyboardInterrupt
            yield item

    return tag_items(
        items(),
        tagger=FakeTagger(),
        output=output,
        stream=io.StringIO(),
        settings={"columns": ["text", "id"]} if settings is None else settings,
        files=found.files,
        **options,
    )


def test_what_is_kept_is_a_line_for_every_item_in_order(feed, stopped):
    journal = Journal(stopped)
    assert journal.begun
    assert not journal.complete
    assert not stopped.exists()
    kept = list(journal.records())
    assert len(kept) == 39, "the last three were not tagged together"
    items = itertools.islice(read_found(discover([feed]), deduplicate=True), 39)
    assert [(record["id"], record["source"]) for record in kept] == [(item.id, item.source) for item in items]
    assert {tuple(record) for record in kept} == {
        ("id", "source", "spans", "categories", "model"),
        ("id", "source", "spans", "categories", "model", "duplicate_of"),
        ("id", "source", "error"),
    }


@pytest.mark.parametrize("tail", [b'{"id": "a', b"{}", b"\xc4"])
def test_a_line_cut_short_is_done_again(feed, stopped, tmp_path, tail):
    with (stopped.parent / ".o.jsonl.partial" / "records.jsonl").open("ab") as stream:
        stream.write(tail)
    told = []
    tag(feed, stopped, resume=True, on_item=told.append)
    assert len(told) == 90
    tag(feed, tmp_path / "whole.jsonl")
    assert stopped.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert errors_path(stopped).read_bytes() == errors_path(tmp_path / "whole.jsonl").read_bytes()


def test_other_settings_are_named_each_and_nothing_is_lost(feed, stopped):
    before = list(Journal(stopped).records())
    with pytest.raises(DataError) as caught:
        tag(feed, stopped, resume=True, settings={"columns": ["text", "key"], "deduplicate": True})
    assert str(caught.value) == (
        f"{stopped}: begun with other settings: columns: ['text', 'id'], now ['text', 'key']; deduplicate: None, now "
        "True. Give the same, or --force begins anew"
    )
    assert list(Journal(stopped).records()) == before
    assert tag(feed, stopped, resume=True).tagged > 60


@pytest.mark.parametrize("change", ["longer", "touched", "gone"])
def test_inputs_that_changed_are_named(feed, stopped, change):
    if change == "longer":
        with feed.open("a", encoding="utf-8") as stream:
            stream.write('{"text": "more"}\n')
    elif change == "touched":
        os.utime(feed, ns=(1, 1))
    else:
        feed.unlink()
    with pytest.raises(DataError, match=r"not as it was when the run of .*o\.jsonl began|no such file") as caught:
        tag(feed, stopped, resume=True)
    assert str(caught.value).startswith(f"{feed}: ")
    assert Journal(stopped).begun


def test_a_run_over_a_file_whose_name_is_not_utf_8_goes_on(tmp_path):
    odd = write_feed(Path(os.fsdecode(os.fsencode(tmp_path) + b"/tin\xff.jsonl")), count=20)
    output = output_in(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        tag(odd, output, stop=10)
    assert Journal(output).begun
    assert tag(odd, output, resume=True).tagged
    assert all("tin\\udcff.jsonl" in record["source"] for record in read(output))


def test_another_file_is_named(feed, stopped, tmp_path):
    other = write_feed(tmp_path / "given" / "other.jsonl", count=3)
    with pytest.raises(DataError) as caught:
        tag(tmp_path / "given", stopped, resume=True)
    assert str(caught.value).startswith(f"{other}: not as it was")


@pytest.mark.parametrize("change", ["another id", "fewer"])
def test_items_that_changed_behind_the_file_s_date_are_noticed_where_they_are(feed, stopped, change):
    found = feed.stat()
    content = feed.read_text(encoding="utf-8")
    changed = content.replace('"a12"', '"b12"') if change == "another id" else content.partition('{"id": "a12"')[0]
    feed.write_text(changed.rstrip("\n").ljust(len(content) - 1) + "\n", encoding="utf-8")
    os.utime(feed, ns=(found.st_atime_ns, found.st_mtime_ns))
    now = f"'b12' in {feed}:13" if change == "another id" else "no more items"
    with pytest.raises(DataError, match="item 13 was 'a12'") as caught:
        tag(feed, stopped, resume=True)
    assert str(caught.value).endswith(f"began, now {now}. Give the inputs as they were, or --force begins anew")


def test_two_processes_do_not_write_one_output(feed, stopped):
    with open_journal(output_in(stopped.parent, "p.jsonl"), settings={}):
        with pytest.raises(DataError, match=r"p\.jsonl: another process writes it"):
            tag(feed, stopped.with_name("p.jsonl"), force=True)
        assert tag(feed, stopped, resume=True).tagged > 60


def test_a_run_may_be_begun_anew_with_force(feed, stopped, tmp_path):
    with pytest.raises(DataError, match="--resume goes on with it, --force begins anew"):
        tag(feed, stopped)
    other = write_feed(tmp_path / "given" / "other.jsonl", count=10)
    tag(other, stopped, force=True)
    assert {record["source"].partition(":")[0] for record in read(stopped)} == {str(other)}
    assert {path.name for path in stopped.parent.iterdir()} == {"o.jsonl", "o.jsonl.errors.jsonl"}


def test_an_output_that_came_while_the_run_was_stopped_is_not_replaced(feed, stopped):
    stopped.write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists already"):
        tag(feed, stopped, resume=True)
    assert stopped.read_text(encoding="utf-8") == "mine"


def test_resuming_starts_where_there_is_nothing_and_ends_where_all_is_done(feed, tmp_path):
    output = output_in(tmp_path / "out")
    assert not is_finished(output, inputs=[feed], resume=True)
    assert tag(feed, output, resume=True).tagged > 60
    assert is_finished(output, inputs=[feed], resume=True)
    with pytest.raises(DataError, match="is there already, whole"):
        tag(feed, output, resume=True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a quarter of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    try:
        refused = subprocess.run(words, check=False, capture_output=True).returncode
    except OSError:
        refused = True
    if refused:
        pytest.skip("no right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.zst", "csv", "parquet"])
def test_a_disk_that_fills_up_at_any_point_costs_nothing_but_room(feed, small_disk, tmp_path, suffix):
    whole = output_in(tmp_path / "out", f"o.{suffix}")
    tag(feed, whole)
    wanted = endurance.contents(whole)
    kept = []
    for room in range(8, 200, 4):
        output, ballast = small_disk / whole.name, small_disk / "ballast"
        ballast.write_bytes(b"\0" * (256 - room) * 1024)
        error = refusal(feed, output)
        if error is None:
            break
        assert str(error).startswith(f"{output}: cannot be written (")
        assert "o space left" in str(error)
        kept += [int(re.match(r"(\d+) records are kept", note)[1]) for note in getattr(error, "__notes__", [])]
        ballast.unlink()
        tag(feed, output, resume=True)
        assert endurance.contents(output) == wanted
        output.unlink()
        errors_path(output).unlink()
    assert kept
    assert kept == sorted(kept)
    assert kept[0] < kept[-1] == 90, "the disk was never full while the output was made"


def refusal(feed, output):
    try:
        tag(feed, output)
    except DataError as error:
        return error
    return None


def bad_and_good_lines(rng, *, count):
    """Lines of records of every kind, and of each whether it is tagged and its id where it has one."""
    for number in range(count):
        name = f"r{number}"
        text = " ".join(rng.choices(["hội đàm", "cửa khẩu", "Bát Xát", "😀"], k=rng.randrange(1, 30)))
        good = json.dumps({"id": name, "text": text}, ensure_ascii=rng.random() < 0.5).encode()
        yield rng.choice(
            [
                *[(good, name)] * 6,
                (b'{"id": "%s", "text": ' % name.encode(), None),
                (b"[1, 2]", None),
                (json.dumps({"id": name}).encode(), None),
                (json.dumps({"id": name, "text": rng.choice([5, [text], {}, True])}).encode(), None),
                (json.dumps({"id": name, "text": " \u200b"}).encode(), None),
                (json.dumps({"id": name, "text": "a\ud83d"}).encode(), None),
                (json.dumps({"id": 1.5, "text": text}).encode(), None),
                (json.dumps({"id": "r0", "text": text}).encode(), "r0"),
                (b'{"id": "%s", "text": "S\xe0i"}' % name.encode(), None),
            ]
        )


def expected(path, given):
    """Where each line must end: (source, whether it is tagged), in order."""
    met = set()
    for line, (_, name) in enumerate(given, start=1):
        yield f"{path}:{line}", name is not None and name not in met
        met.add(name)


def pack(data, archive):
    return {"": bytes, ".gz": gzip.compress, ".zst": lambda given: pa.compress(given, "zstd", asbytes=True)}[archive](
        data
    )


@pytest.mark.parametrize("archive", ["", ".gz", ".zst"])
def test_every_record_of_every_kind_is_in_the_output_or_among_the_errors(tmp_path, archive):
    rng = random.Random(f"records{archive}")
    cuts = 0
    for case in range(60):
        path, output = tmp_path / f"{case}.jsonl{archive}", tmp_path / f"{case}o.jsonl"
        given = list(bad_and_good_lines(rng, count=rng.randrange(1, 60)))
        wanted = list(expected(path, given))
        data = b"".join(line + b"\n" for line, _ in given)
        packed = pack(data, archive)
        whole = not archive or rng.random() < 0.5
        path.write_bytes(packed if whole else packed[: rng.randrange(1, len(packed))])
        tag(path, output)
        tagged = [record["source"] for record in read(output)]
        errors = read(errors_path(output)) if errors_path(output).exists() else []
        if not whole:
            last = errors.pop()
            assert (last["id"], last["source"]) == (str(case), str(path))
            assert "the archive is cut or broken after " in last["error"]
            if archive == ".gz":
                readable = zlib.decompressobj(31).decompress(path.read_bytes())
                assert len(tagged) + len(errors) >= readable[: max(len(readable) - 256, 0)].count(b"\n")
            wanted = wanted[: len(tagged) + len(errors)]
            cuts += bool(wanted)
        assert tagged == [source for source, good in wanted if good]
        assert [error["source"] for error in errors] == [source for source, good in wanted if not good]
        assert all(error["error"].startswith(f"{error['source']}: ") for error in errors)
    assert cuts > 10 or archive != ".gz"


@pytest.mark.parametrize(
    ("suffix", "counts"), [("jsonl", (500, 4000)), pytest.param("parquet", (1000, 3000), marks=pytest.mark.slow)]
)
def test_memory_does_not_grow_with_the_input(tmp_path, suffix, counts):
    peaks = [traced_peak(tmp_path / f"{count}.{suffix}", count=count) for count in counts]
    assert peaks[1] < 1.1 * peaks[0], peaks


def traced_peak(output, *, count):
    feed = output.with_name(f"feed-{count}.jsonl")
    feed.write_text("".join(f'{{"id": "{n}", "text": "hội đàm {n}"}}\n' for n in range(count)), encoding="utf-8")
    found = discover([feed])
    done = itertools.count(1)
    tracemalloc.start()
    try:
        summary = tag_items(
            read_found(found),
            tagger=FakeTagger(),
            output=output,
            stream=io.StringIO(),
            files=found.files,
            # What waits for the collector would count as growth.
            on_item=lambda _: next(done) % 250 or gc.collect(),
        )
        assert summary.tagged == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["jsonl.gz", "parquet"])
def test_two_hundred_thousand_articles_take_no_more_memory_than_a_tenth_of_them(tmp_path, model_folder, suffix):
    peaks = [command_peak(tmp_path / f"{count}", model_folder, suffix, count=count) for count in (20_000, 200_000)]
    print(peaks)
    assert peaks[1] < 1.1 * peaks[0], peaks


def command_peak(folder, model, suffix, *, count):
    """Greatest resident size of the command over short articles, in KiB."""
    folder.mkdir()
    rows = {"id": [f"a{n}" for n in range(count)], "text": [f"Ông Lý Vĩ {n} hội đàm." for n in range(count)]}
    if suffix == "parquet":
        pq.write_table(pa.table(rows), folder / "feed.parquet")
    else:
        lines = (json_line({"id": name, "text": text}) for name, text in zip(*rows.values(), strict=True))
        (folder / "feed.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    # Not getrusage's: that counts in what the process which started this one had at that moment.
    code = "from hoidam.cli import main\ntry: main()\n"
    code += "finally: print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    given = [folder / f"feed.{suffix}", "--model", model, "--output", folder / f"o.{suffix}", "--deduplicate"]
    words = [sys.executable, "-c", code, "tag", *map(str, given)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert f"{count} articles tagged" in done.stderr
    return int(done.stdout)


def test_the_command_itself_goes_on_after_a_kill(tmp_path, model_folder):
    kill_command(tmp_path, model_folder, shares=[0.35])


@pytest.mark.slow
def test_the_command_killed_at_twenty_random_moments(tmp_path, model_folder):
    rng = random.Random(6)
    kill_command(tmp_path, model_folder, shares=[rng.random() / 5 for _ in range(20)])


def kill_command(folder, model, *, shares):
    """Kill the command when it has done a share of what is left, and go on, for each; compare with a whole run.

    It tags a document at a time, so that this holds for a model whose scores depend on what is tagged with it, too.
    """
    feed, whole, output = (folder / name for name in ("feed.jsonl", "whole.jsonl", "o.jsonl"))
    articles = (annotated.article.to_dict() for annotated in generated.make_articles("a", 120, seed=3))
    feed.write_text("".join(map(json_line, articles)), encoding="utf-8")
    code = "from hoidam.tag import tagger; from hoidam.cli import main; tagger.CHUNK_DOCUMENTS = 1; main()"
    words = [sys.executable, "-c", code, "tag", str(feed), "--model", str(model), "--resume", "--output"]
    subprocess.run([*words, whole], check=True, capture_output=True)
    print(shares)
    for share in shares:
        done = endurance.records_kept(output)
        kill_after([*words, output], output, records=done + 1 + int(share * (119 - done)))
    assert Journal(output).begun
    subprocess.run([*words, output], check=True, capture_output=True)
    assert output.read_bytes() == whole.read_bytes()
    assert {path.name for path in folder.iterdir()} == {"feed.jsonl", "o.jsonl", "whole.jsonl"}


def kill_after(words, output, *, records):
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None and endurance.records_kept(output) < records:
        time.sleep(0.001)
    running.kill()
    assert running.wait() == -signal.SIGKILL
