"""What the conformance suite needs of a connector beside the protocol: a person who uses the account.

To put a connector under the suite, write a bench for it and name it in conftest.py.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import httpx
from connector_settings import graph_settings
from imapclient import IMAPClient
from memory.doubles import MemoryMailbox, MemorySource, MemoryStore, MemoryTarget
from servers.dav.dav_proxy import DavProxy
from servers.exo.agenda import ExoAgenda
from servers.open_xchange.server import OpenXchangeServer
from target_items import AGENDA, FILES, MAILS, Goods

from connectors.caldav.target import DavSettings, DavTarget
from connectors.ews.source import EwsSettings, EwsSource
from connectors.exo.target import AgendaSettings, AgendaTarget
from connectors.files.target import FilesSettings, FilesTarget
from connectors.graph.source import GraphSource
from connectors.imap.session import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.open_xchange.target import OpenXchangeTarget
from connectors.settings import Account, Secret
from engine.pacing.call_metrics import Meter, metered
from model.kinds import Kind
from model.protocols import Guard, Source, Target
from practice.dav.radicale import RadicaleServer
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.servers.imap import ImapServer
from practice.world.folders import Folder
from practice.world.mailbox import Mailbox
from practice.world.world import World

Names = tuple[str, ...]
WHEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
PASSWORD_ENV = "KOGGE_CONFORMANCE_PASSWORD"


class SourceBench(Protocol):
    """An account at a source. A token names a delivered message to its owner, not to the connector."""

    def open(self) -> Source: ...

    def create(self, path: Names) -> None: ...

    def deliver(self, path: Names, raw: bytes) -> object: ...

    def read(self, token: object) -> None:
        """The owner reads it: its flags change, its body does not."""
        ...

    def delete(self, token: object) -> None: ...

    def recreate(self, path: Names) -> bool:
        """The folder is deleted and made again, empty. False when this bench cannot."""
        ...


class TargetBench(Protocol):
    """An account at a target. goods: the items it takes."""

    goods: Goods

    def open(self, guard: Guard, *, live: bool = False) -> Target: ...

    def vanish(self, container: str, item: str) -> None:
        """The owner deletes a message, by hrefs."""
        ...

    def mark_deleted(self, container: str, item: str) -> bool:
        """The owner marks one as deleted and keeps it so. False where there is no such state."""
        ...


@dataclass
class MemorySourceBench:
    mailbox: MemoryMailbox = field(default_factory=MemoryMailbox)

    def open(self) -> Source:
        return metered(MemorySource(self.mailbox), Meter())

    def _id(self, path: Names) -> str:
        return next(folder.id for folder in self.mailbox.folders.values() if folder.path == path)

    def create(self, path: Names) -> None:
        self.mailbox.create_folder(path)

    def deliver(self, path: Names, raw: bytes) -> object:
        return self.mailbox.deliver(self._id(path), raw)

    def read(self, token: object) -> None:
        _, message = self.mailbox.find(str(token))
        self.mailbox.mark(str(token), replace(message.marks, read=True))

    def delete(self, token: object) -> None:
        self.mailbox.delete(str(token))

    def recreate(self, path: Names) -> bool:
        self.mailbox.lose_cursors()
        self.mailbox.delete_folder(self._id(path))
        self.create(path)
        return True


@dataclass
class MemoryTargetBench:
    store: MemoryStore = field(default_factory=MemoryStore)
    goods: Goods = MAILS

    def open(self, guard: Guard, *, live: bool = False) -> Target:
        return metered(MemoryTarget(self.store, guard, live=live), Meter())

    def vanish(self, container: str, item: str) -> None:
        path = tuple(container.split(self.store.separator))
        del self.store.folders[path].messages[int(item.partition(":")[2])]

    def mark_deleted(self, container: str, item: str) -> bool:
        return False


class ExchangeBench(ABC):
    """A person with a mailbox in a practice world, however it is read."""

    @property
    @abstractmethod
    def world(self) -> World: ...

    @property
    def _mailbox(self) -> Mailbox:
        return self.world.mailbox(self.world.addresses()[0])

    def _folder(self, path: Names) -> Folder:
        found = self._mailbox.root
        for name in path:
            found = next(folder for folder in found.children if folder.name == name)
        return found

    def create(self, path: Names) -> None:
        with self.world.lock:
            self._mailbox.create_folder(self._folder(path[:-1]), path[-1])

    def deliver(self, path: Names, raw: bytes) -> object:
        with self.world.lock:
            return self._mailbox.deliver(self._folder(path), mime=raw)

    def read(self, token: object) -> None:
        with self.world.lock:
            self._mailbox.mark_read(token)  # type: ignore[arg-type]

    def delete(self, token: object) -> None:
        with self.world.lock:
            self._mailbox.delete(token, hard=True)  # type: ignore[arg-type]

    def recreate(self, path: Names) -> bool:
        return False


@dataclass
class EwsSourceBench(ExchangeBench):
    server: ExchangeServer
    spool: Path

    @property
    def world(self) -> World:
        return self.server.world

    def open(self) -> Source:
        settings = EwsSettings(
            url=self.server.url,
            username=next(iter(self.server.world.service_accounts)),
            password=Secret(env=PASSWORD_ENV),
        )
        address = self.server.world.addresses()[0]
        return metered(EwsSource(settings, Account(login=address, address=address), self.spool), Meter())


@dataclass
class GraphSourceBench(ExchangeBench):
    server: GraphServer
    spool: Path

    @property
    def world(self) -> World:
        return self.server.world

    def open(self) -> Source:
        settings = graph_settings(self.server, Secret(env=PASSWORD_ENV), page_items=4)
        account = Account(login=self.world.addresses()[0])
        return metered(GraphSource(settings, account, self.spool, frozenset({Kind.MAIL})), Meter())


@dataclass
class ImapBench:
    """Both a source and a target: one account on one server."""

    server: ImapServer
    user: str
    spool: Path
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def settings(self) -> ImapSettings:
        return ImapSettings.model_validate(
            {
                "kind": "imap",
                "host": self.server.host,
                "port": self.server.port,
                "security": self.server.security,
                "auth": self.server.auth,
                "username": self.server.master_user,
                "password": {"env": PASSWORD_ENV},
                "batch_items": 7,
                "spool_above": 200_000,
            }
        )

    @contextmanager
    def owner(self) -> Iterator[IMAPClient]:
        """The account's owner, with a client of their own."""
        client = IMAPClient(self.server.host, self.server.port, ssl=False, timeout=20)
        try:
            client.login(self.user, self.server.user_password)
            yield client
        finally:
            client.shutdown()


