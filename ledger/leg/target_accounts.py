"""Order the first writes into accounts without an id of their own.

Two logins may open one such account; only its content shows it. What two logins of one account have in common
(Identity.fingerprint) other accounts may have as well, so it proves nothing. It decides who has to wait: of
the legs that share a fingerprint, each becomes the first to write into its account only when the writes of
the leg before are visible, or when nothing of that leg is on its way.
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
    """State that the first items of another leg may be on their way into the same account.

    Attributes:
        mailbox: the other leg's mailbox.
        leg: the other leg.
        epoch: of the other leg; it shows a claim since then.
        at_work: True if a worker holds the other leg.
        ended: True if its last worker released the leg: neither that worker nor one before it sends anything
            more. False if only its lease is over.
    """

    mailbox: str
    leg: int
    epoch: int
    at_work: bool
    ended: bool


def take(
    connection: Connection, lease: Lease, fingerprint: str, outwaited: Doubt | None = None
) -> bool | Doubt:
    """Take an account for a leg; see LegLedger.take_account."""
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
    """Return a doubt about a leg; None if its writes are visible, or if none may be on its way.

    A worker that did not release the leg may be about to begin, because only a clock says that its lease is
    over.
    """
    at_work = and_(leg.c.owner.is_not(None), leg.c.lease_until >= now())
    its = select(item.c.id).join(container).where(container.c.leg == leg_id)
    sent = exists(its.where(item.c.state == State.WRITING.value))
    arrived = exists(its.where(item.c.href.is_not(None)))
    flags = [case((flag, 1), else_=0) for flag in (at_work, sent, arrived)]
    row = connection.execute(
        select(leg.c.mailbox, leg.c.epoch, leg.c.owner, leg.c.unproven, *flags).where(leg.c.id == leg_id)
    ).one()
    mailbox, epoch, owner, unproven, works, has_sent, has_arrived = row
    if has_arrived or not (has_sent or owner is not None):
        return None
    return Doubt(mailbox, leg_id, epoch, at_work=bool(works), ended=owner is None and not unproven)
