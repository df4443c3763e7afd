"""Microsoft 365 as a source, over Graph.

Facts this file relies on, and where they are handled: with immutable ids an item keeps its id wherever in the
mailbox it goes; every kind has its own delta and its own reader (READERS); a delta names ids, and what it
leaves out is asked for in batches of twenty. See graph_wire for tokens, limits and waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import httpx

from connectors.graph.preflight import extras, rights, sent_from, server, withheld
from connectors.graph_api.client import GraphClient
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.identity import identity
from connectors.graph_api.reader import ItemReader, translating
from connectors.graph_api.settings import GraphSettings
from connectors.graph_drives.drives import DriveReader
from connectors.graph_drives.links import Links
from connectors.graph_drives.sites import is_site, site_identity
from connectors.graph_items.calendar import CalendarReader
from connectors.graph_items.contacts import ContactReader
from connectors.graph_items.mail import MailReader
from connectors.graph_items.todo import TaskReader
from connectors.settings import Account
from model.errors import Misconfigured
from model.optional_protocols import Dead, Grant, Rights
from model.protocols import Capabilities, Container, Failed, Identity, Kind, Native, Page, Ref

__all__ = ["READERS", "GraphSettings", "GraphSource"]

READERS: Mapping[Kind, Callable[[GraphClient], ItemReader]] = {
    Kind.MAIL: MailReader,
    Kind.CALENDAR: CalendarReader,
    Kind.CONTACTS: ContactReader,
    Kind.TASKS: TaskReader,
    Kind.FILES: DriveReader,
}


class GraphSource:
    """One user's mailbox and drives in one tenant. Implements model.protocols.Source; only reads.

    account.login (or its address, where there is none) is the user principal name, or the address of a site
    or of one of its libraries (see graph_sites), which have files alone. Nothing is asked before the first
    call. One thread at a time, except for close(). kinds: whose containers are listed; transport: in place of
    the network.
    """

    def __init__(
        self,
        settings: GraphSettings,
        account: Account,
        spool: Path,
        kinds: frozenset[Kind] = frozenset(READERS),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._client = GraphClient(settings, account, spool, transport)
        self._readers = {kind: READERS[kind](self._client) for kind in READERS if kind in kinds}
        self._links = Links(self._client)
        self._facts: dict[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        """facts holds what server() told last; nothing is asked for it."""
        return Capabilities(
            kinds=frozenset(self._readers),
            batch=self._settings.batch_items,
            batch_bytes=self._settings.batch_bytes,
            name_bytes=1024,
            moves=Kind.FILES in self._readers,
            facts=self._facts,
        )

    def identity(self) -> Identity:
        """id is the user's object id; addresses are those the directory states. Of a site its id alone."""
        with translating():
            return site_identity(self._client) if is_site(self._client.user) else identity(self._client)

    def containers(self) -> Iterator[Container]:
        """Those of the kinds asked for; roles by well-known name. Where mail is one of them, also what
        Graph lists of the others among mail folders alone: that does not move."""
        given: list[Container] = []
        with translating():
            for reader in self._readers.values():
                for container in reader.containers():
                    given.append(container)
                    yield container
            mail = self._readers.get(Kind.MAIL)
            if isinstance(mail, MailReader):
                yield from mail.unseen(given)

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Pages as the server gives them. Raises CursorLost also in the middle of a round."""
        with translating():
            yield from self._reader(container).changes(container, cursor)

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        """Items as they arrive, in any order. Large bodies are spooled, and live as long as their Native."""
        with translating():
            yield from self._reader(container).fetch(container, refs, bodies=bodies)

    def fetch_versions(
        self, container: Container, refs: Iterable[Ref], most: int
    ) -> Iterator[Native | Failed]:
        """See model.optional_protocols.SupportsVersionHistory."""
        reader = self._reader(container)
        with translating():
            if isinstance(reader, DriveReader):
                yield from reader.fetch(container, refs, bodies=True, older=most)
            else:
                yield from reader.fetch(container, refs, bodies=True)

    def _reader(self, container: Container) -> ItemReader:
        reader = self._readers.get(container.kind)
        if reader is None:
            raise Misconfigured("source.kind", f"Graph is not asked for {container.kind.value} here")
        return reader

    def occurrences(
        self, container: Container, start: datetime, end: datetime
    ) -> Iterator[tuple[str, datetime, datetime]] | None:
        """UID, start and end of everything in a calendar that lies in [start, end), series expanded by the
        server itself, each occurrence once. A whole day begins at midnight UTC, as days have no zone here."""
        reader = self._readers.get(container.kind)
        return self._expanded(reader, container, start, end) if isinstance(reader, CalendarReader) else None

    def _expanded(
        self, reader: CalendarReader, container: Container, start: datetime, end: datetime
    ) -> Iterator[tuple[str, datetime, datetime]]:
        with translating():
            yield from reader.occurrences(container, start, end)

    def grants(self, container: Container) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """With whom files, and a folder of files, are shared by themselves; nothing of other kinds."""
        reader = self._reader(container)
        if isinstance(reader, DriveReader):
            with translating():
                yield from reader.grants(container)

    def extras(self) -> Iterator[tuple[str, int | None]]:
        """What is there and will not move, by code; None where Graph does not tell. Nothing of a site."""
        if is_site(self._client.user):
            return
        with translating():
            yield from extras(self._client)

    def server(self) -> dict[str, str]:
        """API, mailbox and permissions, asked now. Raises Transient or Blocked."""
        with translating():
            self._facts = server(self._client, frozenset(self._readers))
        return self._facts

    def rights(self) -> Rights:
        """See model.optional_protocols.SupportsRights."""
        with translating():
            return rights(self._client)

    def withheld(self) -> frozenset[Kind]:
        """See model.optional_protocols.SupportsRights."""
        with translating():
            return withheld(self._client, frozenset(self._readers))

    def sent_from(self, limit: int = 50) -> list[str]:
        """The sender addresses of the newest sent items, newest first. None of a site, nor of a mailbox whose
        mail may not be read and is not asked for."""
        if is_site(self._client.user):
            return []
        with translating():
            try:
                return sent_from(self._client, limit)
            except GraphRefusal as refused:
                if refused.status != 403 or Kind.MAIL in self._readers:
                    raise
                return []

    def resolve(self, url: str) -> str | Dead:
        """See model.optional_protocols.SupportsLinks."""
        with translating():
            return self._links.resolve(url)

    def close(self) -> None:
        """Ends every request under way; safe from any thread and more than once."""
        self._client.close()
