"""Make connections to PostgreSQL that end in bounded time, whatever becomes of the server."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.db.limits import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    LOCK_SECONDS,
    MARGIN_SECONDS,
    STATEMENT_SECONDS,
)
from ledger.db.patience import UNAVAILABLE, ConnectPatience
from ledger.db.trust import refused, silence
from model.errors import Misconfigured, Transient

_LIBPQ = {
    # A server that is gone without a word is noticed within half a minute, whether we wait or send.
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "client_encoding": "UTF8",
}
_SESSION = (
    f"lock_timeout={LOCK_SECONDS}s",
    # The server's side of the same: what a machine that is gone has locked is free within a minute.
    "tcp_keepalives_idle=30",
    "tcp_keepalives_interval=10",
    "tcp_keepalives_count=3",
)
_OURS = ("statement_seconds", "idle_seconds")
"""Parts of a ledger's address that libpq does not know."""
_STATEMENT = "set_config('statement_timeout', :most, true)"
_IDLE = "set_config('idle_in_transaction_session_timeout', :most, true)"
_FRESH, _USED = "fresh", "used"
QUIET_SECONDS = 5.0
"""After so long without use a kept connection is asked whether it still answers. Before that it is enough
that nothing came: a server that ends closes its connections, and a network that is gone without a word may be
gone in the middle of a transaction just as well."""


def split(url: URL) -> tuple[URL, dict[str, Any]]:
    """Return the address without the parts that are ours, and the arguments of a new connection.

    What the address states itself is left as it is.
    """
    statement, idle = (
        int(str(url.query.get(name, default)))
        for name, default in zip(_OURS, (STATEMENT_SECONDS, IDLE_SECONDS), strict=True)
    )
    ours = {"connect_timeout": CONNECT_SECONDS, **_LIBPQ}
    args: dict[str, Any] = {name: value for name, value in ours.items() if name not in url.query}
    session = (
        *_SESSION,
        f"statement_timeout={statement}s",
        f"idle_in_transaction_session_timeout={idle}s",
    )
    options = " ".join(f"-c {setting}" for setting in session)
    args["options"] = f"{options} {url.query.get('options', '')}".strip()
    args["statement_seconds"] = statement
    return url.difference_update_query(_OURS), args


def listen(engine: Engine, patience: ConnectPatience) -> None:
    """Make the engine's connections bounded, and refuse a database that does not keep text as UTF-8.

    A transaction begins with a connection, and nothing of it is lost while none is there. So a server that
    is away is waited for here, wherever the transaction is.
    """
    event.listen(engine, "do_connect", partial(_connect, patience))
    # Before SQLAlchemy asks for the server's version, which it cannot read then.
    event.listen(engine, "connect", _refuse_other_encodings, insert=True)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_ping, engine.dialect, patience))


def _connect(
    patience: ConnectPatience, dialect: Dialect, entry: ConnectionPoolEntry, args: Any, named: dict[str, Any]
) -> Any:
    # Loaded late: a ledger on SQLite does without psycopg.
    from ledger.db.bounded_connection import connect

    limit = named.pop("statement_seconds") + MARGIN_SECONDS
    parameters = {**({"conninfo": args[0]} if args else {}), **named}
    entry.info[_FRESH] = True

    def attempt() -> Any:
        try:
            return connect(parameters, limit)
        except dialect.loaded_dbapi.OperationalError as error:
            if refused(str(error)) is not None:
                raise
            kinds = {kind.__name__ for kind in type(error).__mro__}
            raise Transient(UNAVAILABLE, silence(kinds, str(error))) from None

    return patience.chosen.ask(attempt)


def _refuse_other_encodings(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise Misconfigured(
            "ledger",
            f"its database keeps text as {encoding}: make another one for it, with CREATE DATABASE kogge"
            " ENCODING 'UTF8' TEMPLATE template0",
        )


def _note_use(_: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info[_USED] = monotonic()


def _has_word(connection: Any) -> bool:
    """Return True if the connection has ended, or if the server sent something unasked: that it ends."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.pgconn.socket, select.POLLIN)
    return bool(waiting.poll(0))


def _ping(
    dialect: Dialect, patience: ConnectPatience, connection: Any, entry: ConnectionPoolEntry, _: object
) -> None:
    """Ask a connection that was kept whether it still answers, for as long as a new one may take."""
    if entry.info.pop(_FRESH, False):
        return
    if monotonic() - entry.info.get(_USED, -QUIET_SECONDS) < QUIET_SECONDS and not _has_word(connection):
        return
    before, connection.limit = connection.limit, float(CONNECT_SECONDS)
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error
    finally:
        connection.limit = before
    patience.chosen.answered()


def within(connection: Connection, seconds: float) -> AbstractContextManager[None]:
    """Give up a statement of this transaction after so many seconds, but not before one."""
    return _limited(connection, max(seconds, 1.0), text(f"SELECT {_STATEMENT}"))


def as_long_as(connection: Connection, seconds: float | None) -> AbstractContextManager[None]:
    """Let a statement of this transaction take so long, and so long may pass between two of them.

    Args:
        connection: in a transaction.
        seconds: None means that only a server that is gone ends them.
    """
    return _limited(connection, seconds, text(f"SELECT {_STATEMENT}, {_IDLE}"))


@contextmanager
def _limited(connection: Connection, seconds: float | None, limits: TextClause) -> Iterator[None]:
    if connection.dialect.name != "postgresql":
        yield
        return
    raw: Any = connection.connection.driver_connection
    before = raw.limit
    raw.limit = None if seconds is None else seconds + MARGIN_SECONDS
    try:
        connection.execute(limits, {"most": str(0 if seconds is None else int(seconds * 1000))}).all()
        yield
    finally:
        raw.limit = before
