"""The shape of the project: imports run one way, labels are data, and each root folder holds what its README says."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hoidam.labels import read_labels
from hoidam.train.recipe import read_recipe

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "hoidam"

BROUGHT = ("data/phoner/", "data/phoner-word/")
"""Where recipes look for corpora that a user brings; git ignores them."""

LEVELS: list[set[str]] = [
    {"errors", "processes"},
    {"configuration", "cores", "files", "labels", "pages", "progress", "provenance", "stores"},
    {"document", "gazetteer"},
    {"ingest", "gold", "encode", "evaluate"},
    {"model", "decode", "weights"},
    {"networks"},
    {"predict"},
    {"checkpoint"},
    {"train", "tag"},
    {"serve"},
    {"cli"},
    {"__main__"},
]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    return [*module.split("."), ""][1]


def imported_parts(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {part_of(name.name) for name in node.names if name.name.startswith("hoidam.")}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module and node.module.startswith("hoidam."):
                found.add(part_of(node.module))
    return found


def level_of(part: str) -> int:
    return next(level for level, parts in enumerate(LEVELS) if part in parts)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        own = "cli"
    for part in imported_parts(path) - {own}:
        assert level_of(part) < level_of(own), f"{own} must not import {part}"


def test_every_module_has_its_level():
    known = set().union(*LEVELS)
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()} - {"__init__"}
    assert parts == known


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_in_the_package_names_a_label_or_finds_files_by_its_own_place(path):
    scheme = read_labels(ROOT / "annotations" / "labels.toml")
    text = path.read_text(encoding="utf-8")
    assert "__file__" not in text
    tree = ast.parse(text)
    documented = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docstrings = {ast.get_docstring(node, clean=False) for node in documented}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docstrings:
            words = set(re.findall(r"[A-Z_]{4,}", node.value))
            assert not re.search(r"\b(annotations|data|eval|models|training)/", node.value), f"{path}: {node.value!r}"
            assert not words & {*scheme.type_names, *scheme.category_names}, f"{path} names a label: {node.value!r}"


def test_the_base_and_the_offset_packages_start_without_torch():
    code = (
        "import sys, hoidam.cli, hoidam.document, hoidam.evaluate, hoidam.gold.check, hoidam.ingest.readers;"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("folder", ["data", "annotations", "training", "models", "eval"])
def test_a_root_folder_holds_what_its_readme_says(folder):
    readme = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in readme.splitlines() if line.startswith("| `")]
    named = {name for row in rows for cell in re.findall(r"`([^`]+)`", row) for name in expand(cell)}
    ignored = {name for name in named if name.isupper() or "NAME" in name}
    for name in named - ignored:
        assert (ROOT / folder / name).exists(), f"{folder}/README.md promises {name}"
    tracked = {path.name for path in (ROOT / folder).iterdir() if not path.name.startswith(".")}
    tops = {name.split("/")[0] for name in named} | {"README.md"}
    assert tracked <= tops | {"runs", *(Path(name).name for name in BROUGHT)}, (
        f"{folder}/README.md does not say what these are: {tracked - tops}"
    )


def expand(name: str) -> list[str]:
    match = re.search(r"\{([^}]*)\}", name)
    if not match:
        return [name]
    return [name.replace(match.group(), choice) for choice in match.group(1).split(",")]


@pytest.mark.parametrize("path", sorted((ROOT / "training").glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_named_after_its_file(path):
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.description
    for name in (recipe.data.labels, *recipe.data.articles, *recipe.data.train, *recipe.data.dev):
        assert (ROOT / name).is_file() or name.startswith(BROUGHT)


def test_the_constraints_pin_every_dependency_within_its_range():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(
        line.strip().lower().replace("_", "-").split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    )
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    # An extra may take in others of the project.
    for requirement in (found for found in map(Requirement, wanted) if found.name != project["name"]):
        pinned = pins.get(requirement.name.lower().replace("_", "-"))
        assert pinned is not None, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(pinned), f"{requirement} does not allow {pinned}"


def test_the_package_runs_as_a_module():
    run = [sys.executable, "-m", "hoidam", "train", "no-such-recipe.toml"]
    finished = subprocess.run(run, check=False, capture_output=True, text=True)
    assert finished.returncode != 0
    assert "no-such-recipe.toml" in finished.stderr
    assert "Traceback" not in finished.stderr
