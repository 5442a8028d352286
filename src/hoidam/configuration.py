"""What a project's pyproject.toml says under `[tool.hoidam]`, for commands that are not told otherwise."""

import tomllib
from pathlib import Path

from hoidam.errors import DataError

CONFIGURATION_NAME = "pyproject.toml"


def find_model(start: Path) -> Path:
    """The model folder that the nearest pyproject.toml with `[tool.hoidam] model = "FOLDER"` names, from `start` up.

    FOLDER is relative to that file. Raises DataError where no such file or a broken one is found.
    """
    for folder in (start.absolute(), *start.absolute().parents):
        path = folder / CONFIGURATION_NAME
        named = _model(path) if path.is_file() else None
        if named is not None:
            return folder / named
    raise DataError(
        f"no model named: none on the command line, none in a {CONFIGURATION_NAME} from {start.absolute()} up",
        cure='Give its folder with --model, or write [tool.hoidam] model = "FOLDER" there',
    )


def _model(path: Path) -> str | None:
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", path=path, cure="Mend it, or give --model FOLDER") from None
    table = tools.get("hoidam", {}) if isinstance(tools, dict) else tools
    if not isinstance(table, dict):
        raise DataError(f"is {table!r}", path=path, field="tool.hoidam", cure='Make it a table with model = "FOLDER"')
    if unknown := sorted(set(table) - {"model"}):
        raise DataError(f"unknown setting {unknown[0]!r}", path=path, field="tool.hoidam", cure="Known here: model")
    named = table.get("model")
    if named is not None and not isinstance(named, str):
        raise DataError(f"is {named!r}", path=path, field="tool.hoidam.model", cure="Give a folder's path")
    return named
