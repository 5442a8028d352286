"""Networks run by torch, on a CPU or a GPU, and what the hardware offers."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from hoidam.cores import usable_cores
from hoidam.encode.batches import Batch
from hoidam.errors import RecipeError
from hoidam.model import TaggerModel
from hoidam.networks import NetworkScores

CPU_BATCH_PIECES = 512
"""Past this a core is no faster, and batches that are not full cost more."""
GPU_BATCH_PIECES = 16_384

_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TorchNetwork:
    """A model as it was trained, its encoder in `precision` and its heads in float32.

    The model is taken over: it is moved to the device and put in eval mode. `threads` are those of a CPU.
    """

    def __init__(
        self, model: TaggerModel, *, device: torch.device, precision: str = "fp32", threads: int | None = None
    ) -> None:
        self.model = model.to(device).eval()
        self.model.encoder.to(_HALVES.get(precision, torch.float32))
        self.device = str(device)
        self._on_cpu = device.type == "cpu"
        self.batch_pieces = CPU_BATCH_PIECES if self._on_cpu else GPU_BATCH_PIECES
        self.threads = (threads or usable_cores()) if self._on_cpu else 1
        self.description = f"torch {precision} on {device}"

    def score(self, batch: Batch) -> NetworkScores:
        """Score one batch."""
        if self._on_cpu:
            # For the calling thread alone: by how many threads a product is made decides how its sums are cut.
            torch.set_num_threads(1)
        with torch.inference_mode():
            output = self.model(
                input_ids=self._tensor(batch.input_ids),
                attention_mask=self._tensor(batch.attention_mask),
                piece_words=self._tensor(batch.piece_words),
            )
        tags = _array(output.tag_logits)
        empty = np.zeros((*tags.shape[:2], 0), dtype=np.float32)
        return NetworkScores(
            tags,
            empty if output.category_logits is None else _array(output.category_logits),
            empty[:, 0] if output.article_logits is None else _array(output.article_logits),
        )

    def _tensor(self, values: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(values)
        return tensor if self._on_cpu else tensor.pin_memory().to(self.device, non_blocking=True)


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.float().cpu().numpy())


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one; raises RecipeError on a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError):
        raise RecipeError(f"device: {name!r} is not on this machine. Use auto, cpu or cuda") from None
    return device


def choose_precision(wanted: str, *, device: torch.device) -> str:
    """`auto` is bf16 where the hardware multiplies in it, else fp32; raises RecipeError on fp16 without a GPU."""
    if wanted == "fp16" and device.type == "cpu":
        raise RecipeError("precision: fp16 needs a GPU. Use auto, bf16 or fp32")
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        # Emulated, it is slower than float32.
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Mixed precision for a block: `bf16`, `fp16`, or `fp32` for none."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_HALVES[precision])
