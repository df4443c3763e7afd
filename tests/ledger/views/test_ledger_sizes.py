"""How much there is of a mailbox, and the plan as the ledger holds it."""

from __future__ import annotations

from ledger_world import claimed, page, planned, ref, write

from ledger.db.engine import writing
from ledger.db.rows import NOT_IN_PLAN, ContainerRow, Lease, LegState
from ledger.db.schema import checked
from ledger.leg.leg_session import LegLedger
from ledger.plan.plan_rows import MailboxPlan, plans
from ledger.store import Ledger
from ledger.views.sizes import Amount, amounts, checks
from model.kinds import Kind
from model.protocols import Identity, key_of


def test_what_a_dry_run_listed_is_known_and_waits(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a", size=100), ref("b", size=None), ref("c", size=50)))
    ledger.release(lease, LegState.PENDING, "dry-run")
    assert amounts(ledger) == {lease.mailbox: {Kind.MAIL: Amount(3, 150, 3, 150)}}


def test_what_is_copied_counts_at_the_target_and_waits_no_more(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a", "b"])
    session.record_page(inbox.id, page(ref("c", size=50), ref("d", size=7)))
    session.settle(inbox.id, [], skipped=[(key_of("d"), "some-code")])
    assert amounts(ledger, "w1") == {lease.mailbox: {Kind.MAIL: Amount(4, 290, 1, 50, whole=False)}}
    assert amounts(ledger, "w2") == {}


def test_what_was_never_listed_is_not_known_and_an_empty_mailbox_is(ledger: Ledger, lease: Lease) -> None:
    assert amounts(ledger) == {}
    ledger.release(lease, LegState.BLOCKED, "login-refused")
    assert amounts(ledger) == {}
    again = ledger.claim(lease.leg, "worker-2", 60)
    assert again is not None
    ledger.release(again, LegState.VERIFIED)
    assert amounts(ledger) == {lease.mailbox: {Kind.MAIL: Amount(0, 0, 0, 0)}}


def test_a_preflights_numbers(ledger: Ledger, lease: Lease) -> None:
    other = claimed(ledger, "bert@old.example")
    with writing(ledger.engine) as connection:
        for number, items in ((lease.mailbox, 12), (other.mailbox, 0)):
            values = {"mailbox": number, "at": 1.0, "items": items, "bytes": 3_000_000_000}
            connection.execute(checked.insert().values(values))
    assert checks(ledger) == {lease.mailbox: (12, 3_000_000_000)}


def test_the_plan_is_what_was_planned(ledger: Ledger) -> None:
    anna = planned("anna@old.example", target_login="anna", workloads=frozenset({Kind.MAIL, Kind.NOTES}))
    bert, carl = planned("bert@old.example", "w2", target_folder="Files"), planned("carl@old.example")
    numbers = [str(one) for one in ledger.add_mailboxes([anna, bert, carl])]
    for number in (numbers[0], numbers[2]):
        leg = ledger.legs(mailbox=number)[0]
        lease = ledger.claim(leg.id, f"worker of {number}", 60)
        assert lease is not None
        ledger.bind(lease, Identity("m", number), Identity("m", number), "directory")
        ledger.release(lease, LegState.WAITING)
    ledger.add_mailboxes([anna, bert], whole=True)
    assert sorted(plans(ledger), key=lambda one: one.row.source) == [
        MailboxPlan(numbers[0], anna, begun=True, dropped=False),
        MailboxPlan(numbers[1], bert, begun=False, dropped=False),
        MailboxPlan(numbers[2], carl, begun=True, dropped=True),
    ]
    assert ledger.legs(mailbox=numbers[2])[0].withheld == NOT_IN_PLAN
