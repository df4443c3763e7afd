"""A private Dovecot, an account nobody used before, and both sides of the IMAP connector on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imap_items import Settings
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot

from connectors.imap.session import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.settings import Account

USERS = tuple(f"user{number}" for number in range(60))
_fresh = iter(USERS)


dovecot = dovecot_fixture(USERS, tls=True)


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    """An account nobody used before."""
    return next(_fresh)


@pytest.fixture
def settings(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MASTER_PASSWORD", dovecot.master_password)
    monkeypatch.setenv("USER_PASSWORD", dovecot.user_password)

    def make(**more: object) -> ImapSettings:
        basic = {
            "host": "127.0.0.1",
            "port": dovecot.port,
            "security": "none",
            "auth": "master-user",
            "username": dovecot.master_user,
            "password": {"env": "MASTER_PASSWORD"},
            "timeout_seconds": 20,
        }
        return ImapSettings.model_validate(basic | more)

    return make


@pytest.fixture
def target(settings: Settings, user: str, tmp_path: Path) -> Iterator[Callable[..., ImapTarget]]:
    opened: list[ImapTarget] = []

    def make(guard: Callable[[], None] = lambda: None, login: str = user, **more: object) -> ImapTarget:
        opened.append(ImapTarget(settings(**more), Account(login=login), guard, tmp_path))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def source(settings: Settings, user: str, tmp_path: Path) -> Iterator[Callable[..., ImapSource]]:
    opened: list[ImapSource] = []

    def make(**more: object) -> ImapSource:
        opened.append(ImapSource(settings(**more), Account(login=user), tmp_path))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
