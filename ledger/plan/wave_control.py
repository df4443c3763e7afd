"""Record what people decide about a running wave, and which of its mailboxes go first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select, update

from ledger.db import audit_log
from ledger.db.engine import reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.rows import LegState
from ledger.db.schema import event, leg, mailbox, wave
from ledger.db.upsert import upsert
from model.errors import Misconfigured

PAUSED = "paused"
"""The kind of the event, and the code of the workloads that heard of it."""

OVERRIDDEN = "window-overridden"
OUTSIDE = "outside-its-hours"


def set_paused(
    ledger: LedgerHandle, name: str, paused: bool, by: str, reason: str = "", through: str = ""
) -> bool:
    """Pause or resume a wave, with an event. Idempotent.

    A pause drains every run of the wave within seconds, on every machine. What waits for its next run is
    not called paused any more once the wave is resumed.

    Args:
        ledger: an open ledger.
        name: of the wave.
        paused: the new state.
        by: who did it.
        reason: for the event; "" leaves it out.
        through: where the name was typed, if anybody could type any name there; "" leaves it out.

    Returns:
        False if the wave was in this state already; then nothing was recorded.

    Raises:
        Misconfigured: the wave has no mailbox.
    """
    _refuse_unknown(ledger, name)
    with writing(ledger.engine) as connection:
        row = upsert(connection, wave).values(name=name, paused=False)
        connection.execute(row.on_conflict_do_nothing())
        changed = update(wave).where(wave.c.name == name, wave.c.paused.is_(not paused))
        if not connection.execute(changed.values(paused=paused)).rowcount:
            return False
        kind = PAUSED if paused else "resumed"
        if not paused:
            _forget_pause(connection, name)
        more = {"reason": reason, "through": through}
        detail = {"by": by} | {key: value for key, value in more.items() if value}
        audit_log.append_event(connection, name, kind, detail, subject=f"wave:{name}")
    return True


def paused_since(ledger: LedgerHandle, name: str) -> datetime | None:
    """Return when a person paused the wave; None if it is not paused."""
    paused = select(wave.c.paused).where(wave.c.name == name)
    with reading(ledger.engine) as connection:
        if not connection.execute(paused).scalar():
            return None
        found = audit_log.newest_event(connection, f"wave:{name}", PAUSED, name)
    return None if found is None else datetime.fromtimestamp(found.at, UTC)


def _forget_pause(connection: Connection, name: str) -> None:
    own = select(mailbox.c.id).where(mailbox.c.wave == name)
    waiting = update(leg).where(leg.c.mailbox.in_(own), leg.c.state == LegState.PENDING, leg.c.code == PAUSED)
    connection.execute(waiting.values(code=None))


def override(ledger: LedgerHandle, name: str, by: str) -> None:
    """Record that a person lets the wave run outside of its hours.

    Raises:
        Misconfigured: the wave has no mailbox.
    """
    _refuse_unknown(ledger, name)
    with writing(ledger.engine) as connection:
        audit_log.append_event(connection, name, OVERRIDDEN, {"by": by}, subject=f"wave:{name}")


def let_outside(ledger: LedgerHandle, name: str, by: str, what: str) -> None:
    """Record that a person does one thing (a rollback, say) outside of the wave's hours.

    This permits nothing else.
    """
    ledger.event(name, OUTSIDE, {"by": by, "what": what}, subject=f"wave:{name}")


def overridden(ledger: LedgerHandle, name: str) -> float | None:
    """Return when a person last let the wave run outside of its hours; None if nobody did.

    Returns:
        Seconds since 1970 UTC.
    """
    query = select(func.max(event.c.at)).where(event.c.subject == f"wave:{name}", event.c.kind == OVERRIDDEN)
    with reading(ledger.engine) as connection:
        moment: float | None = connection.execute(query).scalar()
    return moment


def put_priorities(ledger: LedgerHandle, by_mailbox: Mapping[str, int]) -> None:
    """Set priorities by mailbox id. Idempotent; it writes only what changes."""
    current = dict.fromkeys(by_mailbox, 0) | priorities(ledger)
    changed: dict[int, list[str]] = {}
    for number, priority in by_mailbox.items():
        if current[number] != priority:
            changed.setdefault(priority, []).append(number)
    if not changed:
        return
    with writing(ledger.engine) as connection:
        for priority, numbers in changed.items():
            for chunk in chunked(sorted(numbers)):
                statement = update(mailbox).where(mailbox.c.id.in_(chunk))
                connection.execute(statement.values(priority=priority))


def priorities(ledger: LedgerHandle, name: str | None = None) -> dict[str, int]:
    """Return priorities by mailbox id, except for those that are 0.

    Args:
        ledger: an open ledger.
        name: only this wave; None means all.
    """
    query = select(mailbox.c.id, mailbox.c.priority).where(mailbox.c.priority != 0)
    if name is not None:
        query = query.where(mailbox.c.wave == name)
    with reading(ledger.engine) as connection:
        return {row.id: row.priority for row in connection.execute(query)}


def _refuse_unknown(ledger: LedgerHandle, name: str) -> None:
    with reading(ledger.engine) as connection:
        query = select(mailbox.c.id).where(mailbox.c.wave == name).limit(1)
        if connection.execute(query).first() is None:
            raise Misconfigured("--wave", "has no mailbox in the ledger; `kogge migrate --dry-run` plans it")