class ImapSourceBench(ImapBench):
    def open(self) -> Source:
        return metered(ImapSource(self.settings, Account(login=self.user), self.spool), Meter())

    def create(self, path: Names) -> None:
        with self.owner() as client:
            client.create_folder("/".join(path))

    def deliver(self, path: Names, raw: bytes) -> object:
        name = "/".join(path)
        with self.owner() as client:
            client.append(name, raw, (), WHEN)
            client.select_folder(name, readonly=True)
            return name, max(client.search())

    def read(self, token: object) -> None:
        name, uid = token  # type: ignore[misc]
        with self.owner() as client:
            client.select_folder(name)
            client.add_flags([uid], [b"\\Seen"])

    def delete(self, token: object) -> None:
        _expunged(self, *token)  # type: ignore[misc]

    def recreate(self, path: Names) -> bool:
        with self.owner() as client:
            client.delete_folder("/".join(path))
            client.create_folder("/".join(path))
        return True


@dataclass
class ImapTargetBench(ImapBench):
    goods: Goods = MAILS

    def open(self, guard: Guard, *, live: bool = False) -> Target:
        return metered(
            ImapTarget(self.settings, Account(login=self.user), guard, self.spool, live=live), Meter()
        )

    def vanish(self, container: str, item: str) -> None:
        _expunged(self, container, int(item.partition(":")[2]))

    def mark_deleted(self, container: str, item: str) -> bool:
        with self.owner() as client:
            client.select_folder(container)
            client.add_flags([int(item.partition(":")[2])], [b"\\Deleted"])
        return True


