"""Model folders: everything that tagging needs, written whole, loaded strictly.

A folder holds `hoidam.json` (scheme, reading, calibration, thresholds), `model.safetensors` (all weights) or
`model.onnx` (the network whole), `config.json` (the encoder's shape), the tokenizer's files, and a card. It holds no
pickle and no code.
"""

import json
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer

from hoidam.encode.pieces import PieceTable
from hoidam.encode.prepare import loading
from hoidam.encode.segmenters import SEGMENTER_NAMES, Segmenter, load_segmenter
from hoidam.encode.text import TextEncoder
from hoidam.errors import CheckpointError, DataError, RecipeError
from hoidam.files import file_sha256, whole_folder
from hoidam.labels import LabelScheme
from hoidam.model import TaggerModel, build_encoder, set_attention_dropout
from hoidam.networks import Network
from hoidam.networks.onnx import OnnxNetwork, write_onnx
from hoidam.networks.pytorch import TorchNetwork, choose_device, choose_precision
from hoidam.predict import Calibration, Prediction, Predictor, ScoreMap, Thresholds
from hoidam.weights import Storage, pack, unpack

FORMAT = 2
SETTINGS_NAME = "hoidam.json"
WEIGHTS_NAME = "model.safetensors"
ONNX_NAME = "model.onnx"
CARD_NAME = "README.md"

_COPY_AGAIN = "Copy the folder again"
_EXPORTED = "Weights"

Form = Literal["float32", "float16", "int8", "onnx", "onnx-int8"]
"""How a model folder stores its network: weights for torch, or a network for ONNX Runtime."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a model folder says of itself beside its weights."""

    name: str
    scheme: LabelScheme
    segmenter: str
    segmenter_version: str
    window_size: int
    window_overlap: int
    calibration: Calibration
    thresholds: Thresholds

    def decide(self, prediction: Prediction) -> Prediction:
        """What the model gives out of a prediction: calibrated, and what then reaches the thresholds."""
        return prediction.calibrated(self.calibration).above(self.thresholds)

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "labels": self.scheme.to_dict(),
            "segmenter": {"name": self.segmenter, "version": self.segmenter_version},
            "window": {"size": self.window_size, "overlap": self.window_overlap},
            "calibration": asdict(self.calibration),
            "thresholds": asdict(self.thresholds),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelSettings":
        """Read hoidam.json; raises KeyError, TypeError, AttributeError or DataError where it is not of this form."""
        scheme = LabelScheme.from_dict(data["labels"])
        return cls(
            name=_typed(data["name"], str),
            scheme=scheme,
            segmenter=_typed(data["segmenter"]["name"], str),
            segmenter_version=_typed(data["segmenter"]["version"], str),
            window_size=_typed(data["window"]["size"], int),
            window_overlap=_typed(data["window"]["overlap"], int),
            calibration=_calibration(data["calibration"], scheme),
            thresholds=_thresholds(data["thresholds"], scheme),
        )


def _typed(value: Any, kind: type[Value]) -> Value:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _calibration(data: Mapping[str, Any], scheme: LabelScheme) -> Calibration:
    spans = {name: ScoreMap(**_numbers(values)) for name, values in data["spans"].items()}
    _check_types(spans, scheme)
    return Calibration(**dict(data) | {"spans": spans, "categories": ScoreMap(**_numbers(data["categories"]))})


def _thresholds(data: Mapping[str, Any], scheme: LabelScheme) -> Thresholds:
    spans = _numbers(data["spans"])
    _check_types(spans, scheme)
    others = {name: value for name, value in data.items() if name != "spans"}
    return Thresholds(spans, **_numbers(others))


def _check_types(names: Iterable[str], scheme: LabelScheme) -> None:
    for name in names:
        if name not in scheme.type_names:
            raise KeyError(f"{name!r}, which is no span type")


def _numbers(data: Mapping[str, Any]) -> dict[str, float]:
    return {name: _typed(float(value) if type(value) is int else value, float) for name, value in data.items()}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to tag, its settings, and `identity`: its name and the first digits of its weights' hash."""

    predictor: Predictor
    settings: ModelSettings
    identity: str


def save_model(
    folder: Path,
    *,
    model: TaggerModel,
    tokenizer: Any,
    settings: ModelSettings,
    card: str,
    storage: Storage = "float32",
) -> None:
    """Write a model into an existing, empty folder."""
    _save_weights(folder, model.state_dict(), storage=storage)
    model.encoder.config.save_pretrained(folder)  # type: ignore[union-attr,operator]
    tokenizer.save_pretrained(folder)
    _write_record(folder, settings.to_dict())
    (folder / CARD_NAME).write_text(card, encoding="utf-8")


