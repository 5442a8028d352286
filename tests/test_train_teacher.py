"""Students: what a teacher says and how far from it they are, what they begin with, and runs from recipe to model."""

import dataclasses
import json
import math
import random

import generated
import pytest
import tiny
import torch

from hoidam.checkpoint import load_model, read_weights
from hoidam.document import Article
from hoidam.encode.batches import EncodedWindow, pad_batch
from hoidam.encode.tags import NO_CATEGORY
from hoidam.errors import CheckpointError, RecipeError
from hoidam.files import write_json_lines
from hoidam.model import TaggerOutput
from hoidam.train.corpus import read_corpus
from hoidam.train.features import Collator, make_features
from hoidam.train.lessons import Lesson, lesson_loss, make_lesson, pad_lessons
from hoidam.train.loop import make_trainer
from hoidam.train.run import train
from hoidam.train.setup import set_up
from hoidam.train.teacher import load_teacher, take_lessons

CPU = torch.device("cpu")
STILL = {"epochs": 1, "dropout": 0.0, "attention_dropout": 0.0}


@pytest.fixture(scope="module")
def still_teacher(tmp_path_factory, small, bert_folder):
    """A teacher whose encoder drops nothing out, so that in training it says what it says in use."""
    folder = tmp_path_factory.mktemp("teachers")
    encoder = generated.write_fresh_encoder(folder / "encoder", like=bert_folder)
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    tiny.write_json(encoder / "config.json", config | {"hidden_dropout_prob": 0.0})
    return train(small.recipe(encoder, training=STILL), folder=folder / "run", device="cpu")


def student(corpus, model, /, *, teacher=None, **settings):
    """A recipe for a student that begins with its teacher's layers."""
    return corpus.recipe(model, teacher={"model": str(model)} | (teacher or {}), **settings)


def taught(recipe):
    """A recipe's setup and features, with the lessons on them."""
    corpus = read_corpus(recipe.data, seed=recipe.seed)
    setup = set_up(recipe, scheme=corpus.scheme, device=CPU)
    features = make_features(corpus.train, encoder=setup.encoder, scheme=corpus.scheme, unlabelled=corpus.unlabelled)
    teacher = load_teacher(setup, corpus=corpus, features=features)
    return setup, features, take_lessons(teacher, features)


