"""The launch files: valid shell that starts the command line with recipes that exist and options that it has."""

import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from hoidam.train.recipe import read_recipe

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "training" / "launch").iterdir())
PYTHON = '#!/usr/bin/env bash\necho python "$@"\n'
SRUN = '#!/usr/bin/env bash\n"$@"\n'
SCONTROL = "#!/usr/bin/env bash\necho node-1\necho node-2\n"


@pytest.fixture
def started(tmp_path):
    """A launch file's last command, run in a copy of the root folder with stand-ins for Python and Slurm."""
    (tmp_path / "bin").mkdir()
    for name, script in (("python", PYTHON), ("srun", SRUN), ("scontrol", SCONTROL)):
        path = tmp_path / "bin" / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
    shutil.copytree(ROOT / "training" / "launch", tmp_path / "training" / "launch")
    slurm = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "7", "SLURM_NNODES": "2", "SLURM_GPUS_ON_NODE": "8"}
    known = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHON": "python", "SLURM_JOB_NODELIST": "node-[1-2]"}

    def start(path, *options):
        command = ["bash", str(tmp_path / path.relative_to(ROOT)), *options]
        finished = subprocess.run(command, check=True, capture_output=True, text=True, env=slurm | known, timeout=60)
        return finished.stdout.splitlines()[-1].split()

    return start


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_launch_file_starts_training_by_a_recipe_that_exists(path, started, console, tmp_path):
    subprocess.run(["bash", "-n", path], check=True)
    assert "# Change: " in path.read_text(encoding="utf-8")
    words = started(path)
    train = words.index("train")
    assert words[train - 2 : train] == ["-m", "hoidam"]
    changes = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    recipe = read_recipe(ROOT / words[train + 1], changes=changes)
    options = dict(pairwise(words))
    gpus = int(options.get("--nproc-per-node", 1)) * int(options.get("--nnodes", 1))
    tuned = read_recipe(ROOT / words[train + 1]).training.batch_size
    assert recipe.training.batch_size * gpus == tuned
    known = set(re.findall(r"--[a-z-]+", console("train", "--help").stdout))
    assert {word for word in words[train:] if word.startswith("--")} <= known


def test_a_job_that_queued_again_resumes_its_run(started, tmp_path):
    path = ROOT / "training" / "launch" / "slurm.sbatch"
    words = started(path)
    assert "--resume" not in words
    assert words[words.index("--rdzv-endpoint") + 1] == "node-1:29500"
    folder = tmp_path / words[words.index("--output") + 1]
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text("", encoding="utf-8")
    assert started(path)[-1] == "--resume"


def test_options_are_handed_on(started):
    for name in ("one-gpu.sh", "one-node-8.sh"):
        path = ROOT / "training" / "launch" / name
        options = ["--resume"] if "node" in name else ["training/quick.toml", "--resume"]
        assert started(path, *options)[-1] == "--resume"
