"""Give files free names, and folders their dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from engine.context.leg_context import LegContext
from ledger.db.rows import ContainerRow, ItemRow, State
from mappings.fields.file_names import free_name, identity
from model.errors import Blocked
from model.file_names import FileNames
from model.optional_protocols import SupportsContainerDates, SupportsFileNames
from model.protocols import Loss, Mapped

TAKEN = Loss("file-name", "taken")


@dataclass(slots=True)
class Names:
    """Hold who has each name in one container of the target.

    Attributes:
        rules: the target's rules for names.
        taken: the key of the item by the identity of its name; None if the name belongs to another person's
            file, or to a folder.
    """

    rules: FileNames
    taken: dict[str, bytes | None]

    def give(self, mapped: Mapped) -> Mapped:
        """Return the same item with a name that is free, or its own already."""
        item = mapped.item
        if item.name is None:
            return mapped
        name = free_name(item.name, item.key, partial(self._is_anothers, item.key), self.rules)
        self.taken[identity(name, self.rules)] = item.key
        losses = mapped.losses if name == item.name else (*mapped.losses, TAKEN)
        return replace(mapped, item=replace(item, name=name), losses=losses)

    def _is_anothers(self, key: bytes, name_identity: str) -> bool:
        return self.taken.get(name_identity, key) != key


def names(leg: LegContext, row: ContainerRow) -> Names | None:
    """Return the names that are taken in a container, before anything is written there. Ask the target.

    A name that is there and belongs to no row belongs to someone else: no item of ours gets it. Nor does an
    item get a name that another item of ours is about to leave: until then it gets a part of its key
    (engine.leg.file_cleanup).

    Returns:
        The names; None if items have no names.
    """
    rules = leg.context.target.files
    if rules is None or row.href is None:
        return None
    taken_names: dict[str, bytes | None] = {}
    for name in _names_at_target(leg, row.href):
        taken_names[identity(name, rules)] = None
    places = leg.ledger.placed()
    for path in places.values():
        if path[:-1] == places.get(row.id):
            taken_names[identity(path[-1], rules)] = None
    for item in leg.ledger.rows(row.id):
        # In staging, what is gone holds no name: if a write of it still lands on another file, it is refused,
        # or found and written over. In the live phase nobody would do that.
        is_over = leg.mirror and item.state is State.GONE
        for own_name in (item.href, None if is_over else item.place):
            if own_name is not None:
                taken_names[identity(own_name, rules)] = item.key
    return Names(rules, taken_names)


def _names_at_target(leg: LegContext, href: str) -> list[str]:
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
    """Return where an item's copy is to be found, if that is known before it is written; else None."""
    return item.place or leg.target.place(item.key)


def stamp(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """Give the folders their dates, the deepest first, because writing below changes them. Idempotent.

    In the live phase folders are the user's.
    """
    target = leg.target
    if not leg.mirror or not isinstance(target, SupportsContainerDates):
        return
    dates = {container.id: container.modified for container in target.containers()}
    for row in sorted(rows, key=lambda row: -len(row.path)):
        if row.gone or row.modified is None or row.href is None or row.role is not None:
            continue
        date = datetime.fromtimestamp(row.modified, UTC)
        if dates.get(row.href) == date:
            continue
        leg.check()
        if losses := target.stamp(row.href, date):
            leg.ledger.lose(row.id, None, losses)
