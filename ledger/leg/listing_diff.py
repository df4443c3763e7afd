"""Compare a listing of the source with the items recorded so far: planned as data, then applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    SmallInteger,
    Text,
    and_,
    bindparam,
    case,
    insert,
    null,
    or_,
    select,
    update,
)

from ledger.db import readers
from ledger.db.encoding import pack_id, pack_path, version_number
from ledger.db.engine import asking
from ledger.db.handle import LedgerHandle
from ledger.db.leases import SETTLED
from ledger.db.readers import CHUNK, CONTAINER_COLUMNS, chunked, container_row
from ledger.db.rows import ContainerRow, PageCount, State
from ledger.db.schema import container, item
from ledger.db.upsert import upsert
from ledger.inventory.inventory import InventoryEntry
from ledger.inventory.lines import CHANGED, NEW
from model.protocols import Container, Ref, key_of

NEWER, DELETED = "newer", "deleted"
"""An item's code while WRITING: what its source did meanwhile, applied when it is settled."""


class KnownItem(NamedTuple):
    """Hold what decides about an item.

    Attributes:
        id: the row's number.
        state: its state.
        version: the hash of its version (ledger.db.encoding.version_number).
        written: True if it has an href at the target.
        inventory: the newest inventory that names it; None if none does.
    """

    id: int
    state: State
    version: int
    written: bool
    inventory: int | None


@dataclass(slots=True)
class ListingChanges:
    """Hold the changes that a listing means, before they are applied.

    Attributes:
        number: of the open inventory; 0 if nothing is named.
        entries: what is new in the inventory.
        left: ids of other containers that items have left.
        inserts: parameters of one statement.
        updates: parameters of one statement.
        new: items that are new.
        changed: items that changed.
        deleted: items that the source no longer has.
        done: the change of leg.done.
        counts: the change of the container's counts, by state.
    """

    number: int = 0
    entries: list[InventoryEntry] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    inserts: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    deleted: int = 0
    done: int = 0
    counts: Counter[State] = field(default_factory=Counter)

    def put(
        self, recorded: KnownItem, state: State, version: int, *, code: str | None = None, reset: bool = False
    ) -> None:
        """Plan the new state of an item that is recorded already.

        Args:
            recorded: the item as it is recorded.
            state: the new state.
            version: the new version's hash.
            code: the new code; None for none.
            reset: True to set the attempts to zero.
        """
        values = {"b_id": recorded.id, "b_state": state.value, "b_version": version, "b_code": code}
        self.updates.append({**values, "b_inventory": recorded.inventory, "b_reset": reset})
        self.done += (state in SETTLED) - (recorded.state in SETTLED)
        self.counts[recorded.state] -= 1
        self.counts[state] += 1

    def name(self, key: bytes, ref: Ref, recorded: KnownItem, what: int) -> KnownItem:
        """Name an item in the open inventory, once.

        Args:
            key: of the item.
            ref: as the source listed it.
            recorded: the item as it is recorded.
            what: NEW or CHANGED (ledger.inventory.lines).

        Returns:
            The item as it is to be given to put().
        """
        if recorded.inventory == self.number:
            return recorded
        self.entries.append(InventoryEntry(key, what, ref.size))
        return recorded._replace(inventory=self.number)

    @property
    def count(self) -> PageCount:
        """Return the counts of the changes."""
        return PageCount(self.new, self.changed, self.deleted)


def plan_page(
    container_id: int, refs: Iterable[Ref], recorded: dict[bytes, KnownItem], *, mirror: bool, number: int
) -> ListingChanges:
    """Plan what one page means (R1). Pure. If a page names an item twice, the last mention counts.

    Args:
        container_id: the container.
        refs: of the page.
        recorded: the recorded items among them, by key.
        mirror: False in the live phase, where changes and deletions of what is at the target are not
            followed.
        number: of the open inventory.
    """
    plan = ListingChanges(number)
    for key, ref in {key_of(ref.id): ref for ref in refs}.items():
        old = recorded.get(key)
        if ref.deleted:
            if old is not None:
                plan_deletion(plan, old, mirror=mirror)
        elif old is None:
            plan.new += 1
            plan.counts[State.SEEN] += 1
            plan.inserts.append(_new(container_id, key, ref, number))
            plan.entries.append(InventoryEntry(key, NEW, ref.size))
        else:
            _plan_known(plan, key, ref, old, mirror=mirror)
    return plan


def _new(container_id: int, key: bytes, ref: Ref, number: int) -> dict[str, Any]:
    return {
        "container": container_id,
        "key": key,
        "state": State.SEEN.value,
        "version": version_number(ref.version),
        "attempts": 0,
        "size": ref.size,
        "source_id": pack_id(ref.id),
        "inventory": number,
    }


