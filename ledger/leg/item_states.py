"""Move items from state to state after they were listed, with a few statements in the caller's transaction.

The other half of R1: what a source did to an item while it was WRITING is noted in its code
(ledger.leg.listing_diff.NEWER, DELETED) and takes effect when the item is settled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    SmallInteger,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from ledger.db.encoding import UNORDERED, pack_flags, pack_since
from ledger.db.leases import AT_TARGET
from ledger.db.readers import chunked
from ledger.db.rows import Finding, State
from ledger.db.schema import container, finding, item, label, leg, loss
from ledger.db.upsert import upsert
from ledger.inventory.lines import message_mark
from ledger.leg import versions
from ledger.leg.listing_diff import DELETED, NEWER
from model.errors import Corrupt
from model.protocols import Loss, Mapped, Stored

UNDATED = Loss("modified", "not-kept")
TRACES = ("since", "digest")
"""The columns by which a late copy of what we removed is recognised as ours."""
FORGOTTEN = ("href", *TRACES, "target_version", "flags", "date", "place")
"""The columns that a row loses once nothing of it is at the target."""
OPEN = (State.SEEN, State.WRITING, State.CHANGED)
SETTLED_AT_TARGET = (State.WRITTEN, State.VERIFIED)
HELD = (*SETTLED_AT_TARGET, State.CHANGED)


def _literal(state: State) -> ColumnElement[int]:
    # Part of the text: a parameter would be put together again for each row of executemany.
    return literal_column(str(state.value), SmallInteger)


def _code(code: str) -> ColumnElement[str]:
    """Return one of our own codes as part of a statement's text."""
    return literal_column(f"'{code}'", item.c.code.type)


def _unless_moved(state: State, newer: State, deleted: State) -> ColumnElement[int]:
    """Return `state`, unless the source changed or deleted the item while it was being written."""
    return case(
        (item.c.code == _code(NEWER), _literal(newer)),
        (item.c.code == _code(DELETED), _literal(deleted)),
        else_=_literal(state),
    )


_OURS = item.c.href.is_not(None)
_BACK = case((_OURS, _literal(State.CHANGED)), else_=_unless_moved(State.SEEN, State.SEEN, State.GONE))


def _among(states: Collection[State]) -> ColumnElement[bool]:
    # Not IN: SQLAlchemy expands its list for each execution, so executemany cannot have one.
    return or_(*(item.c.state == _literal(state) for state in states))


_ONE = (item.c.container == bindparam("b_container"), item.c.key == bindparam("b_key"))
_WRITING = item.c.state == _literal(State.WRITING)
_KEYS = item.c.key.in_(bindparam("b_keys", expanding=True))
_BEGIN = (
    update(item)
    .where(item.c.container == bindparam("b_container"), _KEYS, _among(OPEN))
    .values(
        state=_literal(State.WRITING),
        attempts=item.c.attempts + 1,
        # What may still land stays in doubt; such a target has one position only.
        since=case((item.c.since.like(f"{UNORDERED}/%"), item.c.since), else_=bindparam("b_since")),
        # What is at the target already keeps the digest of what was last written (R4).
        digest=case((_OURS, item.c.digest), else_=null()),
        code=null(),
    )
    .returning(item.c.key, _OURS)
)
_INTEND = (
    update(item)
    .where(*_ONE, _WRITING)
    .values(
        digest=bindparam("b_digest"),
        size=bindparam("b_size"),
        flags=bindparam("b_flags"),
        date=bindparam("b_date"),
        # Of an object that has another key since (ledger.leg.rekeying) the place stays.
        place=func.coalesce(bindparam("b_place"), case((item.c.place == item.c.href, item.c.place))),
        mid=bindparam("b_mid"),
    )
)
_DOUBTED = update(item).where(*_ONE).values(since=bindparam("b_since"))
_NAMED = (
    update(item)
    .where(*_ONE)
    .values(
        mid=bindparam("b_mid"),
        digest=case((_OURS, item.c.digest), else_=bindparam("b_digest", type_=item.c.digest.type)),
    )
)
_STORED = (
    update(item)
    .where(*_ONE, _WRITING)
    .values(
        state=_unless_moved(State.WRITTEN, State.CHANGED, State.LEAVING),
        href=bindparam("b_href"),
        target_version=bindparam("b_version"),
        place=case((item.c.place == item.c.href, item.c.place), else_=null()),
        digest=func.coalesce(bindparam("b_digest", type_=item.c.digest.type), item.c.digest),
        code=null(),
    )
)
_UNDATED = update(item).where(*_ONE).values(date=null())
_FLAGGED = update(item).where(*_ONE).values(flags=bindparam("b_flags"))
_AMENDED = (
    update(item)
    .where(*_ONE, _among(HELD))
    .values(
        state=_literal(State.WRITTEN),
        href=bindparam("b_href"),
        target_version=bindparam("b_version"),
        flags=bindparam("b_flags"),
        code=null(),
    )
)
_REHREF = update(item).where(*_ONE, _among(AT_TARGET)).values(href=bindparam("b_href"))


