"""Encoders as local folders: the embedded one, one from the hub, or a folder rewritten in safetensors."""

from pathlib import Path

from hoidam.encode.embedded import prepare_embedded
from hoidam.errors import CheckpointError
from hoidam.files import whole_folder

EMBEDDED = "embedded"


def prepare(source: str, output: Path, *, force: bool = False) -> None:
    """Write encoder and tokenizer of `source` (`embedded`, a hub id or a folder) into the folder `output`.

    The folder appears whole or not at all. Raises MissingExtraError where the embedded encoder's package is not
    installed, CheckpointError where nothing can be loaded, and DataError where the folder is in the way.
    """
    with whole_folder(output, force=force) as partial:
        if source == EMBEDDED:
            prepare_embedded(partial)
        else:
            _copy(source, partial)


def _copy(source: str, folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    try:
        model = AutoModel.from_pretrained(source, use_safetensors=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{source}: no encoder could be loaded ({str(error).splitlines()[0]}). "
            "Give `embedded`, a hub id, or a transformers folder with safetensors"
        ) from None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
