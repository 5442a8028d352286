"""Pieces word by word: the same ids as a tokenizer gives the whole text, and each with its word."""

import json
import random
import time
import tracemalloc

import pytest
import tiny

from hoidam.checkpoint import load_tokenizer
from hoidam.encode.pieces import LONGEST_SURFACE, LONGEST_WORD, PieceTable
from hoidam.encode.segmenters import Segmenter, load_segmenter
from hoidam.encode.words import split_words
from hoidam.errors import CheckpointError

NONE = load_segmenter("none")
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")


@pytest.fixture(scope="module")
def phobert(phobert_folder):
    return load_tokenizer(str(phobert_folder))


@pytest.fixture(scope="module")
def bert(bert_folder):
    return load_tokenizer(str(bert_folder))


def flat(pieces):
    return [piece for word in pieces for piece in word]


def joined_sentence(rng):
    """Joined words out of seen and unseen syllables, numbers, marks and scripts, as a segmenter's list."""
    syllables = tiny.JOINED.replace("_", " ").split()
    made = ["ngoằn", "xyz", "Đắk", "中文", "😀", "e\u0301", "@@", "a@@", "</w>", "2.000", "1/3"]
    words = []
    for _ in range(rng.randint(1, 14)):
        parts = rng.choices(syllables if rng.random() < 0.8 else made, k=rng.choice([1, 1, 2, 3]))
        words.append(" ".join(parts))
    return words


def test_autotokenizer_reads_the_folder_as_phobert_does(phobert):
    from transformers import PhobertTokenizer

    assert isinstance(phobert, PhobertTokenizer)
    assert not phobert.is_fast
    table = PieceTable(phobert)
    assert (table.first_id, table.pad_id, table.last_id) == (0, 1, 2)
    assert phobert.mask_token_id == len(phobert) - 1


def test_phobert_words_have_the_ids_of_the_whole_sentence(phobert):
    rng = random.Random("phobert")
    table = PieceTable(phobert)
    lengths, unknown = set(), 0
    for _ in range(4000):
        groups = joined_sentence(rng)
        words = split_words(" ".join(groups), Segmenter("given", "", lambda line, groups=groups: groups))
        surfaces = [words.surface(word) for word in range(len(words))]
        assert surfaces == ["_".join(group.split()) for group in groups]
        pieces = table.encode(words)
        whole = phobert(" ".join(surfaces), add_special_tokens=False)["input_ids"]
        assert flat(pieces) == whole
        lengths.update(map(len, pieces))
        unknown += phobert.unk_token_id in whole
    assert {1, 2, 3, 4} <= lengths
    assert 100 < unknown < 3900


def test_phobert_pieces_follow_the_merges_that_were_learnt(phobert):
    _, cuts = tiny.learn_merges(tiny.JOINED.split(), count=150)
    table = PieceTable(phobert)
    several = 0
    for word, cut in cuts.items():
        wanted = [*(f"{symbol}@@" for symbol in cut[:-1]), cut[-1].removesuffix("</w>")]
        ids = table.word_ids(word, spaced=True)
        assert phobert.convert_ids_to_tokens(ids) == wanted
        several += len(ids) > 1
    assert several > 10


@pytest.mark.parametrize("name", ["pyvi", "underthesea"])
def test_pieces_are_looked_up_much_faster_than_a_segmenter_cuts_words(name, phobert):
    pytest.importorskip(name)
    segmenter, table, rng = load_segmenter(name), PieceTable(phobert), random.Random("speed")
    texts = [tiny.news_text(rng, sentences=10) for _ in range(20)]
    cut = [split_words(text, segmenter) for text in texts]
    for words in cut:
        table.encode(words)
    segmenting = min(seconds(lambda: [split_words(text, segmenter) for text in texts]) for _ in range(3))
    looking_up = min(seconds(lambda: [table.encode(words) for words in cut]) for _ in range(3))
    assert looking_up < segmenting / 3


def seconds(work):
    """Processor time of this process, which others on the machine do not lengthen much."""
    started = time.process_time()
    work()
    return time.process_time() - started


def attached_sentence(rng):
    """Syllables with marks attached before, after and inside, as news has them."""
    syllables = [word for word in tiny.TEXT.split() if word.isalpha()]
    words = []
    for _ in range(rng.randint(1, 20)):
        word = rng.choice(syllables) if rng.random() < 0.8 else "".join(rng.choices("abĐơ中Ж🙂ü", k=4))
        word = rng.choice(["", "", "", "(", '"']) + word + rng.choice(["", "", ",", ".", '",', ")", "…", "/5", "-x"])
        words.append(word)
    return " ".join(words)


