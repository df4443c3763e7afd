"""Decide which folders an inventory's header names: those with lines in it, and those not named before.

A header has a folder's pseudonym alone, so that only the mailbox's key tells which folder that is. How many
folders are named can be seen without the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from ledger.db.encoding import unpack_path
from ledger.db.schema import container, inventory, listed
from ledger.inventory.lines import BOX, NAME, InventoryFolder, folder_text, pseudonym
from model.kinds import Kind


class HeaderContainer(NamedTuple):
    """Describe a container as the header of an inventory may name it.

    Attributes:
        key: of the container.
        box: the pseudonym of the container.
        name: the pseudonym of its path.
        kind: the kind of its items.
        total: the source's own count; None if it does not say.
        omit: as in model.protocols.Container.
        stays: True if the source still lists it.
    """

    key: bytes
    box: str
    name: str
    kind: Kind
    total: int | None
    omit: str | None
    stays: bool


def boxes(connection: Connection, leg_id: int, key: bytes) -> dict[int, HeaderContainer]:
    """Return all containers of a leg, by id. `key` is the mailbox's evidence key."""
    columns = container.c.id, container.c.key, container.c.path, container.c.kind, container.c.total
    query = select(*columns, container.c.omit, container.c.gone).where(container.c.leg == leg_id)
    containers = {}
    for number, own, path, kind, total, omit, gone in connection.execute(query.order_by(container.c.id)):
        name = pseudonym(key, NAME, folder_text(unpack_path(path)).encode("utf-8", "surrogatepass"))
        box = pseudonym(key, BOX, own)
        containers[number] = HeaderContainer(bytes(own), box, name, Kind(kind), total, omit, not gone)
    return containers


def named(connection: Connection, leg_id: int) -> frozenset[str]:
    """Return the pseudonyms of all folders that a closed inventory of the leg names."""
    headers = connection.scalars(_HEADERS, {"of": leg_id})
    return frozenset(folder["box"] for header in headers for folder in json.loads(header)["folders"])


_HEADERS = select(inventory.c.header).where(inventory.c.leg == bindparam("of"))


def folders(
    connection: Connection, leg_id: int, number: int, containers: Mapping[int, HeaderContainer]
) -> Iterator[InventoryFolder]:
    """Yield what the header of the open inventory says.

    Args:
        connection: in any transaction.
        leg_id: the leg.
        number: of the open inventory.
        containers: as boxes() returns them.
    """
    query = select(listed.c.container, func.sum(listed.c.n)).group_by(listed.c.container)
    mine = listed.c.leg == leg_id, listed.c.number == number
    counts = {where: int(count) for where, count in connection.execute(query.where(*mine))}
    before = named(connection, leg_id) if number > 1 else frozenset()
    for where, header_container in containers.items():
        if where in counts or (header_container.stays and header_container.box not in before):
            yield InventoryFolder(
                header_container.box,
                header_container.name,
                header_container.kind,
                header_container.total,
                counts.get(where, 0),
                header_container.omit,
            )


def standing(connection: Connection, leg_id: int) -> frozenset[int]:
    """Return the ids of the containers that the source still lists."""
    query = select(container.c.id).where(container.c.leg == leg_id, container.c.gone.is_(False))
    return frozenset(connection.scalars(query))


def are_all_named(connection: Connection, leg_id: int) -> bool:
    """Return True if closed inventories name all folders of the leg.

    False means only that perhaps they do not: a folder that came and went without a line is never named.
    """
    return len(named(connection, leg_id)) >= connection.execute(_FOLDERS, {"of": leg_id}).scalar_one()


_FOLDERS = select(func.count()).select_from(container).where(container.c.leg == bindparam("of"))
