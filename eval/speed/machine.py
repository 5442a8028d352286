"""What this machine is, and what it can do at best: products of matrices of the encoder's shapes, and moving memory."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

import torch

from hoidam.checkpoint import describe_hardware

_PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "underthesea", "onnxruntime", "ray", "fastapi", "uvicorn")
_TRIES = 5


def describe(*, threads: int) -> dict[str, Any]:
    """Processor, cores that this process may use, memory, and versions of what is installed of all that races."""
    installed = {name: _version(name) for name in _PACKAGES}
    return {
        **describe_hardware(),
        "threads": threads,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "versions": {name: version for name, version in installed.items() if version},
    }


def use_cores(count: int) -> None:
    """Keep this process, and those that it starts, on so many of its cores: for thread pools that count cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def layer_shapes(config: Any) -> list[tuple[int, int]]:
    """Inputs and outputs of each linear map of one encoder layer: query, key, value, output, and the two of the MLP."""
    width, inner = config.hidden_size, config.intermediate_size
    return [*[(width, width)] * 4, (width, inner), (inner, width)]


def encoder_operations(config: Any, batches: Sequence[tuple[int, int]]) -> int:
    """Multiplications and additions in the matrix products of an encoder over padded batches of (windows, pieces).

    Per layer, two for each piece and weight, and 4 x windows x pieces^2 x width for the attention's two products.
    """
    weights = sum(rows * columns for rows, columns in layer_shapes(config))
    linear = sum(2 * weights * windows * pieces for windows, pieces in batches)
    attention = sum(4 * windows * pieces**2 * config.hidden_size for windows, pieces in batches)
    return int(config.num_hidden_layers * (linear + attention))


@torch.inference_mode()
def matrix_rate(config: Any, dtype: torch.dtype, *, pieces: int) -> float:
    """Operations a second in one layer's linear maps over a batch of `pieces`, the best of several tries."""
    shapes = layer_shapes(config)
    weights = [torch.randn(outputs, inputs).to(dtype) for inputs, outputs in shapes]
    states = {inputs: torch.randn(pieces, inputs).to(dtype) for inputs, _ in shapes}

    def multiply() -> None:
        for (inputs, _), matrix in zip(shapes, weights, strict=True):
            torch.nn.functional.linear(states[inputs], matrix)

    return sum(2 * pieces * inputs * outputs for inputs, outputs in shapes) / best_seconds(multiply)


@torch.inference_mode()
def product_rate(dtype: torch.dtype, *, device: torch.device) -> float:
    """Operations a second in products of large square matrices with the threads that torch has, the best of several."""
    gpu = device.type == "cuda"
    size = 8192 if gpu else 2048
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(left, right)
        if gpu:
            torch.cuda.synchronize(device)

    return 2 * size**3 / best_seconds(multiply, clock=time.perf_counter, tries=20)


@torch.inference_mode()
def memory_rate(*, mebibytes: int) -> float:
    """Bytes a second read and written while an array is copied, the best of several tries; caches should be smaller."""
    source = torch.ones(mebibytes * 2**20, dtype=torch.uint8)
    target = torch.zeros_like(source)
    return 2 * source.numel() / best_seconds(lambda: target.copy_(source))


def best_seconds(
    work: Callable[[], object], *, clock: Callable[[], float] = time.thread_time, tries: int = _TRIES
) -> float:
    """The shortest of several runs, by the processor's clock for this thread alone, after one that is not counted."""
    work()
    found = []
    for _ in range(tries):
        started = clock()
        work()
        found.append(clock() - started)
    return min(found)


def at_best(config: Any, *, pieces: int, mebibytes: int) -> Mapping[str, float]:
    """Both rates: operations a second by precision, and bytes a second."""
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
    return {
        **{f"{name}_operations": matrix_rate(config, dtype, pieces=pieces) for name, dtype in kinds.items()},
        "bytes": memory_rate(mebibytes=mebibytes),
    }
