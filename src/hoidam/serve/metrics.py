"""Counts and times of the service, as Prometheus reads them."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The figures of one service; `depth` tells how many articles wait."""

    def __init__(self, *, depth: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "hoidam_requests", "Requests by path and status.", ["path", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "hoidam_request_seconds", "From a request to its answer.", buckets=_SECONDS, registry=self._registry
        )
        self.articles = Counter("hoidam_articles", "Articles by outcome.", ["outcome"], registry=self._registry)
        self.batches = Histogram(
            "hoidam_batch_articles", "Articles tagged together.", buckets=_SIZES, registry=self._registry
        )
        Gauge("hoidam_waiting_articles", "Articles that wait.", registry=self._registry).set_function(depth)

    def render(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)
