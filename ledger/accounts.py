"""Accounts without an id of their own: two logins may open one, and it is told by what is in it.

What two logins of one account have in common (Identity.fingerprint) others may have as well, so it proves
nothing. It says who has to wait: of the legs that share one, each becomes the first to write into its account
only when what the one before wrote is there to be seen, or nothing of that one is on its way.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, case, exists, or_, select, update

from connectors.errors import Transient
from ledger.database import now
from ledger.rows import Lease, State
from ledger.schema import account, container, item, leg
from ledger.upsert import upsert


def take(connection: Connection, lease: Lease, fingerprint: str) -> bool:
    """See LegLedger.take_account."""
    first = upsert(connection, account).values(fingerprint=fingerprint, leg=lease.leg)
    connection.execute(first.on_conflict_do_nothing())
    mine = account.c.fingerprint == fingerprint
    holder = connection.execute(select(account.c.leg).where(mine).with_for_update()).scalar_one()
    if holder == lease.leg:
        return False
    if _in_doubt(connection, holder):
        raise Transient("account-in-doubt", "another mailbox may be about to write into the same account")
    connection.execute(update(account).where(mine).values(leg=lease.leg))
    other = connection.execute(select(leg.c.mailbox).where(leg.c.id == holder)).scalar_one()
    return bool(other != lease.mailbox)


def _in_doubt(connection: Connection, leg_id: int) -> bool:
    """Whether something of a leg may be on its way, and nothing of it is known to be at the target."""
    at_work = exists().where(leg.c.id == leg_id, leg.c.owner.is_not(None), leg.c.lease_until >= now())
    its = select(item.c.id).join(container).where(container.c.leg == leg_id)
    sent = exists(its.where(item.c.state == State.WRITING.value))
    arrived = exists(its.where(item.c.href.is_not(None)))
    doubt = case((and_(or_(at_work, sent), ~arrived), 1), else_=0)
    return bool(connection.execute(select(doubt)).scalar_one())
