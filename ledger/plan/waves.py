"""Record what is planned of a wave beside its mailboxes: when, in which window, which mailbox goes first."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import select, update

from ledger.db.engine import reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.schema import wave as table
from ledger.db.upsert import upsert


@dataclass(frozen=True, slots=True)
class WaveRow:
    """Describe a wave's plan.

    Attributes:
        name: of the wave.
        starts: not before this moment, in seconds since 1970 UTC; None if it may start at any time.
        window: a name of the configuration's; None for none.
        canary: the id of the mailbox that runs first, alone; None for none.
        priority: of several waves the higher runs first.
        paused: True if a person paused it.
    """

    name: str
    starts: float | None = None
    window: str | None = None
    canary: str | None = None
    priority: int = 0
    paused: bool = False


PLANNED = ("starts", "window", "canary", "priority")
"""The columns that a plan sets. Whether a wave is paused, a person decides while it runs."""

_COLUMNS = (
    table.c.name,
    table.c.starts,
    table.c.window,
    table.c.canary,
    table.c.priority,
    table.c.paused,
)


class Waves:
    """Read and write the waves of a ledger that have a row; a wave without a row may run at any time."""

    def __init__(self, ledger: LedgerHandle) -> None:
        self._engine = ledger.engine

    def read(self, name: str) -> WaveRow:
        """Return what is planned of a wave; an empty plan if it has no row."""
        query = select(*_COLUMNS).where(table.c.name == name)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return WaveRow(name) if row is None else WaveRow(*row)

    def all(self) -> list[WaveRow]:
        """Return all waves with a row, by name."""
        with reading(self._engine) as connection:
            return [WaveRow(*row) for row in connection.execute(select(*_COLUMNS).order_by(table.c.name))]

    def put(self, rows: Iterable[WaveRow], waves: Collection[str] | None = None) -> None:
        """Replace what is planned. Idempotent. It does not change whether a wave is paused.

        A wave that no row names may run at any time again.

        Args:
            rows: all that is planned.
            waves: only these waves are replaced; None means all.
        """
        planned = list(rows)
        if self._is_recorded(planned, waves):
            return
        with writing(self._engine) as connection:
            recorded = [row.name for row in connection.execute(select(table.c.name))]
            names = {row.name for row in planned}
            nothing = dict.fromkeys(("starts", "window", "canary"))
            for name in recorded:
                if name not in names and (waves is None or name in waves):
                    unplanned = update(table).where(table.c.name == name)
                    connection.execute(unplanned.values(**nothing, priority=0))
            for row in planned:
                values = {field: getattr(row, field) for field in PLANNED}
                statement = upsert(connection, table).values(name=row.name, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def _is_recorded(self, planned: Collection[WaveRow], waves: Collection[str] | None) -> bool:
        """Return True if nothing would change: every run plans again, and need not write for it."""
        recorded = {row.name: row for row in self.all() if waves is None or row.name in waves}
        wanted = {row.name: row for row in planned}
        if wanted.keys() - recorded.keys():
            return False
        return all(
            getattr(row, field) == getattr(wanted.get(name, WaveRow(name)), field)
            for name, row in recorded.items()
            for field in PLANNED
        )

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Return the names in order: the higher priority first, then the earlier start, then by name."""
        rows = {row.name: row for row in self.all()}

        def rank(name: str) -> tuple[int, float, str]:
            row = rows.get(name, WaveRow(name))
            return -row.priority, float("inf") if row.starts is None else row.starts, name

        return sorted(names, key=rank)
