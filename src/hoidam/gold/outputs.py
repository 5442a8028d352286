"""What an import writes: articles and their gold, both or neither, and never over what was read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hoidam.document import Annotated
from hoidam.errors import DataError
from hoidam.files import json_line, refuse_inputs, refuse_overwrite, whole_file, write_json_lines


def check_outputs(articles: Path, gold: Path, *, inputs: Sequence[Path], force: bool) -> None:
    """Raise DataError where an output exists and `force` is not given, is one of the inputs, or where both are one."""
    if articles.resolve() == gold.resolve():
        raise DataError("articles and gold would go to one file", path=gold, cure="Give two names")
    for path in (articles, gold):
        refuse_inputs(path, inputs)
        refuse_overwrite(path, force=force)


def write_outputs(annotated: Iterable[Annotated], *, articles: Path, gold: Path, force: bool) -> None:
    """Write both files; where the second fails, the first does not appear."""
    found = list(annotated)
    with whole_file(articles, force=force) as stream:
        stream.writelines(json_line(one.article.to_dict()) for one in found)
        write_json_lines(gold, (one.to_dict() for one in found), force=force)
