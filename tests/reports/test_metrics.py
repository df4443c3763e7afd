"""The page that Prometheus scrapes: valid, of the right types, cheap to ask for often, and without names."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import pytest
from clocks import Clock
from prometheus_client.parser import text_string_to_metric_families

from ledger.db.counters import BUCKETS, CALLS, LEG_ENDS, SECONDS, TRANSACTIONS
from ledger.views.metrics import LegGroup, Metrics, ServerMetrics, WaveMetrics
from model.errors import Transient
from reports.metrics import exporter
from reports.metrics.exporter import FRESH_SECONDS, LedgerCollector, as_text, registry_of, serve
from reports.metrics.families import item_states

GROUP = LegGroup("w1", "mail", "running", "", 2, 100, 60, 5_000, 40, 5, 3, 70, 6_000, 1)
METRICS = Metrics(
    (GROUP, replace(GROUP, state="blocked", code="quota-full", legs=1)),
    {("w1", "staging", "blocked"): 1, ("w1", "staging", "running"): 2},
    {("w1", "mail", "rejected", "too-large"): 6},
    {"w1": WaveMetrics(paused=True, active=120, frozen=None)},
    {"target.mail-notes": ServerMetrics(2, 0.0, 1.5)},
    2,
    1000.0,
    {
        (LEG_ENDS, ("w1", "mail", "blocked", "quota-full")): 4.0,
        (CALLS, ("target.mail-notes",)): 9.0,
        (TRANSACTIONS, ("write", "0.005")): 3.0,
        (TRANSACTIONS, ("write", "inf")): 1.0,
        (SECONDS, ("write",)): 20.5,
    },
    {("w1", "lease-lost", "mail"): 7},
)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in found
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, frozenset(labels.items())]


def test_values() -> None:
    text = as_text(registry_of(lambda: METRICS))
    work = {"wave": "w1", "workload": "mail"}
    assert value(text, "kogge_ledger_up") == 1
    assert value(text, "kogge_legs", **work, state="blocked", code="quota-full") == 1
    assert value(text, "kogge_legs_lease_expired", **work) == 2
    assert value(text, "kogge_target_bytes", **work) == 10_000
    assert value(text, "kogge_items_copied_total", **work) == 140
    assert value(text, "kogge_copied_bytes_total", **work) == 12_000
    assert value(text, "kogge_leg_ends_total", **work, state="blocked", code="quota-full") == 4
    assert value(text, "kogge_lease_losses_total", **work) == 7
    assert value(text, "kogge_mailboxes", wave="w1", phase="staging", state="running") == 2
    assert value(text, "kogge_items_not_moved", **work, fate="rejected", code="too-large") == 6
    assert value(text, "kogge_wave_paused", wave="w1") == 1
    assert value(text, "kogge_server_pace_ratio", server="target.mail-notes") == 0
    assert value(text, "kogge_server_calls_total", server="target.mail-notes") == 9
    assert value(text, "kogge_workers_seen_timestamp_seconds") == 1000


def test_a_histogram_adds_up() -> None:
    text = as_text(registry_of(lambda: METRICS))
    name = "kogge_ledger_transaction_seconds"
    counts = [value(text, f"{name}_bucket", kind="write", le=_le(bound)) for bound in BUCKETS]
    assert counts == [
        3.0 if 0.005 <= bound < float("inf") else 4.0 if bound > 1e9 else 0.0 for bound in BUCKETS
    ]
    assert value(text, f"{name}_count", kind="write") == 4
    assert value(text, f"{name}_sum", kind="write") == 20.5


def _le(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)


@pytest.mark.parametrize(
    "changes",
    [{}, {"done": 0}, {"done": 10}, {"items": 20}, {"verified": 0, "skipped": 0, "rejected": 0}],
    ids=["usual", "all-open-again", "some-open-again", "fewer-items", "never-released"],
)
def test_states_of_items_add_up_to_all_items(changes: dict[str, int]) -> None:
    group = replace(GROUP, **changes)  # type: ignore[arg-type]
    states = item_states([group, group])
    assert sum(states.values()) == 2 * group.items
    assert min(states.values()) >= 0


def test_each_metric_has_a_help_and_counters_are_called_total() -> None:
    text = as_text(registry_of(lambda: METRICS))
    families = list(text_string_to_metric_families(text))
    assert len(families) > 20
    for family in families:
        assert family.name.startswith("kogge_")
        assert family.documentation[0].isupper() or family.documentation[0].isdigit()
        assert family.documentation.endswith(".")
        totals = [sample.name.endswith("_total") for sample in family.samples]
        assert all(totals) if family.type == "counter" else not any(totals)


def test_scrapes_share_one_reading_for_a_while() -> None:
    clock = Clock(100.0)
    read: list[float] = []

    def reads() -> Metrics:
        read.append(clock.now)
        return METRICS

    collector = LedgerCollector(reads, lambda: clock.now)
    for _ in range(5):
        collector.collect()
    assert len(read) == 1
    clock.now += FRESH_SECONDS
    collector.collect()
    assert len(read) == 2


def test_a_slow_ledger_is_read_less_often() -> None:
    clock = Clock(100.0)
    read: list[float] = []

    def reads() -> Metrics:
        read.append(clock.now)
        clock.now += 3.0
        return METRICS

    collector = LedgerCollector(reads, lambda: clock.now)
    for _ in range(120):
        collector.collect()
        clock.now += 1.0
    assert read == [100.0, 163.0], "not more often than once a minute"


def test_of_scrapes_at_once_one_reads() -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def reads() -> Metrics:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1
        return METRICS

    registry = registry_of(reads)
    threads = [threading.Thread(target=as_text, args=(registry,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_scrape_does_not_wait_for_a_ledger_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "PATIENCE_SECONDS", 0.01)
    clock, goes_on = Clock(100.0), threading.Event()
    answers = iter((METRICS, replace(METRICS, workers=5)))

    def reads() -> Metrics:
        if clock.now > 100.0:
            goes_on.wait(60)
        return next(answers)

    collector = LedgerCollector(reads, lambda: clock.now)

    def workers() -> float | None:
        found = {family.name: family.samples for family in collector.collect()}
        return found["kogge_workers"][0].value if "kogge_workers" in found else None

    deadline = time.monotonic() + 60
    while workers() is None:
        assert time.monotonic() < deadline
    clock.now += FRESH_SECONDS
    assert workers() == 2
    goes_on.set()
    while workers() != 5:
        assert time.monotonic() < deadline


def test_a_ledger_that_is_away_gives_no_old_numbers() -> None:
    clock = Clock(100.0)
    answers: Iterator[Metrics | None] = iter((METRICS, None, METRICS))

    def reads() -> Metrics:
        if (answer := next(answers)) is None:
            raise Transient("ledger-unavailable")
        return answer

    collector = LedgerCollector(reads, lambda: clock.now)
    ups = []
    for _ in range(3):
        found = {family.name: family.samples for family in collector.collect()}
        ups.append((found["kogge_ledger_up"][0].value, "kogge_legs" in found))
        clock.now += FRESH_SECONDS
    assert ups == [(1, True), (0, False), (1, True)]


def test_it_is_served() -> None:
    port, end = serve(registry_of(lambda: METRICS), "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert value(answer.read().decode(), "kogge_workers") == 2
    finally:
        end()
