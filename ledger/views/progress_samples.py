"""How far a wave was in each minute of its runs, and how fast the servers let it go: what a report draws."""

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
    """A wave as it was at the end of a stretch of time that begins at `at` (seconds since 1970 UTC) and takes
    `seconds`. mailboxes: verified ones; items: known; done: with a fate; copied, copied_bytes: ever written;
    legs: at work. source, target: the least pace of any of those servers in it (1: full speed, 0: halted);
    None: no worker told. worked: in how many of its seconds a run was at work."""

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
    """The minute that it is by the database's clock, as it is now; said again within it, the newest counts,
    and the least pace. A wave without mailboxes has no pulse."""
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


def _least(known: ColumnElement[Any], told: ColumnElement[Any]) -> ColumnElement[float]:
    """Neither database's own function has one meaning for what is not known."""
    return case((known.is_(None), told), (told < known, told), else_=known)


def _verified(connection: Connection, wave: str) -> int:
    """Mailboxes all of whose legs are."""
    other = func.sum(case((leg.c.state == LegState.VERIFIED.value, 0), else_=1))
    boxes = select(leg.c.mailbox).join(mailbox).where(mailbox.c.wave == wave)
    boxes = boxes.group_by(leg.c.mailbox).having(other == 0)
    return int(connection.execute(select(func.count()).select_from(boxes.subquery())).scalar_one())


def _paces(connection: Connection) -> tuple[float | None, float | None]:
    """Of the slowest source, and of the slowest target."""
    query = select(health.c.system, health.c.pace).where(health.c.at > now() - FRESH_SECONDS)
    told = [(system.partition(".")[0], pace) for system, pace in connection.execute(query)]
    source, target = (
        min((pace for side, pace in told if side == wanted), default=None) for wanted in ("source", "target")
    )
    return source, target


def beats(ledger: LedgerHandle, wave: str, most: int = 120) -> list[Beat]:
    """Oldest first; as many minutes stand for one beat as it takes to have at most so many."""
    ends = select(func.min(pulse.c.at), func.max(pulse.c.at)).where(pulse.c.wave == wave)
    with reading(ledger.engine) as connection:
        first, last = connection.execute(ends).one()
        if first is None:
            return []
        step = next((one for one in STEPS if (last - first) // one < most - 1), STEPS[-1])
        return _read(connection, wave, step)


def _read(connection: Connection, wave: str, step: int) -> list[Beat]:
    stretch = pulse.c.at - pulse.c.at % step
    columns = (func.max(pulse.c.at), func.min(pulse.c.source), func.min(pulse.c.target), func.count())
    query = select(stretch, *columns).where(pulse.c.wave == wave).group_by(stretch).order_by(stretch)
    stretches = connection.execute(query).all()
    ends = select(pulse).where(pulse.c.wave == wave)
    ends = ends.where(pulse.c.at.in_([end for _, end, *_ in stretches]))
    known = {row.at: row for row in connection.execute(ends)}
    return [
        Beat(int(at), step, *_totals(known[end]), source, target, count * MINUTE)
        for at, end, source, target, count in stretches
    ]


def _totals(row: Any) -> tuple[int, int, int, int, int, int]:
    return row.mailboxes, row.items, row.done, row.copied, row.copied_bytes, row.legs
