"""List, create, rename and remove the collections of one kind in an account.

A collection of ours has a path segment made from the container's id, so that a creation whose reply was lost
is found again. Names need not be unique and decide nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from caldav.elements import cdav, dav, ical

from connectors.caldav import xml_elements as elements
from connectors.caldav.discovery import CaldavLibrary, DiscoveryAnswer, Resource
from connectors.caldav.principal import Principal, stated_default
from connectors.caldav.product import Profile
from connectors.http.client import HttpAnswer, HttpClient, passing
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import child, folder, segment
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.kinds import Kind
from model.protocols import Container, Guard, Role

DEFAULTS: Mapping[Kind, Role] = {
    Kind.CALENDAR: Role.CALENDAR,
    Kind.CONTACTS: Role.CONTACTS,
    Kind.TASKS: Role.TASKS,
}
LONGEST_NAME = 255
TITLES_MOST = 9
_NUMBERED = re.compile(r"(.*) \(([2-9])\)", re.DOTALL)
_CS, _NC = "{http://calendarserver.org/ns/}", "{http://nextcloud.com/ns}"
_NOT_OURS = {
    f"{elements.CAL}schedule-inbox",
    f"{elements.CAL}schedule-outbox",
    f"{_CS}subscribed",
    f"{_CS}notification",
    f"{_NC}trash-bin",
    f"{_NC}deleted-calendar",
}
_WRITES = {f"{elements.DAV}{name}" for name in ("all", "write", "write-content", "bind")}
_BINDS = {f"{elements.DAV}{name}" for name in ("all", "bind")}
_XML = {"Content-Type": "application/xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Collection:
    """Hold one collection of the kind.

    Attributes:
        path: its canonical path.
        name: its display name.
        color: "#rrggbb"; None when the server gives none.
        order: its position among the others; None when the server gives none.
        readonly: True if the account may not change it.
        shared: True if it belongs to another person.
        max_bytes: the largest object; None when the server gives none.
        versions: the vCard versions, when the server states them.
    """

    path: str
    name: str
    color: str | None
    order: int | None
    readonly: bool
    shared: bool
    max_bytes: int | None
    versions: frozenset[str]


class Collections:
    """Manage the collections of one kind below a principal's homes, and nowhere else.

    Every method raises Blocked("home-of-another") when the server would put new collections into another
    person's home.
    """

    def __init__(
        self,
        library: CaldavLibrary,
        client: HttpClient,
        profile: Profile,
        principal: Principal,
        kind: Kind,
        guard: Guard,
    ) -> None:
        """Prepare; the server is asked on first use.

        Args:
            library: the library for discovery.
            client: the HTTP client.
            profile: the product.
            principal: the account and its homes.
            kind: the kind of items.
            guard: the write fence; called before each change.
        """
        self._library = library
        self._client = client
        self._profile = profile
        self._principal = principal
        self._kind = kind
        self._guard = guard
        self._known: dict[str, Collection] | None = None
        self._tasks: str | None = None

    def known(self, *, fresh: bool = False) -> dict[str, Collection]:
        """Return the collections by canonical path.

        Args:
            fresh: True to ask the server again.

        Raises:
            Blocked: "home-of-another".
        """
        if self._known is None or fresh:
            homes = self._principal.homes
            listings = (
                self._collections_in(home, self._library.propfind(home, elements.COLLECTION, 1))
                for home in homes
            )
            self._known = {item.path: item for listed in listings for item in listed}
        return self._known

    def refuse_elsewhere(self, href: str) -> None:
        """Check that a collection lies below one of the homes; the server may have named others earlier.

        Raises:
            Blocked: "home-of-another".
        """
        if href not in self.known() and all(child(home, href) is None for home in self._principal.homes):
            raise Blocked("home-of-another", "a collection lies in none of the account's own homes")

    def default(self) -> str | None:
        """Return the path of the user's default collection, or None."""
        known = self.known()
        places = [*self._stated_default(), *self._default_paths(), *self._numbered_default()]
        return next((path for path in places if path in known), None)

    def _stated_default(self) -> list[str]:
        """Return where the default collection is by the server's word.

        Open-Xchange 8.19 names the default task list by its plain id, and that URL answers 404: the list is
        at the base64 of the id.
        """
        stated = self._principal.default
        if stated is None:
            return []
        encoded = base64.urlsafe_b64encode(unquote(segment(stated)).encode()).decode().rstrip("=")
        return [stated, f"{stated.rstrip('/').rpartition('/')[0]}/{encoded}/"]

    def _numbered_default(self) -> list[str]:
        """Return where the default collection is by its number, where the server does not say; see Profile.

        Its name is in the user's language, and another collection may have the same.
        """
        if self._kind not in self._profile.numbered or self._principal.default is not None:
            return []
        numbers = {path: _number(segment(path)) for path, one in self.known().items() if not one.shared}
        own = {number: path for path, number in numbers.items() if number is not None}
        tasks = self._number_of_tasks()
        if tasks is not None and tasks - 1 in own:
            return [own[tasks - 1]]
        lowest = min(own, default=None)
        return [] if lowest is None or (tasks is not None and tasks < lowest) else [own[lowest]]

    def _number_of_tasks(self) -> int | None:
        """Return the number of the default task list; asks once; None where the server does not say."""
        inbox = self._principal.inbox
        if inbox is not None and self._tasks is None:
            self._tasks = stated_default(self._library, self._client, inbox, Kind.TASKS) or ""
        return _number(segment(self._tasks or ""))

    def has_default(self) -> bool:
        """Return True if a container with the kind's role has a place of its own, existing or not."""
        return bool(self._principal.default or self._default_name() or self.default())

    def containers(self) -> list[Container]:
        """List the collections; asks the server each time."""
        collections = self.known(fresh=True)
        default = self.default()
        return [
            Container(
                kind=self._kind,
                id=collection.path,
                path=(collection.name,),
                role=DEFAULTS[self._kind] if collection.path == default else None,
                omit="shared" if collection.shared else None,
                color=collection.color,
                order=collection.order,
                readonly=collection.readonly,
            )
            for collection in collections.values()
        ]

    def ensure(self, container: Container) -> str:
        """Create the collection unless it exists; idempotent; return its path.

        Args:
            container: its name, id and role.

        Raises:
            Rejected: "name-not-allowed".
            Blocked: "too-many-collections", "no-permission".
            Transient: with the server's delay, when it limits how many are created.
            LeaseLost: the guard refuses.
        """
        self._guard()
        name = ""
        if container.role is DEFAULTS[self._kind]:
            default = self.default()
            if default is not None:
                return default
            name = self._default_name()
        path = self._principal.homes[0] + (name or _slug(self._kind, container.id)) + "/"
        if path in self.known():
            return path
        return self._find_created(path) or self._make(path, container)

    def rename(self, href: str, container: Container) -> str:
        """Change the display name; idempotent; the href stays.

        Args:
            href: the collection.
            container: its new name.

        Raises:
            Rejected: "name-not-allowed".
            Blocked: "container-missing", "home-of-another".
            LeaseLost: the guard refuses.
        """
        name = _name(container)
        self.refuse_elsewhere(href)
        self._guard()
        answer = self._change("PROPPATCH", href, _body(lambda: elements.rename(name)))
        if answer.status in GONE:
            raise Blocked("container-missing", "a collection is no longer there")
        if answer.status not in {200, 204, 207}:
            raise _refusal_of(answer)
        self._known = None
        if self.known().get(href) is None or self.known()[href].name != name:
            raise Rejected("name-not-allowed", "the server keeps a collection's old name")
        return href

    def clear(self, href: str) -> bool:
        """Remove an empty collection; idempotent; see `model.optional_protocols.RemovesContainers`.

        Where the server states the collection's sync token, the collection is removed only in that state.

        Args:
            href: the collection.

        Returns:
            False when something is in it or the server refuses, and for a home or a default collection.

        Raises:
            LeaseLost: the guard refuses.

        Source:
            RFC 6578, section 5 (sync token in an If header).
        """
        self.refuse_elsewhere(href)
        tree = self._library.propfind(href, (dav.ResourceType, elements.SyncToken), 1)
        if tree.status in GONE:
            return True
        if tree.status != 207:
            raise tree.error()
        if self._is_kept(href) or any(folder(item.path) != href for item in tree.resources):
            return False
        token = next((item.text(str(elements.SyncToken.tag)) for item in tree.resources), "")
        condition = {"If": f"(<{token}>)"} if token.isascii() and token.isprintable() and token else {}

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._client.ask("DELETE", href, {**self._profile.delete, **condition}))

        answer = self._client.patiently(attempt)
        self._known = None
        return answer.ok or answer.status in GONE

    # -- internals

    def _default_paths(self) -> list[str]:
        """Return where the product keeps default collections."""
        name = self._default_name()
        return [home + name + "/" for home in self._principal.homes if name]

    def _is_kept(self, href: str) -> bool:
        """Return True for a home or the server's own default collection, whoever created it.

        A product that does not schedule has no default collection of its own: there the name only says where
        ours went.
        """
        schedules = self._profile.silence != "never-sends"
        defaults = [*self._stated_default(), *(self._default_paths() if schedules else ())]
        defaults += self._numbered_default()
        return href in defaults or any(home.startswith(href) for home in self._principal.homes)

    def _default_name(self) -> str:
        """Return the segment of the product's default collection, or ""."""
        profile = self._profile
        names = {Kind.CALENDAR: profile.calendar, Kind.CONTACTS: profile.contacts, Kind.TASKS: profile.tasks}
        return names[self._kind]

    def _collections_in(self, home: str, tree: DiscoveryAnswer) -> list[Collection]:
        """Return the collections of one home."""
        if tree.status in GONE:
            return []
        if tree.status != 207:
            raise tree.error()
        is_other_home = any(
            self._is_owned_by_other(item) for item in tree.resources if folder(item.path) == home
        )
        if is_other_home and home == self._principal.homes[0]:
            raise Blocked("home-of-another", "the home that the server names is somebody else's")
        collections = (
            self._collection(item)
            for item in tree.resources
            if child(home, item.path) is not None and self._is_ours(item)
        )
        return [replace(item, shared=item.shared or is_other_home) for item in collections]

    def _is_ours(self, resource: Resource) -> bool:
        """Return True if a resource is a collection of our kind."""
        types = _names(resource, dav.ResourceType.tag)
        if types & _NOT_OURS or segment(resource.path).startswith(self._profile.hidden or ("\0",)):
            return False
        if self._kind is Kind.CONTACTS:
            return str(elements.Addressbook.tag) in types
        if f"{elements.CAL}calendar" not in types:
            return False
        listed = resource.properties.get(cdav.SupportedCalendarComponentSet.tag)
        names = {component.get("name", "").upper() for component in listed} if listed is not None else set()
        # RFC 4791, section 5.2.3: without the property any component may be stored
        events, tasks = not names or "VEVENT" in names, "VTODO" in names
        return events if self._kind is Kind.CALENDAR else tasks and not events

    def _collection(self, resource: Resource) -> Collection:
        return Collection(
            path=folder(resource.path),
            name=resource.text(dav.DisplayName.tag)[:LONGEST_NAME] or segment(resource.path),
            color=_color(resource.text(ical.CalendarColor.tag)),
            order=_number(resource.text(ical.CalendarOrder.tag)),
            readonly=not writable(resource),
            shared=self._is_shared(resource) or (self._profile.adds_with_bind and not _may_bind(resource)),
            max_bytes=_number(resource.text(self._size_tag())),
            versions=_versions(resource),
        )

    def _size_tag(self) -> str:
        cards = self._kind is Kind.CONTACTS
        return str(elements.CardMaxSize.tag) if cards else cdav.MaxResourceSize.tag

    def _is_shared(self, resource: Resource) -> bool:
        return f"{_CS}shared" in _names(resource, dav.ResourceType.tag) or self._is_owned_by_other(resource)

    def _is_owned_by_other(self, resource: Resource) -> bool:
        """Return True if DAV:owner names another principal; False where the server states none."""
        owners = elements.texts(resource.properties.get(dav.Owner.tag))
        paths = [self._client.origin.path(href, resource.path) or "" for href in owners if href]
        own = {path.casefold() for path in self._principal.urls}
        return bool(paths) and all(folder(path).casefold() not in own for path in paths)

    def _find_created(self, path: str, before: frozenset[str] | None = None, name: str = "") -> str | None:
        """Return the canonical path of the collection at `path`, or of a new one with this name, or None."""
        collections = self.known(fresh=before is not None)
        if path in collections:
            return path
        for item in self._library.propfind(path, elements.COLLECTION).resources[:1]:
            below = any(child(home, item.path) is not None for home in self._principal.homes)
            if below and self._is_ours(item):
                collection = self._collection(item)
                collections.setdefault(collection.path, collection)
                return collection.path
        new = [item for item in collections.values() if before is not None and item.path not in before]
        return next((item.path for item in new if item.name == name and not item.shared), None)

    def _make(self, path: str, container: Container) -> str:
        """Create a collection; retry without colour and order when the server refuses these."""
        before = frozenset(self.known(fresh=True))  # what its owner has made since is not ours
        name = self._free(_name(container))
        patience = self._client.patience()
        plain = False
        while True:
            self._guard()
            try:
                answer = self._create(path, container, name, plain)
            except Transient as error:
                patience.pause(error)
                answer = HttpAnswer(0, {})
            if answer.status == 207 and not plain:
                plain = True  # one of the properties was refused, so nothing was created
                continue
            created = self._find_created(path, before, "" if answer.status == 403 else name)
            if created is not None:
                return created
            if answer.status == 403 and self._profile.unique_titles and (further := _next(name)):
                name = further  # a sibling that is not listed here may have the name, as one of another kind
                continue
            if answer.status:
                refusal = self._creation_error(answer)
                if not isinstance(refusal, Transient):
                    raise refusal
                patience.pause(refusal)

    def _free(self, name: str) -> str:
        """Return a display name that no sibling has, where the server wants it so: "Name (2)" and so on."""
        taken = {one.name for one in self.known().values()} if self._profile.unique_titles else set[str]()
        while name in taken and (further := _next(name)):
            name = further
        return name

    def _create(self, path: str, container: Container, name: str, plain: bool) -> HttpAnswer:
        if self._kind is Kind.CONTACTS:
            return self._client.ask("MKCOL", path, _XML, _body(lambda: elements.make_addressbook(name)))
        color = None if plain else container.color
        order = None if plain else container.order
        body = _body(lambda: elements.make_calendar(self._kind, name, color, order))
        return self._client.ask("MKCALENDAR", path, _XML, body)

    def _creation_error(self, answer: HttpAnswer) -> MigrationError:
        """Return the error for a collection that was not created."""
        if answer.status in self._profile.collections_full:
            error = Blocked("too-many-collections", "the server allows this account no more collections")
            return error.quoting(answer.words)
        if answer.ok:
            return Transient("folder-vanished", "a collection that was made is not there")
        refusal = _refusal_of(answer)
        if answer.status == 429 and isinstance(refusal, Transient) and refusal.after is None:
            later = Transient(refusal.code, refusal.advice, after=self._profile.collections_every)
            return later.quoting(answer.words)
        return refusal

    def _change(self, method: str, path: str, body: bytes) -> HttpAnswer:
        """Send a change that may be repeated."""

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._client.ask(method, path, _XML, body))

        return self._client.patiently(attempt)


