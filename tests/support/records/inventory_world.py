"""What the inventories of a ledger hold, read as a seal reads it."""

from __future__ import annotations

from ledger_world import KEK

from ledger.db.engine import reading
from ledger.db.rows import Lease
from ledger.inventory import keystore
from ledger.inventory.inventory import InventoryLine, InventorySection, lines, sections
from ledger.store import Ledger
from model.protocols import key_of


def key(ledger: Ledger, lease: Lease) -> bytes:
    with reading(ledger.engine) as connection:
        found = keystore.key_of(connection, lease.mailbox, KEK)
    assert found is not None
    return found


def read(ledger: Ledger, lease: Lease) -> list[tuple[InventorySection, list[InventoryLine]]]:
    """All that an auditor's pack is made of."""
    with reading(ledger.engine) as connection:
        found = sections(connection, lease.mailbox)
        return [(one, list(lines(connection, one.leg, one.number))) for one in found]


def named(ledger: Ledger, lease: Lease) -> dict[int, list[tuple[str, str]]]:
    """By inventory: (item, what) of each line; tests have items of one letter."""
    names = {key_of(chr(letter)): chr(letter) for letter in range(97, 123)}
    return {
        section.number: [(names[line.key], ("new", "changed")[line.what]) for line in found]
        for section, found in read(ledger, lease)
    }
