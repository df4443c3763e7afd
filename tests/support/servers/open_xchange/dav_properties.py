"""The properties of everything that has a URL, and the multistatus that tells them.

In a getetag there are no quotes, though the header ETag has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from lxml import etree

from servers.open_xchange.cards import MAX_BYTES
from servers.open_xchange.context import Folder, User
from servers.open_xchange.suite import Suite
from servers.open_xchange.times import stamp

DAV, CAL, CARD = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{urn:ietf:params:xml:ns:carddav}"
CS, APPLE = "{http://calendarserver.org/ns/}", "{http://apple.com/ns/ical/}"
PREFIXES = {"D": DAV[1:-1], "CAL": CAL[1:-1], "CARD": CARD[1:-1], "CS": CS[1:-1], "APPLE": APPLE[1:-1]}
ALLPROP = (
    f"{DAV}creationdate",
    f"{DAV}displayname",
    f"{DAV}getcontentlength",
    f"{DAV}getcontenttype",
    f"{DAV}getlastmodified",
    f"{DAV}resourcetype",
    f"{DAV}lockdiscovery",
    f"{DAV}supportedlock",
    f"{DAV}source",
)
"""What allprop gives; everything else is told to who names it."""
REPORTS = {
    "caldav": (
        f"{CAL}calendar-multiget",
        f"{CAL}calendar-query",
        f"{DAV}acl-principal-prop-set",
        f"{DAV}principal-match",
        f"{DAV}principal-property-search",
        f"{DAV}expand-property",
        f"{CS}calendarserver-principal-search",
        f"{DAV}sync-collection",
    ),
    "carddav": (f"{CARD}addressbook-multiget", f"{CARD}addressbook-query", f"{DAV}sync-collection"),
}
LOOKS = ("read-acl", "read-current-user-privilege-set", "read")
HOME_RIGHTS = ("read", "read-acl", "read-current-user-privilege-set", "bind", "unbind")
COLOR = "#CEE7FFFF"
Properties = Mapping[str, etree._Element]


def element(tag: str, *inside: etree._Element | str) -> etree._Element:
    """With children, or with a text."""
    made = etree.Element(tag, nsmap=PREFIXES)
    for one in inside:
        if isinstance(one, str):
            made.text = one
        else:
            made.append(one)
    return made


def of(*elements: etree._Element) -> dict[str, etree._Element]:
    return {one.tag: one for one in elements}


def hrefs(tag: str, *paths: str) -> etree._Element:
    return element(tag, *(element(f"{DAV}href", path) for path in paths))


def _types(*tags: str) -> etree._Element:
    return element(f"{DAV}resourcetype", *(element(tag) for tag in tags))


def _components(*names: str) -> etree._Element:
    comps = []
    for name in names:
        comps.append(element(f"{CAL}comp"))
        comps[-1].set("name", name)
    return element(f"{CAL}supported-calendar-component-set", *comps)


def _privileges(names: Iterable[str]) -> etree._Element:
    rights = (element(f"{DAV}privilege", element(f"{DAV}{name}")) for name in names)
    return element(f"{DAV}current-user-privilege-set", *rights)


def _plain(name: str, at: int = 0) -> dict[str, etree._Element]:
    """What every collection has."""
    when = datetime.fromtimestamp(at / 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
    locks = [
        element(
            f"{DAV}lockentry",
            element(f"{DAV}lockscope", element(f"{DAV}{scope}")),
            element(f"{DAV}locktype", element(f"{DAV}write")),
        )
        for scope in ("exclusive", "shared")
    ]
    return of(
        element(f"{DAV}displayname", name),
        element(f"{DAV}creationdate", when),
        element(f"{DAV}getlastmodified", when),
        element(f"{DAV}getcontentlength", "0"),
        element(f"{DAV}getcontenttype", "httpd/unix-directory"),
        element(f"{DAV}lockdiscovery"),
        element(f"{DAV}supportedlock", *locks),
        element(f"{DAV}source"),
    )


def root(user: User) -> Properties:
    return of(
        hrefs(f"{DAV}principal-collection-set", "/principals/"),
        hrefs(f"{DAV}current-user-principal", principal_path(user)),
        _types(f"{DAV}collection"),
    )


def principal_path(user: User) -> str:
    """Principals, inbox and outbox are named without a slash at the end."""
    return f"/principals/users/{user.number}"


def principal(user: User) -> Properties:
    known = (user.uri, principal_path(user), f"urn:uuid:{user.uuid}")
    return of(
        element(f"{DAV}displayname", user.name),
        _types(f"{DAV}principal"),
        hrefs(f"{CAL}calendar-home-set", "/caldav/"),
        hrefs(f"{CARD}addressbook-home-set", "/carddav/"),
        hrefs(f"{CAL}calendar-user-address-set", *known),
        hrefs(f"{CAL}schedule-inbox-URL", "/caldav/schedule-inbox"),
        hrefs(f"{CAL}schedule-outbox-URL", "/caldav/schedule-outbox"),
        element(f"{CAL}calendar-user-type", "INDIVIDUAL"),
        hrefs(f"{DAV}principal-URL", principal_path(user)),
        hrefs(f"{DAV}current-user-principal", principal_path(user)),
        hrefs(f"{DAV}group-membership", "/principals/groups/0", "/principals/groups/1"),
        element(f"{CS}email-address-set", element(f"{DAV}email-address", user.address)),
    )


def home(user: User, area: str) -> Properties:
    name = "Calendars" if area == "caldav" else "Addressbooks"
    own = of(
        _types(f"{DAV}collection"),
        hrefs(f"{DAV}current-user-principal", principal_path(user)),
        hrefs(f"{DAV}principal-collection-set", "/principals/"),
    )
    rights = of(_privileges(HOME_RIGHTS)) if area == "caldav" else {}
    return _plain(name) | own | rights


def outbox() -> Properties:
    return _plain("Schedule Outbox") | of(_types(f"{DAV}collection", f"{CAL}schedule-outbox"))


def inbox(suite: Suite, user: User) -> Properties:
    """It tells the default calendar, and the default task list by its bare number: that URL answers 404, the
    list is at the base64 of the number."""
    calendar = suite.context.default("calendar", user)
    tasks = suite.context.default("tasks", user)
    return _plain("Schedule Inbox") | of(
        _types(f"{DAV}collection", f"{CAL}schedule-inbox"),
        hrefs(f"{CAL}schedule-default-calendar-URL", f"/caldav/{calendar.segment}/"),
        hrefs(f"{CAL}schedule-default-tasks-URL", f"/caldav/{tasks.id}/"),
        _components("VAVAILABILITY"),
    )


def collection(suite: Suite, folder: Folder, user: User) -> Properties:
    name = suite.context.display_name(folder, user)
    common = _plain(name, folder.changed or folder.created) | of(
        _privileges(_rights(folder, user)),
        _reports(REPORTS["carddav" if folder.kind == "contacts" else "caldav"]),
        hrefs(f"{DAV}current-user-principal", principal_path(user)),
    )
    if folder.kind != "birthdays":
        prefix = f"con://0/{folder.number}" if folder.kind == "contacts" else folder.id
        token = suite.token(folder, folder.changed)
        common |= of(element(f"{DAV}sync-token", token), element(f"{CS}getctag", f"{prefix}-{token}"))
    return common | (_book() if folder.kind == "contacts" else _calendar(suite, folder, user))


def _rights(folder: Folder, user: User) -> list[str]:
    """From the permission bits. /carddav/6/, the users of the context, is writable by everybody, without bind
    and unbind: it is nobody's own."""
    bits = folder.bits(user.number)
    writes = folder.may(user.number, "write")
    more = {
        "write": writes,
        "write-content": writes,
        "write-properties": True,
        "write-acl": bool(bits >> 28),
        "bind": bits & 127 > 1,
        "unbind": folder.may(user.number, "delete"),
    }
    return [*LOOKS, *(name for name, given in more.items() if given)]


