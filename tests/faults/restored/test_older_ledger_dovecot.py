"""The number of a pass is kept by a real Dovecot, beside the account: an older ledger is noticed by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from backups import restored, saved
from memory.doubles import MemoryMailbox, MemoryStore
from on_dovecot import OnDovecot
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import SOURCE, letter

from ledger.db.rows import LegState, Phase
from model.protocols import Role

pytestmark = pytest.mark.dovecot


dovecot = dovecot_fixture(["user", "mover"])


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


def test_what_a_live_user_did_is_not_mirrored_over(quick_path: Path, dovecot: Dovecot) -> None:
    """The mailbox moved on after its last pass; the backup is from between."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(4):
        mailbox.deliver(where, letter(number))
    trial = OnDovecot(quick_path, mailbox, MemoryStore())
    trial.server, trial.user = dovecot, "mover"
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    assert trial.run().state is LegState.VERIFIED
    backup = saved(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    trial.leave_move()
    mailbox.delete(next(iter(mailbox.folders[where].messages)))
    with trial.client() as client:
        client.select_folder("INBOX")
        client.add_flags(client.search(), [b"\\Flagged"])
        client.append("INBOX", letter(70))
    restored(trial, backup)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "phase-behind")
        trial.ledger.requeue()
    with trial.client() as client:
        client.select_folder("INBOX", readonly=True)
        assert len(client.search()) == 5
        assert len(client.search("FLAGGED")) == 4
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    assert trial.run().state is LegState.VERIFIED
    assert count(trial) == 5
