"""Stored weights: what comes back is what went in, as near as the form allows."""

import pytest
import torch

from hoidam.weights import STORAGES, pack, unpack


def random_weights(seed):
    generator = torch.Generator().manual_seed(seed)
    rows, columns = (int(n) for n in torch.randint(1, 60, (2,), generator=generator))
    spread = 10.0 ** torch.randint(-6, 4, (rows, 1), generator=generator)
    matrix = torch.randn(rows, columns, generator=generator) * spread
    matrix[torch.rand(rows, generator=generator) < 0.1] = 0.0
    return {"layer.weight": matrix, "layer.bias": torch.randn(rows, generator=generator), "ids": torch.arange(3)}


@pytest.mark.parametrize("storage", STORAGES)
def test_weights_come_back_in_full_precision_under_their_names(storage):
    weights = random_weights(0)
    found = unpack(pack(weights, storage=storage))
    assert set(found) == {"layer.weight", "layer.bias"}
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert value.shape == weights[name].shape


def test_full_precision_is_exact():
    for seed in range(50):
        weights = random_weights(seed)
        found = unpack(pack(weights, storage="float32"))
        assert all(torch.equal(found[name], weights[name]) for name in found)


def test_integers_are_off_by_at_most_half_a_step_of_their_row_and_vectors_are_exact():
    for seed in range(500):
        weights = random_weights(seed)
        packed = pack(weights, storage="int8")
        assert packed["layer.weight"].dtype == torch.int8
        found = unpack(packed)
        step = weights["layer.weight"].abs().amax(dim=1, keepdim=True) / 127
        off = (found["layer.weight"] - weights["layer.weight"]).abs()
        assert bool((off <= step * 0.5001).all())
        assert torch.equal(found["layer.bias"], weights["layer.bias"])


def test_packing_what_was_unpacked_changes_nothing():
    for seed in range(50):
        packed = pack(random_weights(seed), storage="int8")
        again = pack(unpack(packed), storage="int8")
        assert torch.equal(packed["layer.weight"], again["layer.weight"])


def test_integers_without_their_scales_are_refused():
    packed = pack(random_weights(1), storage="int8")
    del packed["layer.weight.scale"]
    with pytest.raises(KeyError):
        unpack(packed)
