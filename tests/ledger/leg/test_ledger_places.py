from __future__ import annotations

import pytest
from ledger_world import force, page, planned, ref, write

from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, Lease, State
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import key_of

REACHED = {State.WRITTEN, State.VERIFIED, State.CHANGED}


def test_what_arrived_is_listed_by_container(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a", "b"])
    write(session, other.id, ["c"], first=9)
    session.record_page(other.id, page(ref("d")))
    found = [(row.id, item.source_id) for row, item in ledger.arrived(lease.mailbox, Kind.MAIL)]
    assert found == [(inbox.id, "a"), (inbox.id, "b"), (other.id, "c")]
    assert list(ledger.arrived(lease.mailbox, Kind.FILES)) == []


@pytest.mark.parametrize("state", list(State))
def test_where_an_item_went(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease, state: State
) -> None:
    session.set_href(inbox.id, "/Eingang", ("Eingang",))
    session.record_page(inbox.id, page(ref("a")))
    force(session, inbox.id, "a", state)
    place = ledger.place_of({lease.leg}, key_of("a"))
    assert place is not None
    assert (place.mailbox, place.folder, place.state) == (lease.mailbox, "/Eingang", state)
    assert place.arrived is (state in REACHED)
    listed = {item.source_id for _, item in ledger.arrived(lease.mailbox, Kind.MAIL)}
    assert listed == ({"a"} if state in AT_TARGET else set())


def test_what_arrived_goes_before_where_it_was(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    for row, href in ((inbox, "/Eingang"), (other, "/Andere")):
        session.set_href(row.id, href, (href[1:],))
        session.record_page(row.id, page(ref("a")))
    force(session, inbox.id, "a", State.GONE)
    place = ledger.place_of({lease.leg}, key_of("a"))
    assert place is not None
    assert place.state is State.SEEN
    force(session, other.id, "a", State.WRITTEN)
    place = ledger.place_of({lease.leg}, key_of("a"))
    assert place is not None
    assert (place.folder, place.arrived) == ("/Andere", True)


def test_a_container_has_a_place_of_its_own(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    key = key_of(inbox.source_id)
    place = ledger.place_of({lease.leg}, key)
    assert place is not None
    assert not place.arrived
    session.set_href(inbox.id, "", ("",))
    place = ledger.place_of({lease.leg}, key)
    assert place is not None
    assert (place.folder, place.name, place.arrived) == ("", "", True)


def test_only_the_legs_that_are_asked_are_looked_at(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a"])
    assert ledger.place_of((), key_of("a")) is None
    assert ledger.place_of({lease.leg + 1}, key_of("a")) is None
    assert list(ledger.holders(Kind.MAIL)) == [(lease.leg, inbox.source_id)]
    assert list(ledger.holders(Kind.FILES)) == []


def test_a_folder_of_the_row_is_planned_and_part_of_what_is_approved(ledger: Ledger) -> None:
    (number,) = ledger.add_mailboxes([planned(target_folder="Amt")])
    mailbox = str(number)
    assert ledger.planned(mailbox).folder == "Amt"
    ledger.approve(mailbox, "asserted", "somebody", "looked at it")
    assert ledger.approved(mailbox, "asserted")
    ledger.add_mailboxes([planned(target_folder="Anderswo")])
    assert ledger.planned(mailbox).folder == "Anderswo"
    assert not ledger.approved(mailbox, "asserted")
    ledger.add_mailboxes([planned()])
    assert ledger.planned(mailbox).folder == ""
