"""A trial whose target is an account of a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from imapclient import IMAPClient
from memory.doubles import Step
from walking import Trial

from connectors.imap.settings import ImapSettings
from connectors.imap.target import ImapTarget
from connectors.settings import Account, Secret
from engine.opening.open_sides import letter_judge
from model.protocols import Guard, Kind, Target
from practice.servers.dovecot import Dovecot


class OnDovecot(Trial):
    """The account `user` of `server`, which the maker of the trial sets."""

    server: Dovecot
    user: str

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        secret = self.directory / "password"
        secret.write_text(self.server.master_password)
        settings = ImapSettings(
            kind="imap",
            host=self.server.host,
            port=self.server.port,
            security="none",
            auth="master-user",
            username=self.server.master_user,
            password=Secret(file=str(secret)),
        )
        judge = letter_judge(Kind.MAIL, moment)
        return ImapTarget(settings, Account(login=self.user), guard, self.directory, live=live, judge=judge)

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        client = IMAPClient(self.server.host, port=self.server.port, ssl=False)
        client.login(f"{self.user}*{self.server.master_user}", self.server.master_password)
        yield client
        client.logout()
