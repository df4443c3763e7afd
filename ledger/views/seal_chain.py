"""Record the sealed waves of a ledger, in one chain, and read what a seal rests on.

What a pack says of a wave changes only with its legs (each worker raises a leg's epoch, each decision to try
again changes its state), its inventories and its mailboxes' keys. A fingerprint of these says whether what
was written of a pack still holds. A seal keeps the fingerprint without the keys, which may be destroyed once
a wave is sealed: if it differs now, the wave has changed since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Select, and_, func, insert, select

from ledger.db.audit_log import append_event, head_of
from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.rows import PARTLY, LegState, State
from ledger.db.schema import container, event, evidence_key, inventory, item, leg, listed, mailbox, seal
from ledger.inventory.keystore import DAMAGED, DESTROYED
from ledger.inventory.lines import SECTIONS
from model.errors import Transient
from model.kinds import Kind

SEALED = "evidence-sealed"
"""The kind of an event."""
NO_INVENTORY, INVENTORY_OPEN, ITEMS_OPEN = "no-inventory", "inventory-open", "items-open"
NOT_VERIFIED = "not-verified"


@dataclass(frozen=True, slots=True)
class SealRow:
    """Describe a seal.

    Attributes:
        number: over all waves, from 1, without a gap.
        wave: the sealed wave.
        statement: the SHA-256 of the signed statement.
        root: of the evidence.
        at: in seconds since 1970 UTC.
        corrects: the number of the seal that this one replaces; None if it replaces none.
        state: a fingerprint, by Seals.put; None if it is not known.
        complete: True if nothing of the wave was missing; None if it is not known.
    """

    number: int
    wave: str
    statement: bytes
    root: bytes
    at: float
    corrects: int | None
    state: str | None = None
    complete: bool | None = None


@dataclass(frozen=True, slots=True)
class Loose:
    """Name a leg that is not accounted for.

    Attributes:
        mailbox: the mailbox's id.
        section: the workload; None of a mailbox that has no leg.
        state: of the leg; None of a mailbox that has no leg.
        code: why.
    """

    mailbox: str
    section: Kind | None
    state: LegState | None
    code: str


@dataclass(frozen=True, slots=True)
class Basis:
    """State what a seal rests on.

    Attributes:
        decisions: how many events the wave's chain has.
        head: the hash of the newest event.
        newest: the newest seal of all waves; None if there is none.
    """

    decisions: int
    head: bytes
    newest: SealRow | None


class Seals:
    """Read and add seals."""

    def __init__(self, ledger: LedgerHandle) -> None:
        self._engine = ledger.engine

    def all(self, wave: str | None = None) -> list[SealRow]:
        """Return the seals of a wave, or of all waves (None), by number."""
        query = select(seal).order_by(seal.c.number)
        with reading(self._engine) as connection:
            chosen = query if wave is None else query.where(seal.c.wave == wave)
            return [SealRow(*row) for row in connection.execute(chosen)]

    def basis(self, wave: str) -> Basis:
        """Return what a seal of this wave would rest on now."""
        with reading(self._engine) as connection:
            return _basis(connection, wave)

    def state(self, wave: str) -> str:
        """Return the fingerprint of a wave; see the module."""
        with reading(self._engine) as connection:
            return _state(connection, wave)

    def changed(self, wave: str | None = None) -> list[str]:
        """Return the sealed waves that changed since.

        Passes, new mailboxes, rollbacks and retries change a wave.
        """
        newest = {row.wave: row for row in self.all(wave) if row.state is not None}
        with reading(self._engine) as connection:
            return [name for name, row in newest.items() if _state(connection, name, False) != row.state]

    def put(self, wave: str, state: str, basis: Basis, row: SealRow, signer: str | None = None) -> SealRow:
        """Add a seal and its event, if state and basis are still what they were. Not idempotent.

        Args:
            wave: the sealed wave.
            state: the fingerprint that the pack was made by.
            basis: what the pack was made by.
            row: the new seal.
            signer: the public key, as a line; None if it is not signed.

        Returns:
            The seal as it is kept.

        Raises:
            Transient: "ledger-changed".
        """
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("LOCK TABLE seal, leg IN SHARE ROW EXCLUSIVE MODE")
            mine = select(func.max(seal.c.number)).where(seal.c.wave == wave)
            if (
                _state(connection, wave) != state
                or _basis(connection, wave) != basis
                or connection.execute(mine).scalar_one() != row.corrects
            ):
                raise Transient("ledger-changed", "the ledger changed while the wave was being sealed")
            row = replace(row, state=_state(connection, wave, False))
            values = {name: getattr(row, name) for name in SealRow.__slots__}
            connection.execute(insert(seal).values(values))
            detail: dict[str, str | int] = {
                "number": row.number,
                "root": row.root.hex(),
                "statement": row.statement.hex(),
            }
            if signer is not None:
                detail["key"] = signer
            if append_event(connection, wave, SEALED, detail).seq != basis.decisions + 1:
                raise Transient("ledger-changed", "the ledger changed while the wave was being sealed")
            return row

    def signer(self, row: SealRow) -> str | None:
        """Return the public key that a seal was signed with, as a line.

        Returns:
            None if an older version did not record it.
        """
        mine = event.c.wave == row.wave, event.c.kind == SEALED
        query = select(event.c.detail).where(*mine).order_by(event.c.seq.desc())
        with reading(self._engine) as connection:
            for seal_detail in map(json.loads, connection.scalars(query)):
                if seal_detail["number"] == row.number:
                    return str(seal_detail["key"]) if "key" in seal_detail else None
        return None

    def at_work(self, wave: str) -> list[str]:
        """Return the mailboxes that a worker holds now."""
        held = and_(leg.c.owner.is_not(None), leg.c.lease_until >= now(), mailbox.c.wave == wave)
        query = select(mailbox.c.id).select_from(leg.join(mailbox)).where(held).distinct()
        with reading(self._engine) as connection:
            return list(connection.scalars(query.order_by(mailbox.c.id)))

    def loose(self, wave: str) -> list[Loose]:
        """Return every leg of a wave that is not accounted for, and every mailbox without a leg, in_order."""
        with reading(self._engine) as connection:
            return in_order([*_loose(connection, wave), *_legless(connection, wave)])


def in_order(loose: Iterable[Loose]) -> list[Loose]:
    """Sort by mailbox and section, as a statement has them."""
    return sorted(loose, key=lambda entry: (entry.mailbox, _place(entry.section)))


def _place(kind: Kind | None) -> int:
    return SECTIONS.index(kind) if kind in SECTIONS else len(SECTIONS)


def _basis(connection: Connection, wave: str) -> Basis:
    row = connection.execute(select(seal).order_by(seal.c.number.desc()).limit(1)).one_or_none()
    return Basis(*head_of(connection, wave), None if row is None else SealRow(*row))


def _state(connection: Connection, wave: str, keys: bool = True) -> str:
    """Return the fingerprint; without `keys` it does not change when a key is destroyed."""
    digest = hashlib.sha256()
    boxes = select(mailbox.c.id).where(mailbox.c.wave == wave).order_by(mailbox.c.id)
    digest.update(repr(list(connection.scalars(boxes))).encode())
    legs = select(
        leg.c.id,
        leg.c.mailbox,
        leg.c.workload,
        leg.c.epoch,
        leg.c.state,
        leg.c.code,
        leg.c.done,
        leg.c["items"],
        leg.c.finished,
        *([evidence_key.c.wrapped.is_(None)] if keys else []),
    ).select_from(leg.join(mailbox).outerjoin(evidence_key, evidence_key.c.mailbox == mailbox.c.id))
    for row in connection.execute(legs.where(mailbox.c.wave == wave).order_by(leg.c.id)):
        digest.update(repr(tuple(row)).encode())
    closed = select(inventory.c.leg, inventory.c.number, inventory.c.root)
    closed = closed.select_from(inventory.join(leg).join(mailbox)).where(mailbox.c.wave == wave)
    for number, place, root in connection.execute(closed.order_by(inventory.c.leg, inventory.c.number)):
        digest.update(f"{number}.{place}:{root.hex()} ".encode())
    return digest.hexdigest()


def _loose(connection: Connection, wave: str) -> Iterator[Loose]:
    for row in connection.execute(_legs(wave)):
        state = LegState(row.state)
        reason = None
        if row.key is not None and row.wrapped is None:
            reason = DESTROYED
        elif row.key is None and row.closed is not None:
            reason = DAMAGED
        elif row.closed is None:
            reason = row.code or NO_INVENTORY
        elif state is not LegState.VERIFIED:
            reason = row.code or NOT_VERIFIED
        elif row.code in PARTLY:
            reason = row.code
        elif row.listed is not None and row.listed > row.closed:
            reason = INVENTORY_OPEN
        elif row.open:
            reason = ITEMS_OPEN
        if reason is not None:
            yield Loose(row.mailbox, Kind(row.workload), state, reason)


def _legless(connection: Connection, wave: str) -> Iterator[Loose]:
    """Yield the planned mailboxes of which nothing is to move.

    They have no workload of their own, or none that is configured.
    """
    query = select(mailbox.c.id, mailbox.c.withheld).select_from(mailbox.outerjoin(leg))
    for number, withheld in connection.execute(query.where(mailbox.c.wave == wave, leg.c.id.is_(None))):
        yield Loose(number, None, None, withheld or NO_INVENTORY)


def _legs(wave: str) -> Select[tuple[object, ...]]:
    ours = select(leg.c.id).select_from(leg.join(mailbox)).where(mailbox.c.wave == wave)
    closed = select(inventory.c.leg, func.max(inventory.c.number).label("number"))
    closed = closed.where(inventory.c.leg.in_(ours)).group_by(inventory.c.leg)
    named = select(listed.c.leg, func.max(listed.c.number).label("number"))
    named = named.where(listed.c.leg.in_(ours)).group_by(listed.c.leg)
    undone = [state.value for state in State if state < State.WRITTEN]
    owed = select(container.c.leg, func.count().label("count")).select_from(item.join(container))
    owed = owed.where(item.c.state.in_(undone), container.c.leg.in_(ours)).group_by(container.c.leg)
    last, seen, due = closed.subquery(), named.subquery(), owed.subquery()
    columns = (
        leg.c.mailbox,
        leg.c.workload,
        leg.c.state,
        func.coalesce(leg.c.code, mailbox.c.withheld).label("code"),
        evidence_key.c.mailbox.label("key"),
        evidence_key.c.wrapped,
        last.c.number.label("closed"),
        seen.c.number.label("listed"),
        due.c.count.label("open"),
    )
    tables = leg.join(mailbox).outerjoin(evidence_key, evidence_key.c.mailbox == mailbox.c.id)
    for table in (last, seen, due):
        tables = tables.outerjoin(table, table.c.leg == leg.c.id)
    return select(*columns).select_from(tables).where(mailbox.c.wave == wave)
