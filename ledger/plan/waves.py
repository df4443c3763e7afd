"""What is planned of a wave beside its mailboxes: when, in which window, who goes first."""

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
    """starts: not before, in seconds since 1970 UTC. window: a name of the configuration's. canary: a
    mailbox's id. None each where nothing is planned. Of several waves the higher priority runs first."""

    name: str
    starts: float | None = None
    window: str | None = None
    canary: str | None = None
    priority: int = 0
    paused: bool = False


PLANNED = ("starts", "window", "canary", "priority")
"""What a plan says; whether a wave is paused, a person decides while it runs."""

_COLUMNS = (
    table.c.name,
    table.c.starts,
    table.c.window,
    table.c.canary,
    table.c.priority,
    table.c.paused,
)


class Waves:
    """The waves of a ledger that have a row; one without may run at any time."""

    def __init__(self, ledger: LedgerHandle) -> None:
        self._engine = ledger.engine

    def read(self, name: str) -> WaveRow:
        """What is planned of a wave: nothing, where it has no row."""
        query = select(*_COLUMNS).where(table.c.name == name)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return WaveRow(name) if row is None else WaveRow(*row)

    def all(self) -> list[WaveRow]:
        """By name."""
        with reading(self._engine) as connection:
            return [WaveRow(*row) for row in connection.execute(select(*_COLUMNS).order_by(table.c.name))]

    def put(self, rows: Iterable[WaveRow], waves: Collection[str] | None = None) -> None:
        """These are all that is planned (of those waves, if given); idempotent. A wave that none of them
        names is planned for any time again. Leaves alone whether a wave is paused."""
        planned = list(rows)
        if self._says(planned, waves):
            return
        with writing(self._engine) as connection:
            known = [row.name for row in connection.execute(select(table.c.name))]
            names = {row.name for row in planned}
            nothing = dict.fromkeys(("starts", "window", "canary"))
            for name in known:
                if name not in names and (waves is None or name in waves):
                    unplanned = update(table).where(table.c.name == name)
                    connection.execute(unplanned.values(**nothing, priority=0))
            for row in planned:
                values = {field: getattr(row, field) for field in PLANNED}
                statement = upsert(connection, table).values(name=row.name, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def _says(self, planned: Collection[WaveRow], waves: Collection[str] | None) -> bool:
        """Whether nothing would change: every run plans again, and need not write for it."""
        known = {row.name: row for row in self.all() if waves is None or row.name in waves}
        wanted = {row.name: row for row in planned}
        if wanted.keys() - known.keys():
            return False
        return all(
            getattr(row, field) == getattr(wanted.get(name, WaveRow(name)), field)
            for name, row in known.items()
            for field in PLANNED
        )

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Higher priority first, then the earlier start, then by name."""
        rows = {row.name: row for row in self.all()}

        def rank(name: str) -> tuple[int, float, str]:
            row = rows.get(name, WaveRow(name))
            return -row.priority, float("inf") if row.starts is None else row.starts, name

        return sorted(names, key=rank)
