"""Inventories: what a page names is a line of one, and its root is there before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from inventory_world import key, named, read
from ledger_world import INBOX, KEK, begin, dump, force, item, page, ref, write
from merkle_roots import root_of
from sqlalchemy import event, func, select

from ledger.db.engine import reading
from ledger.db.rows import ContainerRow, Lease, State
from ledger.db.schema import inventory, listed
from ledger.db.schema import item as item_table
from ledger.inventory.inventory import InventoryEntry, packed, unpacked
from ledger.inventory.lines import BOX, NAME, folder_text, inventory_line, item_text, pseudonym
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.errors import Corrupt, LeaseLost
from model.kinds import Kind
from model.protocols import Container, Stored, key_of

S = State


def test_entries_are_kept_in_25_bytes() -> None:
    entries = [
        InventoryEntry(key_of("a"), 0, 8192),
        InventoryEntry(key_of("b"), 1, None),
        InventoryEntry(key_of("c"), 0, 2**63),
    ]
    assert len(packed(entries)) == 75
    assert list(unpacked(packed(entries))) == entries


def test_a_closed_inventory_is_what_was_listed_and_its_root_is_that_of_its_lines(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a"), ref("b", size=None)))
    session.record_page(other.id, page(ref("c")))
    session.record_page(inbox.id, page(ref("d", size=7)))
    assert session.close_inventory(KEK) == 1
    ((section, found),) = read(ledger, lease)
    k = key(ledger, lease)
    boxes = {row.id: key_of(row.source_id) for row in (inbox, other)}
    expected = [(inbox, "a", 100), (inbox, "b", None), (other, "c", 100), (inbox, "d", 7)]
    stored = [
        inventory_line(
            number,
            pseudonym(k, BOX, boxes[row.id]),
            item_text(k, boxes[row.id], key_of(name)),
            size,
            0,
        )
        for number, (row, name, size) in enumerate(expected, 1)
    ]
    assert section.root == root_of([section.header, *stored])
    assert (section.workload, section.number, section.n) == (Kind.MAIL, 1, 4)
    assert [(line.container, line.box, line.key, line.listed) for line in found] == [
        (row.id, boxes[row.id], key_of(name), size) for row, name, size in expected
    ]
    header = json.loads(section.header)
    assert section.header == json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    assert (header["section"], header["pass"], header["after"], header["earlier"]) == ("mail", 1, None, 0)
    assert abs(header["at"] - section.at) < 1e-5
    assert header["folders"] == [
        {
            "box": pseudonym(k, BOX, boxes[row.id]),
            "name": pseudonym(k, NAME, folder_text(row.path).encode()),
            "kind": "mail",
            "total": row.total,
            "listed": count,
            "omit": None,
        }
        for row, count in ((inbox, 3), (other, 1))
    ]


def test_it_is_recorded_as_an_event_that_names_nobody(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    session.close_inventory(KEK)
    ((section, _),) = read(ledger, lease)
    (told,) = [event for event in ledger.events("w1") if event.kind == "inventory-taken"]
    assert told.subject == lease.mailbox
    assert told.detail == {"workload": "mail", "pass": 1, "items": 1, "root": section.root.hex()}
    ledger.verify_events()


def test_every_pass_has_its_own_and_names_the_one_before(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a", "b"])
    assert session.close_inventory(KEK) is None
    session.record_page(inbox.id, page(ref("a", "v2"), ref("b"), ref("c"), ref("d", deleted=True)))
    late = session.record_container(Container(Kind.MAIL, "folder-late", ("Spät",), omit="hidden"))
    assert session.close_inventory(KEK) == 2
    assert named(ledger, lease) == {1: [("a", "new"), ("b", "new")], 2: [("a", "changed"), ("c", "new")]}
    (first, _), (second, _) = read(ledger, lease)
    headers = [json.loads(one.header) for one in (first, second)]
    assert headers[1]["after"] == first.root.hex()
    k = key(ledger, lease)
    boxes = {
        one: pseudonym(k, BOX, key_of(one)) for one in (inbox.source_id, other.source_id, late.source_id)
    }
    assert [folder["box"] for folder in headers[0]["folders"]] == [
        boxes[inbox.source_id],
        boxes[other.source_id],
    ]
    assert [(folder["box"], folder["listed"], folder["omit"]) for folder in headers[1]["folders"]] == [
        (boxes[inbox.source_id], 2, None),
        (boxes[late.source_id], 0, "hidden"),
    ]


def test_a_mailbox_without_items_has_a_first_inventory_too(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.finish_listing(inbox.id, "end")
    assert session.inventory.is_due()
    assert session.close_inventory(KEK) == 1
    assert session.close_inventory(KEK) is None
    assert not session.inventory.is_due()
    ((section, found),) = read(ledger, lease)
    assert (section.n, found, section.root) == (0, [], root_of([section.header]))
    assert len(json.loads(section.header)["folders"]) == 1


def test_containers_that_are_gone_are_named_only_where_they_have_lines(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    third = session.record_container(Container(Kind.MAIL, "folder-third", ("Drei",)))
    session.record_page(other.id, page(ref("a")))
    session.gone_containers({inbox.source_id})
    session.close_inventory(KEK)
    ((section, _),) = read(ledger, lease)
    k = key(ledger, lease)
    assert [folder["box"] for folder in json.loads(section.header)["folders"]] == [
        pseudonym(k, BOX, key_of(row.source_id)) for row in (inbox, other)
    ]
    assert third.id


# One line for each item


AGAIN: dict[str, tuple[Any, ...]] = {
    "listed twice": (page(ref("a")), page(ref("a"))),
    "changed before it was rooted": (page(ref("a")), page(ref("a", "v2"))),
    "gone and back before it was rooted": (
        page(ref("a")),
        page(ref("a", deleted=True)),
        page(ref("a", "v3")),
    ),
    "named twice in a page": (page(ref("a"), ref("a", "v2")),),
}


@pytest.mark.parametrize("pages", AGAIN.values(), ids=AGAIN)
def test_an_inventory_names_an_item_once(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease, pages: tuple[Any, ...]
) -> None:
    for one in pages:
        session.record_page(inbox.id, one)
    session.close_inventory(KEK)
    assert named(ledger, lease) == {1: [("a", "new")]}


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("state", [s for s in S if s is not S.WRITING])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_line_for_whatever_a_listing_makes_owed(
    ledger: Ledger,
    session: LegLedger,
    inbox: ContainerRow,
    lease: Lease,
    state: State,
    mirror: bool,
    version: str,
) -> None:
    """Whatever page a state is met by: there is a line exactly where the count of the page says new or
    changed."""
    session.record_page(inbox.id, page(ref("a")))
    if state is not S.SEEN:
        force(session, inbox.id, "a", state)
    session.close_inventory(KEK)
    with ledger.session(lease, mirror=mirror) as worker:
        count = worker.record_page(inbox.id, page(ref("a", version)))
        worker.close_inventory(KEK)
    expected = [("a", "new")] * count.new + [("a", "changed")] * count.changed
    assert named(ledger, lease) == {1: [("a", "new")]} | ({2: expected} if expected else {})
    with reading(ledger.engine) as connection:
        newest = connection.scalar(select(item_table.c.inventory))
    assert newest == (2 if expected else 1)


def test_what_changes_while_it_is_written_has_a_line(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    begin(session, inbox.id, [key_of("a")], "7:1")
    session.record_page(inbox.id, page(ref("a", "v2")))
    session.settle(inbox.id, [Stored(key_of("a"), "7:1")])
    session.close_inventory(KEK)
    assert named(ledger, lease) == {1: [("a", "new")], 2: [("a", "changed")]}


def test_what_moves_is_withdrawn_here_and_new_there(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a", "b"])
    session.record_page(other.id, page(ref("a")), moves=True)
    session.close_inventory(KEK)
    session.withdrawn(inbox.id, [key_of("a")])
    (_, first), (_, second) = read(ledger, lease)
    assert [(line.container, line.key, line.state, line.newest) for line in (*first, *second)] == [
        (inbox.id, key_of("a"), S.GONE, 1),
        (inbox.id, key_of("b"), S.WRITTEN, 1),
        (other.id, key_of("a"), S.SEEN, 2),
    ]


def test_what_is_gone_and_comes_back_is_new_once_more(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a"])
    session.record_page(inbox.id, page(ref("a", deleted=True)))
    assert session.close_inventory(KEK) is None
    session.withdrawn(inbox.id, [key_of("a")])
    session.record_page(inbox.id, page(ref("a")))
    assert session.close_inventory(KEK) == 2
    assert named(ledger, lease) == {1: [("a", "new")], 2: [("a", "new")]}
    assert [line.newest for _, found in read(ledger, lease) for line in found] == [2, 2]


def test_a_dry_run_leaves_it_open_for_the_pass_that_copies(ledger: Ledger, lease: Lease) -> None:
    with ledger.session(lease, mirror=True) as dry:
        place = dry.record_container(INBOX)
        dry.record_page(place.id, page(ref("a"), ref("b")))
    with ledger.session(lease, mirror=True) as session:
        session.record_page(place.id, page(ref("b", "v2"), ref("c")))
        assert session.close_inventory(KEK) == 1
    assert named(ledger, lease) == {1: [("a", "new"), ("b", "new"), ("c", "new")]}


# Nothing is written before


def test_nothing_is_begun_while_there_is_something_to_close(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    a, b = key_of("a"), key_of("b")
    session.record_page(inbox.id, page(ref("a")))
    for worker in (session, ledger.session(lease, mirror=True)):
        with worker, pytest.raises(Corrupt) as raised:
            worker.begin(inbox.id, [a], "7:1")
        assert raised.value.code == "inventory-open"
    assert item(session, inbox.id, "a").attempts == 0
    session.close_inventory(KEK)
    session.begin(inbox.id, [a], "7:1")
    session.record_page(inbox.id, page(ref("b")))
    with pytest.raises(Corrupt):
        session.begin(inbox.id, [b], "7:2")
    session.close_inventory(KEK)
    with ledger.session(lease, mirror=True) as successor:
        successor.begin(inbox.id, [b], "7:2")


def test_to_know_that_it_is_closed_costs_a_worker_no_question(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow
) -> None:
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    session.close_inventory(KEK)
    said: list[str] = []

    def note(*call: Any) -> None:
        said.append(call[2])

    event.listen(ledger.engine, "after_cursor_execute", note)
    session.begin(inbox.id, [key_of("a")], "7:1")
    assert not session.inventory.is_due()
    event.remove(ledger.engine, "after_cursor_execute", note)
    assert not any("listed" in one or "inventory.number" in one for one in said)


def test_to_close_is_one_commit_and_a_second_time_none(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow
) -> None:
    session.record_page(inbox.id, page(*(ref(f"n{number}") for number in range(1203))))
    commits: list[bool] = []

    def note(connection: Any) -> None:
        commits.append(connection.get_execution_options().get("writes", False))

    event.listen(ledger.engine, "commit", note)
    session.close_inventory(KEK)
    assert commits.count(True) == 1
    session.close_inventory(KEK)
    assert commits.count(True) == 1
    event.remove(ledger.engine, "commit", note)


# Leases and crashes


def test_an_old_lease_closes_nothing(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    second = ledger.claim(lease.leg, "worker-2", 60, dead=lambda _: True)
    assert second is not None
    before = dump(ledger)
    with pytest.raises(LeaseLost):
        session.close_inventory(KEK)
    assert dump(ledger) == before
    with ledger.session(second, mirror=True) as successor:
        successor.record_page(inbox.id, page(ref("b")))
        assert successor.close_inventory(KEK) == 1
    assert named(ledger, lease) == {1: [("a", "new"), ("b", "new")]}


class Crash(Exception):
    """The process ends here."""


STEPS: dict[str, Callable[[LegLedger, int], Any]] = {
    "record_page": lambda s, c: s.record_page(c, page(ref("b"), ref("a", "v2"))),
    "close_inventory": lambda s, c: s.close_inventory(KEK),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_anywhere_leaves_everything_or_nothing(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease, step: str
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    before = dump(ledger)
    for number in range(1, 60):
        if not _crashed(ledger, number, lambda: STEPS[step](session, inbox.id)):
            break
        session.close()
        assert dump(ledger) == before
    assert 4 < number < 59
    assert dump(ledger) != before
    session.close_inventory(KEK)
    assert named(ledger, lease)[1][0] == ("a", "new")
    with reading(ledger.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(inventory)) == 1
        parts = connection.scalars(select(listed.c.part).order_by(listed.c.part)).all()
    assert list(parts) == list(range(1, len(parts) + 1))


def _crashed(ledger: Ledger, number: int, action: Callable[[], Any]) -> bool:
    """Whether the action ended before its statement of that number, or at the commit of what it wrote."""
    count = 0

    def crash(connection: Any, *_: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise Crash

    def at_commit(connection: Any) -> None:
        if connection.get_execution_options().get("writes", False):
            crash(connection)

    event.listen(ledger.engine, "before_cursor_execute", crash)
    event.listen(ledger.engine, "commit", at_commit)
    try:
        action()
    except Crash:
        return True
    finally:
        event.remove(ledger.engine, "before_cursor_execute", crash)
        event.remove(ledger.engine, "commit", at_commit)
    return False
