"""Accounts without an id of their own: two logins may open one, and it is told by what is in it.

What two logins of one account have in common (Identity.fingerprint) others may have as well, so it proves
nothing. It says who has to wait: of the legs that share one, each becomes the first to write into its account
only when what the one before wrote is there to be seen, or nothing of that one is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, exists, select, update

from ledger.db.engine import now
from ledger.db.rows import Lease, State
from ledger.db.schema import account, container, item, leg
from ledger.db.upsert import upsert


@dataclass(frozen=True, slots=True)
class Doubt:
    """The first items of another leg may be on their way into the same account. mailbox: the other one's.
    epoch: of the leg, by which one shows that was claimed since. at_work: a worker holds the leg. ended: the
    last one gave it back, so it sends nothing more, nor does one before it; else only its lease is over."""

    mailbox: str
    leg: int
    epoch: int
    at_work: bool
    ended: bool


def take(
    connection: Connection, lease: Lease, fingerprint: str, outwaited: Doubt | None = None
) -> bool | Doubt:
    """See LegLedger.take_account."""
    first = upsert(connection, account).values(fingerprint=fingerprint, leg=lease.leg)
    connection.execute(first.on_conflict_do_nothing())
    mine = account.c.fingerprint == fingerprint
    holder = connection.execute(select(account.c.leg).where(mine).with_for_update()).scalar_one()
    if holder == lease.leg:
        return False
    doubt = _doubt(connection, holder)
    if doubt is not None and (doubt.at_work or doubt != outwaited):
        return doubt
    connection.execute(update(account).where(mine).values(leg=lease.leg))
    other = connection.execute(select(leg.c.mailbox).where(leg.c.id == holder)).scalar_one()
    return bool(other != lease.mailbox)


def _doubt(connection: Connection, leg_id: int) -> Doubt | None:
    """None: something of the leg is known to be at the target, or nothing of it may be on its way. A worker
    that did not give it back may be about to begin: that its lease is over is a clock's word."""
    at_work = and_(leg.c.owner.is_not(None), leg.c.lease_until >= now())
    its = select(item.c.id).join(container).where(container.c.leg == leg_id)
    sent = exists(its.where(item.c.state == State.WRITING.value))
    arrived = exists(its.where(item.c.href.is_not(None)))
    flags = [case((one, 1), else_=0) for one in (at_work, sent, arrived)]
    row = connection.execute(
        select(leg.c.mailbox, leg.c.epoch, leg.c.owner, leg.c.unproven, *flags).where(leg.c.id == leg_id)
    ).one()
    mailbox, epoch, owner, unproven, works, has_sent, has_arrived = row
    if has_arrived or not (has_sent or owner is not None):
        return None
    return Doubt(mailbox, leg_id, epoch, at_work=bool(works), ended=owner is None and not unproven)
