"""What races in training: ours and transformers' plain set-up on one recipe, and the ratios between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eval.speed.variants import Ratio


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of training by a recipe: `trainer` names a function in `trainers.TRAINERS`, which gets `options`.

    `environment` is set for its process. Where `gpu` is true it is raced on a GPU alone.
    """

    name: str
    what: str
    recipe: str
    trainer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    gpu: bool = False


def _ours(recipe: str, suffix: str, what: str, *changes: str, **others: Any) -> Variant:
    return Variant(f"hoidam-{recipe}{suffix}", what, recipe, "hoidam", {"changes": changes}, **others)


def _plain(recipe: str, suffix: str, what: str, **options: Any) -> Variant:
    gpu = options.pop("gpu", False)
    return Variant(f"plain-{recipe}{suffix}", what, recipe, "plain", options, gpu=gpu)


_COMPILED = {
    "ACCELERATE_DYNAMO_BACKEND": "inductor",
    "ACCELERATE_DYNAMO_USE_DYNAMIC": "true",
    "ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION": "true",
}
"""What Trainer's `torch_compile` sets, and that one layer is compiled for all and for every length."""

VARIANTS = (
    _ours("embedded", "", "`hoidam train` as the recipe has it"),
    _ours("embedded", "-fp32", "the same in float32", "training.precision=fp32"),
    _plain("embedded", "", "plain, float32, 8 of our windows a step"),
    _plain("embedded", "-bf16", "plain, `bf16=True`, 8 of our windows a step", bf16=True),
    _plain("embedded", "-sentences", "plain, float32, 8 sentences a step", examples="sentences"),
    _plain(
        "embedded",
        "-sentences-48",
        "plain, float32, 48 sentences a step: about as many pieces as 8 windows",
        examples="sentences",
        batch_size=48,
    ),
    _plain(
        "embedded",
        "-sentences-48-bf16",
        "the same, `bf16=True`",
        examples="sentences",
        batch_size=48,
        bf16=True,
    ),
    _ours("embedded", "-32", "ours, 32 windows a step", "training.batch_size=32", gpu=True),
    _ours("embedded", "-128", "ours, 128 windows a step", "training.batch_size=128", gpu=True),
    _plain("embedded", "-bf16-32", "plain, `bf16=True`, 32 windows a step", bf16=True, batch_size=32, gpu=True),
    _plain("embedded", "-bf16-128", "plain, `bf16=True`, 128 windows a step", bf16=True, batch_size=128, gpu=True),
    _ours("embedded", "-compiled", "ours, compiled by torch", environment=_COMPILED, gpu=True),
    _ours(
        "embedded",
        "-128-compiled",
        "ours, 128 windows a step, compiled by torch",
        "training.batch_size=128",
        environment=_COMPILED,
        gpu=True,
    ),
    _ours("quick", "", "`hoidam train` as the recipe has it: the lower layers' output kept"),
    _plain("quick", "", "plain, float32, 8 of our windows a step, all layers trained"),
    _plain("quick", "-bf16", "the same, `bf16=True`", bf16=True),
    _plain(
        "quick", "-bf16-frozen", "the same, without gradients in the layers that ours freezes", bf16=True, frozen=True
    ),
    _ours("quick", "-128", "ours, 128 windows a step", "training.batch_size=128", gpu=True),
)

RATIOS = (
    Ratio("hoidam-embedded", "plain-embedded", at_least=2.0),
    Ratio("hoidam-quick", "plain-quick", at_least=2.0),
    Ratio("hoidam-embedded", "plain-embedded-bf16"),
    Ratio("hoidam-embedded", "plain-embedded-sentences"),
    Ratio("hoidam-embedded", "plain-embedded-sentences-48"),
    Ratio("hoidam-embedded", "plain-embedded-sentences-48-bf16"),
    Ratio("hoidam-embedded-fp32", "plain-embedded"),
    Ratio("hoidam-embedded", "hoidam-embedded-fp32"),
    Ratio("hoidam-embedded-32", "hoidam-embedded"),
    Ratio("hoidam-embedded-128", "hoidam-embedded"),
    Ratio("hoidam-embedded-32", "plain-embedded-bf16-32"),
    Ratio("hoidam-embedded-128", "plain-embedded-bf16-128"),
    Ratio("hoidam-embedded-compiled", "hoidam-embedded"),
    Ratio("hoidam-embedded-128-compiled", "hoidam-embedded-128"),
    Ratio("hoidam-quick", "plain-quick-bf16"),
    Ratio("hoidam-quick", "plain-quick-bf16-frozen"),
    Ratio("hoidam-quick-128", "hoidam-quick"),
)
"""`at_least` is asked of a CPU alone."""
