"""The network: words from pieces, losses that padding cannot touch, and heads that two encoders share."""

import json
import shutil

import numpy as np
import pytest
import tiny
import torch
from torch import nn

from hoidam.encode.batches import pad_batch
from hoidam.encode.tags import NO_CATEGORY
from hoidam.errors import CheckpointError
from hoidam.model import TaggerModel, build_encoder, category_loss, load_encoder, pool_words, tag_loss


def tensors(batch):
    names = ("input_ids", "attention_mask", "piece_words")
    return {name: torch.from_numpy(getattr(batch, name)) for name in names}


def windows_of(folder, *texts):
    encoder = tiny.text_encoder(folder)
    return [window for text in texts for window in encoder.encode(text).encoded], encoder.pieces.pad_id


def random_gold(generator, windows, scheme, words):
    """Tags, categories and article labels for windows, padded to `words`."""
    tags = torch.full((len(windows), words, len(scheme.types)), NO_CATEGORY)
    categories = torch.full((len(windows), words), NO_CATEGORY)
    for row, window in enumerate(windows):
        count = window.word_count
        tags[row, :count] = torch.from_numpy(generator.integers(0, 3, size=(count, len(scheme.types))))
        if scheme.categories:
            known = generator.integers(0, len(scheme.categories), size=count)
            categories[row, :count] = torch.from_numpy(np.where(generator.random(count) < 0.3, known, NO_CATEGORY))
    article = torch.from_numpy(generator.integers(0, 2, size=(len(windows), len(scheme.categories)))).float()
    return {"tags": tags, "categories": categories, "article": article}


def test_pooling_is_the_mean_of_each_words_pieces():
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    for _ in range(80):
        windows, words, width = 3, int(generator.integers(1, 12)), 5
        rows = []
        for row in range(windows):
            count = words if row == 0 else int(generator.integers(1, words + 1))
            rows.append([-1, *(word for word in range(count) for _ in range(generator.integers(1, 4))), -1])
        longest = max(map(len, rows))
        piece_words = torch.tensor([row + [-1] * (longest - len(row)) for row in rows])
        hidden = torch.randn(windows, longest, width)
        states, present = pool_words(hidden, piece_words, count=piece_words.shape[1])
        assert states.shape == (windows, longest, width)
        for row in range(windows):
            for word in range(longest):
                pieces = [hidden[row, place] for place in range(longest) if piece_words[row, place] == word]
                assert bool(present[row, word]) == bool(pieces)
                wanted = sum(pieces) / len(pieces) if pieces else torch.zeros(width)
                torch.testing.assert_close(states[row, word], wanted)


@pytest.mark.parametrize("scheme", [tiny.SCHEME, tiny.PLAIN_SCHEME], ids=["categories", "plain"])
def test_outputs_have_a_row_a_word_and_a_loss_only_with_gold(bert_folder, scheme):
    model = tiny.tagger(bert_folder, scheme)
    windows, pad_id = windows_of(bert_folder, tiny.TEXT, "Ông A")
    batch = pad_batch(windows, pad_id=pad_id)
    output = model(**tensors(batch))
    shape = (len(windows), batch.input_ids.shape[1])
    assert output.loss is None
    assert output.tag_logits.shape == (*shape, len(scheme.types), 3)
    if scheme.categories:
        assert output.category_logits.shape == (*shape, len(scheme.categories))
        assert output.article_logits.shape == (len(windows), len(scheme.categories))
    else:
        assert output.category_logits is None
        assert output.article_logits is None
    gold = random_gold(np.random.default_rng(0), windows, scheme, batch.input_ids.shape[1])
    loss = model(**tensors(batch), **gold).loss
    assert loss.dim() == 0
    assert torch.isfinite(loss)
    loss.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.tag_head.parameters())


