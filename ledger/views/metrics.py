"""Read what a monitoring system wants to know of all waves, in a fixed number of statements.

No item is read: a leg's row has totals. What is counted by mailbox or leg is added up by the database.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from ledger.db import counters
from ledger.db.audit_log import heads_of
from ledger.db.engine import now, reading, snapshot
from ledger.db.fates import read_causes
from ledger.db.handle import LedgerHandle
from ledger.db.rows import URGENCY, LegState, Phase
from ledger.db.schema import event, health, leg, mailbox, pulse, step, wave
from ledger.views.server_health import FRESH_SECONDS

LOST, TAKEN_OVER = "lease-lost", "taken-over"
_FROZEN_STEPS = or_(step.c.name.startswith("freeze:"), step.c.name == Phase.FROZEN.value)


@dataclass(frozen=True, slots=True)
class LegGroup:
    """Add up the legs of a wave and workload that are in the same state for the same reason.

    Attributes:
        wave: of their mailboxes.
        workload: the kind of their items.
        state: of each of them.
        code: why; "" if the state says all.
        legs: how many there are.
        items: that they have.
        done: items with a fate.
        bytes: at the target.
        verified: items, when each leg was last released; so are skipped and rejected.
        skipped: items that do not move.
        rejected: items that could not move.
        copied: items ever written; it only grows.
        copied_bytes: their size when they were written.
        expired: legs whose worker did not renew its lease.
    """

    wave: str
    workload: str
    state: str
    code: str
    legs: int
    items: int
    done: int
    bytes: int
    verified: int
    skipped: int
    rejected: int
    copied: int
    copied_bytes: int
    expired: int


@dataclass(frozen=True, slots=True)
class WaveMetrics:
    """Describe a wave as a whole.

    Attributes:
        paused: True if a person paused it.
        active: the minute in which a run of it was last at work, in seconds since 1970 UTC; None if none was.
        frozen: since when its longest frozen mailbox is frozen; None if none is.
    """

    paused: bool
    active: float | None
    frozen: float | None


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """Describe a server as those workers found it that reported lately.

    Attributes:
        workers: how many.
        pace: the least of theirs: 1 is full speed, 0 is halted.
        latency: seconds for one call, on average.
    """

    workers: int
    pace: float
    latency: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """Hold what was read at one moment.

    Attributes:
        legs: all legs, in groups.
        mailboxes: how many, by wave, phase and most urgent state.
        causes: items by wave, workload, fate ("skipped", "rejected") and code.
        waves: by name.
        servers: by name.
        workers: processes that reported lately.
        seen: when any process last reported; None if none ever did, or if all have ended.
        counters: see ledger.db.counters.
        leases: how often leases were lost or taken over, by wave, kind of event and workload.
    """

    legs: tuple[LegGroup, ...] = ()
    mailboxes: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    causes: Mapping[tuple[str, str, str, str], int] = field(default_factory=dict)
    waves: Mapping[str, WaveMetrics] = field(default_factory=dict)
    servers: Mapping[str, ServerMetrics] = field(default_factory=dict)
    workers: int = 0
    seen: float | None = None
    counters: Mapping[counters.Key, float] = field(default_factory=dict)
    leases: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


class MetricsReader:
    """Read the metrics of a ledger again and again. Belongs to one thread at a time.

    It remembers how far it has read the chains of events, which only grow.
    """

    def __init__(self) -> None:
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._leases: Counter[tuple[str, str, str]] = Counter()

    def read(self, ledger: LedgerHandle) -> Metrics:
        """Return the metrics of this moment.

        Raises:
            MigrationError: as ledger.db.engine.translated.
        """
        with snapshot(ledger.engine), reading(ledger.engine) as connection:
            return Metrics(
                tuple(_legs(connection)),
                _mailboxes(connection),
                _causes(connection),
                _waves(connection),
                _servers(connection),
                *_signs(connection),
                counters.read(connection),
                self._read_leases(connection),
            )

    def _read_leases(self, connection: Connection) -> Mapping[tuple[str, str, str], int]:
        heads = heads_of(connection)
        if any(heads.get(name, (0, b""))[0] < seq for name, (seq, _) in self._heads.items()):
            self._heads, self._leases = {}, Counter()  # the ledger is another one, or an older copy
        for name, head in heads.items():
            read_to = self._heads.get(name, (0, b""))[0]
            if head[0] > read_to:
                self._leases.update(_lease_events(connection, name, read_to))
        self._heads = heads
        return dict(self._leases)


def _legs(connection: Connection) -> list[LegGroup]:
    groups = (mailbox.c.wave, leg.c.workload, leg.c.state, func.coalesce(leg.c.code, ""))
    names = ("items", "done", "bytes", "verified", "skipped", "rejected", "copied", "copied_bytes")
    sums = [func.coalesce(func.sum(leg.c[name]), 0) for name in names]
    is_expired = and_(leg.c.state == LegState.RUNNING.value, leg.c.lease_until < now())
    query = select(*groups, func.count(), *sums, func.sum(case((is_expired, 1), else_=0)))
    rows = connection.execute(query.select_from(leg.join(mailbox)).group_by(*groups))
    return [LegGroup(*row[:4], *map(int, row[4:])) for row in rows]


def _mailboxes(connection: Connection) -> dict[tuple[str, str, str], int]:
    rank = case({state.value: number for number, state in enumerate(URGENCY)}, value=leg.c.state, else_=0)
    columns = (mailbox.c.wave, mailbox.c.phase, func.min(rank).label("rank"))
    each = select(*columns).select_from(leg.join(mailbox)).group_by(mailbox.c.id).subquery()
    query = select(each.c.wave, each.c.phase, each.c.rank, func.count())
    rows = connection.execute(query.group_by(each.c.wave, each.c.phase, each.c.rank))
    return {(name, phase, URGENCY[number].value): count for name, phase, number, count in rows}


def _causes(connection: Connection) -> dict[tuple[str, str, str, str], int]:
    columns = (mailbox.c.wave, leg.c.workload, leg.c.causes)
    query = select(*columns, func.count()).select_from(leg.join(mailbox)).where(leg.c.causes.is_not(None))
    found: Counter[tuple[str, str, str, str]] = Counter()
    for name, workload, text, legs in connection.execute(query.group_by(*columns)):
        for fate, codes in read_causes(text).items():
            for code, items in codes.items():
                found[name, workload, fate, code] += items * legs
    return dict(found)


def _waves(connection: Connection) -> dict[str, WaveMetrics]:
    names = select(mailbox.c.wave).distinct().subquery()
    newest = select(func.max(pulse.c.at)).where(pulse.c.wave == names.c.wave).scalar_subquery()
    query = select(names.c.wave, wave.c.paused, newest)
    query = query.select_from(names.outerjoin(wave, wave.c.name == names.c.wave))
    not_live = mailbox.c.phase != Phase.LIVE.value
    frozen = select(mailbox.c.wave, func.min(step.c.at)).select_from(step.join(mailbox))
    frozen = frozen.where(not_live, _FROZEN_STEPS).group_by(mailbox.c.wave)
    since = {row[0]: row[1] for row in connection.execute(frozen)}
    rows = connection.execute(query)
    return {name: WaveMetrics(bool(paused), active, since.get(name)) for name, paused, active in rows}


def _servers(connection: Connection) -> dict[str, ServerMetrics]:
    seconds, calls = func.sum(health.c.latency * health.c.calls), func.sum(health.c.calls)
    query = select(health.c.system, func.count(), func.min(health.c.pace), seconds, calls)
    found = {}
    for name, workers, pace, waited, asked in connection.execute(
        query.where(_is_fresh()).group_by(health.c.system)
    ):
        found[name] = ServerMetrics(workers, pace, waited / asked if asked else 0.0)
    return found


def _is_fresh() -> ColumnElement[bool]:
    return health.c.at > now() - FRESH_SECONDS


def _signs(connection: Connection) -> tuple[int, float | None]:
    workers = select(func.count(health.c.worker.distinct())).where(_is_fresh())
    seen = connection.execute(select(func.max(health.c.at))).scalar_one()
    return connection.execute(workers).scalar_one(), seen


def _lease_events(connection: Connection, name: str, after: int) -> Counter[tuple[str, str, str]]:
    columns = (event.c.kind, event.c.detail)
    query = select(*columns, func.count()).where(event.c.wave == name, event.c.seq > after)
    query = query.where(event.c.kind.in_([LOST, TAKEN_OVER])).group_by(*columns)
    found: Counter[tuple[str, str, str]] = Counter()
    for kind, detail, count in connection.execute(query):
        found[name, kind, str(json.loads(detail).get("workload", ""))] += count
    return found
