"""What every test may use."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from services import need_postgres

from connectors.logins import LOGINS
from practice.postgres import Postgres, serve

MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True)
def no_login_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins like a process that has logged in nowhere."""
    monkeypatch.setattr(LOGINS, "_accepted", set())
    monkeypatch.setattr(LOGINS, "_doubts", {})


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A directory in memory where there is one: for thousands of small ledgers. Removed afterwards."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="kogge-", dir=base))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for all; each test makes a database or a schema of its own."""
    need_postgres()
    with serve() as server:
        yield server
