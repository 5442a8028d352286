"""Cores that a process may use: never more than its affinity, its container's quota and OMP_NUM_THREADS say."""

import math
import os

import pytest

from hoidam import cores


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({}, math.inf),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1.5),
        ({"cpu.max": "nonsense"}, math.inf),
    ],
)
def test_the_quota_of_a_container_is_read_in_both_forms(tmp_path, files, allowed):
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert cores.cgroup_cores(tmp_path) == allowed


@pytest.mark.parametrize(
    ("affinity", "quota", "variable", "usable"),
    [
        (8, math.inf, None, 8),
        (8, 2.0, None, 2),
        (8, 1.5, None, 2),
        (8, 0.2, None, 1),
        (8, 4.0, "3", 3),
        (2, 9, "64", 2),
        (4, math.inf, "many", 4),
        (4, math.inf, "0", 1),
    ],
)
def test_the_least_of_all_limits_counts(monkeypatch, affinity, quota, variable, usable):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(affinity)), raising=False)
    monkeypatch.setattr(cores, "cgroup_cores", lambda: quota)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert cores.usable_cores() == usable
