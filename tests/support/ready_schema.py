"""Give a new ledger its schema as a copy: the migrations take 80 ms of a processor for each test on SQLite,
and some 300 ms on PostgreSQL.

The copy is what the migrations themselves make, once in each test process. A ledger that holds anything, and
one on PostgreSQL without a schema of its own, take the way of the product.

An engine of SQLAlchemy compiles each statement once, some 55 of them for one run of a leg: a fifth of such a
test's time. Here all ledgers of a test process compile it once.
"""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from servers.postgres import find_programs
from sqlalchemy import Dialect, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.util import LRUCache

from ledger import migrations
from ledger.db.engine import make_engine
from ledger.db.patience import ConnectPatience

_upgrade = migrations.upgrade
_one_at_a_time = threading.Lock()
_compiled: LRUCache[object, object] = LRUCache(2000)
OWN_SCHEMA = "-csearch_path="
"""In the options of an address: PostgreSQL's schema that a test has for itself."""


def upgrade(engine: Engine) -> None:
    """Do what `ledger.migrations.upgrade` does, by a copy where nothing is there yet."""
    with _one_at_a_time:
        if _is_copied(engine):
            return
    _upgrade(engine)


def _is_copied(engine: Engine) -> bool:
    if engine.dialect.name != "sqlite" and not _has_own_schema(engine.url):
        return False
    with closing(engine.raw_connection()) as connection:
        held = connection.driver_connection
        if isinstance(held, sqlite3.Connection):
            if held.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return False
            _made_once().backup(held)
            return True
        assert isinstance(held, psycopg.Connection)
        ((schema, tables),) = held.execute(
            "SELECT current_schema(), (SELECT count(*) FROM pg_tables WHERE schemaname = current_schema())"
        ).fetchall()
        if not tables:
            held.execute(_script(_server(engine.url)).replace(TEMPLATE, f"{schema}.").encode())
        held.commit()
        return not tables


def engine(url: URL, patience: ConnectPatience | None = None) -> Engine:
    """Do what `ledger.db.engine.make_engine` does; the engine knows the statements of the others."""
    made = make_engine(url, patience)
    if made.dialect.name == "sqlite" or _has_own_schema(url):
        made.dialect = _shared_dialect(None if made.dialect.name == "sqlite" else _server(url))
        made.update_execution_options(compiled_cache=_compiled)
    return made


def _has_own_schema(url: URL) -> bool:
    return OWN_SCHEMA in str(url.query.get("options"))


def _server(url: URL) -> URL:
    return url.difference_update_query(["options"])


@cache
def _shared_dialect(server: URL | None) -> Dialect:
    """Return what SQLAlchemy learns at a first connection to this server, or to SQLite.

    The dialect is a part of each statement's key.
    """
    with TemporaryDirectory() as directory:
        first = make_engine(server or make_url(f"sqlite:///{Path(directory) / 'first.sqlite'}"))
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


TEMPLATE = "ledger_to_copy."


@cache
def _script(server: URL) -> str:
    """Return the statements that make an empty ledger in the schema TEMPLATE of PostgreSQL."""
    schema = TEMPLATE.removesuffix(".")
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    first = make_engine(server.update_query_dict({"options": OWN_SCHEMA + schema}))
    _upgrade(first)
    first.dispose()
    programs = find_programs()
    assert programs is not None
    words = ["--schema", schema, "--inserts", "--no-owner", plain]
    told = subprocess.run([programs / "pg_dump", *words], capture_output=True, text=True, check=True).stdout
    of_the_program = ("\\", "SET ", "SELECT pg_catalog.set_config", "CREATE SCHEMA")
    return "\n".join(line for line in told.splitlines() if not line.startswith(of_the_program))
