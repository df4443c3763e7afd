"""Start an IMAP server to practise on: Dovecot where it is installed and serves IMAP, else pymap."""

from __future__ import annotations

import imaplib
from collections.abc import Iterable
from typing import Protocol

from practice.servers.dovecot import available, start_dovecot
from practice.servers.pigeonhole import has_rules, start_pigeonhole
from practice.servers.pymap_server import start_pymap

LOGIN_SECONDS = 10.0


class ImapServer(Protocol):
    """Describe what both have.

    Attributes:
        auth: the ImapSettings.auth by which the master user opens any account.
    """

    host: str
    port: int
    security: str
    master_user: str
    master_password: str
    user_password: str
    auth: str
    product: str

    def stop(self) -> None:
        """Stop it."""


def start_imap(users: Iterable[str], prefer_dovecot: bool = True, *, rules: bool = False) -> ImapServer:
    """Start a server with these accounts, empty.

    A Dovecot that opens no mailbox after a login, as one that was installed in parts, is stopped again.

    Args:
        users: who may log in.
        prefer_dovecot: False for pymap in any case.
        rules: True for one that keeps rules and rights, too, where it is installed whole: a Pigeonhole.

    Raises:
        RuntimeError: no server starts.
    """
    accounts = list(users)
    if prefer_dovecot and available():
        server = (start_pigeonhole if rules and has_rules() else start_dovecot)(accounts)
        if not accounts or _opens(server, accounts[0]):
            return server
        server.stop()
    return start_pymap(accounts)


def _opens(server: ImapServer, account: str) -> bool:
    """Return whether an account's owner can open their inbox."""
    try:
        client = imaplib.IMAP4(server.host, server.port, timeout=LOGIN_SECONDS)
        try:
            client.login(f'"{account}"', server.user_password)
            return client.select("INBOX")[0] == "OK"
        finally:
            client.logout()
    except (OSError, imaplib.IMAP4.error):
        return False
