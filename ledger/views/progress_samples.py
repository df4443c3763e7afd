"""Record how far a wave was in each minute of its runs, and how fast the servers let it go.

A report draws these samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.rows import LegState
from ledger.db.schema import health, leg, mailbox, pulse
from ledger.db.upsert import upsert
from ledger.views.server_health import FRESH_SECONDS

MINUTE = 60
STEPS = (60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 28 * 86_400)
"""Seconds that one beat may stand for."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Describe a wave at the end of a stretch of time.

    Attributes:
        at: where the stretch begins, in seconds since 1970 UTC.
        seconds: how long it is.
        mailboxes: verified ones.
        items: known.
        done: with a fate.
        copied: items ever written.
        copied_bytes: bytes ever written.
        legs: at work.
        source: the least pace of any source in it (1: full speed, 0: halted); None if no worker reported one.
        target: the least pace of any target in it, as `source`.
        worked: in how many of its seconds a run was at work.
    """

    at: int
    seconds: int
    mailboxes: int
    items: int
    done: int
    copied: int
    copied_bytes: int
    legs: int
    source: float | None
    target: float | None
    worked: int = MINUTE


def record(ledger: LedgerHandle, wave: str) -> None:
    """Record the present minute, by the database's clock. Idempotent.

    If it is recorded again within the minute, the newest counts hold, and the least pace. A wave without
    mailboxes has no samples.
    """
    legs = func.sum(case((leg.c.state == LegState.RUNNING.value, 1), else_=0))
    names = ("items", "done", "copied", "copied_bytes")
    sums = [func.coalesce(func.sum(leg.c[name]), 0) for name in names]
    query = select(func.count(), legs, *sums).select_from(leg.join(mailbox)).where(mailbox.c.wave == wave)
    with writing(ledger.engine) as connection:
        count, working, *totals = connection.execute(query).one()
        if not count:
            return
        minute = int(connection.execute(select(now())).scalar_one()) // MINUTE * MINUTE
        source, target = _paces(connection)
        counts = {"mailboxes": _verified(connection, wave), "legs": int(working)}
        counts |= dict(zip(names, map(int, totals), strict=True))
        statement = upsert(connection, pulse)
        statement = statement.values(wave=wave, at=minute, source=source, target=target, **counts)
        paces = {name: _least(pulse.c[name], statement.excluded[name]) for name in ("source", "target")}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["wave", "at"], set_=counts | paces)
        )


def _least(recorded: ColumnElement[Any], sample: ColumnElement[Any]) -> ColumnElement[float]:
    """Return the lesser of two values; the databases' own functions differ if one of them is not known."""
    return case((recorded.is_(None), sample), (sample < recorded, sample), else_=recorded)


def _verified(connection: Connection, wave: str) -> int:
    """Count the mailboxes all of whose legs are verified."""
    other = func.sum(case((leg.c.state == LegState.VERIFIED.value, 0), else_=1))
    boxes = select(leg.c.mailbox).join(mailbox).where(mailbox.c.wave == wave)
    boxes = boxes.group_by(leg.c.mailbox).having(other == 0)
    return int(connection.execute(select(func.count()).select_from(boxes.subquery())).scalar_one())


def _paces(connection: Connection) -> tuple[float | None, float | None]:
    """Return the pace of the slowest source, and of the slowest target."""
    query = select(health.c.system, health.c.pace).where(health.c.at > now() - FRESH_SECONDS)
    paces = [(system.partition(".")[0], pace) for system, pace in connection.execute(query)]
    source, target = (
        min((pace for side, pace in paces if side == wanted), default=None) for wanted in ("source", "target")
    )
    return source, target


def beats(ledger: LedgerHandle, wave: str, most: int = 120) -> list[Beat]:
    """Return the samples of a wave, the oldest first.

    Args:
        ledger: an open ledger.
        wave: its name.
        most: the most beats; as many minutes stand for one beat as it takes.
    """
    ends = select(func.min(pulse.c.at), func.max(pulse.c.at)).where(pulse.c.wave == wave)
    with reading(ledger.engine) as connection:
        first, last = connection.execute(ends).one()
        if first is None:
            return []
        step = next((seconds for seconds in STEPS if (last - first) // seconds < most - 1), STEPS[-1])
        return _read(connection, wave, step)


def _read(connection: Connection, wave: str, step: int) -> list[Beat]:
    stretch = pulse.c.at - pulse.c.at % step
    columns = (func.max(pulse.c.at), func.min(pulse.c.source), func.min(pulse.c.target), func.count())
    query = select(stretch, *columns).where(pulse.c.wave == wave).group_by(stretch).order_by(stretch)
    stretches = connection.execute(query).all()
    ends = select(pulse).where(pulse.c.wave == wave)
    ends = ends.where(pulse.c.at.in_([end for _, end, *_ in stretches]))
    last_rows = {row.at: row for row in connection.execute(ends)}
    return [
        Beat(int(at), step, *_totals(last_rows[end]), source, target, count * MINUTE)
        for at, end, source, target, count in stretches
    ]


def _totals(row: Any) -> tuple[int, int, int, int, int, int]:
    return row.mailboxes, row.items, row.done, row.copied, row.copied_bytes, row.legs
