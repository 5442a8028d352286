"""Worker processes: order, bounded reading ahead, questions, and one error when one of them ends."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hoidam.errors import DataError, WorkerError
from hoidam.tag.workers import ordered_map


@dataclass(frozen=True)
class Start:
    """Starts a worker that does what it is told."""

    kind: str = "square"

    def __call__(self, ask):
        if self.kind == "no start":
            raise DataError("broken", cure="Mend it")
        return getattr(self, self.kind)(ask)

    def square(self, ask):
        return lambda number: number * number

    def sleep(self, ask):
        return lambda seconds: time.sleep(seconds) or (os.getpid(), seconds)

    def question(self, ask):
        return lambda number: ask(number) + ask(-number)

    def fail(self, ask):
        def work(number):
            if number == 3:
                raise ZeroDivisionError("three")
            return number

        return work

    def die(self, ask):
        return lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == 5 else number


def test_results_come_in_the_order_of_what_was_given_whoever_is_faster():
    waits = [0.2, 0.0, 0.0, 0.1, 0.0, 0.0, 0.05, 0.0]
    found = list(ordered_map(Start("sleep"), waits, workers=3))
    assert [seconds for _, seconds in found] == waits
    processes = {process for process, _ in found}
    assert os.getpid() not in processes
    assert len(processes) > 1


def test_no_more_is_taken_than_is_needed_to_keep_the_workers_busy():
    taken = []

    def numbers():
        for number in range(1000):
            taken.append(number)
            yield number

    results = ordered_map(Start(), numbers(), workers=2)
    for given in range(30):
        assert next(results) == given * given
        assert len(taken) <= given + 4
    results.close()
    assert len(taken) < 40


def test_nothing_gives_nothing():
    assert list(ordered_map(Start(), [], workers=2)) == []


def test_workers_may_ask_the_process_that_started_them():
    found = list(ordered_map(Start("question"), range(20), workers=2, answer=lambda number: number * number))
    assert found == [2 * number * number for number in range(20)]


def test_a_worker_that_is_killed_is_one_error_with_a_cure():
    results = ordered_map(Start("die"), range(100), workers=2)
    with pytest.raises(WorkerError, match=r"^a worker process ended \(SIGKILL; .*Use fewer workers\)$"):
        list(results)


def test_a_defect_in_a_worker_is_shown_with_its_place():
    results = ordered_map(Start("fail"), range(100), workers=2)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(WorkerError, match=r"(?s)line \d+, in work.*ZeroDivisionError: three"):
        list(results)


def test_what_keeps_a_worker_from_starting_is_told_in_its_own_words():
    with pytest.raises(WorkerError, match=r"^broken\. Mend it$"):
        list(ordered_map(Start("no start"), range(3), workers=2))


SLEEPERS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_tag_workers import Start
from hoidam.tag.workers import ordered_map
for process, _ in ordered_map(Start("sleep"), [0.3] * 1000, workers=2):
    print(process, flush=True)
"""


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(ended_by):
    starter = subprocess.Popen([sys.executable, "-c", SLEEPERS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    workers = {int(starter.stdout.readline()) for _ in range(4)}
    started = time.monotonic()
    starter.send_signal(ended_by)
    starter.communicate(timeout=30)
    while any(Path(f"/proc/{worker}").exists() and running(worker) for worker in workers):
        assert time.monotonic() - started < 20
        time.sleep(0.05)


def running(process):
    """Whether it is more than an entry that nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
