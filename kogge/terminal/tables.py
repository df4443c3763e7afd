"""Tables for a tired operator: aligned, at most 100 columns, colour only where it means something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from kogge.terminal.progress_display import COLOURS
from ledger.db.rows import LegState
from model.printable import printable
from reports.progress import size

GOOD, CARE, BAD, QUIET = "green", "yellow", "red", "dim"
NUMBERS = frozenset(
    {
        "items", "done", "size", "rate", "left", "bytes", "count", "rejected", "mailboxes", "folders",
        "largest", "line", "event", "verified", "skipped", "open", "stays", "free", "losses",
        "arrived", "lacking", "content", "functional", "cosmetic",
    }
)  # fmt: skip
"""Columns of these names are aligned right."""


INDENT = "  "
WORD_MOST = 32
"""A column that may break lines is at least so wide as its longest word, but not wider than this."""
BETWEEN = 2


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, wrap: Sequence[str] = ()) -> Grid:
    """Return a table without a frame, which shows every character of every cell at any width.

    Args:
        columns: the names above; those of NUMBERS are aligned right.
        rows: as many cells each. What is not printable in them is replaced: strangers may have written it.
        wrap: columns that may break lines; the others never do.
    """
    drawn = [[_cell(one) for one in row] for row in rows]
    return Grid(tuple(columns), drawn, frozenset(wrap))


def facts(rows: Iterable[tuple[str, str | Text]]) -> Grid:
    """Return lines of a name and what belongs to it, which breaks lines next to the name."""
    told = [[Text(name, style=QUIET), _cell(said)] for name, said in rows]
    return Grid(("", "said"), told, frozenset({"said"}), headed=False)


def _cell(content: str | Text) -> Text:
    """Return a cell; a Text that we composed may have several lines, a plain one has none of its own."""
    if isinstance(content, str):
        return Text(printable(content, lines=False))
    plain = printable(content.plain)
    if plain == content.plain:
        return content
    clean = content.copy()
    clean.plain = plain
    return clean


@dataclass(frozen=True, slots=True)
class Grid:
    """Print a table. Columns for which there is no room stand below their row, by name.

    Attributes:
        headed: the columns' names stand above.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Text]]
    wrap: frozenset[str]
    headed: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        most = options.max_width
        widths = self._widths(most)
        head = [Text(name, style="bold") for name in self.columns[: len(widths)]]
        if self.headed:
            yield from self._lines(console, head, widths)
        for row in self.rows:
            yield from self._lines(console, row[: len(widths)], widths)
            if below := self._below(row, len(widths)):
                for line in below.wrap(console, most, overflow="fold"):
                    line.rstrip()
                    yield line

    def _below(self, row: Sequence[Text], beside: int) -> Text:
        """Return the cells that have no room next to the first ones, each with its column's name."""
        line = Text()
        for name, content in zip(self.columns[beside:], row[beside:], strict=True):
            if content.plain:
                line.append(f"{INDENT}{name}: " if name else INDENT).append_text(content)
        return line

    def _widths(self, most: int) -> list[int]:
        """Return the widths of the columns that have room next to each other; at least one."""
        natural, least = [], []
        for at, name in enumerate(self.columns):
            lines = [line for row in self.rows for line in row[at].plain.split("\n")]
            whole = max((cell_len(line) for line in (name, *lines)), default=1)
            words = max((cell_len(word) for line in (name, *lines) for word in line.split()), default=1)
            natural.append(max(1, whole))
            least.append(
                min(whole, max(cell_len(name), min(words, WORD_MOST))) if name in self.wrap else whole
            )
        count = len(least)
        while count > 1 and sum(least[:count]) + BETWEEN * (count - 1) > most:
            count -= 1
        return _grown(
            [min(one, most) for one in least[:count]], natural[:count], most - BETWEEN * (count - 1)
        )

    def _lines(self, console: Console, cells: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
        """Yield one row, on as many lines as its highest cell has."""
        folded = [
            cell.wrap(console, width, overflow="fold") if cell.plain else [Text()]
            for cell, width in zip(cells, widths, strict=True)
        ]
        for parts in zip_longest(*folded, fillvalue=Text()):
            line = Text()
            for at, (part, width) in enumerate(zip(parts, widths, strict=True)):
                own = part.copy()
                own.rstrip()
                room = " " * max(0, width - own.cell_len)
                line.append(" " * BETWEEN if at else "")
                pieces = (room, own) if self.columns[at] in NUMBERS else (own, room)
                for piece in pieces:
                    line.append(piece)
            line.rstrip()
            yield line


@dataclass(frozen=True, slots=True)
class Hanging:
    """Print a line that begins with blanks; if it is too long, what follows has the same and more."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain = printable(self.text, lines=False)
        indent = len(plain) - len(plain.lstrip())
        below = " " * (indent + BETWEEN)
        room = max(1, options.max_width - len(below))
        for number, line in enumerate(Text(plain.lstrip()).wrap(console, room, overflow="fold")):
            line.rstrip()
            yield Text(below if number else " " * indent).append_text(line)


def _grown(least: list[int], natural: Sequence[int], most: int) -> list[int]:
    """Return widths between least and natural that use the room; narrow columns get it first."""
    room = most - sum(least)
    needy = sorted((at for at in range(len(least)) if natural[at] > least[at]), key=lambda at: natural[at])
    for done, at in enumerate(needy):
        more = min(natural[at] - least[at], max(0, room) // (len(needy) - done))
        least[at] += more
        room -= more
    return least


def state_cell(state: LegState) -> Text:
    """Return a state in its colour."""
    return Text(str(state), style=COLOURS.get(state, ""))


def code_cell(code: str | None, detail: str | None) -> str:
    """Return a code and what is known with it; see model.errors.MigrationError."""
    return f"{code} ({detail})" if code and detail else code or ""


def bytes_cell(count: int | None) -> str:
    """Return a size for people; "-" if it is not known."""
    return "-" if count is None else size(count)


def number_cell(count: int | None) -> str:
    """Return a number for people; "-" if it is not known."""
    return "-" if count is None else f"{count:,}"


def moment(when: datetime | None) -> str:
    """Write a time in UTC, to the second."""
    return "-" if when is None else when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """Write a length of time for people: 45s, 12m, 3h05m, 4d02h."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 120:
        return f"{minutes}m"
    return f"{hours}h{minutes % 60:02}m" if hours < 48 else f"{hours // 24}d{hours % 24:02}h"
