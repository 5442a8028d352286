"""The texts behind a tagged file, read again from where they came."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hoidam.files import read_json_lines
from hoidam.ingest.readers import Document, read_inputs


def read_texts(
    tagged: Path, *, inputs: Sequence[str] = (), text_column: str = "text", id_column: str = "id"
) -> dict[str, str]:
    """Texts by id, from `inputs` or else from the places that the tagged records name as their source.

    Raises DataError where the tagged file is not JSON lines; an input that cannot be read gives no text.
    """
    read = partial(read_inputs, text_column=text_column, id_column=id_column)
    if inputs:
        return {item.id: item.text for item in read(inputs) if isinstance(item, Document)}
    sources = {str(record.get("id")): str(record.get("source")) for _, record in read_json_lines(tagged)}
    files = list(dict.fromkeys(map(_file, sources.values())))
    # By place and not by id: the name that a file or record is given depends on what else was read with it.
    texts = {item.source: item.text for item in read(files) if isinstance(item, Document)}
    return {name: texts[source] for name, source in sources.items() if source in texts}


def _file(source: str) -> str:
    """The file of a source, which for a record ends in its line or row."""
    file, colon, place = source.rpartition(":")
    return file if colon and place.isdigit() and not Path(source).exists() else source
