"""All that a database holds, for tests that look for what must not be in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path


def every_row(database: Path) -> Iterator[str]:
    """Every row of every table of an SQLite database, as text."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield " ".join(str(value) for value in row)


def whole(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of an SQLite database, by table, in the order of their contents."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            table: sorted(connection.execute(f'SELECT * FROM "{table}"'), key=repr) for (table,) in tables
        }
