"""What came first is told by the order of a wave's chain: a clock may be put ahead, and put right again."""

from __future__ import annotations

import pytest
from ledger_world import planned
from sqlalchemy import update

from ledger.db.rows import SCORE_LOW
from ledger.db.schema import checked, event, mailbox
from ledger.plan.approvals import Check, keep_checks, stamp
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger

ANNA = "anna@old.example"
HOURS = 7200.0


def plan(ledger: Ledger, *rows: PlannedMailbox) -> str:
    return str(ledger.add_mailboxes(list(rows) or [planned()])[0])


def put_right(ledger: Ledger) -> None:
    """What was recorded so far was recorded by a clock two hours ahead."""
    with ledger.engine.begin() as connection:
        connection.execute(update(event).values(at=event.c.at + HOURS))
        connection.execute(update(mailbox).values(planned_at=mailbox.c.planned_at + HOURS))
        connection.execute(update(checked).values(at=checked.c.at + HOURS))


def test_a_wave_s_approval_does_not_reach_what_was_planned_after_it(ledger: Ledger) -> None:
    number = plan(ledger)
    ledger.approve("wave:w1", "asserted", "A", "seen")
    assert ledger.approved("wave:w1", "asserted", number)
    put_right(ledger)
    assert plan(ledger, planned(target="somebody@new.example")) == number
    assert not ledger.approved("wave:w1", "asserted", number)
    ledger.approve("wave:w1", "asserted", "A", "seen again")
    assert ledger.approved("wave:w1", "asserted", number)


def test_a_row_that_comes_back_was_planned_anew(ledger: Ledger) -> None:
    number = plan(ledger)
    ledger.approve("wave:w1", "asserted", "A", "seen")
    put_right(ledger)
    plan(ledger, planned(target="somebody@new.example"))
    plan(ledger, planned())
    assert not ledger.approved("wave:w1", "asserted", number)


def test_a_wave_s_approval_does_not_follow_who_leaves_it(ledger: Ledger) -> None:
    number = plan(ledger)
    ledger.approve("wave:w1", "asserted", "A", "seen")
    plan(ledger, planned(wave="w2"))
    assert not ledger.approved("wave:w1", "asserted", number)
    assert not ledger.approved("wave:w2", "asserted", number)


def test_what_is_spent_stays_spent(ledger: Ledger) -> None:
    number = plan(ledger)
    ledger.approve(number, SCORE_LOW, "A", "seen")
    put_right(ledger)
    ledger.event("w1", f"approval-spent:{SCORE_LOW}", {}, subject=number)
    assert not ledger.approved(number, SCORE_LOW)
    ledger.approve(number, SCORE_LOW, "A", "seen again")
    assert ledger.approved(number, SCORE_LOW)


def test_the_newest_approval_is_the_last(ledger: Ledger) -> None:
    """One for what the mailbox was does not hide the one for what it is."""
    number = plan(ledger)
    ledger.approve(number, "asserted", "A", "seen")
    put_right(ledger)
    plan(ledger, planned(target="somebody@new.example"))
    assert not ledger.approved(number, "asserted")
    ledger.approve(number, "asserted", "A", "seen again")
    assert ledger.approved(number, "asserted")


def test_an_approval_of_one_mailbox_goes_with_it_to_another_wave(ledger: Ledger) -> None:
    number = plan(ledger)
    ledger.approve(number, "asserted", "A", "seen")
    plan(ledger, planned(wave="w2"))
    assert ledger.approved(number, "asserted")


@pytest.mark.parametrize("news", ["planned", "checked", "withdrawn"])
def test_a_plan_that_changed_is_read_anew(ledger: Ledger, news: str) -> None:
    other = planned("bert@old.example")
    number = plan(ledger, planned(), other)
    keep_checks(ledger, [Check(number, "address", None, 1, 1)])
    put_right(ledger)
    before = stamp(ledger, "w1")
    assert stamp(ledger, "w1") == before
    if news == "planned":
        plan(ledger, planned(target="somebody@new.example"), other)
    elif news == "checked":
        keep_checks(ledger, [Check(number, "asserted", None, 1, 1)])
    else:
        ledger.add_mailboxes([planned()], whole=True)
    assert stamp(ledger, "w1") != before


def test_a_plan_that_stays_is_not_read_anew(ledger: Ledger) -> None:
    plan(ledger)
    before = stamp(ledger, "w1")
    plan(ledger)
    assert stamp(ledger, "w1") == before
