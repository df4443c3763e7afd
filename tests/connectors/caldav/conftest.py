"""A Radicale for all, and for each test an account of its own behind a proxy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from dav_desk import PASSWORD_ENV, Desk
from server_fixtures import radicale_fixture
from servers.dav.dav_proxy import DavProxy

from practice.dav.radicale import USER_PASSWORD, RadicaleServer

USERS = tuple(f"user{number}" for number in range(300))
_fresh = itertools.cycle(USERS)


radicale = radicale_fixture(USERS, scope="session")


@pytest.fixture
def desk(radicale: RadicaleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with DavProxy(radicale) as proxy:
        made = Desk(radicale, next(_fresh), tmp_path / "spool", proxy)
        yield made
        made.close()
