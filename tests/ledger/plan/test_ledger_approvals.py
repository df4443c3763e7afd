"""What an approval is about, in the ledger: checks, the plan's rows, and a chain that is read once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_world import claimed, planned
from sqlalchemy import func, select, update

from ledger.db.engine import reading, writing
from ledger.db.schema import checked, event, step
from ledger.plan.approvals import Check, events_since, keep_checks, plan_rows, record, stamp
from ledger.store import Ledger
from model.errors import Corrupt
from model.kinds import Kind
from model.protocols import Identity


def add(ledger: Ledger, *rows: object, whole: bool = False) -> list[str]:
    return [str(one) for one in ledger.add_mailboxes(rows, whole=whole)]  # type: ignore[arg-type]


def count(ledger: Ledger, table: object) -> int:
    with reading(ledger.engine) as connection:
        query = select(func.count()).select_from(table)  # type: ignore[arg-type]
        return int(connection.execute(query).scalar_one())


def test_a_mailbox_that_was_never_checked_says_so(ledger: Ledger) -> None:
    add(ledger, planned(workloads=frozenset({Kind.NOTES, Kind.MAIL}), source_login="anna"))
    (row,) = plan_rows(ledger, "w1")
    assert (row.at, row.level, row.code, row.items, row.bytes) == (None, None, None, 0, 0)
    assert (row.source_login, row.target_login, row.workloads) == ("anna", None, ("mail", "notes"))


def test_the_newest_check_counts(ledger: Ledger) -> None:
    (number,) = add(ledger, planned())
    keep_checks(ledger, [Check(number, "directory", None, 7, 700)])
    keep_checks(ledger, [Check(number, "asserted", "identity-not-proven", 8, 2**40)])
    (row,) = plan_rows(ledger, mailbox_id=number)
    assert (row.level, row.code, row.items, row.bytes) == ("asserted", "identity-not-proven", 8, 2**40)
    assert row.at is not None


@pytest.mark.parametrize("known", [True, False])
def test_what_could_not_be_looked_at_overwrites_nothing(ledger: Ledger, known: bool) -> None:
    (number,) = add(ledger, planned())
    if known:
        keep_checks(ledger, [Check(number, "directory", None, 7, 700)])
    keep_checks(ledger, [Check(number, None, "timeout", 0, 0, passing=True)])
    (row,) = plan_rows(ledger, "w1")
    assert (row.level, row.code) == (("directory", None) if known else (None, "timeout"))


@pytest.mark.parametrize("how", ["another target", "withdrawn"])
def test_a_new_plan_forgets_what_was_found_and_how_far_a_cutover_is(ledger: Ledger, how: str) -> None:
    (number,) = add(ledger, planned())
    keep_checks(ledger, [Check(number, "directory", None, 7, 700)])
    with writing(ledger.engine) as connection:
        connection.execute(step.insert().values(mailbox=number, name="freeze", state="done", at=1.0))
    rows = [planned(target="else@new.example")] if how == "another target" else []
    add(ledger, *rows, whole=True)
    assert (count(ledger, checked), count(ledger, step)) == (0, 0)


def test_a_bound_mailbox_that_is_withheld_keeps_its_place(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.bind(lease, Identity("s", "1", frozenset()), Identity("t", "2", frozenset()), "directory")
    keep_checks(ledger, [Check(lease.mailbox, "directory", None, 7, 700)])
    (before,) = plan_rows(ledger, "w1")
    add(ledger, whole=True)
    (after,) = plan_rows(ledger, "w1")
    assert after == replace(before, withheld="not-in-plan")
    assert after.approved_part() == before.approved_part()


def test_the_stamp_is_another_one_for_another_plan(ledger: Ledger) -> None:
    add(ledger, planned(), planned("bernd@old.example"), planned("carl@old.example", "other"))
    first, *_ = (row.mailbox for row in plan_rows(ledger, "w1"))
    seen = [stamp(ledger, "w1")]
    keep_checks(ledger, [Check(first, "directory", None, 7, 700)])
    seen.append(stamp(ledger, "w1"))
    add(ledger, planned(workloads=frozenset({Kind.MAIL, Kind.TASKS})))
    seen.append(stamp(ledger, "w1"))
    add(ledger, planned(target="else@new.example"))
    seen.append(stamp(ledger, "w1"))
    add(ledger, planned("dora@old.example"))
    seen.append(stamp(ledger, "w1"))
    assert len(set(seen)) == len(seen)
    add(ledger, planned("emil@old.example", "other"))
    assert stamp(ledger, "w1") == seen[-1], "another wave is none of ours"


def test_a_chain_is_read_from_where_it_was_read_to(ledger: Ledger) -> None:
    assert events_since(ledger, "w1")[1] == []
    ledger.event("w1", "one", {})
    record(ledger, "w1", "start", {"plan": "x"}, b"signature")
    head, events = events_since(ledger, "w1")
    assert [(one.kind, one.subject, one.signature) for one in events] == [
        ("one", None, None),
        ("plan-approved:start", "wave:w1", b"signature"),
    ]
    assert events_since(ledger, "w1", head) == (head, [])
    ledger.event("w1", "three", {})
    assert [one.kind for one in events_since(ledger, "w1", head)[1]] == ["three"]


def test_a_chain_that_lost_its_end_or_was_altered_is_corrupt(ledger: Ledger) -> None:
    for kind in ("one", "two", "three"):
        ledger.event("w1", kind, {})
    head, _ = events_since(ledger, "w1")
    ledger.event("w1", "four", {})
    with writing(ledger.engine) as connection:
        connection.execute(update(event).where(event.c.seq == 4).values(kind="plan-approved:start"))
    with pytest.raises(Corrupt, match="event-chain-broken"):
        events_since(ledger, "w1", head)
    with writing(ledger.engine) as connection:
        connection.execute(event.delete().where(event.c.seq == 4))
    with pytest.raises(Corrupt, match="event-chain-broken"):
        events_since(ledger, "w1", head)
