"""How often a wrong password is tried where it is wrong at both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from on_dovecot import Walk
from server_fixtures import dovecot_fixture

from connectors.imap import session
from connectors.imap.session import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.imap.wire.login import Client, log_in
from connectors.settings import Account, Secret
from ledger.db.rows import LegState
from model.protocols import Guard, Target
from practice.servers.dovecot import Dovecot

pytestmark = pytest.mark.dovecot
dovecot = dovecot_fixture(["anna", "anna2"])


class WithOnePassword(Walk):
    """From one account to another one, each opened by its person's password, which is wrong."""

    other: str

    def _settings(self) -> ImapSettings:
        secret = self.directory / "wrong"
        secret.write_text("wrong")
        host, port = self.server.host, self.server.port
        return ImapSettings(host=host, port=port, security="none", password=Secret(file=str(secret)))

    def source(self) -> ImapSource:
        return ImapSource(self._settings(), Account(login=self.user), self.directory)

    def target(self, guard: Guard, *, live: bool) -> Target:
        return ImapTarget(self._settings(), Account(login=self.other), guard, self.directory, live=live)


@pytest.mark.parametrize("other", ["anna", "Anna"])
def test_one_person_is_refused_once(
    quick_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    tried: list[str] = []

    def noted(client: Client, login: str, password: str) -> None:
        tried.append(login)
        log_in(client, login, password)

    monkeypatch.setattr(session, "log_in", noted)
    walk = WithOnePassword(quick_path, dovecot, "anna", MemoryStore())
    walk.other = other
    result = walk.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "login-refused")
    assert tried == [other]
