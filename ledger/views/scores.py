"""Count what a mailbox's score is made of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, not_, select, tuple_

from ledger.db.audit_log import newest_detail
from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.rows import PARTLY, SCORE_LOW, LegState, State
from ledger.db.schema import container, item, leg, loss
from model.kinds import Kind

ARRIVED = (State.VERIFIED, State.WRITTEN)
UNCOUNTED = (State.GONE, State.SKIPPED)
"""The states of items that are not to arrive."""

_SAME = and_(item.c.container == loss.c.container, item.c.key == loss.c.key)
_LOST = loss.join(item, _SAME).join(container, container.c.id == loss.c.container).join(leg)
_HAS_ARRIVED = item.c.state.in_([one.value for one in ARRIVED])
_UNLIKE_VERIFIED = leg.c.state != LegState.VERIFIED.value
_PARTLY = leg.c.code.in_(PARTLY)


@dataclass(slots=True)
class ScoreCounts:
    """Count the items of one workload.

    Attributes:
        states: items by state.
        lost: items that arrived and lost something, by the rank of their gravest loss.
    """

    states: Counter[State] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Counts:
    """Count the items of one mailbox.

    Attributes:
        parts: by workload.
        verified: True if every workload is verified by its newest pass or look, and was read back, not only
            counted or read in part.
    """

    parts: defaultdict[Kind, ScoreCounts] = field(default_factory=lambda: defaultdict(ScoreCounts))
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """Count the items of a workload that were to arrive and are in this state.

    Attributes:
        workload: their kind.
        state: their state.
        code: why; None if the state says all.
        items: how many.
    """

    workload: Kind
    state: State
    code: str | None
    items: int


@dataclass(frozen=True, slots=True)
class Lacking:
    """Count the items of a workload that arrived, and lost this."""

    workload: Kind
    field: str
    reason: str
    items: int


def counts_of(
    ledger: LedgerHandle, mailbox_ids: Iterable[str], lighter: Sequence[Collection[tuple[str, str]]]
) -> dict[str, Counts]:
    """Return the counts by mailbox. An item counts once, whatever it lost.

    Args:
        ledger: an open ledger.
        mailbox_ids: the mailboxes.
        lighter: classes of losses (field, reason), the lightest first; their places are their ranks. A loss
            in none of them ranks above them all.
    """
    states = select(leg.c.mailbox, leg.c.workload, item.c.state, func.count())
    states = states.select_from(item.join(container).join(leg))
    states = states.group_by(leg.c.mailbox, leg.c.workload, item.c.state)
    fully_verified = select(leg.c.mailbox).group_by(leg.c.mailbox)
    fully_verified = fully_verified.having(_none(_UNLIKE_VERIFIED), _none(_PARTLY))
    wanted = sorted(set(mailbox_ids))
    counts = {number: Counts() for number in wanted}
    with reading(ledger.engine) as connection:
        for chunk in chunked(wanted):
            theirs = leg.c.mailbox.in_(chunk)
            for number, kind, state, count in connection.execute(states.where(theirs)):
                counts[number].parts[Kind(kind)].states[State(state)] = count
            for number, kind, rank, count in connection.execute(_lost(chunk, lighter)):
                counts[number].parts[Kind(kind)].lost[int(rank)] = count
            for (number,) in connection.execute(fully_verified.where(theirs)):
                counts[number].verified = True
    return counts


def partly_verified(ledger: LedgerHandle, mailbox_ids: Iterable[str]) -> set[str]:
    """Return the mailboxes of which every workload is verified, but one of them was not read back."""
    query = select(leg.c.mailbox).group_by(leg.c.mailbox)
    query = query.having(_none(_UNLIKE_VERIFIED), not_(_none(_PARTLY)))
    with reading(ledger.engine) as connection:
        queries = (query.where(leg.c.mailbox.in_(chunk)) for chunk in chunked(sorted(set(mailbox_ids))))
        return {number for chunk_query in queries for number in connection.scalars(chunk_query)}


def _none(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that no leg of a mailbox meets a condition.

    A leg for which it is NULL does not meet it.
    """
    return func.sum(case((condition, 1), else_=0)) == 0


def _lost(chunk: Sequence[str], lighter: Sequence[Collection[tuple[str, str]]]) -> Select[Any]:
    pair = tuple_(loss.c.field, loss.c.reason)
    ranks = [(pair.in_(sorted(pairs)), rank) for rank, pairs in enumerate(lighter)]
    gravest = func.max(case(*ranks, else_=len(lighter))).label("gravest")
    each = select(leg.c.mailbox, leg.c.workload, gravest).select_from(_LOST)
    each = each.where(leg.c.mailbox.in_(chunk), _HAS_ARRIVED)
    items = each.group_by(leg.c.mailbox, leg.c.workload, loss.c.container, loss.c.key).subquery()
    columns = (items.c.mailbox, items.c.workload, items.c.gravest)
    return select(*columns, func.count()).group_by(*columns)


def absent_of(ledger: LedgerHandle, mailbox_ids: Iterable[str]) -> dict[str, list[Absent]]:
    """Return what did not arrive, by mailbox; mailboxes that lack nothing are left out."""
    columns = (leg.c.mailbox, leg.c.workload, item.c.state, item.c.code)
    query = select(*columns, func.count()).select_from(item.join(container).join(leg))
    query = query.where(item.c.state.not_in([counted.value for counted in (*ARRIVED, *UNCOUNTED)]))
    absent: defaultdict[str, list[Absent]] = defaultdict(list)
    for number, kind, state, code, count in _grouped(ledger, mailbox_ids, query, columns):
        absent[number].append(Absent(Kind(kind), State(state), code, count))
    return dict(absent)


def lacking_of(ledger: LedgerHandle, mailbox_ids: Iterable[str]) -> dict[str, list[Lacking]]:
    """Return what items that arrived have lost, by mailbox; mailboxes that lost nothing are left out."""
    columns = (leg.c.mailbox, leg.c.workload, loss.c.field, loss.c.reason)
    query = select(*columns, func.count()).select_from(_LOST).where(_HAS_ARRIVED)
    lacking: defaultdict[str, list[Lacking]] = defaultdict(list)
    for number, kind, name, reason, count in _grouped(ledger, mailbox_ids, query, columns):
        lacking[number].append(Lacking(Kind(kind), name, reason, count))
    return dict(lacking)


def _grouped(
    ledger: LedgerHandle, mailbox_ids: Iterable[str], query: Select[Any], columns: Sequence[Any]
) -> list[Any]:
    grouped = query.group_by(*columns).order_by(*columns)
    with reading(ledger.engine) as connection:
        return [
            row
            for chunk in chunked(sorted(set(mailbox_ids)))
            for row in connection.execute(grouped.where(leg.c.mailbox.in_(chunk)))
        ]


def approved_numbers(ledger: LedgerHandle, mailbox_id: str) -> dict[str, int]:
    """Return the numbers that the newest approval of this mailbox's low score was about.

    Returns:
        {} if there is no approval, or if it states none.
    """
    with reading(ledger.engine) as connection:
        detail = newest_detail(connection, mailbox_id, f"approved:{SCORE_LOW}") or {}
    return {name: count for name, count in detail.items() if isinstance(count, int)}