def writable(resource: Resource) -> bool:
    """Return True if the account may change a resource; True where the server states no privileges.

    Source:
        RFC 3744, section 5.4 (DAV:current-user-privilege-set).
    """
    privileges = resource.properties.get(dav.CurrentUserPrivilegeSet.tag)
    return privileges is None or bool({privilege.tag for privilege in privileges.iter()} & _WRITES)


def must_take_writes(client: HttpClient, container: str) -> None:
    """Check a collection after a refusal, because its faults are no item's.

    Args:
        client: the HTTP client.
        container: the collection's path.

    Raises:
        Blocked: "container-missing", "no-permission".
    """
    tree = CaldavLibrary(client).propfind(container, (dav.CurrentUserPrivilegeSet,))
    if tree.status in GONE:
        raise Blocked("container-missing", "a collection is no longer there")
    if tree.resources and not writable(tree.resources[0]):
        raise Blocked("no-permission", "a collection is read-only for the account")


def _may_bind(resource: Resource) -> bool:
    """Return True if the account may add to a resource by its own word; True without stated privileges.

    Source:
        RFC 3744, sections 3.9 (DAV:bind) and 3.11 (DAV:all).
    """
    privileges = resource.properties.get(dav.CurrentUserPrivilegeSet.tag)
    return privileges is None or bool({one.tag for one in privileges.iter()} & _BINDS)