def softmax(logits, temperature):
    powers = [math.exp(logit / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


def divergence(student, teacher, temperature):
    """The textbook's sum, on plain lists."""
    own, its = softmax(student, temperature), softmax(teacher, temperature)
    return temperature**2 * sum(q * math.log(q / p) for p, q in zip(own, its, strict=True))


def loss_by_hand(output, lessons, categorised, temperature):
    """The loss window by window and word by word, padding never looked at."""
    tags, topics, weights, articles = [], [], [], []
    for row, lesson in enumerate(lessons):
        for word in range(len(lesson.tags)):
            own, its = output.tag_logits[row, word].tolist(), lesson.tags[word].tolist()
            tags.append(sum(divergence(a, b, temperature) for a, b in zip(own, its, strict=True)))
            outside = math.prod(softmax(its[kind], 1)[0] for kind in categorised)
            weights.append(1 - outside)
            topics.append(
                divergence(output.category_logits[row, word].tolist(), lesson.categories[word].tolist(), temperature)
            )
        for own, its in zip(output.article_logits[row].tolist(), lesson.article.tolist(), strict=True):
            articles.append(divergence([own, 0.0], [its, 0.0], temperature))
    weighted = sum(weight * apart for weight, apart in zip(weights, topics, strict=True))
    return sum(tags) / len(tags) + weighted / max(1.0, sum(weights)) + sum(articles) / len(articles)


@pytest.mark.parametrize("seed", range(20))
def test_the_loss_is_the_one_computed_by_hand(seed):
    rng = random.Random(seed)
    torch.manual_seed(seed)
    types, categories, temperature = rng.randint(1, 4), rng.randint(1, 5), rng.choice([0.5, 1.0, 2.0, 4.0])
    categorised = sorted(rng.sample(range(types), rng.randint(0, types)))
    words = [rng.randint(1, 6) for _ in range(rng.randint(1, 4))]
    scores = [
        tiny_scores(torch.randn(count, types, 3) * 3, torch.randn(count, categories), torch.randn(categories))
        for count in words
    ]
    lessons = [make_lesson(one, categorised=categorised) for one in scores]
    windows = [EncodedWindow(tuple(range(count + 2)), (-1, *range(count), -1)) for count in words]
    piece_words = torch.from_numpy(pad_batch(windows, pad_id=1).piece_words)
    shape = len(words), max(words)
    output = TaggerOutput(
        tag_logits=torch.randn(*shape, types, 3),
        category_logits=torch.randn(*shape, categories),
        article_logits=torch.randn(shape[0], categories),
    )
    found = lesson_loss(output, piece_words=piece_words, lesson=pad_lessons(lessons), temperature=temperature)
    assert found.item() == pytest.approx(loss_by_hand(output, lessons, categorised, temperature), rel=2e-3)


def tiny_scores(tags, categories, article):
    from hoidam.networks import NetworkScores

    return NetworkScores(tags.numpy(), categories.numpy(), article.numpy())


def test_a_lesson_is_what_the_teacher_says_of_that_window_alone(corpus, model_folder):
    setup, features, lessons = taught(student(corpus, model_folder))
    teacher = load_model(model_folder, device="cpu").predictor
    categorised = [kind.categorised for kind in setup.scheme.types].index(True)
    assert len({row["length"] for row in features}) > 3, "windows of one length show no mixing up"
    for row, lesson in zip(features, lessons, strict=True):
        window = EncodedWindow(tuple(row["ids"]), tuple(row["piece_words"]))
        scores = teacher.network.score(pad_batch([window], pad_id=setup.encoder.pieces.pad_id))
        words = len(row["tags"])
        said = (scores.tags[0, :words], scores.categories[0, :words], scores.article[0])
        for kept, given in zip((lesson.tags, lesson.categories, lesson.article), said, strict=True):
            assert kept.dtype == torch.float16
            torch.testing.assert_close(kept.float(), torch.from_numpy(given), atol=0.01, rtol=2e-3)
        inside = 1 - torch.from_numpy(scores.tags[0, :words, categorised]).softmax(dim=-1)[:, 0]
        torch.testing.assert_close(lesson.categorised.float(), inside, atol=1e-3, rtol=0)


def test_a_student_begins_with_the_teachers_heads_and_the_layers_that_it_keeps(corpus, model_folder):
    weights = read_weights(model_folder)
    for kept in ([0, 1], [1], [1, 0], [1, 1]):
        recipe = student(corpus, model_folder, encoder={"keep_layers": kept})
        model = set_up(recipe, scheme=tiny.SCHEME, device=CPU).model
        assert model.encoder.config.num_hidden_layers == len(kept)
        expected = {name: values for name, values in weights.items() if ".layer." not in name}
        for place, number in enumerate(kept):
            start = f"encoder.encoder.layer.{number}."
            layer = {name.removeprefix(start): weights[name] for name in weights if name.startswith(start)}
            expected |= {f"encoder.encoder.layer.{place}.{name}": values for name, values in layer.items()}
        begun = dict(model.named_parameters(remove_duplicate=False))
        assert begun.keys() == expected.keys()
        assert all(torch.equal(values, expected[name]) for name, values in begun.items())
        assert len(list(model.parameters())) == len(begun), "a layer that is kept twice learns as one"


def test_a_student_of_all_layers_says_what_its_teacher_says_and_goes_on_to(small, still_teacher, tmp_path):
    settings = {"training": STILL | {"epochs": 2, "learning_rate": 1e-4, "head_learning_rate": 1e-4}}
    model = train(
        student(small, still_teacher, teacher={"weight": 1.0, "temperature": 2.0}, **settings),
        folder=tmp_path / "run",
        device="cpu",
    )
    curves = [json.loads(line) for line in (tmp_path / "run" / "curves.jsonl").read_text("utf-8").splitlines()]
    losses = [entry["loss"] for entry in curves if "loss" in entry]
    assert len(losses) == 2
    assert max(losses) < 1e-3
    texts = [annotated.article.text for annotated in small.dev]
    own, its = (load_model(folder, device="cpu").predictor.predict(texts) for folder in (model, still_teacher))
    for one, other in zip(own, its, strict=True):
        assert one.categories == pytest.approx(other.categories, abs=0.05)
    recipe = student(small, still_teacher, teacher={"weight": 0.5}, **settings)
    train(recipe, folder=tmp_path / "half", device="cpu")
    assert json.loads((tmp_path / "half" / "curves.jsonl").read_text("utf-8").splitlines()[0])["loss"] > 0.1


@pytest.mark.parametrize(("weight", "temperature"), [(0.25, 2.0), (0.8, 1.0), (1.0, 4.0)])
def test_gold_and_teacher_have_their_shares_of_the_loss(weight, temperature, small, still_teacher, tmp_path):
    recipe = student(
        small,
        still_teacher,
        encoder={"keep_layers": [1]},
        training=STILL,
        teacher={"weight": weight, "temperature": temperature},
    )
    setup, features, lessons = taught(recipe)
    model, collator = setup.trained_part(features, lessons=lessons)
    trainer = make_trainer(
        model,
        recipe=recipe,
        features=features,
        collator=collator,
        dev_scorer=dict,
        folder=tmp_path,
        device=CPU,
        precision="fp32",
    )
    rows = [features[index] for index in (3, 0, 7)]
    categorised = [place for place, kind in enumerate(setup.scheme.types) if kind.categorised]
    with torch.inference_mode():
        found = trainer.compute_loss(model.eval(), collator(rows)).item()
        output = model(**Collator(collator.pad_id)(rows))
    by_hand = loss_by_hand(output, [lessons[row["row"]] for row in rows], categorised, temperature)
    assert by_hand > 0.01
    assert found == pytest.approx((1 - weight) * output.loss.item() + weight * by_hand, rel=1e-3)


@pytest.fixture
def unlabelled(small, tmp_path):
    path = tmp_path / "more.jsonl"
    more = generated.make_articles("more", 5, seed=9)
    write_json_lines(path, (one.article.to_dict() for one in more))
    return path


def with_more(recipe, path):
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, unlabelled=(str(path),)))


