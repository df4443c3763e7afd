"""What the evidence says of a mailbox: its sections as the ledger has them, their lines as they stream by."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from evidence.bag_writer import AnsweredLine, PackSection
from ledger.db.rows import State
from ledger.inventory import inventory
from ledger.inventory.lines import (
    BOX,
    CONTENT,
    CONVERTED,
    FAILED,
    LATER,
    MATCH,
    MESSAGE,
    NORMALISED,
    NOT_OURS,
    OPEN,
    REBUILT,
    REKEYED,
    SKIPPED,
    UNVERIFIED,
    WITHDRAWN,
    LineResult,
    inventory_line,
    item_text,
    place_text,
    pseudonym,
    results_header,
    results_line,
)
from model.errors import Corrupt
from model.kinds import Kind

NO_CODE = "no-code"
"""A rule where the ledger has none."""


def sections(connection: Connection, mailbox_id: str, key: bytes, sealed: float) -> Iterator[PackSection]:
    """Yield all sections of a mailbox.

    Their lines are read from the connection while they are used, one section after the other.

    Args:
        connection: to the ledger.
        mailbox_id: the random id.
        key: the mailbox's own.
        sealed: in seconds since 1970 UTC.
    """
    for one in inventory.sections(connection, mailbox_id):
        answered = results_header(
            one.workload, one.number, one.root, one.n, one.state.value, one.verified, sealed
        )
        lines = _lines(connection, key, one)
        yield PackSection(one.workload, one.number, one.n, one.root, one.header, answered, lines)


def _lines(connection: Connection, key: bytes, section: inventory.InventorySection) -> Iterator[AnsweredLine]:
    where, box = 0, ""
    for number, line in enumerate(inventory.lines(connection, section.leg, section.number), 1):
        if line.container != where:
            where, box = line.container, pseudonym(key, BOX, line.box)
        source = item_text(key, line.box, line.key)
        result = result_of(key, section.workload, section.number, line)
        yield AnsweredLine(
            inventory_line(number, box, source, line.listed, line.what),
            results_line(number, source, result),
            result.verdict,
        )


def result_of(key: bytes, section: Kind, number: int, line: inventory.InventoryLine) -> LineResult:
    """Return what became of an item that pass `number` listed.

    An item that a later pass listed again has its result there.

    Raises:
        Corrupt: the item does not know the inventory that names it.
    """
    if line.newest is None or line.newest < number:
        raise Corrupt("inventory-broken", "an item does not know the inventory that names it")
    if line.newest > number:
        return LineResult(LATER, f"pass {line.newest}")
    verdict, rule = _verdict(line)
    message = None if line.mid is None else pseudonym(key, MESSAGE, line.mid)
    if line.href is None or verdict == WITHDRAWN:
        return LineResult(verdict, rule, message=message)
    meant = None if line.digest is None else pseudonym(key, CONTENT, line.digest)
    return LineResult(
        verdict,
        rule,
        target=place_text(key, section, line.href),
        meant=meant,
        found=meant if line.state is State.VERIFIED else None,
        size=line.size,
        message=message,
    )


def _verdict(line: inventory.InventoryLine) -> tuple[str, str | None]:
    """Return the verdict of a line, and its rule."""
    match line.state:
        case State.VERIFIED if line.losses:
            return CONVERTED, ",".join(sorted({f"{one.field}:{one.reason}" for one in line.losses}))
        case State.VERIFIED if line.rebuilt:
            return NORMALISED, REBUILT
        case State.VERIFIED:
            return MATCH, None
        case State.WRITTEN:
            return FAILED, UNVERIFIED
        case State.REJECTED:
            return FAILED, line.code or NO_CODE
        case State.SKIPPED:
            return SKIPPED, line.code or NO_CODE
        case State.GONE:
            return WITHDRAWN, line.code if line.code in (NOT_OURS, REKEYED) else None
    return OPEN, line.state.name.lower()
