"""A Pigeonhole, an account that nobody used before, and the connector on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pigeonhole_fixtures import pigeonhole_fixture
from servers.pigeonhole import Pigeonhole
from sieve_desk import OpenTarget, meaning

from connectors.settings import Account
from connectors.sieve.session import Session
from connectors.sieve.settings import SieveSettings
from connectors.sieve.target import SieveTarget
from model.kinds import Kind

USERS = tuple(f"user{number}" for number in range(120))
_fresh = iter(USERS)
pigeonhole = pigeonhole_fixture(USERS)


@pytest.fixture
def user(pigeonhole: Pigeonhole) -> str:
    del pigeonhole
    return next(_fresh)


@pytest.fixture
def settings(pigeonhole: Pigeonhole, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SieveSettings]:
    monkeypatch.setenv("MASTER_PASSWORD", pigeonhole.master_password)

    def make(**more: object) -> SieveSettings:
        basic = {
            "host": "127.0.0.1",
            "port": pigeonhole.sieve_port,
            "tls": {"ca_file": str(pigeonhole.ca_file)},
            "auth": "plain-authzid",
            "username": pigeonhole.master_user,
            "password": {"env": "MASTER_PASSWORD"},
            "timeout_seconds": 20,
        }
        return SieveSettings.model_validate(basic | more)

    return make


@pytest.fixture
def session(settings: Callable[..., SieveSettings], user: str) -> Iterator[Session]:
    """What the person themselves does."""
    opened = Session(settings(), Account(login=user), lambda: None)
    yield opened
    opened.close()


@pytest.fixture
def target(settings: Callable[..., SieveSettings], user: str) -> Iterator[OpenTarget]:
    opened: list[SieveTarget] = []

    def make(guard: Callable[[], None] = lambda: None, *, live: bool = False, **more: object) -> SieveTarget:
        account = Account(login=user)
        opened.append(
            SieveTarget(settings(**more), account, guard, kind=Kind.MAIL, digest=meaning, live=live)
        )
        return opened[-1]

    yield make
    for each in opened:
        each.close()
