"""A CalDAV or CardDAV account as a target: Open-Xchange, Nextcloud, Cyrus, Radicale and any other.

Refusals before anything is sent: the guard's (LeaseLost), and in the live phase rename, amend and remove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from connectors.caldav import principal
from connectors.caldav.collections import Collections
from connectors.caldav.delete import ObjectRemover
from connectors.caldav.discovery import CaldavLibrary
from connectors.caldav.principal import Principal
from connectors.caldav.products import PROFILES
from connectors.caldav.put import ObjectWriter, place
from connectors.caldav.read import CaldavReader, Current, Shared
from connectors.caldav.scheduling import SchedulingEvidence, hear
from connectors.caldav.settings import DavSettings
from connectors.caldav.uid_conflicts import Conflicts
from connectors.http.client import HttpClient
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import Mine, anybody
from connectors.http.parallel import spread
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Misconfigured, Rejected
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
    Native,
    Ref,
    Stored,
    key_of,
)

__all__ = ["DavSettings", "DavTarget"]

KINDS: Mapping[str, frozenset[Kind]] = {
    "caldav": frozenset({Kind.CALENDAR, Kind.TASKS}),
    "carddav": frozenset({Kind.CONTACTS}),
}
FORMATS = {Kind.CONTACTS: "vcard"}


class DavTarget:
    """One kind of items in one account. Implements model.protocols.Target and optional_protocols.Schedules.

    A container's href is its collection's canonical path, an item's the last segment of its path, or the
    whole path of one that is via in another collection. Stored.version is the ETag, "" where the server told
    none. digest says what a body means; it raises Rejected for one that it cannot read. shared says what is
    lost when somebody else's object stands for an item, mine whose an object of this program's is; without
    them nothing does, and all are this mailbox's.
    """

    def __init__(
        self,
        settings: DavSettings,
        account: Account,
        guard: Guard,
        spool: Path,
        *,
        kind: Kind,
        digest: Callable[[BinaryIO], bytes],
        shared: Shared | None = None,
        mine: Mine = anybody,
        live: bool = False,
    ) -> None:
        if kind not in KINDS[settings.kind]:
            raise Misconfigured("target", f"{settings.kind} holds no {kind}")
        self._settings = settings
        self._kind = kind
        self._guard = guard
        self._digest = digest
        self._shared = shared
        self._mine = mine
        self._live = live
        self._profile = PROFILES[settings.profile]
        self._client = HttpClient(settings, account, self._profile)
        self._library = CaldavLibrary(self._client)
        self._reading = CaldavReader(self._client, kind, spool, settings.spool_above, self._profile.vcard)
        self._found: Principal | None = None
        self._silence: SchedulingEvidence | None = None
        self._collections: Collections | None = None
        self._capabilities: Capabilities | None = None
        self._conflicts: Conflicts | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Asks the server once."""
        if self._capabilities is None:
            self._capabilities = self._asked()
        return self._capabilities

    def silence(self) -> str:
        return self._heard().silence

    def identity(self) -> Identity:
        return principal.identity(self._library, self._client, self._principal(), self._profile)

    def server(self) -> Mapping[str, str]:
        """What a preflight should show, by the server's own word."""
        known = {"profile": self._profile.name}
        return known if self._kind is Kind.CONTACTS else {**known, **self._heard().facts()}

    def containers(self) -> Iterator[Container]:
        yield from self._all().containers()

    def ensure(self, container: Container) -> str:
        """A container with its kind's role is the user's default one. The path's parts become one name."""
        return self._all().ensure(container)

    def rename(self, href: str, container: Container) -> str:
        """The display name; href stays. Two collections may have one name."""
        self._not_when_live()
        return self._all().rename(href, container)

    def position(self, href: str) -> str:
        """ ":0": hrefs have no order. Raises Blocked("container-missing")."""
        if self._reading.answers(href) in GONE:
            raise Blocked("container-missing", "a collection is no longer there")
        return ":0"

    def place(self, key: bytes) -> str | None:
        return place(self._kind, key)

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Rejected codes beside the protocol's: too-large, empty-message, refused-by-target, uid-in-trash.
        Raises Blocked("over-quota", "no-permission", "container-missing", "home-of-another")."""
        self._all().refuse_elsewhere(href)
        known = self._all().known().get(href)
        if known is not None and (known.readonly or known.shared):
            raise Blocked("no-permission", "a collection is somebody else's, or read-only")
        writer = ObjectWriter(
            self._client,
            self._reading,
            self._profile,
            self._uids(),
            self._guard,
            self._digest,
            href,
            live=self._live,
            max_bytes=self.capabilities.max_bytes,
            shared=self._shared,
        )
        return spread(items, writer.write, self._client.writers, lambda item: item.uid)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Objects have no flags: any is Rejected("flag-not-allowed"), none is what they have."""
        self._not_when_live()
        return (self._amended(href, change) for change in changes)

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """All of it, whatever since says. size is the server's own."""
        del since
        for name, size in self._reading.listed(href):
            yield Listed(href=name, size=size)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        elsewhere = []

        def here() -> Iterator[str]:
            for one in hrefs:
                if one.startswith("/"):
                    elsewhere.append(one)
                else:
                    yield one

        for name, found in self._reading.read(href, here()):
            yield name, self._native(name, found)
        for path in elsewhere:
            yield path, self._native(path, self._elsewhere(path))

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Rejected codes: cannot-remove, changed-at-target. Raises Blocked("home-of-another")."""
        self._not_when_live()
        self._all().refuse_elsewhere(href)
        remover = ObjectRemover(
            self._client, self._reading, self._profile, self._guard, self._digest, href, self._mine
        )
        return spread(stored, remover.remove, self._client.writers, lambda one: one.href)

    def clear(self, href: str) -> bool:
        """See model.optional_protocols.RemovesContainers."""
        self._not_when_live()
        return self._all().clear(href)

    def label(self, labels: Mapping[str, str]) -> bool:
        """False: categories stand in the objects, in full."""
        del labels
        return False

    def close(self) -> None:
        self._client.close()

    # -- internals

    def _not_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase", "the user works there now: only new items are added")

    def _principal(self) -> Principal:
        if self._found is None:
            self._found = principal.principal(self._library, self._client, self._settings.url, self._kind)
        return self._found

    def _heard(self) -> SchedulingEvidence:
        if self._silence is None:
            self._silence = hear(self._client, self._profile, self._principal())
        return self._silence

    def _all(self) -> Collections:
        if self._collections is None:
            self._collections = Collections(
                self._library, self._client, self._profile, self._principal(), self._kind, self._guard
            )
        return self._collections

    def _uids(self) -> Conflicts:
        if self._conflicts is None:
            trash = self._profile.trash if self._kind is not Kind.CONTACTS else ""
            self._conflicts = Conflicts(
                self._client,
                self._reading,
                self._profile,
                lambda: [path for path, one in self._all().known().items() if not one.shared],
                self._principal().homes[0] + trash if trash else "",
                self._mine,
            )
        return self._conflicts

    def _asked(self) -> Capabilities:
        profile, settings = self._profile, self._settings
        known = self._all().known().values()
        limits = [one.max_bytes for one in known if one.max_bytes]
        limits += [profile.max_bytes[self._kind]] if self._kind in profile.max_bytes else []
        return Capabilities(
            kinds=frozenset({self._kind}),
            batch=settings.batch_items,
            batch_bytes=settings.batch_bytes,
            max_bytes=min(limits, default=None),
            keywords=False,
            separator="",
            special_use=self._all().has_default(),
            replaces=True,
            recurring_tasks=profile.recurring_tasks,
            groups=profile.groups,
            vcard=profile.vcard,
            silent_agent=profile.silent_agent or settings.silent_agent,
            category_commas=profile.category_commas,
            attachment_bytes=profile.attachment_bytes,
            facts=self.server(),
        )

    def _amended(self, href: str, change: Amendment) -> Stored | Failed:
        self._guard()
        if change.flags:
            return Failed(change.stored.key, Rejected("flag-not-allowed", "objects have no flags"))
        there = self._client.look("HEAD", href + change.stored.href).status not in GONE
        return change.stored if there else Failed(change.stored.key, Rejected("vanished"))

    def _elsewhere(self, path: str) -> Current | MigrationError:
        mine = any(path.startswith(home) for home in self._principal().homes)
        current = self._reading.current(path) if mine else None
        return current or Rejected("vanished", "no longer at the target")

    def _native(self, href: str, found: Current | MigrationError) -> Native | Failed:
        if isinstance(found, MigrationError):
            return Failed(key_of(href), found)
        ref = Ref(href, found.etag, size=found.size)
        return Native(ref, FORMATS.get(self._kind, "icalendar"), {}, found.body)