def _plan_known(plan: ListingChanges, key: bytes, ref: Ref, old: KnownItem, *, mirror: bool) -> None:
    version = version_number(ref.version)
    if old.state is State.GONE:
        plan.new += 1
        plan.put(plan.name(key, ref, old, NEW), State.SEEN, version, reset=True)
    elif old.state is State.LEAVING:
        # Listed again before it was withdrawn: its copy stays.
        plan.changed += 1
        plan.put(plan.name(key, ref, old, CHANGED), State.CHANGED, version)
    elif version != old.version and (mirror or _is_ours_alone(old)):
        plan.changed += 1
        _plan_change(plan, plan.name(key, ref, old, CHANGED), version)


def _is_ours_alone(old: KnownItem) -> bool:
    """Return True if nothing of the item is, or may be, at the target.

    Then a change at the source concerns nobody at the target.
    """
    return not old.written and old.state is not State.WRITING


def _plan_change(plan: ListingChanges, old: KnownItem, version: int) -> None:
    if old.state is State.WRITING:
        plan.put(old, State.WRITING, version, code=NEWER)
    elif old.written:
        plan.put(old, State.CHANGED, version, reset=True)
    else:
        plan.put(old, State.SEEN, version, reset=old.state is not State.SEEN)


def plan_deletion(plan: ListingChanges, old: KnownItem, *, mirror: bool) -> None:
    """Plan the deletion of one item that its source no longer has. `mirror` is as in plan_page."""
    if old.state in (State.GONE, State.LEAVING) or not (mirror or _is_ours_alone(old)):
        return
    if old.state is State.WRITING:
        plan.put(old, State.WRITING, old.version, code=DELETED)
    else:
        plan.put(old, State.LEAVING if old.written else State.GONE, old.version)
    plan.deleted += 1


_KNOWN = (item.c.id, item.c.state, item.c.version, item.c.href.is_not(None), item.c.inventory)


def _known(row: Sequence[Any]) -> KnownItem:
    number, state, version, written, inventory = row
    return KnownItem(number, State(state), version, written, inventory)


def plan_listing(
    connection: Connection,
    leg_id: int,
    container_id: int,
    refs: Sequence[Ref],
    number: int,
    *,
    mirror: bool,
    moves: bool,
    empty: bool = False,
) -> ListingChanges:
    """Plan what a page means, as plan_page, by the recorded items.

    Args:
        connection: in the worker's transaction.
        leg_id: the leg.
        container_id: the container.
        refs: of the page.
        number: of the open inventory.
        mirror: as in plan_page.
        moves: True if the source names a moved item in its new container alone. Then an item that is new
            here, or is back, has left the container of the leg where it was, and an item that is gone is gone
            from wherever it was.
        empty: True if nothing is recorded of the container.
    """
    keys = {key_of(ref.id) for ref in refs}
    recorded = {} if empty else known_items(connection, container_id, keys)
    plan = plan_page(container_id, refs, recorded, mirror=mirror, number=number)
    came = keys - present(recorded) if moves else ()
    for where, left in elsewhere(connection, leg_id, container_id, came):
        plan.left.add(where)
        plan_deletion(plan, left, mirror=mirror)
    return plan


def known_items(connection: Connection, container_id: int, keys: Collection[bytes]) -> dict[bytes, KnownItem]:
    """Return the recorded items of a container among these keys."""
    items: dict[bytes, KnownItem] = {}
    for chunk in chunked(keys):
        query = select(item.c.key, *_KNOWN)
        query = query.where(item.c.container == container_id, item.c.key.in_(chunk))
        for key, *rest in connection.execute(query):
            items[key] = _known(rest)
    return items


def present(items: dict[bytes, KnownItem]) -> set[bytes]:
    """Return the keys of the items that were there until now."""
    return {key for key, known_item in items.items() if known_item.state not in (State.GONE, State.LEAVING)}


def elsewhere(
    connection: Connection, leg_id: int, container_id: int, keys: Collection[bytes]
) -> list[tuple[int, KnownItem]]:
    """Return the items of these keys in the leg's other containers, each with its container's id."""
    items: list[tuple[int, KnownItem]] = []
    others = container.c.leg == leg_id, container.c.id != container_id
    for chunk in chunked(keys):
        query = select(container.c.id, *_KNOWN).select_from(item.join(container))
        for where, *rest in connection.execute(query.where(*others, item.c.key.in_(chunk))):
            items.append((where, _known(rest)))
    return items


def unseen_items(connection: Connection, container_id: int, keys: Collection[bytes]) -> Iterator[KnownItem]:
    """Yield every item that is not GONE and whose key is not in `keys`, in the order of keys."""
    alive = item.c.state != State.GONE.value
    query = select(item.c.key, *_KNOWN)
    query = query.where(item.c.container == container_id, alive).order_by(item.c.key).limit(10 * CHUNK)
    after = b""
    while rows := connection.execute(query.where(item.c.key > after)).all():
        for key, *rest in rows:
            if key not in keys:
                yield _known(rest)
        after = rows[-1][0]


