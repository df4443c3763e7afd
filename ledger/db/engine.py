"""Make one engine for both databases: durable commits, the database's own clock, errors without content."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Float, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.functions import FunctionElement

from ledger.db import postgresql
from ledger.db.counters import OPTION, Counters, counters_of
from ledger.db.limits import LOCK_SECONDS, LONG_SECONDS
from ledger.db.patience import UNAVAILABLE, ConnectPatience
from ledger.db.trust import refused, silence
from ledger.db.unwritable import not_created, unwritable
from model.errors import Corrupt, MigrationError, Misconfigured, Transient

_PRAGMAS = (
    f"busy_timeout={LOCK_SECONDS * 1000}",
    "journal_mode=WAL",
    # A power loss must not forget a committed `writing`: NORMAL would.
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "cache_size=-8000",
)


class Transaction(Protocol):
    """Begin a transaction on the connection that a leg's worker shares with its parts."""

    def __call__(
        self, *, writes: bool, touches: Collection[int] | None = ..., places: bool = ...
    ) -> AbstractContextManager[Connection]:
        """Begin a transaction; it commits at the end, and an exception rolls it back.

        Args:
            writes: True for a write transaction, which begins with the fence.
            touches: the ids of the containers whose items it writes; None means any.
            places: False if what is known of the containers themselves stays as it is.
        """
        ...


