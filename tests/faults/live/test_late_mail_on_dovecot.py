"""Late mail on a real Dovecot: a worker dies at every commit, and its user files the mail away meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from on_dovecot import OnDovecot
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import Died, a_mailbox, dying_at

from ledger.db.rows import LegState, Phase

pytestmark = pytest.mark.dovecot
USERS = [f"user{number}" for number in range(60)]
LATE = b"From: a@x.example\r\nSubject: without a name\r\n\r\nIt has neither Message-ID nor Date.\r\n"
NAMED = (
    b"Received: by %%s\r\nFrom: a@x.example\r\nSubject: %s\r\nMessage-ID: <n%s@x.example>\r\n"
    b"Date: Mon, 1 Feb 2027 10:00:00 +0100\r\n\r\n%%s\r\n"
)

dovecot = dovecot_fixture(USERS)


def file_away(trial: OnDovecot) -> None:
    with trial.client() as client:
        client.create_folder("Mine")
        client.select_folder("INBOX")
        if found := client.search(["SUBJECT", "without a name"]):
            client.move(found, "Mine")


def copies(trial: OnDovecot) -> int:
    count = 0
    with trial.client() as client:
        for _, _, name in client.list_folders():
            client.select_folder(name, readonly=True)
            count += len(client.search(["SUBJECT", "without a name"]))
    return count


def test_a_mail_without_a_name_is_there_once_wherever_a_worker_died(
    quick_path: Path, dovecot: Dovecot
) -> None:
    filed = 0
    for number, user in enumerate(USERS, 1):
        (quick_path / user).mkdir()
        trial = OnDovecot(quick_path / user, a_mailbox(2), MemoryStore())
        trial.server, trial.user = dovecot, user
        assert trial.run().state is LegState.VERIFIED
        trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
        inbox = next(one.id for one in trial.mailbox.folders.values() if one.path == ("Posteingang",))
        trial.mailbox.deliver(inbox, LATE)
        quiet = trial.commits(dying_at("commit", number))
        died = False
        try:
            trial.run()
        except Died:
            died = True
        quiet()
        filed += copies(trial)
        file_away(trial)
        result = trial.run()
        assert (result.state, result.code) == (LegState.VERIFIED, None)
        assert copies(trial) == 1, number
        trial.discard()
        if not died:
            break
    assert not died
    assert filed > 1


def test_a_forged_mail_keeps_no_genuine_one_out(quick_path: Path, dovecot: Dovecot) -> None:
    """Somebody who got a copy delivers another text with its Message-ID and Date to the new account."""
    trial = OnDovecot(quick_path, a_mailbox(2), MemoryStore())
    trial.server, trial.user = dovecot, USERS[-1]
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    inbox = next(one.id for one in trial.mailbox.folders.values() if one.path == ("Posteingang",))
    both, forged = (NAMED % (number, number) for number in (b"1", b"2"))
    with trial.client() as client:
        for data in (both % (b"new", b"both were delivered"), forged % (b"new", b"IBAN of somebody else")):
            client.append("INBOX", data)
    trial.mailbox.deliver(inbox, both % (b"old", b"both were delivered"))
    trial.mailbox.deliver(inbox, forged % (b"old", b"IBAN of the sender"))
    for _ in range(2):
        assert trial.run().state is LegState.VERIFIED
        with trial.client() as client:
            client.select_folder("INBOX", readonly=True)
            counts = [
                len(client.search(["BODY", text])) for text in ("both were", "somebody else", "the sender")
            ]
        assert counts == [1, 1, 1]
