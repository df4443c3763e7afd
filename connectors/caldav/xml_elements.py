"""Define the properties and requests of WebDAV, CalDAV and CardDAV that are used.

Most of them come from the caldav library.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from caldav.elements import cdav, dav, ical
from caldav.elements.base import BaseElement
from lxml import etree

from model.kinds import Kind

CARD: Final = "{urn:ietf:params:xml:ns:carddav}"
CAL: Final = "{urn:ietf:params:xml:ns:caldav}"
DAV: Final = "{DAV:}"
OC: Final = "{http://owncloud.org/ns}"
COMPONENT: Final = {Kind.CALENDAR: "VEVENT", Kind.TASKS: "VTODO"}


def element(tag: str) -> type[BaseElement]:
    """Return a class for a property or request that the library lacks; tag in Clark notation."""
    return type("Element", (BaseElement,), {"tag": tag})


AddressbookHomeSet = element(f"{CARD}addressbook-home-set")
SupportedAddressData = element(f"{CARD}supported-address-data")
CardMaxSize = element(f"{CARD}max-resource-size")
DefaultCalendar = element(f"{CAL}schedule-default-calendar-URL")
DefaultTasks = element(f"{CAL}schedule-default-tasks-URL")
EmailAddressSet = element("{http://calendarserver.org/ns/}email-address-set")
ResourceId = element(f"{DAV}resource-id")
FileId = element("{http://owncloud.org/ns}fileid")
PrincipalUrl = element(f"{DAV}principal-URL")
AddressData = element(f"{CARD}address-data")
Addressbook = element(f"{CARD}addressbook")
ContentLength = element(f"{DAV}getcontentlength")
SyncToken = element(f"{DAV}sync-token")

Availability = element(f"{CAL}calendar-availability")

Invite = element(f"{OC}invite")
PublishUrl = element("{http://calendarserver.org/ns/}publish-url")

PRINCIPAL: Final = (
    dav.ResourceType,
    PrincipalUrl,
    ResourceId,
    cdav.CalendarHomeSet,
    AddressbookHomeSet,
    cdav.CalendarUserAddressSet,
    EmailAddressSet,
    cdav.ScheduleInboxURL,
)
COLLECTION: Final = (
    dav.ResourceType,
    dav.DisplayName,
    dav.Owner,
    dav.CurrentUserPrivilegeSet,
    cdav.SupportedCalendarComponentSet,
    cdav.MaxResourceSize,
    CardMaxSize,
    SupportedAddressData,
    ical.CalendarColor,
    ical.CalendarOrder,
)


def propfind(properties: Iterable[type[BaseElement]]) -> bytes:
    """Return the body of a PROPFIND for these properties."""
    return encoded(_in(dav.Propfind(), _in(dav.Prop(), *(property_class() for property_class in properties))))


def multiget(kind: Kind, hrefs: Iterable[str], vcard: str) -> bytes:
    """Return the body of a multiget REPORT.

    Without a version a server gives vCard 3.0 (RFC 6352, section 10.4).

    Args:
        kind: the kind of items.
        hrefs: the paths of the objects.
        vcard: the vCard version to ask for.

    Source:
        RFC 4791, section 7.9; RFC 6352, section 8.7.
    """
    cards = kind is Kind.CONTACTS
    body = AddressData() if cards else cdav.CalendarData()
    if cards and vcard != "3.0":
        body.attributes = {"content-type": "text/vcard", "version": vcard}
    return _multiget(kind, hrefs, dav.GetEtag(), body)


def existence(kind: Kind, hrefs: Iterable[str]) -> bytes:
    """Return the body of a multiget REPORT that asks which objects exist, without their bodies.

    Args:
        kind: the kind of items.
        hrefs: the paths of the objects.

    Source:
        RFC 4791, section 7.9; RFC 6352, section 8.7.
    """
    return _multiget(kind, hrefs, dav.GetEtag(), ContentLength())


def _multiget(kind: Kind, hrefs: Iterable[str], *properties: BaseElement) -> bytes:
    report = element(f"{CARD}addressbook-multiget")() if kind is Kind.CONTACTS else cdav.CalendarMultiGet()
    return encoded(_in(report, _in(dav.Prop(), *properties), *(dav.Href(value=href) for href in hrefs)))


def changes(token: str) -> bytes:
    """Return the body of a sync-collection REPORT for the objects of a collection alone.

    Args:
        token: the sync token of the page before; "" for the first page.

    Source:
        RFC 6578, sections 3.2 and 3.6.
    """
    report, level = element(f"{DAV}sync-collection")(), element(f"{DAV}sync-level")(value="1")
    return encoded(_in(report, SyncToken(value=token), level, _in(dav.Prop(), ContentLength())))


def query(kind: Kind, uid: str) -> bytes:
    """Return the body of a query REPORT that is bounded by a UID.

    The server may match a part of another UID, so the object itself is requested, too.

    Args:
        kind: the kind of items.
        uid: the UID.

    Source:
        RFC 4791, section 9.7.5; RFC 6352, section 10.5.4.
    """
    return _card_query(uid) if kind is Kind.CONTACTS else _calendar_query(COMPONENT[kind], uid)


def _card_query(uid: str) -> bytes:
    """Return an addressbook-query for a UID."""
    match = element(f"{CARD}text-match")(value=uid)
    match.attributes = {"collation": "i;unicode-casemap", "match-type": "equals"}
    where = _in(element(f"{CARD}filter")(), _in(element(f"{CARD}prop-filter")("UID"), match))
    properties = _in(dav.Prop(), dav.GetEtag(), AddressData())
    return encoded(_in(element(f"{CARD}addressbook-query")(), properties, where))


def _calendar_query(component: str, uid: str) -> bytes:
    match = element(f"{CAL}text-match")(value=uid)
    match.attributes = {"collation": "i;octet"}
    inner = _in(cdav.CompFilter(component), _in(cdav.PropFilter("UID"), match))
    where = _in(cdav.Filter(), _in(cdav.CompFilter("VCALENDAR"), inner))
    return encoded(_in(cdav.CalendarQuery(), _in(dav.Prop(), dav.GetEtag(), cdav.CalendarData()), where))


def make_calendar(kind: Kind, name: str, color: str | None, order: int | None) -> bytes:
    """Return the body of a MKCALENDAR with one component only: some products hold one per collection.

    Args:
        kind: the kind of items.
        name: the display name.
        color: "#rrggbb"; None for none.
        order: the position; None for none.

    Raises:
        ValueError: the name has characters that XML cannot hold.

    Source:
        RFC 4791, section 5.3.1.
    """
    components = _in(cdav.SupportedCalendarComponentSet(), cdav.Comp(COMPONENT[kind]))
    properties = _in(dav.Prop(), dav.DisplayName(name), components)
    if color is not None:
        properties.append(ical.CalendarColor(color))
    if order is not None:
        properties.append(ical.CalendarOrder(str(order)))
    return encoded(_in(cdav.Mkcalendar(), _in(dav.Set(), properties)))


def make_addressbook(name: str) -> bytes:
    """Return the body of an extended MKCOL. An address book has no standard colour and no order.

    Raises:
        ValueError: the name has characters that XML cannot hold.

    Source:
        RFC 5689.
    """
    type_ = _in(dav.ResourceType(), dav.Collection(), Addressbook())
    properties = _in(dav.Prop(), type_, dav.DisplayName(name))
    return encoded(_in(dav.Mkcol(), _in(dav.Set(), properties)))


def rename(name: str) -> bytes:
    """Return the body of a PROPPATCH that sets the display name."""
    return encoded(_in(dav.PropertyUpdate(), _in(dav.Set(), _in(dav.Prop(), dav.DisplayName(name)))))


def keep_availability(text: str) -> bytes:
    """Return the body of a PROPPATCH that sets when a person is available (RFC 7953, section 7.2.4).

    Raises:
        ValueError: the text has characters that XML cannot hold.
    """
    properties = _in(dav.Prop(), Availability(value=text.replace("\r\n", "\n")))
    return encoded(_in(dav.PropertyUpdate(), _in(dav.Set(), properties)))


def remove_availability() -> bytes:
    """Return the body of a PROPPATCH that removes when a person is available."""
    return encoded(_in(dav.PropertyUpdate(), _in(element(f"{DAV}remove")(), _in(dav.Prop(), Availability()))))


def share(href: str, *, writes: bool) -> bytes:
    """Return the body of a POST that gives the principal at `href` this right to a collection (Nextcloud)."""
    access = [element(f"{OC}read-write")()] if writes else []
    return encoded(_in(element(f"{OC}share")(), _in(element(f"{OC}set")(), dav.Href(value=href), *access)))


def unshare(href: str) -> bytes:
    """Return the body of a POST that takes the right of the principal at `href` away (Nextcloud)."""
    return encoded(_in(element(f"{OC}share")(), _in(element(f"{OC}remove")(), dav.Href(value=href))))


def encoded(root: BaseElement) -> bytes:
    """Return an element as XML.

    Raises:
        ValueError: the text has characters that XML cannot hold.
    """
    return etree.tostring(root.xmlelement(), encoding="utf-8", xml_declaration=True)


def _in(parent: BaseElement, *children: BaseElement) -> BaseElement:
    return parent.append(children)


def texts(parent: etree._Element | None, tag: str = f"{DAV}href") -> Sequence[str]:
    """Return the texts of a property's children with this tag, at most 64.

    Args:
        parent: the property; None gives no texts.
        tag: the children's tag in Clark notation.
    """
    if parent is None:
        return ()
    return [(child.text or "").strip() for child in parent.findall(tag)[:64]]
