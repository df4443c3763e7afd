"""Map the text of an event: subject, description, place, categories, links, and the small marks."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.calendar.attendees import received
from mappings.fields.context import Reading
from mappings.fields.ews_xml import (
    Element,
    Key,
    altered,
    child,
    children,
    decimal,
    extended,
    flag,
    printable,
    text,
)
from mappings.fields.html_text import plain
from mappings.icalendar.component import Component
from mappings.icalendar.values import Text, TextList, Uri, Word
from mappings.losses.catalogue import lose
from model.protocols import Loss

CLASSES: Mapping[str, str] = {
    "": "PUBLIC",
    "Normal": "PUBLIC",
    "Personal": "PRIVATE",
    "Private": "PRIVATE",
    "Confidential": "CONFIDENTIAL",
}
PRIORITIES: Mapping[str, int] = {"High": 1, "Low": 9}
SHOWN: Mapping[str, tuple[str, str]] = {
    "Free": ("TRANSPARENT", "FREE"),
    "Tentative": ("OPAQUE", "TENTATIVE"),
    "Busy": ("OPAQUE", "BUSY"),
    "OOF": ("OPAQUE", "OOF"),
    "WorkingElsewhere": ("TRANSPARENT", "WORKINGELSEWHERE"),
}
"""From LegacyFreeBusyStatus to TRANSP, and to what Outlook reads (MS-OXCICAL 2.1.3.1.1.20.31)."""

LINKS = ("SkypeTeamsMeetingUrl", "OnlineMeetingExternalLink", "OnlineMeetingConfLink")
"""Public string properties in which Teams and Skype keep a meeting's address."""

_PUBLIC = "PublicStrings"
_PRIVATE: Key = ("00062008-0000-0000-c000-000000000046", 0x8506)
_COLOUR: Key = ("00062002-0000-0000-c000-000000000046", 0x8214)
"""PidLidPrivate, and the label of Outlook 2003 (MS-OXOCAL 2.2.1.50): 0 is none."""


def wording(element: Element, event: Component) -> list[Loss]:
    """Add SUMMARY, DESCRIPTION and X-ALT-DESC, CATEGORIES."""
    losses: list[Loss] = []
    summary = " ".join(_said(element, "t:Subject", losses).split("\n")).strip()
    if summary:
        event.set("SUMMARY", Text(summary))
    _body(element, event, losses)
    names = [
        _clean(category.text or "", losses).strip() for category in children(element, "t:Categories/t:String")
    ]
    if any(names):
        event.add("CATEGORIES", TextList(tuple(dict.fromkeys(name for name in names if name))))
        losses.append(lose("categories", "colour-not-kept"))
    if not all(names):
        losses.append(lose("categories", "empty-name"))
    return losses


def _said(element: Element, path: str, losses: list[Loss]) -> str:
    return _clean(text(element, path), losses)


def _clean(written: str, losses: list[Loss]) -> str:
    if written.isprintable():
        return written
    if altered(written):
        losses.append(lose("text", "control-characters"))
    return printable(written)


def _body(element: Element, event: Component, losses: list[Loss]) -> None:
    body = child(element, "t:Body")
    if body is None:
        return
    content = _said(element, "t:Body", losses)
    if body.get("IsTruncated", "").lower() == "true":
        losses.append(lose("text", "truncated"))
    html = body.get("BodyType", "Text").upper() == "HTML"
    reading = (_said(element, "t:TextBody", losses).strip() or plain(content)) if html else content.rstrip()
    if reading:
        event.add("DESCRIPTION", Text(reading))
    if html and reading:
        event.add("X-ALT-DESC", Text(content, {"FMTTYPE": "text/html"}))


def place(element: Element, event: Component) -> list[Loss]:
    """Add LOCATION, and GEO if Exchange knows coordinates.

    RFC 9073's VLOCATION is a component inside of the event: several servers drop or refuse components that
    they do not know. GEO is old and everywhere; the street stands in LOCATION, where people look for it.
    Apple's X-APPLE-STRUCTURED-LOCATION is not written: Radicale 3.9 cuts unknown properties off at the first
    comma.
    """
    losses: list[Loss] = []
    shown = _said(element, "t:Location", losses)
    if child(element, "t:EnhancedLocation") is None:
        if where := _line(shown):
            event.add("LOCATION", Text(where))
        return losses
    shown = shown or _said(element, "t:EnhancedLocation/t:DisplayName", losses)
    street = _street(element, losses)
    where = ", ".join(part for part in (_line(shown), _beside(_line(shown), street)) if part)
    if where:
        event.add("LOCATION", Text(where))
    _coordinates(element, event, losses)
    if _said(element, "t:EnhancedLocation/t:Annotation", losses).strip():
        losses.append(lose("location", "note-not-kept"))
    return losses


