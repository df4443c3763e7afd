"""How often a wrong password is tried where it is wrong at both sides."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from on_dovecot import Walk
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot

from connectors.imap import session
from connectors.imap.session import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.imap.wire.login import Client, log_in
from connectors.settings import Account, Secret
from ledger.db.rows import LegState
from model.protocols import Guard, Target

pytestmark = pytest.mark.dovecot
dovecot = dovecot_fixture(["anna", "anna2"])


class WithOnePassword(Walk):
    """From one account to another one, each opened by its person's password, which is wrong."""

    other: str
    target_port: int | None = None

    def _settings(self, port: int | None = None) -> ImapSettings:
        secret = self.directory / "wrong"
        secret.write_text("wrong")
        return ImapSettings(
            host=self.server.host,
            port=port or self.server.port,
            security="none",
            password=Secret(file=str(secret)),
            timeout_seconds=30 if port is None else 0.5,
        )

    def source(self) -> ImapSource:
        return ImapSource(self._settings(), Account(login=self.user), self.directory)

    def target(self, guard: Guard, *, live: bool) -> Target:
        settings = self._settings(self.target_port)
        return ImapTarget(settings, Account(login=self.other), guard, self.directory, live=live)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who logged in, or tried."""
    tried: list[str] = []

    def noted(client: Client, login: str, password: str) -> None:
        tried.append(login)
        log_in(client, login, password)

    monkeypatch.setattr(session, "log_in", noted)
    return tried


@pytest.fixture
def walk(quick_path: Path, dovecot: Dovecot) -> WithOnePassword:
    return WithOnePassword(quick_path, dovecot, "anna", MemoryStore())


@pytest.mark.parametrize("other", ["anna", "Anna"])
def test_one_person_is_refused_once(walk: WithOnePassword, tried: list[str], other: str) -> None:
    walk.other = other
    result = walk.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "login-refused")
    assert tried == [other]


@pytest.mark.parametrize("silent", [True, False])
def test_a_source_that_refuses_is_not_asked_again_while_the_target_is_away(
    walk: WithOnePassword, tried: list[str], silent: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as away:
        walk.other, walk.target_port = "bert", away.getsockname()[1]
        if not silent:
            away.close()
        result = walk.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "login-refused")
    assert tried == ["anna"]