@dataclass
class DavTargetBench:
    server: RadicaleServer | DavProxy | OpenXchangeServer
    user: str
    spool: Path
    goods: Goods
    profile: str = "radicale"

    def open(self, guard: Guard, *, live: bool = False) -> Target:
        settings = DavSettings.model_validate(
            {
                "kind": "carddav" if self.goods.kind is Kind.CONTACTS else "caldav",
                "url": self.server.url,
                "profile": self.profile,
                "password": {"env": PASSWORD_ENV},
                "spool_above": 200_000,
            }
        )

        def digest(stream: BinaryIO) -> bytes:
            return self.goods.digest(stream.read())

        account = Account(login=self.user)
        return metered(
            DavTarget(settings, account, guard, self.spool, kind=self.goods.kind, digest=digest, live=live),
            Meter(),
        )

    def vanish(self, container: str, item: str) -> None:
        owner = (self.user, self.server.user_password)
        httpx.delete(self.server.url + container + item, auth=owner).raise_for_status()

    def mark_deleted(self, container: str, item: str) -> bool:
        return False


@dataclass
class ApiTargetBench(DavTargetBench):
    """With Open-Xchange's HTTP API as a second way. Its owner is somebody at the server itself."""

    server: OpenXchangeServer

    def open(self, guard: Guard, *, live: bool = False) -> Target:
        settings = DavSettings.model_validate(
            {
                "kind": "carddav" if self.goods.kind is Kind.CONTACTS else "caldav",
                "url": self.server.url,
                "api": f"{self.server.url}/ajax",
                "profile": "open-xchange",
                "password": {"env": PASSWORD_ENV},
            }
        )

        def digest(stream: BinaryIO) -> bytes:
            return self.goods.digest(stream.read())

        account = Account(login=self.user)
        return metered(
            OpenXchangeTarget(
                settings, account, guard, self.spool, kind=self.goods.kind, digest=digest, live=live
            ),
            Meter(),
        )

    def vanish(self, container: str, item: str) -> None:
        store = self.server.suite.cards if self.goods.kind is Kind.CONTACTS else self.server.suite.tasks
        segment = container.strip("/").rpartition("/")[2]
        (folder,) = [one for one in self.server.context.folders.values() if one.segment == segment]
        uid = "kogge-" + item.partition(".")[0].rpartition("-")[2]
        (found,) = [one for one in store.everything(folder) if one.uid == uid]
        store.delete(folder, found)


@dataclass
class AgendaTargetBench:
    server: ExoAgenda
    user: str
    goods: Goods = AGENDA

    def open(self, guard: Guard, *, live: bool = False) -> Target:
        settings = AgendaSettings.model_validate(
            {"kind": "exo-agenda", "url": self.server.url, "password": {"env": PASSWORD_ENV}}
        )

        def digest(stream: BinaryIO) -> bytes:
            return self.goods.digest(stream.read())

        return metered(
            AgendaTarget(settings, Account(login=self.user), guard, digest=digest, live=live), Meter()
        )

    def vanish(self, container: str, item: str) -> None:
        self.server.agenda.remove(self.user, int(item))

    def mark_deleted(self, container: str, item: str) -> bool:
        return False


@dataclass
class FilesTargetBench:
    """vanishes: removes a file of the user's, by its path."""

    user: str
    spool: Path
    settings: Mapping[str, object]
    vanishes: Callable[[str], None]
    goods: Goods = FILES

    def open(self, guard: Guard, *, live: bool = False) -> Target:
        settings = FilesSettings.model_validate(
            {
                "password": {"env": PASSWORD_ENV},
                "spool_above": 200_000,
                "chunk_above": 1_000_000,
                "chunk_bytes": 400_000,
                "bulk_items": 7,
                **self.settings,
            }
        )
        return metered(FilesTarget(settings, Account(login=self.user), guard, self.spool, live=live), Meter())

    def vanish(self, container: str, item: str) -> None:
        self.vanishes(f"{container}/{item}")

    def mark_deleted(self, container: str, item: str) -> bool:
        return False


def _expunged(bench: ImapBench, name: str, uid: int) -> None:
    with bench.owner() as client:
        client.select_folder(name)
        client.delete_messages([uid])
        client.expunge()


@contextmanager
def exchange() -> Iterator[ExchangeServer]:
    """A practice Exchange with one empty mailbox."""
    with ExchangeServer(World(seed=3, people=1, items=0, nasty=False)) as server:
        yield server


@contextmanager
def microsoft() -> Iterator[GraphServer]:
    """A practice Microsoft 365 with one empty mailbox."""
    with GraphServer(World(seed=3, people=1, items=0, nasty=False)) as server:
        yield server
