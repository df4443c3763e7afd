"""What the ledger keeps of shares: by item, fenced, and no more than what is so."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_world import dump, planned

from ledger.db.rows import ContainerRow, Lease, LegState
from ledger.leg.leg_session import LegLedger
from ledger.leg.locations import Seat
from ledger.leg.shares import FOUND, ShareRow
from ledger.store import Ledger
from model.errors import LeaseLost
from model.kinds import Kind
from model.protocols import Identity, Loss, key_of

A, B, C = (key_of(name) for name in "abc")
MADE, THERE = ShareRow(A, B), ShareRow(B, C, ends=1000, code=FOUND)
REFUSED = ShareRow(C, A, code="person-unknown")


def test_shares_of_items_and_of_the_container_itself(session: LegLedger, inbox: ContainerRow) -> None:
    session.shares.intend(inbox.id, A, [MADE, THERE])
    session.shares.settle(inbox.id, b"", [REFUSED], [Loss("share", "person-unknown")])
    assert session.shares.of(inbox.id) == {b"": (REFUSED,), A: tuple(sorted((MADE, THERE), key=_party))}


def test_what_is_settled_is_all_there_is(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    other = Loss("name", "truncated")
    session.lose(inbox.id, A, [other])
    session.shares.settle(inbox.id, A, [MADE, REFUSED], [Loss("share", "person-unknown")] * 2)
    session.shares.settle(inbox.id, A, [THERE], [Loss("share", "external")])
    assert session.shares.of(inbox.id) == {A: (THERE,)}
    assert sorted(loss.reason for _, _, loss in ledger.losses(lease.leg)) == ["external", "truncated"]
    session.shares.settle(inbox.id, A, [], [])
    assert session.shares.of(inbox.id) == {}
    assert [loss for _, _, loss in ledger.losses(lease.leg)] == [other]


def test_what_a_container_and_its_items_lose_is_all_that_they_lose(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    other, gone, new = Loss("name", "truncated"), Loss("share", "external"), Loss("share", "other-rights")
    session.lose(inbox.id, A, [other, gone])
    session.shares.settle(inbox.id, B, [MADE], [gone])
    session.shares.lose(inbox.id, {A: (), B: [new, new], b"": [gone]})
    assert {one[1:] for one in ledger.losses(lease.leg)} == {(b"", gone), (A, other), (B, new)}
    session.shares.lose(inbox.id, {})
    assert [loss for _, _, loss in ledger.losses(lease.leg)] == [other]
    assert session.shares.of(inbox.id) == {B: (MADE,)}


def test_an_old_lease_shares_nothing(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    assert ledger.claim(lease.leg, "worker-2", 60, dead=lambda _: True) is not None
    before = dump(ledger)
    with pytest.raises(LeaseLost):
        session.shares.intend(inbox.id, A, [MADE])
    with pytest.raises(LeaseLost):
        session.shares.settle(inbox.id, A, [MADE], [])
    assert dump(ledger) == before
    assert session.shares.of(inbox.id) == {}


def test_what_a_target_should_have() -> None:
    assert MADE.made
    assert not THERE.made
    assert not REFUSED.made
    assert MADE.is_there(5000)
    assert THERE.is_there(999)
    assert not THERE.is_there(1000)
    assert not REFUSED.is_there(0)


def bound(ledger: Ledger, source: str, **changes: Any) -> Lease:
    """Planned with files, and proven by the gate."""
    (number,) = ledger.add_mailboxes([planned(source, workloads=frozenset({Kind.FILES}), **changes)])
    (leg,) = ledger.legs(mailbox=str(number))
    lease = ledger.claim(leg.id, f"worker of {source}", 60)
    assert lease is not None
    account = Identity("nextcloud", source, user=f"uid of {source}")
    ledger.bind(lease, Identity("graph", source), account, "address")
    return lease


def test_where_people_are_at_the_target(ledger: Ledger) -> None:
    bound(ledger, "anna@old.example", target="anna@new.example")
    bound(ledger, "bernd@old.example", target="b@new.example", source_login="upn", target_login="bernd")
    bound(ledger, "carla@old.example", target="carla@new.example")
    asked = ["anna@old.example", "bernd@old.example", "nobody@old.example"]
    assert ledger.targets(asked, Kind.FILES) == {
        "anna@old.example": Seat(
            "anna@old.example", "anna@new.example", "anna@new.example", "uid of anna@old.example"
        ),
        "bernd@old.example": Seat("upn", "bernd", "b@new.example", "uid of bernd@old.example"),
    }
    assert ledger.targets([f"{number}@old.example" for number in range(1200)], Kind.FILES) == {}


def test_who_is_planned_and_not_proven_has_no_user(ledger: Ledger) -> None:
    source = "anna@old.example"
    both = planned(source, workloads=frozenset({Kind.FILES, Kind.MAIL}))
    (number,) = ledger.add_mailboxes([both])
    assert ledger.targets([source], Kind.FILES)[source].user is None
    (mail,) = ledger.legs(mailbox=str(number), workload=Kind.MAIL)
    lease = ledger.claim(mail.id, "worker", 60)
    assert lease is not None
    ledger.bind(lease, Identity("graph", "1"), Identity("imap", "1"), "address")
    assert ledger.targets([source], Kind.FILES)[source].user is None, "its mail is another account"
    assert ledger.targets([source], Kind.MAIL)[source].user == ""
    assert ledger.targets([source], Kind.CALENDAR) == {}


@pytest.mark.parametrize(
    ("code", "seated"), [("identity-changed", False), ("folder-replaced", False), ("over-quota", True)]
)
def test_whom_the_gate_refuses_by_now_is_nowhere(ledger: Ledger, code: str, seated: bool) -> None:
    lease = bound(ledger, "anna@old.example")
    assert ledger.release(lease, LegState.BLOCKED, code)
    assert bool(ledger.targets(["anna@old.example"], Kind.FILES)) is seated


def test_who_is_withheld_is_nowhere(ledger: Ledger) -> None:
    bound(ledger, "anna@old.example")
    assert set(ledger.targets(["anna@old.example"], Kind.FILES)) == {"anna@old.example"}
    ledger.add_mailboxes([planned(target="somebody@new.example")])  # at work: the plan is in conflict
    assert ledger.targets(["anna@old.example"], Kind.FILES) == {}


def _party(row: ShareRow) -> bytes:
    return row.party
