"""Write to an account on a file server: Nextcloud, eXo Platform, and any that speaks WebDAV.

Two checks refuse before anything is sent: the guard (LeaseLost), and in the live phase rename, amend, remove
and stamp.
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
from connectors.http.suspects import Suspects, suspects_last
from connectors.settings import Account
from connectors.webdav import account as files_account
from connectors.webdav.account import Home, no_access
from connectors.webdav.client import joined, moment, passing
from connectors.webdav.names import takes
from connectors.webdav.ocs_capabilities import Abilities, Ocs
from connectors.webdav.propfind import IDENTIFIED, QUOTA
from connectors.webdav.quota import QuotaRoom
from connectors.webdav.read import WebdavReader
from connectors.webdav.settings import FilesSettings
from connectors.webdav.verbs import WebdavLibrary
from model.errors import Blocked, Misconfigured, Rejected
from model.file_names import FileNames
from model.kinds import Kind
from model.optional_protocols import Grant, nobody_listens
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
    Listed,
    Loss,
    Native,
    Ref,
    Stored,
    key_of,
)

__all__ = ["FilesSettings", "FilesTarget"]


ANSWER_SECONDS = 86_400.0
"""The allowance for reading one file back: a large one takes hours."""


class FilesTarget:
    """Write files to one account.

    Implements `model.protocols.Target` and, of `model.optional_protocols`, SupportsDigests,
    SupportsContainerDates, SupportsFileNames, RemovesContainers, SupportsItemDates, SupportsQuota,
    SupportsServerInfo, SupportsShares, SupportsVersionWrites and SupportsLeftovers. A folder's href is its
    path below the target's root: "" for the root, "/A/B" below. A file's href is its name. Stored.version is
    the ETag, "" where the server gave none; it says nothing about the bytes.
    """

    def __init__(
        self, settings: FilesSettings, account: Account, guard: Guard, spool: Path, *, live: bool = False
    ) -> None:
        self._settings = settings
        self._account = account
        self._guard = guard
        self._live = live
        self._profile = settings.profile
        self._client = HttpClient(settings, account, self._profile, ANSWER_SECONDS, passing)
        self._library = WebdavLibrary(self._client)
        self._reading = WebdavReader(self._client, self._profile, spool, settings.spool_above)
        self._used_names: dict[str, set[int]] = {}
        self._suspects = Suspects(str(self._client.origin))

    @cached_property
    def capabilities(self) -> Capabilities:
        """Return what the server can do; asks once.

        Raises:
            Misconfigured: versions should move to a server that keeps none.
        """
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
        """Ask the server about itself; see `model.optional_protocols.SupportsServerInfo`."""
        return {"product": self._profile.name, **self._ask_abilities().facts}

    def identity(self) -> Identity:
        """Return who owns the account.

        Its part is the folder that a row of mailboxes.csv names, else all of the account's files.

        Raises:
            Blocked: "no-files-access" when there is no account behind the login.
        """
        files = self._reading.entry(self._home.files, IDENTIFIED)
        if files is None:
            raise no_access()
        root = self._reading.entry(self._tree.path(""), IDENTIFIED) if self._home.named else files
        return files_account.identity(self._client, self._home, self._settings.kind, root)

    def quota(self) -> tuple[int, int] | None:
        """Return (used, allowed) in bytes, or None; see `model.optional_protocols.SupportsQuota`."""
        entry = self._reading.entry(self._home.files, QUOTA)
        if entry is None or entry.used is None or entry.free is None or entry.free < 0:
            return None
        return entry.used, entry.used + entry.free

    def containers(self) -> Iterator[Container]:
        """List the folders. The root has the role FILES and the path (""); other paths begin with ""."""
        return self._tree.containers()

    def leftovers(self) -> frozenset[tuple[str, str, bytes]]:
        """Return half-written files; see `model.optional_protocols.SupportsLeftovers`."""
        return self._tree.leftovers()

    def ensure(self, container: Container) -> str:
        """Create a folder unless it exists; idempotent; see `FolderTree.ensure`."""
        return self._tree.ensure(container)

    def rename(self, href: str, container: Container) -> str:
        """Rename a folder; idempotent; refused in the live phase; see `FolderTree.rename`.

        Args:
            href: the folder.
            container: its new path.

        Raises:
            Rejected: "name-not-allowed", "name-taken".
            Blocked: "live-phase", "container-missing".
        """
        self._refuse_when_live()
        return self._tree.rename(href, container)

    def stamp(self, href: str, modified: datetime) -> tuple[Loss, ...]:
        """Set a folder's date; see `model.optional_protocols.SupportsContainerDates`."""
        self._refuse_when_live()
        return self._tree.stamp(href, modified)

    def redate(self, href: str, name: str, modified: datetime) -> bool:
        """Set a file's date; see `model.optional_protocols.SupportsItemDates`."""
        self._refuse_when_live()
        return self._tree.date_file(joined(self._tree.path(href), name), modified)

    def clear(self, href: str) -> bool:
        """Remove an empty folder; see `model.optional_protocols.RemovesContainers`."""
        self._refuse_when_live()
        return self._tree.clear(href)

    def names(self, href: str) -> Iterator[str]:
        """Yield every name in a folder; see `model.optional_protocols.SupportsFileNames`."""
        return self._tree.taken(href)

    def position(self, href: str) -> str:
        """Return ":0", because files have no order.

        Raises:
            Blocked: "container-missing".
        """
        if self._reading.entry(self._tree.path(href)) is None:
            raise Blocked("container-missing", "a folder is no longer there")
        return ":0"

    def place(self, key: bytes) -> str | None:
        """Return None, because a file's name is not made from its key."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Write files; see `model.protocols.Target.write`. May have written any of them even if it raises.

        Rejected codes in addition to the protocol's: name-not-allowed, name-taken, too-large,
        refused-by-target, hash-mismatch.

        Raises:
            Blocked: "over-quota", "no-permission", "container-missing".
        """
        waiting = iter(items)
        kept = self._home.versions if self._settings.versions else ""
        writer = writing(self._means, kept, self._tree.path(href), live=self._live)
        if not self._may_bulk(href):
            yield from self._write_one_by_one(writer, waiting)
            return
        used = self._used_names.setdefault(href, set())
        while window := list(islice(waiting, self._settings.bulk_items)):
            yield from self._write_in_bulk(writer, href, window, used)

    def versions(self, href: str, name: str) -> int | None:
        """Return the number of older versions; see `model.optional_protocols.SupportsVersionWrites`."""
        kept = KeptVersions(self._reading, self._home.versions)
        dates = kept.dates(joined(self._tree.path(href), name)) if self._home.versions else None
        return None if dates is None else len(dates)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Check that files exist; idempotent; refused in the live phase.

        Files have no flags: any flag is Rejected("flag-not-allowed"); an empty set is what they have.

        Args:
            href: the folder.
            changes: the files with their new flags.

        Raises:
            Blocked: "live-phase".
            LeaseLost: the guard refuses.
        """
        self._refuse_when_live()
        return (self._amend_one(href, change) for change in changes)

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """List all files; see `model.protocols.Target.listing`. `since` has no effect."""
        del since
        for entry in self._tree.files(href):
            yield Listed(href=entry.names[0], size=entry.size, date=entry.modified)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read files back; see `model.protocols.Target.read`.

        The properties are those of a source's "file" (`mappings.files.file`).
        """
        for name in hrefs:
            yield name, self._native(href, name)

    def digests(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
        """Yield SHA-256 digests; see `model.optional_protocols.SupportsDigests`.

        The bytes are read where the server does not hash them itself.
        """
        for name in hrefs:
            digest = self._reading.digest(joined(self._tree.path(href), name))
            yield name, digest if digest is not None else Failed(key_of(name), _vanished())

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Remove files; idempotent; refused in the live phase; see `FileRemover.remove`.

        Args:
            href: the folder.
            stored: the files as they were written.

        Yields:
            One result per file. Rejected codes: cannot-remove, changed-at-target.

        Raises:
            Blocked: "live-phase".
            LeaseLost: the guard refuses.
        """
        self._refuse_when_live()
        remover = FileRemover(self._means, self._tree.path(href))
        return spread(stored, remover.remove, self._client.writers, lambda file: file.href)

    def label(self, labels: Mapping[str, str]) -> bool:
        """Return False: files have no keywords."""
        del labels
        return False

    def kept(self, grants: Iterable[Grant], *, whole: bool) -> tuple[tuple[Grant, ...], tuple[Loss, ...]]:
        """Return the grants that the target would keep; see `model.optional_protocols.SupportsShares`.

        Without OCS nothing can be shared.
        """
        del whole
        return kept(ShareRules.of(self._abilities.sharing), grants, datetime.now(UTC))

    def shared(self, href: str, name: str | None) -> frozenset[Grant]:
        """Return with whom something is shared now; see `model.optional_protocols.SupportsShares`."""
        path = self._shared_path(href, name)
        return frozenset(share.grant for share in self._shares.of(path)) if path else frozenset()

    def share(
        self,
        href: str,
        name: str | None,
        grants: Iterable[Grant],
        waiting: Callable[[], None] = nobody_listens,
    ) -> Iterator[tuple[Grant, Loss | None]]:
        """Share a file or folder; see `model.optional_protocols.SupportsShares`.

        The root of all files cannot be shared.
        """
        self._refuse_when_live()
        path = self._shared_path(href, name)
        if not path:
            return ((grant, refused(grant)) for grant in grants)
        return self._shares.give(path, grants, whole=name is None, waiting=waiting)

    def unshare(self, href: str, name: str | None, grants: Iterable[Grant]) -> None:
        """Remove shares; see `model.optional_protocols.SupportsShares`."""
        self._refuse_when_live()
        if path := self._shared_path(href, name):
            self._shares.take(path, grants)

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._client.trouble()

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._client.close()

    # -- internals

    def _refuse_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase", "the user works there now: only new items are added")

    @cached_property
    def _home(self) -> Home:
        return files_account.home(self._client, self._settings, self._account)

    @cached_property
    def _shares(self) -> OcsShares:
        return OcsShares(self._client, self._home.ocs, self._guard)

    def _shared_path(self, href: str, name: str | None) -> str:
        """Return the path as the account sees it; "" for a place that cannot be shared."""
        if not self._home.ocs:
            return ""
        folder = "".join(f"/{part}" for part in self._home.folder) + href
        return folder if name is None else f"{folder}/{name}"

    @cached_property
    def _abilities(self) -> Abilities:
        return self._ask_abilities()

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
            room=QuotaRoom(self._free_bytes),
            suspects=self._suspects,
        )

    def _free_bytes(self) -> int | None:
        """Return the bytes that still fit; None where they are unknown."""
        quota = self.quota()
        return quota[1] - quota[0] if quota is not None else None

    def _ask_abilities(self) -> Abilities:
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

    def _write_in_bulk(
        self, writer: Write, href: str, window: list[Item], used: set[int]
    ) -> Iterator[Stored | Failed]:
        """Write files in bulk, then one by one those that may not go in bulk or were not confirmed.

        given: marks of the names that this session used in the folder.
        """
        folder = "".join(f"/{name}" for name in self._home.folder) + href
        bulk = Bulk(self._client, self._profile, self._guard, self._home.bulk, folder)
        done: set[bytes] = set()
        for group in self._groups(window, used):
            for stored in bulk.send(group):
                done.add(stored.key)
                yield stored
        used |= {_mark(item) for item in window}
        yield from self._write_one_by_one(writer, (item for item in window if item.key not in done))

    def _groups(self, window: list[Item], used: set[int]) -> Iterator[list[Item]]:
        """Yield groups for one request: small new files whose names a PUT would take and nothing used yet."""
        group, held = list[Item](), 0
        for item in window:
            if not self._is_bulk(item) or _mark(item) in used:
                continue
            used.add(_mark(item))
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

    def _write_one_by_one(self, writer: Write, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        return suspects_last(
            items, lambda some: spread(some, writer, self._client.writers, lambda item: item.name)
        )

    def _amend_one(self, href: str, change: Amendment) -> Stored | Failed:
        """Check one file."""
        self._guard()
        if change.flags:
            return Failed(change.stored.key, Rejected("flag-not-allowed", "files have no flags"))
        entry = self._reading.entry(joined(self._tree.path(href), change.stored.href))
        return change.stored if entry is not None else Failed(change.stored.key, _vanished())

    def _native(self, href: str, name: str) -> Native | Failed:
        """Read one file."""
        file = self._reading.whole(joined(self._tree.path(href), name))
        if file is None:
            return Failed(key_of(name), _vanished())
        properties = {
            "Name": name,
            "Modified": file.modified or moment(0),
            "Size": file.size,
            "Sha256": file.digest.hex(),
        }
        return Native(Ref(name, file.etag, size=file.size), "file", properties, file.body)


def _mark(item: Item) -> int:
    """Return a mark that is equal for names that a server may treat as the same."""
    return hash(str(item.name).casefold())


def _vanished() -> Rejected:
    return Rejected("vanished", "no longer at the target")
