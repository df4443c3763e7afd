"""Claim and fence legs: who may work on a leg, and until when.

Time is the database's clock, never the worker's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from ledger.db import fates
from ledger.db.engine import now
from ledger.db.fates import AT_TARGET as AT_TARGET
from ledger.db.fates import SETTLED as SETTLED
from ledger.db.incidents import allow_rewrites
from ledger.db.postgresql import within
from ledger.db.rows import Lease, LegState, Phase, State
from ledger.db.schema import container, item, leg, mailbox
from model.errors import LeaseLost
from model.protocols import Kind

PHASE_CHANGED = "phase-changed"
"""The code of a lease that was claimed in another phase than the mailbox is in now."""
ROLLING = "rolling-back"
"""The code of a leg whose rollback was begun and has not ended. It stays until the rollback ends, or until a
person sets the leg back: the next pass would fill again what is half emptied."""
ROLLED_BACK = "rolled-back"
"""The code of a leg of which nothing of ours is left, except for what somebody changed."""


def owner_of(connection: Connection, leg_id: int) -> str | None:
    """Return the owner of a leg's lease; None if nobody holds the leg, or if there is no such leg."""
    owner: str | None = connection.execute(select(leg.c.owner).where(leg.c.id == leg_id)).scalar_one_or_none()
    return owner


