"""What only files need: a free name for each, the dates of their folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from engine.context.leg_context import LegContext
from ledger.db.rows import ContainerRow, ItemRow
from mappings.fields.file_names import free_name, identity
from model.errors import Blocked
from model.file_names import FileNames
from model.optional_protocols import SupportsContainerDates, SupportsFileNames
from model.protocols import Loss, Mapped

TAKEN = Loss("file-name", "taken")


@dataclass(slots=True)
class Names:
    """Whose each name in one container of the target is. taken: identity -> the item's key; None: somebody
    else's, or a folder's."""

    rules: FileNames
    taken: dict[str, bytes | None]

    def give(self, one: Mapped) -> Mapped:
        """The same with a name that is free, or its own already."""
        item = one.item
        if item.name is None:
            return one
        name = free_name(item.name, item.key, partial(self._is_anothers, item.key), self.rules)
        self.taken[identity(name, self.rules)] = item.key
        losses = one.losses if name == item.name else (*one.losses, TAKEN)
        return replace(one, item=replace(item, name=name), losses=losses)

    def _is_anothers(self, key: bytes, same: str) -> bool:
        return self.taken.get(same, key) != key


def names(leg: LegContext, row: ContainerRow) -> Names | None:
    """What is taken in a container before anything is written there; None where items have no names. Asks the
    target. What is there, and no row's, is somebody's: nothing of ours goes by that name. Nor does it by one
    that an item of ours is about to leave: until it left, the other gets a part of its key
    (engine.leg.file_cleanup)."""
    rules = leg.context.target.files
    if rules is None or row.href is None:
        return None
    taken: dict[str, bytes | None] = {}
    for name in _there(leg, row.href):
        taken[identity(name, rules)] = None
    places = leg.ledger.placed()
    for path in places.values():
        if path[:-1] == places.get(row.id):
            taken[identity(path[-1], rules)] = None
    for item in leg.ledger.rows(row.id):
        for mine in (item.href, item.place):
            if mine is not None:
                taken[identity(mine, rules)] = item.key
    return Names(rules, taken)


def _there(leg: LegContext, href: str) -> list[str]:
    target = leg.target
    try:
        if isinstance(target, SupportsFileNames):
            return list(target.names(href))
        return [item.href for item in target.listing(href)]
    except Blocked as error:
        if error.code != "container-missing":
            raise
        return []


def place(leg: LegContext, item: ItemRow) -> str | None:
    """Where an item's copy is to be found, where that is known before it is written."""
    return item.place or leg.target.place(item.key)


def stamp(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """Gives the folders their dates, the deepest first: what is written below changes them. In the live phase
    folders are the user's."""
    target = leg.target
    if not leg.mirror or not isinstance(target, SupportsContainerDates):
        return
    there = {container.id: container.modified for container in target.containers()}
    for row in sorted(rows, key=lambda row: -len(row.path)):
        if row.gone or row.modified is None or row.href is None or row.role is not None:
            continue
        wanted = datetime.fromtimestamp(row.modified, UTC)
        if there.get(row.href) == wanted:
            continue
        leg.check()
        if losses := target.stamp(row.href, wanted):
            leg.ledger.lose(row.id, None, losses)
