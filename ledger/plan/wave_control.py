"""What people decide about a wave while it runs, and which of its mailboxes go first."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select, update

from ledger.db import audit_log
from ledger.db.engine import reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.schema import event, mailbox, wave
from ledger.db.upsert import upsert
from model.errors import Misconfigured

OVERRIDDEN = "window-overridden"
OUTSIDE = "outside-its-hours"


def set_paused(ledger: LedgerHandle, name: str, paused: bool, by: str, reason: str = "") -> bool:
    """Every run of the wave drains within seconds, on every machine; or may begin again. Recorded, unless it
    is so already: then False. Raises Misconfigured for a wave without a mailbox."""
    _refuse_unknown(ledger, name)
    with writing(ledger.engine) as connection:
        row = upsert(connection, wave).values(name=name, paused=False)
        connection.execute(row.on_conflict_do_nothing())
        changed = update(wave).where(wave.c.name == name, wave.c.paused.is_(not paused))
        if not connection.execute(changed.values(paused=paused)).rowcount:
            return False
        kind = "paused" if paused else "resumed"
        detail = {"by": by, "reason": reason} if reason else {"by": by}
        audit_log.append_event(connection, name, kind, detail, subject=f"wave:{name}")
    return True


def override(ledger: LedgerHandle, name: str, by: str) -> None:
    """Somebody lets the wave run outside of its hours; recorded. Raises Misconfigured for a wave without a
    mailbox."""
    _refuse_unknown(ledger, name)
    with writing(ledger.engine) as connection:
        audit_log.append_event(connection, name, OVERRIDDEN, {"by": by}, subject=f"wave:{name}")


def let_outside(ledger: LedgerHandle, name: str, by: str, what: str) -> None:
    """Somebody does one thing (a rollback, say) outside of the wave's hours, which nothing else may for it;
    recorded."""
    ledger.event(name, OUTSIDE, {"by": by, "what": what}, subject=f"wave:{name}")


def overridden(ledger: LedgerHandle, name: str) -> float | None:
    """When that was last said, in seconds since 1970 UTC."""
    query = select(func.max(event.c.at)).where(event.c.subject == f"wave:{name}", event.c.kind == OVERRIDDEN)
    with reading(ledger.engine) as connection:
        said: float | None = connection.execute(query).scalar()
    return said


def put_priorities(ledger: LedgerHandle, wanted: Mapping[str, int]) -> None:
    """By mailbox id; idempotent, and writes only what changes."""
    known = dict.fromkeys(wanted, 0) | priorities(ledger)
    changed: dict[int, list[str]] = {}
    for number, priority in wanted.items():
        if known[number] != priority:
            changed.setdefault(priority, []).append(number)
    if not changed:
        return
    with writing(ledger.engine) as connection:
        for priority, numbers in changed.items():
            for chunk in chunked(sorted(numbers)):
                statement = update(mailbox).where(mailbox.c.id.in_(chunk))
                connection.execute(statement.values(priority=priority))


def priorities(ledger: LedgerHandle, name: str | None = None) -> dict[str, int]:
    """By mailbox id, of a wave or of all; only those that are not 0."""
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
