"""The number of a pass is kept by a real Dovecot, beside the account: an older ledger is noticed by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from memory.doubles import MemoryMailbox, MemoryStore
from on_dovecot import OnDovecot
from services import need_dovecot
from test_older_ledger import restored, saved
from walking import SOURCE, letter

from ledger.db.rows import LegState
from model.protocols import Role
from practice.servers.dovecot import Dovecot, start_dovecot

pytestmark = pytest.mark.dovecot


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    need_dovecot()
    server = start_dovecot(["user"])
    yield server
    server.stop()


def count(trial: OnDovecot) -> int:
    with trial.client() as client:
        return int(client.folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"])


def test_nothing_is_written_twice(quick_path: Path, dovecot: Dovecot) -> None:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(6):
        mailbox.deliver(where, letter(number))
    trial = OnDovecot(quick_path, mailbox, MemoryStore())
    trial.server, trial.user = dovecot, "user"
    assert trial.run().state is LegState.VERIFIED
    backup = saved(trial)
    for number in range(6, 15):
        mailbox.deliver(where, letter(number))
    mailbox.deliver(where, letter(14))
    assert trial.run().state is LegState.VERIFIED
    restored(trial, backup)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "ledger-restored")
        assert count(trial) == 16
    mailbox.deliver(where, letter(90))
    trial.approve("ledger-restored")
    result = trial.run()
    assert (result.state, result.code, result.tally.new) == (LegState.VERIFIED, None, 1)
    assert count(trial) == 17
    assert trial.run().state is LegState.VERIFIED