class now(FunctionElement[float]):  # noqa: N801  (reads as the SQL function it is)
    """Read the database's clock: seconds since 1970 UTC, with fractions.

    It is not the transaction's start.
    """

    type = Float(53)
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(_element: now, _compiler: Any, **_: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(_element: now, _compiler: Any, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


def parse_url(url: str) -> URL:
    """Parse the address of a ledger.

    Args:
        url: sqlite:///FILE or postgresql+psycopg://….

    Raises:
        Misconfigured: it is no such address. The text does not repeat it, because it may hold a password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured(
            "ledger", "not a database URL (sqlite:///file or postgresql+psycopg://…)"
        ) from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise Misconfigured("ledger", "a ledger lives on SQLite or PostgreSQL (postgresql+psycopg)")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise Misconfigured("ledger", "a ledger needs a file; a database in memory would forget")
    return parsed


def make_engine(url: URL, patience: ConnectPatience | None = None) -> Engine:
    """Make an engine, without a connection yet. Statements' parameters never reach an error's text.

    Args:
        url: see parse_url.
        patience: how long new connections to a server are waited for; None to try once.
    """
    # No upper bound on connections: every leg at work holds one, and the operator bounds the legs. All are
    # kept, because a new one costs PostgreSQL more than many a transaction.
    url, args = (url, {}) if url.get_backend_name() == "sqlite" else postgresql.split(url)
    engine = create_engine(
        url, hide_parameters=True, pool_size=0, connect_args=args, execution_options={OPTION: Counters()}
    )
    if engine.dialect.name == "postgresql":
        postgresql.listen(engine, patience or ConnectPatience())
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", lambda *_: create_private_file(url))
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def create_private_file(url: URL) -> None:
    """Create the SQLite file, and its folder, for its owner only. Idempotent.

    SQLite gives its WAL the same mode.

    Raises:
        Misconfigured: the file cannot be created.
        Unwritable: no space is left for it.
    """
    path = Path(str(url.database))
    try:
        for folder in reversed([directory for directory in path.parents if not directory.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise not_created(error, path) from None


def _configure_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The sqlite3 module's own transaction handling begins late and never IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Translate errors of the database into ours.

    Their text is dropped, because PostgreSQL's holds the values of a row.

    Raises:
        Misconfigured: the ledger does not exist, is of an older version, or its server is not trusted, or
            refuses the login.
        Corrupt: "ledger-inconsistent" if a constraint was violated, "ledger-damaged" if a statement was
            refused.
        Unwritable: "ledger-full" or "ledger-unwritable". A person has to do something about it.
        Transient: "ledger-unavailable". A commit may have happened all the same.
    """
    try:
        yield
    except DBAPIError as error:
        raise _as_ours(error.orig, engine.url, lost=error.connection_invalidated) from None
    except sqlite3.Error as error:  # from _configure_sqlite, which SQLAlchemy does not wrap
        raise _as_ours(error, engine.url, lost=False) from None


def _as_ours(error: BaseException | None, url: URL, *, lost: bool) -> MigrationError:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"UndefinedTable", "UndefinedColumn"} or str(error).startswith(
        ("no such table", "no such col")
    ):
        return Misconfigured(
            "ledger", "there is no ledger yet, or it is of an older version: `kogge ledger upgrade`"
        )
    if (stuck := unwritable(error, url)) is not None:
        return stuck
    if not lost and kinds & {"OperationalError"} and (advice := refused(str(error))) is not None:
        return Misconfigured("ledger", advice)
    if "IntegrityError" in kinds:
        return Corrupt("ledger-inconsistent", "a constraint of the ledger was violated")
    if lost or kinds & {"OperationalError", "InterfaceError"}:
        return Transient(UNAVAILABLE, silence(kinds, str(error)))
    if getattr(error, "sqlite_errorname", None) == "SQLITE_NOTADB":
        told = "the ledger's file is no database of SQLite: see that ledger.url names the right one"
        return Corrupt("ledger-damaged", told).with_local_cause(str(Path(str(url.database)).absolute()))
    return Corrupt("ledger-damaged", "the ledger's database refused a statement")


def isolation(engine: Engine, *, writes: bool) -> dict[str, Any]:
    """Return the execution options of a transaction, for connections that are kept.

    A single question to PostgreSQL needs no BEGIN and no COMMIT, each of which is a way to the server and
    back.
    """
    if engine.dialect.name == "sqlite":
        return {"writes": writes}
    return {"writes": writes, "isolation_level": "READ COMMITTED" if writes else "AUTOCOMMIT"}


# A report asks many functions of the ledger, and each begins `reading` itself. As a parameter, the connection
# of the snapshot would be in the signature of all of them, and whoever forgot it would read another moment
# without a sign. Only `reading` sees this variable; it belongs to the thread or task that took the snapshot.
_SNAPSHOT: ContextVar[Connection | None] = ContextVar("snapshot", default=None)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Begin a read transaction. On SQLite it is one snapshot. Within snapshot(), it is a part of that one.

    Raises:
        MigrationError: as of translated().
    """
    shared = _SNAPSHOT.get()
    if shared is not None and shared.engine is engine:
        with translated(engine):
            yield shared
        return
    with translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """Begin to ask single questions, each of which may see another moment on PostgreSQL; see isolation().

    Nothing that is locked or streamed. Within snapshot(), and on SQLite, it is the same as reading().

    Raises:
        MigrationError: as of translated().
    """
    if _SNAPSHOT.get() is not None:
        with reading(engine) as connection:
            yield connection
        return
    with translated(engine), engine.connect() as connection:
        connection.execution_options(**isolation(engine, writes=False))
        with connection.begin():
            yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[None]:
    """Make all that this thread reads within be of one moment, whatever others commit meanwhile.

    Keep it short: neither database cleans up behind that moment while the snapshot lasts.

    Raises:
        MigrationError: as of translated().
    """
    with translated(engine), engine.connect() as plain:
        if engine.dialect.name == "postgresql":
            connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            connection = plain
        with connection.begin(), postgresql.as_long_as(connection, LONG_SECONDS):
            token = _SNAPSHOT.set(connection)
            try:
                yield
            finally:
                _SNAPSHOT.reset(token)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Begin a write transaction. It commits at the end; an exception rolls it back.

    On SQLite it takes the write lock at once (BEGIN IMMEDIATE).

    Raises:
        MigrationError: as of translated(). After Transient the commit may have happened.
    """
    with (
        counters_of(engine).timed("write"),
        translated(engine),
        engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        yield connection
