"""A database server that is stopped and started again: who begins a transaction waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from servers.postgres import Postgres, serve
from services import need_postgres
from sqlalchemy import text
from sqlalchemy.engine.interfaces import DBAPIConnection

from engine.control.ledger_patience import LedgerPatience
from ledger import open_ledgers
from ledger.db import postgresql
from ledger.db.engine import reading, writing
from ledger.db.patience import AT_ONCE
from ledger.store import Ledger
from model.errors import Misconfigured, Transient

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]
ONE = text("SELECT 1")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One that this module may stop."""
    need_postgres()
    with serve() as running:
        running.create("kogge")
        yield running


@contextmanager
def away(server: Postgres, seconds: float) -> Iterator[None]:
    """The server is killed, and comes back after so long."""
    server.stop()
    back = threading.Timer(seconds, server.start)
    back.start()
    try:
        yield
    finally:
        back.join()


def patient(seconds: float = 60) -> LedgerPatience:
    return LedgerPatience(seconds, say=lambda _line: None)


def test_a_ledger_is_opened_and_used_while_its_server_is_away(server: Postgres) -> None:
    url = server.url("kogge")
    with away(server, 1), open_ledgers.opened(url, upgrade=True, patience=patient()) as ledger:
        assert ledger.mailboxes() == []
        with pytest.raises(Transient, match="ledger-unavailable"):
            _cut_off(ledger, server)
        threading.Timer(1, server.start).start()
        assert ledger.mailboxes() == [], "a kept connection is replaced, once there is a server"
        with reading(ledger.engine) as connection:
            assert connection.execute(ONE).scalar_one() == 1


def _cut_off(ledger: Ledger, server: Postgres) -> None:
    """A transaction that is under way is not repeated by itself."""
    with writing(ledger.engine) as connection:
        server.stop()
        connection.execute(ONE)


def test_a_kept_connection_is_asked_only_after_a_while_or_when_it_ended(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_ledgers.opened(server.url("kogge"), upgrade=True, patience=patient()) as ledger:
        pings: list[object] = []
        ping = ledger.engine.dialect.do_ping

        def counted(connection: DBAPIConnection) -> bool:
            pings.append(connection)
            return ping(connection)

        monkeypatch.setattr(ledger.engine.dialect, "do_ping", counted)
        assert ledger.mailboxes() == ledger.mailboxes() == []
        assert not pings
        server.stop()
        server.start()
        assert ledger.mailboxes() == [], "the server closed it, which is seen at once"
        assert len(pings) == 1
        monkeypatch.setattr(postgresql, "monotonic", lambda: time.monotonic() + postgresql.QUIET_SECONDS)
        assert ledger.mailboxes() == []
        assert len(pings) == 2


def test_without_patience_it_is_asked_once(server: Postgres) -> None:
    ledger = Ledger(server.url("kogge"))
    server.stop()
    with pytest.raises(Transient, match="ledger-unavailable"):
        ledger.mailboxes()
    server.start()
    assert ledger.mailboxes() == []
    ledger.close()


def test_what_the_server_refuses_is_not_asked_again(server: Postgres) -> None:
    ledger = Ledger(server.url("no_such_database"))
    with ledger.patience.use(patient(3600)), pytest.raises(Misconfigured):
        ledger.mailboxes()
    ledger.close()


def test_an_inner_block_never_waits_for_less(server: Postgres) -> None:
    ledger = Ledger(server.url("kogge"))
    longer, shorter = patient(60), patient(5)
    with ledger.patience.use(longer):
        with ledger.patience.use(shorter):
            assert ledger.patience.chosen is longer
        assert ledger.patience.chosen is longer
    assert ledger.patience.chosen is AT_ONCE
    ledger.close()
