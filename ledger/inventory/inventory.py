"""Record the inventories of a leg: what each pass listed of it, rooted before any of it is copied.

What a page names as new or changed is kept by the transaction that records the page, as a part of the open
inventory. Closing it makes the evidence lines of its parts, and a root over them; from then on nothing in it
changes. An inventory names an item once, however often it was listed meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    LargeBinary,
    bindparam,
    func,
    insert,
    select,
)

from ledger.db.audit_log import append_event
from ledger.db.engine import Transaction, now
from ledger.db.readers import chunked
from ledger.db.rows import Lease, LegState, Outcome, State
from ledger.db.schema import container, finding, inventory, item, leg, listed, loss
from ledger.inventory import keystore
from ledger.inventory.folders import are_all_named, boxes, folders, named, standing
from ledger.inventory.lines import (
    CHANGED,
    SECTIONS,
    inventory_header,
    inventory_line,
    item_text,
)
from ledger.inventory.merkle import MerkleTree
from ledger.plan.mailboxes import wave_of
from model.errors import Corrupt
from model.kinds import Kind
from model.protocols import Loss

TAKEN = "inventory-taken"
"""The event of a mailbox: an inventory of one of its workloads was closed."""
_RECORD = struct.Struct(">16sBQ")
_UNKNOWN = 2**64 - 1
_PARTS = 64
"""Parts that are read at once; if the pages are full, they are a megabyte."""


class InventoryEntry(NamedTuple):
    """Name an item as a page named it.

    Attributes:
        key: of the item.
        what: NEW or CHANGED, as in ledger.inventory.lines.
        size: bytes by the listing; None if it does not say.
    """

    key: bytes
    what: int
    size: int | None


def packed(entries: Iterable[InventoryEntry]) -> bytes:
    """Encode entries: 25 bytes for each."""
    return b"".join(
        _RECORD.pack(key, what, _UNKNOWN if size is None else size) for key, what, size in entries
    )


def unpacked(body: bytes) -> Iterator[InventoryEntry]:
    """Yield the entries that packed() encoded.

    Raises:
        Corrupt: "evidence-damaged" if these bytes are not what packed() makes.
    """
    if len(body) % _RECORD.size:
        raise Corrupt("evidence-damaged", "a part of an inventory is not whole")
    for key, what, size in _RECORD.iter_unpack(body):
        if what > CHANGED:
            raise Corrupt("evidence-damaged", "an inventory has a line of no kind")
        yield InventoryEntry(key, what, None if size == _UNKNOWN else size)


def parts(connection: Connection, leg_id: int, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield (container id, entries as packed) of an inventory, in the order of listing, a few at a time."""
    columns = listed.c.part, listed.c.container, listed.c.body
    query = select(*columns).where(listed.c.leg == leg_id, listed.c.number == number)
    query = query.order_by(listed.c.part).limit(_PARTS)
    last = 0
    while rows := connection.execute(query.where(listed.c.part > last)).all():
        for _, where, body in rows:
            yield where, bytes(body)
        if len(rows) < _PARTS:
            return
        last = rows[-1][0]


class InventoryLedger:
    """Record the inventories of one leg, in the transactions of its worker. No other worker writes them."""

    def __init__(self, transaction: Transaction, lease: Lease) -> None:
        self._transaction = transaction
        self._lease = lease
        self._closed: int | None = None  # how many are; None: not read yet, or a commit is not certain
        self._open: bool | None = None  # whether the next one has parts, in the same way
        self._named: frozenset[int] | None = None  # ids of the containers that the closed ones name, too

    def number(self, connection: Connection) -> int:
        """Return the number of the open inventory."""
        if self._closed is None:
            self._closed = int(connection.execute(_NEWEST, {"of": self._lease.leg}).scalar_one())
        return self._closed + 1

    def record(self, connection: Connection, container_id: int, entries: list[InventoryEntry]) -> None:
        """Record what a page named as new or changed, in the transaction that records the page."""
        if not entries:
            return
        number = self.number(connection)
        self._open = None
        part = {"b_leg": self._lease.leg, "b_number": number, "b_container": container_id}
        connection.execute(_ADD_PART, {**part, "b_n": len(entries), "b_body": packed(entries)})

    def is_due(self) -> bool:
        """Return True if there is something to close.

        That is what was listed since the last time, the first inventory, or a folder that no inventory names
        yet, empty or not. Whether folders came and went, only close() can say.
        """
        with self._transaction(writes=False) as connection:
            if self._open is None or self._closed is None:
                self._read_open(connection)
            if self._open or self._closed == 0:
                return True
            if self._named is None:
                return not are_all_named(connection, self._lease.leg)
            return not standing(connection, self._lease.leg) <= self._named

    def _lacks_folders(self, connection: Connection, kek: bytes) -> bool:
        """Return True if the source lists a folder that no closed inventory names."""
        key = keystore.known_or_new(connection, self._lease.mailbox, kek).key
        before, containers = named(connection, self._lease.leg), boxes(connection, self._lease.leg, key)
        self._named = frozenset(
            where for where, header_container in containers.items() if header_container.box in before
        )
        return any(
            header_container.stays and where not in self._named
            for where, header_container in containers.items()
        )

    def refuse_open(self, connection: Connection) -> None:
        """Refuse to go on unless everything that was listed is in a closed inventory.

        Raises:
            Corrupt: "inventory-open".
        """
        if self._open is None or self._closed is None:
            self._read_open(connection)
        if self._open or self._closed == 0:
            raise Corrupt("inventory-open", "nothing is written before its inventory is closed")

    def _read_open(self, connection: Connection) -> None:
        asked = {"of": self._lease.leg, "number": self.number(connection)}
        self._open = connection.execute(_A_PART, asked).one_or_none() is not None

    def close(self, kek: bytes) -> int | None:
        """Close the open inventory; see LegLedger.close_inventory."""
        while self.is_due():
            # Made outside of any transaction that writes: a million lines take seconds, and SQLite lets one
            # write at a time. Nobody else adds a part meanwhile.
            with self._transaction(writes=False) as connection:
                number = self.number(connection)
                if number > 1 and not self._open and not self._lacks_folders(connection, kek):
                    return None
                draft = _drafted(connection, self._lease, number, kek)
            self._closed = self._open = self._named = None
            with self._transaction(writes=True, touches=(), places=False) as connection:
                key = keystore.keep(connection, self._lease.mailbox, kek, draft.made)
                if key == draft.made.key:
                    _keep(connection, self._lease, draft)
            if key == draft.made.key:
                self._closed, self._open = draft.number, False
                return draft.number
            # Another leg of the mailbox made its key at the same moment: the lines are made anew with that.
        return None


