"""R1: what a page means for every state an item can be in, when mirroring and when not."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_world import INBOX, force, item, page, ref, states, write
from sqlalchemy import event

from ledger.db.encoding import version_hash
from ledger.db.rows import ContainerRow, Lease, PageCount, State
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.errors import LeaseLost
from model.kinds import Kind
from model.protocols import Container, Role, Stored, key_of

S = State


def test_a_page_and_its_cursor_are_recorded_together(session: LegLedger, inbox: ContainerRow) -> None:
    assert session.record_page(inbox.id, page(ref("a"), ref("b", size=None), cursor="c1")) == PageCount(new=2)
    assert session.record_page(inbox.id, page(ref("a"), cursor="c2")) == PageCount()
    assert states(session, inbox.id) == {"a": S.SEEN, "b": S.SEEN}
    row = item(session, inbox.id, "a")
    assert (row.key, row.version, row.size, row.attempts) == (key_of("a"), version_hash("v1"), 100, 0)
    (container,) = session.containers()
    assert (container.cursor, container.complete) == ("c2", False)


def test_keep_cursor_false_records_refs_only(session: LegLedger, inbox: ContainerRow) -> None:
    session.record_page(inbox.id, page(ref("a"), cursor="c1"), keep_cursor=False)
    assert states(session, inbox.id) == {"a": S.SEEN}
    assert session.containers()[0].cursor is None


def test_the_last_mention_in_a_page_counts(session: LegLedger, inbox: ContainerRow) -> None:
    counted = session.record_page(inbox.id, page(ref("a"), ref("a", "v2"), ref("b"), ref("b", deleted=True)))
    assert counted == PageCount(new=1)
    assert item(session, inbox.id, "a").version == version_hash("v2")


CHANGED = {
    S.SEEN: (S.SEEN, S.SEEN),
    S.WRITTEN: (S.CHANGED, S.WRITTEN),
    S.VERIFIED: (S.CHANGED, S.VERIFIED),
    S.CHANGED: (S.CHANGED, S.CHANGED),
    S.SKIPPED: (S.SEEN, S.SEEN),
    S.REJECTED: (S.SEEN, S.SEEN),
    S.GONE: (S.SEEN, S.SEEN),
    S.LEAVING: (S.CHANGED, S.CHANGED),
}
DELETED = {
    S.SEEN: (S.GONE, S.GONE),
    S.WRITTEN: (S.LEAVING, S.WRITTEN),
    S.VERIFIED: (S.LEAVING, S.VERIFIED),
    S.CHANGED: (S.LEAVING, S.CHANGED),
    S.SKIPPED: (S.GONE, S.GONE),
    S.REJECTED: (S.GONE, S.GONE),
    S.GONE: (S.GONE, S.GONE),
    S.LEAVING: (S.LEAVING, S.LEAVING),
}


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("state", CHANGED)
def test_a_new_version(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, state: State, mirror: bool
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    force(session, inbox.id, "a", state)
    with ledger.session(session._lease, mirror=mirror) as worker:
        worker.record_page(inbox.id, page(ref("a", "v2")))
        row = item(worker, inbox.id, "a")
        assert row.state is CHANGED[state][not mirror]
        if row.state is S.SEEN:
            assert (row.attempts, row.code, row.href) == (0, None, None)
        assert worker.record_page(inbox.id, page(ref("a", "v2"))) == PageCount()
        assert item(worker, inbox.id, "a") == row


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("state", DELETED)
def test_a_deletion(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, state: State, mirror: bool
) -> None:
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    force(session, inbox.id, "a", state)
    with ledger.session(session._lease, mirror=mirror) as worker:
        worker.record_page(inbox.id, page(ref("a", deleted=True), ref("never-known", deleted=True)))
        assert states(worker, inbox.id) == {"a": DELETED[state][not mirror], "b": S.SEEN}


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("state", DELETED)
def test_not_named_by_a_full_listing_is_deleted(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, state: State, mirror: bool
) -> None:
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    force(session, inbox.id, "a", state)
    with ledger.session(session._lease, mirror=mirror) as worker:
        counted = worker.finish_listing(inbox.id, "end", [key_of("b")])
        expected = DELETED[state][not mirror]
        assert states(worker, inbox.id) == {"a": expected, "b": S.SEEN}
        assert counted == PageCount(deleted=int(expected is not state))
        (container,) = worker.containers()
        assert (container.cursor, container.complete) == ("end", True)


def test_finishing_without_a_full_listing_deletes_nothing(session: LegLedger, inbox: ContainerRow) -> None:
    session.record_page(inbox.id, page(ref("a")))
    assert session.finish_listing(inbox.id, "end", None) == PageCount()
    assert states(session, inbox.id) == {"a": S.SEEN}


def test_what_moves_is_in_one_container_alone_however_often(session: LegLedger, inbox: ContainerRow) -> None:
    other = session.record_container(Container(Kind.MAIL, "other", ("Other",)))
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    write(session, inbox.id, ["a", "b"])
    session.record_page(other.id, page(ref("a")), moves=True)
    assert states(session, inbox.id) == {"a": S.LEAVING, "b": S.WRITTEN}
    write(session, other.id, ["a"])
    session.record_page(inbox.id, page(ref("a")), moves=True)
    assert states(session, inbox.id)["a"] is S.CHANGED
    assert states(session, other.id) == {"a": S.LEAVING}


def test_what_is_gone_from_a_source_that_tells_moves_is_gone_wherever_it_was(
    session: LegLedger, inbox: ContainerRow
) -> None:
    other = session.record_container(Container(Kind.MAIL, "other", ("Other",)))
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    write(session, inbox.id, ["a", "b"])
    session.record_page(other.id, page(ref("a", deleted=True)))
    assert states(session, inbox.id) == {"a": S.WRITTEN, "b": S.WRITTEN}
    session.record_page(other.id, page(ref("a", deleted=True)), moves=True)
    assert states(session, inbox.id) == {"a": S.LEAVING, "b": S.WRITTEN}
    assert states(session, other.id) == {}


def test_a_long_listing_is_reconciled_across_chunks(session: LegLedger, inbox: ContainerRow) -> None:
    names = [f"n{number}" for number in range(6100)]
    session.record_page(inbox.id, page(*map(ref, names)))
    kept = {key_of(name) for name in names[::2]}
    assert session.finish_listing(inbox.id, "end", kept) == PageCount(deleted=3050)
    assert session.counts(inbox.id) == {S.SEEN: 3050, S.GONE: 3050}
    assert {row.key for row in session.rows(inbox.id, (S.SEEN,))} == kept


@pytest.mark.parametrize(
    ("seen_again", "stored", "restored"),
    [({"version": "v2"}, S.CHANGED, S.SEEN), ({"deleted": True}, S.LEAVING, S.GONE)],
)
def test_what_the_source_did_while_writing_takes_effect_when_settled(
    session: LegLedger, inbox: ContainerRow, seen_again: dict[str, Any], stored: State, restored: State
) -> None:
    for name in ("a", "b"):
        session.record_page(inbox.id, page(ref(name)))
        force(session, inbox.id, name, S.WRITING)
        session.record_page(inbox.id, page(ref(name, **seen_again)))
        assert item(session, inbox.id, name).state is S.WRITING
    session.settle(inbox.id, [Stored(key_of("a"), "7:1")])
    session.restore(inbox.id, [key_of("b")], refund=True)
    assert states(session, inbox.id) == {"a": stored, "b": restored}
    assert item(session, inbox.id, "a").code is None


def test_running_totals_follow(ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease) -> None:
    write(session, inbox.id, ["a", "b", "c"])
    (leg,) = ledger.legs()
    assert (leg.items, leg.done, leg.bytes) == (3, 3, 360)
    session.record_page(inbox.id, page(ref("a", "v2"), ref("d")))
    (leg,) = ledger.legs()
    assert (leg.items, leg.done) == (4, 2)


def test_bytes_of_a_crashed_workers_writes_count_as_well(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    force(session, inbox.id, "a", S.WRITING)
    with ledger.session(lease, mirror=True) as successor:
        force(successor, inbox.id, "b", S.WRITING)
        successor.settle(inbox.id, [Stored(key_of("a"), "7:1"), Stored(key_of("b"), "7:2")])
    assert [leg.bytes for leg in ledger.legs()] == [240]


def test_containers_are_known_by_their_source_id(session: LegLedger, inbox: ContainerRow) -> None:
    session.set_href(inbox.id, "INBOX", ("INBOX",))
    renamed = session.record_container(Container(Kind.MAIL, INBOX.id, ("Inbox",), None, 9, omit="hidden"))
    assert renamed.id == inbox.id
    assert (renamed.path, renamed.role, renamed.total, renamed.omit) == (("Inbox",), None, 9, "hidden")
    assert renamed.href == "INBOX"
    assert session.placed() == {inbox.id: ("INBOX",)}
    session.set_href(inbox.id, "Inbox2")
    assert session.placed() == {inbox.id: ("INBOX",)}
    assert inbox.role is Role.INBOX


def test_where_containers_were_placed_is_read_once_and_is_what_was_committed(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    read: list[str] = []
    noted = (ledger.engine, "before_cursor_execute", lambda _c, _d, statement, *_: read.append(statement))
    event.listen(*noted)
    assert session.placed() == {}
    session.set_href(inbox.id, "INBOX", ("INBOX",))
    session.set_href(other.id, "A", ("A",))
    session.placed().clear()
    assert session.placed() == {inbox.id: ("INBOX",), other.id: ("A",)}
    session.set_href(other.id, "B", ("B",))
    session.set_href(inbox.id, None)
    assert session.placed() == {other.id: ("B",)}
    event.remove(*noted)
    assert sum("placed" in one for one in read if one.startswith("SELECT")) == 1
    assert ledger.claim(lease.leg, "worker-2", 60, dead=lambda _: True) is not None
    with pytest.raises(LeaseLost):
        session.set_href(other.id, "C", ("C",))
    assert session.placed() == {other.id: ("B",)}


def test_gone_containers_are_marked_until_they_are_listed_again(
    session: LegLedger, inbox: ContainerRow, other: ContainerRow
) -> None:
    assert session.gone_containers({inbox.source_id, other.source_id}) == []
    for _ in range(2):
        (gone,) = session.gone_containers({inbox.source_id})
        assert (gone.id, gone.gone) == (other.id, True)
    assert [row.gone for row in session.containers()] == [False, True]
    session.record_container(Container(Kind.MAIL, other.source_id, other.path))
    assert [row.gone for row in session.containers()] == [False, False]
