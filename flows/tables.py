"""Tables for a tired operator: aligned, at most 100 columns, colour only where it means something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from rich.table import Table
from rich.text import Text

from flows.progress import COLOURS, size
from ledger.rows import LegState

GOOD, CARE, BAD, QUIET = "green", "yellow", "red", "dim"
WIDTH = 100
"""Columns of a screen that need not save room."""
NUMBERS = frozenset(
    {
        "items", "done", "size", "rate", "left", "bytes", "count", "rejected", "mailboxes", "folders",
        "largest", "line", "event", "verified", "skipped", "open", "stays", "free", "losses",
        "arrived", "lacking", "content", "functional", "cosmetic",
    }
)  # fmt: skip
"""Columns of these names are aligned right."""


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, wrap: Sequence[str] = ()) -> Table:
    """A table without a frame. Only the columns named in wrap may break lines; the others never do."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True, padding=(0, 2, 0, 0))
    for name in columns:
        right = name in NUMBERS
        drawn.add_column(
            name, justify="right" if right else "left", no_wrap=name not in wrap, overflow="fold"
        )
    for row in rows:
        drawn.add_row(*row)
    return drawn


def state_cell(state: LegState) -> Text:
    return Text(str(state), style=COLOURS.get(state, ""))


def bytes_cell(count: int | None) -> str:
    return "-" if count is None else size(count)


def number_cell(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def moment(when: datetime | None) -> str:
    """UTC, to the second."""
    return "-" if when is None else when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def date_of(seconds: int | None) -> str:
    """An item's date (seconds since 1970 UTC), to the minute."""
    if seconds is None:
        return "-"
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float | None) -> str:
    """For people: 45s, 12m, 3h05m, 4d02h."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 120:
        return f"{minutes}m"
    return f"{hours}h{minutes % 60:02}m" if hours < 48 else f"{hours // 24}d{hours % 24:02}h"
