"""Forecasts: counts that come true, memory that is measured, and a run that is none the other for it."""

import re
from types import SimpleNamespace

import pytest
import torch

from hoidam.errors import RecipeError
from hoidam.train import forecast as forecasting
from hoidam.train.corpus import read_corpus
from hoidam.train.features import make_features
from hoidam.train.forecast import StepTime, forecast
from hoidam.train.loop import parameter_groups
from hoidam.train.run import train
from hoidam.train.setup import set_up

CPU = torch.device("cpu")


def is_lower(name):
    """Whether a weight lies in what one frozen layer leaves untrained."""
    return name.startswith(("encoder.embeddings.", "encoder.encoder.layer.0."))


class Parts:
    """What a run has before it trains."""

    def __init__(self, recipe):
        corpus = read_corpus(recipe.data, seed=1)
        self.setup = set_up(recipe, scheme=corpus.scheme, device=CPU)
        self.features = make_features(corpus.train, encoder=self.setup.encoder, scheme=corpus.scheme)
        self.trained, self.collator = self.setup.trained_part(self.features)
        self.settings = recipe.training

    def forecast(self):
        return forecast(
            self.trained,
            whole=self.setup.model,
            settings=self.settings,
            features=self.features,
            collator=self.collator,
            device=CPU,
            precision="fp32",
        )


@pytest.mark.parametrize(("frozen", "together"), [(0, 1), (1, 3)])
def test_what_is_counted_comes_true(frozen, together, small, fresh_folder, tmp_path, capsys):
    training = {"epochs": 2, "batch_size": 2, "gradient_accumulation": together}
    recipe = small.recipe(fresh_folder, training=training, encoder={"frozen_layers": frozen})
    parts = Parts(recipe)
    before = {name: value.clone() for name, value in parts.setup.model.state_dict().items()}
    state = torch.random.get_rng_state()
    found = parts.forecast()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in parts.setup.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in parts.setup.model.state_dict().items())

    optimizer = torch.optim.AdamW(parameter_groups(parts.trained, recipe.training), fused=True)
    parts.trained(**parts.collator([parts.features[0], parts.features[1]])).loss.backward()
    optimizer.step()
    learnt = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert found.gradients == sum(parameter.grad.nbytes for parameter in learnt)
    assert found.states == sum(value.nbytes for state in optimizer.state.values() for value in state.values())
    unlearnt = found.weights - found.gradients - sum(buffer.nbytes for buffer in parts.setup.model.buffers())
    assert unlearnt == sum(value.nbytes for name, value in before.items() if frozen and is_lower(name))
    assert found.windows == 2 * together
    assert found.pieces * found.steps == pytest.approx(2 * sum(parts.features["length"]))

    train(recipe, folder=tmp_path / "run", device="cpu")
    said = capsys.readouterr().err
    assert str(found) in said
    assert f'"step": {found.steps}' in (tmp_path / "run" / "curves.jsonl").read_text(encoding="utf-8").splitlines()[-1]


def test_activations_grow_with_the_batch_and_shrink_where_layers_are_computed_twice(small, fresh_folder):
    def activations(**training):
        return Parts(small.recipe(fresh_folder, training=training)).forecast().activations

    plain = activations(batch_size=2)
    assert activations(batch_size=2) == plain, "what is measured is not what is needed, but chance"
    assert 1.8 * plain < activations(batch_size=4) < 2.2 * plain
    assert activations(batch_size=2, gradient_checkpointing=True) < 0.8 * plain


def test_memory_is_that_of_tensors_while_they_are_there():
    kept = torch.zeros(1000)
    with forecasting._Memory([kept]) as memory:
        views = [kept.view(10, 100), kept.t(), kept.add_(1)]
        assert memory.peak == 0
        first = torch.ones(500)
        second = first * 2
        assert memory.peak == 4 * 1000
        del first
        third = second + 1
        assert memory.peak == 4 * 1000
        fourth = third.double()
        assert memory.peak == 4 * 1000 + 8 * 500
    assert len(views) == 3
    assert fourth.sum() == 1500


def test_a_batch_too_large_for_a_gpu_is_refused_with_the_cures(small, fresh_folder, monkeypatch):
    parts = Parts(small.recipe(fresh_folder))

    def full(*_, **__):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(parts.trained.encoder, "forward", full)
    with pytest.raises(RecipeError, match=r"training\.batch_size: 4 windows of up to .* gradient_checkpointing = true"):
        parts.forecast()


def test_time_is_reckoned_from_steps_of_which_none_lies_over_an_end_of_an_epoch(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(forecasting.time, "monotonic", lambda: now[0])
    timer, arguments = StepTime(), SimpleNamespace(device=CPU)
    for step in range(1, 13):
        if step % 3 == 1:
            timer.on_epoch_begin(arguments, None, None)
        now[0] += 1000.0 if step % 3 == 1 else 1.5
        timer.on_step_end(arguments, SimpleNamespace(global_step=step, max_steps=2408), None)
    assert capsys.readouterr().err == (
        "1.5 s a step, of 5 timed: 1 h 0 min for the 2,400 steps left, without scoring dev\n"
    )
    assert re.fullmatch(r"\d+ min \d+ s", forecasting._duration(125.4))
