"""How often a leg waits for an IMAP server far away before the first mail is sent, and while it verifies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from connector_settings import dovecot_settings
from memory.doubles import MemoryStore
from on_dovecot import Walk
from servers.dovecot import Dovecot, start_dovecot
from services import need_dovecot
from walking import letter

from connectors.imap.target import ImapTarget
from connectors.imap.wire.connection import ImapConnection
from connectors.settings import Account
from ledger.db.rows import LegState
from model.protocols import Guard, Target

pytestmark = pytest.mark.dovecot
DAY = datetime(2021, 5, 1, 12, tzinfo=UTC)
BEFORE_THE_FIRST_MAIL, IN_ALL = 14, 28


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    need_dovecot()
    server = start_dovecot(["old0", "new0", "old30", "new30"])
    yield server
    server.stop()


class Waits:
    """Counts how often each connection sends something after it has read something, until an APPEND."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before_the_first_mail = 0
        self.all = 0
        self._sent: set[int] = set()
        self._appended = False
        flush, parts = ImapConnection.flush, ImapConnection._parts
        lock = threading.Lock()

        def counted_flush(connection: ImapConnection) -> None:
            with lock:
                self._appended |= any(b" APPEND " in data for data in connection._out)
                if connection._out and id(connection) not in self._sent:
                    self._sent.add(id(connection))
                    self.all += 1
                    self.before_the_first_mail += not self._appended
            flush(connection)

        def counted_parts(connection: ImapConnection) -> list[bytes]:
            found = parts(connection)
            with lock:
                self._sent.discard(id(connection))
            return found

        monkeypatch.setattr(ImapConnection, "flush", counted_flush)
        monkeypatch.setattr(ImapConnection, "_parts", counted_parts)


class Between(Walk):
    """From one account of the server to another one."""

    other: str

    def target(self, guard: Guard, *, live: bool) -> Target:
        settings = dovecot_settings(self.server, self.directory)
        return ImapTarget(settings, Account(login=self.other), guard, self.directory, live=live)


@pytest.mark.parametrize("folders", [0, 30])
def test_the_waits_before_the_first_mail_do_not_grow_with_empty_folders(
    quick_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, folders: int
) -> None:
    """Each folder that is made at the target takes two of them; logins are not counted."""
    walk = Between(quick_path, dovecot, f"old{folders}", MemoryStore())
    walk.other = f"new{folders}"
    with walk.client() as client:
        client.append("INBOX", letter(1, "mail"), (), DAY)
        for number in range(folders):
            client.create_folder(f"Folder {number}")
    waits = Waits(monkeypatch)
    assert walk.run().state is LegState.VERIFIED
    assert waits.before_the_first_mail - 2 * folders <= BEFORE_THE_FIRST_MAIL
    assert waits.all - 2 * folders <= IN_ALL
