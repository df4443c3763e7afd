"""An account on a file server as a target: Nextcloud, eXo Platform, and any that speaks WebDAV.

Refusals before anything is sent: the guard's (LeaseLost), and in the live phase rename, amend, remove, stamp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path

from connectors.files.bulk_upload import Bulk
from connectors.files.chunked_upload import Chunks
from connectors.files.delete import FileRemover
from connectors.files.folders import FolderTree
from connectors.files.put import Put
from connectors.files.share_policy import ShareRules, kept, refused
from connectors.files.shares import OcsShares
from connectors.files.versions import KeptVersions, Write, writing
from connectors.files.write import UploadMeans
from connectors.http.client import HttpClient
from connectors.http.parallel import spread
from connectors.settings import Account
from connectors.webdav import account as files_account
from connectors.webdav.account import Home, no_access
from connectors.webdav.client import joined, moment
from connectors.webdav.names import takes
from connectors.webdav.ocs_capabilities import Abilities, Ocs
from connectors.webdav.propfind import IDENTIFIED, QUOTA
from connectors.webdav.quota import QuotaRoom
from connectors.webdav.read import WebdavReader
from connectors.webdav.settings import FilesSettings
from connectors.webdav.verbs import WebdavLibrary
from model.errors import Blocked, Misconfigured, Rejected
from model.file_names import FileNames
from model.optional_protocols import Grant, nobody_listens
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
    Kind,
    Listed,
    Loss,
    Native,
    Ref,
    Stored,
    key_of,
)

__all__ = ["FilesSettings", "FilesTarget"]


ANSWER_SECONDS = 86_400.0
"""For reading one file back: a large one takes hours."""


class FilesTarget:
    """Implements model.protocols.Target and optional_protocols.TellsDigests, KeepsDates, TellsNames,
    RemovesContainers, KeepsItemDates, TellsQuota, TellsServer, Shares, KeepsVersions.

    A folder's href is its path below the target's root, "" for that itself, "/A/B" below; a file's is its
    name. Stored.version is the ETag, "" where the server told none; it says nothing of the bytes.
    """

    def __init__(
        self, settings: FilesSettings, account: Account, guard: Guard, spool: Path, *, live: bool = False
    ) -> None:
        self._settings = settings
        self._account = account
        self._guard = guard
        self._live = live
        self._profile = settings.profile
        self._client = HttpClient(settings, account, self._profile, ANSWER_SECONDS)
        self._library = WebdavLibrary(self._client)
        self._reading = WebdavReader(self._client, self._profile, spool, settings.spool_above)
        self._given: dict[str, set[int]] = {}

    @cached_property
    def capabilities(self) -> Capabilities:
        """Asks the server once. Raises Misconfigured where versions shall move to one that keeps none."""
        names, settings = self._names(), self._settings
        return Capabilities(
            kinds=frozenset({Kind.FILES}),
            batch=settings.batch_items,
            batch_bytes=settings.batch_bytes,
            keywords=False,
            separator="/",
            name_bytes=names.bytes,
            special_use=True,
            replaces=True,
            files=names,
            versions=self._versions(),
            facts={"product": self._profile.name, **self._abilities.facts},
        )

    def server(self) -> Mapping[str, str]:
        """See model.optional_protocols.SupportsServerInfo."""
        return {"product": self._profile.name, **self._asked().facts}

    def identity(self) -> Identity:
        """Its part is the folder that a row names, else the account's files as a whole. Raises
        Blocked("no-files-access") when there is no account behind the login."""
        there = self._reading.entry(self._home.files, IDENTIFIED)
        if there is None:
            raise no_access()
        root = self._reading.entry(self._tree.path(""), IDENTIFIED) if self._home.named else there
        return files_account.identity(self._client, self._home, self._settings.kind, root)

    def quota(self) -> tuple[int, int] | None:
        """See model.optional_protocols.SupportsQuota."""
        found = self._reading.entry(self._home.files, QUOTA)
        if found is None or found.used is None or found.free is None or found.free < 0:
            return None
        return found.used, found.used + found.free

    def containers(self) -> Iterator[Container]:
        """The root has the role FILES and the path ("",); every other path begins with its ""."""
        return self._tree.containers()

    def leftovers(self) -> frozenset[tuple[str, str, bytes]]:
        """See model.optional_protocols.SupportsLeftovers."""
        return self._tree.leftovers()

    def ensure(self, container: Container) -> str:
        """Rejected codes: name-not-allowed, name-taken."""
        return self._tree.ensure(container)

    def rename(self, href: str, container: Container) -> str:
        """Rejected codes: name-not-allowed, name-taken."""
        self._not_when_live()
        return self._tree.rename(href, container)

    def stamp(self, href: str, modified: datetime) -> tuple[Loss, ...]:
        """See model.optional_protocols.SupportsContainerDates."""
        self._not_when_live()
        return self._tree.stamp(href, modified)

    def redate(self, href: str, name: str, modified: datetime) -> bool:
        """See model.optional_protocols.SupportsItemDates."""
        self._not_when_live()
        return self._tree.date_file(joined(self._tree.path(href), name), modified)

    def clear(self, href: str) -> bool:
        """See model.optional_protocols.RemovesContainers."""
        self._not_when_live()
        return self._tree.clear(href)

    def names(self, href: str) -> Iterator[str]:
        """See model.optional_protocols.SupportsFileNames."""
        return self._tree.taken(href)

    def position(self, href: str) -> str:
        """:0, for files have no order. Raises Blocked("container-missing")."""
        if self._reading.entry(self._tree.path(href)) is None:
            raise Blocked("container-missing", "a folder is no longer there")
        return ":0"

    def place(self, key: bytes) -> str | None:
        """None: a file's name is not made of its key."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Rejected codes beside the protocol's: name-not-allowed, name-taken, too-large, refused-by-target,
        hash-mismatch. Raises Blocked("over-quota", "no-permission", "container-missing")."""
        waiting = iter(items)
        kept = self._home.versions if self._settings.versions else ""
        writer = writing(self._means, kept, self._tree.path(href), live=self._live)
        if not self._may_bulk(href):
            yield from self._singly(writer, waiting)
            return
        given = self._given.setdefault(href, set())
        while window := list(islice(waiting, self._settings.bulk_items)):
            yield from self._together(writer, href, window, given)

    def versions(self, href: str, name: str) -> int | None:
        """See model.optional_protocols.SupportsVersionWrites."""
        kept = KeptVersions(self._reading, self._home.versions)
        dates = kept.dates(joined(self._tree.path(href), name)) if self._home.versions else None
        return None if dates is None else len(dates)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Files have no flags: any is Rejected("flag-not-allowed"), none is what they have."""
        self._not_when_live()
        return (self._amended(href, change) for change in changes)

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """All of it, whatever since says."""
        del since
        for entry in self._tree.files(href):
            yield Listed(href=entry.names[0], size=entry.size, date=entry.modified)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """The properties are those of a source's "file" (mappings.files.file)."""
        for name in hrefs:
            yield name, self._native(href, name)

    def digests(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
        """See model.optional_protocols.SupportsDigests. Reads the bytes where the server hashes nothing."""
        for name in hrefs:
            found = self._reading.digest(joined(self._tree.path(href), name))
            yield name, found if found is not None else Failed(key_of(name), _vanished())

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Rejected codes: cannot-remove, changed-at-target."""
        self._not_when_live()
        remover = FileRemover(self._means, self._tree.path(href))
        return spread(stored, remover.remove, self._client.writers, lambda one: one.href)

    def label(self, labels: Mapping[str, str]) -> bool:
        """False: files have no keywords."""
        del labels
        return False

    def kept(self, grants: Iterable[Grant], *, whole: bool) -> tuple[tuple[Grant, ...], tuple[Loss, ...]]:
        """See model.optional_protocols.SupportsShares; nothing where there is no OCS."""
        del whole
        return kept(ShareRules.of(self._abilities.sharing), grants, datetime.now(UTC))

    def shared(self, href: str, name: str | None) -> frozenset[Grant]:
        """See model.optional_protocols.SupportsShares."""
        path = self._shared_path(href, name)
        return frozenset(share.told for share in self._shares.of(path)) if path else frozenset()

    def share(
        self,
        href: str,
        name: str | None,
        grants: Iterable[Grant],
        waiting: Callable[[], None] = nobody_listens,
    ) -> Iterator[tuple[Grant, Loss | None]]:
        """See model.optional_protocols.SupportsShares. The root of all files cannot be shared."""
        self._not_when_live()
        path = self._shared_path(href, name)
        if not path:
            return ((grant, refused(grant)) for grant in grants)
        return self._shares.give(path, grants, whole=name is None, waiting=waiting)

    def unshare(self, href: str, name: str | None, grants: Iterable[Grant]) -> None:
        """See model.optional_protocols.SupportsShares."""
        self._not_when_live()
        if path := self._shared_path(href, name):
            self._shares.take(path, grants)

    def close(self) -> None:
        self._client.close()

    # -- internals

    def _not_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase", "the user works there now: only new items are added")

    @cached_property
    def _home(self) -> Home:
        return files_account.home(self._client, self._settings, self._account)

    @cached_property
    def _shares(self) -> OcsShares:
        return OcsShares(self._client, self._home.ocs, self._guard)

    def _shared_path(self, href: str, name: str | None) -> str:
        """As the account sees it; "" for what cannot be shared."""
        if not self._home.ocs:
            return ""
        folder = "".join(f"/{one}" for one in self._home.folder) + href
        return folder if name is None else f"{folder}/{name}"

    @cached_property
    def _abilities(self) -> Abilities:
        return self._asked()

    @cached_property
    def _tree(self) -> FolderTree:
        return FolderTree(
            self._client, self._library, self._reading, self._home, self._profile, self._names, self._guard
        )

    @cached_property
    def _means(self) -> UploadMeans:
        return UploadMeans(
            client=self._client,
            library=self._library,
            reading=self._reading,
            tree=self._tree,
            put=Put(self._client, self._library, self._profile, self._guard),
            chunks=self._chunks() if self._abilities.chunks and self._home.uploads else None,
            chunk_above=self._settings.chunk_above,
            profile=self._profile,
            names=self._names,
            room=QuotaRoom(self._room),
        )

    def _room(self) -> int | None:
        """Bytes that still fit; None where nobody knows."""
        found = self.quota()
        return found[1] - found[0] if found is not None else None

    def _asked(self) -> Abilities:
        if not self._home.ocs:
            return Abilities()
        return Ocs(self._client, self._home.ocs).abilities(self._profile.names)

    def _names(self) -> FileNames:
        return self._abilities.names or self._profile.names

    def _chunks(self) -> Chunks:
        return Chunks(
            self._client,
            self._library,
            self._reading,
            self._profile,
            self._guard,
            self._home.uploads,
            self._settings.chunk_bytes,
        )

    def _may_bulk(self, href: str) -> bool:
        able = self._abilities.bulk and self._home.bulk and self._settings.bulk_below
        return bool(able) and not self._live and self._tree.was_made(href)

    def _versions(self) -> int:
        if self._settings.versions and not self._abilities.versions:
            raise Misconfigured("target.files.versions", "the server keeps none (files_versions): leave it 0")
        return self._settings.versions

    def _together(
        self, writer: Write, href: str, window: list[Item], given: set[int]
    ) -> Iterator[Stored | Failed]:
        """What may go in bulk, and then one by one whatever may not or was not confirmed. given: marks of the
        names that this session gave in the folder."""
        folder = "".join(f"/{name}" for name in self._home.folder) + href
        bulk = Bulk(self._client, self._profile, self._guard, self._home.bulk, folder)
        done: set[bytes] = set()
        for group in self._groups(window, given):
            for stored in bulk.send(group):
                done.add(stored.key)
                yield stored
        given |= {_mark(item) for item in window}
        yield from self._singly(writer, (item for item in window if item.key not in done))

    def _groups(self, window: list[Item], given: set[int]) -> Iterator[list[Item]]:
        """Small new files with names that a PUT would take too and that nothing had before, as many as one
        request may carry."""
        group, held = list[Item](), 0
        for item in window:
            if not self._is_bulk(item) or _mark(item) in given:
                continue
            given.add(_mark(item))
            if group and held + item.size > self._settings.bulk_bytes:
                yield group
                group, held = [], 0
            group.append(item)
            held += item.size
        if group:
            yield group

    def _is_bulk(self, item: Item) -> bool:
        if item.replaces is not None or item.versions or item.size >= self._settings.bulk_below:
            return False
        name = item.name or ""
        return name == name.rstrip() and takes(name, self._names())

    def _singly(self, writer: Write, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        return spread(items, writer, self._client.writers, lambda item: item.name)

    def _amended(self, href: str, change: Amendment) -> Stored | Failed:
        self._guard()
        if change.flags:
            return Failed(change.stored.key, Rejected("flag-not-allowed", "files have no flags"))
        there = self._reading.entry(joined(self._tree.path(href), change.stored.href))
        return change.stored if there is not None else Failed(change.stored.key, _vanished())

    def _native(self, href: str, name: str) -> Native | Failed:
        found = self._reading.whole(joined(self._tree.path(href), name))
        if found is None:
            return Failed(key_of(name), _vanished())
        properties = {
            "Name": name,
            "Modified": found.modified or moment(0),
            "Size": found.size,
            "Sha256": found.digest.hex(),
        }
        return Native(Ref(name, found.etag, size=found.size), "file", properties, found.body)


def _mark(item: Item) -> int:
    """Equal for names that a server may take for one."""
    return hash(str(item.name).casefold())


def _vanished() -> Rejected:
    return Rejected("vanished", "no longer at the target")
