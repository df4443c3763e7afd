"""A trial whose target is an account of a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from connector_settings import dovecot_settings
from imapclient import IMAPClient
from memory.doubles import Step
from walking import Trial

from connectors.imap.target import ImapTarget
from connectors.settings import Account
from engine.opening.open_sides import letter_judge
from model.protocols import Guard, Kind, Target
from practice.servers.dovecot import Dovecot


class OnDovecot(Trial):
    """The account `user` of `server`, which the maker of the trial sets; more: settings of the target."""

    server: Dovecot
    user: str
    more: Mapping[str, Any] = {}

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        settings = dovecot_settings(self.server, self.directory, **self.more)
        judge = letter_judge(Kind.MAIL, moment)
        return ImapTarget(settings, Account(login=self.user), guard, self.directory, live=live, judge=judge)

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        client = IMAPClient(self.server.host, port=self.server.port, ssl=False)
        client.login(f"{self.user}*{self.server.master_user}", self.server.master_password)
        yield client
        client.logout()
