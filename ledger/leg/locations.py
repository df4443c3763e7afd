"""Find where items and containers are now, by what is in them or for their users."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select

from ledger.db.encoding import unpack_id, unpack_path
from ledger.db.leases import AT_TARGET
from ledger.db.readers import CONTAINER_COLUMNS, ITEM_COLUMNS, container_row, item_row, streamed
from ledger.db.rows import ContainerRow, ItemRow, LegState, State
from ledger.db.schema import container, item, leg, mailbox
from model.kinds import Kind

REFUSED = (
    "denied",
    "directory-disagrees",
    "folder-replaced",
    "identity-bound-elsewhere",
    "identity-changed",
    "identity-not-proven",
    "source-address-differs",
    "target-address-differs",
)
"""Codes of a leg whose accounts the gate no longer accepts as one person's."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Name a mailbox on both sides.

    Attributes:
        source_login: its login at the source.
        login: its login at the target.
        address: its address at the target.
        user: what the target itself calls its owner; "" if it has no word; None if the gate has not bound the
            account yet.
    """

    source_login: str
    login: str
    address: str
    user: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Say where an item or a container of a source went.

    Attributes:
        mailbox: the mailbox's id.
        folder: the href of its container; None if the container has none yet.
        name: its own href there; "" of a container; None if it has none yet.
        state: of the item; None of a container that exists.
        code: why it did not move; None if it did.
    """

    mailbox: str
    folder: str | None
    name: str | None
    state: State | None
    code: str | None = None

    @property
    def arrived(self) -> bool:
        """Return True if it is at the target."""
        held = self.state in {None, State.CHANGED, State.WRITTEN, State.VERIFIED}
        return held and self.folder is not None and self.name is not None


def placed(connection: Connection, leg_id: int) -> dict[int, tuple[str, ...]]:
    """Return target paths by container id; see LegLedger.placed."""
    query = select(container.c.id, container.c.placed)
    query = query.where(container.c.leg == leg_id, container.c.placed.is_not(None))
    return {number: unpack_path(path) for number, path in connection.execute(query)}


def elsewhere(connection: Connection, mailbox: str, leg_id: int) -> dict[str, tuple[str, ...]]:
    """Return target paths of the mailbox's other legs by href; see LegLedger.elsewhere."""
    rows = connection.execute(_ELSEWHERE, {"whose": mailbox, "besides": leg_id})
    return {href: unpack_path(path) for href, path in rows}


_ELSEWHERE = (
    select(container.c.href, container.c.placed)
    .where(
        container.c.leg.in_(
            select(leg.c.id).where(leg.c.mailbox == bindparam("whose"), leg.c.id != bindparam("besides"))
        )
    )
    .where(container.c.placed.is_not(None))
)


def folders_of_mail(connection: Connection, mailbox: str) -> list[tuple[str, str | None, str]]:
    """Return id at the source, role and href of the mailbox's placed folders of mail."""
    rows = connection.execute(_PLACED, {"whose": mailbox})
    return [(unpack_id(source_id), role, href) for source_id, role, href in rows]


def places(connection: Connection, mailbox: str) -> list[tuple[str, Kind, str]]:
    """Return id at the source, kind and href of the mailbox's placed folders, of every workload."""
    rows = connection.execute(_EVERY_PLACED, {"whose": mailbox})
    return [(unpack_id(source_id), Kind(workload), href) for source_id, workload, href in rows]


def gives_rights(connection: Connection, mailbox: str) -> bool:
    """Return True if a right to a folder of the mailbox was given at a target."""
    return connection.execute(_GIVEN, {"whose": mailbox}).first() is not None


def awaits_folders(connection: Connection, mailbox: str) -> bool:
    """Return True if mail is one of the mailbox's workloads, and not all of its folders are placed yet."""
    if connection.execute(_MAIL, {"whose": mailbox}).first() is None:
        return False
    listed = connection.execute(_OF_MAIL, {"whose": mailbox}).first() is not None
    return not listed or connection.execute(_UNPLACED, {"whose": mailbox}).first() is not None


