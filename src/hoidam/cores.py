"""How many cores this process may use."""

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores by affinity, by the quota of the control group (a container's limit), and by OMP_NUM_THREADS; 1 or more.

    `os.cpu_count` counts the whole machine, so that a container with two cores of 64 would run 64 threads on them.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    limits = [affinity, cgroup_cores(), int(wanted) if wanted.isdecimal() else math.inf]
    return max(1, math.ceil(min(limits)))


def cgroup_cores(root: Path = _CGROUPS) -> float:
    """The cores that version 2 or version 1 of control groups allows; infinite where it sets no limit."""
    for quota, period in (("cpu.max", None), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = (root / quota).read_text(encoding="ascii").split()
            words += (root / period).read_text(encoding="ascii").split() if period else []
            allowed, each = (float(word) for word in words)
        except (OSError, ValueError):
            # Not there, or "max", which is no number.
            continue
        if allowed > 0 and each > 0:
            return allowed / each
    return math.inf
