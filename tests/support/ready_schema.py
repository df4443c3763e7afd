"""Give a new SQLite ledger its schema as a copy: the migrations take some 80 ms of a processor for each test.

The copy is what the migrations themselves make, once in each test process. PostgreSQL and a ledger that holds
anything take the way of the product.
"""

from __future__ import annotations

import sqlite3
import threading
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from ledger import migrations
from ledger.db.engine import make_engine

_upgrade = migrations.upgrade
_one_at_a_time = threading.Lock()


def upgrade(engine: Engine) -> None:
    """Do what `ledger.migrations.upgrade` does, by a copy where nothing is there yet."""
    if engine.dialect.name != "sqlite":
        _upgrade(engine)
        return
    with _one_at_a_time:
        connection = engine.raw_connection()
        try:
            held = connection.driver_connection
            assert isinstance(held, sqlite3.Connection)
            if not held.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                _made_once().backup(held)
                return
        finally:
            connection.close()
    _upgrade(engine)


@cache
def _made_once() -> sqlite3.Connection:
    """Return an empty ledger in memory."""
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.sqlite"
        engine = make_engine(make_url(f"sqlite:///{path}"))
        _upgrade(engine)
        engine.dispose()
        with sqlite3.connect(path) as made:
            made.backup(copy)
        made.close()
    return copy
