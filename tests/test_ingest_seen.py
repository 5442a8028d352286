"""Keys kept on disk: the first value of each, whatever the keys, in memory that does not grow."""

import random
import sqlite3
import subprocess
import sys
import threading

import pytest

from hoidam.errors import DataError
from hoidam.ingest.seen import Seen


def test_the_first_value_of_a_key_is_given_back_as_a_dictionary_would():
    rng = random.Random(1)
    seen, oracle = Seen(), {}
    odd = ["", "1", "01", "1.0", "a", "A", "a ", "a\0b", "á", "a\u0301", "'; DROP TABLE seen", "😀"]
    keys = [*odd, *(key.encode() for key in odd), *(f"k{number}" for number in range(500))]
    for number in range(5000):
        key = rng.choice(keys)
        assert seen.first(key, f"v{number}") == oracle.get(key)
        oracle.setdefault(key, f"v{number}")
    assert len(oracle) == len(keys)


def test_two_stores_know_nothing_of_each_other():
    assert Seen().first("a", "1") is None
    assert Seen().first("a", "2") is None


def test_a_store_may_be_used_by_another_thread_than_made_it():
    seen, found = Seen(), []
    seen.first("a", "1")
    thread = threading.Thread(target=lambda: found.append(seen.first("a", "2")))
    thread.start()
    thread.join()
    assert found == ["1"]


def test_memory_does_not_grow_with_the_keys():
    code = """if True:
        import resource, sys
        from hoidam.ingest.seen import Seen
        seen, peaks = Seen(), []
        for number in range(int(sys.argv[1])):
            seen.first(f"{number * 2654435761 % 2**32:x}-{number}", "a/folder/with/a/feed.jsonl:1234")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    few, many = (
        int(subprocess.run([sys.executable, "-c", code, count], capture_output=True, check=True).stdout)
        for count in ("1000", "200000")
    )
    assert many - few < 20 * 1024, "KiB; a dictionary of them is above forty thousand"


def test_a_disk_that_is_full_is_a_message(monkeypatch):
    class Full:
        def execute(self, *_):
            raise sqlite3.OperationalError("database or disk is full")

    seen = Seen()
    monkeypatch.setattr(seen, "_base", Full())
    with pytest.raises(DataError, match=r"cannot grow \(database or disk is full\)\. Make room, or name a folder"):
        seen.first("a", "1")
