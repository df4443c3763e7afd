"""What died workers leave behind in the ledger, put in order. Nothing here decides about an item."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, select, update

from ledger.db.audit_log import append_event
from ledger.db.engine import now, writing
from ledger.db.rows import LegState
from ledger.db.schema import health, leg, mailbox
from ledger.store import Ledger

EXPIRED = "lease-expired"
"""The event of a wave: its legs nobody renews any more wait for a worker again."""

_DEAD = (leg.c.state == LegState.RUNNING.value, leg.c.lease_until < now())


def requeue_expired(ledger: Ledger) -> dict[str, int]:
    """Legs that run by the ledger, but whose worker's lease has ended, are PENDING; by wave, how many. Their
    owner and epoch stay: who claims one next must know that it takes over, and what may still arrive."""
    query = select(leg.c.id, mailbox.c.wave).join(mailbox).where(*_DEAD).order_by(leg.c.id)
    found: Counter[str] = Counter()
    with writing(ledger.engine) as connection:
        for number, wave in connection.execute(query.with_for_update(of=leg, skip_locked=True)).all():
            again = update(leg).where(leg.c.id == number, *_DEAD).values(state=LegState.PENDING.value)
            found[wave] += connection.execute(again).rowcount
        for wave, legs in sorted(found.items()):
            append_event(connection, wave, EXPIRED, {"legs": legs})
    return dict(found)


def forget_health(ledger: Ledger, seconds: float) -> int:
    """What workers that have not told anything for so long knew of the servers goes; how many rows."""
    with writing(ledger.engine) as connection:
        return connection.execute(delete(health).where(health.c.at < now() - seconds)).rowcount