def _line(written: str) -> str:
    return " ".join(written.split())


def _street(element: Element, losses: list[Loss]) -> str:
    path = "t:EnhancedLocation/t:PostalAddress/t:"
    town = ("PostalCode", "City")
    parts = [_line(_said(element, path + name, losses)) for name in ("Street", *town, "State", "Country")]
    street, code, city, state, country = parts
    return ", ".join(part for part in (street, f"{code} {city}".strip(), state, country) if part)


def _beside(shown: str, street: str) -> str:
    """Return the address, unless the place's name says it already."""
    return "" if not street or street.lower() in shown.lower() else street


def _coordinates(element: Element, event: Component, losses: list[Loss]) -> None:
    path = "t:EnhancedLocation/t:PostalAddress/t:"
    latitude, longitude = decimal(element, path + "Latitude"), decimal(element, path + "Longitude")
    if latitude is None or longitude is None:
        return
    if abs(latitude) > 90 or abs(longitude) > 180:
        losses.append(lose("location", "impossible-coordinates"))
        return
    event.add("GEO", Word(f"{round(latitude, 6)};{round(longitude, 6)}"))


def links(element: Element, event: Component) -> list[Loss]:
    """Add CONFERENCE (RFC 7986) for every way into an online meeting, URL for a meeting's workspace."""
    losses: list[Loss] = []
    addresses = [_said(element, "t:JoinOnlineMeetingUrl", losses)]
    addresses += [_clean(extended(element, (_PUBLIC, name)) or "", losses) for name in LINKS]
    for link in dict.fromkeys(address.strip() for address in addresses if _is_link(address)):
        parameters = {"VALUE": "URI", "FEATURE": "VIDEO", "LABEL": "Online meeting"}
        # Radicale 3.9 (vobject) takes this property for text: unescaped, a comma would end it.
        whole = link.replace(",", "%2C").replace(";", "%3B")
        event.add("CONFERENCE", Uri(whole, parameters))
    pages = [_said(element, path, losses).strip() for path in ("t:MeetingWorkspaceUrl", "t:NetShowUrl")]
    usable = [page for page in pages if _is_link(page)]
    if usable:
        event.add("URL", Uri(usable[0]))
    return losses


def _is_link(written: str) -> bool:
    link = written.strip()
    return link.lower().startswith(("http://", "https://")) and not any(
        character in link for character in ' \t\n"<>'
    )


def marks(element: Element, event: Component, context: Reading) -> list[Loss]:
    """Add CLASS, PRIORITY, STATUS, and TRANSP with Outlook's own word beside it."""
    losses: list[Loss] = []
    sensitivity = text(element, "t:Sensitivity").strip()
    if sensitivity in ("", "Normal") and (extended(element, _PRIVATE) or "").lower() in ("true", "1"):
        sensitivity = "Private"
    # A value nobody knows may be a secret's: RFC 5545 3.8.1.3 has it treated as PRIVATE.
    event.set("CLASS", Text(CLASSES.get(sensitivity, "PRIVATE")))
    if sensitivity == "Personal" or sensitivity not in CLASSES:
        losses.append(lose("sensitivity", "shown-as-private"))
    priority = PRIORITIES.get(text(element, "t:Importance").strip())
    if priority is not None:
        event.add("PRIORITY", Word(str(priority)))
    event.set("STATUS", Text(_status(element, context)))
    _free_or_busy(element, event, losses)
    if (extended(element, _COLOUR) or "0").strip() != "0":
        losses.append(lose("colour", "label-not-kept"))
    if child(element, "t:AllowNewTimeProposal") is not None and not flag(element, "t:AllowNewTimeProposal"):
        event.add("X-MICROSOFT-DISALLOW-COUNTER", Word("TRUE"))
    return losses


def _status(element: Element, context: Reading) -> str:
    """Return the organizer's word: a missing answer of an attendee makes the meeting no less certain."""
    if flag(element, "t:IsCancelled"):
        return "CANCELLED"
    shown = text(element, "t:LegacyFreeBusyStatus").strip()
    return "TENTATIVE" if shown == "Tentative" and not received(element, context) else "CONFIRMED"


def _free_or_busy(element: Element, event: Component, losses: list[Loss]) -> None:
    shown = text(element, "t:LegacyFreeBusyStatus").strip()
    transparency, word = SHOWN.get(shown, ("OPAQUE", ""))
    event.set("TRANSP", Text(transparency))
    if word:
        event.set("X-MICROSOFT-CDO-BUSYSTATUS", Text(word))
    elif shown not in ("", "NoData"):
        losses.append(lose("show-as", "unknown-value"))
