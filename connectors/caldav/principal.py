"""Find out whose account it is and where its collections are.

Source:
    RFC 6764 (.well-known), RFC 5397 (current-user-principal), RFC 4791 and RFC 6352 (home sets).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from caldav.elements import cdav, dav

from connectors import json_answer
from connectors.caldav.discovery import CaldavLibrary, Resource
from connectors.caldav.product import ProductSign, Profile
from connectors.caldav.xml_elements import (
    DAV,
    PRINCIPAL,
    AddressbookHomeSet,
    DefaultCalendar,
    DefaultTasks,
    EmailAddressSet,
    FileId,
    PrincipalUrl,
    ResourceId,
    texts,
)
from connectors.http.client import HttpClient
from connectors.http.dav_errors import no_access
from connectors.http.hrefs import folder, segment
from connectors.http.multistatus import Garbage
from connectors.webdav.ocs_capabilities import HEADERS, is_changeable, mapping
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Identity

WELL_KNOWN = {Kind.CONTACTS: "/.well-known/carddav"}
HOMES = 8
LONGEST_ADDRESS = 320


@dataclass(frozen=True, slots=True)
class Principal:
    """Hold a principal.

    Attributes:
        path: its canonical path.
        urls: all paths that are the principal's own.
        homes: where collections of the kind are; new ones go to the first.
        addresses: lower-case e-mail addresses.
        stated: True if the server states the addresses; False if they come from the principal's own name.
        resource: the server's immutable id (RFC 5842); "" without one.
        default: the calendar to which the server itself delivers invitations, or the task list that it calls
            the default one; None when it does not say.
        inbox: where the server tells the default collections; None when it has no scheduling inbox.
        urns: names of the principal that are no path and no address.
    """

    path: str
    urls: frozenset[str]
    homes: tuple[str, ...]
    addresses: frozenset[str] = frozenset()
    stated: bool = False
    resource: str = ""
    default: str | None = None
    inbox: str | None = None
    urns: frozenset[str] = frozenset()


def principal(library: CaldavLibrary, client: HttpClient, url: str, kind: Kind) -> Principal:
    """Find the principal behind a login.

    Args:
        library: the library for discovery.
        client: the HTTP client.
        url: the configured address; with a path, the service itself.
        kind: the kind of items.

    Raises:
        Blocked: "login-refused", "no-dav-access", "redirected-elsewhere".
        Transient: the server cannot be asked now.
    """
    path = _principal_path(library, client, url, kind)
    tree = library.propfind(path, PRINCIPAL, follow=True)
    if len(tree.resources) != 1:
        raise no_access().quoting(library.said)
    own = tree.resources[0]
    tag = AddressbookHomeSet.tag if kind is Kind.CONTACTS else cdav.CalendarHomeSet.tag
    homes, stated = _paths(client, own, tag)[:HOMES], _stated_addresses(own)
    inbox = next(iter(_paths(client, own, cdav.ScheduleInboxURL.tag)), None)
    if not homes:
        raise no_access().quoting(library.said)
    return Principal(
        path=folder(own.path),
        urls=frozenset({folder(own.path), folder(path), *_paths(client, own, str(PrincipalUrl.tag))}),
        homes=tuple(homes),
        addresses=stated or _address_from_name(own),
        stated=bool(stated),
        resource=next(iter(texts(own.properties.get(str(ResourceId.tag)))), ""),
        default=None if inbox is None else stated_default(library, client, inbox, kind),
        inbox=inbox,
        urns=frozenset(
            href
            for href in texts(own.properties.get(cdav.CalendarUserAddressSet.tag))
            if href.lower().startswith("urn:")
        ),
    )


def stated_default(library: CaldavLibrary, client: HttpClient, inbox: str, kind: Kind) -> str | None:
    """Return the path of the default collection, a property of the scheduling inbox, or None.

    Args:
        library: the library for discovery.
        client: the HTTP client.
        inbox: the path of the scheduling inbox.
        kind: the kind of items.

    Source:
        RFC 6638, section 9.2, for calendars. For tasks the property of Open-Xchange; others have none.
    """
    named = {Kind.CALENDAR: DefaultCalendar, Kind.TASKS: DefaultTasks}.get(kind)
    if named is None:
        return None
    for resource in library.propfind(inbox, (named,)).resources[:1]:
        return next(iter(_paths(client, resource, str(named.tag))), None)
    return None


def identity(library: CaldavLibrary, client: HttpClient, owner: Principal, profile: Profile) -> Identity:
    """Return the principal's URL with the server's own immutable id, as a hash.

    It is hashed, because an id may be shown and a URL often holds the login. Each server is a system: a
    person's calendars and contacts may be on two servers.

    Args:
        library: the library for discovery.
        client: the HTTP client.
        owner: the principal.
        profile: the product.

    Source:
        RFC 5842, section 3.1 (DAV:resource-id).
    """
    text = f"{client.origin}{owner.path}\n{owner.resource}"
    return Identity(
        f"dav:{client.origin.server}",
        hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
        owner.addresses,
        part="" if owner.resource else _files_id(library, owner, profile),
        user=unquote(segment(owner.path)) if profile.shares else "",
        self_stated=owner.stated and profile.self_stated and _may_change(client, owner, profile.tell),
    )


def _files_id(library: CaldavLibrary, owner: Principal, profile: Profile) -> str:
    """Return the id of the folder of the account's files; "" where the server gives none.

    An account that is created again under the same name has another folder.
    """
    if not profile.files:
        return ""
    path = profile.tell.beside(owner.path, profile.files.replace("{user}", segment(owner.path)))
    try:
        resources = library.propfind(path, (FileId,)).resources
    except Garbage:
        return ""
    return resources[0].text(str(FileId.tag)) if resources else ""


def _may_change(client: HttpClient, owner: Principal, tell: ProductSign) -> bool:
    """Return True if people may change their address, or the server does not say."""
    if not tell.editable:
        return True
    answer = client.look("GET", tell.beside(owner.path, tell.editable), HEADERS)
    try:
        content = json_answer.read(answer.body) if answer.ok else None
    except ValueError:
        return True
    return is_changeable(mapping(mapping(content).get("ocs")).get("data"), "email")


def _principal_path(library: CaldavLibrary, client: HttpClient, url: str, kind: Kind) -> str:
    """Return the principal's path, from the configured path or from .well-known."""
    configured = urlsplit(url).path
    well_known = WELL_KNOWN.get(kind, "/.well-known/caldav")
    for start in [configured] if configured.strip("/") else [well_known, "/"]:
        path = _principal_at(library, client, start)
        if path is not None:
            return path
    raise no_access().quoting(library.said)


