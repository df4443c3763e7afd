"""Put in order what dead workers leave behind in the ledger. Nothing here decides about an item."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, select, update

from ledger.db.audit_log import append_event
from ledger.db.engine import now, writing
from ledger.db.rows import LegState
from ledger.db.schema import health, leg, mailbox
from ledger.store import Ledger

EXPIRED = "lease-expired"
"""The event of a wave: its legs whose lease is not renewed any more wait for a worker again."""

_DEAD = (leg.c.state == LegState.RUNNING.value, leg.c.lease_until < now())


def requeue_expired(ledger: Ledger) -> dict[str, int]:
    """Set legs whose worker's lease has ended from running to pending. Idempotent.

    Their owner and epoch stay: the next worker must know that it takes over, and what may still arrive.

    Returns:
        How many legs, by wave.
    """
    query = select(leg.c.id, mailbox.c.wave).join(mailbox).where(*_DEAD).order_by(leg.c.id)
    counts: Counter[str] = Counter()
    with writing(ledger.engine) as connection:
        for number, wave in connection.execute(query.with_for_update(of=leg, skip_locked=True)).all():
            again = update(leg).where(leg.c.id == number, *_DEAD).values(state=LegState.PENDING.value)
            counts[wave] += connection.execute(again).rowcount
        for wave, legs in sorted(counts.items()):
            append_event(connection, wave, EXPIRED, {"legs": legs})
    return dict(counts)


def forget_health(ledger: Ledger, seconds: float) -> int:
    """Delete what workers knew of the servers if they reported nothing for so many seconds.

    Returns:
        How many rows.
    """
    with writing(ledger.engine) as connection:
        return connection.execute(delete(health).where(health.c.at < now() - seconds)).rowcount
