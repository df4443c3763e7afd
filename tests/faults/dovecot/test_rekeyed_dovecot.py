"""A real Dovecot as the source: its folders get another UIDVALIDITY, as those of a restored server do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from connector_settings import dovecot_settings
from imapclient import IMAPClient
from memory.doubles import MemoryStore, MemoryTarget
from services import need_dovecot
from walking import KEK, PACE, PROVEN, SOURCE, TARGET, letter

from connectors.imap.source import ImapSource
from connectors.settings import Account
from engine.context.leg_context import Opener
from engine.identity.identity_gate import Pair
from engine.leg.leg_result import LegResult
from engine.leg.run import Leg, LegSetting, Task, approvals
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.protocols import Kind
from practice.servers.dovecot import Dovecot, start_dovecot

pytestmark = pytest.mark.dovecot
ITEMS = 40
DAY = datetime(2021, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module", params=[(), ("QRESYNC",)], ids=["qresync", "plain"])
def dovecot(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    need_dovecot()
    server = start_dovecot([f"user{number}" for number in range(20)], hide=request.param)
    yield server
    server.stop()


@dataclass
class Walk:
    """One account of the server, moved to a store in memory."""

    directory: Path
    server: Dovecot
    user: str
    store: MemoryStore

    def __post_init__(self) -> None:
        self.ledger = Ledger(f"sqlite:///{self.directory}/ledger.db")
        self.ledger.migrate()
        planned = PlannedMailbox(SOURCE, TARGET, "w", Phase.STAGING, frozenset({Kind.MAIL}))
        (added,) = self.ledger.add_mailboxes([planned])
        self.id = str(added)

    def run(self) -> LegResult:
        mailbox = self.ledger.mailbox(self.id)
        live = mailbox.phase is Phase.LIVE
        setting = LegSetting(
            ledger=self.ledger,
            mailbox=mailbox,
            pair=Pair(Account(login=SOURCE, address=SOURCE), Account(login=TARGET, address=TARGET)),
            opener=Opener(self.source, lambda guard, _: MemoryTarget(self.store, guard, live=live)),
            rules=replace(PROVEN, approved=approvals(self.ledger, mailbox)),
            pace=replace(PACE, batch=50),
            task=Task(Level.TARGET),
            stop=threading.Event(),
            kek=lambda: KEK,
            sleep=lambda seconds: None,
        )
        (row,) = self.ledger.legs(mailbox=self.id)
        return Leg(setting, row).run()

    def source(self) -> ImapSource:
        settings = dovecot_settings(self.server, self.directory)
        return ImapSource(settings, Account(login=self.user), self.directory)

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        with IMAPClient(self.server.host, port=self.server.port, ssl=False) as client:
            client.login(f"{self.user}*{self.server.master_user}", self.server.master_password)
            client.select_folder("INBOX")
            yield client


@pytest.mark.parametrize("phase", list(Phase))
def test_another_uidvalidity_at_the_source(
    quick_path: Path, dovecot: Dovecot, phase: Phase, request: pytest.FixtureRequest
) -> None:
    """Together with a message that is new, one that is gone, and one that was read."""
    user = f"user{list(Phase).index(phase)}"
    trial = Walk(quick_path, dovecot, user, MemoryStore(batch=50))
    with trial.client() as client:
        for number in range(ITEMS):
            client.append("INBOX", letter(number), [b"\\Flagged"] if number % 3 else [], DAY)
        client.append("INBOX", letter(1), [b"\\Flagged"], DAY)
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before = trial.store.snapshot()

    dovecot.admin("mailbox", "update", "--uid-validity", "777777", "-u", user, "INBOX")
    result = trial.run()
    assert (result.state, result.code, result.tally.new) == (LegState.VERIFIED, None, 0)
    assert trial.store.snapshot() == before

    dovecot.admin("mailbox", "update", "--uid-validity", "888888", "-u", user, "INBOX")
    with trial.client() as client:
        assert client.folder_status("INBOX", ["UIDVALIDITY"])[b"UIDVALIDITY"] == 888888
        gone, read, *_ = client.search()
        client.delete_messages([gone])
        client.expunge([gone])
        client.add_flags([read], [b"\\Seen"])
        client.append("INBOX", letter(500), (), DAY)
    result = trial.run()
    assert (result.state, result.code, result.tally.new) == (LegState.VERIFIED, None, 1)
    after = trial.store.snapshot()
    if phase is Phase.LIVE:
        assert not before - after
        assert after.total() == ITEMS + 2
    else:
        assert after.total() == ITEMS + 1
        assert sum("\\Seen" in flags for _, _, flags, _ in after) == 1
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == after
