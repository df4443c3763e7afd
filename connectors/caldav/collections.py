"""The collections of one kind in an account: what is there, what is made, what is renamed.

A collection of ours lies under a segment made from the container's id, so that a creation whose reply was
lost is found again. Names need not be unique and decide nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from caldav.elements import cdav, dav, ical

from connectors.caldav import xml_elements as elements
from connectors.caldav.discovery import CaldavLibrary, DiscoveryAnswer, Resource
from connectors.caldav.principal import Principal
from connectors.caldav.product import Profile
from connectors.http.client import HttpAnswer, HttpClient, passing
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import child, folder, segment
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.protocols import Container, Guard, Kind, Role

DEFAULTS: Mapping[Kind, Role] = {
    Kind.CALENDAR: Role.CALENDAR,
    Kind.CONTACTS: Role.CONTACTS,
    Kind.TASKS: Role.TASKS,
}
LONGEST_NAME = 255
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
_XML = {"Content-Type": "application/xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of the kind. shared: somebody else's. versions: of vCard, when the server tells."""

    path: str
    name: str
    color: str | None
    order: int | None
    readonly: bool
    shared: bool
    max_bytes: int | None
    versions: frozenset[str]


class Collections:
    """Those of one kind below a principal's homes, and nowhere else. Whatever looks at them raises
    Blocked("home-of-another") when the server says that new ones would go into somebody else's home."""

    def __init__(
        self,
        library: CaldavLibrary,
        client: HttpClient,
        profile: Profile,
        principal: Principal,
        kind: Kind,
        guard: Guard,
    ) -> None:
        self._library = library
        self._client = client
        self._profile = profile
        self._principal = principal
        self._kind = kind
        self._guard = guard
        self._known: dict[str, Collection] | None = None

    def known(self, *, fresh: bool = False) -> dict[str, Collection]:
        """By canonical path."""
        if self._known is None or fresh:
            homes = self._principal.homes
            found = (
                self._listed(home, self._library.propfind(home, elements.COLLECTION, 1)) for home in homes
            )
            self._known = {one.path: one for listed in found for one in listed}
        return self._known

    def refuse_elsewhere(self, href: str) -> None:
        """Raises Blocked("home-of-another") for a collection below none of the homes: the server may have
        named others when it was made."""
        if href not in self.known() and all(child(home, href) is None for home in self._principal.homes):
            raise Blocked("home-of-another", "a collection lies in none of the account's own homes")

    def default(self) -> str | None:
        """The path of the user's default collection, where there is one."""
        places = (self._principal.default, *self._named())
        return next((path for path in places if path in self.known()), None)

    def has_default(self) -> bool:
        """Whether a container with the kind's role has a place of its own, there already or to be made."""
        return bool(self._principal.default or self._default_name())

    def containers(self) -> list[Container]:
        known = self.known(fresh=True)
        default = self.default()
        return [
            Container(
                kind=self._kind,
                id=one.path,
                path=(one.name,),
                role=DEFAULTS[self._kind] if one.path == default else None,
                omit="shared" if one.shared else None,
                color=one.color,
                order=one.order,
                readonly=one.readonly,
            )
            for one in known.values()
        ]

    def ensure(self, container: Container) -> str:
        """See model.protocols.Target. Raises Rejected("name-not-allowed"), Blocked("too-many-collections",
        "no-permission"), and Transient with the server's delay when it limits how many are made."""
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
        return self._adopted(path) or self._made(path, container)

    def rename(self, href: str, container: Container) -> str:
        """The display name alone; the href stays."""
        name = _name(container)
        self.refuse_elsewhere(href)
        self._guard()
        answer = self._changed("PROPPATCH", href, _body(lambda: elements.rename(name)))
        if answer.status in GONE:
            raise Blocked("container-missing", "a collection is no longer there")
        if answer.status not in {200, 204, 207}:
            raise _refused(answer)
        self._known = None
        if self.known().get(href) is None or self.known()[href].name != name:
            raise Rejected("name-not-allowed", "the server keeps a collection's old name")
        return href

    def clear(self, href: str) -> bool:
        """See model.optional_protocols.RemovesContainers. False for a home and for a default collection, too.
        Where the server tells the collection's state, it is removed in that state alone (RFC 6578, 5)."""
        self.refuse_elsewhere(href)
        tree = self._library.propfind(href, (dav.ResourceType, elements.SyncToken), 1)
        if tree.status in GONE:
            return True
        if tree.status != 207:
            raise tree.error()
        if self._is_kept(href) or any(folder(one.path) != href for one in tree.resources):
            return False
        token = next((one.text(str(elements.SyncToken.tag)) for one in tree.resources), "")
        condition = {"If": f"(<{token}>)"} if token.isascii() and token.isprintable() and token else {}

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._client.ask("DELETE", href, {**self._profile.delete, **condition}))

        answer = self._client.patiently(attempt)
        self._known = None
        return answer.ok or answer.status in GONE

    # -- internals

    def _named(self) -> list[str]:
        """Where a default collection is by its product's habit."""
        name = self._default_name()
        return [home + name + "/" for home in self._principal.homes if name]

    def _is_kept(self, href: str) -> bool:
        """A home, or the server's own default collection, whoever seems to have made it. A product that does
        not schedule has none: there the name is only where ours went."""
        schedules = self._profile.silence != "never-sends"
        defaults = (self._principal.default, *(self._named() if schedules else ()))
        return href in defaults or any(home.startswith(href) for home in self._principal.homes)

    def _default_name(self) -> str:
        profile = self._profile
        names = {Kind.CALENDAR: profile.calendar, Kind.CONTACTS: profile.contacts, Kind.TASKS: profile.tasks}
        return names[self._kind]

    def _listed(self, home: str, tree: DiscoveryAnswer) -> list[Collection]:
        if tree.status in GONE:
            return []
        if tree.status != 207:
            raise tree.error()
        anothers = any(self._is_anothers(one) for one in tree.resources if folder(one.path) == home)
        if anothers and home == self._principal.homes[0]:
            raise Blocked("home-of-another", "the home that the server names is somebody else's")
        found = (
            self._collection(one)
            for one in tree.resources
            if child(home, one.path) is not None and self._is_ours(one)
        )
        return [replace(one, shared=one.shared or anothers) for one in found]

    def _is_ours(self, resource: Resource) -> bool:
        types = _names(resource, dav.ResourceType.tag)
        if types & _NOT_OURS or segment(resource.path).startswith(self._profile.hidden or ("\0",)):
            return False
        if self._kind is Kind.CONTACTS:
            return str(elements.Addressbook.tag) in types
        if f"{elements.CAL}calendar" not in types:
            return False
        listed = resource.properties.get(cdav.SupportedCalendarComponentSet.tag)
        names = {one.get("name", "").upper() for one in listed} if listed is not None else set()
        # RFC 4791, 5.2.3: without the property any component may be stored
        events, tasks = not names or "VEVENT" in names, "VTODO" in names
        return events if self._kind is Kind.CALENDAR else tasks and not events

    def _collection(self, resource: Resource) -> Collection:
        return Collection(
            path=folder(resource.path),
            name=resource.text(dav.DisplayName.tag)[:LONGEST_NAME] or segment(resource.path),
            color=_color(resource.text(ical.CalendarColor.tag)),
            order=_number(resource.text(ical.CalendarOrder.tag)),
            readonly=not writable(resource),
            shared=self._is_shared(resource),
            max_bytes=_number(resource.text(self._size_tag())),
            versions=_versions(resource),
        )

    def _size_tag(self) -> str:
        cards = self._kind is Kind.CONTACTS
        return str(elements.CardMaxSize.tag) if cards else cdav.MaxResourceSize.tag

    def _is_shared(self, resource: Resource) -> bool:
        return f"{_CS}shared" in _names(resource, dav.ResourceType.tag) or self._is_anothers(resource)

    def _is_anothers(self, resource: Resource) -> bool:
        """By its DAV:owner; False where the server states none."""
        owners = elements.texts(resource.properties.get(dav.Owner.tag))
        paths = [self._client.origin.path(href, resource.path) or "" for href in owners if href]
        own = {path.casefold() for path in self._principal.urls}
        return bool(paths) and all(folder(path).casefold() not in own for path in paths)

    def _adopted(self, path: str, before: frozenset[str] | None = None, name: str = "") -> str | None:
        """The canonical path of what answers at path, or is new under this name; None when nothing does."""
        known = self.known(fresh=before is not None)
        if path in known:
            return path
        for one in self._library.propfind(path, elements.COLLECTION).resources[:1]:
            below = any(child(home, one.path) is not None for home in self._principal.homes)
            if below and self._is_ours(one):
                found = self._collection(one)
                known.setdefault(found.path, found)
                return found.path
        new = [one for one in known.values() if before is not None and one.path not in before]
        return next((one.path for one in new if one.name == name and not one.shared), None)

    def _made(self, path: str, container: Container) -> str:
        name, before = _name(container), frozenset(self.known())
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
                plain = True  # one of the properties is not taken, and so nothing was made
                continue
            found = self._adopted(path, before, name)
            if found is not None:
                return found
            if answer.status:
                refusal = self._not_made(answer)
                if not isinstance(refusal, Transient):
                    raise refusal
                patience.pause(refusal)

    def _create(self, path: str, container: Container, name: str, plain: bool) -> HttpAnswer:
        if self._kind is Kind.CONTACTS:
            return self._client.ask("MKCOL", path, _XML, _body(lambda: elements.make_addressbook(name)))
        color = None if plain else container.color
        order = None if plain else container.order
        body = _body(lambda: elements.make_calendar(self._kind, name, color, order))
        return self._client.ask("MKCALENDAR", path, _XML, body)

    def _not_made(self, answer: HttpAnswer) -> MigrationError:
        if answer.status in self._profile.collections_full:
            error = Blocked("too-many-collections", "the server allows this account no more collections")
            return error.said(answer.words)
        if answer.ok:
            return Transient("folder-vanished", "a collection that was made is not there")
        refused = _refused(answer)
        if answer.status == 429 and isinstance(refused, Transient) and refused.after is None:
            later = Transient(refused.code, refused.advice, after=self._profile.collections_every)
            return later.said(answer.words)
        return refused

    def _changed(self, method: str, path: str, body: bytes) -> HttpAnswer:
        """For a change that may be repeated."""

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._client.ask(method, path, _XML, body))

        return self._client.patiently(attempt)


