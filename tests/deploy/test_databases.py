"""deploy/databases.sql: a role may use its own database, and no other one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from servers.postgres import Postgres, serve
from services import need_postgres

SCRIPT = Path(__file__).parents[2] / "deploy" / "databases.sql"
PASSWORDS = {"LEDGER_PASSWORD": "one", "PREFECT_PASSWORD": "two"}


@pytest.fixture(scope="module")
def databases() -> Iterator[Postgres]:
    """A server whose first role has another name than those that the script makes."""
    need_postgres()
    with serve() as server:
        with connected(server, "postgres", "kogge") as connection:
            connection.execute("CREATE ROLE boss SUPERUSER LOGIN")
        with connected(server, "postgres", "boss") as connection:
            connection.execute("ALTER ROLE kogge RENAME TO first")
        words = ["psql", "-q", "-h", server.folder, "-U", "boss", "-d", "postgres", "-v", "ON_ERROR_STOP=1"]
        subprocess.run([*words, "-f", SCRIPT], check=True, env={**os.environ, **PASSWORDS})
        yield server


def connected(server: Postgres, database: str, role: str) -> psycopg.Connection:
    return psycopg.connect(host=str(server.folder), dbname=database, user=role, autocommit=True)


@pytest.mark.parametrize("role", ["kogge", "prefect"])
def test_a_role_reaches_its_own_database_alone(databases: Postgres, role: str) -> None:
    """What lies in template1 would be in every database that is made later."""
    with connected(databases, role, role) as connection:
        listed = connection.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()
    others = {str(name) for (name,) in listed} - {role}
    assert others >= {"postgres", "template1"}
    for name in sorted(others):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connected(databases, name, role).close()
