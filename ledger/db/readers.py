"""Read database rows as the dataclasses of ledger.db.rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, bindparam, func, or_, select, true

from ledger.db.encoding import unpack_id, unpack_path, unpack_since, version_text
from ledger.db.limits import LONG_SECONDS
from ledger.db.postgresql import as_long_as
from ledger.db.rows import ContainerRow, Finding, ItemRow, LegRow, LegState, MailboxRow, Outcome, Phase, State
from ledger.db.schema import container, finding, is_open, item, label, leg, mailbox
from model.kinds import Kind
from model.protocols import Role

T = TypeVar("T")

CHUNK = 500
"""Rows per statement: below every driver's limit on parameters."""

ITEM_COLUMNS = (
    item.c.key,
    item.c.source_id,
    item.c.version,
    item.c.state,
    item.c.size,
    item.c.attempts,
    item.c.code,
    item.c.href,
    item.c.since,
    item.c.digest,
    item.c.flags,
    item.c.date,
    item.c.target_version,
    item.c.place,
    item.c.mid,
)
CONTAINER_COLUMNS = (
    container.c.id,
    container.c.kind,
    container.c.source_id,
    container.c.path,
    container.c.role,
    container.c.href,
    container.c.cursor,
    container.c.complete,
    container.c.total,
    container.c.omit,
    container.c.gone,
    container.c.modified,
    container.c.surveyed,
    container.c.source_state,
    container.c.target_state,
    container.c.looked,
)
LEG_COLUMNS = (
    leg.c.id,
    leg.c.mailbox,
    leg.c.workload,
    leg.c.state,
    leg.c.code,
    leg.c.owner,
    leg.c.lease_until,
    leg.c.epoch,
    leg.c["items"],
    leg.c.done,
    leg.c.bytes,
    leg.c.started,
    leg.c.finished,
    mailbox.c.withheld,
    leg.c.level,
    leg.c.detail,
)


def _bound(side: str) -> Any:
    return (
        select(func.min(leg.c[side]))
        .where(leg.c.mailbox == mailbox.c.id)
        .correlate(mailbox)
        .scalar_subquery()
    )


MAILBOX_COLUMNS = (
    mailbox.c.id,
    mailbox.c.wave,
    mailbox.c.phase,
    mailbox.c.source,
    mailbox.c.target,
    _bound("source_identity"),
    _bound("target_identity"),
)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def mailbox_row(row: Iterable[Any]) -> MailboxRow:
    """Make a MailboxRow of MAILBOX_COLUMNS."""
    identity, wave, phase, *rest = row
    return MailboxRow(identity, wave, Phase(phase), *rest)


def leg_row(row: Iterable[Any]) -> LegRow:
    """Make a LegRow of LEG_COLUMNS."""
    number, of, workload, state, code, owner, until, epoch, items, done, size, started, finished, *rest = row
    return LegRow(
        number,
        of,
        Kind(workload),
        LegState(state),
        code,
        owner,
        _moment(until),
        epoch,
        items,
        done,
        size,
        _moment(started),
        _moment(finished),
        *rest,
    )


def container_row(row: Iterable[Any]) -> ContainerRow:
    """Make a ContainerRow of CONTAINER_COLUMNS."""
    number, kind, source_id, path, role, href, cursor, complete, total, omit, gone, *rest = row
    return ContainerRow(
        number,
        Kind(kind),
        unpack_id(source_id),
        unpack_path(path),
        None if role is None else Role(role),
        href,
        cursor,
        complete,
        total,
        omit,
        gone,
        *rest,
    )


def item_row(row: Iterable[Any]) -> ItemRow:
    """Make an ItemRow of ITEM_COLUMNS."""
    key, source_id, version, state, size, attempts, code, href, since, *rest = row
    position, doubted = unpack_since(since)
    others = (size, attempts, code, href, position, *rest, doubted)
    return ItemRow(key, unpack_id(source_id), version_text(version), State(state), *others)


# The literal condition lets both databases choose the partial index of open items.
_PENDING = (
    select(*ITEM_COLUMNS)
    .where(item.c.container == bindparam("container"), is_open())
    .where(item.c.state.in_(bindparam("states", expanding=True)))
    .order_by(item.c.id)
    .limit(bindparam("limit", type_=Integer))
)


def item_by_key(connection: Connection, container_id: int, key: bytes) -> ItemRow | None:
    """Return the item of a container that has this key; None if there is none."""
    query = select(*ITEM_COLUMNS).where(item.c.container == container_id, item.c.key == key)
    row = connection.execute(query).one_or_none()
    return None if row is None else item_row(row)