_MAIL = select(leg.c.id).where(leg.c.mailbox == bindparam("whose"), leg.c.workload == Kind.MAIL.value)
_OF_MAIL = select(container.c.id).where(container.c.leg.in_(_MAIL)).limit(1)
_UNPLACED = _OF_MAIL.where(container.c.href.is_(None), container.c.omit.is_(None), ~container.c.gone)
_PLACED = (
    select(container.c.source_id, container.c.role, container.c.href)
    .where(container.c.leg.in_(_MAIL), container.c.href.is_not(None), ~container.c.gone)
    .order_by(container.c.id)
)


_GIVEN = (
    select(item.c.id)
    .where(
        item.c.container.in_(
            select(container.c.id).where(
                container.c.leg.in_(
                    select(leg.c.id).where(
                        leg.c.mailbox == bindparam("whose"), leg.c.workload == Kind.PERMISSIONS.value
                    )
                )
            )
        ),
        item.c.state.in_([state.value for state in AT_TARGET]),
    )
    .limit(1)
)
_EVERY_PLACED = (
    select(container.c.source_id, leg.c.workload, container.c.href)
    .select_from(container.join(leg))
    .where(leg.c.mailbox == bindparam("whose"), container.c.href.is_not(None), ~container.c.gone)
    .order_by(container.c.id)
)


def arrived(connection: Connection, mailbox: str, kind: Kind) -> Iterator[tuple[ContainerRow, ItemRow]]:
    """Yield every item of a mailbox that is at the target, by container."""
    width = len(CONTAINER_COLUMNS)
    query = select(*CONTAINER_COLUMNS, *ITEM_COLUMNS).select_from(item.join(container).join(leg))
    query = query.where(leg.c.mailbox == mailbox, leg.c.workload == kind.value)
    query = query.where(item.c.state.in_([state.value for state in AT_TARGET]))
    query = query.order_by(container.c.id, item.c.id)
    for row in streamed(connection, query):
        values: Any = tuple(row)
        yield container_row(values[:width]), item_row(values[width:])


def seats(connection: Connection, sources: Collection[str], kind: Kind) -> Iterator[tuple[str, Seat]]:
    """Yield the seats of mailboxes by their source; see Ledger.targets."""
    columns = (
        mailbox.c.source,
        mailbox.c.source_login,
        mailbox.c.target_login,
        mailbox.c.target,
        leg.c.target_user,
    )
    query = (
        select(*columns)
        .select_from(leg.join(mailbox))
        .where(
            mailbox.c.source.in_(sources),
            mailbox.c.withheld.is_(None),
            leg.c.workload == kind.value,
            or_(leg.c.state != LegState.BLOCKED.value, leg.c.code.is_(None), leg.c.code.not_in(REFUSED)),
        )
    )
    for row in connection.execute(query):
        login = row.target_login or row.target
        yield row.source, Seat(row.source_login or row.source, login, row.target, row.target_user)


def holders(connection: Connection, kind: Kind) -> Iterator[tuple[int, str]]:
    """Yield (leg, source id) of every container of a kind."""
    query = select(container.c.leg, container.c.source_id).join(leg).where(leg.c.workload == kind.value)
    for number, source_id in streamed(connection, query):
        yield number, unpack_id(source_id)


def place_of(connection: Connection, legs: Collection[int], key: bytes) -> Place | None:
    """Return where the item or the container of this key is in one of these legs.

    A place that was reached goes before one that was not.

    Returns:
        None if they do not know it.
    """
    mine = leg.c.id.in_(sorted(legs))
    folder = select(leg.c.mailbox, container.c.href, container.c.gone).join(leg)
    places = [
        Place(row.mailbox, row.href, "", State.GONE if row.gone else None)
        for row in connection.execute(folder.where(mine, container.c.key == key))
    ]
    columns = (leg.c.mailbox, container.c.href.label("folder"), item.c.href, item.c.state, item.c.code)
    query = select(*columns).select_from(item.join(container).join(leg)).where(mine, item.c.key == key)
    places += [
        Place(row.mailbox, row.folder, row.href, State(row.state), row.code)
        for row in connection.execute(query)
    ]
    return min(
        places, key=lambda candidate: (not candidate.arrived, candidate.state is State.GONE), default=None
    )
