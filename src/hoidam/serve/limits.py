"""What the service takes, and what it refuses."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on requests: bytes of a body, code points of an article, articles of a request and of those that wait.

    `requests` is how many requests are read or answered at once, `read_seconds` how long a body may take to arrive.
    """

    body_bytes: int = 10_000_000
    characters: int = 100_000
    articles: int = 64
    waiting: int = 512
    requests: int = 128
    read_seconds: float = 30.0