def items_by_key(
    connection: Connection,
    container_id: int,
    after: bytes | None,
    states: Collection[State] | None = None,
    limit: int = CHUNK,
) -> list[ItemRow]:
    """Return one page of a container's items in the order of their keys.

    Args:
        connection: in any transaction.
        container_id: the container.
        after: only items with a higher key; None begins with the first.
        states: only items in these states; None means all.
        limit: items of the page, at most.
    """
    asked: dict[str, Any] = {"container": container_id, "limit": limit}
    if after is not None:
        asked["after"] = after
    if states is not None:
        asked["states"] = [state.value for state in states]
    statement = _items_by_key(goes_on=after is not None, chosen=states is not None)
    return [item_row(row) for row in connection.execute(statement, asked)]


@cache
def _items_by_key(*, goes_on: bool, chosen: bool) -> Select[Any]:
    """Build a statement once that every folder of every leg asks."""
    statement: Select[Any] = select(*ITEM_COLUMNS).where(item.c.container == bindparam("container"))
    if goes_on:
        statement = statement.where(item.c.key > bindparam("after"))
    if chosen:
        statement = statement.where(item.c.state.in_(bindparam("states", expanding=True)))
    return statement.order_by(item.c.key).limit(bindparam("limit", type_=Integer))


def counts_of(connection: Connection, leg_id: int, container_id: int | None) -> dict[State, int]:
    """Count items by state, of one container, or of the whole leg if container_id is None."""
    whole = container_id is None
    rows = connection.execute(_counts(whole=whole), {"of": leg_id if whole else container_id})
    return {State(state): count for state, count in rows}


@cache
def _counts(*, whole: bool) -> Select[Any]:
    query = select(item.c.state, func.count()).group_by(item.c.state)
    if whole:
        return query.join(container).where(container.c.leg == bindparam("of"))
    return query.where(item.c.container == bindparam("of"))


def claimed_of(connection: Connection, leg_id: int, place: str | None = None) -> dict[str, set[str]]:
    """Return the hrefs of items at the target that rows own, by the href of their container.

    Args:
        connection: in any transaction.
        leg_id: the leg.
        place: only the container with this href; None means all.
    """
    query = select(container.c.href, item.c.href).join(item, item.c.container == container.c.id)
    query = query.where(container.c.leg == leg_id, container.c.href.is_not(None), item.c.href.is_not(None))
    if place is not None:
        query = query.where(container.c.href == place)
    claimed: dict[str, set[str]] = {}
    for folder, href in connection.execute(query):
        claimed.setdefault(folder, set()).add(href)
    return claimed


def begun(connection: Connection, leg_id: int) -> bool:
    """Return True if copying of any of the leg's items was begun; see LegLedger.begun."""
    return connection.execute(_SENT, {"of": leg_id}).one_or_none() is not None


_SENT = (
    select(item.c.id)
    .join(container)
    .where(container.c.leg == bindparam("of"))
    .where(or_(item.c.attempts > 0, item.c.href.is_not(None), item.c.state == State.WRITING.value))
    .limit(1)
)


def pending_items(
    connection: Connection, container_id: int, limit: int, states: Collection[State]
) -> list[ItemRow]:
    """Return open items of a container; see LegLedger.pending."""
    asked = {"container": container_id, "states": [state.value for state in states], "limit": limit}
    return [item_row(row) for row in connection.execute(_PENDING, asked)]


def findings_of(connection: Connection, container_id: int) -> list[Finding]:
    """Return the findings of a container, in the order in which they were recorded."""
    query = select(finding.c.outcome, finding.c.key, finding.c.href, finding.c.detail)
    rows = connection.execute(query.where(finding.c.container == container_id).order_by(finding.c.id))
    return [Finding(Outcome(outcome), key, href, detail) for outcome, key, href, detail in rows]


def labels_of(connection: Connection, leg_id: int) -> dict[str, str]:
    """Return the leg's keywords and the texts that people gave them."""
    query = select(label.c.keyword, label.c.text).where(label.c.leg == leg_id)
    return dict(connection.execute(query).all())


def chunked(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield the values in lists of at most `size`."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def streamed(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """Yield the rows of a query that may be many, and may take long."""
    with as_long_as(connection, LONG_SECONDS):
        yield from connection.execution_options(yield_per=CHUNK).execute(query)


def in_wave(wave: str | None, mailbox_id: str | None = None) -> ColumnElement[bool]:
    """Return a condition for a statement that joins mailbox.

    Args:
        wave: only this wave; None means all.
        mailbox_id: only this mailbox; None means all.
    """
    clauses: list[ColumnElement[bool]] = [true()]
    if wave is not None:
        clauses.append(mailbox.c.wave == wave)
    if mailbox_id is not None:
        clauses.append(mailbox.c.id == mailbox_id)
    return and_(*clauses)
