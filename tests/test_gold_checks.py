"""The settings of checks: the shipped file fits the shipped labels, and every wrong key is named."""

from pathlib import Path

import pytest

from hoidam.errors import DataError
from hoidam.gold.checks import Checks, TypeChecks, read_checks
from hoidam.gold.mistakes import MistakesError
from hoidam.labels import LabelScheme, SpanType, read_labels

ANNOTATIONS = Path(__file__).parents[1] / "annotations"
SCHEME = LabelScheme(types=(SpanType("WHO"), SpanType("WHERE")))


def read(tmp_path: Path, text: str) -> Checks:
    (tmp_path / "checks.toml").write_text(text, encoding="utf-8")
    return read_checks(tmp_path / "checks.toml", scheme=SCHEME)


def test_the_shipped_checks_fit_the_shipped_labels():
    scheme = read_labels(ANNOTATIONS / "labels.toml")
    checks = read_checks(ANNOTATIONS / "checks.toml", scheme=scheme)
    assert set(checks.types) == set(scheme.type_names)
    assert checks.meta_values["cooperation"] == ("yes", "no")
    assert all(listed.reason for listed in checks.exceptions)


def test_settings_are_read_as_they_stand(tmp_path: Path):
    checks = read(
        tmp_path,
        """
        near_duplicate = 0.5
        [types.WHERE]
        never_starts_with = ["hai"]
        nests_in = ["WHO"]
        comma_names = []
        tag_repeats = true
        max_words = 5
        [meta_with_categories]
        cooperation = "yes"
        [[exceptions]]
        article = "a"
        rule = "comma"
        snippet = "x, y"
        reason = "a name"
        """,
    )
    assert checks.near_duplicate == 0.5
    wanted = TypeChecks(never_starts_with=("hai",), nests_in=("WHO",), comma_names=(), tag_repeats=True, max_words=5)
    assert checks.of("WHERE") == wanted
    assert checks.of("WHO") == TypeChecks()
    assert checks.meta_with_categories == {"cooperation": "yes"}
    assert [listed.snippet for listed in checks.exceptions] == ["x, y"]


def test_every_wrong_setting_is_named_at_once(tmp_path: Path):
    with pytest.raises(MistakesError) as caught:
        read(
            tmp_path,
            """
            nearduplicate = 0.5
            near_duplicate = 2
            sentence_words = true
            types.NOBODY.tag_repeats = true
            types.WHO.tag_repeats = "yes"
            types.WHO.max_words = 0
            types.WHO.needs = ["HERE"]
            types.WHO.colour = "red"
            types.WHO.never_starts_with = ["ông", ""]
            types.WHERE.untagged_in = ["tiếng", "{a} và {}", "Bộ {country}"]
            meta_values.outlet = "paper"
            meta_with_categories.cooperation = true
            exceptions = [{article = "a", rule = "comma"}]
            """,
        )
    fields = [mistake.field for mistake in caught.value.mistakes]
    assert sorted(fields, key=str) == [
        "exceptions",
        "meta_values.outlet",
        "meta_with_categories.cooperation",
        "near_duplicate",
        "nearduplicate",
        "sentence_words",
        "types.NOBODY",
        "types.WHERE.untagged_in",
        "types.WHERE.untagged_in",
        "types.WHERE.untagged_in",
        "types.WHO.colour",
        "types.WHO.max_words",
        "types.WHO.needs",
        "types.WHO.never_starts_with",
        "types.WHO.tag_repeats",
    ]
    assert all(str(mistake.path).endswith("checks.toml") and mistake.cure for mistake in caught.value.mistakes)


@pytest.mark.parametrize("text", ["types = 3", "types.WHO = 3", "names = 3", "meta_values = []"])
def test_a_value_where_a_table_belongs_is_refused(tmp_path: Path, text: str):
    with pytest.raises(DataError, match="Give a table"):
        read(tmp_path, text)


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read"):
        read_checks(tmp_path / "none.toml", scheme=SCHEME)
    with pytest.raises(DataError, match="not TOML"):
        read(tmp_path, "types = [")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("tiếng {}", "học tiếng Lào", True),
        ("tiếng {}", "học Tiếng Lào", True),
        ("tiếng {}", "nướctiếng Lào", False),
        ("tiếng {}", "tiếng, Lào", False),
        ("{} quán", "Lào quán", True),
        ("{} quán", "Lào quánh", False),
        ("Mặt trận {} xây dựng", "Mặt trận Lào xây dựng", True),
        ("Mặt trận {} xây dựng", "Mặt trận Lào", False),
        ("Bộ … {country}", "Bộ Công an Lào", True),
        ("Bộ … {country}", "Bộ Lào", True),
        ("Bộ … {country}", "Bộ Công an, Lào", False),
        ("Bộ … {country}", "Bộ Công an\nLào", False),
        ("Bộ … {country}", "cán Bộ Công an Lào", True),
        ("Sở … {country}", "Bộ Công an Lào", False),
        ("Bộ … {town}", "Bộ Công an Lào", False),
    ],
)
def test_a_context_fits_where_its_words_stand(tmp_path: Path, pattern: str, text: str, fits: bool):
    names = 'names.country = ["lào"]\nnames.town = ["Vinh"]\n'
    checks = read(tmp_path, f'{names}types.WHERE.untagged_in = ["{pattern}"]')
    (context,) = checks.of("WHERE").untagged_in
    start = text.index("Lào")
    assert context.fits(text, start, start + 3) == fits
