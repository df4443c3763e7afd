"""deploy/databases.sql: a role may use its own database, and no other one; the metrics' may only read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from commands import run
from scripted import SIDES
from servers.postgres import Postgres, serve
from services import need_postgres

from engine.config.load import load
from ledger.store import Ledger

SCRIPT = Path(__file__).parents[2] / "deploy" / "databases.sql"
READER = "kogge_metrics"
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


def test_the_metrics_are_read_by_a_role_that_may_not_write(
    databases: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql+psycopg://kogge@/kogge?host={databases.folder}"
    with closing(Ledger(url)) as ledger:
        ledger.migrate()
    config = tmp_path / "kogge.toml"
    config.write_text(f'{SIDES}\n[ledger]\nurl = "{url}"\n[ledger.reader]\nuser = "{READER}"\n')
    assert load(config).ledger_url(reads=True).startswith(f"postgresql+psycopg://{READER}@")
    assert run("metrics", "--once", "--config", str(config)) == 0
    assert "kogge_ledger_up 1.0" in capsys.readouterr().out
    with connected(databases, "kogge", READER) as connection:
        assert connection.execute("SELECT count(*) FROM leg").fetchone() == (0,)
        for statement in ("DELETE FROM leg", "CREATE TABLE mine ()", "INSERT INTO wave (name) VALUES ('w')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
