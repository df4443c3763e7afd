"""What a command lists: its columns are declared once, for the table, for --json and for --csv."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from rich.text import Text

from kogge.terminal.options import emit, write_csv
from kogge.terminal.tables import Grid, table

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """Describe one fact of a row.

    Attributes:
        name: its name in JSON and in CSV; "" if only the table has it.
        value: what JSON and CSV have; None for the row's attribute of that name.
        heading: what stands above it in the table; None if the table does not have it.
        cell: its text in the table; None for the value itself.
        wrap: True if its cells may break lines.
        optional: True if JSON leaves it out of a row that has None there.
    """

    name: str
    value: Callable[[R], object] | None = None
    heading: str | None = None
    cell: Callable[[R], str | Text] | None = None
    wrap: bool = False
    optional: bool = False

    def of(self, row: R) -> object:
        """Return what JSON and CSV have."""
        return getattr(row, self.name) if self.value is None else self.value(row)

    def drawn(self, row: R) -> str | Text:
        """Return the text of the table's cell."""
        return str(self.of(row)) if self.cell is None else self.cell(row)


@dataclass(frozen=True, slots=True)
class Output(Generic[R]):
    """Write rows in each form that a command has.

    Attributes:
        columns: in the order in which every form has them.
    """

    columns: Sequence[Column[R]]

    @property
    def names(self) -> list[str]:
        """Return the names in JSON and in CSV."""
        return [one.name for one in self.columns if one.name]

    def values(self, row: R) -> list[object]:
        """Return what CSV has of a row."""
        return [one.of(row) for one in self.columns if one.name]

    def documents(self, rows: Iterable[R]) -> list[dict[str, object]]:
        """Return the rows for --json."""
        spare = {one.name for one in self.columns if one.optional}
        return [
            {
                name: value
                for name, value in zip(self.names, self.values(row), strict=True)
                if value is not None or name not in spare
            }
            for row in rows
        ]

    def grid(self, rows: Iterable[R]) -> Grid:
        """Return the rows as a table."""
        shown = [(one.heading, one) for one in self.columns if one.heading is not None]
        cells = [[one.drawn(row) for _, one in shown] for row in rows]
        return table([name for name, _ in shown], cells, wrap=[name for name, one in shown if one.wrap])

    def write(self, rows: Iterable[R], path: Path, what: str, encoding: str = "utf-8") -> None:
        """Write the rows as CSV, and say on standard error how many. Raises as `put` does."""
        write_csv(path, self.documents(rows), self.names, what, encoding)

    def put(
        self,
        rows: Sequence[R],
        what: str,
        csv_file: Path | None,
        show: Callable[[], None],
        *,
        as_json: bool,
    ) -> None:
        """Write the rows in the forms that are asked for; on the screen if there is no other.

        Args:
            rows: the rows.
            what: what the rows are called.
            csv_file: where they are written as CSV; None if they are not.
            show: writes them to the screen.
            as_json: True to write them as JSON.

        Raises:
            Misconfigured: for --csv, if the file cannot be written.
        """
        if csv_file is not None:
            self.write(rows, csv_file, what)
        if as_json:
            emit(self.documents(rows))
        elif csv_file is None:
            show()