def _reports(names: Sequence[str]) -> etree._Element:
    known = (element(f"{DAV}supported-report", element(f"{DAV}report", element(name))) for name in names)
    return element(f"{DAV}supported-report-set", *known)


def _book() -> dict[str, etree._Element]:
    version = element(f"{CARD}address-data-type")
    version.set("content-type", "text/vcard")
    version.set("version", "3.0")
    return of(
        _types(f"{DAV}collection", f"{CARD}addressbook"),
        element(f"{CARD}max-resource-size", str(MAX_BYTES)),
        element(f"{CARD}supported-address-data", version),
    )


def _calendar(suite: Suite, folder: Folder, user: User) -> dict[str, etree._Element]:
    """min-date-time and max-date-time are what listings see."""
    component = "VTODO" if folder.kind == "tasks" else "VEVENT"
    color = element(f"{APPLE}calendar-color", folder.color or COLOR)
    color.set("symbolic-color", "custom")
    owned = folder.kind == "calendar" and folder.owner == user.number
    shared = (f"{CS}shared-owner",) if owned else (f"{CS}shared",) if folder.kind == "calendar" else ()
    sees = suite.window()
    found = of(
        _types(f"{DAV}collection", f"{CAL}calendar", *shared),
        _components(component),
        color,
        element(f"{CAL}min-date-time", stamp(sees.start)),
        element(f"{CAL}max-date-time", stamp(sees.end)),
        element(f"{CAL}schedule-calendar-transp", element(f"{CAL}opaque")),
        element(f"{CAL}default-alarm-vevent-datetime"),
        element(f"{CAL}managed-attachments-server-URL"),
    )
    return found | of(_invite(suite, folder))


