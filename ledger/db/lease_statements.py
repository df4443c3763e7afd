"""The statements with which legs are claimed, fenced and released.

They are made once: making one costs more than the database's answer to it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    String,
    UpdateBase,
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
from ledger.db.rows import ROLLED_BACK, ROLLING, LegState
from ledger.db.schema import leg, mailbox


def kept_rolling(code: str | None) -> ColumnElement[str | None] | str:
    """Return the new code of a leg, in an UPDATE: ROLLING stays until the rollback has ended."""
    return ROLLED_BACK if code == ROLLED_BACK else case((leg.c.code == ROLLING, ROLLING), else_=code)


def _before() -> Any:
    """Return the owner that had the unsettled items in hand.

    It is the owner that is taken over. As long as the grace after an earlier owner has not passed, it is that
    one.
    """
    return case((leg.c.unproven, func.coalesce(leg.c.before, leg.c.owner)), else_=leg.c.owner)


def _claiming(gone: ColumnElement[str] | None) -> UpdateBase:
    """Return the UPDATE of a claim.

    Args:
        gone: an owner that is known to be dead; any other owner's end is not proven: only its lease ended, by
            a clock.
    """
    free: list[ColumnElement[bool]] = [leg.c.owner.is_(None), leg.c.lease_until < now()]
    unproven: list[ColumnElement[bool]] = [leg.c.owner.is_not(None)]
    if gone is not None:
        free.append(leg.c.owner == gone)
        unproven.append(leg.c.owner != gone)
    # SKIP LOCKED (PostgreSQL only): who is being claimed or written right now is not free.
    chosen = select(leg.c.id).where(leg.c.id == bindparam("b_leg"), or_(*free))
    unlocked = chosen.with_for_update(skip_locked=True)
    return (
        update(leg)
        .where(leg.c.id.in_(unlocked.scalar_subquery()))
        .values(
            owner=bindparam("b_owner"),
            lease_until=now() + bindparam("b_ttl", type_=Float),
            epoch=leg.c.epoch + 1,
            took_over=or_(leg.c.owner.is_not(None), leg.c.unproven),
            before=_before(),
            unproven=or_(leg.c.unproven, and_(*unproven)),
            revision=bindparam("b_revision"),
            state=LegState.RUNNING.value,
            code=kept_rolling(None),
            detail=None,
            started=func.coalesce(leg.c.started, now()),
            finished=None,
            busy=leg.c.busy + held(),
            claimed=now(),
        )
        .returning(
            leg.c.mailbox,
            leg.c.workload,
            leg.c.epoch,
            leg.c.took_over,
            leg.c.unproven,
            leg.c.before,
            leg.c.started,
        )
    )


def held() -> ColumnElement[float]:
    """Return for how many seconds the leg's worker has held it.

    If a worker never released the leg, the time counts until its lease ended. 0 if nobody holds the leg.
    """
    end = case((leg.c.lease_until < now(), leg.c.lease_until), else_=now())
    seconds = case((leg.c.claimed < end, end - leg.c.claimed), else_=0.0)
    was_claimed = and_(leg.c.claimed.is_not(None), leg.c.lease_until.is_not(None))
    return case((was_claimed, seconds), else_=0.0)


_HELD = and_(
    leg.c.id == bindparam("b_leg"),
    leg.c.epoch == bindparam("b_epoch"),
    leg.c.owner == bindparam("b_worker"),
)
FENCE = select(mailbox.c.phase).select_from(leg.join(mailbox)).where(_HELD).with_for_update(of=leg)
"""Lock the leg, and return its mailbox's phase: every transaction of every worker begins with it."""

CLAIM = _claiming(None)
TAKE_OVER = _claiming(bindparam("b_gone", type_=String))
OWNER = select(leg.c.owner).where(leg.c.id == bindparam("b_leg"))
PHASE = select(mailbox.c.phase).where(mailbox.c.id == bindparam("b_mailbox"))
MINE = and_(_HELD, exists().where(mailbox.c.id == leg.c.mailbox, mailbox.c.phase == bindparam("b_phase")))
"""True while nobody claimed the leg after a lease, and its mailbox is in the same phase."""
OUTWAITED = update(leg).where(MINE).values(unproven=False)
RENEW = update(leg).where(MINE).values(lease_until=now() + bindparam("b_ttl", type_=Float))
RELEASE = (
    update(leg)
    .where(MINE)
    .values(
        owner=None,
        lease_until=None,
        revision=None,
        state=bindparam("b_state"),
        code=case(
            (and_(leg.c.code == ROLLING, bindparam("b_stays", type_=Boolean)), ROLLING),
            else_=bindparam("b_code", type_=String),
        ),
        detail=bindparam("b_detail"),
        finished=now(),
        busy=leg.c.busy + func.coalesce(now() - leg.c.claimed, 0.0),
        claimed=None,
        **{name: bindparam(f"b_{name}") for name in fates.TOTALS},
    )
)
