"""Read what only one report or screen tells: what folders lost, how fast a wave was, one mailbox's items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, func, select

from ledger.db.encoding import unpack_id, unpack_path
from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.lease_statements import held
from ledger.db.readers import (
    CONTAINER_COLUMNS,
    ITEM_COLUMNS,
    container_row,
    in_wave,
    item_row,
    streamed,
)
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.db.schema import container, item, leg, loss, mailbox
from ledger.views.rates import Measured
from ledger.views.scores import Lacking
from model.kinds import Kind


def folder_losses(ledger: LedgerHandle, wave: str) -> Mapping[str, list[Lacking]]:
    """Return, by mailbox, what its folders lost, and how many did."""
    same = and_(item.c.container == loss.c.container, item.c.key == loss.c.key)
    columns = (leg.c.mailbox, leg.c.workload, loss.c.field, loss.c.reason)
    tables = loss.join(container, container.c.id == loss.c.container).join(leg).join(mailbox)
    query = select(*columns, func.count()).select_from(tables.outerjoin(item, same))
    query = query.where(in_wave(wave), item.c.id.is_(None)).group_by(*columns).order_by(*columns)
    losses: dict[str, list[Lacking]] = {}
    with reading(ledger.engine) as connection:
        for number, kind, field, reason, count in connection.execute(query):
            losses.setdefault(number, []).append(Lacking(Kind(kind), field, reason, int(count)))
    return losses


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Describe what does not move out of one folder, for one reason.

    Attributes:
        mailbox: the mailbox's id.
        path: of the folder.
        code: why it does not move.
        items: how many items; of a whole folder by the source's own count.
    """

    mailbox: str
    path: tuple[str, ...]
    code: str
    items: int


def left_behind(ledger: LedgerHandle, wave: str) -> Iterator[LeftBehind]:
    """Yield the folders of a wave that do not move, or out of which single items do not."""
    joined = container.join(leg).join(mailbox)
    whole = select(leg.c.mailbox, container.c.path, container.c.omit, func.coalesce(container.c.total, 0))
    whole = whole.select_from(joined).where(in_wave(wave), container.c.omit.is_not(None))
    single = select(leg.c.mailbox, container.c.path, item.c.code, func.count())
    single = single.select_from(item.join(joined)).where(in_wave(wave), item.c.state == State.SKIPPED.value)
    single = single.group_by(leg.c.mailbox, container.c.id, container.c.path, item.c.code)
    with reading(ledger.engine) as connection:
        for query in (single, whole):
            for number, path, code, count in connection.execute(query):
                yield LeftBehind(number, unpack_path(path), code or "", int(count))


def items_of(ledger: LedgerHandle, leg_id: int) -> Iterator[tuple[ContainerRow, ItemRow]]:
    """Yield every item of a leg, by container."""
    depth = len(CONTAINER_COLUMNS)
    query = select(*CONTAINER_COLUMNS, *ITEM_COLUMNS).select_from(item.join(container))
    query = query.where(container.c.leg == leg_id)
    with reading(ledger.engine) as connection:
        for row in streamed(connection, query.order_by(container.c.id, item.c.id)):
            values = tuple(row)
            yield container_row(values[:depth]), item_row(values[depth:])


def paths_of(ledger: LedgerHandle, mailbox_id: str) -> dict[str, tuple[str, ...]]:
    """Return the path of each folder of a mailbox, by its id at the source."""
    query = select(container.c.source_id, container.c.path).select_from(container.join(leg))
    with reading(ledger.engine) as connection:
        rows = connection.execute(query.where(leg.c.mailbox == mailbox_id))
        return {unpack_id(source_id): unpack_path(path) for source_id, path in rows}


def measured_in(ledger: LedgerHandle, wave: str) -> Mapping[Kind, Measured]:
    """Return the rates by workload, over the legs of this wave that wrote something.

    See ledger.views.rates.
    """
    sums = (func.sum(leg.c.busy + held()), func.sum(leg.c.copied), func.sum(leg.c.copied_bytes))
    query = select(leg.c.workload, *sums).select_from(leg.join(mailbox))
    query = query.where(in_wave(wave), leg.c.copied > 0).group_by(leg.c.workload)
    with reading(ledger.engine) as connection:
        rates = {
            Kind(workload): Measured(float(seconds), int(items), int(size))
            for workload, seconds, items, size in connection.execute(query)
        }
    return {kind: rates[kind] for kind in Kind if kind in rates}