def export_model(
    source: Path,
    output: Path,
    *,
    form: Form,
    sections: Mapping[str, str] | None = None,
    check: Callable[[Path], str] = lambda folder: "",
    force: bool = False,
) -> None:
    """Write a model folder anew with its weights in another form, and its card with what more is known of it.

    The model takes the name of its new folder. `check` is given the folder before it takes its name: what it raises
    undoes the export, what it returns goes into the card. `sections` are added to the card, Markdown by heading;
    those of an earlier export, of other weights, go. Raises CheckpointError where `source` is not a whole model with
    weights and DataError where `output` is in the way; with `force` it is replaced, if it is a model's.
    """
    settings, hashes = read_settings(source)
    weights = read_weights(source)
    if force and output.exists() and not (output / SETTINGS_NAME).is_file():
        raise DataError(f"is no model's folder (no {SETTINGS_NAME} in it)", path=output, cure="Give another name")
    with loading("model", source=str(source), cure=_COPY_AGAIN):
        card, _, _ = (source / CARD_NAME).read_text(encoding="utf-8").partition(f"\n## {_EXPORTED}\n")
    with whole_folder(output, force=force) as partial:
        for name in hashes.keys() - {WEIGHTS_NAME}:
            shutil.copyfile(source / name, partial / name)
        if form in ("float32", "float16", "int8"):
            _save_weights(partial, weights, storage=form)
        else:
            network = _load_network(source, settings, attention="eager")
            write_onnx(network, partial / ONNX_NAME, quantise=form == "onnx-int8")
        _write_record(partial, _read_record(source / SETTINGS_NAME) | {"name": output.name})
        checked = check(partial)
        _, _, body = card.partition("\n")
        added = {_EXPORTED: " ".join(filter(None, [f"Stored as {form}.", checked]))} | dict(sections or {})
        title = "\n\n".join([f"# {output.name}", *filter(None, [body.strip()])])
        parts = [title, *(f"## {heading}\n\n{text.strip()}" for heading, text in added.items())]
        (partial / CARD_NAME).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """A model folder's weights by name, in float32; raises CheckpointError where they are not there, whole."""
    _check_weights(folder)
    with loading("model", source=str(folder), cure=_COPY_AGAIN):
        return unpack(load_file(folder / WEIGHTS_NAME))


def _check_weights(folder: Path) -> ModelSettings:
    """The settings of a model folder that holds weights, and every file as it was written."""
    settings, hashes = read_settings(folder)
    if WEIGHTS_NAME not in hashes:
        raise CheckpointError(f"{folder}: holds no weights ({WEIGHTS_NAME}). Give the model that it was made of")
    _check_files(folder, hashes)
    return settings


def _save_weights(folder: Path, weights: Mapping[str, torch.Tensor], *, storage: Storage) -> None:
    save_file(pack(weights, storage=storage), folder / WEIGHTS_NAME, metadata={"format": "pt"})
    # safetensors writes files that nobody else may read.
    (folder / WEIGHTS_NAME).chmod(0o644)


