"""A real Dovecot whose account is put back to a backup: live, what is lost waits for a person."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from on_dovecot import OnDovecot, put_back
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import SOURCE, TODAY, letter, verified

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase
from model.protocols import Role

pytestmark = pytest.mark.dovecot
BEFORE, AFTER = 4, 9


dovecot = dovecot_fixture(["live", "staging"])


def numbers(trial: OnDovecot) -> list[int]:
    """The numbers of the letters that are there, by their Message-IDs."""
    with trial.client() as client:
        client.select_folder("INBOX", readonly=True)
        heads = client.fetch(client.search(), ["ENVELOPE"]).values()
        return sorted(int(head[b"ENVELOPE"].message_id[1:].partition(b"@")[0]) for head in heads)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.LIVE])
def test_what_a_restore_lost_is_there_once_again(quick_path: Path, dovecot: Dovecot, phase: Phase) -> None:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(BEFORE):
        mailbox.deliver(where, letter(number))
    trial = OnDovecot(quick_path, mailbox, MemoryStore())
    trial.server, trial.user = dovecot, phase.value
    verified(trial)
    files, copy = dovecot.lab / "mail" / trial.user, quick_path / "copy"
    shutil.copytree(files, copy)
    for number in range(BEFORE, AFTER):
        mailbox.deliver(where, letter(number))
    verified(trial)
    if phase is Phase.LIVE:
        trial.ledger.set_phase(trial.id, phase, "somebody")
        verified(trial)

    put_back(dovecot, trial.user, copy)
    for number in range(20, 23):
        mailbox.deliver(where, letter(number), Marks(received=TODAY))
    if phase is Phase.LIVE:
        look = trial.run(task=Task(Level.BOTH, copy=False))
        assert (look.state, look.code) == (LegState.DIFFERS, "target-restored")
        assert ("+", "target-restored") in trial.findings()
        for _ in range(2):
            result = trial.run()
            assert (result.state, result.code) == (LegState.COPIED, "target-restored")
            assert numbers(trial) == [*range(BEFORE), *range(20, 23)]
        trial.approve("target-restored")
    verified(trial)
    assert numbers(trial) == [*range(AFTER), *range(20, 23)]
    verified(trial)
    assert numbers(trial) == [*range(AFTER), *range(20, 23)]
