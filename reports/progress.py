"""What a run looks like from outside: counts by leg, read from the ledger, for the terminal and for Prefect.

Everything here is safe for anyone to see: random mailbox ids, workloads, states, counts and codes.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ledger.db.rows import LegRow, LegState

SETTLED = frozenset({LegState.VERIFIED})
"""States in which every item of a leg has a fate."""

LATER = {"window-closed": "Closed", "paused": "Paused"}
"""Why a run is to go on another time, and how Prefect calls its state."""

DRY_RUN = "dry-run"
"""The code of a leg that was only listed, as asked."""

COLOURS = {
    LegState.RUNNING: "cyan",
    LegState.WAITING: "yellow",
    LegState.BLOCKED: "red",
    LegState.COPIED: "blue",
    LegState.VERIFIED: "green",
    LegState.DIFFERS: "red",
}
SHOWN = 20


class Legs(Protocol):
    """What is asked of the ledger here."""

    def legs(self, wave: str | None = None, *, of: Collection[str] = ()) -> Iterable[LegRow]: ...


def expected(legs: Iterable[LegRow], checked: Mapping[str, int]) -> int:
    """Returns how many items there are in all, as far as anybody knows: what was listed, or what `kogge
    check` counted of a mailbox (checked, by its id) where that is more."""
    listed: Counter[str] = Counter()
    for leg in legs:
        listed[leg.mailbox] += leg.items
    return sum(max(count, checked.get(mailbox, 0)) for mailbox, count in listed.items())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The legs of a run at one moment. at: seconds of this process's monotonic clock. unwell: a line for each
    server that is asked for less than usual, and why."""

    legs: tuple[LegRow, ...]
    at: float = field(default_factory=time.monotonic)
    unwell: tuple[str, ...] = ()

    @property
    def mailboxes(self) -> int:
        return len({leg.mailbox for leg in self.legs})

    @property
    def items(self) -> int:
        return sum(leg.items for leg in self.legs)

    @property
    def done(self) -> int:
        return sum(leg.done for leg in self.legs)

    @property
    def bytes(self) -> int:
        return sum(leg.bytes for leg in self.legs)

    @property
    def states(self) -> Counter[LegState]:
        return Counter(leg.state for leg in self.legs)

    @property
    def told_states(self) -> str:
        """How many legs are in which state, for people: of those at work, which have nothing left to copy."""
        counts = Counter(str(leg.state) for leg in self.legs)
        copied = sum(leg.state is LegState.RUNNING and 0 < leg.items <= leg.done for leg in self.legs)
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
        return f"{told} ({copied:,} of them listing or verifying)" if copied else told

    @property
    def open(self) -> tuple[LegRow, ...]:
        """Legs whose items do not all have a fate, although that was asked for."""
        return tuple(leg for leg in self.legs if leg.state not in SETTLED and leg.code != DRY_RUN)

    def counts(self) -> dict[str, int]:
        """Plain counts: what a flow returns."""
        states = {str(state): count for state, count in sorted(self.states.items())}
        sums = {"mailboxes": self.mailboxes, "legs": len(self.legs), "items": self.items}
        return {**sums, "done": self.done, "bytes": self.bytes, **states}


def read(
    ledger: Legs, wave: str | None, mailboxes: Collection[str] = (), workloads: Collection[str] = ()
) -> Snapshot:
    """The legs of a wave, in a stable order; only the given mailboxes and workloads, where any are."""
    chosen = [leg for leg in ledger.legs(wave, of=mailboxes) if not workloads or leg.workload in workloads]
    return Snapshot(tuple(sorted(chosen, key=lambda leg: (leg.mailbox, leg.workload, leg.id))))


def percent(snapshot: Snapshot) -> float:
    """How much of what is known so far is done, 0 to 100; the source may still name more. 100 only
    when nothing is open."""
    if not snapshot.open:
        return 100.0
    return min(99.0, 100.0 * snapshot.done / snapshot.items) if snapshot.items else 0.0


def verdict(snapshot: Snapshot) -> str:
    """One line: whether all is accounted for, and if not, what is open and why."""
    total = len(snapshot.legs)
    listed = sum(leg.code == DRY_RUN for leg in snapshot.legs)
    if not snapshot.open and listed:
        return f"dry run: {listed} of {total} legs listed, {snapshot.items:,} items known"
    if not snapshot.open:
        return f"all {total} legs of {snapshot.mailboxes} mailboxes are verified"
    states = Counter(f"{leg.state} {leg.code}" if leg.code else str(leg.state) for leg in snapshot.open)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(states.items()))
    return f"{len(snapshot.open)} of {total} legs are not accounted for: {reasons}"


def slug(*words: object) -> str:
    """An artifact key: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(str(word) for word in words).lower()).strip("-")


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


def size(count: int) -> str:
    """Bytes for people: decimal units."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


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
