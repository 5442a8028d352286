"""Networks as ONNX files, run by ONNX Runtime on a CPU."""

import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hoidam.cores import usable_cores
from hoidam.encode.batches import LENGTH_STEP, Batch
from hoidam.errors import MissingExtraError
from hoidam.networks import NetworkScores

if TYPE_CHECKING:
    from hoidam.model import TaggerModel

INPUTS = ("input_ids", "attention_mask", "piece_words")
OUTPUTS = ("tags", "categories", "article")


class OnnxNetwork:
    """A model out of a file that `write_onnx` made.

    Windows are scored one by one: integer arithmetic takes one scale for all of a batch, so that a window's scores
    would depend on what stands beside it.
    """

    batch_pieces = 0
    device = "cpu"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("onnxruntime", extra="onnx", purpose="A model in an ONNX file") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.threads = threads or usable_cores()
        self.description = f"ONNX Runtime {self._session.get_modelmeta().custom_metadata_map['precision']} on cpu"

    def score(self, batch: Batch) -> NetworkScores:
        """Score one batch."""
        tags, *others = self._session.run(None, {name: getattr(batch, name) for name in INPUTS})
        empty = np.zeros((*tags.shape[:2], 0), dtype=np.float32)
        categories, article = others or (empty, empty[:, 0])
        return NetworkScores(tags, categories, article)


def write_onnx(model: "TaggerModel", path: Path, *, quantise: bool) -> None:
    """Write a model in eval mode as one ONNX file; with `quantise`, its matrices and their products in 8-bit integers.

    Weights are quantised by channel, what they are multiplied with as it comes (dynamically): no articles are needed.
    Raises MissingExtraError without the packages of the extra.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError:
        raise MissingExtraError("onnx", extra="onnx", purpose="An ONNX file") from None
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared = Path(folder, "plain.onnx"), Path(folder, "prepared.onnx")
        _trace(model, plain)
        if quantise:
            quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
            quantize_dynamic(
                str(prepared),
                str(plain),
                weight_type=QuantType.QInt8,
                per_channel=True,
                nodes_to_exclude=_narrowing(onnx.load(str(prepared)).graph),
            )
        found = onnx.load(str(plain))
        onnx.helper.set_model_props(found, {"precision": "int8" if quantise else "fp32"})
        onnx.save(found, str(path))


def _narrowing(graph: Any) -> list[str]:
    """Products with a matrix of more rows than columns: the heads, and what follows an activation function.

    They stay in float32: an activation's few large values leave the integers' steps too wide for the others.
    """
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    factors = ((node.name, shapes.get(node.input[1], ())) for node in graph.node if node.op_type == "MatMul")
    return [name for name, shape in factors if len(shape) == 2 and shape[0] > shape[1]]


def _trace(model: "TaggerModel", path: Path) -> None:
    import torch

    length = 2 * LENGTH_STEP
    piece_words = torch.arange(length).repeat(2, 1) - 1
    ids = torch.full_like(piece_words, 5)
    rows, pieces = torch.export.Dim("rows"), torch.export.Dim("pieces", min=2)
    outputs = OUTPUTS if model.category_head is not None else OUTPUTS[:1]

    class Scores(torch.nn.Module):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor, words: torch.Tensor) -> tuple[torch.Tensor, ...]:
            output = model(input_ids=ids, attention_mask=mask, piece_words=words)
            return tuple(
                logits
                for logits in (output.tag_logits, output.category_logits, output.article_logits)
                if logits is not None
            )

    # The exporter tells its developers much that is nothing to a user.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Scores(),
            (ids, torch.ones_like(ids), piece_words),
            str(path),
            input_names=list(INPUTS),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: rows, 1: pieces} for _ in INPUTS),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