def _write_record(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write hoidam.json last but for the card: it names the hash of every other file."""
    record = dict(settings) | {"sha256": {path.name: file_sha256(path) for path in sorted(folder.iterdir())}}
    (folder / SETTINGS_NAME).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def load_model(
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "fp32",
    scheme: LabelScheme | None = None,
    threads: int | None = None,
    network: Network | None = None,
) -> LoadedModel:
    """Load a model folder for tagging; what the folder holds says what runs it.

    A `network` that is given stands in for the folder's own, which is then not loaded. `threads` are those of a CPU, by
    default as many as there are cores. Raises RecipeError on a device or precision that is not to be had, and
    CheckpointError where the folder is missing, incomplete, changed since it was written, made by another
    format, in need of another segmenter, or made for another scheme than the `scheme` that the caller works with.
    """
    settings, hashes = read_settings(folder)
    if scheme is not None:
        _check_scheme(folder, settings.scheme, scheme)
    segmenter = _load_segmenter(folder, settings)
    _check_files(folder, hashes)
    tokenizer = load_tokenizer(str(folder))
    encoder = TextEncoder(PieceTable(tokenizer), segmenter, size=settings.window_size, overlap=settings.window_overlap)
    if network is None:
        load = _load_onnx if ONNX_NAME in hashes else _load_torch
        network = load(folder, settings, device=device, precision=precision, threads=threads)
    predictor = Predictor(network, encoder=encoder, scheme=settings.scheme)
    stored = hashes[ONNX_NAME if ONNX_NAME in hashes else WEIGHTS_NAME]
    return LoadedModel(predictor, settings, f"{settings.name}@{stored[:12]}")


def load_trainable(
    folder: Path, *, scheme: LabelScheme, attention: str | None, attention_dropout: float, dropout: float
) -> TaggerModel:
    """The network of a model folder, in float32, to be trained further.

    Raises CheckpointError where the folder is no whole model with weights, or one of other labels.
    """
    settings = _check_weights(folder)
    _check_scheme(folder, settings.scheme, scheme)
    return _load_network(
        folder, settings, attention=attention, attention_dropout=attention_dropout, dropout=dropout
    ).train()


def _check_scheme(folder: Path, own: LabelScheme, wanted: LabelScheme) -> None:
    if own.sha256 != wanted.sha256:
        raise CheckpointError(
            f"{folder}: the model was trained with other labels "
            f"({', '.join(own.type_names)}; {len(own.categories)} categories) than these "
            f"({', '.join(wanted.type_names)}; {len(wanted.categories)} categories). Use the labels of its training"
        )


def _load_torch(
    folder: Path, settings: ModelSettings, *, device: str, precision: str, threads: int | None
) -> TorchNetwork:
    place = choose_device(device)
    precision = choose_precision(precision, device=place)
    return TorchNetwork(_load_network(folder, settings), device=place, precision=precision, threads=threads)


def _load_onnx(
    folder: Path, settings: ModelSettings, *, device: str, precision: str, threads: int | None
) -> OnnxNetwork:
    if device not in ("auto", "cpu"):
        raise RecipeError(f"device: {device!r}, and {folder} holds a network for the CPU. Use auto or cpu")
    if precision not in ("auto", "fp32"):
        raise RecipeError(f"precision: {precision!r}, and {folder} holds a network with its own. Use auto")
    with loading("model", source=str(folder), cure=_COPY_AGAIN):
        return OnnxNetwork(folder / ONNX_NAME, threads=threads)


def read_settings(folder: Path) -> tuple[ModelSettings, dict[str, str]]:
    """The settings of a model folder and the hashes that its files must have; raises CheckpointError."""
    path = folder / SETTINGS_NAME
    if not path.is_file():
        what = "no model here" if folder.is_dir() else "no such folder"
        raise CheckpointError(
            f"{folder}: {what} (looked for {SETTINGS_NAME}). "
            "Train one with `hoidam train`, or give its folder with --model"
        )
    data = _read_record(path)
    try:
        if data["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: format {data['format']}, and this version of hoidam reads format {FORMAT}. "
                "Install the version that wrote it, or train again"
            )
        hashes = {name: _typed(hash_, str) for name, hash_ in data["sha256"].items()}
        if len({WEIGHTS_NAME, ONNX_NAME} & hashes.keys()) != 1:
            raise KeyError(WEIGHTS_NAME)
        return ModelSettings.from_dict(data), hashes
    except (AttributeError, KeyError, TypeError, DataError) as error:
        raise CheckpointError(f"{path}: not a model's settings ({error!r}). {_COPY_AGAIN}") from None


def _read_record(path: Path) -> dict[str, Any]:
    try:
        return _typed(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a model's settings ({error!r}). {_COPY_AGAIN}") from None


def load_tokenizer(source: str) -> Any:
    """Load the tokenizer of a hub id or folder, without remote code; raises CheckpointError where there is none."""
    with loading("tokenizer", source=source, cure="Give a hub id, or a folder that is whole"):
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


def _load_segmenter(folder: Path, settings: ModelSettings) -> Segmenter:
    if settings.segmenter not in SEGMENTER_NAMES:
        raise CheckpointError(
            f"{folder}: trained with the segmenter {settings.segmenter!r}, which this version of hoidam does not have. "
            "Install the version that wrote it"
        )
    try:
        return load_segmenter(settings.segmenter, version=settings.segmenter_version)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from None


def _check_files(folder: Path, hashes: Mapping[str, str]) -> None:
    for name, wanted in hashes.items():
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name}: missing. {_COPY_AGAIN}")
        if file_sha256(folder / name) != wanted:
            raise CheckpointError(f"{folder / name}: not the file that {SETTINGS_NAME} names. {_COPY_AGAIN}")


def _load_network(
    folder: Path,
    settings: ModelSettings,
    *,
    attention: str | None = None,
    attention_dropout: float | None = None,
    dropout: float = 0.0,
) -> TaggerModel:
    with loading("model", source=str(folder), cure=_COPY_AGAIN):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, attn_implementation=attention)
        if attention_dropout is not None:
            set_attention_dropout(config, attention_dropout)
        encoder = build_encoder(config)
        model = TaggerModel(
            encoder, types=len(settings.scheme.types), categories=len(settings.scheme.categories), dropout=dropout
        )
        model.load_state_dict(unpack(load_file(folder / WEIGHTS_NAME)))
    return model.eval()


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
