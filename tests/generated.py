"""A corpus made by rule, whose labels a tiny encoder learns within seconds, and recipes that train on it."""

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tiny

from hoidam.document import Annotated, Article, Span
from hoidam.files import write_json_lines
from hoidam.labels import LabelScheme
from hoidam.train.recipe import Recipe, recipe_from_dict, recipe_to_toml

NAMES = ("Nguyễn Văn Hùng", "Lý Vĩ", "Lừu Seo Páo", "Đặng Minh")
POSTS = ("Phó Chủ tịch UBND huyện", "Bí thư Huyện ủy", "Phó Huyện trưởng huyện")
SITES = ("Bát Xát", "Quản Bạ", "Thanh Thủy", "Văn Sơn", "Vân Nam")
MATTERS = {
    "ALPHA": ("thương mại", "du lịch"),
    "BETA": ("phòng chống cháy rừng", "quản lý xuất nhập cảnh"),
    "GAMMA": ("giáo dục", "bảo vệ môi trường"),
}
LEAST_SCORE = 0.6
"""Macro F1 that training on this corpus passes with ease; an untrained model has some hundredths."""


@dataclass(slots=True)
class Draft:
    """A text in the making, with the spans laid down so far."""

    text: str = ""
    spans: list[Span] = field(default_factory=list)

    def add(self, words: str, kind: str | None = None, category: str | None = None) -> None:
        if kind:
            self.spans.append(Span(len(self.text), len(self.text) + len(words), kind, category))
        self.text += words

    def add_person(self, rng: random.Random) -> None:
        self.add("Tại buổi hội đàm, ông ")
        self.add(rng.choice(NAMES), "WHO")
        self.add(", ")
        start = len(self.text)
        self.add(f"{rng.choice(POSTS)} ")
        self.add(rng.choice(SITES), "SITE")
        self.spans.append(Span(start, len(self.text), "POST"))
        self.add(", khẳng định quan hệ hữu nghị ngày càng bền chặt. ")

    def add_matter(self, rng: random.Random) -> None:
        self.add("Hai bên nhất trí trao đổi về ")
        category = rng.choice(sorted(MATTERS))
        self.add(rng.choice(MATTERS[category]), "MATTER", category)
        self.add(" trong năm 2024. ")


def make_article(identifier: str, rng: random.Random, *, with_matters: bool) -> Annotated:
    """A headline over one to three paragraphs."""
    draft = Draft()
    draft.add("Hội đàm giữa huyện ")
    draft.add(rng.choice(SITES), "SITE")
    draft.add(" và tỉnh Quảng Tây")
    for _ in range(rng.randint(1, 3)):
        draft.text = draft.text.rstrip() + "\n"
        draft.add_person(rng)
        if with_matters:
            draft.add_matter(rng)
    spans = tuple(sorted(draft.spans))
    categories = frozenset(span.category for span in spans if span.category)
    return Annotated(Article(identifier, draft.text.rstrip()), spans, categories, "rule")


def make_articles(prefix: str, count: int, *, seed: int) -> list[Annotated]:
    """Articles with gold; one in five says nothing of any matter."""
    rng = random.Random(seed)
    return [make_article(f"{prefix}-{number}", rng, with_matters=number % 5 < 4) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The files of a generated corpus and what they hold."""

    folder: Path
    train: Sequence[Annotated]
    dev: Sequence[Annotated]

    @property
    def labels(self) -> Path:
        return self.folder / "labels.toml"

    def articles(self, part: str) -> Path:
        return self.folder / "articles" / f"{part}.jsonl"

    def gold(self, part: str) -> Path:
        return self.folder / "gold" / f"{part}.jsonl"

    def recipe(self, encoder: Path, /, **settings: Any) -> Recipe:
        """A recipe over this corpus, some seconds long; `settings` are tables, or values at the top."""
        data = {
            "labels": str(self.labels),
            "articles": [str(self.articles(part)) for part in ("train", "dev")],
            "train": [str(self.gold("train"))],
            "dev": [str(self.gold("dev"))],
        } | settings.pop("data", {})
        tables: dict[str, dict[str, Any]] = {
            "encoder": {"name": str(encoder)},
            "window": {"size": 96, "overlap": 16},
            "training": {
                "epochs": 3,
                "batch_size": 4,
                "learning_rate": 1e-2,
                "head_learning_rate": 1e-2,
                "precision": "fp32",
            },
        }
        for name in tables:
            tables[name] |= settings.pop(name, {})
        return recipe_from_dict({"name": "tiny", "data": data, **tables, **settings}, source="test")

    def write_recipe(self, path: Path, encoder: Path, /, **settings: Any) -> Path:
        path.write_text(recipe_to_toml(self.recipe(encoder, **settings)), encoding="utf-8")
        return path


def write_corpus(folder: Path, *, train: int = 32, dev: int = 10, scheme: LabelScheme = tiny.SCHEME) -> Corpus:
    """Write articles, gold and labels as a recipe names them, with the spans that the scheme has."""
    folder.mkdir()
    parts = make_articles("train", train, seed=1), make_articles("dev", dev, seed=2)
    corpus = Corpus(folder, *([within(annotated, scheme) for annotated in part] for part in parts))
    write_labels(corpus.labels, scheme)
    for part, made in (("train", corpus.train), ("dev", corpus.dev)):
        write_json_lines(corpus.articles(part), (one.article.to_dict() for one in made))
        write_json_lines(corpus.gold(part), (one.to_dict() for one in made))
    return corpus


def within(annotated: Annotated, scheme: LabelScheme) -> Annotated:
    """Gold without the types and categories that a scheme does not have."""
    spans = tuple(span for span in annotated.spans if span.type in scheme.type_names)
    return replace(annotated, spans=spans, categories=annotated.categories & set(scheme.category_names))


def write_labels(path: Path, scheme: LabelScheme) -> Path:
    """Write a scheme as labels.toml."""
    types = (
        f'[[types]]\nname = "{kind.name}"\ncategorised = {str(kind.categorised).lower()}\n' for kind in scheme.types
    )
    categories = (f'[[categories]]\nname = "{category.name}"\n' for category in scheme.categories)
    path.write_text("".join([*types, *categories]), encoding="utf-8")
    return path


def write_fresh_encoder(folder: Path, *, like: Path, seed: int = 0) -> Path:
    """An encoder folder as `like`, its weights drawn as its configuration has it: those learn within seconds."""
    import torch
    from transformers import AutoConfig, AutoModel

    torch.set_num_threads(1)
    shutil.copytree(like, folder)
    torch.manual_seed(seed)
    build: Any = AutoModel.from_config
    build(AutoConfig.from_pretrained(like)).save_pretrained(folder)
    return folder


def write_taught_encoder(folder: Path, *, model: Path) -> Path:
    """The encoder of a trained model as a folder of its own: its lower layers say something of the corpus."""

    from hoidam.checkpoint import load_model

    predictor = load_model(model, device="cpu").predictor
    encoder: Any = predictor.network.model.encoder
    encoder.save_pretrained(folder)
    for path in model.glob("tokenizer*"):
        shutil.copy(path, folder)
    return folder
