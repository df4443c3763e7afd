"""Give a new SQLite ledger its schema as a copy: the migrations take some 80 ms of a processor for each test.

The copy is what the migrations themselves make, once in each test process. PostgreSQL and a ledger that holds
anything take the way of the product.

An engine of SQLAlchemy compiles each statement once, some 55 of them for one run of a leg: a fifth of such a
test's time. Here all SQLite ledgers of a test process compile it once.
"""

from __future__ import annotations

import sqlite3
import threading
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Dialect, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.util import LRUCache

from ledger import migrations
from ledger.db.engine import make_engine

_upgrade = migrations.upgrade
_one_at_a_time = threading.Lock()
_compiled: LRUCache[object, object] = LRUCache(1000)


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


def engine(url: URL) -> Engine:
    """Do what `ledger.db.engine.make_engine` does; on SQLite it knows the statements of the others."""
    made = make_engine(url)
    if made.dialect.name == "sqlite":
        made.dialect = _shared_dialect()  # a part of each statement's key
        made.update_execution_options(compiled_cache=_compiled)
    return made


@cache
def _shared_dialect() -> Dialect:
    """Return what SQLAlchemy has learnt of SQLite at a first connection."""
    with TemporaryDirectory() as directory:
        first = make_engine(make_url(f"sqlite:///{Path(directory) / 'first.sqlite'}"))
        first.connect().close()
        first.dispose()
        return first.dialect


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
