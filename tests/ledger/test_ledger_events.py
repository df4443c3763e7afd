from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import delete, update

from ledger.db.audit_log import event_hash, genesis, verify_chain
from ledger.db.rows import Lease
from ledger.db.schema import event, meta
from ledger.store import Ledger
from model.errors import Corrupt


@pytest.fixture
def chain(ledger: Ledger) -> Ledger:
    for number in range(4):
        ledger.event("w1", "wave-started", {"number": number, "über": "ä"})
    ledger.event("w2", "wave-started", {})
    ledger.verify_events()
    return ledger


def test_events_are_chained_by_wave(chain: Ledger) -> None:
    events = chain.events("w1")
    assert [one.seq for one in events] == [1, 2, 3, 4]
    assert events[2].detail == {"number": 2, "über": "ä"}
    assert events[0].at <= events[3].at
    first = event_hash(genesis("w1"), "w1", 1, events[0].at, "wave-started", None, '{"number":0,"über":"ä"}')
    assert events[0].hash == first
    assert chain.events("w2")[0].hash != first


CHANGES: dict[str, Any] = {
    "detail": update(event).where(event.c.seq == 2).values(detail='{"number":9}'),
    "kind": update(event).where(event.c.seq == 4).values(kind="other"),
    "time": update(event).where(event.c.seq == 2).values(at=event.c.at + 0.001),
    "subject": update(event).where(event.c.seq == 2).values(subject="m-00000000"),
    "hash": update(event).where(event.c.seq == 4).values(hash=bytes(32)),
    "wave": update(event).where(event.c.wave == "w2").values(wave="w3"),
    "number": update(event).where(event.c.seq == 4).values(seq=5),
    "first": delete(event).where(event.c.wave == "w1", event.c.seq == 1),
    "middle": delete(event).where(event.c.wave == "w1", event.c.seq == 2),
    "last": delete(event).where(event.c.wave == "w1", event.c.seq == 4),
    "whole wave": delete(event).where(event.c.wave == "w2"),
    "head": delete(meta).where(meta.c.name == "events:w2"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_tampering_is_noticed(chain: Ledger, change: str) -> None:
    with chain.engine.begin() as connection:
        connection.execute(CHANGES[change])
    with pytest.raises(Corrupt) as raised:
        chain.verify_events()
    assert raised.value.code == "event-chain-broken"


def test_events_in_another_order_are_noticed() -> None:
    one = event_hash(genesis("w"), "w", 1, 1.0, "a", None, "{}")
    two = event_hash(one, "w", 2, 2.0, "b", None, "{}")
    rows = [(1, 1.0, "a", None, "{}", one), (2, 2.0, "b", None, "{}", two)]
    assert verify_chain("w", rows) == (2, two)
    for wrong in (rows[::-1], rows[1:], [*rows, rows[1]]):
        with pytest.raises(Corrupt):
            verify_chain("w", wrong)


def test_writers_at_the_same_time_make_one_chain(ledger: Ledger) -> None:
    def work() -> None:
        for number in range(10):
            ledger.event("w1", "kind", {"number": number})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.seq for one in ledger.events("w1")] == list(range(1, 41))
    ledger.verify_events()


def test_approvals_hold_for_exactly_their_subject_and_code(ledger: Ledger, lease: Lease) -> None:
    assert not ledger.approved(lease.mailbox, "asserted")
    added = ledger.approve(lease.mailbox, "asserted", "auditor", "phone call", b"signature")
    assert added.signature == b"signature"
    assert ledger.approved(lease.mailbox, "asserted")
    assert not ledger.approved(lease.mailbox, "source-shrunk")
    assert not ledger.approved("wave:w1", "asserted")
    ledger.approve("wave:w1", "source-shrunk", "auditor", "known")
    assert ledger.approved("wave:w1", "source-shrunk")
    assert not ledger.approved(lease.mailbox, "source-shrunk")
    (one, two) = ledger.events("w1")
    seen = one.detail["seen"]
    assert one.detail == {"by": "auditor", "code": "asserted", "reason": "phone call", "seen": seen}
    assert (two.subject, two.wave, one.signature) == ("wave:w1", "w1", b"signature")
    ledger.verify_events()


def test_a_worker_records_events_of_its_mailbox(ledger: Ledger, lease: Lease) -> None:
    with ledger.session(lease, mirror=True) as session:
        session.event("zombies-removed", {"count": 2})
    (one,) = ledger.events("w1")
    assert (one.kind, one.subject, one.detail) == ("zombies-removed", lease.mailbox, {"count": 2})
