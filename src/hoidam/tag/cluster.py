"""Tagging on a Ray cluster: Ray Data hands shards of the inputs to actors, each of which writes parts of the output.

A shard goes through one actor from its records to its part, so that no article travels between machines, the order in a
part is the input's, and what is done stays done: an actor that dies is started again and with it its shard, and a run
that was stopped goes on with the shards that have no part.
"""

import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hoidam
from hoidam.errors import MissingExtraError, UnreachableError, WorkerError
from hoidam.files import file_sha256
from hoidam.ingest.readers import Columns, Failure
from hoidam.ingest.shards import SHARD_BYTES, Shard, cut_files, find_files, read_shard
from hoidam.provenance import versions
from hoidam.tag.parts import Manifest, Part, PartFolder, Plan

if TYPE_CHECKING:
    from hoidam.tag.tagger import Tagger

ATTEMPTS = 3
"""How often a shard is begun whose file cannot be reached, before that is what is written of it."""
DEATHS = 5
"""How many deaths of its actor a shard outlives: machines are taken away, but a text may also kill."""

_PAUSE_SECONDS = 2.0
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
_AGAIN = "--resume tries again"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which Ray cluster works, and with what: `cpus` and `gpus` are those of one actor.

    Without an `address` it is the cluster that RAY_ADDRESS names, or else one on this machine for the length of a run;
    without `actors` there are as many as find room.
    """

    address: str | None = None
    actors: int | None = None
    cpus: int = 1
    gpus: float = 0


def tag_on_cluster(
    inputs: Sequence[str],
    *,
    model: Path,
    output: str,
    cluster: Cluster,
    columns: Columns,
    precision: str = "auto",
    batch: int | None = None,
    shard_bytes: int = SHARD_BYTES,
    resume: bool = False,
    force: bool = False,
    on_begin: Callable[[int], Callable[[], None]] = lambda shards: lambda: None,
) -> Manifest:
    """Tag files of records, by path or URI, into the folder `output`, by path or URI, as `tag.parts` describes it.

    The tagger takes `batch` articles together. `on_begin` is told how many shards there are to do; what it gives is
    called after each. Ids are not compared with each other: no machine sees them all.

    Raises DataError where inputs or output cannot be used, CheckpointError where the model cannot, WorkerError where
    the cluster cannot do the work or leaves shards undone.
    """
    from hoidam.checkpoint import SETTINGS_NAME, read_settings

    read_settings(model)
    settings = {
        "hoidam": hoidam.__version__,
        "model_sha256": file_sha256(model / SETTINGS_NAME),
        **asdict(columns),
        "precision": precision,
    }
    folder = PartFolder(output)
    folder.check(resume=resume, force=force)
    files = find_files(inputs)
    plan = folder.plan_to_go_on(settings, files) if resume else None
    going_on = plan is not None
    plan = plan or Plan(settings, cut_files(files, size=shard_bytes))
    with _connected(cluster) as ray:
        if not going_on:
            folder.begin(plan)
        parts = folder.read_parts(plan)
        todo = [index for index in range(len(plan.shards)) if index not in parts]
        device = "cuda" if cluster.gpus else "cpu"
        start = Start(_read_files(model), output, columns, batch, cluster.cpus, device, precision)
        problems = []
        step = on_begin(len(todo))
        for index, found in _run(plan, todo, start=start, cluster=cluster):
            if isinstance(found, Part):
                parts[index] = found
            else:
                problems.append(found)
            step()
        _refuse_undone(plan, parts, problems)
        return folder.finish(plan, parts, versions={"ray": ray.__version__, **versions()})


def _refuse_undone(plan: Plan, parts: Collection[int], problems: Sequence[str]) -> None:
    left = len(plan.shards) - len(parts)
    if left:
        problem = problems[0] if problems else f"its actor died {DEATHS + 1} times"
        raise WorkerError(f"{left} of {len(plan.shards)} shards are not done, the first because {problem}. {_AGAIN}")


def _read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    """Ray, connected for the length of a block unless this process is already; what the block prints is lost."""
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    # Said outright: without a word Ray would join whatever cluster was last started on this machine.
    address = cluster.address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        with _undisturbed():
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise WorkerError(f"no Ray cluster at {address!r} ({_last_line(error)})") from None
    # Threads of Ray print there what dies on the cluster.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            yield ray
        finally:
            ray.shutdown()


def _import_ray() -> Any:
    # Ray reads these when it is imported: it sends no statistics, and its core prints nothing between our lines.
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtraError("ray", extra="ray", purpose="The ray engine") from None
    return ray


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ray's start from saying on standard error how much it will say, and from changing what SIGTERM does."""
    handler, stderr = signal.getsignal(signal.SIGTERM), os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _run(plan: Plan, todo: Sequence[int], *, start: "Start", cluster: Cluster) -> Iterator[tuple[int, Part | str]]:
    """The part of each shard to do, or what was wrong, as they end; none of a shard that killed its actors."""
    if not todo:
        return
    ray = _import_ray()
    _quieten(ray)
    actors = min(cluster.actors or _room(ray.nodes(), cluster), len(todo))
    rows = [{"index": index, "shard": json.dumps(asdict(plan.shards[index]))} for index in todo]
    with warnings.catch_warnings():
        # Ray 2.60 has no other way yet to bound the retries.
        warnings.simplefilter("ignore", DeprecationWarning)
        results = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            ShardTagger,
            fn_constructor_args=[partial(ray.get, ray.put(start))],
            # Shards take minutes: none should wait behind another while an actor is idle.
            compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus,
            max_task_retries=DEATHS,
        )
    try:
        for row in results.iter_rows():
            found = json.loads(row["result"])
            yield int(row["index"]), found if isinstance(found, str) else Part.from_dict(found)
    except ray.exceptions.RayError as error:
        raise WorkerError(f"the cluster gave up ({_last_line(error)}). {_AGAIN}") from None


