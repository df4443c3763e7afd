"""Write to a CalDAV or CardDAV account: Open-Xchange, Nextcloud, Cyrus, Radicale and any other server.

Two checks refuse before anything is sent: the guard (LeaseLost), and in the live phase rename, amend and
remove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from connectors.caldav import principal
from connectors.caldav.attachment_add import AttachmentAdder
from connectors.caldav.collections import Collections
from connectors.caldav.delete import ObjectRemover
from connectors.caldav.discovery import CaldavLibrary
from connectors.caldav.means import ObjectMeans
from connectors.caldav.principal import Principal
from connectors.caldav.products import PROFILES
from connectors.caldav.put import ObjectWriter, place
from connectors.caldav.read import NAMES, CaldavReader, Current, Shared, uid_of
from connectors.caldav.scheduling import SchedulingEvidence, hear
from connectors.caldav.settings import DavSettings
from connectors.caldav.uid_conflicts import Conflicts
from connectors.http.client import HttpClient
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import Mine, anybody
from connectors.http.parallel import spread
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.http.suspects import Suspects, suspects_last
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Misconfigured, Rejected
from model.kinds import Kind
from model.protocols import (
    Amendment,
    Body,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
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
    """Write one kind of items to one account.

    Implements `model.protocols.Target` and, of `model.optional_protocols`, Schedules, SupportsServerInfo,
    NamesOtherwise, LooksUp, ReadsLinks and RemovesContainers. A container's href is its collection's
    canonical path. An item's href is the last segment of its path, or the whole path of one that is `via` in
    another collection. Stored.version is the ETag, "" where the server gave none.
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
        budget: RequestBudget = NO_BUDGET,
    ) -> None:
        """Prepare the target; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account to log in as.
            guard: the write fence; called before each change.
            spool: the folder for spool files.
            kind: the kind of items.
            digest: returns what a body means; raises Rejected for one that it cannot read.
            shared: returns what is lost when another person's object stands for an item; None: no object may.
            mine: tells if an item's key belongs to this mailbox.
            live: True in the live phase: write only adds.
            budget: asked before each request.

        Raises:
            Misconfigured: the server's kind does not hold such items.
        """
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
        self._client = HttpClient(settings, account, self._profile, budget=budget)
        self._suspects = Suspects(f"{self._client.origin}\n{kind}")
        self._library = CaldavLibrary(self._client)
        profile = self._profile
        self._reading = CaldavReader(
            self._client,
            kind,
            spool,
            settings.spool_above,
            profile.vcard,
            paged=profile.paged,
            managed=profile.managed_attachment_bytes is not None,
        )
        self._means = ObjectMeans(self._client, self._reading, profile, guard, digest, mine)
        self._found: Principal | None = None
        self._silence: SchedulingEvidence | None = None
        self._collections: Collections | None = None
        self._capabilities: Capabilities | None = None
        self._conflicts: Conflicts | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Return what the server can do; asks once."""
        if self._capabilities is None:
            self._capabilities = self._ask_capabilities()
        return self._capabilities

    def silence(self) -> str:
        """Return how the server stays silent; see `model.optional_protocols.Schedules`."""
        return self._scheduling().silence

    def identity(self) -> Identity:
        """Return who owns the account; see `connectors.caldav.principal.identity`."""
        return principal.identity(self._library, self._client, self._principal(), self._profile)

    def server(self) -> Mapping[str, str]:
        """Return what a preflight shows, in the server's own words."""
        values = {"profile": self._profile.name}
        return values if self._kind is Kind.CONTACTS else {**values, **self._scheduling().facts()}

    def containers(self) -> Iterator[Container]:
        """List the collections; see `model.protocols.Target.containers`."""
        yield from self._collection_set().containers()

    def ensure(self, container: Container) -> str:
        """Create the collection unless it exists; idempotent; see `Collections.ensure`.

        A container with its kind's role is the user's default collection. The parts of the path become one
        name.
        """
        return self._collection_set().ensure(container)

    def rename(self, href: str, container: Container) -> str:
        """Change the display name; the href stays. Two collections may have the same name.

        Args:
            href: the collection.
            container: its new name.

        Raises:
            Blocked: "live-phase", and the codes of `Collections.rename`.
        """
        self._refuse_when_live()
        return self._collection_set().rename(href, container)

    def position(self, href: str) -> str:
        """Return ":0", because hrefs have no order.

        Raises:
            Blocked: "container-missing".
        """
        if self._reading.answers(href) in GONE:
            raise Blocked("container-missing", "a collection is no longer there")
        return ":0"

    def place(self, key: bytes) -> str | None:
        """Return the href that an item of this key gets."""
        return place(self._kind, key, by_uid=self._kind in self._profile.named_by_uid)

    @property
    def names_otherwise(self) -> bool:
        """Return True if the server stores items of this kind by their UID."""
        return self._kind in self._profile.named_by_uid

    def stored_as(self, key: bytes, href: str) -> str:
        """Return where an item is; see `model.optional_protocols.NamesOtherwise`."""
        sent = place(self._kind, key)
        return place(self._kind, key, by_uid=True) if self.names_otherwise and href == sent else href

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Write items; see `model.protocols.Target.write`. May have written any of them even if it raises.

        Rejected codes in addition to the protocol's: too-large, empty-message, refused-by-target,
        dropped-by-target, uid-in-trash.

        Raises:
            Blocked: "over-quota", "no-permission", "container-missing", "home-of-another".
        """
        self._collection_set().refuse_elsewhere(href)
        collection = self._collection_set().known().get(href)
        if collection is not None and (collection.readonly or collection.shared):
            raise Blocked("no-permission", "a collection is somebody else's, or read-only")
        writer = ObjectWriter(
            self._means,
            self._uids(),
            href,
            live=self._live,
            max_bytes=self.capabilities.max_bytes,
            suspects=self._suspects,
            shared=self._shared,
            adder=self._adder(),
        )
        results = suspects_last(
            items, lambda some: spread(some, writer.write, self._client.writers, lambda item: item.uid)
        )
        return self._looked_at(href, results) if self._kind in self._profile.may_drop else results

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Check that the items exist; idempotent; refused in the live phase.

        Objects have no flags: any flag is Rejected("flag-not-allowed"); an empty set is what they have.

        Args:
            href: the collection.
            changes: the items with their new flags.

        Raises:
            Blocked: "live-phase".
            LeaseLost: the guard refuses.
        """
        self._refuse_when_live()
        return (self._amend_one(href, change) for change in changes)

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """List all objects; see `model.protocols.Target.listing`. `since` has no effect."""
        del since
        for name, size in self._reading.listed(href):
            yield Listed(href=name, size=size)

    def look_up(self, href: str, names: Iterable[str]) -> Iterator[Listed]:
        """Yield those of these objects that exist; see `model.optional_protocols.LooksUp`."""
        for name, size in self._reading.existing(href, names):
            yield Listed(href=name, size=size)

    def shows_another(self, href: str, body: Body) -> bool:
        """Return True if the default calendar has another object of this UID, of any age.

        See `model.optional_protocols.ShowsOthers`.
        """
        default = self._collection_set().default()
        if not self._profile.gives_to_uid or default in (None, href):
            return False
        uid = uid_of(body)
        return uid is not None and self._uids().has(str(default), uid)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read objects back; see `model.protocols.Target.read`."""
        other_paths = []

        def in_container() -> Iterator[str]:
            for item_href in hrefs:
                if item_href.startswith("/"):
                    other_paths.append(item_href)
                else:
                    yield item_href

        for name, current in self._reading.read(href, in_container()):
            yield name, self._native(name, current)
        for path in other_paths:
            yield path, self._native(path, self._read_elsewhere(path))

    def read_links(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read objects without their managed attachments; see `model.optional_protocols.ReadsLinks`."""
        for name, current in self._reading.read(href, hrefs, contents=False):
            yield name, self._native(name, current)

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Remove objects; see `ObjectRemover.remove`. Refused in the live phase.

        Args:
            href: the collection.
            stored: the objects.

        Yields:
            One result per object. Rejected codes: cannot-remove, changed-at-target.

        Raises:
            Blocked: "home-of-another", "live-phase".
        """
        self._refuse_when_live()
        self._collection_set().refuse_elsewhere(href)
        remover = ObjectRemover(self._means, href)
        return spread(stored, remover.remove, self._client.writers, lambda removal: removal.href)

    def clear(self, href: str) -> bool:
        """Remove an empty collection; see `model.optional_protocols.RemovesContainers`.

        Where listings are partial, or DAV does not show everything, no collection is known to be empty, and
        none is removed.
        """
        self._refuse_when_live()
        if self.capabilities.lists_partly or self._kind in self._profile.hides:
            return False
        return self._collection_set().clear(href)

    def label(self, labels: Mapping[str, str]) -> bool:
        """Return False: categories stand in the objects, in full."""
        del labels
        return False

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._client.trouble()

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._client.close()

    # -- internals

    def _looked_at(self, href: str, results: Iterator[Stored | Failed]) -> Iterator[Stored | Failed]:
        """Yield results, but only what is there is stored: the server may say 201 and store nothing."""
        waiting: list[Stored] = []
        try:
            for result in results:
                if isinstance(result, Failed) or result.via:
                    yield result
                    continue
                waiting.append(result)
                if len(waiting) == NAMES:
                    yield from self._present(href, waiting)
                    waiting.clear()
        except MigrationError:
            with suppress(MigrationError):  # what is not known is settled later
                yield from self._present(href, waiting)
            raise
        yield from self._present(href, waiting)

    def _present(self, href: str, written: list[Stored]) -> Iterator[Stored | Failed]:
        names = {name for name, _ in self._reading.existing(href, [one.href for one in written])}
        for one in written:
            dropped = Rejected("dropped-by-target", "the server said that it stored it, and has nothing")
            yield one if one.href in names else Failed(one.key, dropped)

    def _refuse_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase", "the user works there now: only new items are added")

    def _principal(self) -> Principal:
        if self._found is None:
            self._found = principal.principal(self._library, self._client, self._settings.url, self._kind)
        return self._found

    def _placed_principal(self) -> Principal:
        """Return the principal with all that is known of where its default collection is."""
        return self._principal()

    def _scheduling(self) -> SchedulingEvidence:
        if self._silence is None:
            self._silence = hear(self._client, self._profile, self._principal())
        return self._silence

    def _collection_set(self) -> Collections:
        if self._collections is None:
            self._collections = Collections(
                self._library, self._client, self._profile, self._placed_principal(), self._kind, self._guard
            )
        return self._collections

    def _managed_bytes(self) -> int | None:
        """Return the largest attachment that is added by itself; None if none is."""
        most = self._profile.managed_attachment_bytes
        is_used = most is not None and self._kind is Kind.CALENDAR and self._scheduling().manages
        return most if is_used else None

    def _adder(self) -> AttachmentAdder | None:
        inside = self._profile.attachment_bytes.get(self._kind)
        if inside is None or self._managed_bytes() is None:
            return None
        return AttachmentAdder(self._means, inside)

    def _uids(self) -> Conflicts:
        if self._conflicts is None:
            trash = self._profile.trash if self._kind is not Kind.CONTACTS else ""
            self._conflicts = Conflicts(
                self._means,
                lambda: [
                    path
                    for path, collection in self._collection_set().known().items()
                    if not collection.shared
                ],
                self._principal().homes[0] + trash if trash else "",
            )
        return self._conflicts

    def _ask_capabilities(self) -> Capabilities:
        """Ask the server what it can do."""
        profile, settings = self._profile, self._settings
        collections = self._collection_set().known().values()
        limits = [collection.max_bytes for collection in collections if collection.max_bytes]
        limits += [profile.max_bytes[self._kind]] if self._kind in profile.max_bytes else []
        return Capabilities(
            kinds=frozenset({self._kind}),
            batch=settings.batch_items,
            batch_bytes=settings.batch_bytes,
            max_bytes=min(limits, default=None),
            keywords=False,
            separator="",
            special_use=self._collection_set().has_default(),
            replaces=True,
            recurring_tasks=profile.recurring_tasks,
            groups=profile.groups,
            vcard=profile.vcard,
            silent_agent=profile.silent_agent or settings.silent_agent,
            category_commas=profile.category_commas,
            busy_words=profile.busy_words,
            event_habits=profile.event_habits,
            cards=profile.cards,
            tasks=profile.todos,
            position_types=profile.position_types,
            attachment_bytes=self._managed_bytes() or profile.attachment_bytes.get(self._kind),
            series_attachment_bytes=profile.attachment_bytes.get(self._kind),
            lists_partly=self._kind in profile.listed_partly,
            shares_events=self._kind in profile.shares_events,
            facts=self.server(),
        )

    def _amend_one(self, href: str, change: Amendment) -> Stored | Failed:
        """Check one item."""
        self._guard()
        if change.flags:
            return Failed(change.stored.key, Rejected("flag-not-allowed", "objects have no flags"))
        exists = self._client.look("HEAD", href + change.stored.href).status not in GONE
        return change.stored if exists else Failed(change.stored.key, Rejected("vanished"))

    def _read_elsewhere(self, path: str) -> Current | MigrationError:
        """Read an object of another collection below the homes."""
        mine = any(path.startswith(home) for home in self._principal().homes)
        current = self._reading.current(path) if mine else None
        return current or Rejected("vanished", "no longer at the target")

    def _native(self, href: str, current: Current | MigrationError) -> Native | Failed:
        """Convert an object, or its error, into a result of read."""
        if isinstance(current, MigrationError):
            return Failed(key_of(href), current)
        ref = Ref(href, current.etag, size=current.size)
        return Native(ref, FORMATS.get(self._kind, "icalendar"), {}, current.body)
