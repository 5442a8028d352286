"""The network: an encoder, and over its words one BIO tag layer per span type, categories, and an article head."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from hoidam.encode.prepare import load_weights, loading, quieten_transformers
from hoidam.encode.tags import NO_CATEGORY, TAG_COUNT
from hoidam.errors import CheckpointError

_MASKED = -1e4


@dataclass
class TaggerOutput(ModelOutput):
    """What the network says of a batch of windows.

    *Shapes:* `tag_logits` [windows, words, types, 3]; `category_logits` [windows, words, categories], to be averaged
    over a span's words; `article_logits` [windows, categories], for what the window's part of the article is about.
    There are as many words as gold has, or without gold as pieces, so that no shape depends on what is in a window.
    """

    loss: Tensor | None = None
    tag_logits: Tensor | None = None
    category_logits: Tensor | None = None
    article_logits: Tensor | None = None


class TaggerModel(nn.Module):
    """An encoder with the heads; `types` and `categories` are counts, and a scheme may have no categories."""

    def __init__(self, encoder: nn.Module, *, types: int, categories: int, dropout: float = 0.1) -> None:
        super().__init__()
        width: int = encoder.config.hidden_size  # type: ignore[union-attr,assignment]
        self.types = types
        self.encoder = encoder
        # Encoders, and their layers, differ in the spread of their states; the heads see one scale.
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.tag_head = nn.Linear(width, types * TAG_COUNT)
        self.category_head = nn.Linear(width, categories) if categories else None
        self.article_head = ArticleHead(width, categories) if categories else None
        # What each category counts for in the losses; None for all alike.
        self.category_weights: Tensor | None
        self.register_buffer("category_weights", None, persistent=False)

    def forward(
        self,
        *,
        attention_mask: Tensor,
        piece_words: Tensor,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        tags: Tensor | None = None,
        categories: Tensor | None = None,
        article: Tensor | None = None,
        shares: Tensor | None = None,
    ) -> TaggerOutput:
        """Score a padded batch of windows; with gold, the loss too.

        *Shapes:* `input_ids`, `attention_mask`, `piece_words` [windows, pieces], or instead of ids `inputs_embeds`
        [windows, pieces, width]; `tags` [windows, words, types] and `categories` [windows, words], NO_CATEGORY where
        nothing is to be learnt; `article` [windows, categories], the same. Of a batch that is a part of a larger one,
        `shares` [terms] says what each term of the loss counts for, in the order of `loss_counts`.
        """
        source = {"input_ids": input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
        hidden = self.encoder(**source, attention_mask=attention_mask).last_hidden_state
        states, present = pool_words(hidden, piece_words, count=piece_words.shape[1] if tags is None else tags.shape[1])
        states = self.dropout(self.norm(states.float()))
        tag_logits = self.tag_head(states).unflatten(-1, (self.types, TAG_COUNT))
        category_logits = self.category_head(states) if self.category_head is not None else None
        article_logits = self.article_head(states, present) if self.article_head is not None else None
        of_tags, of_categories, of_article = (1.0, 1.0, 1.0) if shares is None else shares
        loss = None if tags is None else of_tags * tag_loss(tag_logits, tags)
        if loss is not None and category_logits is not None and categories is not None:
            of_words = category_loss(category_logits, categories, weights=self.category_weights)
            loss = loss + of_categories * of_words
        if loss is not None and article_logits is not None and article is not None:
            loss = loss + of_article * article_loss(article_logits, article, weights=self.category_weights)
        return TaggerOutput(
            loss=loss, tag_logits=tag_logits, category_logits=category_logits, article_logits=article_logits
        )

    def with_encoder(self, encoder: nn.Module) -> "TaggerModel":
        """A model of the same heads, shared, over another encoder."""
        other = TaggerModel.__new__(TaggerModel)
        nn.Module.__init__(other)
        other.training = self.training
        other.types = self.types
        other.encoder = encoder
        other.norm, other.dropout, other.tag_head = self.norm, self.dropout, self.tag_head
        other.category_head, other.article_head = self.category_head, self.article_head
        other.register_buffer("category_weights", self.category_weights, persistent=False)
        return other


class ArticleHead(nn.Module):
    """Per category, an attention over the words and a score of what it gathers (multiple-instance pooling).

    Source: Ilse et al. 2018, "Attention-based Deep Multiple Instance Learning", with one attention a category.
    """

    def __init__(self, width: int, categories: int) -> None:
        super().__init__()
        self.attention = nn.Linear(width, categories)
        self.score = nn.Linear(width, categories)

    def forward(self, states: Tensor, present: Tensor) -> Tensor:
        """*Shapes:* `states` [windows, words, width], `present` [windows, words] -> [windows, categories]."""
        weights = self.attention(states).float().masked_fill(~present[..., None], _MASKED).softmax(dim=1)
        scores: Tensor = (weights * self.score(states).float()).sum(dim=1)
        return scores


def pool_words(hidden: Tensor, piece_words: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
    """Average the pieces of each of the first `count` words.

    *Shapes:* `hidden` [windows, pieces, width], `piece_words` [windows, pieces] -> states [windows, count, width] and
    presence [windows, count], False past a window's last word.
    """
    words = torch.arange(count, device=hidden.device)
    membership = (piece_words[:, None, :] == words[None, :, None]).to(hidden.dtype)
    counts = membership.sum(dim=-1, keepdim=True)
    return membership @ hidden / counts.clamp(min=1), counts[..., 0] > 0


def tag_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Cross-entropy averaged over words and summed over types, so that more types do not weaken each.

    Zero where no word has a tag to learn.
    """
    types = logits.shape[-2]
    if not bool((tags != NO_CATEGORY).any()):
        return logits.sum() * 0.0
    return types * nn.functional.cross_entropy(
        logits.float().reshape(-1, TAG_COUNT), tags.reshape(-1), ignore_index=NO_CATEGORY
    )


