"""What races: every way of tagging that is timed, and the ratios that are taken between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of tagging: `engine` names a class in `eval.speed.engines.ENGINES`, which gets `options`.

    `threads` of 0 means as many as the run was given. `scored` are the span types that it finds and that are scored,
    `ALL` for what a model of ours finds, and empty where its spans are those of another variant.
    """

    name: str
    what: str
    engine: str
    options: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 0
    gpu: bool = False
    scored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as many articles a second `of` tags as `to`; a run fails where that is below `at_least`."""

    of: str
    to: str
    at_least: float | None = None


ALL = ("*",)

VARIANTS = (
    Variant("hoidam", "`Tagger` in this process, as `Tagger.load` gives it", "hoidam", scored=ALL),
    Variant("hoidam-fp32", "the same in float32", "hoidam", {"precision": "fp32"}, scored=ALL),
    Variant("hoidam-1-thread", "as `hoidam`, one thread", "hoidam", threads=1),
    Variant("budget-256", "as `hoidam`, at most 256 pieces a batch", "hoidam", {"batch_pieces": 256}),
    Variant("budget-2048", "as `hoidam`, at most 2,048 pieces a batch", "hoidam", {"batch_pieces": 2048}),
    Variant("onnx", "ONNX Runtime, float32", "exported", {"format": "onnx"}, scored=ALL),
    Variant("onnx-int8", "ONNX Runtime, dynamic int8", "exported", {"format": "onnx-int8"}, scored=ALL),
    Variant("pipeline-1", "transformers' pipeline, float32, a window at a time", "pipeline", {"batch_size": 1}),
    Variant(
        "pipeline-16",
        "transformers' pipeline, float32, 16 windows padded together",
        "pipeline",
        {"batch_size": 16},
    ),
    Variant(
        "pipeline-words",
        "the same, given words, which is where its F1 is best",
        "pipeline",
        {"batch_size": 16, "words": True},
        scored=("PLACE",),
    ),
    Variant("underthesea", "underthesea's `ner`", "underthesea", scored=("OFFICIAL", "PLACE")),
    Variant("tag-1", "`hoidam tag --workers 1`, start-up included", "command", {"arguments": ["--workers", "1"]}),
    Variant("tag-2", "`hoidam tag --workers 2`, start-up included", "command", {"arguments": ["--workers", "2"]}),
    Variant(
        "ray",
        "`hoidam tag --engine ray` on this machine, start-up included",
        "command",
        {"arguments": ["--engine", "ray"], "folder": True},
    ),
    Variant("serve", "`hoidam serve`, eight clients with an article a request", "served", {"clients": 8}),
    Variant("hoidam-gpu", "`Tagger` on the GPU", "hoidam", {"device": "cuda"}, gpu=True),
    Variant(
        "pipeline-16-gpu", "as `pipeline-16`, on the GPU", "pipeline", {"batch_size": 16, "device": "cuda"}, gpu=True
    ),
)

RATIOS = (
    Ratio("hoidam", "pipeline-1", at_least=3.0),
    Ratio("hoidam", "pipeline-16", at_least=2.0),
    Ratio("hoidam", "pipeline-words"),
    Ratio("hoidam", "underthesea", at_least=1.5),
    Ratio("hoidam-1-thread", "underthesea"),
    Ratio("tag-2", "pipeline-1"),
    Ratio("tag-2", "pipeline-16"),
    Ratio("hoidam-fp32", "pipeline-1"),
    Ratio("hoidam-fp32", "pipeline-16"),
    Ratio("hoidam", "hoidam-fp32"),
    Ratio("hoidam", "hoidam-1-thread"),
    Ratio("onnx", "hoidam-fp32"),
    Ratio("onnx-int8", "onnx"),
    Ratio("hoidam", "onnx-int8"),
    Ratio("budget-256", "hoidam"),
    Ratio("budget-2048", "hoidam"),
    Ratio("tag-2", "tag-1"),
    Ratio("ray", "tag-2"),
    Ratio("serve", "hoidam"),
    Ratio("hoidam-gpu", "pipeline-16-gpu"),
    Ratio("hoidam-gpu", "hoidam"),
)

SAME_SCORES = ("hoidam", "hoidam-fp32")
LARGEST_LOSS = 0.002
"""Two variants of one model, and how far their strict micro F1 may lie apart, as a share of 1."""
