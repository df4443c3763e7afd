"""One fixture for both databases: every test that asks for `ledger` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from ledger_world import INBOX, claimed
from servers.postgres import Postgres

from ledger.db.rows import ContainerRow, Lease
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.protocols import Container

_numbers = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: Postgres = request.getfixturevalue("postgres")
    # A schema of its own is as empty as a database, and does not cost 7 MB.
    schema = f"ledger_{next(_numbers)}"
    address = server.url("postgres")
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{address}&options=-csearch_path%3D{schema}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def lease(ledger: Ledger) -> Lease:
    return claimed(ledger)


@pytest.fixture
def session(ledger: Ledger, lease: Lease) -> Iterator[LegLedger]:
    with ledger.session(lease, mirror=True) as opened:
        yield opened


@pytest.fixture
def inbox(session: LegLedger) -> ContainerRow:
    return session.record_container(INBOX)


@pytest.fixture
def other(session: LegLedger) -> ContainerRow:
    return session.record_container(Container(INBOX.kind, "folder-other", ("Ablage", "Süd/West")))
