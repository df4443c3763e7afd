"""The practice IMAP servers: what the demo and the tests rely on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot, start_dovecot
from services import need_dovecot

from connectors.imap.session import ImapSettings
from connectors.imap.target import ImapTarget
from connectors.settings import Account
from model.errors import Blocked
from practice.servers.imap import ImapServer, start_imap
from practice.servers.pymap_server import PymapServer

USERS = ("anna", "ben", "clara", "david", "eva")


@pytest.fixture(scope="module", params=[True, False], ids=["preferred", "pymap"])
def server(request: pytest.FixtureRequest) -> Iterator[ImapServer]:
    running = start_imap(USERS, prefer_dovecot=request.param)
    yield running
    running.stop()


dovecot = dovecot_fixture(["anna"], quota=100_000)


def opened(server: ImapServer, user: str, spool: Path, monkeypatch: pytest.MonkeyPatch) -> ImapTarget:
    monkeypatch.setenv("MASTER", server.master_password)
    settings = ImapSettings.model_validate(
        {
            "host": server.host,
            "port": server.port,
            "security": server.security,
            "auth": server.auth,
            "username": server.master_user,
            "password": {"env": "MASTER"},
        }
    )
    return ImapTarget(settings, Account(login=user), lambda: None, spool)


def test_the_master_opens_five_different_accounts(
    server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = [opened(server, user, tmp_path, monkeypatch) for user in USERS]
    assert len({target.identity().id for target in targets}) == len(USERS)
    assert all(target.capabilities.keywords for target in targets)
    for target in targets:
        target.close()


def test_a_user_without_an_account_is_told_apart(
    server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = opened(server, "nobody-here", tmp_path, monkeypatch)
    with pytest.raises(Blocked, match="mailbox-missing"):
        target.identity()
    target.close()


def test_users_log_in_themselves_and_not_as_each_other(server: ImapServer) -> None:
    client = IMAPClient(server.host, server.port, ssl=False, timeout=10)
    client.login("anna", server.user_password)
    assert client.select_folder("INBOX")[b"EXISTS"] == 0
    client.logout()
    other = IMAPClient(server.host, server.port, ssl=False, timeout=10)
    with pytest.raises(IMAPClient.Error):
        other.plain_login("anna", server.user_password, "ben")
    other.shutdown()


def test_pymap_goes_when_it_is_stopped() -> None:
    running = start_imap(["anna"], prefer_dovecot=False)
    running.stop()
    running.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((running.host, running.port), timeout=5)


@pytest.mark.dovecot
def test_dovecot_keeps_mail_over_a_kill(dovecot: Dovecot) -> None:
    client = IMAPClient(dovecot.host, dovecot.port, ssl=False, timeout=10)
    client.login("anna", dovecot.user_password)
    client.append("INBOX", b"Subject: x\r\n\r\nx\r\n")
    dovecot.kill()
    with pytest.raises((OSError, IMAPClient.Error)):
        client.noop()
    client.shutdown()
    dovecot.start()
    again = IMAPClient(dovecot.host, dovecot.port, ssl=False, timeout=10)
    again.login("anna", dovecot.user_password)
    assert again.select_folder("INBOX")[b"EXISTS"] == 1
    again.logout()


@pytest.mark.dovecot
def test_dovecot_leaves_nothing_behind() -> None:
    need_dovecot()
    running = start_dovecot(["anna"])
    lab = running.lab
    assert lab.is_dir()
    running.stop()
    running.stop()
    assert not lab.exists()


def test_a_dovecot_that_opens_no_mailbox_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that was installed without the part that serves IMAP after a login."""
    with socket.create_server(("127.0.0.1", 0)) as listener:  # nobody is behind it: the login gets no answer
        useless = PymapServer(listener.getsockname()[1], None)  # type: ignore[arg-type]
        stopped: list[ImapServer] = []
        monkeypatch.setattr(PymapServer, "stop", lambda server: stopped.append(server))
        monkeypatch.setattr("practice.servers.imap.LOGIN_SECONDS", 0.1)
        monkeypatch.setattr("practice.servers.imap.available", lambda: True)
        monkeypatch.setattr("practice.servers.imap.start_dovecot", lambda _users: useless)
        monkeypatch.setattr("practice.servers.imap.start_pymap", lambda users: users)
        assert start_imap(iter(USERS)) == list(USERS)
    assert stopped == [useless]
