"""What a listing of the source does to the items known so far: planned as data, then applied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

from ledger.db.encoding import pack_id, pack_path, version_number
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
    """What decides about an item. written: it has an href at the target. inventory: the newest one of it."""

    id: int
    state: State
    version: int
    written: bool
    inventory: int | None


@dataclass(slots=True)
class ListingChanges:
    """inserts and updates are parameters of one statement each; done is the change of leg.done. number: of
    the open inventory (0: nothing is named); entries: what is new in it. left: other containers' ids."""

    number: int = 0
    entries: list[InventoryEntry] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    inserts: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    deleted: int = 0
    done: int = 0

    def put(
        self, known: KnownItem, state: State, version: int, *, code: str | None = None, reset: bool = False
    ) -> None:
        values = {"b_id": known.id, "b_state": state.value, "b_version": version, "b_code": code}
        self.updates.append({**values, "b_inventory": known.inventory, "b_reset": reset})
        self.done += (state in SETTLED) - (known.state in SETTLED)

    def name(self, key: bytes, ref: Ref, known: KnownItem, what: int) -> KnownItem:
        """The inventory names it, once. To be put as it is then known."""
        if known.inventory == self.number:
            return known
        self.entries.append(InventoryEntry(key, what, ref.size))
        return known._replace(inventory=self.number)

    @property
    def count(self) -> PageCount:
        return PageCount(self.new, self.changed, self.deleted)


def plan_page(
    container_id: int, refs: Iterable[Ref], known: dict[bytes, KnownItem], *, mirror: bool, number: int
) -> ListingChanges:
    """R1: what one page means. Of an item named twice the last mention counts. number: the inventory's."""
    plan = ListingChanges(number)
    for key, ref in {key_of(ref.id): ref for ref in refs}.items():
        old = known.get(key)
        if ref.deleted:
            if old is not None:
                plan_deletion(plan, old, mirror=mirror)
        elif old is None:
            plan.new += 1
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
    """Nothing of it is, or may be, at the target: what the source does to it concerns nobody there."""
    return not old.written and old.state is not State.WRITING


def _plan_change(plan: ListingChanges, old: KnownItem, version: int) -> None:
    if old.state is State.WRITING:
        plan.put(old, State.WRITING, version, code=NEWER)
    elif old.written:
        plan.put(old, State.CHANGED, version, reset=True)
    else:
        plan.put(old, State.SEEN, version, reset=old.state is not State.SEEN)


def plan_deletion(plan: ListingChanges, old: KnownItem, *, mirror: bool) -> None:
    """One item its source no longer has."""
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
) -> ListingChanges:
    """As plan_page, by what is known of the refs. moves: what is new here, or back, has left the container of
    the leg where it was; what is gone is gone from wherever it was."""
    keys = {key_of(ref.id) for ref in refs}
    known = known_items(connection, container_id, keys)
    plan = plan_page(container_id, refs, known, mirror=mirror, number=number)
    came = keys - present(known) if moves else ()
    for where, left in elsewhere(connection, leg_id, container_id, came):
        plan.left.add(where)
        plan_deletion(plan, left, mirror=mirror)
    return plan


def known_items(connection: Connection, container_id: int, keys: Collection[bytes]) -> dict[bytes, KnownItem]:
    known: dict[bytes, KnownItem] = {}
    for chunk in chunked(keys):
        query = select(item.c.key, *_KNOWN)
        query = query.where(item.c.container == container_id, item.c.key.in_(chunk))
        for key, *rest in connection.execute(query):
            known[key] = _known(rest)
    return known


def present(known: dict[bytes, KnownItem]) -> set[bytes]:
    """The keys of those that were there until now."""
    return {key for key, one in known.items() if one.state not in (State.GONE, State.LEAVING)}


def elsewhere(
    connection: Connection, leg_id: int, container_id: int, keys: Collection[bytes]
) -> list[tuple[int, KnownItem]]:
    """The items of these keys in the leg's other containers, each with the container where it is."""
    found: list[tuple[int, KnownItem]] = []
    others = container.c.leg == leg_id, container.c.id != container_id
    for chunk in chunked(keys):
        query = select(container.c.id, *_KNOWN).select_from(item.join(container))
        for where, *rest in connection.execute(query.where(*others, item.c.key.in_(chunk))):
            found.append((where, _known(rest)))
    return found