def _fate(state: State) -> Any:
    values = {"state": _unless_moved(state, State.SEEN, State.GONE), "code": bindparam("b_code")}
    return update(item).where(*_ONE, _among(OPEN)).values(values)


_REJECTED, _SKIPPED = _fate(State.REJECTED), _fate(State.SKIPPED)


def _each(connection: Connection, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Apply a statement to every row.

    Raises:
        Corrupt: "item-state" if a row was in another state; then nothing of the transaction stays.
    """
    if rows and connection.execute(statement, rows).rowcount != len(rows):
        raise Corrupt("item-state", "an item was not in the state this step needs")


def move(
    connection: Connection,
    container_id: int,
    keys: Iterable[bytes],
    states: Collection[State],
    values: Mapping[str, Any],
    *,
    strict: bool = True,
) -> int:
    """Set the same values for many items.

    Args:
        connection: in the worker's write transaction.
        container_id: the container.
        keys: of the items.
        states: only items in these states change.
        values: new values by column.
        strict: True if every item must be in one of the states.

    Returns:
        How many items changed.

    Raises:
        Corrupt: "item-state" if `strict` is set and an item was in another state.
    """
    unique = set(keys)
    moved = 0
    for chunk in chunked(sorted(unique)):
        among = (item.c.container == container_id, item.c.key.in_(chunk))
        statement = update(item).where(*among, item.c.state.in_([state.value for state in states]))
        moved += connection.execute(statement.values(values)).rowcount
    if strict and moved != len(unique):
        raise Corrupt("item-state", "an item was not in the state this step needs")
    return moved


def reopen(
    connection: Connection, container_id: int, keys: Iterable[bytes], values: Mapping[str, Any]
) -> int:
    """Set items that are held at the target, or rejected, back to open.

    Returns:
        How many of them were settled.

    Raises:
        Corrupt: "item-state" if an item is neither.
    """
    unique = set(keys)
    changed = move(connection, container_id, unique, (State.CHANGED,), values, strict=False)
    decided = (*SETTLED_AT_TARGET, State.REJECTED)
    settled = move(connection, container_id, unique, decided, values, strict=False)
    if changed + settled != len(unique):
        raise Corrupt("item-state", "an item was not in the state this step needs")
    return settled


def keep(connection: Connection, container_id: int) -> int:
    """Set CHANGED and LEAVING items of a container to WRITTEN; return how many."""
    owed = _among((State.CHANGED, State.LEAVING))
    statement = update(item).where(item.c.container == container_id, owed, _OURS)
    return connection.execute(statement.values(state=State.WRITTEN.value, code=null())).rowcount


def begin(
    connection: Connection, container_id: int, keys: Collection[bytes], since: str
) -> dict[bytes, bool]:
    """Set items to WRITING, with one attempt more and the target's position; see LegLedger.begin.

    Returns:
        By key, whether the item has a place at the target already.

    Raises:
        Corrupt: "item-state" if an item is not open.
    """
    begun: dict[bytes, bool] = {}
    for chunk in chunked(sorted(keys)):
        asked = {"b_container": container_id, "b_keys": chunk, "b_since": since}
        begun |= {bytes(key): bool(there) for key, there in connection.execute(_BEGIN, asked)}
    if len(begun) != len(keys):
        raise Corrupt("item-state", "an item was not in the state this step needs")
    return begun


def intend(
    connection: Connection, container_id: int, mapped: Sequence[Mapped], *, lossless: bool = False
) -> None:
    """Record what will be written; see LegLedger.intend.

    Args:
        connection: in the worker's write transaction.
        container_id: the container.
        mapped: the batch.
        lossless: True if the container has no losses, so that none has to go.
    """
    rows = [
        {
            "b_container": container_id,
            "b_key": entry.item.key,
            "b_digest": entry.item.digest,
            "b_size": entry.item.size,
            "b_flags": pack_flags(entry.item.flags),
            "b_date": None if entry.item.date is None else int(entry.item.date.timestamp() // 1),
            "b_place": entry.item.name,
            "b_mid": message_mark(entry.item.message_id),
        }
        for entry in mapped
    ]
    _each(connection, _INTEND, rows)
    for chunk in chunked([] if lossless else [entry.item.key for entry in mapped]):
        connection.execute(delete(loss).where(loss.c.container == container_id, loss.c.key.in_(chunk)))
    lose(
        connection,
        container_id,
        [(entry.item.key, item_loss) for entry in mapped for item_loss in entry.losses],
    )
    versions.intend(connection, container_id, mapped)


class Unwritten(NamedTuple):
    """Name an item that was fetched and will not be written.

    Attributes:
        key: of the item.
        name: its Message-ID; None if it has none.
        digest: shows that another mail is the same; None if it will not be compared.
    """

    key: bytes
    name: str | None
    digest: bytes | None = None


def name_letters(connection: Connection, container_id: int, unwritten: Iterable[Unwritten]) -> None:
    """Record the Message-IDs of mails that were fetched and will not be written."""
    rows = [
        {
            "b_container": container_id,
            "b_key": letter.key,
            "b_mid": message_mark(letter.name),
            "b_digest": letter.digest,
        }
        for letter in unwritten
    ]
    _each(connection, _NAMED, rows)


def lose(connection: Connection, container_id: int, losses: Sequence[tuple[bytes, Loss]]) -> None:
    """Add losses of items. Idempotent."""
    rows = [
        {"container": container_id, "key": key, "field": entry.field, "reason": entry.reason}
        for key, entry in losses
    ]
    if rows:
        connection.execute(upsert(connection, loss).on_conflict_do_nothing(), rows)


def keep_labels(connection: Connection, leg_id: int, labels: Mapping[str, str]) -> None:
    """Keep the texts of keywords. The last text given to a keyword wins."""
    rows = [{"leg": leg_id, "keyword": keyword, "text": words} for keyword, words in labels.items()]
    if rows:
        statement = upsert(connection, label)
        latest = {"text": statement.excluded.text}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["leg", "keyword"], set_=latest), rows
        )


def store(connection: Connection, container_id: int, stored: Sequence[Stored]) -> None:
    """Set items from WRITING to WRITTEN, with the losses that came of it.

    A digest in `stored` is that of what was found at the target. A date that the target did not keep was not
    written.
    """
    rows = [
        {
            "b_container": container_id,
            "b_key": copy.key,
            "b_href": copy.href,
            "b_version": copy.version or None,
            "b_digest": copy.digest or None,
        }
        for copy in stored
    ]
    _each(connection, _STORED, rows)
    undated = [{"b_container": container_id, "b_key": copy.key} for copy in stored if UNDATED in copy.losses]
    _each(connection, _UNDATED, undated)
    fewer = [
        {"b_container": container_id, "b_key": copy.key, "b_flags": pack_flags(copy.flags)}
        for copy in stored
        if copy.flags is not None
    ]
    _each(connection, _FLAGGED, fewer)
    lose(connection, container_id, [(copy.key, item_loss) for copy in stored for item_loss in copy.losses])
    versions.settle(connection, container_id, stored)


def placed(connection: Connection, container_id: int, keys: Iterable[bytes]) -> int:
    """Count those of these items that have a place at the target already."""
    count = 0
    for chunk in chunked(keys):
        query = select(func.count()).where(item.c.container == container_id, item.c.key.in_(chunk), _OURS)
        count += int(connection.execute(query).scalar_one())
    return count


def sizes(connection: Connection, container_id: int, keys: Iterable[bytes]) -> int:
    """Return the bytes of these items together."""
    size = 0
    for chunk in chunked(keys):
        query = select(func.coalesce(func.sum(item.c.size), 0))
        among = (item.c.container == container_id, item.c.key.in_(chunk))
        size += int(connection.execute(query.where(*among)).scalar_one())
    return size


def decide(
    connection: Connection, container_id: int, state: State, fates: Sequence[tuple[bytes, str]]
) -> None:
    """Set open items to SKIPPED or REJECTED, with the code that says why.

    Args:
        connection: in the worker's write transaction.
        container_id: the container.
        state: SKIPPED or REJECTED.
        fates: pairs of a key and a code.
    """
    statement = _SKIPPED if state is State.SKIPPED else _REJECTED
    _each(
        connection,
        statement,
        [{"b_container": container_id, "b_key": key, "b_code": code} for key, code in fates],
    )


def give_back(connection: Connection, container_id: int, keys: Iterable[bytes], *, refund: bool) -> None:
    """Set WRITING items back to be written again. `refund`: the attempt does not count (R10)."""
    attempts = case((item.c.attempts > 0, item.c.attempts - 1), else_=0) if refund else item.c.attempts
    move(
        connection,
        container_id,
        keys,
        (State.WRITING,),
        {"state": _BACK, "attempts": attempts, "code": null()},
    )


def doubt(connection: Connection, container_id: int, names: Mapping[bytes, Collection[str]]) -> None:
    """Keep, by the keys of files, the names under which a write may still land."""
    _each(
        connection,
        _DOUBTED,
        [
            {"b_container": container_id, "b_key": key, "b_since": pack_since(UNORDERED, doubted)}
            for key, doubted in names.items()
        ],
    )


def reconsider(connection: Connection, leg_id: int, code: str, *, held: bool = False) -> int:
    """Set a leg's SKIPPED and REJECTED items of this code to SEEN, if nothing of them is at the target.

    Args:
        connection: a transaction.
        leg_id: the leg.
        code: the code.
        held: True to set those to CHANGED of which something is.

    Returns:
        How many.
    """
    ours = item.c.container.in_(select(container.c.id).where(container.c.leg == leg_id))
    decided = or_(item.c.state == State.SKIPPED.value, item.c.state == State.REJECTED.value)
    statement = update(item).where(ours, decided, item.c.code == code)
    if not held:
        statement = statement.where(item.c.href.is_(None))
    state = case((_OURS, _literal(State.CHANGED)), else_=_literal(State.SEEN))
    values = {"state": state, "code": null(), "attempts": 0}
    return connection.execute(statement.values(values)).rowcount


def vanish(connection: Connection, container_id: int, keys: Iterable[bytes], *, mirror: bool) -> None:
    """Set open items to GONE.

    An item that has a copy at the target is to be withdrawn; without `mirror` its copy stays.
    """
    ours = State.LEAVING if mirror else State.WRITTEN
    state = case((_OURS, _literal(ours)), else_=_literal(State.GONE))
    move(connection, container_id, keys, OPEN, {"state": state, "code": null()})


def amend(
    connection: Connection, container_id: int, amendments: Sequence[tuple[Stored, frozenset[str]]]
) -> int:
    """Set CHANGED items to WRITTEN, with these flags or with those of them that the target took.

    Returns:
        How many.
    """
    rows = [
        {
            "b_container": container_id,
            "b_key": stored.key,
            "b_href": stored.href,
            "b_version": stored.version or None,
            "b_flags": pack_flags(flags if stored.flags is None else stored.flags),
        }
        for stored, flags in amendments
    ]
    _each(connection, _AMENDED, rows)
    lose(
        connection,
        container_id,
        [(copy.key, item_loss) for copy, _ in amendments for item_loss in copy.losses],
    )
    return len(rows)


def rehref(connection: Connection, container_id: int, hrefs: Mapping[bytes, str]) -> None:
    """Record new hrefs of items; see LegLedger.rehref."""
    rows = [{"b_container": container_id, "b_key": key, "b_href": href} for key, href in hrefs.items()]
    _each(connection, _REHREF, rows)


def record_findings(connection: Connection, container_id: int, findings: Iterable[Finding]) -> None:
    """Add findings of a container."""
    for chunk in chunked(findings):
        rows = [
            {
                "container": container_id,
                "key": row.key,
                "outcome": row.outcome.value,
                "href": row.href,
                "detail": row.detail,
            }
            for row in chunk
        ]
        connection.execute(insert(finding), rows)


def progress(
    connection: Connection, leg_id: int, *, items: int = 0, done: int = 0, size: int = 0, copied: int = 0
) -> None:
    """Add to the leg's running totals; release counts them anew.

    Args:
        connection: in the worker's write transaction.
        leg_id: the leg.
        items: more items.
        done: more settled items.
        size: more bytes at the target.
        copied: items that were written now, of `size` bytes together; both are added to what was ever
            written.
    """
    if items or done or size or copied:
        asked = {"b_leg": leg_id, "b_items": items, "b_done": done, "b_size": size}
        if copied:
            connection.execute(_PROGRESS_OF_COPIES, {**asked, "b_copied": copied})
        else:
            connection.execute(_PROGRESS, asked)


_PROGRESS = (
    update(leg)
    .where(leg.c.id == bindparam("b_leg"))
    .values(
        {
            "items": leg.c["items"] + bindparam("b_items"),
            "done": leg.c.done + bindparam("b_done"),
            "bytes": leg.c.bytes + bindparam("b_size"),
        }
    )
)
_PROGRESS_OF_COPIES = _PROGRESS.values(
    copied=leg.c.copied + bindparam("b_copied"), copied_bytes=leg.c.copied_bytes + bindparam("b_size")
)


_VERIFIED = (
    update(item)
    .where(item.c.container == bindparam("b_container"), _KEYS, _among(SETTLED_AT_TARGET))
    .values(state=_literal(State.VERIFIED))
)


def mark_verified(connection: Connection, container_id: int, keys: Iterable[bytes]) -> int:
    """Set WRITTEN items to VERIFIED; see LegLedger.verified.

    Returns:
        How many items are VERIFIED now, or were already.
    """
    asked = ({"b_container": container_id, "b_keys": chunk} for chunk in chunked(sorted(set(keys))))
    return sum(connection.execute(_VERIFIED, chunk).rowcount for chunk in asked)


def mark_doubted(connection: Connection, container_id: int, keys: Iterable[bytes]) -> None:
    """Set VERIFIED items to WRITTEN; see LegLedger.doubted."""
    move(connection, container_id, keys, (State.VERIFIED,), {"state": State.WRITTEN.value}, strict=False)


def mark_unreadable(connection: Connection, container_id: int, keys: Iterable[bytes]) -> int:
    """Set CHANGED items to WRITTEN, because their change cannot be read; see LegLedger.unamended."""
    values = {"state": State.WRITTEN.value, "code": "change-unreadable"}
    return move(connection, container_id, keys, (State.CHANGED,), values)
