"""What a mailbox's score is made of."""

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
from model.protocols import Kind

ARRIVED = (State.VERIFIED, State.WRITTEN)
UNCOUNTED = (State.GONE, State.SKIPPED)
"""Not to arrive."""

_SAME = and_(item.c.container == loss.c.container, item.c.key == loss.c.key)
_LOST = loss.join(item, _SAME).join(container, container.c.id == loss.c.container).join(leg)
_HAS_ARRIVED = item.c.state.in_([one.value for one in ARRIVED])
_UNLIKE_VERIFIED = leg.c.state != LegState.VERIFIED.value
_PARTLY = leg.c.code.in_(PARTLY)


@dataclass(slots=True)
class ScoreCounts:
    """Of one workload. lost: items that arrived and lost something, by the rank of the gravest."""

    states: Counter[State] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Counts:
    """Of one mailbox. verified: every workload, by its newest pass or look; read back, not only counted or
    in part."""

    parts: defaultdict[Kind, ScoreCounts] = field(default_factory=lambda: defaultdict(ScoreCounts))
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """Items of a workload that were to arrive and are in this state. code: why, or None."""

    workload: Kind
    state: State
    code: str | None
    items: int


@dataclass(frozen=True, slots=True)
class Lacking:
    """Items of a workload that arrived, and lost this."""

    workload: Kind
    field: str
    reason: str
    items: int


def counts_of(
    ledger: LedgerHandle, mailbox_ids: Iterable[str], lighter: Sequence[Collection[tuple[str, str]]]
) -> dict[str, Counts]:
    """By mailbox. lighter: classes of losses (field, reason), the lightest first, whose places are their
    ranks; what stands in none of them ranks above them all. An item counts once, whatever it lost."""
    states = select(leg.c.mailbox, leg.c.workload, item.c.state, func.count())
    states = states.select_from(item.join(container).join(leg))
    states = states.group_by(leg.c.mailbox, leg.c.workload, item.c.state)
    looked = select(leg.c.mailbox).group_by(leg.c.mailbox)
    looked = looked.having(_none(_UNLIKE_VERIFIED), _none(_PARTLY))
    wanted = sorted(set(mailbox_ids))
    found = {number: Counts() for number in wanted}
    with reading(ledger.engine) as connection:
        for chunk in chunked(wanted):
            theirs = leg.c.mailbox.in_(chunk)
            for number, kind, state, count in connection.execute(states.where(theirs)):
                found[number].parts[Kind(kind)].states[State(state)] = count
            for number, kind, rank, count in connection.execute(_lost(chunk, lighter)):
                found[number].parts[Kind(kind)].lost[int(rank)] = count
            for (number,) in connection.execute(looked.where(theirs)):
                found[number].verified = True
    return found


def partly_verified(ledger: LedgerHandle, mailbox_ids: Iterable[str]) -> set[str]:
    """Those of these mailboxes of which every workload is verified, and one of them not read back."""
    query = select(leg.c.mailbox).group_by(leg.c.mailbox)
    query = query.having(_none(_UNLIKE_VERIFIED), not_(_none(_PARTLY)))
    with reading(ledger.engine) as connection:
        queries = (query.where(leg.c.mailbox.in_(some)) for some in chunked(sorted(set(mailbox_ids))))
        return {number for one in queries for number in connection.scalars(one)}


def _none(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """No leg of a mailbox is so; one of which it is not known is not."""
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
    """What did not arrive, by mailbox; those that lack nothing are left out."""
    columns = (leg.c.mailbox, leg.c.workload, item.c.state, item.c.code)
    query = select(*columns, func.count()).select_from(item.join(container).join(leg))
    query = query.where(item.c.state.not_in([one.value for one in (*ARRIVED, *UNCOUNTED)]))
    found: defaultdict[str, list[Absent]] = defaultdict(list)
    for number, kind, state, code, count in _grouped(ledger, mailbox_ids, query, columns):
        found[number].append(Absent(Kind(kind), State(state), code, count))
    return dict(found)


def lacking_of(ledger: LedgerHandle, mailbox_ids: Iterable[str]) -> dict[str, list[Lacking]]:
    """What was lost by items that arrived, by mailbox; those that lost nothing are left out."""
    columns = (leg.c.mailbox, leg.c.workload, loss.c.field, loss.c.reason)
    query = select(*columns, func.count()).select_from(_LOST).where(_HAS_ARRIVED)
    found: defaultdict[str, list[Lacking]] = defaultdict(list)
    for number, kind, name, reason, count in _grouped(ledger, mailbox_ids, query, columns):
        found[number].append(Lacking(Kind(kind), name, reason, count))
    return dict(found)


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
    """What the newest approval of this mailbox's low score was about; {} where there is none, or it does not
    say."""
    with reading(ledger.engine) as connection:
        detail = newest_detail(connection, mailbox_id, f"approved:{SCORE_LOW}") or {}
    return {name: count for name, count in detail.items() if isinstance(count, int)}
