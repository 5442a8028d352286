"""Runs of tagging that are killed, each in a process of its own; all but the model is real.

As a program, `endurance.py PLAN INPUT OUTPUT SEED`: it forks a run as often as its plan says, kills it, and prints what
happened as one JSON object. It stands alone, so that nothing but what it tests is imported before it forks.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from hoidam.document import Span, Tagged
from hoidam.ingest.readers import Document, discover, read_found
from hoidam.tag.batch import tag_items
from hoidam.tag.journal import is_finished
from hoidam.tag.writers import errors_path

CHUNK = 3
KILLS = 20
STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "fcntl.flock"}


@dataclass(frozen=True)
class FakeModel:
    identity: str = "fake@1"


class FakeTagger:
    """Tags by hash, a few documents together as a real one does, each in `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.model = FakeModel()
        self._seconds = seconds

    def tag(self, items):
        chunk = []
        for item in items:
            chunk.append(item)
            if len(chunk) == CHUNK:
                yield from map(self._tag, chunk)
                chunk = []
        yield from map(self._tag, chunk)

    def _tag(self, item):
        if not isinstance(item, Document):
            return item
        if self._seconds:
            time.sleep(self._seconds)
        digest = hashlib.sha256(item.text.encode()).digest()
        starts = sorted({byte % len(item.text) for byte in digest[: digest[0] % 6]})
        spans = tuple(Span(start, start + 1, "A", None, digest[1] / 255) for start in starts)
        return item, Tagged(item.id, item.source, spans, {"C": digest[2] / 255}, self.model.identity)


def run(given: Path, output: Path, *, seconds: float = 0.0, resume: bool = False, force: bool = False) -> None:
    """Tag one input as the command does."""
    found = discover([given])
    if is_finished(output, inputs=found.files, resume=resume, force=force):
        return
    tag_items(
        read_found(found, deduplicate=True),
        tagger=FakeTagger(seconds),
        output=output,
        stream=sys.stdout,
        settings={"inputs": [str(given)]},
        files=found.files,
        resume=resume,
        force=force,
    )


def contents(output: Path) -> dict[str, str]:
    """All that lies beside an output, by its name without the output's own; hashed."""
    return {
        path.name.replace(output.name, "output"): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in output.parent.iterdir()
    }


def fork(work: Callable[[], object]) -> int:
    """Start work in a child, and give its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def was_killed(child: int) -> bool:
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        raise SystemExit("a run failed")
    return False


def kill_at_moments(given: Path, output: Path, *, seed: int) -> dict[str, object]:
    """Kill runs at random moments, resuming each time, until enough kills have hit; compare whenever one ends."""
    rng = random.Random(seed)
    started = time.perf_counter()
    was_killed(fork(lambda: run(given, output, seconds=0.002)))
    longest = time.perf_counter() - started
    wanted, moments, kept = contents(output), [], []
    begin(output)
    while len(moments) < KILLS:
        moment = rng.uniform(0, longest / 3)
        child = fork(lambda: run(given, output, seconds=0.002, resume=True))
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        if was_killed(child):
            moments.append(round(moment, 4))
            kept.append(records_kept(output))
        else:
            compare(output, wanted)
            begin(output)
    was_killed(fork(lambda: run(given, output, resume=True)))
    compare(output, wanted)
    return {"moments": moments, "kept": kept, "files": sorted(wanted)}


def kill_at_steps(given: Path, output: Path, *, seed: int) -> dict[str, object]:
    """Kill a run just before each of its steps in the file system, the first to the last; resume; compare.

    `seed` above 0 replaces an older output with force, which must be there unchanged until the new one is.
    """
    was_killed(fork(lambda: run(given, output)))
    wanted, step = contents(output), 0
    while True:
        step += 1
        begin(output, old=seed > 0)
        child = fork(lambda step=step: (kill_before(step, output.parent), run(given, output, force=seed > 0)))
        if not was_killed(child):
            compare(output, wanted)
            return {"steps": step - 1}
        if not Path(output.parent, f".{output.name}.partial", "run.json").exists() and seed > 0 and is_old(output):
            was_killed(fork(lambda: run(given, output, force=True)))
        else:
            was_killed(fork(lambda: run(given, output, resume=True)))
        compare(output, wanted, at=step)


def begin(output: Path, *, old: bool = False) -> None:
    for path in (output, errors_path(output)):
        path.unlink(missing_ok=True)
        if old:
            path.write_text("old", encoding="utf-8")


def is_old(output: Path) -> bool:
    return output.read_bytes() == b"old"


def records_kept(output: Path) -> int:
    folder = output.with_name(f".{output.name}.partial")
    files = [folder / name for name in ("complete.jsonl", "records.jsonl")]
    return next((path.read_bytes().count(b"\n") for path in files if path.exists()), -1)


def compare(output: Path, wanted: dict[str, str], *, at: int | None = None) -> None:
    found = contents(output)
    if found != wanted:
        raise SystemExit(f"step {at}: {found} is not {wanted}")


def kill_before(step: int, folder: Path) -> None:
    """Let this process be killed when it is about to do its `step`th thing to files below `folder`."""
    done = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal done
        if event in STEPS and (event == "fcntl.flock" or str(arguments[0]).startswith(str(folder))):
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def endure(plan: str, given: Path, output: Path, *, seed: int = 0) -> dict[str, object]:
    """Carry out a plan in a fresh process; raises CalledProcessError, with what it said, where a comparison fails."""
    words = [sys.executable, __file__, plan, str(given), str(output), str(seed)]
    done = subprocess.run(words, check=False, text=True, capture_output=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lines(count: int, *, seed: int = 1) -> Iterator[str]:
    """JSON lines of short articles, some of them broken or copies."""
    rng = random.Random(seed)
    words = ["hai", "bên", "bàn", "về", "chợ", "phiên", "và", "cửa", "khẩu", "Tà", "Vân"]
    texts = [" ".join(rng.choices(words, k=12)) for _ in range(count)]
    for number, text in enumerate(texts):
        if number % 11 == 5:
            yield '{"id": "broken'
        else:
            yield json.dumps({"id": f"a{number}", "text": texts[number - 4] if number % 13 == 7 else text})


if __name__ == "__main__":
    # Arrow imports more at its first table, which no child should do anew.
    pa.Table.from_pylist([{"a": 1}])
    plans = {"moments": kill_at_moments, "steps": kill_at_steps}
    plan, given, output, seed = sys.argv[1:]
    print(json.dumps(plans[plan](Path(given), Path(output), seed=int(seed))))