def unseen_items(connection: Connection, container_id: int, seen: Collection[bytes]) -> Iterator[KnownItem]:
    """Every item that is not GONE and whose key is not among those seen, in the order of keys."""
    alive = item.c.state != State.GONE.value
    query = select(item.c.key, *_KNOWN)
    query = query.where(item.c.container == container_id, alive).order_by(item.c.key).limit(10 * CHUNK)
    after = b""
    while rows := connection.execute(query.where(item.c.key > after)).all():
        for key, *rest in rows:
            if key not in seen:
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
        # Why it has no copy: the source may list it under another id (engine.steps.rekeyed_fates).
        code=case((_LEAVES_SKIPPED, item.c.code), else_=bindparam("b_code", type_=Text)),
        inventory=bindparam("b_inventory"),
    )
)
_APPLY_AND_RESET = _APPLY.values(attempts=0)


def apply(connection: Connection, plan: ListingChanges) -> None:
    """Three statements at most, inside the caller's write transaction."""
    if plan.inserts:
        connection.execute(insert(item), plan.inserts)
    for reset, statement in ((False, _APPLY), (True, _APPLY_AND_RESET)):
        rows = [_parameters(row) for row in plan.updates if row["b_reset"] is reset]
        if rows:
            connection.execute(statement, rows)


def _parameters(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "b_reset"}


def put_containers(connection: Connection, leg_id: int, found: Sequence[Container]) -> list[ContainerRow]:
    """New, or known by their source ids: see LegLedger.record_container. A row for each, in that order."""
    keys = [key_of(one.id) for one in found]
    statement = upsert(connection, container)
    new = statement.excluded
    # One that was gone, or did not move, is listed from the start when it comes back: its cursor would tell
    # only what changed since, and its items are known as gone.
    back = or_(container.c.gone, and_(new.omit.is_(None), container.c.omit.is_not(None)))
    cursor = case((back, null()), else_=container.c.cursor)
    statement = statement.on_conflict_do_update(
        index_elements=["leg", "key"], set_={**{name: new[name] for name in _FOLLOWS}, "cursor": cursor}
    )
    if found:
        rows = [_container_values(leg_id, key, one) for key, one in zip(keys, found, strict=True)]
        connection.execute(statement, rows)
    known: dict[bytes, ContainerRow] = {}
    for chunk in chunked(dict.fromkeys(keys)):
        query = select(container.c.key, *CONTAINER_COLUMNS).where(container.c.leg == leg_id)
        known |= {
            row[0]: container_row(row[1:])
            for row in connection.execute(query.where(container.c.key.in_(chunk)))
        }
    return [known[key] for key in keys]


_FINISH = (
    update(container)
    .where(container.c.id == bindparam("b_id"), container.c.leg == bindparam("b_leg"))
    .values(cursor=bindparam("b_cursor"), complete=True)
)


def finish(connection: Connection, leg_id: int, cursors: Mapping[int, str | None]) -> None:
    """See LegLedger.finish_listings."""
    rows = [{"b_id": one, "b_leg": leg_id, "b_cursor": cursor} for one, cursor in cursors.items()]
    connection.execute(_FINISH, rows)


_FOLLOWS = ("kind", "path", "role", "total", "omit", "modified", "gone")
"""What of a container is as the source has it now."""


def _container_values(leg_id: int, key: bytes, found: Container) -> dict[str, Any]:
    return {
        "leg": leg_id,
        "key": key,
        "source_id": pack_id(found.id),
        "kind": found.kind.value,
        "path": pack_path(found.path),
        "role": None if found.role is None else found.role.value,
        "total": found.total,
        "omit": found.omit,
        "modified": None if found.modified is None else int(found.modified.timestamp() // 1),
        "gone": False,
    }


def gone_containers(connection: Connection, leg_id: int, seen: Collection[bytes]) -> list[ContainerRow]:
    """See LegLedger.gone_containers; seen: keys."""
    query = select(container.c.key, *CONTAINER_COLUMNS).where(container.c.leg == leg_id)
    rows = connection.execute(query.order_by(container.c.id)).all()
    gone = [container_row(row[1:]) for row in rows if row[0] not in seen]
    for chunk in chunked([row.id for row in gone if not row.gone]):
        connection.execute(update(container).where(container.c.id.in_(chunk)).values(gone=True))
    return [replace(row, gone=True) for row in gone]
