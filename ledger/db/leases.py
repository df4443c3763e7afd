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
    case,
    select,
    update,
)

from ledger.db import fates
from ledger.db.fates import AT_TARGET as AT_TARGET
from ledger.db.fates import SETTLED as SETTLED
from ledger.db.incidents import allow_rewrites
from ledger.db.lease_statements import (
    CLAIM,
    FENCE,
    OUTWAITED,
    OWNER,
    PHASE,
    RELEASE,
    RENEW,
    TAKE_OVER,
    kept_rolling,
)
from ledger.db.postgresql import within
from ledger.db.rows import ROLLED_BACK, Lease, LegState, Phase, State
from ledger.db.schema import container, item, leg, mailbox
from model.errors import LeaseLost
from model.kinds import Kind

PHASE_CHANGED = "phase-changed"
"""The code of a lease that was claimed in another phase than the mailbox is in now."""


def owner_of(connection: Connection, leg_id: int) -> str | None:
    """Return the owner of a leg's lease; None if nobody holds the leg, or if there is no such leg."""
    owner: str | None = connection.execute(OWNER, {"b_leg": leg_id}).scalar_one_or_none()
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
    values = {"b_leg": leg_id, "b_owner": owner, "b_ttl": ttl, "b_revision": revision}
    if gone is None:
        row = connection.execute(CLAIM, values).one_or_none()
    else:
        row = connection.execute(TAKE_OVER, {**values, "b_gone": gone}).one_or_none()
    if row is None:
        return None
    phase = connection.execute(PHASE, {"b_mailbox": row.mailbox}).scalar_one()
    kind = Kind(row.workload)
    whose = (leg_id, row.mailbox, kind, owner, row.epoch, row.took_over, Phase(phase))
    return Lease(*whose, unproven=row.unproven, before=row.before, started=row.started)


def _holder(lease: Lease) -> dict[str, Any]:
    """Return the values that FENCE takes from a lease."""
    return {"b_leg": lease.leg, "b_epoch": lease.epoch, "b_worker": lease.owner}


def terms(lease: Lease) -> dict[str, Any]:
    """Return the values that MINE takes from a lease."""
    return {**_holder(lease), "b_phase": lease.phase.value}


def fence(connection: Connection, lease: Lease) -> None:
    """Lock the leg for the rest of the transaction.

    Raises:
        LeaseLost: "lease-lost" if another worker took the workload over; "phase-changed" if the mailbox is in
            another phase.
    """
    phase = connection.execute(FENCE, _holder(lease)).scalar_one_or_none()
    if phase is None:
        raise LeaseLost("lease-lost", "another worker took the workload over")
    if phase != lease.phase.value:
        raise LeaseLost(PHASE_CHANGED, "the mailbox is in another phase since the workload was claimed")


def renew(connection: Connection, lease: Lease, ttl: float) -> bool:
    """Set the end of a lease to `ttl` seconds from now; return False if the lease is lost.

    On PostgreSQL the statement is given up after a third of `ttl`: a server that answers later than the next
    renewal has not renewed the lease.
    """
    with within(connection, ttl / 3):
        return connection.execute(RENEW, {**terms(lease), "b_ttl": ttl}).rowcount == 1


def outwaited(connection: Connection, lease: Lease) -> bool:
    """Record that no previous owner of the leg can write any more; return False if the lease is lost."""
    return connection.execute(OUTWAITED, terms(lease)).rowcount == 1


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
    totals = {f"b_{name}": value for name, value in fates.count(connection, lease.leg).items()}
    why = {"b_state": state.value, "b_code": code, "b_stays": code != ROLLED_BACK, "b_detail": detail}
    return connection.execute(RELEASE, {**terms(lease), **why, **totals}).rowcount == 1


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
