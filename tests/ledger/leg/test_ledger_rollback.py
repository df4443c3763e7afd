"""What a rollback writes, on both databases."""

from __future__ import annotations

import pytest
from ledger_world import begin, item, page, planned, ref, states, write

from ledger.db.rows import ROLLING, ContainerRow, Finding, Lease, LegState, Outcome, State
from ledger.leg.leg_session import LegLedger
from ledger.leg.rollback import DOOMED, recalled, refuse_unfinished, rested_on
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container, Identity, Page, Stored, key_of

KEYS = {key_of(name) for name in ("a", "b", "c")}


@pytest.fixture
def written(session: LegLedger, inbox: ContainerRow) -> ContainerRow:
    """a VERIFIED, b CHANGED, c WRITTEN."""
    write(session, inbox.id, ["a", "b", "c"])
    session.verified(inbox.id, [key_of("a")])
    session.recheck(inbox.id, [key_of("b")])
    return inbox


def test_what_is_doomed_is_in_doubt_and_spared_as_it_was(session: LegLedger, written: ContainerRow) -> None:
    session.rollback.doom(written.id, KEYS)
    assert set(states(session, written.id).values()) == {State.WRITING}
    assert item(session, written.id, "a").code == DOOMED
    session.rollback.spared(written.id, KEYS)
    assert states(session, written.id) == {"a": State.WRITTEN, "b": State.CHANGED, "c": State.WRITTEN}
    assert item(session, written.id, "a").href == "7:1"


def test_what_is_undone_is_seen_again_without_a_trace(session: LegLedger, written: ContainerRow) -> None:
    session.rollback.doom(written.id, KEYS)
    for _ in range(2):
        session.rollback.undone(written.id, KEYS)
    assert set(states(session, written.id).values()) == {State.SEEN}
    row = item(session, written.id, "b")
    assert (row.href, row.digest, row.since, row.flags, row.code, row.attempts) == (*[None] * 5, 0)
    assert row.date is not None  # it tells a person which item it was
    assert not session.rollback.left()


def test_what_the_source_deleted_is_gone(session: LegLedger, written: ContainerRow) -> None:
    session.finish_listing(written.id, "cursor", {key_of("b"), key_of("c")})
    session.rollback.doom(written.id, KEYS)
    assert states(session, written.id)["a"] is State.LEAVING
    session.rollback.undone(written.id, KEYS)
    assert states(session, written.id) == {"a": State.GONE, "b": State.SEEN, "c": State.SEEN}


def test_no_other_run_works_on_a_leg_until_its_rollback_ends(
    ledger: Ledger, lease: Lease, session: LegLedger, written: ContainerRow
) -> None:
    assert session.rollback.start(recall=False) == 3
    with pytest.raises(Blocked, match="rolling-back"):
        refuse_unfinished(ledger, lease)
    again = ledger.claim(lease.leg, "worker-2", 60, dead=lambda owner: owner == "worker-1")
    assert again is not None
    (leg,) = ledger.legs()
    assert (leg.state, leg.code) == (LegState.RUNNING, ROLLING)
    assert ledger.release(again, LegState.BLOCKED, "rolled-back")
    assert ledger.requeue() == 1
    third = ledger.claim(lease.leg, "worker-3", 60)
    assert third is not None
    refuse_unfinished(ledger, third)


def test_the_end_spends_the_approval_when_it_is_the_last(
    ledger: Ledger, lease: Lease, session: LegLedger
) -> None:
    ledger.approve(lease.mailbox, "rollback", "somebody", "reason")
    assert ledger.approved(lease.mailbox, "rollback")
    session.rollback.start(recall=True)
    session.rollback.finish({"ours": 3})
    assert not ledger.approved(lease.mailbox, "rollback")
    told = {event.kind: dict(event.detail) for event in ledger.events("w1")}
    assert told["rollback-started"] == {"workload": "mail", "items": 0, "recall": 1}
    assert told["rolled-back"] == {"workload": "mail", "ours": 3}


def test_another_account_is_refused(ledger: Ledger, lease: Lease, session: LegLedger) -> None:
    assert not session.rollback.is_bound()
    target = Identity("imap", "one")
    ledger.bind(lease, Identity("ews", "giver"), target, "directory")
    assert session.rollback.is_bound()
    session.rollback.refuse_another(target)
    with pytest.raises(Blocked, match="identity-changed"):
        session.rollback.refuse_another(Identity("imap", "other"))


def test_what_a_recall_found_is_told_once_it_is_gone(
    ledger: Ledger, lease: Lease, session: LegLedger, written: ContainerRow
) -> None:
    found = Finding(Outcome.MATCH, key_of("a"), "7:1", "recalled read=yes")
    session.rollback.doom(written.id, [key_of("a")], [found])
    assert list(recalled(ledger, lease.leg)) == []
    session.rollback.undone(written.id, [key_of("a")])
    session.rollback.forget_findings(written.id)
    ((place, row, detail),) = recalled(ledger, lease.leg)
    assert (place.id, row.key, detail) == (written.id, key_of("a"), "recalled read=yes")


def test_whose_meetings_somebody_rests_on(ledger: Ledger) -> None:
    key, own = key_of("meeting"), key_of("own")
    for who, name in (("chair", f"k-{key.hex()}.ics"), ("guest", f"/cal/42/k-{key.hex()}.ics")):
        lease = calendar(ledger, who)
        with ledger.session(lease, mirror=True) as session:
            row = session.record_container(Container(Kind.CALENDAR, f"{who}-calendar", ("Kalender",)))
            mine = key if who == "chair" else key_of("copy")
            for one, href in ((mine, name), (own, f"k-{own.hex()}.ics")):
                session.record_page(row.id, page_of("meeting" if one == key else "copy", "own"))
                begin(session, row.id, [one], ":0")
                session.settle(row.id, [Stored(one, href)])
        ledger.release(lease, LegState.COPIED)
    boxes = {row.source: row.id for row in ledger.mailboxes()}
    assert rested_on(ledger, {boxes["chair"]}) == {key}
    assert rested_on(ledger, set(boxes.values())) == frozenset()


def calendar(ledger: Ledger, who: str) -> Lease:
    (mailbox,) = ledger.add_mailboxes([planned(who, workloads=frozenset({Kind.CALENDAR}))])
    (leg,) = ledger.legs(mailbox=str(mailbox))
    lease = ledger.claim(leg.id, f"worker-{who}", 60)
    assert lease is not None
    return lease


def page_of(*names: str) -> Page:
    return page(*(ref(name) for name in names))
