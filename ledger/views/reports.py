"""Read what the ledger knows about a wave, counted by the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from ledger.db.leases import AT_TARGET
from ledger.db.readers import (
    CONTAINER_COLUMNS,
    ITEM_COLUMNS,
    MAILBOX_COLUMNS,
    container_row,
    in_wave,
    item_row,
    mailbox_row,
    streamed,
)
from ledger.db.rows import ContainerRow, Finding, ItemRow, LegState, MailboxRow, Outcome, Phase, State
from ledger.db.schema import container, finding, item, leg, loss, mailbox
from model.kinds import Kind
from model.protocols import Loss

Rejection = tuple[MailboxRow, ContainerRow, ItemRow]
Located = tuple[MailboxRow, ContainerRow, ItemRow | None]
Lost = tuple[MailboxRow, ContainerRow, ItemRow | None, Loss]
"""Without an item, the container itself lost something (its name)."""
Differing = tuple[MailboxRow, ContainerRow, ItemRow | None, Finding]
"""Without an item, the ledger has no row of it."""
AMISS = (Outcome.MISSING, Outcome.EXTRA, Outcome.DIFFERS, Outcome.ERROR)
"""The outcomes of what a verification found to be wrong."""

_SKIP_CODE = case((item.c.state == literal_column(str(int(State.SKIPPED))), item.c.code))


@dataclass(frozen=True, slots=True)
class LegSummary:
    """Describe one leg in numbers.

    Attributes:
        mailbox: the mailbox's id.
        wave: its wave.
        phase: of the mailbox.
        leg: the leg's number.
        workload: the kind of its items.
        state: of the leg.
        code: why it is in this state; None if the state says all.
        counts: items by state.
        sizes: bytes by item state.
        losses: items by field and reason.
        findings: by outcome and detail (see ledger.db.rows.Finding).
        omitted: items in containers that do not move, by the source's own count, for each reason.
        skips: skipped items by code.
        detail: as of LegRow.
        withheld: as of LegRow.
    """

    mailbox: str
    wave: str
    phase: Phase
    leg: int
    workload: Kind
    state: LegState
    code: str | None
    counts: Mapping[State, int] = field(default_factory=dict)
    sizes: Mapping[State, int] = field(default_factory=dict)
    losses: Mapping[tuple[str, str], int] = field(default_factory=dict)
    findings: Mapping[tuple[Outcome, str], int] = field(default_factory=dict)
    omitted: Mapping[str, int] = field(default_factory=dict)
    skips: Mapping[str, int] = field(default_factory=dict)
    detail: str | None = None
    withheld: str | None = None

    @property
    def items(self) -> int:
        """Count the items that the source has, or had when they were copied."""
        return sum(count for state, count in self.counts.items() if state is not State.GONE)

    @property
    def bytes(self) -> int:
        """Return the bytes at the target."""
        return sum(self.sizes.get(state, 0) for state in AT_TARGET)


def summary(connection: Connection, wave: str | None, mailbox_id: str | None = None) -> list[LegSummary]:
    """Return one entry for each leg, by mailbox and workload: five statements for a wave of any size."""
    chosen = in_wave(wave, mailbox_id)
    counts: dict[int, Counter[State]] = defaultdict(Counter)
    sizes: dict[int, Counter[State]] = defaultdict(Counter)
    skips: dict[int, dict[str, int]] = defaultdict(dict)
    columns = (item.c.state, _SKIP_CODE, func.count(), func.coalesce(func.sum(item.c.size), 0))
    for number, state, code, count, size in connection.execute(_per_leg(item, columns, 2, chosen)):
        counts[number][State(state)] += count
        sizes[number][State(state)] += int(size)
        if code is not None:
            skips[number][code] = count
    losses: dict[int, dict[tuple[str, str], int]] = defaultdict(dict)
    for number, name, reason, count in connection.execute(
        _per_leg(loss, (loss.c.field, loss.c.reason, func.count()), 2, and_(chosen, _stands()))
    ):
        losses[number][name, reason] = count
    findings: dict[int, dict[tuple[Outcome, str], int]] = defaultdict(dict)
    for number, outcome, detail, count in connection.execute(
        _per_leg(finding, (finding.c.outcome, finding.c.detail, func.count()), 2, chosen)
    ):
        findings[number][Outcome(outcome), detail] = count
    omitted: dict[int, dict[str, int]] = defaultdict(dict)
    for number, reason, count in connection.execute(_omitted(chosen)):
        omitted[number][reason] = int(count)
    return [
        LegSummary(
            row.mailbox,
            row.wave,
            Phase(row.phase),
            row.id,
            Kind(row.workload),
            LegState(row.state),
            row.code,
            counts.get(row.id, {}),
            sizes.get(row.id, {}),
            losses.get(row.id, {}),
            findings.get(row.id, {}),
            omitted.get(row.id, {}),
            skips.get(row.id, {}),
            row.detail,
            row.withheld,
        )
        for row in connection.execute(_legs(chosen))
    ]


def _stands() -> ColumnElement[bool]:
    """True of a loss unless its folder is gone at the source, and with it the item that lost something."""
    there = and_(
        item.c.container == loss.c.container, item.c.key == loss.c.key, item.c.state != State.GONE.value
    )
    return or_(container.c.gone.is_(False), exists().where(there).correlate(loss))


def _omitted(chosen: ColumnElement[bool]) -> Select[Any]:
    columns = (leg.c.id, container.c.omit, func.coalesce(func.sum(container.c.total), 0))
    query = select(*columns).select_from(container.join(leg).join(mailbox)).where(chosen)
    query = query.where(container.c.omit.is_not(None), container.c.gone.is_(False))
    return query.group_by(leg.c.id, container.c.omit)


def _legs(chosen: ColumnElement[bool]) -> Select[Any]:
    columns = (
        leg.c.id,
        leg.c.mailbox,
        leg.c.workload,
        leg.c.state,
        leg.c.code,
        leg.c.detail,
        mailbox.c.wave,
        mailbox.c.phase,
        mailbox.c.withheld,
    )
    query = select(*columns).select_from(leg.join(mailbox)).where(chosen)
    return query.order_by(leg.c.mailbox, leg.c.workload)


def _per_leg(table: Any, columns: tuple[Any, ...], groups: int, chosen: ColumnElement[bool]) -> Select[Any]:
    """Select leg id, the group columns, then aggregates, over a table that belongs to containers."""
    source = table.join(container, container.c.id == table.c.container).join(leg).join(mailbox)
    query = select(leg.c.id, *columns).select_from(source).where(chosen)
    return query.group_by(leg.c.id, *columns[:groups])


def rejected(connection: Connection, wave: str | None, mailbox_id: str | None) -> Iterator[Rejection]:
    """Yield every item that needs a person, by mailbox and container."""
    width, depth = len(MAILBOX_COLUMNS), len(CONTAINER_COLUMNS)
    query = select(*MAILBOX_COLUMNS, *CONTAINER_COLUMNS, *ITEM_COLUMNS)
    query = query.select_from(item.join(container).join(leg).join(mailbox))
    query = query.where(in_wave(wave, mailbox_id), item.c.state == State.REJECTED.value)
    query = query.order_by(mailbox.c.id, container.c.id, item.c.id)
    for row in streamed(connection, query):
        values: Any = tuple(row)
        yield (
            mailbox_row(values[:width]),
            container_row(values[width : width + depth]),
            item_row(values[width + depth :]),
        )


def differing(connection: Connection, wave: str | None) -> Iterator[Differing]:
    """Yield everything that the newest verification found to be wrong, by mailbox and container."""
    width, depth = len(MAILBOX_COLUMNS), len(CONTAINER_COLUMNS)
    end = width + depth + len(ITEM_COLUMNS)
    columns = (finding.c.outcome, finding.c.key, finding.c.href, finding.c.detail)
    query = select(*MAILBOX_COLUMNS, *CONTAINER_COLUMNS, *ITEM_COLUMNS, *columns)
    same = and_(item.c.container == finding.c.container, item.c.key == finding.c.key)
    tables = finding.join(container, container.c.id == finding.c.container).join(leg).join(mailbox)
    query = query.select_from(tables.outerjoin(item, same))
    query = query.where(in_wave(wave), finding.c.outcome.in_([wrong.value for wrong in AMISS]))
    query = query.order_by(mailbox.c.id, container.c.id, finding.c.id)
    for row in streamed(connection, query):
        values: Any = tuple(row)
        differing_item = None if values[width + depth] is None else item_row(values[width + depth : end])
        outcome, key, href, detail = values[end:]
        yield (
            mailbox_row(values[:width]),
            container_row(values[width : width + depth]),
            differing_item,
            Finding(Outcome(outcome), key, href, detail),
        )


def lost(connection: Connection, wave: str | None, kinds: Collection[Kind]) -> Iterator[Lost]:
    """Yield every loss of these workloads, by mailbox, container and item."""
    width, depth = len(MAILBOX_COLUMNS), len(CONTAINER_COLUMNS)
    end = width + depth + len(ITEM_COLUMNS)
    query = select(*MAILBOX_COLUMNS, *CONTAINER_COLUMNS, *ITEM_COLUMNS, loss.c.field, loss.c.reason)
    same = and_(item.c.container == loss.c.container, item.c.key == loss.c.key)
    tables = loss.join(container, container.c.id == loss.c.container).join(leg).join(mailbox)
    query = query.select_from(tables.outerjoin(item, same))
    query = query.where(in_wave(wave), leg.c.workload.in_([kind.value for kind in kinds]), _stands())
    query = query.order_by(mailbox.c.id, container.c.id, loss.c.key, loss.c.field, loss.c.reason)
    for row in streamed(connection, query):
        values: Any = tuple(row)
        lossy_item = None if values[width + depth] is None else item_row(values[width + depth : end])
        place = container_row(values[width : width + depth])
        yield mailbox_row(values[:width]), place, lossy_item, Loss(*values[end:])


def losses(connection: Connection, leg_id: int) -> Iterator[tuple[int, bytes, Loss]]:
    """Yield (container, key, loss) of a leg."""
    query = select(loss.c.container, loss.c.key, loss.c.field, loss.c.reason)
    query = query.join(container).where(container.c.leg == leg_id).order_by(loss.c.container, loss.c.key)
    for number, key, name, reason in streamed(connection, query):
        yield number, key, Loss(name, reason)


def findings(connection: Connection, leg_id: int) -> Iterator[tuple[int, Finding]]:
    """Yield (container, finding) of a leg, in the order in which they were recorded."""
    query = select(finding.c.container, finding.c.outcome, finding.c.key, finding.c.href, finding.c.detail)
    query = query.join(container).where(container.c.leg == leg_id).order_by(finding.c.id)
    for number, outcome, key, href, detail in streamed(connection, query):
        yield number, Finding(Outcome(outcome), key, href, detail)