def writable(resource: Resource) -> bool:
    """Whether the account may change it, by its DAV:current-user-privilege-set; True without one."""
    privileges = resource.properties.get(dav.CurrentUserPrivilegeSet.tag)
    return privileges is None or bool({one.tag for one in privileges.iter()} & _WRITES)


def _refused(answer: HttpAnswer) -> MigrationError:
    if answer.status in {400, 409, 415, 422}:
        return Rejected("name-not-allowed", "the server refuses a collection").said(answer.words)
    if answer.status == 405:
        error = Blocked("no-permission", "the server makes no collections for this account")
        return error.said(answer.words)
    return answer.error()


def _slug(kind: Kind, container: str) -> str:
    """One home may hold all kinds."""
    return "k-" + hashlib.blake2b(f"{kind}:{container}".encode(), digest_size=8).hexdigest()


def _name(container: Container) -> str:
    return " / ".join(container.path)[:LONGEST_NAME]


def _names(resource: Resource, tag: str) -> set[str]:
    found = resource.properties.get(tag)
    return {one.tag for one in found if isinstance(one.tag, str)} if found is not None else set()


def _versions(resource: Resource) -> frozenset[str]:
    found = resource.properties.get(str(elements.SupportedAddressData.tag))
    return frozenset(one.get("version", "") for one in found) - {""} if found is not None else frozenset()


def _color(text: str) -> str | None:
    """ "#rrggbb" of what may have an alpha channel behind."""
    value = text[:7].lower()
    digits = value[1:]
    hexadecimal = len(digits) == 6 and all(one in "0123456789abcdef" for one in digits)
    return value if value[:1] == "#" and hexadecimal else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 16 else None


def _body(make: Callable[[], bytes]) -> bytes:
    try:
        return make()
    except ValueError:
        raise Rejected("name-not-allowed", "no XML can hold a collection's name") from None