_ADD_PART = insert(listed).from_select(
    ("leg", "number", "part", "container", "n", "body"),
    select(
        bindparam("b_leg", type_=Integer),
        bindparam("b_number", type_=Integer),
        func.coalesce(func.max(listed.c.part), 0) + 1,
        bindparam("b_container", type_=Integer),
        bindparam("b_n", type_=Integer),
        bindparam("b_body", type_=LargeBinary),
    ).where(listed.c.leg == bindparam("b_leg"), listed.c.number == bindparam("b_number")),
)
_NEWEST = select(func.coalesce(func.max(inventory.c.number), 0)).where(inventory.c.leg == bindparam("of"))
_A_PART = (
    select(listed.c.part)
    .where(listed.c.leg == bindparam("of"), listed.c.number == bindparam("number"))
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class _Draft:
    """Hold an inventory that is about to be closed. made: the mailbox's key, which may not be kept yet."""

    made: keystore.Made
    number: int
    at: float
    header: bytes
    lines: int
    root: bytes


def _drafted(connection: Connection, lease: Lease, number: int, kek: bytes) -> _Draft:
    made = keystore.known_or_new(connection, lease.mailbox, kek)
    at = float(connection.execute(select(now())).scalar_one())
    containers = boxes(connection, lease.leg, made.key)
    header = inventory_header(
        lease.workload,
        number,
        at,
        _root(connection, lease.leg, number - 1),
        _earlier(connection, lease.leg) if number == 1 else 0,
        folders(connection, lease.leg, number, containers),
    )
    tree = MerkleTree()
    tree.add(header)
    for where, body in parts(connection, lease.leg, number):
        own, box = containers[where].key, containers[where].box
        for key, what, size in unpacked(body):
            tree.add(inventory_line(tree.size, box, item_text(made.key, own, key), size, what))
    return _Draft(made, number, at, header, tree.size - 1, tree.root())


def _keep(connection: Connection, lease: Lease, draft: _Draft) -> None:
    row = {"leg": lease.leg, "number": draft.number, "header": draft.header.decode(), "n": draft.lines}
    connection.execute(insert(inventory).values(root=draft.root, at=draft.at, **row))
    detail = {
        "workload": lease.workload.value,
        "pass": draft.number,
        "items": draft.lines,
        "root": draft.root.hex(),
    }
    append_event(connection, wave_of(connection, lease.mailbox), TAKEN, detail, subject=lease.mailbox)


def _root(connection: Connection, leg_id: int, number: int) -> bytes | None:
    if number == 0:
        return None
    query = select(inventory.c.root).where(inventory.c.leg == leg_id, inventory.c.number == number)
    return bytes(connection.execute(query).scalar_one())


def _earlier(connection: Connection, leg_id: int) -> int:
    """Count the items that were listed before there were inventories."""
    query = select(func.count()).select_from(item.join(container)).where(container.c.leg == leg_id)
    query = query.where(item.c.inventory.is_(None), item.c.state != State.GONE.value)
    return int(connection.execute(query).scalar_one())


# Reading back, for those who seal a wave


@dataclass(frozen=True, slots=True)
class InventorySection:
    """Describe a closed inventory.

    Attributes:
        leg: the leg.
        workload: of the leg.
        number: of the inventory.
        header: the first leaf of its tree.
        n: its lines.
        root: of its tree.
        at: when it was closed, in seconds since 1970 UTC.
        state: of the leg, now.
        code: of the leg, now.
        verified: when the leg was verified, in seconds since 1970 UTC; None unless it is VERIFIED now.
    """

    leg: int
    workload: Kind
    number: int
    header: bytes
    n: int
    root: bytes
    at: float
    state: LegState
    code: str | None
    verified: float | None


def sections(connection: Connection, mailbox_id: str) -> list[InventorySection]:
    """Return all closed inventories of a mailbox, in the order of the evidence: by workload, then by pass."""
    columns = leg.c.id, leg.c.workload, inventory.c.number, inventory.c.header, inventory.c.n
    rest = inventory.c.root, inventory.c.at, leg.c.state, leg.c.code, leg.c.finished
    query = select(*columns, *rest).select_from(inventory.join(leg)).where(leg.c.mailbox == mailbox_id)
    closed = [_section(row) for row in connection.execute(query)]
    return sorted(closed, key=lambda section: (SECTIONS.index(section.workload), section.number))


def _section(row: Any) -> InventorySection:
    number, workload, index, header, n, root, at, state, code, finished = row
    verified = finished if state == LegState.VERIFIED.value else None
    return InventorySection(
        number, Kind(workload), index, header.encode(), n, bytes(root), at, LegState(state), code, verified
    )


class InventoryLine(NamedTuple):
    """Hold an inventory's line, and what the ledger says of its item now.

    Attributes:
        container: the container's id.
        box: the container's key.
        key: of the item.
        what: NEW or CHANGED, as the inventory has it.
        listed: bytes, as the inventory has them; None if it has none.
        newest: the number of the newest inventory that names the item.
        state: of the item.
        code: of the item.
        digest: of what was written; None if nothing was.
        href: at the target; None if it is not there.
        mid: 8 bytes of a mail's Message-ID; None if it has none.
        size: bytes of what was written.
        losses: of the item.
        rebuilt: True if the tolerant digest agreed.
    """

    container: int
    box: bytes
    key: bytes
    what: int
    listed: int | None
    newest: int
    state: State
    code: str | None
    digest: bytes | None
    href: str | None
    mid: bytes | None
    size: int | None
    losses: tuple[Loss, ...]
    rebuilt: bool


def lines(connection: Connection, leg_id: int, number: int) -> Iterator[InventoryLine]:
    """Yield the lines of a closed inventory, in its order: line 1 first.

    It needs a snapshot if another program may write meanwhile. It keeps a few parts in memory, and the keys
    of what was rebuilt in one container.
    """
    query = select(container.c.id, container.c.key).where(container.c.leg == leg_id)
    keys = {where: bytes(key) for where, key in connection.execute(query)}
    last, rebuilt = 0, frozenset[bytes]()
    for where, body in parts(connection, leg_id, number):
        if where not in keys:
            raise Corrupt("evidence-damaged", "an inventory names a folder that the ledger does not know")
        if where != last:
            last, rebuilt = where, _rebuilt(connection, where)
        for entries in chunked(unpacked(body)):
            yield from _joined(connection, where, keys[where], entries, rebuilt)


def _rebuilt(connection: Connection, container_id: int) -> frozenset[bytes]:
    among = finding.c.container == container_id, finding.c.outcome == Outcome.REBUILT.value
    query = select(finding.c.key).where(*among, finding.c.key.is_not(None))
    return frozenset(map(bytes, connection.scalars(query)))


_STATES = {state.value: state for state in State}
_KEYS: BindParameter[bytes] = bindparam("keys", expanding=True)
_ROWS = select(
    item.c.key,
    item.c.inventory,
    item.c.state,
    item.c.code,
    item.c.digest,
    item.c.href,
    item.c.mid,
    item.c.size,
).where(item.c.container == bindparam("place"), item.c.key.in_(_KEYS))
_LOSSES = (
    select(loss.c.key, loss.c.field, loss.c.reason)
    .where(loss.c.container == bindparam("place"), loss.c.key.in_(_KEYS))
    .order_by(loss.c.field, loss.c.reason)
)


def _joined(
    connection: Connection, where: int, box: bytes, entries: list[InventoryEntry], rebuilt: frozenset[bytes]
) -> Iterator[InventoryLine]:
    parameters = {"place": where, "keys": [entry.key for entry in entries]}
    rows = {bytes(key): rest for key, *rest in connection.execute(_ROWS, parameters)}
    lost: dict[bytes, list[Loss]] = {}
    for key, field, reason in connection.execute(_LOSSES, parameters):
        lost.setdefault(bytes(key), []).append(Loss(field, reason))
    for key, what, size in entries:
        row = rows.get(key)
        if row is None:
            raise Corrupt("evidence-damaged", "an item that was listed is not in the ledger")
        newest, state, code, digest, href, mid, written = row
        yield InventoryLine(
            where,
            box,
            key,
            what,
            size,
            newest,
            _STATES[state],
            code,
            None if digest is None else bytes(digest),
            href,
            None if mid is None else int(mid).to_bytes(8, "big", signed=True),
            written,
            tuple(lost.get(key, ())),
            key in rebuilt,
        )