def _quieten(ray: Any) -> None:
    """Let Ray Data print nothing, wait as long as shards and machines take, and go on past one that kills actors."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1
    context.max_errored_blocks = -1
    for handler in logging.getLogger("ray.data").handlers:
        # What goes to the files of the session still does.
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL + 1)


def _room(nodes: Sequence[Mapping[str, Any]], cluster: Cluster) -> int:
    """How many actors find room on the machines of a cluster; raises WorkerError where none does."""
    room = 0
    for resources in (node["Resources"] for node in nodes if node["Alive"]):
        by_gpus = int(resources.get("GPU", 0) / cluster.gpus) if cluster.gpus else sys.maxsize
        room += min(int(resources.get("CPU", 0) / cluster.cpus), by_gpus)
    if not room:
        raise WorkerError(
            f"no machine of the cluster has the {cluster.cpus} CPUs and {cluster.gpus:g} GPUs of an actor. "
            "Ask for less, or give --actors where machines are still to come"
        )
    return room


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2].strip()


@dataclass(frozen=True, slots=True)
class Start:
    """What an actor starts from. The model comes as its files, so that machines need share no disk for it."""

    files: Mapping[str, bytes]
    output: str
    columns: Columns
    batch: int | None
    cpus: int
    device: str
    precision: str

    def load(self) -> "Tagger":
        """The model, on as many threads as the actor has CPUs."""
        # Before torch is imported, which reads it then.
        os.environ["OMP_NUM_THREADS"] = str(self.cpus)
        from hoidam.tag.tagger import Tagger

        with tempfile.TemporaryDirectory(prefix="hoidam-") as folder:
            for name, data in self.files.items():
                Path(folder, name).write_bytes(data)
            return Tagger.load(folder, device=self.device, precision=self.precision)


class ShardTagger:
    """What an actor does: it loads the model once and then writes the parts of shards."""

    def __init__(self, fetch: Callable[[], Start]) -> None:
        self._start = fetch()
        self._tagger = self._start.load()
        self._folder = PartFolder(self._start.output)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Do a shard; `result` is its Part as JSON, or what was wrong as a string."""
        shard = Shard.from_dict(json.loads(row["shard"]))
        try:
            result: Any = asdict(self._write_part(int(row["index"]), shard))
        except Exception as error:
            # One shard of thousands must not end days of work: the run goes on, and says at its end what is not done.
            result = f"{shard.file.source}: {type(error).__name__}: {error}"
        return {"index": row["index"], "result": json.dumps(result)}

    def _write_part(self, index: int, shard: Shard) -> Part:
        for attempt in range(1, ATTEMPTS + 1):
            items = read_shard(shard, columns=self._start.columns)
            try:
                return self._folder.write_part(index, shard, self._tagger.tag(items, together=self._start.batch))
            except UnreachableError as error:
                failure = Failure.of(error, source=shard.file.source, identifier=shard.file.name)
                time.sleep(attempt * _PAUSE_SECONDS)
        return self._folder.write_part(index, shard, [failure])
