import dataclasses
import math
import random

import pytest

from hoidam.errors import RecipeError
from hoidam.train.recipe import differing_keys, read_recipe, recipe_from_dict, recipe_to_toml

DATA = {"labels": "l.toml", "articles": ["a.jsonl"], "train": ["t.jsonl"], "dev": ["d.jsonl"]}
SMALLEST = {"name": "one", "data": DATA, "encoder": {"name": "e"}, "training": {"epochs": 3}}


def write(folder, text):
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_written_out_reads_back_the_same(tmp_path):
    more = {"description": 'says "hội đàm"\nand \\ more', "seed": 7, "encoder": {"name": "e", "keep_layers": [0, 3]}}
    recipe = recipe_from_dict(SMALLEST | more, source="test")
    assert read_recipe(write(tmp_path, recipe_to_toml(recipe))) == recipe


def test_all_mistakes_are_reported_together_with_their_keys(tmp_path):
    path = write(
        tmp_path,
        """
        name = "x"
        colour = "red"
        [data]
        labels = 3
        articles = []
        train = ["t.jsonl"]
        [encoder]
        name = "e"
        depth = 2
        [training]
        epochs = "many"
        precision = "int3"
        """,
    )
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    message = str(caught.value)
    assert str(path) in message
    for key in ("colour", "data.labels", "data.articles", "data.dev", "encoder.depth", "training.epochs", "precision"):
        assert key in message
    assert "7 wrong settings" in message


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("window", "size", 20),
        ("window", "overlap", 200),
        ("window", "overlap", -1),
        ("training", "epochs", 0),
        ("training", "batch_size", 0),
        ("training", "learning_rate", 0.0),
        ("training", "layer_decay", 1.5),
        ("training", "warmup", 1.0),
        ("training", "dropout", -0.1),
        ("training", "attention_dropout", 1.0),
        ("training", "patience", -1),
        ("training", "class_weights", "inverse"),
        ("training", "track", ["tensorboard", "notebook"]),
        ("training", "max_gradient_norm", math.inf),
        ("training", "learning_rate", math.inf),
        ("encoder", "segmenter", "scissors"),
        ("encoder", "frozen_layers", -1),
        ("encoder", "keep_layers", [0, -1]),
        ("encoder", "keep_layers", [0, 1.5]),
        ("encoder", "keep_layers", 3),
        ("teacher", "weight", 0.0),
        ("teacher", "weight", 1.1),
        ("teacher", "temperature", 0.0),
        ("data", "unlabelled", ["u.jsonl"]),
        ("data", "train_limit", -1),
        ("data", "workers", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(table, key, value):
    data = SMALLEST | {table: SMALLEST.get(table, {}) | {key: value}}
    with pytest.raises(RecipeError, match=f"{table}.{key}"):
        recipe_from_dict(data, source="test")


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_that_no_generator_takes_is_refused(seed):
    with pytest.raises(RecipeError, match=r"seed: give 0 to 2147483647$"):
        recipe_from_dict(SMALLEST | {"seed": seed}, source="test")
    assert recipe_from_dict(SMALLEST | {"seed": 2**31 - 1}, source="test").seed == 2**31 - 1


def test_what_is_no_finite_number_is_told(tmp_path):
    path = write(tmp_path, recipe_to_toml(recipe_from_dict(SMALLEST, source="test")))
    changes = ["training.max_gradient_norm=inf", "training.weight_decay=nan"]
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, changes=changes)
    assert "training.max_gradient_norm: is inf. Give a finite number" in str(caught.value)
    assert "training.weight_decay: is nan. Give a finite number" in str(caught.value)


def test_a_student_s_settings_are_read_written_and_at_odds_with_others():
    data = SMALLEST | {"data": DATA | {"unlabelled": ["u.jsonl"]}, "teacher": {"model": "m", "weight": 1}}
    recipe = recipe_from_dict(data | {"encoder": {"name": "e", "keep_layers": [0, 3]}}, source="test")
    assert (recipe.encoder.keep_layers, recipe.data.unlabelled, recipe.teacher.weight) == ((0, 3), ("u.jsonl",), 1.0)
    with pytest.raises(RecipeError, match="give this or layers, not both"):
        recipe_from_dict(data | {"encoder": {"name": "e", "keep_layers": [0, 3], "layers": 2}}, source="test")


def test_changes_from_the_command_line_win_over_the_file(tmp_path):
    path = write(tmp_path, recipe_to_toml(recipe_from_dict(SMALLEST, source="test")))
    changed = read_recipe(
        path, changes=["training.epochs=9", "name=other", 'data.dev=["x.jsonl", "y.jsonl"]', "seed=4"]
    )
    assert (changed.training.epochs, changed.name, changed.seed) == (9, "other", 4)
    assert changed.data.dev == ("x.jsonl", "y.jsonl")
    assert read_recipe(path, changes=["training.track=[]"]).training.track == ()
    assert read_recipe(path, changes=["training.track=wandb"]).training.track == ("wandb",)


@pytest.mark.parametrize("change", ["epochs", "=3", "name.first=3", "training.epoch=3"])
def test_a_change_that_fits_nothing_is_refused(tmp_path, change):
    path = write(tmp_path, recipe_to_toml(recipe_from_dict(SMALLEST, source="test")))
    with pytest.raises(RecipeError):
        read_recipe(path, changes=[change])


def test_a_missing_or_broken_file_says_so(tmp_path):
    with pytest.raises(RecipeError, match="no such file"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="not TOML"):
        read_recipe(write(tmp_path, "name = "))


def test_differing_keys_names_every_changed_setting_and_no_other():
    generator = random.Random(5)
    recipe = recipe_from_dict(SMALLEST, source="test")
    for _ in range(200):
        changes = {}
        if generator.random() < 0.5:
            changes["seed"] = recipe.seed + 1
        if generator.random() < 0.5:
            changes["training"] = dataclasses.replace(recipe.training, epochs=99)
        if generator.random() < 0.5:
            changes["window"] = dataclasses.replace(recipe.window, size=recipe.window.size + 1)
        names = {"seed": "seed", "training": "training.epochs", "window": "window.size"}
        assert differing_keys(recipe, dataclasses.replace(recipe, **changes)) == sorted(names[key] for key in changes)
