"""Give a copy to the row of its new source id, if the source lists it under another id than it was copied by.

The row of the old id stays, GONE and without a copy, because the inventory names it. The row of the new id,
which the open inventory names, has the copy from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, update

from ledger.db.leases import AT_TARGET, SETTLED
from ledger.db.readers import ITEM_COLUMNS, chunked, item_row
from ledger.db.rows import ItemRow, State
from ledger.db.schema import container, item, loss, meeting, share, version
from ledger.inventory.lines import REKEYED
from ledger.leg import item_states
from model.errors import Corrupt

KEPT = ("href", "digest", "size", "flags", "date", "since", "target_version", "place", "mid")
"""The columns that the row of the new id takes over."""
BESIDE = (loss, share, version, meeting)
"""Tables that have rows about an item."""


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """Name one copy whose source id changed.

    Attributes:
        container: of the row that has the copy.
        key: of the row that has the copy.
        new: the key of its new row.
        state: the state that the new row gets.
        place: where the copy is, if the new key does not say it (ItemRow.place); None leaves it as it is.
    """

    container: int
    key: bytes
    new: bytes
    state: State
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Refated:
    """Name one item without a copy whose source id changed.

    Attributes:
        container: of the row of its old id.
        key: of the row of its old id.
        new: the key of its new row.
    """

    container: int
    key: bytes
    new: bytes


@dataclass(frozen=True, slots=True)
class Likenesses:
    """Name what items of one container have in common with copies elsewhere; each narrows, none proves.

    Attributes:
        digests: of their meanings.
        mids: the marks of their Message-IDs (ItemRow.mid).
        sizes: in bytes.
        keys: keys that an item keeps when it is moved.
    """

    digests: frozenset[bytes] = frozenset()
    mids: frozenset[int] = frozenset()
    sizes: frozenset[int] = frozenset()
    keys: frozenset[bytes] = frozenset()


def held_elsewhere(
    connection: Connection, leg_id: int, container_id: int, alike: Likenesses
) -> list[tuple[int, ItemRow]]:
    """Return rows that have a copy, in the leg's other containers; see LegLedger.held_elsewhere."""
    among = [
        column.in_(values)
        for column, values in (
            (item.c.digest, alike.digests),
            (item.c.mid, alike.mids),
            (item.c.size, alike.sizes),
            (item.c.key, alike.keys),
        )
        if values
    ]
    if not among:
        return []
    held = item.c.state.in_([State.WRITTEN.value, State.VERIFIED.value]), item.c.href.is_not(None)
    where = container.c.leg == leg_id, container.c.id != container_id, *held
    query = select(item.c.container, *ITEM_COLUMNS).join(container).where(*where, or_(*among))
    rows = connection.execute(query.order_by(item.c.container, item.c.key)).all()
    return [(number, item_row(columns)) for number, *columns in rows]


def skipped_as(connection: Connection, leg_id: int, code: str, digests: Collection[bytes]) -> list[bytes]:
    """Return the digests, among these, of items that were SKIPPED with a code; see LegLedger.skipped_as."""
    state = item.c.state == State.SKIPPED.value, item.c.code == code
    query = select(item.c.digest).join(container).where(container.c.leg == leg_id, *state)
    return [bytes(digest) for (digest,) in connection.execute(query.where(item.c.digest.in_(digests)))]


def carry_over(connection: Connection, container_id: int, items: Collection[Refated]) -> int:
    """Give SEEN rows of a container the code by which the rows of the old ids were SKIPPED.

    The rows of the old ids are GONE, and keep that code until then.

    Returns:
        How many rows.

    Raises:
        Corrupt: "item-state" if a row is not in a state for it.
    """
    for refated in items:
        old = (
            item.c.container == refated.container,
            item.c.key == refated.key,
            item.c.state == State.GONE.value,
        )
        fate = connection.execute(select(item.c.code, item.c.mid, item.c.digest).where(*old)).one_or_none()
        new = item.c.container == container_id, item.c.key == refated.new, item.c.state == State.SEEN.value
        if fate is None or fate.code is None:
            raise Corrupt("item-state", "an item that has another id has no fate")
        values = {"state": State.SKIPPED.value, "attempts": 0, **dict(fate._mapping)}
        if connection.execute(update(item).where(*new).values(values)).rowcount != 1:
            raise Corrupt("item-state", "an item that is to have a fate has one")
        connection.execute(update(item).where(*old).values(code=REKEYED))
    return len(items)


def placed_apart(connection: Connection, leg_id: int) -> dict[bytes, str]:
    """Return places that keys do not say; see LegLedger.placed_apart."""
    query = select(item.c.key, item.c.place).join(container)
    rows = connection.execute(query.where(container.c.leg == leg_id, item.c.place.is_not(None)))
    return {bytes(key): place for key, place in rows}


def transfer(connection: Connection, container_id: int, pairs: Sequence[Rekeyed]) -> int:
    """Give copies to SEEN rows of a container.

    Returns:
        How many more items are settled than before.

    Raises:
        Corrupt: "item-state" if a row is not in a state for it.
    """
    settled = 0
    for old_id in sorted({pair.container for pair in pairs}):
        chosen = [pair for pair in pairs if pair.container == old_id]
        for chunk in chunked(chosen):
            settled += _transferred(connection, container_id, old_id, chunk)
    return settled


def _transferred(connection: Connection, container_id: int, old_id: int, pairs: Sequence[Rekeyed]) -> int:
    copies, states = _copies(connection, old_id, [pair.key for pair in pairs])
    if len(copies) != len(pairs):
        raise Corrupt("item-state", "an item that has another id has no copy")
    item_states.move(
        connection,
        old_id,
        copies,
        AT_TARGET,
        {"state": State.GONE.value, "code": REKEYED, **dict.fromkeys(item_states.FORGOTTEN)},
    )
    rows = [_values(container_id, pair, copies[pair.key]) for pair in pairs]
    if connection.execute(_TAKEN_OVER, rows).rowcount != len(rows):
        raise Corrupt("item-state", "an item that is to have a copy has one")
    for pair in pairs:
        _take_along(connection, container_id, pair)
    return sum(pair.state in SETTLED for pair in pairs) - sum(state in SETTLED for state in states)


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


def _values(container_id: int, pair: Rekeyed, copy: Mapping[str, Any]) -> dict[str, Any]:
    kept = {f"b_{name}": copy[name] for name in KEPT}
    if pair.place is not None:
        kept["b_place"] = pair.place
    return {"b_container": container_id, "b_key": pair.new, "b_state": pair.state.value, **kept}


def _take_along(connection: Connection, container_id: int, pair: Rekeyed) -> None:
    for table in BESIDE:
        new = table.c.container == container_id, table.c.key == pair.new
        old = table.c.container == pair.container, table.c.key == pair.key
        connection.execute(delete(table).where(*new))
        connection.execute(update(table).where(*old).values(container=container_id, key=pair.new))