def test_the_loss_is_that_of_each_part_worked_out_word_by_word(bert_folder):
    model = tiny.tagger(bert_folder, tiny.SCHEME)
    windows, pad_id = windows_of(bert_folder, tiny.TEXT)
    batch = pad_batch(windows, pad_id=pad_id)
    gold = random_gold(np.random.default_rng(1), windows, tiny.SCHEME, batch.input_ids.shape[1])
    output = model(**tensors(batch), **gold)
    tag_parts, category_parts = [], []
    for row, window in enumerate(windows):
        for word in range(window.word_count):
            for kind in range(4):
                scores = output.tag_logits[row, word, kind].log_softmax(-1)
                tag_parts.append(-scores[gold["tags"][row, word, kind]])
            if gold["categories"][row, word] != NO_CATEGORY:
                scores = output.category_logits[row, word].log_softmax(-1)
                category_parts.append(-scores[gold["categories"][row, word]])
    chances = output.article_logits.sigmoid()
    article = torch.where(gold["article"] > 0, -chances.log(), -(1 - chances).log()).mean()
    wanted = 4 * torch.stack(tag_parts).mean() + torch.stack(category_parts).mean() + article
    torch.testing.assert_close(output.loss, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bert_folder", "phobert_folder"])
def test_padding_changes_neither_scores_nor_loss(name, request):
    folder = request.getfixturevalue(name)
    model = tiny.tagger(folder, tiny.SCHEME)
    windows, pad_id = windows_of(folder, "Ông A thăm huyện Vị Xuyên.", tiny.TEXT)
    short = windows[:1]
    narrow, wide = pad_batch(short, pad_id=pad_id), pad_batch(windows, pad_id=pad_id)
    assert wide.input_ids.shape[1] > narrow.input_ids.shape[1]
    gold = random_gold(np.random.default_rng(2), short, tiny.SCHEME, narrow.input_ids.shape[1])
    padded = {key: values[:1] for key, values in tensors(wide).items()}
    output = model(**tensors(narrow), **gold)
    words = short[0].word_count
    assert int(padded["piece_words"].max()) + 1 == words
    more = wide.input_ids.shape[1] - narrow.input_ids.shape[1]
    tags = nn.functional.pad(gold["tags"], (0, 0, 0, more), value=NO_CATEGORY)
    categories = nn.functional.pad(gold["categories"], (0, more), value=NO_CATEGORY)
    other = model(**padded, tags=tags, categories=categories, article=gold["article"])
    torch.testing.assert_close(other.loss, output.loss, atol=1e-5, rtol=1e-5)
    together = model(**tensors(wide))
    for key in ("tag_logits", "category_logits"):
        torch.testing.assert_close(
            getattr(together, key)[:1, :words], getattr(output, key)[:, :words], atol=1e-4, rtol=1e-4
        )
    torch.testing.assert_close(together.article_logits[:1], output.article_logits, atol=1e-4, rtol=1e-4)


def test_words_that_are_padding_have_no_part_in_any_loss():
    torch.manual_seed(3)
    logits, tags = torch.randn(2, 5, 4, 3), torch.randint(0, 3, (2, 5, 4))
    tags[1, 2:] = NO_CATEGORY
    changed = logits.clone()
    changed[1, 2:] += 100 * torch.randn(3, 4, 3)
    torch.testing.assert_close(tag_loss(logits, tags), tag_loss(changed, tags))
    scores, known = torch.randn(2, 5, 3), torch.full((2, 5), NO_CATEGORY)
    known[0, 1] = 2
    changed = scores.clone()
    changed[1] += 100
    torch.testing.assert_close(category_loss(scores, known), category_loss(changed, known))


def test_a_batch_without_categories_adds_no_loss_and_still_has_a_gradient():
    scores = torch.randn(1, 3, 2, requires_grad=True)
    loss = category_loss(scores, torch.full((1, 3), NO_CATEGORY))
    loss.backward()
    assert loss.item() == 0.0
    assert scores.grad.abs().max() == 0.0


def test_types_weigh_the_same_however_many_there_are():
    torch.manual_seed(4)
    logits, tags = torch.randn(2, 5, 1, 3), torch.randint(0, 3, (2, 5, 1))
    torch.testing.assert_close(tag_loss(logits.repeat(1, 1, 4, 1), tags.repeat(1, 1, 4)), 4 * tag_loss(logits, tags))


@pytest.mark.parametrize("scheme", [tiny.SCHEME, tiny.PLAIN_SCHEME], ids=["categories", "plain"])
@pytest.mark.parametrize("training", [True, False])
def test_another_encoder_may_stand_under_the_same_heads(bert_folder, phobert_folder, scheme, training):
    model = tiny.tagger(bert_folder, scheme).train(training)
    other = model.with_encoder(load_encoder(str(phobert_folder)))
    assert isinstance(other, TaggerModel)
    assert other.training == training
    heads = {name for name, _ in model.named_parameters() if not name.startswith("encoder.")}
    mine, others = dict(model.named_parameters()), dict(other.named_parameters())
    assert heads
    assert all(mine[name] is others[name] for name in heads)
    assert {name for name in others if not name.startswith("encoder.")} == heads
    with torch.no_grad():
        model.tag_head.bias += 1
    assert torch.equal(other.tag_head.bias, model.tag_head.bias)
    windows, pad_id = windows_of(phobert_folder, "Ông A")
    assert other(**tensors(pad_batch(windows, pad_id=pad_id))).tag_logits.shape[2] == len(scheme.types)


def test_states_may_be_given_instead_of_ids(bert_folder):
    model = tiny.tagger(bert_folder, tiny.SCHEME)
    windows, pad_id = windows_of(bert_folder, "Ông A thăm huyện")
    inputs = tensors(pad_batch(windows, pad_id=pad_id))
    output = model(**inputs)
    states = model.encoder.embeddings.word_embeddings(inputs.pop("input_ids"))
    torch.testing.assert_close(model(**inputs, inputs_embeds=states).tag_logits, output.tag_logits)


def test_positions_are_counted_from_the_pad_id_and_end_where_phoberts_do(phobert_folder):
    model = tiny.tagger(phobert_folder, tiny.SCHEME)
    config = model.encoder.config
    assert tiny.text_encoder(phobert_folder).pieces.pad_id == config.pad_token_id == 1

    def words_of(length):
        pieces = {"input_ids": torch.full((1, length), 7), "attention_mask": torch.ones(1, length, dtype=torch.long)}
        return model(**pieces, piece_words=torch.arange(length)[None]).tag_logits.shape[1]

    assert words_of(256) == 256 == config.max_position_embeddings - config.pad_token_id - 1
    with pytest.raises((IndexError, RuntimeError)):
        words_of(257)


@pytest.mark.parametrize("name", ["bert_folder", "phobert_folder"])
def test_lower_layers_can_be_kept_alone(name, request):
    folder = str(request.getfixturevalue(name))
    whole, lower = load_encoder(folder), load_encoder(folder, layers=1)
    assert (len(whole.encoder.layer), len(lower.encoder.layer), lower.config.num_hidden_layers) == (2, 1, 1)
    assert all(torch.equal(whole.state_dict()[key], values) for key, values in lower.state_dict().items())
    assert not any("pooler" in key for key in whole.state_dict())
    with pytest.raises(CheckpointError, match="has 2 layers, 3 were asked for"):
        load_encoder(folder, layers=3)


def test_attention_drops_what_it_is_told_to(bert_folder):
    for wanted in (0.0, 0.25):
        encoder = load_encoder(str(bert_folder), attention_dropout=wanted)
        assert {layer.attention.self.dropout.p for layer in encoder.encoder.layer} == {wanted}


def test_an_encoder_stored_in_half_precision_is_trained_in_full(bert_folder, tmp_path):
    folder = tmp_path / "half"
    shutil.copytree(bert_folder, folder)
    load_encoder(str(bert_folder)).half().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == "float16"
    encoder = load_encoder(str(folder))
    assert {values.dtype for values in encoder.parameters()} == {torch.float32}
    assert {values.dtype for values in build_encoder(encoder.config).parameters()} == {torch.float32}
    from transformers import AutoConfig

    stored = AutoConfig.from_pretrained(folder)
    assert {values.dtype for values in build_encoder(stored).parameters()} == {torch.float32}


def test_heads_start_from_the_seed(bert_folder):
    first, second, third = (tiny.tagger(bert_folder, tiny.SCHEME, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.tag_head.weight, second.tag_head.weight)
    assert not torch.equal(first.tag_head.weight, third.tag_head.weight)


def test_an_article_head_weighs_present_words_alone():
    from hoidam.model import ArticleHead

    torch.manual_seed(5)
    head = ArticleHead(4, 3)
    states, present = torch.randn(2, 6, 4), torch.ones(2, 6, dtype=torch.bool)
    present[1, 4:] = False
    changed = states.clone()
    changed[1, 4:] = 1e3
    torch.testing.assert_close(head(states, present), head(changed, present))
    weights = head.attention(states[1, :4]).softmax(dim=0)
    wanted = (weights * head.score(states[1, :4])).sum(dim=0)
    torch.testing.assert_close(head(states, present)[1], wanted)
    assert isinstance(head.attention, nn.Linear)
