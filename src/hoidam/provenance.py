"""Where numbers come from: the command, the commit of the working folder, the versions of what computes."""

import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "datasets", "numpy")


def command() -> str:
    """The command line of this run, as a shell takes it."""
    program = Path(sys.argv[0])
    module = ["python", "-m", program.parent.name] if program.name == "__main__.py" else [program.name]
    return shlex.join([*module, *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in _PACKAGES}


def commit() -> str | None:
    """The commit that is checked out here, marked where files differ from it; None outside a git repository."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