def category_loss(logits: Tensor, categories: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy over the words that carry a category, a mean by `weights` [categories]; zero where none does."""
    known = categories != NO_CATEGORY
    if not bool(known.any()):
        return logits.sum() * 0.0
    loss: Tensor = nn.functional.cross_entropy(logits[known].float(), categories[known], weight=weights)
    return loss


def article_loss(logits: Tensor, article: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Binary cross-entropy averaged over categories and the windows whose part of the article is known.

    With `weights` [categories], each category that is there counts for so much.
    """
    known = article[:, 0] != NO_CATEGORY
    if not bool(known.any()):
        return logits.sum() * 0.0
    loss: Tensor = nn.functional.binary_cross_entropy_with_logits(
        logits[known].float(), article[known].float(), pos_weight=weights
    )
    return loss


def loss_counts(*, tags: Tensor, categories: Tensor, article: Tensor, weights: Tensor | None = None) -> Tensor:
    """How many tags, words with a category (each with its weight) and windows the terms of a loss are means over.

    *Shape:* [terms].
    """
    known = categories[categories != NO_CATEGORY]
    words = len(known) if weights is None else float(weights.cpu()[known.cpu()].sum())
    windows = (article != NO_CATEGORY).all(dim=1).sum()
    return torch.tensor([float((tags != NO_CATEGORY).sum()), words, float(windows)], device=tags.device)


def load_encoder(source: str, *, layers: int = 0, attention: str | None = None, attention_dropout: float = 0.1) -> Any:
    """Load an encoder by hub id or folder, safetensors only, without remote code and without a pooler it will not use.

    With `layers` above 0 only that many of its lowest layers are kept; `attention` names one of transformers'
    implementations, and `attention_dropout` replaces that of encoders that have one. Raises CheckpointError where there
    is no encoder, naming what was tried, or it has fewer layers.
    """
    from transformers import AutoConfig

    cure = (
        "Give a hub id or a transformers folder with safetensors; "
        "`hoidam encoder prepare embedded --output FOLDER` makes one without a hub"
    )
    quieten_transformers()
    with loading("encoder", source=source, cure=cure):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        if layers > config.num_hidden_layers:
            raise CheckpointError(f"{source}: has {config.num_hidden_layers} layers, {layers} were asked for")
        config.num_hidden_layers = layers or config.num_hidden_layers
        set_attention_dropout(config, attention_dropout)
    return load_weights(
        source,
        cure=cure,
        config=config,
        # Without this, weights stored in half precision would be trained in it.
        dtype=torch.float32,
        attn_implementation=attention,
        **_without_pooler(config),
    )


def set_attention_dropout(config: Any, dropout: float) -> None:
    """Replace the dropout of attention weights in an encoder's configuration, where it has one."""
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if hasattr(config, name):
            setattr(config, name, dropout)


def build_encoder(config: Any) -> Any:
    """An encoder of a given shape, its weights still to be loaded."""
    from transformers import AutoModel

    build: Any = AutoModel.from_config
    return build(config, trust_remote_code=False, dtype=torch.float32, **_without_pooler(config))


def _without_pooler(config: Any) -> dict[str, bool]:
    poolers = {"bert", "camembert", "roberta", "xlm-roberta", "xlm-roberta-xl"}
    return {"add_pooling_layer": False} if config.model_type in poolers else {}
