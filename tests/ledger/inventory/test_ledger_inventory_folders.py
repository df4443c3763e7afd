"""Folders without items: an inventory names each that the source lists, also where nothing else is new."""

from __future__ import annotations

import json

import pytest
from inventory_world import key, read
from ledger_world import KEK, page, ref, write
from sqlalchemy import update

from ledger.db.rows import ContainerRow, Lease
from ledger.db.schema import listed
from ledger.inventory.inventory import InventoryEntry, packed, unpacked
from ledger.inventory.lines import BOX, pseudonym
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.errors import Corrupt
from model.kinds import Kind
from model.protocols import Container, key_of

EMPTY = Container(Kind.MAIL, "folder-empty", ("Leer",), total=0)
HIDDEN = Container(Kind.MAIL, "folder-hidden", ("Spät",), omit="hidden", total=9)


def folders(ledger: Ledger, lease: Lease) -> list[list[tuple[str, int | None, str | None]]]:
    headers = [json.loads(section.header) for section, _ in read(ledger, lease)]
    return [[(one["box"], one["total"], one["omit"]) for one in header["folders"]] for header in headers]


@pytest.mark.parametrize("new", [EMPTY, HIDDEN], ids=["empty", "omitted"])
def test_a_new_folder_without_items_is_named_in_the_pass_that_finds_it(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease, new: Container
) -> None:
    write(session, inbox.id, ["a"])
    with ledger.session(lease, mirror=True) as worker:
        assert not worker.inventory.is_due()
        row = worker.record_container(new)
        assert worker.inventory.is_due()
        assert worker.close_inventory(KEK) == 2
        assert not worker.inventory.is_due()
    with ledger.session(lease, mirror=True) as next_one:
        assert not next_one.inventory.is_due()
        assert next_one.close_inventory(KEK) is None
    box = pseudonym(key(ledger, lease), BOX, key_of(row.source_id))
    assert folders(ledger, lease)[1] == [(box, new.total, new.omit)]
    assert [section.n for section, _ in read(ledger, lease)] == [1, 0]


def test_a_folder_that_came_and_went_takes_no_inventory(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a"])
    session.record_container(EMPTY)
    session.gone_containers({inbox.source_id})
    for _ in range(2):
        with ledger.session(lease, mirror=True) as worker:
            assert worker.close_inventory(KEK) is None
            assert not worker.inventory.is_due()
    assert len(folders(ledger, lease)) == 1


def test_a_folder_that_comes_back_is_named_then(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a"])
    session.record_container(EMPTY)
    session.gone_containers({inbox.source_id})
    assert session.close_inventory(KEK) is None
    session.record_container(EMPTY)
    assert session.close_inventory(KEK) == 2


def test_what_is_not_packed_entries_is_told(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    whole = packed([InventoryEntry(key_of("a"), 0, 7)])
    for broken in (whole[:-1], whole + b"x", packed([InventoryEntry(key_of("a"), 2, 7)])):
        with pytest.raises(Corrupt, match="evidence-damaged"):
            list(unpacked(broken))
    session.record_page(inbox.id, page(ref("a")))
    session.close_inventory(KEK)
    with ledger.engine.begin() as connection:
        connection.execute(update(listed).values(body=whole[:-1]))
    with pytest.raises(Corrupt, match="evidence-damaged"):
        read(ledger, lease)
