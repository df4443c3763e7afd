"""Serve the metrics of a ledger to Prometheus. The ledger is read when somebody asks, and not too often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledger.views.metrics import Metrics
from model.errors import MigrationError
from reports.metrics.families import families, gauge

FRESH_SECONDS = 10.0
"""So long an answer is given again."""
READ_SHARE, READ_MOST = 20, 60.0
"""At most one part in so many of the time is spent on reading, so that a ledger that answers slowly is asked
less; but it is read again after so many seconds, however long the last reading took."""
PATIENCE_SECONDS = 5.0
"""So long a scrape waits for a reading; then it gets the answer before. Prometheus gives up after 10."""


class LedgerCollector(Collector):
    """Collect the metrics of a ledger. Thread-safe: however many ask, one thread reads.

    A ledger that cannot be read gives `kogge_ledger_up 0`, and no old numbers.
    """

    def __init__(self, read: Callable[[], Metrics], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._changed = threading.Condition()
        self._reading = False
        self._due = float("-inf")
        self._kept: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """Return all metrics."""
        with self._changed:
            if self._clock() >= self._due and not self._reading:
                self._reading = True
                threading.Thread(target=self._refresh, name="metrics", daemon=True).start()
            self._changed.wait_for(lambda: not self._reading, PATIENCE_SECONDS)
            return [_build(), *self._kept]

    def _refresh(self) -> None:
        began = self._clock()
        kept: list[Metric] = []
        try:
            kept = self._newest(began)
        finally:
            seconds = self._clock() - began
            with self._changed:
                self._kept, self._reading = kept, False
                self._due = began + seconds + min(max(FRESH_SECONDS, READ_SHARE * seconds), READ_MOST)
                self._changed.notify_all()

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the registry is not to read the ledger before anybody asks."""
        return ()

    def _newest(self, began: float) -> list[Metric]:
        up = "1 if the ledger could be read."
        try:
            read = list(families(self._read()))
        except MigrationError:
            return [gauge("kogge_ledger_up", up, 0)]
        took = gauge(
            "kogge_ledger_read_seconds",
            "Seconds that the newest reading of the ledger for these metrics took.",
            self._clock() - began,
        )
        at = gauge("kogge_ledger_read_timestamp_seconds", "When the ledger was last read.", time.time())
        return [gauge("kogge_ledger_up", up, 1), took, at, *read]


def _build() -> Metric:
    family = GaugeMetricFamily(
        "kogge_build_info", "The version of Kogge that serves this.", labels=("version",)
    )
    family.add_metric((version("kogge"),), 1)
    return family


def registry_of(read: Callable[[], Metrics]) -> CollectorRegistry:
    """Return a registry that has the metrics of one ledger, and nothing else."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LedgerCollector(read))
    return registry


def as_text(registry: CollectorRegistry) -> str:
    """Return the metrics as Prometheus reads them."""
    return generate_latest(registry).decode()


def serve(registry: CollectorRegistry, host: str, port: int) -> tuple[int, Callable[[], None]]:
    """Serve /metrics in a thread.

    Args:
        registry: what is served.
        host: the address to listen at.
        port: 0 for a free one.

    Returns:
        The port, and a function that ends the server.

    Raises:
        OSError: the address cannot be used.
    """
    server, thread = start_http_server(port, host, registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_port, end
