"""Whose account it is and where their collections are: RFC 6764, 5397, 4791 and 6352."""

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
from model.protocols import Identity, Kind

WELL_KNOWN = {Kind.CONTACTS: "/.well-known/carddav"}
HOMES = 8
LONGEST_ADDRESS = 320


@dataclass(frozen=True, slots=True)
class Principal:
    """urls: the paths that are the principal's own. homes: where collections of the kind are, the first is
    where new ones go. stated: the addresses are what the server states, not the principal's own name.
    default: the calendar that the server itself puts invitations into, where it says."""

    path: str
    urls: frozenset[str]
    homes: tuple[str, ...]
    addresses: frozenset[str] = frozenset()
    stated: bool = False
    resource: str = ""
    default: str | None = None


def principal(library: CaldavLibrary, client: HttpClient, url: str, kind: Kind) -> Principal:
    """Raises Blocked: "login-refused", "no-dav-access", "redirected-elsewhere"; Transient."""
    path = _principal_path(library, client, url, kind)
    tree = library.propfind(path, PRINCIPAL, follow=True)
    if len(tree.resources) != 1:
        raise no_access().said(library.said)
    own = tree.resources[0]
    tag = AddressbookHomeSet.tag if kind is Kind.CONTACTS else cdav.CalendarHomeSet.tag
    homes, stated = _paths(client, own, tag)[:HOMES], _stated(own)
    if not homes:
        raise no_access().said(library.said)
    return Principal(
        path=folder(own.path),
        urls=frozenset({folder(own.path), folder(path), *_paths(client, own, str(PrincipalUrl.tag))}),
        homes=tuple(homes),
        addresses=stated or _named(own),
        stated=bool(stated),
        resource=next(iter(texts(own.properties.get(str(ResourceId.tag)))), ""),
        default=_default(library, client, own) if kind is Kind.CALENDAR else None,
    )


def identity(library: CaldavLibrary, client: HttpClient, found: Principal, profile: Profile) -> Identity:
    """The principal's URL, with the server's own immutable id where it has one (RFC 5842). Hashed: an id may
    be shown, and a URL often holds the login. Each server is a system: a person's calendars and contacts may
    lie on two."""
    text = f"{client.origin}{found.path}\n{found.resource}"
    return Identity(
        f"dav:{client.origin.server}",
        hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
        found.addresses,
        part="" if found.resource else _files(library, found, profile),
        self_stated=found.stated and profile.self_stated and _may_change(client, found, profile.tell),
    )


def _files(library: CaldavLibrary, found: Principal, profile: Profile) -> str:
    """The id of the folder of the account's files: an account that is made anew under the same name has
    another. "" where nothing tells it."""
    if not profile.files:
        return ""
    path = profile.tell.beside(found.path, profile.files.replace("{user}", segment(found.path)))
    try:
        told = library.propfind(path, (FileId,)).resources
    except Garbage:
        return ""
    return told[0].text(str(FileId.tag)) if told else ""


def _may_change(client: HttpClient, found: Principal, tell: ProductSign) -> bool:
    """Whether people may change their address, or the server does not tell."""
    if not tell.editable:
        return True
    answer = client.look("GET", tell.beside(found.path, tell.editable), HEADERS)
    try:
        told = json_answer.read(answer.body) if answer.ok else None
    except ValueError:
        return True
    return is_changeable(mapping(mapping(told).get("ocs")).get("data"), "email")


def _principal_path(library: CaldavLibrary, client: HttpClient, url: str, kind: Kind) -> str:
    given = urlsplit(url).path
    known = WELL_KNOWN.get(kind, "/.well-known/caldav")
    for start in [given] if given.strip("/") else [known, "/"]:
        path = _asked(library, client, start)
        if path is not None:
            return path
    raise no_access().said(library.said)


def _asked(library: CaldavLibrary, client: HttpClient, start: str) -> str | None:
    try:
        tree = library.propfind(
            start, (dav.CurrentUserPrincipal, cdav.CalendarHomeSet, AddressbookHomeSet), follow=True
        )
    except Garbage:
        return None
    for one in tree.resources:
        found = one.properties.get(dav.CurrentUserPrincipal.tag)
        if found is not None and found.find(f"{DAV}unauthenticated") is not None:
            raise Blocked("login-refused", "the server does not know who we are; it was not tried again")
        paths = _paths(client, one, dav.CurrentUserPrincipal.tag)
        if paths:
            return paths[0]
        if {cdav.CalendarHomeSet.tag, str(AddressbookHomeSet.tag)} & one.properties.keys():
            return one.path  # the URL is the principal's own, of a server before RFC 5397
    return None


def _paths(client: HttpClient, resource: Resource, tag: str | None) -> list[str]:
    hrefs = texts(resource.properties.get(str(tag)))
    paths = (client.origin.path(href, resource.path) for href in hrefs)
    return [folder(path) for path in paths if path is not None]


def _stated(own: Resource) -> frozenset[str]:
    hrefs = texts(own.properties.get(cdav.CalendarUserAddressSet.tag))
    mails = [unquote(href[7:]) for href in hrefs if href.lower().startswith("mailto:")]
    email = "{http://calendarserver.org/ns/}email-address"
    mails += texts(own.properties.get(str(EmailAddressSet.tag)), email)
    return frozenset(mail.lower() for mail in mails if _is_address(mail))


def _named(own: Resource) -> frozenset[str]:
    """Without a property for it, a principal's own name may be an address."""
    name = unquote(segment(own.path))
    return frozenset({name.lower()} if _is_address(name) and "." in name.partition("@")[2] else ())


def _is_address(text: str) -> bool:
    plain = len(text) <= LONGEST_ADDRESS and text.isprintable() and " " not in text
    return plain and "@" in text[1:-1]


def _default(library: CaldavLibrary, client: HttpClient, own: Resource) -> str | None:
    """RFC 6638, 9.2: a property of the scheduling inbox."""
    for inbox in _paths(client, own, cdav.ScheduleInboxURL.tag)[:1]:
        for one in library.propfind(inbox, (DefaultCalendar,)).resources[:1]:
            return next(iter(_paths(client, one, DefaultCalendar.tag)), None)
    return None
