"""A mailbox's key is random, wrapped, the same for everybody, and gone for good once it is destroyed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ledger_world import INBOX, KEK, claimed, page, planned, ref
from merkle_roots import root_of
from sqlalchemy import select

from ledger.db.engine import reading, writing
from ledger.db.rows import ContainerRow, Lease, LegRow, LegState
from ledger.db.schema import evidence_key, meta
from ledger.inventory import inventory, keystore
from ledger.inventory.inventory import sections
from ledger.inventory.keystore import Made
from ledger.inventory.lines import BOX, inventory_line, item_text, pseudonym
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.errors import Blocked, Corrupt, LeaseLost, Misconfigured
from model.kinds import Kind
from model.protocols import Container
from model.protocols import key_of as item_key

OTHER = bytes(range(1, 33))


def key_of(ledger: Ledger, mailbox: str, kek: bytes = KEK) -> bytes | None:
    with reading(ledger.engine) as connection:
        return keystore.key_of(connection, mailbox, kek)


def kept(ledger: Ledger, mailbox: str, kek: bytes = KEK) -> bytes:
    made = keystore.make(kek)
    with writing(ledger.engine) as connection:
        return keystore.keep(connection, mailbox, kek, made)


def test_a_key_is_made_once_and_kept_wrapped(ledger: Ledger, lease: Lease) -> None:
    assert key_of(ledger, lease.mailbox) is None
    key = kept(ledger, lease.mailbox)
    assert len(key) == 32
    assert kept(ledger, lease.mailbox) == key == key_of(ledger, lease.mailbox)
    other = claimed(ledger, "bert@old.example")
    assert kept(ledger, other.mailbox) != key
    with ledger.engine.connect() as connection:
        wrapped = [bytes(row.wrapped) for row in connection.execute(select(evidence_key))]
    assert [len(one) for one in wrapped] == [40, 40]
    assert all(key[:8] not in one for one in wrapped)


def test_another_kek_is_refused_before_anything_is_wrapped(ledger: Ledger, lease: Lease) -> None:
    kept(ledger, lease.mailbox)
    other = claimed(ledger, "bert@old.example")
    for ask in (lambda: key_of(ledger, lease.mailbox, OTHER), lambda: kept(ledger, other.mailbox, OTHER)):
        with pytest.raises(Misconfigured, match="several machines need the same") as raised:
            ask()
        assert KEK.hex() not in str(raised.value)
    assert key_of(ledger, other.mailbox) is None
    with ledger.engine.connect() as connection:
        known = connection.scalars(select(meta.c.value).where(meta.c.name == "evidence-key")).all()
    assert known == [keystore.fingerprint(KEK)]
    assert KEK.hex() not in known[0]


def test_a_wrapped_key_that_was_altered_is_noticed(ledger: Ledger, lease: Lease) -> None:
    kept(ledger, lease.mailbox)
    with writing(ledger.engine) as connection:
        connection.execute(evidence_key.update().values(wrapped=bytes(40)))
    with pytest.raises(Corrupt) as raised:
        key_of(ledger, lease.mailbox)
    assert raised.value.code == "evidence-damaged"


def test_what_is_destroyed_is_never_made_again(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    session.close_inventory(KEK)
    assert keystore.destroy(ledger.engine, lease.mailbox, "D. P. Officer", "Art. 17")
    assert not keystore.destroy(ledger.engine, lease.mailbox, "D. P. Officer", "again")
    with pytest.raises(Blocked) as raised:
        key_of(ledger, lease.mailbox)
    assert raised.value.code == "evidence-key-destroyed"
    assert session.close_inventory(KEK) is None
    session.record_page(inbox.id, page(ref("b")))
    with pytest.raises(Blocked):
        session.close_inventory(KEK)
    (told,) = [event for event in ledger.events("w1") if event.kind == "evidence-key-destroyed"]
    assert (told.subject, dict(told.detail)) == (lease.mailbox, {"by": "D. P. Officer", "reason": "Art. 17"})
    ledger.verify_events()


def test_a_key_that_was_never_made_can_be_destroyed(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    assert keystore.destroy(ledger.engine, lease.mailbox, "somebody", "reason")
    assert not keystore.destroy(ledger.engine, lease.mailbox, "somebody", "again")
    session.record_page(inbox.id, page(ref("a")))
    with pytest.raises(Blocked):
        session.close_inventory(KEK)


def test_nothing_of_a_destroyed_key_stays_in_the_files(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    lease = claimed(ledger)
    kept(ledger, lease.mailbox)
    with ledger.engine.connect() as connection:
        (wrapped,) = [bytes(one) for one in connection.scalars(select(evidence_key.c.wrapped))]
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
    assert any(wrapped in file.read_bytes() for file in tmp_path.iterdir())
    assert keystore.destroy(ledger.engine, lease.mailbox, "somebody", "reason")
    assert not any(wrapped[:12] in file.read_bytes() for file in tmp_path.iterdir())
    ledger.close()


def test_whose_key_was_made_at_the_same_moment(
    ledger: Ledger,
    session: LegLedger,
    inbox: ContainerRow,
    lease: Lease,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another leg's worker commits its key between our reading and our writing: theirs counts, and our lines
    are made anew with it."""
    make, theirs = keystore.make, []

    def late(kek: bytes) -> Made:
        monkeypatch.setattr(keystore, "make", make)
        theirs.append(kept(ledger, lease.mailbox))
        return make(kek)

    session.record_page(inbox.id, page(ref("a")))
    monkeypatch.setattr(keystore, "make", late)
    assert session.close_inventory(KEK) == 1
    assert [key_of(ledger, lease.mailbox)] == theirs
    with reading(ledger.engine) as connection:
        (section,) = sections(connection, lease.mailbox)
    box = pseudonym(theirs[0], BOX, item_key(inbox.source_id))
    assert box.encode() in section.header


