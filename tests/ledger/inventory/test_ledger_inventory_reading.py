"""What a seal reads of the inventories, and what became of a ledger that is older than they are."""

from __future__ import annotations

import json

import pytest
from inventory_world import key, named, read
from ledger_world import INBOX, KEK, begin, claimed, force, item, page, planned, ref, write
from sqlalchemy import text, update

from ledger.db.encoding import version_hash
from ledger.db.engine import reading
from ledger.db.rows import ContainerRow, Finding, Lease, Outcome, State
from ledger.db.schema import item as item_table
from ledger.inventory.inventory import sections
from ledger.inventory.lines import message_number
from ledger.leg.item_states import Unwritten
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.errors import Corrupt
from model.kinds import Kind
from model.protocols import Container, Loss, key_of

S = State


def test_a_line_comes_with_what_became_of_its_item(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a", "b", "c"])
    session.verified(inbox.id, [key_of("a"), key_of("b")])
    session.lose(inbox.id, key_of("b"), [Loss("x", "z"), Loss("x", "y")])
    session.replace_findings(
        inbox.id,
        [Finding(Outcome.REBUILT, key_of("a"), "7:1"), Finding(Outcome.DIFFERS, key_of("c"), "7:3", "body")],
    )
    session.record_page(inbox.id, page(ref("d"), ref("e")))
    session.settle(inbox.id, [], rejected=[(key_of("d"), "too-large")], skipped=[(key_of("e"), "report")])
    session.close_inventory(KEK)
    found = {line.key: line for _, every in read(ledger, lease) for line in every}
    a, b, c, d, e = (found[key_of(name)] for name in "abcde")
    row = item(session, inbox.id, "a")
    assert (a.state, a.digest, a.href, a.size, a.losses, a.rebuilt) == (
        S.VERIFIED,
        row.digest,
        "7:1",
        120,
        (),
        True,
    )
    assert a.mid == message_number(f"<{key_of('a').hex()}@old.example>")
    assert (b.losses, b.rebuilt) == ((Loss("x", "y"), Loss("x", "z")), False)
    assert (c.state, c.rebuilt) == (S.WRITTEN, False)
    assert (d.state, d.code, d.href, d.digest, d.mid) == (S.REJECTED, "too-large", None, None, None)
    assert (e.state, e.code, e.newest) == (S.SKIPPED, "report", 2)


def test_a_mail_that_is_not_written_has_its_message_id(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    begin(session, inbox.id, [key_of("a")], "7:1")
    session.intend(inbox.id, [], [Unwritten(key_of("a"), "<a@x>")])
    session.settle(inbox.id, [], rejected=[(key_of("a"), "too-large")])
    ((_, (line,)),) = read(ledger, lease)
    assert (line.state, line.mid) == (S.REJECTED, message_number("<a@x>"))


def test_sections_come_in_the_order_of_the_evidence(ledger: Ledger) -> None:
    kinds = frozenset({Kind.FILES, Kind.CONTACTS, Kind.MAIL, Kind.CALENDAR})
    (mailbox,) = ledger.add_mailboxes([planned(workloads=kinds)])
    for leg in ledger.legs(mailbox=str(mailbox)):
        lease = ledger.claim(leg.id, f"worker-{leg.id}", 60)
        assert lease is not None
        with ledger.session(lease, mirror=True) as session:
            place = session.record_container(Container(leg.workload, f"c-{leg.workload}", ("C",)))
            for number in range(2):
                session.record_page(place.id, page(ref(f"{leg.workload}-{number}")))
                session.close_inventory(KEK)
    with reading(ledger.engine) as connection:
        found = [(one.workload, one.number) for one in sections(connection, str(mailbox))]
    order = (Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS, Kind.FILES)
    assert found == [(kind, number) for kind in order for number in (1, 2)]


def test_many_parts_are_read_in_their_order(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    names = [f"n{number}" for number in range(700)]
    for number in range(140):
        box = inbox.id if number % 3 else other.id
        session.record_page(box, page(*map(ref, names[5 * number : 5 * number + 5])))
    session.record_page(inbox.id, page(*(ref(f"m{number}") for number in range(1201))))
    session.close_inventory(KEK)
    ((section, found),) = read(ledger, lease)
    expected = [key_of(name) for name in (*names, *(f"m{number}" for number in range(1201)))]
    assert [line.key for line in found] == expected
    assert section.n == 1901
    assert sum(folder["listed"] for folder in json.loads(section.header)["folders"]) == 1901


def test_a_row_that_is_missing_is_noticed(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    session.close_inventory(KEK)
    with ledger.engine.begin() as connection:
        connection.execute(text("DELETE FROM item"))
    with pytest.raises(Corrupt) as raised:
        read(ledger, lease)
    assert raised.value.code == "evidence-damaged"


# Ledgers that are older than the evidence


def test_what_was_listed_before_is_counted_and_gets_a_line_when_it_changes(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a"), ref("b"), ref("c")))
    force(session, inbox.id, "c", S.GONE)
    with ledger.engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(item_table).values(inventory=None))
        connection.execute(text("DELETE FROM listed"))
    with ledger.session(lease, mirror=True) as worker:
        worker.record_page(inbox.id, page(ref("a"), ref("d")))
        assert worker.close_inventory(KEK) == 1
        worker.begin(inbox.id, [key_of("a")], "7:1")
        worker.record_page(inbox.id, page(ref("b", "v2")))
        assert worker.close_inventory(KEK) == 2
    headers = [json.loads(section.header) for section, _ in read(ledger, lease)]
    assert [header["earlier"] for header in headers] == [2, 0]
    assert named(ledger, lease) == {1: [("d", "new")], 2: [("b", "changed")]}
    assert item(session, inbox.id, "b").version == version_hash("v2")


def test_legs_do_not_see_one_another_s(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    other = claimed(ledger, "bert@old.example")
    with ledger.session(other, mirror=True) as stranger:
        place = stranger.record_container(INBOX)
        stranger.record_page(place.id, page(ref("b")))
        session.record_page(inbox.id, page(ref("a")))
        assert session.close_inventory(KEK) == 1
        with pytest.raises(Corrupt):
            stranger.begin(place.id, [key_of("b")], "7:1")
        assert stranger.close_inventory(KEK) == 1
    assert named(ledger, lease) == {1: [("a", "new")]}
    assert named(ledger, other) == {1: [("b", "new")]}
    assert key(ledger, lease) != key(ledger, other)
