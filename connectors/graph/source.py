"""Read Microsoft 365 as a source, over Graph.

With immutable ids an item keeps its id wherever it goes inside the mailbox. Every kind has its own delta and
its own reader (READERS). A delta names ids; what it leaves out is requested in batches of twenty.
`connectors.graph_api.client` handles tokens, limits and waiting.

Source:
    https://learn.microsoft.com/graph/outlook-immutable-id
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from connectors.graph.calendar import CalendarReader
from connectors.graph.contacts import ContactReader
from connectors.graph.mail import MailReader
from connectors.graph.mailbox_settings import SettingsReader
from connectors.graph.preflight import extras, rights, sent_from, server, withheld
from connectors.graph.rights import RightReader
from connectors.graph.todo import TaskReader
from connectors.graph_api.client import GraphClient
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.identity import identity
from connectors.graph_api.reader import ItemReader, translating
from connectors.graph_api.settings import GraphSettings
from connectors.graph_drives.drives import DriveReader
from connectors.graph_drives.links import Links
from connectors.graph_drives.sites import is_site, site_identity
from connectors.http.transport import Send
from connectors.settings import Account
from model.errors import Misconfigured
from model.kinds import Kind
from model.listed_rights import ListedRight
from model.optional_protocols import Dead, Grant, Rights
from model.protocols import Capabilities, Container, Failed, Identity, Native, Page, Ref

__all__ = ["READERS", "GraphSettings", "GraphSource"]

READERS: Mapping[Kind, Callable[[GraphClient], ItemReader]] = {
    Kind.MAIL: MailReader,
    Kind.CALENDAR: CalendarReader,
    Kind.CONTACTS: ContactReader,
    Kind.TASKS: TaskReader,
    Kind.FILES: DriveReader,
    Kind.SETTINGS: SettingsReader,
    Kind.PERMISSIONS: RightReader,
}


class GraphSource:
    """Read one user's mailbox and drives in one tenant. Implements `model.protocols.Source`.

    account.login (or its address, where there is none) is the user principal name, or the address of a site
    or of one of its libraries (`connectors.graph_drives.sites`), which have only files. The server is not
    asked before the first call. One thread at a time, except for close().
    """

    def __init__(
        self,
        settings: GraphSettings,
        account: Account,
        spool: Path,
        kinds: frozenset[Kind] = frozenset(READERS),
        send: Send | None = None,
        *,
        listed: tuple[ListedRight, ...] = (),
    ) -> None:
        """Prepare the source.

        Args:
            settings: the tenant and the application.
            account: the user or site to read.
            spool: the folder for spool files.
            kinds: the kinds whose containers are listed.
            send: replaces the network, for tests; None for the network.
            listed: the rights to this mailbox that an administrator exported.
        """
        self._settings = settings
        self._client = GraphClient(settings, account, spool, send)
        readers: dict[Kind, Callable[[GraphClient], ItemReader]] = {**READERS}
        readers[Kind.PERMISSIONS] = partial(RightReader, listed=listed)
        self._readers = {kind: read(self._client) for kind, read in readers.items() if kind in kinds}
        self._links = Links(self._client)
        self._facts: dict[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Return what the source can do; `facts` holds what server() said last. Asks nothing."""
        return Capabilities(
            kinds=frozenset(self._readers),
            batch=self._settings.batch_items,
            batch_bytes=self._settings.batch_bytes,
            name_bytes=1024,
            moves=Kind.FILES in self._readers,
            facts=self._facts,
        )

    def identity(self) -> Identity:
        """Return who owns the account: the user's object id and the directory's addresses, or a site's id."""
        with translating():
            return site_identity(self._client) if is_site(self._client.user) else identity(self._client)

    def containers(self) -> Iterator[Container]:
        """List the containers of the requested kinds; roles by well-known name.

        Where mail is one of the kinds, containers of other kinds that Graph lists only among the mail folders
        are reported, too: these do not move.
        """
        yielded: list[Container] = []
        with translating():
            for reader in self._readers.values():
                for container in reader.containers():
                    yielded.append(container)
                    yield container
            mail = self._readers.get(Kind.MAIL)
            if isinstance(mail, MailReader):
                yield from mail.unseen(yielded)

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List what changed since a cursor, page by page as the server gives them.

        Args:
            container: the container.
            cursor: None lists everything.

        Raises:
            CursorLost: "cursor-lost", also in the middle of a round.
            Transient: the retries are used up; "sync-stuck".
            Blocked: the server refuses.
        """
        with translating():
            yield from self._reader(container).changes(container, cursor)

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        """Yield items as they arrive, in any order; see `model.protocols.Source.fetch`.

        Large bodies are spooled; a body lives as long as its Native.
        """
        with translating():
            yield from self._reader(container).fetch(container, refs, bodies=bodies)

    def fetch_versions(
        self, container: Container, refs: Iterable[Ref], most: int
    ) -> Iterator[Native | Failed]:
        """Read files with older versions; see `model.optional_protocols.SupportsVersionHistory`."""
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
        """Expand a calendar; see `model.optional_protocols.SupportsOccurrences`.

        A whole day begins at midnight UTC, because days have no zone here.
        """
        reader = self._readers.get(container.kind)
        return self._expand(reader, container, start, end) if isinstance(reader, CalendarReader) else None

    def _expand(
        self, reader: CalendarReader, container: Container, start: datetime, end: datetime
    ) -> Iterator[tuple[str, datetime, datetime]]:
        with translating():
            yield from reader.occurrences(container, start, end)

    def grants(self, container: Container) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """Yield with whom files and folders of files are shared by themselves; nothing for other kinds."""
        reader = self._reader(container)
        if isinstance(reader, DriveReader):
            with translating():
                yield from reader.grants(container)

    def extras(self) -> Iterator[tuple[str, int | None]]:
        """Yield (code, count) of what exists and will not move; nothing for a site."""
        if is_site(self._client.user):
            return
        with translating():
            yield from extras(self._client)

    def server(self) -> dict[str, str]:
        """Return API, mailbox and permissions; asks the server."""
        with translating():
            self._facts = server(self._client, frozenset(self._readers))
        return self._facts

    def rights(self) -> Rights:
        """Return what the credential may do; see `model.optional_protocols.SupportsRights`."""
        with translating():
            return rights(self._client)

    def withheld(self) -> frozenset[Kind]:
        """Return the kinds that may not be read; see `model.optional_protocols.SupportsRights`."""
        with translating():
            return withheld(self._client, frozenset(self._readers))

    def sent_from(self, limit: int = 50) -> list[str]:
        """Return the sender addresses of the newest sent items, newest first.

        [] for a site, and for a mailbox whose mail may not be read and is not requested.
        """
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
        """Find the item at an address; see `model.optional_protocols.SupportsLinks`."""
        with translating():
            return self._links.resolve(url)

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._client.trouble()

    def close(self) -> None:
        """End every request; safe from any thread and more than once."""
        self._client.close()
