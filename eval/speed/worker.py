"""One variant in a process of its own: loads, warms up, then runs once for each line that it is sent.

The first line on standard input is the task as JSON, each further line a command: `time`, `busy`, or `tag FILE`. Each
is answered by one line of JSON on standard output.
"""

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from eval.speed.engines import ENGINES, Engine
from eval.speed.machine import use_cores
from eval.speed.process import answers
from hoidam.document import read_articles
from hoidam.errors import HoidamError
from hoidam.files import write_json_lines
from hoidam.ingest.readers import Document


def main() -> None:
    """Serve the parent until it closes the pipe."""
    answer = answers()
    task = json.loads(sys.stdin.readline())
    use_cores(task["threads"])
    texts = {name: article.text for name, article in read_articles(map(Path, task["articles"])).items()}
    timed = [Document(f"{name}-{place}", texts[name], "") for place, name in enumerate(task["timed"])]
    scored = [Document(name, texts[name], "") for name in task["scored"]]

    started = time.perf_counter()
    try:
        engine = ENGINES[task["engine"]](Path(task["model"]), **task["options"])
        loaded = time.perf_counter() - started
        engine.warm_up(timed)
    except (HoidamError, ImportError, OSError, RuntimeError) as error:
        sys.exit(str(error))
    answer(load_seconds=loaded)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        match command:
            case "time":
                answer(**time_run(engine, timed))
            case "busy":
                answer(busy=busy_share(engine, timed))
            case "tag":
                write_tagged(Path(argument), engine, scored)
                answer(articles=len(scored))


def time_run(engine: Engine, documents: Sequence[Document]) -> dict[str, float]:
    """Seconds of one run, articles tagged in it, and the most memory that the process has used so far, in MiB."""
    started = time.perf_counter()
    articles, _ = engine.run(documents)
    seconds = time.perf_counter() - started
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"seconds": seconds, "articles": articles, "peak_mib": peak / 1024}


def write_tagged(path: Path, engine: Engine, documents: Sequence[Document]) -> None:
    """Tag documents into a file as `hoidam evaluate --tagged` reads it."""
    _, found = engine.run(documents)
    texts = {document.id: document.text for document in documents}
    write_json_lines(path, (tagged.to_dict(texts[tagged.id]) for tagged in found), force=True)


def busy_share(engine: Engine, documents: Sequence[Document]) -> float:
    """The share of a run's time in which the GPU works, from the kernels and copies that torch's profiler sees."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        started = time.perf_counter()
        engine.run(documents)
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    on_gpu = [event for event in profiled.events() or () if event.device_type.name == "CUDA"]
    return covered([(event.time_range.start, event.time_range.end) for event in on_gpu]) / 1e6 / seconds


def covered(ranges: Sequence[tuple[float, float]]) -> float:
    """The length of the union of ranges."""
    total = 0.0
    reached = float("-inf")
    for start, end in sorted(ranges):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


if __name__ == "__main__":
    main()
