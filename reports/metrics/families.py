"""Name the metrics, and fill them with what the ledger knows. Pure.

Labels are waves, workloads, states, codes and the roles of servers: never a person's address or name, and no
random id either, because a time series for each mailbox would be too many.

Source:
    https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ledger.db.counters import (
    BUCKETS,
    CALL_SECONDS,
    CALLS,
    ERRORS,
    FAULTS,
    LEG_ENDS,
    SECONDS,
    TRANSACTIONS,
    Key,
)
from ledger.views.metrics import LOST, TAKEN_OVER, LegGroup, Metrics

WORK = ("wave", "workload")


@dataclass(frozen=True, slots=True)
class Count:
    """Describe a counter that the ledger keeps for all processes.

    Attributes:
        metric: its name, without the ending `_total`.
        text: its help.
        labels: the names of its labels.
    """

    metric: str
    text: str
    labels: tuple[str, ...]


COUNTS: Mapping[str, Count] = {
    LEG_ENDS: Count(
        "kogge_leg_ends",
        "Runs of workloads that ended, by the state and code with which they ended.",
        (*WORK, "state", "code"),
    ),
    CALLS: Count("kogge_server_calls", "Calls to a server that were answered or failed.", ("server",)),
    FAULTS: Count("kogge_server_faults", "Calls to a server that a passing fault ended.", ("server",)),
    CALL_SECONDS: Count("kogge_server_call_seconds", "Seconds that calls to a server took.", ("server",)),
    ERRORS: Count("kogge_ledger_errors", "Transactions of the ledger that failed.", ("code",)),
}


def families(metrics: Metrics) -> Iterator[Metric]:
    """Yield all metrics of the waves."""
    yield from _work(metrics)
    yield from _boxes(metrics)
    yield from _waves(metrics)
    yield from _servers(metrics)
    yield from _counts(metrics.counters)
    yield _transactions(metrics.counters)


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)


def _work(metrics: Metrics) -> Iterator[Metric]:
    legs = GaugeMetricFamily(
        "kogge_legs", "Workloads of mailboxes, by state and code.", labels=(*WORK, "state", "code")
    )
    for group in metrics.legs:
        legs.add_metric((group.wave, group.workload, group.state, group.code), group.legs)
    yield legs
    by_work: defaultdict[tuple[str, str], list[LegGroup]] = defaultdict(list)
    for group in metrics.legs:
        by_work[group.wave, group.workload].append(group)
    expired = GaugeMetricFamily(
        "kogge_legs_lease_expired", "Workloads at work whose worker stopped renewing its lease.", labels=WORK
    )
    items = GaugeMetricFamily(
        "kogge_items",
        "Items of the sources, by state. verified, skipped and rejected are as of each workload's last end.",
        labels=(*WORK, "state"),
    )
    size = GaugeMetricFamily("kogge_target_bytes", "Bytes at the target, by the source's sizes.", labels=WORK)
    copied = CounterMetricFamily(
        "kogge_items_copied", "Items written to the target, ever, those written anew included.", labels=WORK
    )
    copied_bytes = CounterMetricFamily(
        "kogge_copied_bytes", "Bytes of the items written to the target, ever.", labels=WORK
    )
    for work, groups in sorted(by_work.items()):
        expired.add_metric(work, sum(group.expired for group in groups))
        size.add_metric(work, sum(group.bytes for group in groups))
        copied.add_metric(work, sum(group.copied for group in groups))
        copied_bytes.add_metric(work, sum(group.copied_bytes for group in groups))
        for state, count in item_states(groups).items():
            items.add_metric((*work, state), count)
    yield from (expired, items, size, copied, copied_bytes)


def item_states(groups: Iterable[LegGroup]) -> dict[str, int]:
    """Return how many items are in which state. Their sum is the number of items that are known.

    What is verified, skipped and rejected is known since a leg's last end, and a leg at work may have sent
    some of it back: no more of it counts than has a fate now.
    """
    own = list(groups)
    known, done = sum(group.items for group in own), sum(group.done for group in own)
    states = {"open": max(0, known - done)}
    left = min(done, known)
    for name in ("rejected", "skipped", "verified"):
        states[name] = min(left, sum(getattr(group, name) for group in own))
        left -= states[name]
    return {**states, "copied": left}


def _boxes(metrics: Metrics) -> Iterator[Metric]:
    boxes = GaugeMetricFamily(
        "kogge_mailboxes",
        "Mailboxes, by phase and by the most urgent state of their workloads.",
        labels=("wave", "phase", "state"),
    )
    for labels, count in sorted(metrics.mailboxes.items()):
        boxes.add_metric(labels, count)
    causes = GaugeMetricFamily(
        "kogge_items_not_moved",
        "Items that were skipped or rejected, by code, as of each workload's last end.",
        labels=(*WORK, "fate", "code"),
    )
    for cause, count in sorted(metrics.causes.items()):
        causes.add_metric(cause, count)
    yield from (boxes, causes)
    for kind, name, text in (
        (LOST, "kogge_lease_losses", "Leases on workloads that a worker lost while it was at work."),
        (
            TAKEN_OVER,
            "kogge_lease_takeovers",
            "Workloads taken over from a worker that did not release them.",
        ),
    ):
        leases = CounterMetricFamily(name, text, labels=WORK)
        for (wave, met, workload), count in sorted(metrics.leases.items()):
            if met == kind:
                leases.add_metric((wave, workload), count)
        yield leases


def _waves(metrics: Metrics) -> Iterator[Metric]:
    paused = GaugeMetricFamily("kogge_wave_paused", "1 if a person paused the wave.", labels=("wave",))
    active = GaugeMetricFamily(
        "kogge_wave_active_timestamp_seconds",
        "The minute in which a run of the wave was last at work.",
        labels=("wave",),
    )
    frozen = GaugeMetricFamily(
        "kogge_wave_frozen_timestamp_seconds",
        "Since when the wave's longest frozen mailbox is frozen.",
        labels=("wave",),
    )
    for name, wave in sorted(metrics.waves.items()):
        paused.add_metric((name,), wave.paused)
        if wave.active is not None:
            active.add_metric((name,), wave.active)
        if wave.frozen is not None:
            frozen.add_metric((name,), wave.frozen)
    yield from (paused, active, frozen)


def _servers(metrics: Metrics) -> Iterator[Metric]:
    pace = GaugeMetricFamily(
        "kogge_server_pace_ratio",
        "How fast a server is asked: 1 is full speed, 0 is halted. The slowest worker's.",
        labels=("server",),
    )
    latency = GaugeMetricFamily(
        "kogge_server_latency_seconds", "Mean seconds of a call in the newest periods.", labels=("server",)
    )
    workers = GaugeMetricFamily(
        "kogge_server_workers", "Processes that ask the server and reported lately.", labels=("server",)
    )
    for name, server in sorted(metrics.servers.items()):
        pace.add_metric((name,), server.pace)
        latency.add_metric((name,), server.latency)
        workers.add_metric((name,), server.workers)
    yield from (pace, latency, workers)
    yield gauge("kogge_workers", "Processes at work that reported lately.", metrics.workers)
    if metrics.seen is not None:
        text = "When a process at work last reported."
        yield gauge("kogge_workers_seen_timestamp_seconds", text, metrics.seen)


def _counts(values: Mapping[Key, float]) -> Iterator[Metric]:
    for name, count in COUNTS.items():
        family = CounterMetricFamily(count.metric, count.text, labels=count.labels)
        for (met, labels), value in sorted(values.items()):
            if met == name and len(labels) == len(count.labels):
                family.add_metric(labels, value)
        yield family


def _transactions(values: Mapping[Key, float]) -> Metric:
    family = HistogramMetricFamily(
        "kogge_ledger_transaction_seconds",
        "Seconds of the transactions of workers in the ledger, from begin to commit.",
        labels=("kind",),
    )
    for kind in sorted({labels[0] for name, labels in values if name == TRANSACTIONS}):
        buckets, count = [], 0.0
        for bound in BUCKETS:
            count += values.get((TRANSACTIONS, (kind, str(bound))), 0.0)
            buckets.append(("+Inf" if bound == float("inf") else str(bound), count))
        family.add_metric((kind,), buckets, values.get((SECONDS, (kind,)), 0.0))
    return family
