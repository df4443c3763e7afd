"""A calendar, an address book or a task list with its owner, however it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from benches import PASSWORD_ENV, exchange, microsoft
from connector_settings import graph_settings

from connectors.ews.source import EwsSettings, EwsSource
from connectors.graph.source import GraphSource
from connectors.settings import Account, Secret
from engine.pacing.call_metrics import Meter, metered
from model.kinds import Kind
from model.protocols import Source
from practice.calendar.appointments import Event
from practice.calendar.event_desk import at, timed
from practice.contacts.cards import Contact
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.tasks.chores import Chore
from practice.world.desk import Desk
from practice.world.folders import Folder
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.records import Common, Record


@dataclass(frozen=True)
class Goods:
    """One kind of record. role: the default folder's; made: the number-th; edited: the same with another
    text."""

    kind: Kind
    role: str
    made: Callable[[int], Record]
    edited: Callable[[Record], Record]


def _event(number: int) -> Record:
    return timed(Desk(3, 0, f"event/{number}"), f"Termin {number}", at((2026, 5, number % 28 + 1)))


def _rewritten(record: Record) -> Record:
    assert isinstance(record, Event)
    return replace(record, base=replace(record.base, body="Anders.", categories=("Neu",)))


def _filed(record: Record) -> Record:
    assert isinstance(record, Contact)
    return replace(record, company="Andere GmbH")


def _done(record: Record) -> Record:
    assert isinstance(record, Chore)
    return replace(record, status="InProgress")


GOODS = (
    Goods(Kind.CALENDAR, "calendar", _event, _rewritten),
    Goods(Kind.CONTACTS, "contacts", lambda n: Contact(f"card/{n}", given="Ute", surname=f"N{n}"), _filed),
    Goods(Kind.TASKS, "tasks", lambda n: Chore(f"task/{n}", Common(subject=f"Aufgabe {n}")), _done),
)


@dataclass
class RecordBench:
    """A token is the message of the practice world."""

    server: ExchangeServer | GraphServer
    spool: Path
    goods: Goods

    @property
    def _mailbox(self) -> Mailbox:
        return self.server.world.mailbox(self.server.world.addresses()[0])

    @property
    def _folder(self) -> Folder:
        return self._mailbox.distinguished(self.goods.role)

    def open(self) -> Source:
        address = self.server.world.addresses()[0]
        account, secret = Account(login=address, address=address), Secret(env=PASSWORD_ENV)
        if isinstance(self.server, ExchangeServer):
            user = next(iter(self.server.world.service_accounts))
            ews = EwsSettings(url=self.server.url, username=user, password=secret, sync_items=4)
            return metered(EwsSource(ews, account, self.spool), Meter())
        settings = graph_settings(self.server, secret, page_items=4)
        return metered(GraphSource(settings, account, self.spool, frozenset({self.goods.kind})), Meter())

    def put(self, number: int) -> Message:
        with self.server.world.lock:
            return self._mailbox.put(self._folder, self.goods.made(number))

    def edit(self, token: Message) -> None:
        assert token.record is not None
        with self.server.world.lock:
            self._mailbox.replace(token, self.goods.edited(token.record))

    def delete(self, token: Message) -> None:
        with self.server.world.lock:
            self._mailbox.delete(token, hard=True)

    def move(self, token: Message) -> None:
        """Into another folder of the same kind."""
        with self.server.world.lock:
            folder = self._mailbox.create_folder(
                self._mailbox.root, "Andere", folder_class=self._folder.folder_class
            )
            self._mailbox.move(token, folder)

    def forget_states(self) -> None:
        """The mailbox is another one by now."""
        with self.server.world.lock:
            self._mailbox.recreate(content=False)


@contextmanager
def record_bench(system: str, goods: Goods, spool: Path, patch: pytest.MonkeyPatch) -> Iterator[RecordBench]:
    if system == "exchange":
        with exchange() as server:
            account = next(iter(server.world.service_accounts.values()))
            patch.setenv(PASSWORD_ENV, account.password)
            yield RecordBench(server, spool, goods)
    else:
        with microsoft() as online:
            patch.setenv(PASSWORD_ENV, online.secret)
            yield RecordBench(online, spool, goods)
