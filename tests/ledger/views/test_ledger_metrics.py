"""What a monitoring system reads of the ledger: totals that agree with the items, counters that only grow."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
from ledger_world import INBOX, claimed, force, item, page, planned, ref, write
from sqlalchemy import delete, insert, update

from ledger.db.counters import BUCKETS, ERRORS, SECONDS, TRANSACTIONS, counters_of
from ledger.db.rows import Lease, LegState, Phase, State
from ledger.db.schema import event, health, leg, meta, pulse, step
from ledger.leg.cutover_steps import Steps
from ledger.plan.wave_control import set_paused
from ledger.store import Ledger
from ledger.views.metrics import Metrics, MetricsReader
from ledger.views.server_health import Health, leave, report
from model.errors import Transient
from model.kinds import Kind


def read(ledger: Ledger) -> Metrics:
    return MetricsReader().read(ledger)


def count(ledger: Ledger, *named: str) -> None:
    counters_of(ledger.engine).add(*named)


def test_an_empty_ledger_has_no_metrics(ledger: Ledger) -> None:
    assert read(ledger) == Metrics()


def test_a_released_leg_says_how_many_items_have_which_fate(ledger: Ledger, lease: Lease) -> None:
    names = {state.name: state for state in State}
    with ledger.session(lease, mirror=True) as session:
        inbox = session.record_container(INBOX)
        session.record_page(inbox.id, page(*(ref(name) for name in names)))
        for name, state in names.items():
            force(session, inbox.id, name, state)
        session.record_page(inbox.id, page(ref("too-large"), ref("left-out")))
        session.settle(
            inbox.id,
            [],
            rejected=[(item(session, inbox.id, "too-large").key, "too-large")],
            skipped=[(item(session, inbox.id, "left-out").key, "left-out")],
        )
    before = read(ledger)
    assert before.causes == {}
    ledger.release(lease, LegState.DIFFERS, "differs")
    (group,) = read(ledger).legs
    assert (group.wave, group.workload, group.state, group.code) == ("w1", "mail", "differs", "differs")
    assert (group.legs, group.items, group.done) == (1, 10, 6)
    assert (group.verified, group.skipped, group.rejected) == (1, 2, 2)
    assert read(ledger).causes == {
        ("w1", "mail", "rejected", "some-code"): 1,
        ("w1", "mail", "rejected", "too-large"): 1,
        ("w1", "mail", "skipped", "some-code"): 1,
        ("w1", "mail", "skipped", "left-out"): 1,
    }

    ledger.requeue(rejected=True)
    (group,) = read(ledger).legs
    assert (group.done, group.skipped, group.rejected) == (4, 2, 0)
    assert {cause[2] for cause in read(ledger).causes} == {"skipped"}


def test_causes_of_several_legs_are_added(ledger: Ledger) -> None:
    for number in range(3):
        lease = claimed(ledger, f"anna{number}@old.example")
        with ledger.session(lease, mirror=True) as session:
            inbox = session.record_container(INBOX)
            session.record_page(inbox.id, page(ref("a"), ref("b")))
            force(session, inbox.id, "a", State.SKIPPED)
            if number == 2:
                force(session, inbox.id, "b", State.SKIPPED)
        ledger.release(lease, LegState.VERIFIED)
    assert read(ledger).causes == {("w1", "mail", "skipped", "some-code"): 4}


def test_a_mailbox_is_in_the_most_urgent_state_of_its_workloads(ledger: Ledger) -> None:
    workloads = frozenset({Kind.MAIL, Kind.CALENDAR})
    ledger.add_mailboxes([planned(f"{name}@old.example", workloads=workloads) for name in ("anna", "bert")])
    anna, _ = sorted({row.mailbox for row in ledger.legs()})
    first, second = (row.id for row in ledger.legs(mailbox=anna))
    with ledger.engine.begin() as connection:
        connection.execute(update(leg).where(leg.c.id == first).values(state=LegState.BLOCKED.value))
        connection.execute(update(leg).where(leg.c.id == second).values(state=LegState.VERIFIED.value))
    assert read(ledger).mailboxes == {("w1", "staging", "blocked"): 1, ("w1", "staging", "pending"): 1}
    ledger.set_phase(anna, Phase.FROZEN, "a person")
    assert read(ledger).mailboxes == {("w1", "frozen", "blocked"): 1, ("w1", "staging", "pending"): 1}


def test_a_worker_that_does_not_renew_its_lease_shows(ledger: Ledger, lease: Lease) -> None:
    assert [group.expired for group in read(ledger).legs] == [0]
    ledger.renew(lease, -1.0)
    assert [(group.state, group.expired) for group in read(ledger).legs] == [("running", 1)]


def test_leases_are_counted_once_however_often_they_are_read(ledger: Ledger, lease: Lease) -> None:
    reader = MetricsReader()
    assert reader.read(ledger).leases == {}
    for kind in ("lease-lost", "taken-over", "lease-lost", "bound"):
        ledger.event("w1", kind, {"workload": "mail"}, subject=lease.mailbox)
    ledger.event("w2", "lease-lost", {"workload": "files"})
    counted = {
        ("w1", "lease-lost", "mail"): 2,
        ("w1", "taken-over", "mail"): 1,
        ("w2", "lease-lost", "files"): 1,
    }
    assert reader.read(ledger).leases == counted
    assert reader.read(ledger).leases == counted
    ledger.event("w1", "lease-lost", {"workload": "mail"}, subject=lease.mailbox)
    assert reader.read(ledger).leases == counted | {("w1", "lease-lost", "mail"): 3}
    assert read(ledger).leases == reader.read(ledger).leases


def test_a_ledger_from_a_backup_is_counted_anew(ledger: Ledger) -> None:
    ledger.event("w1", "lease-lost", {"workload": "mail"})
    reader = MetricsReader()
    reader.read(ledger)
    with ledger.engine.begin() as connection:
        connection.execute(delete(event))
        connection.execute(delete(meta).where(meta.c.name == "events:w1"))
    assert reader.read(ledger).leases == {}


def test_waves(ledger: Ledger, lease: Lease) -> None:
    with ledger.engine.begin() as connection:
        beats = {"mailboxes": 1, "items": 0, "done": 0, "copied": 0, "copied_bytes": 0, "legs": 0}
        for minute in (60, 180, 120):
            connection.execute(insert(pulse).values(wave="w1", at=minute, **beats))
    wave = read(ledger).waves["w1"]
    assert (wave.paused, wave.active, wave.frozen) == (False, 180, None)
    set_paused(ledger, "w1", True, "a person")
    ledger.release(lease, LegState.PENDING)
    Steps(ledger).begin(lease.mailbox, "freeze:redirect")
    with ledger.engine.begin() as connection:
        connection.execute(update(step).values(at=1000.0))
    wave = read(ledger).waves["w1"]
    assert (wave.paused, wave.frozen) == (True, 1000.0)


def test_servers_and_workers_that_reported_lately(ledger: Ledger) -> None:
    report(ledger, [Health("source.ews", "a", 10, 1, 0.1, 1.0), Health("target.mail", "a", 0, 0, 0.0, 1.0)])
    report(ledger, [Health("source.ews", "b", 30, 0, 0.5, 0.25)])
    metrics = read(ledger)
    source = metrics.servers["source.ews"]
    assert (source.workers, source.pace, round(source.latency, 9)) == (2, 0.25, 0.4)
    assert metrics.servers["target.mail"].latency == 0.0
    assert metrics.workers == 2
    with ledger.engine.begin() as connection:
        connection.execute(update(health).values(at=1000.0))
    metrics = read(ledger)
    assert (metrics.servers, metrics.workers, metrics.seen) == ({}, 0, 1000.0), "both were killed"


def test_what_a_process_counted_is_added_when_it_reports_and_when_it_ends(ledger: Ledger) -> None:
    counters_of(ledger.engine).take()
    count(ledger, "leg-ends", "w1", "mail", "verified", "")
    report(ledger, [Health("source.ews", "a", 1, 0, 0.1, 1.0)])
    assert read(ledger).counters["leg-ends", ("w1", "mail", "verified", "")] == 1
    count(ledger, "leg-ends", "w1", "mail", "verified", "")
    report(ledger, [Health("source.ews", "a", 1, 0, 0.1, 1.0)])
    count(ledger, "leg-ends", "w1", "mail", "verified", "")
    leave(ledger, "a")
    assert read(ledger).counters["leg-ends", ("w1", "mail", "verified", "")] == 3


def test_what_could_not_be_added_is_added_the_next_time(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(ledger, "leg-ends", "w1", "mail", "verified", "")
    with monkeypatch.context() as patch:
        patch.setattr("ledger.views.server_health.write", _unavailable)
        with pytest.raises(Transient):
            report(ledger, [Health("source.ews", "a", 1, 0, 0.1, 1.0)])
    assert read(ledger).counters == {}
    report(ledger, [Health("source.ews", "a", 1, 0, 0.1, 1.0)])
    counted = read(ledger).counters
    assert counted["leg-ends", ("w1", "mail", "verified", "")] == 1
    assert counted[ERRORS, ("ledger-unavailable",)] == 1


def _unavailable(*_given: object) -> None:
    raise Transient("ledger-unavailable")


def test_transactions_are_counted_in_their_bucket(ledger: Ledger, lease: Lease) -> None:
    leave(ledger, "nobody")
    before = read(ledger).counters
    with ledger.session(lease, mirror=True) as session:
        write(session, session.record_container(INBOX).id, ["a"])
        session.counts()
    leave(ledger, "nobody")
    after = read(ledger).counters

    def grown(name: str, *labels: str) -> float:
        return after.get((name, labels), 0) - before.get((name, labels), 0)

    for kind, least in (("write", 5), ("read", 1)):
        assert sum(grown(TRANSACTIONS, kind, str(bound)) for bound in BUCKETS) >= least
        assert grown(SECONDS, kind) > 0


def _work(url: str, ready: multiprocessing.synchronize.Event) -> None:
    ledger = Ledger(url)
    for number in range(3):
        count(ledger, "leg-ends", "w1", "mail", "waiting", str(number))
        report(ledger, [Health("source.ews", str(os.getpid()), 1, 0, 0.1, 1.0)])
    count(ledger, "leg-ends", "w1", "mail", "waiting", "0")
    ready.set()
    signal.pause()


def test_a_killed_process_loses_only_what_it_counted_since_its_last_report(ledger: Ledger, url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready = [context.Event() for _ in range(2)]
    workers = [context.Process(target=_work, args=(url, one)) for one in ready]
    for worker in workers:
        worker.start()
    assert all(one.wait(60) for one in ready)
    for worker in workers:
        worker.kill()
        worker.join()
    counted = read(ledger).counters
    assert [counted["leg-ends", ("w1", "mail", "waiting", code)] for code in "012"] == [2, 2, 2]