def claim(
    connection: Connection, leg_id: int, owner: str, ttl: float, gone: str | None, revision: str
) -> Lease | None:
    """Claim a leg with one UPDATE.

    The lease is of the phase that the mailbox is in. The phase is read once the leg is locked, so it stays
    from then on.

    Args:
        connection: in a write transaction.
        leg_id: the leg.
        owner: the name of the worker that claims it.
        ttl: seconds until the lease ends, if it is not renewed.
        gone: an owner that is known to be dead. The UPDATE demands that it still holds the leg. None if no
            owner is known to be dead.
        revision: of the schema that this program knows.

    Returns:
        The lease; None if another worker holds the leg, or if the leg is being claimed or written right now.
    """
    free = [leg.c.owner.is_(None), leg.c.lease_until < now()]
    if gone is not None:
        free.append(leg.c.owner == gone)
    # SKIP LOCKED (PostgreSQL only): who is being claimed or written right now is not free.
    unlocked = select(leg.c.id).where(leg.c.id == leg_id, or_(*free)).with_for_update(skip_locked=True)
    statement = (
        update(leg)
        .where(leg.c.id.in_(unlocked.scalar_subquery()))
        .values(
            owner=owner,
            lease_until=now() + ttl,
            epoch=leg.c.epoch + 1,
            took_over=or_(leg.c.owner.is_not(None), leg.c.unproven),
            before=_before(),
            unproven=or_(leg.c.unproven, _is_unproven(gone)),
            revision=revision,
            state=LegState.RUNNING.value,
            code=kept_rolling(None),
            detail=None,
            started=func.coalesce(leg.c.started, now()),
            finished=None,
            busy=leg.c.busy + held(),
            claimed=now(),
        )
        .returning(leg.c.mailbox, leg.c.workload, leg.c.epoch, leg.c.took_over, leg.c.unproven, leg.c.before)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    phase = connection.execute(select(mailbox.c.phase).where(mailbox.c.id == row.mailbox)).scalar_one()
    kind = Kind(row.workload)
    whose = (leg_id, row.mailbox, kind, owner, row.epoch, row.took_over, Phase(phase))
    return Lease(*whose, unproven=row.unproven, before=row.before)


def _before() -> Any:
    """Return the owner that had the unsettled items in hand.

    It is the owner that is taken over. As long as the grace after an earlier owner has not passed, it is that
    one.
    """
    return case((leg.c.unproven, func.coalesce(leg.c.before, leg.c.owner)), else_=leg.c.owner)


def _is_unproven(gone: str | None) -> ColumnElement[bool]:
    """Return the condition that an owner's end is not proven: only its lease ended, by a clock."""
    if gone is None:
        return leg.c.owner.is_not(None)
    return and_(leg.c.owner.is_not(None), leg.c.owner != gone)


def held() -> ColumnElement[float]:
    """Return for how many seconds the leg's worker has held it.

    If a worker never released the leg, the time counts until its lease ended. 0 if nobody holds the leg.
    """
    end = case((leg.c.lease_until < now(), leg.c.lease_until), else_=now())
    seconds = case((leg.c.claimed < end, end - leg.c.claimed), else_=0.0)
    was_claimed = and_(leg.c.claimed.is_not(None), leg.c.lease_until.is_not(None))
    return case((was_claimed, seconds), else_=0.0)


def mine(lease: Lease) -> ColumnElement[bool]:
    """Return the condition of the fence.

    It is true while nobody claimed the leg after this lease, and its mailbox is in the same phase.
    """
    same = exists().where(mailbox.c.id == leg.c.mailbox, mailbox.c.phase == lease.phase.value)
    return and_(leg.c.id == lease.leg, leg.c.epoch == lease.epoch, leg.c.owner == lease.owner, same)


_HELD = and_(
    leg.c.id == bindparam("leg"), leg.c.epoch == bindparam("epoch"), leg.c.owner == bindparam("owner")
)
_FENCE = select(mailbox.c.phase).select_from(leg.join(mailbox)).where(_HELD).with_for_update(of=leg)
"""The statement of mine(), made once: every transaction of every worker begins with it."""


def fence(connection: Connection, lease: Lease) -> None:
    """Lock the leg for the rest of the transaction.

    Raises:
        LeaseLost: "lease-lost" if another worker took the workload over; "phase-changed" if the mailbox is in
            another phase.
    """
    held = {"leg": lease.leg, "epoch": lease.epoch, "owner": lease.owner}
    phase = connection.execute(_FENCE, held).scalar_one_or_none()
    if phase is None:
        raise LeaseLost("lease-lost", "another worker took the workload over")
    if phase != lease.phase.value:
        raise LeaseLost(PHASE_CHANGED, "the mailbox is in another phase since the workload was claimed")


def renew(connection: Connection, lease: Lease, ttl: float) -> bool:
    """Set the end of a lease to `ttl` seconds from now; return False if the lease is lost.

    On PostgreSQL the statement is given up after a third of `ttl`: a server that answers later than the next
    renewal has not renewed the lease.
    """
    statement = update(leg).where(mine(lease)).values(lease_until=now() + ttl)
    with within(connection, ttl / 3):
        return connection.execute(statement).rowcount == 1


def outwaited(connection: Connection, lease: Lease) -> bool:
    """Record that no previous owner of the leg can write any more; return False if the lease is lost."""
    return connection.execute(update(leg).where(mine(lease)).values(unproven=False)).rowcount == 1


def release(
    connection: Connection, lease: Lease, state: LegState, code: str | None, detail: str | None = None
) -> bool:
    """Give the leg back with its totals counted anew; return False if the lease is lost.

    Args:
        connection: in a write transaction.
        lease: the worker's own.
        state: the leg's new state.
        code: why; None if the state says all. A leg that is ROLLING stays so, whatever ended this run.
        detail: what is known beside the code (model.errors.MigrationError).
    """
    totals = fates.count(connection, lease.leg)
    values = {
        "owner": None,
        "lease_until": None,
        "revision": None,
        "state": state.value,
        "code": kept_rolling(code),
        "detail": detail,
        "finished": now(),
        "busy": leg.c.busy + func.coalesce(now() - leg.c.claimed, 0.0),
        "claimed": None,
        **totals,
    }
    return connection.execute(update(leg).where(mine(lease)).values(values)).rowcount == 1


def block(
    connection: Connection,
    leg_id: int,
    code: str,
    state: LegState = LegState.BLOCKED,
    detail: str | None = None,
) -> bool:
    """Set the state of a leg that nobody holds; return False if a worker holds it.

    Args:
        connection: in a write transaction.
        leg_id: the leg.
        code: why. A leg that is ROLLING stays so.
        state: the new state.
        detail: what is known beside the code (model.errors.MigrationError).
    """
    statement = update(leg).where(leg.c.id == leg_id, leg.c.owner.is_(None))
    return (
        connection.execute(
            statement.values(state=state.value, code=kept_rolling(code), detail=detail)
        ).rowcount
        == 1
    )


def kept_rolling(code: str | None) -> ColumnElement[str | None] | str:
    """Return the new code of a leg, in an UPDATE: ROLLING stays until the rollback has ended."""
    return ROLLED_BACK if code == ROLLED_BACK else case((leg.c.code == ROLLING, ROLLING), else_=code)


def requeue(
    connection: Connection, legs: ColumnElement[bool], states: Collection[LegState], rejected: bool
) -> int:
    """Set legs that nobody holds back to pending; return how many. See Ledger.requeue.

    Legs of a withheld mailbox stay as they are.

    Args:
        connection: in a write transaction.
        legs: a condition on the tables leg and mailbox.
        states: only legs in these states.
        rejected: True to try rejected items again.
    """
    chosen = and_(
        legs,
        leg.c.owner.is_(None),
        mailbox.c.withheld.is_(None),
        leg.c.state.in_([state.value for state in states]),
    )
    numbers = list(
        connection.scalars(
            select(leg.c.id).join(mailbox).where(chosen).order_by(leg.c.id).with_for_update(of=leg)
        )
    )
    for number in numbers:
        open_again = _retry_rejected(connection, number) if rejected else 0
        values: dict[str, Any] = {"state": LegState.PENDING.value, "code": None, "detail": None}
        values["finished"] = None
        allow_rewrites(connection, number)
        if open_again:
            values |= {"done": leg.c.done - open_again, **fates.without_rejected(connection, number)}
        connection.execute(update(leg).where(leg.c.id == number).values(values))
    return len(numbers)


def _retry_rejected(connection: Connection, leg_id: int) -> int:
    """Set a leg's rejected items back to open; return how many."""
    containers = select(container.c.id).where(container.c.leg == leg_id)
    again = case((item.c.href.is_(None), State.SEEN.value), else_=State.CHANGED.value)
    statement = update(item).where(item.c.container.in_(containers), item.c.state == State.REJECTED.value)
    return connection.execute(statement.values(state=again, attempts=0, code=None)).rowcount