def test_of_articles_without_gold_the_teacher_alone_speaks(small, still_teacher, unlabelled):
    setup, features, lessons = taught(with_more(student(small, still_teacher), unlabelled))
    plain = taught(student(small, still_teacher))[1]
    count = len(plain)
    assert len(lessons) == len(features) > count
    assert features.select(range(count)).to_list() == plain.to_list()
    gold, silent = [features[index] for index in (1, 4)], [features[index] for index in range(count, len(features))]
    assert {tag for row in silent for word in row["tags"] for tag in word} == {NO_CATEGORY}
    model, collator = setup.trained_part(features, lessons=lessons)
    with torch.inference_mode():
        alone, together = (model.eval()(**Collator(collator.pad_id)(rows)).loss for rows in (gold, gold + silent))
    assert together.item() == pytest.approx(alone.item(), rel=1e-5)
    nothing = model.train()(**Collator(collator.pad_id)(silent)).loss
    nothing.backward()
    assert nothing.item() == 0
    assert all(value.grad is None or not value.grad.any() for value in model.parameters())


def test_an_article_is_with_gold_or_without(small, still_teacher, unlabelled, tmp_path):
    recipe = student(small, still_teacher)
    with pytest.raises(Exception, match="'train-0' occurs twice"):
        read_corpus(with_more(recipe, small.articles("train")).data, seed=1)
    page = Article("page", "Trang chủ\nTin mới\n" + small.train[0].article.text)
    write_json_lines(unlabelled, [page.to_dict()], force=True)
    [found] = read_corpus(with_more(recipe, unlabelled).data, seed=1).unlabelled
    assert found.body is not None
    assert (found.spans, found.categories) == ((), frozenset())


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_student_is_trained_from_recipe_to_model(frozen, corpus, model_folder, unlabelled, tmp_path):
    recipe = with_more(
        student(
            corpus,
            model_folder,
            encoder={"keep_layers": [0, 1] if frozen else [1], "frozen_layers": frozen},
            training={"epochs": 2},
            teacher={"weight": 0.5, "temperature": 2.0},
        ),
        unlabelled,
    )
    model = train(recipe, folder=tmp_path / "run", device="cpu")
    facts = json.loads((tmp_path / "run" / "provenance.json").read_text(encoding="utf-8"))
    identity = load_model(model_folder, device="cpu").identity
    assert facts["teacher"] == identity
    assert str(unlabelled) in facts["data_sha256"]
    card = (model / "README.md").read_text(encoding="utf-8")
    assert f"| teacher | {identity}, 0.5 of the loss, temperature 2.0 |" in card
    assert f"layers {'0, 1' if frozen else '1'} kept, {frozen} layers frozen |" in card
    assert load_model(model, device="cpu").predictor.network.model.encoder.config.num_hidden_layers == 1 + frozen
    report = json.loads((tmp_path / "run" / "dev.json").read_text(encoding="utf-8"))
    assert report["measures"]["strict"]["macro"]["f1"] > generated.LEAST_SCORE


