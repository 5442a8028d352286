"""Encoder folders: whole or not there, and no source that would train from random numbers or read no text."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hoidam.checkpoint import load_tokenizer
from hoidam.encode.pieces import PieceTable
from hoidam.encode.prepare import prepare
from hoidam.errors import CheckpointError, DataError
from hoidam.model import load_encoder


@pytest.mark.parametrize("name", ["phobert_folder", "bert_folder"])
def test_a_folder_is_copied_with_equal_weights_and_pieces(name, request, tmp_path):
    source = request.getfixturevalue(name)
    prepare(str(source), tmp_path / "copy")
    first, second = load_encoder(str(source)).state_dict(), load_encoder(str(tmp_path / "copy")).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    tables = [PieceTable(load_tokenizer(str(folder))) for folder in (source, tmp_path / "copy")]
    for word in ("biên_giới", "huyện", "xyz", "😀", "(", "Bí_thư"):
        assert tables[0].word_ids(word, spaced=True) == tables[1].word_ids(word, spaced=True)
    assert all(path.stat().st_mode & 0o044 for path in (tmp_path / "copy").iterdir())


def test_an_encoder_is_replaced_with_force_alone(bert_folder, tmp_path):
    prepare(str(bert_folder), tmp_path / "copy")
    (tmp_path / "copy" / "note").write_text("mine")
    with pytest.raises(DataError, match="--force"):
        prepare(str(bert_folder), tmp_path / "copy")
    assert (tmp_path / "copy" / "note").read_text() == "mine"
    prepare(str(bert_folder), tmp_path / "copy", force=True)
    assert (tmp_path / "copy" / "model.safetensors").is_file()
    assert not (tmp_path / "copy" / "note").exists()


def lose_tensors(folder):
    path = folder / "model.safetensors"
    tensors = {name: values for name, values in load_file(path).items() if "layer.1." not in name}
    save_file(tensors, path, metadata={"format": "pt"})


def change_config(**changes):
    def change(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def write(name, content):
    return lambda folder: (folder / name).write_text(content)


def remove(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def cut_off(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


BROKEN_ENCODERS = {
    "no folder": shutil.rmtree,
    "no config": remove("config.json"),
    "config cut off": write("config.json", '{"model_type": "be'),
    "config of another kind": write("config.json", "[]"),
    "config with a wrong value": change_config(hidden_size="wide"),
    "config of an unknown model": change_config(model_type="unheard-of"),
    "config of another width": change_config(hidden_size=64),
    "no weights": remove("model.safetensors"),
    "weights cut off": cut_off,
    "weights with tensors lost": lose_tensors,
}
BROKEN_TOKENIZERS = {
    "no tokenizer": remove("tokenizer.json", "tokenizer_config.json"),
    "no pieces": remove("tokenizer.json"),
    "pieces cut off": write("tokenizer.json", '{"mod'),
    "pieces of another form": write("tokenizer.json", "{}"),
}


@pytest.mark.parametrize("name", [*BROKEN_ENCODERS, *BROKEN_TOKENIZERS])
def test_a_broken_source_is_one_error_with_its_name_and_a_cure_and_leaves_nothing(name, bert_folder, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(bert_folder, source)
    (BROKEN_ENCODERS | BROKEN_TOKENIZERS)[name](source)
    with pytest.raises(CheckpointError, match=r"\. (Give|Copy) ") as caught:
        prepare(str(source), tmp_path / "out")
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"source"}


@pytest.mark.parametrize("name", BROKEN_ENCODERS)
def test_training_refuses_a_broken_encoder_too(name, bert_folder, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(bert_folder, source)
    BROKEN_ENCODERS[name](source)
    with pytest.raises(CheckpointError, match="hoidam encoder prepare embedded") as caught:
        load_encoder(str(source))
    assert str(source) in str(caught.value)


@pytest.mark.parametrize("names", [["vocab.txt"], ["bpe.codes"], ["vocab.txt", "bpe.codes", "tokenizer_config.json"]])
def test_a_phobert_folder_without_its_pieces_is_refused(names, phobert_folder, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(phobert_folder, source)
    remove(*names)(source)
    with pytest.raises(CheckpointError, match=r"no tokenizer could be loaded .*\. Give "):
        load_tokenizer(str(source))
    with pytest.raises(CheckpointError, match="no tokenizer"):
        prepare(str(source), tmp_path / "out")


def test_force_replaces_no_folder_but_an_encoders(bert_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(DataError, match="no encoder's folder"):
        prepare(str(bert_folder), tmp_path / "mine", force=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
