"""What a score is made of, counted by both databases."""

from __future__ import annotations

from collections import Counter

import pytest
from ledger_world import begin, claimed, force, mapped, page, planned, ref

from ledger.db.rows import PARTLY, ContainerRow, Lease, LegState, State
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from ledger.views.scores import Absent, Lacking, absent_of, counts_of, lacking_of, partly_verified
from model.kinds import Kind
from model.protocols import Container, Loss, Stored, key_of

LIGHT, GRAVE, GRAVEST = Loss("name", "trimmed"), Loss("reminder", "past"), Loss("attachment", "left-out")
LIGHTER = [{("name", "trimmed")}, {("reminder", "past"), ("organizer", "unknown")}]


def arrive(session: LegLedger, container: int, name: str, *losses: Loss) -> None:
    """Listed, written and verified, with these losses."""
    key = key_of(name)
    session.record_page(container, page(ref(name)))
    begin(session, container, [key], "7:1")
    session.intend(container, [mapped(key, losses=losses)])
    session.settle(container, [Stored(key, f"7:{name}")])
    session.verified(container, [key])


def test_an_item_counts_once_in_its_gravest_class(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    arrive(session, inbox.id, "a")
    arrive(session, inbox.id, "b", LIGHT)
    arrive(session, inbox.id, "c", LIGHT, GRAVE)
    arrive(session, other.id, "d", GRAVE, GRAVEST, LIGHT)
    arrive(session, other.id, "e", Loss("name", "of-a-later-version"))
    session.lose(inbox.id, None, [GRAVEST])
    (counts,) = counts_of(ledger, [lease.mailbox], LIGHTER).values()
    assert list(counts.parts) == [Kind.MAIL]
    assert counts.parts[Kind.MAIL].states == Counter({State.VERIFIED: 5})
    assert counts.parts[Kind.MAIL].lost == Counter({0: 1, 1: 1, 2: 2}), "a folder's own loss is no item's"


def test_what_did_not_arrive_lost_nothing_and_is_named(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    arrive(session, inbox.id, "a", GRAVEST, LIGHT)
    for name, state in {"b": State.CHANGED, "c": State.SKIPPED, "d": State.GONE, "e": State.SEEN}.items():
        session.record_page(inbox.id, page(ref(name)))
        if state is not State.SEEN:
            force(session, inbox.id, name, state)
    for name, code in {"f": "too-large", "g": "too-large", "h": "malformed"}.items():
        session.record_page(inbox.id, page(ref(name)))
        session.settle(inbox.id, [], rejected=[(key_of(name), code)])
    session.record_page(inbox.id, page(ref("i")))
    begin(session, inbox.id, [key_of("i")], "7:9")
    session.intend(inbox.id, [mapped(key_of("i"), losses=(GRAVEST,))])
    absent = {
        Absent(Kind.MAIL, State.SEEN, None, 1),
        Absent(Kind.MAIL, State.CHANGED, None, 1),
        Absent(Kind.MAIL, State.WRITING, None, 1),
        Absent(Kind.MAIL, State.REJECTED, "malformed", 1),
        Absent(Kind.MAIL, State.REJECTED, "too-large", 2),
    }
    assert set(absent_of(ledger, [lease.mailbox])[lease.mailbox]) == absent
    assert lacking_of(ledger, [lease.mailbox]) == {
        lease.mailbox: [
            Lacking(Kind.MAIL, "attachment", "left-out", 1),
            Lacking(Kind.MAIL, "name", "trimmed", 1),
        ]
    }
    (counts,) = counts_of(ledger, [lease.mailbox], LIGHTER).values()
    assert counts.parts[Kind.MAIL].lost == Counter({2: 1})


def test_each_mailbox_has_its_own(ledger: Ledger) -> None:
    for count, source in enumerate(("anna@old.example", "bert@old.example"), 1):
        lease = claimed(ledger, source)
        with ledger.session(lease, mirror=True) as session:
            box = session.record_container(Container(Kind.MAIL, "inbox", ("Inbox",)))
            for number in range(count):
                arrive(session, box.id, f"{source} {number}", GRAVEST)
    ids = {row.source: row.id for row in ledger.mailboxes()}
    found = counts_of(ledger, ids.values(), LIGHTER)
    assert found[ids["anna@old.example"]].parts[Kind.MAIL].lost == Counter({2: 1})
    assert found[ids["bert@old.example"]].parts[Kind.MAIL].lost == Counter({2: 2})
    assert list(counts_of(ledger, [ids["anna@old.example"]], LIGHTER)) == [ids["anna@old.example"]]


@pytest.mark.parametrize("code", PARTLY)
def test_what_was_not_read_back_is_not_verified(ledger: Ledger, code: str) -> None:
    both = frozenset({Kind.MAIL, Kind.CALENDAR})
    box, other = map(str, ledger.add_mailboxes([planned(f"{a}@old.example", workloads=both) for a in "ab"]))
    for number, codes in {box: (None, code), other: (None, None)}.items():
        for leg, one in zip(ledger.legs(mailbox=number), codes, strict=True):
            assert number not in partly_verified(ledger, [box, other])
            lease = ledger.claim(leg.id, "worker-1", 60)
            assert lease is not None
            ledger.release(lease, LegState.VERIFIED, one)
    assert [counts_of(ledger, [one], LIGHTER)[one].verified for one in (box, other)] == [False, True]
    assert partly_verified(ledger, [box, other]) == {box}


def test_a_mailbox_is_verified_when_every_workload_is(ledger: Ledger) -> None:
    both = frozenset({Kind.MAIL, Kind.CALENDAR})
    (box,) = ledger.add_mailboxes([planned("anna@old.example", workloads=both)])
    seen = []
    for leg in ledger.legs(mailbox=str(box)):
        seen.append(counts_of(ledger, [str(box)], LIGHTER)[str(box)].verified)
        lease = ledger.claim(leg.id, "worker-1", 60)
        assert lease is not None
        ledger.release(lease, LegState.VERIFIED)
    seen.append(counts_of(ledger, [str(box)], LIGHTER)[str(box)].verified)
    assert seen == [False, False, True]
