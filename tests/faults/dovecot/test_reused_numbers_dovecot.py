"""The same with a real Dovecot whose account is restored from a copy of its files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from on_dovecot import OnDovecot, put_back
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import SOURCE, letter

from ledger.db.rows import LegState
from model.protocols import Role

pytestmark = pytest.mark.dovecot
BEFORE, AFTER = 4, 9
FOREIGN = b"From: bert@else.example\r\nMessage-ID: <foreign@else.example>\r\n\r\nhello\r\n"


dovecot = dovecot_fixture([f"user{number}" for number in range(4)])


def contents(trial: OnDovecot) -> list[bytes]:
    with trial.client() as client:
        client.select_folder("INBOX", readonly=True)
        uids = client.search()
        return sorted(data[b"BODY[]"] for data in client.fetch(uids, ["BODY.PEEK[]"]).values())


@pytest.mark.parametrize("change", ["deletes", "reads", "leaves"])
def test_mail_under_our_numbers_stays(quick_path: Path, dovecot: Dovecot, change: str) -> None:
    user = f"user{['deletes', 'reads', 'leaves'].index(change)}"
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(BEFORE):
        mailbox.deliver(where, letter(number))
    trial = OnDovecot(quick_path, mailbox, MemoryStore())
    trial.server, trial.user = dovecot, user
    assert trial.run().state is LegState.VERIFIED
    files, copy = dovecot.lab / "mail" / user, quick_path / "copy"
    shutil.copytree(files, copy)
    late = [mailbox.deliver(where, letter(number)) for number in range(BEFORE, AFTER)]
    assert trial.run().state is LegState.VERIFIED

    put_back(dovecot, user, copy)
    with trial.client() as client:
        for _ in range(3):
            client.append("INBOX", FOREIGN)
    assert len(contents(trial)) == BEFORE + 3

    if change == "deletes":
        mailbox.delete(late[0])
    elif change == "reads":
        mailbox.mark(late[1], Marks(read=True, last_verb=102))
    for _ in range(3):
        result = trial.run()
    raws = contents(trial)
    assert raws.count(FOREIGN) == 3
    assert len(raws) == 3 + AFTER - (change == "deletes")
    assert (result.state, result.code) == (LegState.DIFFERS, "verification-differs")
    assert {*trial.findings()} == {("-", "unknown")}
    trial.approve("target-not-empty")
    assert trial.finish().state is LegState.VERIFIED
    assert contents(trial) == raws