def _invite(suite: Suite, folder: Folder) -> etree._Element:
    """Who shares it, and with whom; empty for the birthdays."""
    if folder.kind == "birthdays":
        return element(f"{CS}invite")
    owner = suite.context.by_number(folder.owner)
    parts = [element(f"{CS}organizer", *_somebody(owner))]
    for user in suite.context.members():
        if user.number in folder.rights and user.number != folder.owner:
            access = "read-write" if folder.may(user.number, "write") else "read"
            accepted = element(f"{CS}invite-accepted")
            given = element(f"{CS}access", element(f"{CS}{access}"))
            parts.append(element(f"{CS}user", *_somebody(user), accepted, given))
    return element(f"{CS}invite", *parts)


def _somebody(user: User) -> tuple[etree._Element, etree._Element]:
    path = f"mailto:{principal_path(user)}"
    return element(f"{DAV}href", path), element(f"{CS}common-name", user.name)


def item(etag: str, media_type: str, data: etree._Element | None = None) -> Properties:
    """An object; data: itself, where it was asked for."""
    found = of(
        element(f"{DAV}getetag", etag),
        element(f"{DAV}getcontenttype", media_type),
        element(f"{DAV}resourcetype"),
    )
    return found | of(data) if data is not None else found


def response(href: str, known: Properties, wanted: Sequence[str] | None) -> etree._Element:
    """wanted: None for allprop. What was asked for and is not there is told with 404."""
    names = [name for name in ALLPROP if name in known] if wanted is None else wanted
    made = element(f"{DAV}response", element(f"{DAV}href", href))
    found = [known[name] for name in names if name in known]
    missing = [element(name) for name in names if name not in known]
    if found:
        made.append(_propstat(found, "HTTP/1.1 200 OK"))
    if missing:
        made.append(_propstat(missing, "HTTP/1.1 404 NOT FOUND"))
    return made


def _propstat(properties: Iterable[etree._Element], status: str) -> etree._Element:
    prop = element(f"{DAV}prop", *properties)
    return element(f"{DAV}propstat", prop, element(f"{DAV}status", status))


def missing(href: str) -> etree._Element:
    status = element(f"{DAV}status", "HTTP/1.1 404 NOT FOUND")
    return element(f"{DAV}response", element(f"{DAV}href", href), status)


def changed(names: Iterable[str], href: str, refused: frozenset[str]) -> etree._Element:
    """The answer to a PROPPATCH, a propstat for each property."""
    made = element(f"{DAV}response", element(f"{DAV}href", href))
    for name in names:
        status = "HTTP/1.1 403 Forbidden" if name in refused else "HTTP/1.1 200 OK"
        made.append(_propstat([element(name)], status))
    return made


def multistatus(*responses: etree._Element) -> bytes:
    made = element(f"{DAV}multistatus", *responses)
    return etree.tostring(made, xml_declaration=True, encoding="UTF-8")