def _refusal_of(answer: HttpAnswer) -> MigrationError:
    if answer.status in {400, 409, 415, 422}:
        return Rejected("name-not-allowed", "the server refuses a collection").quoting(answer.words)
    if answer.status == 405:
        error = Blocked("no-permission", "the server makes no collections for this account")
        return error.quoting(answer.words)
    return answer.error()


def _slug(kind: Kind, container: str) -> str:
    """Return the path segment for a container; it includes the kind, because one home may hold all kinds."""
    return "k-" + hashlib.blake2b(f"{kind}:{container}".encode(), digest_size=8).hexdigest()


def _name(container: Container) -> str:
    return " / ".join(container.path)[:LONGEST_NAME]


def _next(name: str) -> str:
    """Return the display name to try next: "Name (2)", "Name (3)"; "" once enough were tried."""
    numbered = _NUMBERED.fullmatch(name)
    number = int(numbered[2]) + 1 if numbered else 2
    plain = numbered[1] if numbered else name
    return f"{plain[: LONGEST_NAME - 5]} ({number})" if number <= TITLES_MOST else ""


def _names(resource: Resource, tag: str) -> set[str]:
    """Return the tags of a property's children."""
    element = resource.properties.get(tag)
    return {child.tag for child in element if isinstance(child.tag, str)} if element is not None else set()


def _versions(resource: Resource) -> frozenset[str]:
    """Return the vCard versions that a collection states."""
    element = resource.properties.get(str(elements.SupportedAddressData.tag))
    return (
        frozenset(child.get("version", "") for child in element) - {""}
        if element is not None
        else frozenset()
    )


def _color(text: str) -> str | None:
    """Return "#rrggbb" from a text that may have an alpha channel; None when it is malformed."""
    value = text[:7].lower()
    digits = value[1:]
    hexadecimal = len(digits) == 6 and all(digit in "0123456789abcdef" for digit in digits)
    return value if value[:1] == "#" and hexadecimal else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 16 else None


def _body(make: Callable[[], bytes]) -> bytes:
    """Return a request's body; raise Rejected("name-not-allowed") for a name that XML cannot hold."""
    try:
        return make()
    except ValueError:
        raise Rejected("name-not-allowed", "no XML can hold a collection's name") from None
