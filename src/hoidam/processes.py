"""The processes of one launch, as torchrun and accelerate launch start them: how many, and which one speaks."""

import os
import signal
from datetime import timedelta

_FAILED = "hoidam/failed"
_STORE_SECONDS = 10


def process_count() -> int:
    """How many processes a launcher started for one training; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def process_index() -> int:
    """The number of this process among those of its launch, from 0."""
    return int(os.environ.get("RANK", "0")) if process_count() > 1 else 0


def is_main() -> bool:
    """Whether this is the process that prints and writes: the first of a launch, and any that runs alone."""
    return process_index() == 0


def is_first_to_fail() -> bool:
    """Whether no process of the launch has failed before this one: it says why, and the others end in silence.

    To be asked once, by a process that is about to end. Where its launcher cannot be reached, the answer is yes: better
    that a mistake is said twice than never.
    """
    if process_count() == 1:
        return True
    # A launcher ends all processes when one has ended; what this one has to say is not to be cut short.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    host, port = os.environ.get("MASTER_ADDR", "localhost"), int(os.environ.get("MASTER_PORT", "29500"))
    try:
        store = TCPStore(host, port, is_master=False, timeout=timedelta(seconds=_STORE_SECONDS))
        return bool(store.add(f"{_FAILED}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", 1) == 1)
    except RuntimeError:
        return True
