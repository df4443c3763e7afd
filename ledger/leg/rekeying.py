"""What was copied under one id of the source and is listed by it under another: the copy gets the new row.

The row of the old id stays, GONE and without a copy, for the inventory names it; the row of the new id, which
the open inventory names, has the copy from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from ledger.db.leases import AT_TARGET, SETTLED
from ledger.db.readers import chunked
from ledger.db.rows import State
from ledger.db.schema import container, item, loss, share, version
from ledger.inventory.lines import REKEYED
from ledger.leg import item_states
from model.errors import Corrupt

KEPT = ("href", "digest", "size", "flags", "date", "since", "target_version", "place", "mid")
"""What the row of the new id takes over."""
BESIDE = (loss, share, version)
"""Tables that have rows about an item."""


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """One copy. container, key: of the row that has it; new: the key of its new row. state: what that
    becomes. place: where the copy is, when the new key does not tell (ItemRow.place); None: as it stands."""

    container: int
    key: bytes
    new: bytes
    state: State
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Refated:
    """One item without a copy. container, key: of the row of its old id; new: the key of its new row."""

    container: int
    key: bytes
    new: bytes


def carry_over(connection: Connection, container_id: int, items: Collection[Refated]) -> int:
    """Gives rows of a container that are SEEN the code by which rows of old ids were SKIPPED; those are GONE,
    and keep it until then. Returns how many. Raises Corrupt("item-state")."""
    for one in items:
        old = item.c.container == one.container, item.c.key == one.key, item.c.state == State.GONE.value
        fate = connection.execute(select(item.c.code, item.c.mid, item.c.digest).where(*old)).one_or_none()
        new = item.c.container == container_id, item.c.key == one.new, item.c.state == State.SEEN.value
        if fate is None or fate.code is None:
            raise Corrupt("item-state", "an item that has another id has no fate")
        values = {"state": State.SKIPPED.value, "attempts": 0, **dict(fate._mapping)}
        if connection.execute(update(item).where(*new).values(values)).rowcount != 1:
            raise Corrupt("item-state", "an item that is to have a fate has one")
        connection.execute(update(item).where(*old).values(code=REKEYED))
    return len(items)


def placed_apart(connection: Connection, leg_id: int) -> dict[bytes, str]:
    """See LegLedger.placed_apart."""
    query = select(item.c.key, item.c.place).join(container)
    rows = connection.execute(query.where(container.c.leg == leg_id, item.c.place.is_not(None)))
    return {bytes(key): place for key, place in rows}


def transfer(connection: Connection, container_id: int, pairs: Sequence[Rekeyed]) -> int:
    """Gives copies to rows of a container that are SEEN. Returns how many items more are settled. Raises
    Corrupt("item-state") when a row is not in a state for it."""
    settled = 0
    for old_id in sorted({one.container for one in pairs}):
        chosen = [one for one in pairs if one.container == old_id]
        for chunk in chunked(chosen):
            settled += _transferred(connection, container_id, old_id, chunk)
    return settled


def _transferred(connection: Connection, container_id: int, old_id: int, pairs: Sequence[Rekeyed]) -> int:
    copies, states = _copies(connection, old_id, [one.key for one in pairs])
    if len(copies) != len(pairs):
        raise Corrupt("item-state", "an item that has another id has no copy")
    item_states.move(
        connection,
        old_id,
        copies,
        AT_TARGET,
        {"state": State.GONE.value, "code": REKEYED, **dict.fromkeys(item_states.FORGOTTEN)},
    )
    rows = [_values(container_id, one, copies[one.key]) for one in pairs]
    if connection.execute(_TAKEN_OVER, rows).rowcount != len(rows):
        raise Corrupt("item-state", "an item that is to have a copy has one")
    for one in pairs:
        _take_along(connection, container_id, one)
    return sum(one.state in SETTLED for one in pairs) - sum(state in SETTLED for state in states)


def _copies(
    connection: Connection, container_id: int, keys: Collection[bytes]
) -> tuple[dict[bytes, Mapping[str, Any]], list[State]]:
    query = select(item.c.key, item.c.state, *(item.c[name] for name in KEPT))
    among = item.c.container == container_id, item.c.key.in_(keys), item.c.href.is_not(None)
    rows = connection.execute(query.where(*among)).mappings().all()
    return {bytes(row["key"]): dict(row) for row in rows}, [State(row["state"]) for row in rows]


_TAKEN_OVER = (
    update(item)
    .where(
        item.c.container == bindparam("b_container"),
        item.c.key == bindparam("b_key"),
        item.c.state == State.SEEN.value,
        item.c.href.is_(None),
    )
    .values(
        state=bindparam("b_state"),
        attempts=0,
        code=None,
        **{name: bindparam(f"b_{name}") for name in KEPT},
    )
)


def _values(container_id: int, one: Rekeyed, copy: Mapping[str, Any]) -> dict[str, Any]:
    kept = {f"b_{name}": copy[name] for name in KEPT}
    if one.place is not None:
        kept["b_place"] = one.place
    return {"b_container": container_id, "b_key": one.new, "b_state": one.state.value, **kept}


def _take_along(connection: Connection, container_id: int, one: Rekeyed) -> None:
    for table in BESIDE:
        new = table.c.container == container_id, table.c.key == one.new
        old = table.c.container == one.container, table.c.key == one.key
        connection.execute(delete(table).where(*new))
        connection.execute(update(table).where(*old).values(container=container_id, key=one.new))