def test_a_lost_lease_makes_no_key(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    assert ledger.claim(lease.leg, "worker-2", 60, dead=lambda _: True) is not None
    with pytest.raises(LeaseLost):
        session.close_inventory(KEK)
    assert key_of(ledger, lease.mailbox) is None


def test_a_mailbox_that_is_planned_no_more_takes_its_key_with_it(ledger: Ledger) -> None:
    lease = claimed(ledger)
    with ledger.session(lease, mirror=True) as session:
        session.record_page(session.record_container(INBOX).id, page(ref("a")))
        session.close_inventory(KEK)
    ledger.release(lease, LegState.PENDING)
    ledger.add_mailboxes([], whole=True)
    assert ledger.mailboxes() == []
    with ledger.engine.connect() as connection:
        assert connection.execute(select(evidence_key)).all() == []


def test_legs_of_a_mailbox_at_the_same_time_get_one_key(ledger: Ledger) -> None:
    """One worker each, on a connection of its own, all at once."""
    kinds = (Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS)
    (mailbox,) = ledger.add_mailboxes([planned(workloads=frozenset(kinds))])
    ready, faults = threading.Barrier(len(kinds)), list[BaseException]()

    def work(leg: LegRow) -> None:
        lease = ledger.claim(leg.id, f"worker-{leg.id}", 60)
        assert lease is not None
        with ledger.session(lease, mirror=True) as session:
            place = session.record_container(Container(leg.workload, f"c-{leg.id}", ("C",)))
            session.record_page(place.id, page(*(ref(f"{leg.id}-{number}") for number in range(50))))
            ready.wait(30)
            assert session.close_inventory(KEK) == 1

    def noting(leg: LegRow) -> None:
        try:
            work(leg)
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=noting, args=(leg,)) for leg in ledger.legs(mailbox=str(mailbox))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    key = key_of(ledger, str(mailbox))
    assert key is not None
    with reading(ledger.engine) as connection:
        found = sections(connection, str(mailbox))
        assert [one.workload for one in found] == list(kinds)
        for one in found:
            every = inventory.lines(connection, one.leg, one.number)
            stored = [
                inventory_line(
                    number, pseudonym(key, BOX, line.box), item_text(key, line.box, line.key), line.listed, 0
                )
                for number, line in enumerate(every, 1)
            ]
            assert root_of([one.header, *stored]) == one.root