def test_metaspace_words_have_the_ids_of_the_whole_text(bert):
    # Equal because no piece of this table spans two words, and no two unknown words touch: see the test that follows.
    rng = random.Random("metaspace")
    assert bert.is_fast
    table = PieceTable(bert)
    for _ in range(4000):
        text = attached_sentence(rng)
        assert flat(table.encode(split_words(text, NONE))) == bert(text, add_special_tokens=False)["input_ids"]


def test_only_pieces_over_two_words_and_touching_unknown_words_differ_from_the_whole_text():
    tokenizer = unigram_tokenizer(["▁12", "/3", "▁", "/", "3", "12", ");", ")", ";", "x", "▁x"])
    table = PieceTable(tokenizer)
    for text, whole, apart in [
        ("x 12/3", ["▁x", "▁12", "/3"], ["▁x", "▁12", "/", "3"]),
        ("x);", ["▁x", ");"], ["▁x", ")", ";"]),
        ("x中🙂", ["▁x", "中🙂"], ["▁x", "<unk>", "<unk>"]),
    ]:
        assert tokenizer.tokenize(text) == whole
        assert tokenizer.convert_ids_to_tokens(flat(table.encode(split_words(text, NONE)))) == apart


def unigram_tokenizer(pieces, *, kind="PreTrainedTokenizerFast"):
    """A tokenizer class of transformers over a small Unigram table, or embedded.py's own form of it."""
    import transformers
    from tokenizers import normalizers, pre_tokenizers

    if kind != "PreTrainedTokenizerFast":
        return getattr(transformers, kind)(vocab=scored(pieces))
    tokenizer = bare_tokenizer(pieces)
    tokenizer.backend_tokenizer.normalizer = normalizers.NFKC()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer


