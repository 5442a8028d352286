"""Encoders as local folders: the embedded one, one from the hub, or a folder rewritten in safetensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hoidam.encode.embedded import prepare_embedded
from hoidam.encode.pieces import PieceTable
from hoidam.errors import CheckpointError, DataError, HoidamError
from hoidam.files import whole_folder

EMBEDDED = "embedded"
CONFIG_NAME = "config.json"


def prepare(source: str, output: Path, *, force: bool = False) -> None:
    """Write encoder and tokenizer of `source` (`embedded`, a hub id or a folder) into the folder `output`.

    The folder appears whole or not at all. Raises MissingExtraError where the embedded encoder's package is not
    installed, CheckpointError where nothing can be loaded, and DataError where the folder is in the way; with `force`
    it is replaced, if it is an encoder's.
    """
    if force and output.exists() and not (output / CONFIG_NAME).is_file():
        raise DataError(f"is no encoder's folder (no {CONFIG_NAME} in it)", path=output, cure="Give another name")
    with whole_folder(output, force=force) as partial:
        if source == EMBEDDED:
            prepare_embedded(partial)
        else:
            _copy(source, partial)
        for path in partial.iterdir():
            if path.is_file():
                # safetensors writes files that nobody else may read.
                path.chmod(0o644)


def _copy(source: str, folder: Path) -> None:
    from transformers import AutoTokenizer

    cure = "Give `embedded`, a hub id, or a transformers folder with safetensors"
    model = load_weights(source, cure=cure)
    with loading("tokenizer", source=source, cure=cure):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        PieceTable(tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_weights(source: str, *, cure: str, **options: Any) -> Any:
    """Load an encoder by hub id or folder, safetensors only and without remote code; `options` go to transformers.

    Raises CheckpointError, with `cure`, where there is none or where the weights lack a tensor: transformers would
    begin that one at random. A pooler may be lacking, since nothing here reads it.
    """
    from transformers import AutoModel

    quieten_transformers()
    with loading("encoder", source=source, cure=cure):
        model, report = AutoModel.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False, output_loading_info=True, **options
        )
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        raise CheckpointError(f"{source}: the weights lack {len(missing)} tensors, {missing[0]} among them. {cure}")
    return model


@contextmanager
def loading(what: str, *, source: str, cure: str) -> Iterator[None]:
    """Turn whatever foreign code raises while it loads `source` into a CheckpointError of one line, with `cure`."""
    try:
        yield
    except HoidamError:
        raise
    except Exception as error:
        found = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise CheckpointError(f"{source}: no {what} could be loaded ({found}). {cure}") from None


def quieten_transformers() -> None:
    """Keep reports on weights that are left out on purpose, and bars for loads of a second, off the terminal."""
    from transformers.utils import logging

    library_logging: Any = logging
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
