"""The model that a project names for itself."""

import pytest

from hoidam.configuration import find_model
from hoidam.errors import DataError


def test_the_nearest_file_that_names_a_model_counts_and_the_path_is_relative_to_it(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.hoidam]\nmodel = "shelf/mine"\n')
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    assert find_model(inner) == tmp_path / "shelf" / "mine"
    (inner / "pyproject.toml").write_text('[tool.hoidam]\nmodel = "other"\n')
    assert find_model(inner) == inner / "other"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tool = [", "cannot be read"),
        ("[tool.hoidam]\nmodel = 3\n", "tool.hoidam.model: is 3. Give a folder's path"),
        ("[tool]\nhoidam = 3\n", "tool.hoidam: is 3. Make it a table"),
        ("tool = 3\n", "tool.hoidam: is 3. Make it a table"),
        ('[tool.hoidam]\nmodle = "x"\n', "tool.hoidam: unknown setting 'modle'. Known here: model"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, text, message):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(DataError) as caught:
        find_model(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'}: ")
    assert message in str(caught.value)


def test_where_none_is_named_the_message_says_how_to_name_one(tmp_path):
    with pytest.raises(DataError, match="Give its folder with --model"):
        find_model(tmp_path)