def bare_tokenizer(pieces):
    """A Unigram of a few pieces, to be given the steps before it."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    names = {"bos": 0, "cls": 0, "pad": 1, "eos": 2, "sep": 2, "unk": 3}
    tokens = {f"{name}_token": SPECIALS[index] for name, index in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.Unigram(scored(pieces), unk_id=3)), **tokens)


def scored(pieces):
    return [(name, 0.0) for name in SPECIALS] + [(piece, -1.0 - len(piece) * 0.01) for piece in pieces]


@pytest.mark.parametrize(
    "kind", ["PreTrainedTokenizerFast", "XLMRobertaTokenizer", "CamembertTokenizer", "DebertaV2Tokenizer"]
)
def test_words_after_a_space_keep_their_mark_with_every_class_that_uses_one(kind):
    letters = sorted({*tiny.TEXT, *'()"…-/5xabĐơ中Ж🙂ü'} - set(" \n"))
    syllables = sorted({f"▁{word}" for word in tiny.TEXT.split() if word.isalpha()})
    tokenizer = unigram_tokenizer(["▁", *letters, *syllables], kind=kind)
    table = PieceTable(tokenizer)
    rng = random.Random(kind)
    for _ in range(300):
        text = attached_sentence(rng)
        assert flat(table.encode(split_words(text, NONE))) == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(table.word_ids("huyện", spaced=True)) == ["▁huyện"]
    assert "▁huyện" not in tokenizer.convert_ids_to_tokens(table.word_ids("huyện", spaced=False))


@pytest.mark.parametrize("adds_space", [False, True])
def test_byte_level_words_have_the_ids_of_the_whole_text(adds_space):
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizer

    trained = ByteLevelBPETokenizer(add_prefix_space=adds_space)
    trained.train_from_iterator([tiny.TEXT] * 3, vocab_size=500, special_tokens=[*SPECIALS, "<mask>"])
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = RobertaTokenizer(vocab=model["vocab"], merges=merges, add_prefix_space=adds_space)
    table = PieceTable(tokenizer)
    text = "tại cửa khẩu quốc tế Thanh Thủy , Phó Chủ tịch"
    whole = tokenizer(text if adds_space else f" {text}", add_special_tokens=False)["input_ids"]
    assert flat(table.encode(split_words(text, NONE))) == whole
    assert tokenizer.convert_ids_to_tokens(table.word_ids("t", spaced=False)) == ["t"]
    assert tokenizer.convert_ids_to_tokens(table.word_ids("t", spaced=True)) in (["Ġt"], ["Ġ", "t"])


def test_normalisers_that_add_or_strip_a_first_space_do_neither_to_a_word():
    from tokenizers import normalizers, pre_tokenizers

    pieces = ["▁", "▁ab", "ab", ",", *"cdef"]
    prepending = bare_tokenizer(pieces)
    prepending.backend_tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    stripping = bare_tokenizer(pieces)
    stripping.backend_tokenizer.normalizer = normalizers.Strip()
    stripping.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    for tokenizer in (prepending, stripping):
        assert tokenizer.tokenize("ab,ab ab") == ["▁ab", ",", "ab", "▁ab"]
        pieces = flat(PieceTable(tokenizer).encode(split_words("ab,ab ab", NONE)))
        assert tokenizer.convert_ids_to_tokens(pieces) == ["▁ab", ",", "ab", "▁ab"]


def test_limits_that_a_tokenizer_carries_are_not_applied_to_words(bert_folder):
    tokenizer = load_tokenizer(str(bert_folder))
    tokenizer.backend_tokenizer.enable_truncation(2)
    tokenizer.backend_tokenizer.enable_padding(length=9)
    assert len(PieceTable(tokenizer).word_ids("xxxxx", spaced=False)) == 5


@pytest.mark.parametrize("name", ["phobert", "bert"])
def test_every_word_has_one_to_the_longest_number_of_pieces(name, request):
    tokenizer = request.getfixturevalue(name)
    table = PieceTable(tokenizer)
    rng = random.Random(name)
    for _ in range(2000):
        words = split_words(tiny.nasty_text(rng), tiny.hostile_segmenter())
        pieces = table.encode(words)
        assert len(pieces) == len(words)
        assert all(1 <= len(ids) <= LONGEST_WORD for ids in pieces)
        assert all(0 <= piece < len(tokenizer) for piece in flat(pieces))


@pytest.mark.parametrize("name", ["phobert", "bert"])
def test_a_word_without_end_costs_no_more_than_its_beginning(name, request):
    table = PieceTable(request.getfixturevalue(name))
    seen = []
    inner, table._look_up = table._look_up, lambda key: seen.append(key) or inner(key)
    assert len(table.word_ids("ab" * 10**6, spaced=True)) == LONGEST_WORD
    assert [len(key) for key in seen] == [LONGEST_SURFACE + 1]


def test_a_word_that_leaves_no_piece_is_unknown():
    from transformers import BertTokenizer

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"]
    tokenizer = BertTokenizer(vocab={name: index for index, name in enumerate(names)})
    table = PieceTable(tokenizer)
    assert table.word_ids("\x01", spaced=True) == (1,)
    assert table.word_ids("a", spaced=True) == (5,)


def test_ids_are_looked_up_once_and_the_memory_of_them_is_bounded(bert, monkeypatch):
    monkeypatch.setattr("hoidam.encode.pieces._CACHED_WORDS", 2)
    table = PieceTable(bert)
    seen = []
    inner, table._look_up = table._look_up, lambda key: seen.append(key) or inner(key)
    long = "đường" * 20
    for surface in ("a", "a", "b", long, long, "b", "a", "ch", "a"):
        assert table.word_ids(surface, spaced=False) == PieceTable(bert).word_ids(surface, spaced=False)
    assert seen == ["a", "b", long, long, "ch", "a"]
    assert len(table._cache) <= 2


def test_long_words_take_no_memory_however_many_there_are(bert):
    table = PieceTable(bert)
    table._look_up = lambda key: list(range(1000, 1000 + LONGEST_WORD))
    tracemalloc.start()
    try:
        for number in range(10_000):
            table.word_ids("đ" * 900 + str(number), spaced=True)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_same_letters_after_a_space_and_inside_are_told_apart(bert):
    table = PieceTable(bert)
    for _ in range(2):
        assert bert.convert_ids_to_tokens(table.word_ids("huyện", spaced=True)) == ["▁huyện"]
        assert bert.convert_ids_to_tokens(table.word_ids("huyện", spaced=False)) == [*"huyện"]


def test_a_tokenizer_that_feeds_no_encoder_is_refused(bert_folder):
    tokenizer = load_tokenizer(str(bert_folder))
    tokenizer.pad_token = None
    with pytest.raises(CheckpointError, match="pad_token_id"):
        PieceTable(tokenizer)
    tokenizer = load_tokenizer(str(bert_folder))
    tokenizer.cls_token = tokenizer.bos_token = None
    with pytest.raises(CheckpointError, match="cls_token_id or bos_token_id"):
        PieceTable(tokenizer)


def test_a_tokenizer_of_special_pieces_alone_is_refused(tmp_path, bert_folder):
    (tmp_path / "config.json").write_bytes((bert_folder / "config.json").read_bytes())
    with pytest.raises(CheckpointError, match="no tokenizer's files"):
        PieceTable(load_tokenizer(str(tmp_path)))