_LEAVES_SKIPPED = and_(
    item.c.state == State.SKIPPED.value, bindparam("b_state", type_=SmallInteger) == State.GONE.value
)
_APPLY = (
    update(item)
    .where(item.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state", type_=SmallInteger),
        version=bindparam("b_version"),
        # Why it has no copy: the source may list it under another id (engine.steps.listing.rekeyed_fates).
        code=case((_LEAVES_SKIPPED, item.c.code), else_=bindparam("b_code", type_=Text)),
        inventory=bindparam("b_inventory"),
    )
)
_APPLY_AND_RESET = _APPLY.values(attempts=0)


def apply(connection: Connection, plan: ListingChanges) -> None:
    """Apply a plan with three statements at most, inside the caller's write transaction."""
    if plan.inserts:
        connection.execute(insert(item), plan.inserts)
    for reset, statement in ((False, _APPLY), (True, _APPLY_AND_RESET)):
        rows = [_parameters(row) for row in plan.updates if row["b_reset"] is reset]
        if rows:
            connection.execute(statement, rows)


def _parameters(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "b_reset"}


def put_containers(connection: Connection, leg_id: int, listed: Sequence[Container]) -> list[ContainerRow]:
    """Record containers, which are new or known by their source ids. See LegLedger.record_container.

    Returns:
        The rows of all containers of the leg, as containers().
    """
    keys = [key_of(source_container.id) for source_container in listed]
    statement = upsert(connection, container)
    new = statement.excluded
    # One that was gone, or did not move, is listed from the start when it comes back: its cursor would tell
    # only what changed since, and its items are known as gone.
    back = or_(container.c.gone, and_(new.omit.is_(None), container.c.omit.is_not(None)))
    forgotten = {name: case((back, null()), else_=container.c[name]) for name in ("cursor", "source_state")}
    statement = statement.on_conflict_do_update(
        index_elements=["leg", "key"], set_={**{name: new[name] for name in _FOLLOWS}, **forgotten}
    )
    if listed:
        rows = [
            _container_values(leg_id, key, source_container)
            for key, source_container in zip(keys, listed, strict=True)
        ]
        connection.execute(statement, rows)
    return containers(connection, leg_id)


_CONTAINERS = select(*CONTAINER_COLUMNS).where(container.c.leg == bindparam("b_leg")).order_by(container.c.id)


def containers(connection: Connection, leg_id: int) -> list[ContainerRow]:
    """Return all containers of a leg, in the order of their first record."""
    return [container_row(row) for row in connection.execute(_CONTAINERS, {"b_leg": leg_id})]


_GO_ON = (
    update(container)
    .where(container.c.id == bindparam("b_id"), container.c.leg == bindparam("b_leg"))
    .values(cursor=bindparam("b_cursor"))
)
_FINISH = _GO_ON.values(complete=True)


def go_on(connection: Connection, leg_id: int, container_id: int, cursor: str) -> None:
    """Record where the listing of a container goes on."""
    connection.execute(_GO_ON, {"b_id": container_id, "b_leg": leg_id, "b_cursor": cursor})


def finish(connection: Connection, leg_id: int, cursors: Mapping[int, str | None]) -> None:
    """Record that listings reached their end; see LegLedger.finish_listings."""
    rows = [
        {"b_id": container_id, "b_leg": leg_id, "b_cursor": cursor}
        for container_id, cursor in cursors.items()
    ]
    connection.execute(_FINISH, rows)


_FOLLOWS = ("kind", "path", "role", "total", "omit", "modified", "gone")
"""The columns of a container that follow the source."""


def _container_values(leg_id: int, key: bytes, listed: Container) -> dict[str, Any]:
    return {
        "leg": leg_id,
        "key": key,
        "source_id": pack_id(listed.id),
        "kind": listed.kind.value,
        "path": pack_path(listed.path),
        "role": None if listed.role is None else listed.role.value,
        "total": listed.total,
        "omit": listed.omit,
        "modified": None if listed.modified is None else int(listed.modified.timestamp() // 1),
        "gone": False,
    }


def mark_gone(connection: Connection, leg_id: int, ids: Collection[int]) -> None:
    """Mark containers as gone; see LegLedger.gone_containers."""
    for chunk in chunked(ids):
        mine = container.c.leg == leg_id, container.c.id.in_(chunk)
        connection.execute(update(container).where(*mine).values(gone=True))


def begun(ledger: LedgerHandle, leg_id: int) -> bool:
    """Return True if anything was ever sent to the target for this leg, as far as can be known."""
    with asking(ledger.engine) as connection:
        return readers.begun(connection, leg_id)


def versions(ledger: LedgerHandle, container_id: int, keys: Collection[bytes]) -> dict[bytes, int]:
    """Return the versions of the items among these keys that the source had when it was listed last.

    A version is a number, see ledger.db.encoding.version_number.
    """
    with asking(ledger.engine) as connection:
        items = known_items(connection, container_id, keys)
    there = present(items)
    return {key: item.version for key, item in items.items() if key in there}
