"""Model folders: everything that tagging needs, written whole, loaded strictly.

A folder holds `hoidam.json` (scheme, reading, thresholds), `model.safetensors` (all weights), `config.json` (the
encoder's shape), the tokenizer's files, and a card. It holds no pickle and no code.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer

from hoidam.encode.pieces import PieceTable
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.text import TextEncoder
from hoidam.errors import CheckpointError, DataError
from hoidam.labels import LabelScheme
from hoidam.model import TaggerModel, build_encoder
from hoidam.predict import Predictor, Thresholds

FORMAT = 1
SETTINGS_NAME = "hoidam.json"
WEIGHTS_NAME = "model.safetensors"
CARD_NAME = "README.md"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a model folder says of itself beside its weights."""

    name: str
    scheme: LabelScheme
    segmenter: str
    segmenter_version: str
    window_size: int
    window_overlap: int
    thresholds: Thresholds

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "labels": self.scheme.to_dict(),
            "segmenter": {"name": self.segmenter, "version": self.segmenter_version},
            "window": {"size": self.window_size, "overlap": self.window_overlap},
            "thresholds": asdict(self.thresholds),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelSettings":
        """Read hoidam.json; raises KeyError, TypeError or DataError where it is not of this form."""
        return cls(
            name=data["name"],
            scheme=LabelScheme.from_dict(data["labels"]),
            segmenter=data["segmenter"]["name"],
            segmenter_version=data["segmenter"]["version"],
            window_size=data["window"]["size"],
            window_overlap=data["window"]["overlap"],
            thresholds=Thresholds(**data["thresholds"]),
        )


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to tag, its settings, and `identity`: its name and the first digits of its weights' hash."""

    predictor: Predictor
    settings: ModelSettings
    identity: str


def save_model(
    folder: Path, *, model: TaggerModel, tokenizer: Any, settings: ModelSettings, card: str, half: bool = False
) -> None:
    """Write a model into an existing, empty folder; with `half`, weights in half precision, at half the size."""
    tensors = {
        name: value.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
        for name, value in model.state_dict().items()
        if value.is_floating_point()
    }
    save_file(tensors, folder / WEIGHTS_NAME, metadata={"format": "pt"})
    (folder / WEIGHTS_NAME).chmod(0o644)
    model.encoder.config.save_pretrained(folder)  # type: ignore[union-attr,operator]
    tokenizer.save_pretrained(folder)
    record = settings.to_dict() | {"weights_sha256": _sha256(folder / WEIGHTS_NAME)}
    (folder / SETTINGS_NAME).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (folder / CARD_NAME).write_text(card, encoding="utf-8")


def load_model(
    folder: Path, *, device: torch.device, precision: str = "fp32", scheme: LabelScheme | None = None
) -> LoadedModel:
    """Load a model folder for tagging.

    Raises CheckpointError where the folder is missing, incomplete, changed since it was written, made by another
    format, in need of another segmenter, or made for another scheme than the `scheme` that the caller works with.
    """
    settings, weights_sha256 = read_settings(folder)
    if scheme is not None and scheme.sha256 != settings.scheme.sha256:
        raise CheckpointError(
            f"{folder}: the model was trained with other labels "
            f"({', '.join(settings.scheme.type_names)}; {len(settings.scheme.categories)} categories) than these "
            f"({', '.join(scheme.type_names)}; {len(scheme.categories)} categories). Use the labels of its training"
        )
    segmenter = load_segmenter(settings.segmenter, version=settings.segmenter_version)
    model = _load_network(folder, settings=settings, weights_sha256=weights_sha256)
    tokenizer = load_tokenizer(str(folder))
    encoder = TextEncoder(PieceTable(tokenizer), segmenter, size=settings.window_size, overlap=settings.window_overlap)
    predictor = Predictor(
        model.to(device).eval(), encoder=encoder, scheme=settings.scheme, device=device, precision=precision
    )
    return LoadedModel(predictor, settings, f"{settings.name}@{weights_sha256[:12]}")


def read_settings(folder: Path) -> tuple[ModelSettings, str]:
    """The settings of a model folder and the hash that its weights must have; raises CheckpointError."""
    path = folder / SETTINGS_NAME
    if not path.is_file():
        what = "no model here" if folder.is_dir() else "no such folder"
        raise CheckpointError(
            f"{folder}: {what} (looked for {SETTINGS_NAME}). "
            "Train one with `hoidam train`, or give its folder with --model"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise CheckpointError(f"{path}: format {data['format']}; this version of hoidam reads format {FORMAT}")
        return ModelSettings.from_dict(data), str(data["weights_sha256"])
    except (ValueError, KeyError, TypeError, DataError) as error:
        raise CheckpointError(f"{path}: not a model's settings ({error!r}). Copy the folder again") from None


def load_tokenizer(source: str) -> Any:
    """Load the tokenizer of a hub id or folder, without remote code; raises CheckpointError where there is none."""
    try:
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{source}: no tokenizer could be loaded ({str(error).splitlines()[0]})") from None


def _load_network(folder: Path, *, settings: ModelSettings, weights_sha256: str) -> TaggerModel:
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():
        raise CheckpointError(f"{weights}: missing. Copy the folder again")
    if _sha256(weights) != weights_sha256:
        raise CheckpointError(f"{weights}: not the weights that {SETTINGS_NAME} names. Copy the folder again")
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        encoder = build_encoder(config)
        model = TaggerModel(encoder, types=len(settings.scheme.types), categories=len(settings.scheme.categories))
        tensors = {name: value.float() for name, value in load_file(weights).items()}
        model.load_state_dict(tensors)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: weights and settings do not fit ({str(error).splitlines()[0]})") from None
    return model


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_hardware() -> dict[str, Any]:
    """Processor, cores and GPU of this machine, as reports and cards name them."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _processor_name(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