def _principal_at(library: CaldavLibrary, client: HttpClient, start: str) -> str | None:
    """Return the principal's path that a URL states, or None."""
    try:
        tree = library.propfind(
            start, (dav.CurrentUserPrincipal, cdav.CalendarHomeSet, AddressbookHomeSet), follow=True
        )
    except Garbage:
        return None
    for resource in tree.resources:
        element = resource.properties.get(dav.CurrentUserPrincipal.tag)
        if element is not None and element.find(f"{DAV}unauthenticated") is not None:
            raise Blocked("login-refused", "the server does not know who we are; it was not tried again")
        paths = _paths(client, resource, dav.CurrentUserPrincipal.tag)
        if paths:
            return paths[0]
        if {cdav.CalendarHomeSet.tag, str(AddressbookHomeSet.tag)} & resource.properties.keys():
            return resource.path  # the URL is the principal's own, of a server before RFC 5397
    return None


def _paths(client: HttpClient, resource: Resource, tag: str | None) -> list[str]:
    """Return the canonical paths of a property's hrefs."""
    hrefs = texts(resource.properties.get(str(tag)))
    paths = (client.origin.path(href, resource.path) for href in hrefs)
    return [folder(path) for path in paths if path is not None]


def _stated_addresses(own: Resource) -> frozenset[str]:
    """Return the addresses that the server states."""
    hrefs = texts(own.properties.get(cdav.CalendarUserAddressSet.tag))
    mails = [unquote(href[7:]) for href in hrefs if href.lower().startswith("mailto:")]
    email = "{http://calendarserver.org/ns/}email-address"
    mails += texts(own.properties.get(str(EmailAddressSet.tag)), email)
    return frozenset(mail.lower() for mail in mails if _is_address(mail))


def _address_from_name(own: Resource) -> frozenset[str]:
    """Return the principal's own name if it is an address; it is used when the server states none."""
    name = unquote(segment(own.path))
    return frozenset({name.lower()} if _is_address(name) and "." in name.partition("@")[2] else ())


def _is_address(text: str) -> bool:
    plain = len(text) <= LONGEST_ADDRESS and text.isprintable() and " " not in text
    return plain and "@" in text[1:-1]
