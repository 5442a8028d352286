"""The Makefile's rules for runs: the missing are trained, the stopped go on, those older than their data stop."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEARNT_FROM = (
    "training/embedded.toml",
    "annotations/labels.toml",
    *(f"{folder}/{part}.jsonl" for part in ("train", "dev") for folder in ("data/articles", "annotations/gold")),
)
STUDENT_FROM = ("training/student.toml", "data/articles/unlabelled.jsonl")
STUB = """#!/bin/sh
echo "$@" >> calls
while [ "$1" != --output ]; do shift; done
mkdir -p "$2/model"
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def project(tmp_path):
    """A project with files of one age, and in place of training a script that notes how it was called."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (*LEARNT_FROM, *STUDENT_FROM, "pyproject.toml", "constraints.txt", ".venv/ready", ".venv/bin/hoidam"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(STUB)
        os.utime(tmp_path / name, (1e9, 1e9))
    (tmp_path / ".venv" / "bin" / "hoidam").chmod(0o755)
    (tmp_path / "models" / "encoders" / "embedded").mkdir(parents=True)
    return tmp_path


def make(project, run):
    """Make a run's model; gives the exit status, what is said of errors, and how training was called."""
    (project / "calls").write_text("")
    command = ["make", f"training/runs/{run}/model"]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    return done.returncode, done.stderr, (project / "calls").read_text().splitlines()


def test_a_run_is_trained_once_and_goes_on_where_it_was_stopped(project):
    train = "train training/embedded.toml --output training/runs/shipped-2"
    (project / "training" / "runs" / "shipped-2").mkdir(parents=True)
    assert make(project, "shipped-2") == (0, "", [f"{train} --resume --set seed=2"])
    assert make(project, "shipped-2") == (0, "", [])
    shutil.rmtree(project / "training" / "runs" / "shipped-2")
    assert make(project, "shipped-2") == (0, "", [f"{train} --set seed=2"])


@pytest.mark.parametrize(
    ("run", "changed"),
    [
        *(("shipped-2", name) for name in LEARNT_FROM),
        *(("student", name) for name in (*STUDENT_FROM, "training/runs/shipped-1/model")),
    ],
)
def test_a_finished_run_that_is_older_than_what_it_learnt_from_stops_with_the_cure(run, changed, project):
    assert make(project, run)[0] == 0
    model = project / "training" / "runs" / run / "model"
    for path, age in ((model.parent.parent / "shipped-1" / "model", 1.1e9), (model, 1.2e9), (project / changed, 1.3e9)):
        if path.exists():
            os.utime(path, (age, age))
    status, said, calls = make(project, run)
    folder = f"training/runs/{run}"
    assert (
        f"{folder} is older than its data or recipe: rm -r it to train anew, or touch {folder}/model to keep it" in said
    )
    assert (status, calls) == (2, [])
    assert model.is_dir()
    model.touch()
    assert make(project, run) == (0, "", [])
