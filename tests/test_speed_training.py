"""The benchmark of training: pieces counted alike for both sides, operations counted right, and one whole run."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from eval.speed.training import __main__ as command_line
from eval.speed.training.race import Outcome
from eval.speed.training.render import render
from eval.speed.training.results import ratios_between, variant_row
from eval.speed.training.trainers import TRAINERS, build_classifier, passes, read
from eval.speed.training.variants import RATIOS, VARIANTS
from eval.speed.training.work import Counted, Work
from hoidam.encode.text import TextEncoder
from hoidam.train.features import normalised_body
from hoidam.train.recipe import read_recipe

ROOT = Path(__file__).parents[1]
PUBLISHED = sorted((ROOT / "eval" / "speed").glob("training-*.json"))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def recipes(tmp_path_factory, corpus, fresh_folder):
    """Recipes of the names that variants have."""
    folder = tmp_path_factory.mktemp("recipes")
    return [
        corpus.write_recipe(
            folder / f"{name}.toml",
            fresh_folder,
            encoder={"frozen_layers": frozen},
            training={"batch_size": 8, "epochs": 2},
        )
        for name, frozen in (("embedded", 0), ("quick", 1))
    ]


def epoch(recipe, trainer, tmp_path, **options):
    """What one epoch's batches hold, as the trainer's own loader gives them."""
    made = TRAINERS[trainer](recipe, device=CPU, folder=tmp_path, **options)()
    counted = Counted(made.trainer.data_collator)
    made.trainer.data_collator = counted
    work = Work()
    for _ in made.trainer.get_train_dataloader():
        work += counted.next()
    return made, work


@pytest.mark.parametrize("place", [0, 1])
def test_both_sides_read_the_same_pieces_in_an_epoch(recipes, place, tmp_path):
    recipe = read_recipe(recipes[place])
    corpus, _, features = read(recipe, device=CPU)
    expected = sorted(len(ids) for ids in features["ids"])
    assert len(expected) > len(corpus.train), "no article has two windows"
    for trainer, options in (("hoidam", {}), ("plain", {}), ("plain", {"bf16": True, "frozen": True})):
        made, work = epoch(recipe, trainer, tmp_path, **options)
        assert sorted(work.lengths) == sorted(made.lengths) == expected, trainer
        assert work.pieces == sum(expected) < work.padded


def test_sentences_hold_every_piece_of_the_articles_once(recipes, tmp_path):
    recipe = read_recipe(recipes[0])
    corpus, setup, _ = read(recipe, device=CPU)
    whole = TextEncoder(setup.encoder.pieces, setup.encoder.segmenter, size=4096, overlap=0)
    pieces = sum(len(one.ids) - 2 for gold in corpus.train for one in whole.encode(normalised_body(gold).text).encoded)
    made, work = epoch(recipe, "plain", tmp_path, examples="sentences")
    assert work.pieces - 2 * len(made.lengths) == pieces


def test_plain_labels_stand_on_first_pieces_and_say_what_gold_says(recipes, tmp_path):
    recipe = read_recipe(recipes[0])
    corpus, _, features = read(recipe, device=CPU)
    made, _ = epoch(recipe, "plain", tmp_path)
    for row, example in zip(features, made.trainer.train_dataset, strict=True):
        learnt = [label for label in example["labels"] if label != -100]
        assert len(learnt) == len(row["tags"])
        for label, tags in zip(learnt, row["tags"], strict=True):
            # Two labels a type, begin and inside; of types that nest the first.
            first = next((layer for layer, tag in enumerate(tags) if tag), None)
            assert label == (0 if first is None else 1 + 2 * first + tags[first] - 1)
    assert made.trainer.model.config.num_labels == 1 + 2 * len(corpus.scheme.types)


def test_operations_of_training_are_those_that_torch_counts(recipes):
    recipe = read_recipe(recipes[0])
    model = build_classifier(recipe, read(recipe, device=CPU)[0].scheme)
    model.set_attn_implementation("eager")
    lengths = (24, 7, 40)
    with FlopCounterMode(display=False) as counter:
        for length in lengths:
            ids = torch.full((1, length), 5)
            model.base_model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.sum().backward()
    layers = model.config.num_hidden_layers
    assert Work(lengths).operations(model.config, passes=passes(model.config, trained=layers)) == (
        counter.get_total_flops()
    )
    assert passes(model.config, trained=layers - 1, forward_only=1) == (3 * (layers - 1) + 1) / layers


def measured(**facts):
    rounds = [{"seconds": 2.0, "pieces": 100, "padded": 125, "operations": 6e9, "peak_mib": 7.0}] * 3
    return Outcome(VARIANTS[0], facts={"once_seconds": 0.0, "epochs": 3, "epoch_pieces": 400, **facts}, rounds=rounds)


def test_what_is_computed_once_counts_as_if_every_epoch_had_its_share():
    epochs, pieces, once = 3, 400, 6.0
    seconds = once + epochs * pieces * 2.0 / 100
    row = variant_row(measured(once_seconds=once), peak=12e9)
    assert row["pieces_per_second"]["median"] == pytest.approx(epochs * pieces / seconds)
    assert row["epoch_seconds"] * epochs == pytest.approx(seconds)
    assert variant_row(measured(), peak=12e9)["pieces_per_second"]["median"] == pytest.approx(50)


def test_shares_are_of_all_pieces_and_of_the_machine_s_rate():
    row = variant_row(measured(), peak=12e9)
    assert row["padding"] == pytest.approx(0.2)
    assert row["share_of_peak"] == pytest.approx(0.25)
    assert variant_row(measured(), peak=None)["share_of_peak"] is None


def test_ratios_name_variants_every_variant_has_one_and_only_a_cpu_is_held_to_them():
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names)
    assert {side for ratio in RATIOS for side in (ratio.of, ratio.to)} == set(names)
    recipe_of = {variant.name: variant.recipe for variant in VARIANTS}
    assert all(recipe_of[ratio.of] == recipe_of[ratio.to] for ratio in RATIOS)
    assert [ratio.at_least for ratio in ratios_between(names, device="cpu") if ratio.at_least] == [2.0, 2.0]
    assert not any(ratio.at_least for ratio in ratios_between(names, device="cuda"))


@pytest.mark.slow
def test_a_whole_run_times_what_it_counts_and_writes_its_json_and_that_rendered(
    monkeypatch, tmp_path, capsys, recipes, fresh_folder
):
    _, _, features = read(read_recipe(recipes[0]), device=CPU)
    # A round is an epoch, so that its pieces are known; the warm-up is one too.
    steps = str(-(-len(features) // 8))
    arguments = ["--recipe", *recipes, "--encoder", fresh_folder, "--output", tmp_path, "--name", "tiny"]
    arguments += ["--rounds", "2", "--steps", steps, "--warm-up", steps, "--threads", "1"]
    only = ["hoidam-embedded", "plain-embedded", "hoidam-quick"]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["eval.speed.training", *map(str, arguments), "--only", *only])
    # On so small an encoder nobody is held to a ratio, and on a GPU nobody is at all.
    monkeypatch.setattr(command_line, "ratios_between", lambda names, device: ratios_between(names, device="cuda"))
    command_line.main()
    run = json.loads((tmp_path / "training-tiny.json").read_text(encoding="utf-8"))
    assert (tmp_path / "TRAINING.md").read_text(encoding="utf-8") == render([run]) == capsys.readouterr().out[:-1]
    assert [row["name"] for row in run["variants"]] == only
    for row in run["variants"]:
        assert [found["pieces"] for found in row["rounds"]] == [sum(features["length"])] * 2, row["name"]
        assert row["epoch_pieces"] == sum(features["length"])
        assert row["share_of_peak"] > 0
    assert [row["once_seconds"] > 0 for row in run["variants"]] == [False, False, True]
    assert [row["attention"] for row in run["variants"]] == ["eager", "sdpa", "eager"]
    assert [(row["of"], row["to"]) for row in run["ratios"]] == [("hoidam-embedded", "plain-embedded")]
    (tmp_path / "TRAINING.md").unlink()
    monkeypatch.setattr(sys, "argv", ["eval.speed.training", "--render", "--output", str(tmp_path)])
    command_line.main()
    assert (tmp_path / "TRAINING.md").read_text(encoding="utf-8") == render([run])


@pytest.mark.skipif(not PUBLISHED, reason="`make speed-training` has not been run")
def test_what_is_published_is_its_json_rendered():
    assert PUBLISHED[0].with_name("TRAINING.md").read_text(encoding="utf-8") == render(
        command_line.read_runs(PUBLISHED[0].parent)
    )
    assert all(run["commit"] for run in command_line.read_runs(PUBLISHED[0].parent))
