"""A trial whose target is an account of a real Dovecot, one whose source is, and an account put back."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from connector_settings import dovecot_settings
from imapclient import IMAPClient
from memory.doubles import MemoryStore, MemoryTarget, Step
from memory.wrapped import wrapped
from servers.dovecot import Dovecot
from walking import KEK, PACE, PROVEN, SOURCE, TARGET, Trial

from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.imap.verify_uid import Judge
from connectors.settings import Account
from engine.context.leg_context import Opener
from engine.identity.identity_gate import Pair
from engine.leg.leg_result import LegResult
from engine.leg.run import Leg, LegSetting, Task, approvals
from engine.opening.open_sides import mark_of
from engine.verify.compare import Level
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Guard, Target


class OnDovecot(Trial):
    """The account `user` of `server`, which the maker of the trial sets; more: settings of the target."""

    server: Dovecot
    user: str
    more: Mapping[str, Any] = {}

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        settings = dovecot_settings(self.server, self.directory, **self.more)
        judge = Judge(lambda stream: ITEM_FORMS[Kind.MAIL].digest(stream, moment), mark_of)
        return ImapTarget(settings, Account(login=self.user), guard, self.directory, live=live, judge=judge)

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        client = IMAPClient(self.server.host, port=self.server.port, ssl=False)
        client.login(f"{self.user}*{self.server.master_user}", self.server.master_password)
        yield client
        client.logout()


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

    def run(self, task: Task | None = None) -> LegResult:
        mailbox = self.ledger.mailbox(self.id)
        live = mailbox.phase is Phase.LIVE
        setting = LegSetting(
            ledger=self.ledger,
            mailbox=mailbox,
            pair=Pair(Account(login=SOURCE, address=SOURCE), Account(login=TARGET, address=TARGET)),
            opener=wrapped(Opener(self.source, lambda guard, _: self.target(guard, live=live))),
            rules=replace(PROVEN, approved=approvals(self.ledger, mailbox)),
            pace=replace(PACE, batch=50),
            task=task or Task(Level.TARGET),
            stop=threading.Event(),
            kek=lambda: KEK,
            sleep=lambda seconds: None,
        )
        (row,) = self.ledger.legs(mailbox=self.id)
        return Leg(setting, row).run()

    def target(self, guard: Guard, *, live: bool) -> Target:
        return MemoryTarget(self.store, guard, live=live)

    def source(self) -> ImapSource:
        settings = dovecot_settings(self.server, self.directory)
        return ImapSource(settings, Account(login=self.user), self.directory)

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        with IMAPClient(self.server.host, port=self.server.port, ssl=False) as client:
            client.login(f"{self.user}*{self.server.master_user}", self.server.master_password)
            client.select_folder("INBOX")
            yield client


def put_back(server: Dovecot, user: str, copy: Path) -> None:
    """The account's files become those of a copy; whatever knows it better ends with its processes."""
    server.restart()
    files = server.lab / "mail" / user
    for one in files.iterdir():
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    for one in copy.iterdir():
        (shutil.copytree if one.is_dir() else shutil.copy2)(one, files / one.name)
    for one in files.rglob("*"):
        shutil.chown(one, files.owner(), files.group())
