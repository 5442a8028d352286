"""Where numbers come from: the commit of the working folder."""

import subprocess


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
