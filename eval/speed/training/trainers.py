"""The trainers that race: ours as `hoidam train` makes it, and transformers' as its `run_ner.py` does."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import Trainer

from hoidam.document import Annotated
from hoidam.encode.batches import encode_window
from hoidam.encode.tags import OUTSIDE, TAG_COUNT
from hoidam.encode.windows import Window
from hoidam.labels import LabelScheme
from hoidam.train.corpus import Corpus, read_corpus
from hoidam.train.features import make_features, normalised_body
from hoidam.train.loop import make_trainer
from hoidam.train.recipe import Recipe
from hoidam.train.setup import Setup, set_up

_NOT_LEARNT = -100


@dataclass(frozen=True, slots=True)
class Ready:
    """A trainer that can begin, and the facts that its speed is reckoned by.

    `config` is its encoder's, `lengths` the pieces of every example; `passes` are as `Work.operations` takes them;
    `once_seconds` went into what is computed of the examples once for all epochs.
    """

    trainer: Trainer
    config: Any
    lengths: Sequence[int]
    precision: str
    passes: float
    once_seconds: float = 0.0


def read(recipe: Recipe, *, device: torch.device) -> tuple[Corpus, Setup, Dataset]:
    """A recipe's gold and our windows of it, read as `hoidam train` reads them."""
    corpus = read_corpus(recipe.data, seed=recipe.seed)
    setup = set_up(recipe, scheme=corpus.scheme, device=device)
    return corpus, setup, make_features(corpus.train, encoder=setup.encoder, scheme=corpus.scheme)


def ours(recipe: Recipe, *, device: torch.device, folder: Path) -> Callable[[], Ready]:
    """Read everything; what is given back makes the trainer of `hoidam train`, which does not come to dev scores."""
    _, setup, features = read(recipe, device=device)

    def make() -> Ready:
        started = time.perf_counter()
        model, collator = setup.trained_part(features)
        once = time.perf_counter() - started if recipe.encoder.frozen_layers else 0.0
        trainer = make_trainer(
            model,
            recipe=recipe,
            features=features,
            collator=collator,
            dev_scorer=dict,
            folder=folder,
            device=device,
            precision=setup.precision,
        )
        config: Any = setup.model.encoder.config
        trained = config.num_hidden_layers - recipe.encoder.frozen_layers
        return Ready(
            trainer, config, features["length"], setup.precision, passes(config, trained=trained), once_seconds=once
        )

    return make


def plain(
    recipe: Recipe,
    *,
    device: torch.device,
    folder: Path,
    batch_size: int = 8,
    bf16: bool = False,
    frozen: bool = False,
    examples: str = "windows",
) -> Callable[[], Ready]:
    """Read everything; what is given back makes transformers' Trainer over its own token classifier, settings default.

    Examples are our windows or, as in the corpora that run_ner.py is written for, sentences. With `frozen`, the layers
    that the recipe freezes get no gradients, nor do embeddings.
    """
    from transformers import DataCollatorForTokenClassification, TrainingArguments, set_seed

    corpus, setup, features = read(recipe, device=torch.device("cpu"))
    tokenizer, scheme = setup.tokenizer, corpus.scheme
    rows = Dataset.from_list(list(_windows(features) if examples == "windows" else _sentences(corpus.train, setup)))
    collator: Any = DataCollatorForTokenClassification

    def make() -> Ready:
        set_seed(recipe.seed)
        model = build_classifier(recipe, scheme)
        untrained = recipe.encoder.frozen_layers if frozen else 0
        if frozen:
            _freeze(model, untrained)
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=str(folder),
                per_device_train_batch_size=batch_size,
                bf16=bf16,
                use_cpu=device.type == "cpu",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=rows,
            data_collator=collator(tokenizer),
        )
        trained = model.config.num_hidden_layers - untrained
        work = passes(model.config, trained=trained, forward_only=untrained)
        lengths = [len(ids) for ids in rows["input_ids"]]
        return Ready(trainer, model.config, lengths, "bf16" if bf16 else "fp32", work)

    return make


TRAINERS: Mapping[str, Callable[..., Callable[[], Ready]]] = {"hoidam": ours, "plain": plain}


def passes(config: Any, *, trained: int, forward_only: int = 0) -> float:
    """Forward passes' worth of work over all layers of an encoder; backward takes two of a layer that is trained."""
    done: float = (3 * trained + forward_only) / config.num_hidden_layers
    return done


def build_classifier(recipe: Recipe, scheme: LabelScheme) -> Any:
    """The recipe's encoder, with the layers that it keeps, under a linear head for one row of BIO tags of all types."""
    from transformers import AutoConfig, AutoModelForTokenClassification

    config: Any = AutoConfig.from_pretrained(recipe.encoder.name)
    config.num_hidden_layers = recipe.encoder.layers or config.num_hidden_layers
    config.num_labels = 1 + (TAG_COUNT - 1) * len(scheme.types)
    load: Any = AutoModelForTokenClassification
    return load.from_pretrained(recipe.encoder.name, config=config, dtype=torch.float32)


def _freeze(model: Any, layers: int) -> None:
    for part in (model.base_model.embeddings, *model.base_model.encoder.layer[:layers]):
        part.requires_grad_(False)


def _windows(features: Dataset) -> Iterator[dict[str, list[int]]]:
    """Our windows with one label a word, on its first piece, where layers nest the first that has a tag there."""
    for row in features:
        labels = [_label(tags) for tags in row["tags"]]
        yield _row(row["ids"], row["piece_words"], labels)


def _label(tags: Sequence[int]) -> int:
    found = ((TAG_COUNT - 1) * layer + tag for layer, tag in enumerate(tags) if tag != OUTSIDE)
    return next(found, OUTSIDE)


def _sentences(gold: Sequence[Annotated], setup: Setup) -> Iterator[dict[str, list[int]]]:
    """Every sentence once, without labels to find: what they are is nothing to the time that learning takes."""
    pieces = setup.encoder.pieces
    for annotated in gold:
        encoded = setup.encoder.encode(normalised_body(annotated).text)
        words = pieces.encode(encoded.words)
        for start, end in pairwise([0, *encoded.words.sentence_ends()]):
            sentence = encode_window(
                words, Window(start, end, start, end), first_id=pieces.first_id, last_id=pieces.last_id
            )
            yield _row(sentence.ids, sentence.piece_words, [OUTSIDE] * (end - start))


def _row(ids: Sequence[int], piece_words: Sequence[int], labels: Sequence[int]) -> dict[str, list[int]]:
    first = [word >= 0 and word != before for before, word in pairwise([-1, *piece_words])]
    return {
        "input_ids": list(ids),
        "labels": [labels[word] if begins else _NOT_LEARNT for begins, word in zip(first, piece_words, strict=True)],
    }
