"""An IMAP server to practise on: Dovecot where it is installed, else pymap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from practice.servers.dovecot import available, start_dovecot
from practice.servers.pymap_server import start_pymap


class ImapServer(Protocol):
    """What both have. auth is the ImapSettings.auth by which the master user opens any account."""

    host: str
    port: int
    security: str
    master_user: str
    master_password: str
    user_password: str
    auth: str
    product: str

    def stop(self) -> None: ...


def start_imap(users: Iterable[str], prefer_dovecot: bool = True) -> ImapServer:
    """A server with these accounts, empty. Raises RuntimeError when it does not start."""
    if prefer_dovecot and available():
        return start_dovecot(users)
    return start_pymap(users)