def test_a_run_without_a_teacher_has_none(run_folder):
    assert json.loads((run_folder / "provenance.json").read_text(encoding="utf-8"))["teacher"] is None
    assert "| teacher |" not in (run_folder / "model" / "README.md").read_text(encoding="utf-8")


def test_who_cannot_teach_is_refused(corpus, small, model_folder, fresh_folder, phobert_folder, tmp_path):
    def refuse(recipe, kind, message):
        with pytest.raises(kind, match=message):
            train(recipe, folder=tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()

    other = generated.write_corpus(tmp_path / "other", train=4, dev=2, scheme=tiny.PLAIN_SCHEME)
    taught_by = {"model": str(model_folder)}
    refuse(student(small, tmp_path / "gone"), CheckpointError, "gone: no encoder could be loaded")
    refuse(small.recipe(fresh_folder, teacher={"model": "gone"}), CheckpointError, "gone: no such folder")
    refuse(student(other, model_folder), CheckpointError, "trained with other labels")
    refuse(other.recipe(fresh_folder, teacher=taught_by), CheckpointError, "trained with other labels")
    refuse(small.recipe(phobert_folder, teacher=taught_by), RecipeError, "cuts words into other pieces than")
    refuse(student(small, model_folder, window={"size": 97}), RecipeError, r"window\.size: 97, and .* Use 96 or fewer")
    refuse(student(small, model_folder, encoder={"keep_layers": [0, 2]}), RecipeError, "layer 2 is .* 0 to 1")
    refuse(student(small, model_folder, encoder={"layers": 3}), RecipeError, "layer 2 is .* 0 to 1")


def test_a_teacher_that_reads_other_words_is_refused(small, model_folder, monkeypatch, tmp_path):
    from hoidam.encode import segmenters

    loader = lambda: segmenters.Segmenter("pyvi", "1", str.split, "pyvi")  # noqa: E731
    monkeypatch.setenv("HOIDAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(segmenters._LOADERS, "pyvi", loader)
    with pytest.raises(RecipeError, match=r"encoder\.segmenter: pyvi 1, and .* words of none"):
        train(student(small, model_folder, encoder={"segmenter": "pyvi"}), folder=tmp_path / "run", device="cpu")


def test_a_lesson_keeps_nothing_of_the_batch_that_it_was_cut_from(corpus, model_folder):
    for lesson in taught(student(corpus, model_folder))[2]:
        for field in dataclasses.fields(Lesson):
            values = getattr(lesson, field.name)
            assert values.untyped_storage().nbytes() == 2 * values.numel()
