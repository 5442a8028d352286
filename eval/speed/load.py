"""The service under load: articles a second from many clients, against the same tagger called in batches.

    python eval/speed/load.py [--model models/hoidam-small] [--articles data/articles/test.jsonl] [--clients 32]

Both sides run here on the same weights and threads, one after the other; each is warmed up first.
"""

import argparse
import http.client
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Load:
    """Articles a second, served and in batches, their ratio, and how the service was driven."""

    articles: int
    clients: int
    served: float
    batch: float
    ratio: float
    mean_batch: float


def measure(model: Path, *, articles: Path, clients: int) -> Load:
    """Time both sides on all `articles`, one request an article."""
    texts = [json.loads(line)["text"] for line in articles.read_text(encoding="utf-8").splitlines()]
    served, mean_batch = _served(model, texts, clients=clients)
    batch = _batch(model, texts)
    return Load(len(texts), clients, round(served, 3), round(batch, 3), round(served / batch, 3), round(mean_batch, 2))


def _served(model: Path, texts: list[str], *, clients: int) -> tuple[float, float]:
    code = "from hoidam.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--model", str(model), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 -- our own command
        assert process.stderr is not None  # noqa: S101 -- it is piped
        port = int(process.stderr.readline().strip().rpartition(":")[2])
        try:
            _post(port, texts[0])
            start = time.perf_counter()
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(lambda text: _post(port, text), texts))
            seconds = time.perf_counter() - start
            figures = _request(port, "GET", "/metrics", None).decode()
        finally:
            process.send_signal(signal.SIGTERM)
    found = dict(line.rsplit(" ", 1) for line in figures.splitlines() if not line.startswith("#"))
    batches, tagged = (float(found[f"hoidam_batch_articles_{name}"]) for name in ("count", "sum"))
    return len(texts) / seconds, (tagged - 1) / (batches - 1)


def _post(port: int, text: str) -> None:
    _request(port, "POST", "/tag", json.dumps({"text": text}).encode())


def _request(port: int, method: str, path: str, body: bytes | None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path}: {answer.status} {content.decode()}")
    return content


def _batch(model: Path, texts: list[str]) -> float:
    from hoidam.tag.tagger import Tagger

    tagger = Tagger.load(model)
    tagger(texts[:1])
    start = time.perf_counter()
    tagger(texts)
    return len(texts) / (time.perf_counter() - start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/hoidam-small"))
    parser.add_argument("--articles", type=Path, default=Path("data/articles/test.jsonl"))
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    print(json.dumps(asdict(measure(given.model, articles=given.articles, clients=given.clients))))
