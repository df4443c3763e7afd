"""The progress of a run on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ledger.db.rows import LegRow, LegState
from reports.progress import Snapshot, expected, size

COLOURS = {
    LegState.RUNNING: "cyan",
    LegState.WAITING: "yellow",
    LegState.BLOCKED: "red",
    LegState.COPIED: "blue",
    LegState.VERIFIED: "green",
    LegState.DIFFERS: "red",
}
SHOWN = 20


class Display:
    """Draws successive snapshots for a terminal, with a rate and an estimate over the whole run."""

    def __init__(self, title: str, checked: Mapping[str, int] | None = None) -> None:
        """checked: see expected."""
        self._title = title
        self._checked = checked or {}
        self._first: Snapshot | None = None

    def draw(self, snapshot: Snapshot) -> RenderableType:
        if self._first is None:
            self._first = snapshot
        rows = _table(self._title, _most_interesting(snapshot.legs))
        hidden = len(snapshot.legs) - rows.row_count
        more = [Text(f"… and {hidden} more", style="dim")] if hidden else []
        servers = [Text(line, style="yellow") for line in snapshot.unwell]
        return Group(rows, *more, self._line(snapshot), *servers)

    def rate(self, snapshot: Snapshot) -> float:
        """Items a second since the first snapshot."""
        first = self._first or snapshot
        passed = snapshot.at - first.at
        return (snapshot.done - first.done) / passed if passed > 0 else 0.0

    def _line(self, snapshot: Snapshot) -> Text:
        whole = expected(snapshot.legs, self._checked)
        rate = self.rate(snapshot)
        left = ""
        if rate > 0 and whole > snapshot.done:
            left = f", about {timedelta(seconds=round((whole - snapshot.done) / rate))} left"
        done = f"{snapshot.done:,} of {whole:,} items, {size(snapshot.bytes)}, {rate:,.0f}/s{left}"
        return Text(f"{done}   {snapshot.told_states}")


def _most_interesting(legs: Sequence[LegRow]) -> list[LegRow]:
    """At most SHOWN legs: those at work first, then those that need a person, then the rest."""
    order = [LegState.RUNNING, LegState.BLOCKED, LegState.DIFFERS, LegState.WAITING]
    ranked = sorted(legs, key=lambda leg: order.index(leg.state) if leg.state in order else len(order))
    shown = {leg.id for leg in ranked[:SHOWN]}
    return [leg for leg in legs if leg.id in shown]


def _table(title: str, legs: Iterable[LegRow]) -> Table:
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("mailbox", "workload", "state"):
        drawn.add_column(name, no_wrap=True)
    drawn.add_column("progress", width=24)
    for name in ("done", "items", "size"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("code")
    for leg in legs:
        state = Text(str(leg.state), style=COLOURS.get(leg.state, ""))
        bar = ProgressBar(total=max(leg.items, 1), completed=leg.done, width=24)
        counts = (f"{leg.done:,}", f"{leg.items:,}", size(leg.bytes))
        drawn.add_row(leg.mailbox, str(leg.workload), state, bar, *counts, leg.code or "")
    return drawn
