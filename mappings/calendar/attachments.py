"""Read the attachments of an event or a task: a file, whose bytes are not read yet, or a link."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.fields.ews_xml import Element, child, flag, kind, printable, text
from mappings.icalendar.component import Component
from mappings.icalendar.values import File, Uri
from mappings.losses.catalogue import lose
from model.protocols import Body, Loss, Native

ITEMS: Mapping[bytes, tuple[str, str]] = {
    b"BEGIN:VCALENDAR": ("text/calendar", ".ics"),
    b"BEGIN:VCARD": ("text/vcard", ".vcf"),
}
_MESSAGE = ("message/rfc822", ".eml")
_DEFAULT = "application/octet-stream"


def attachments(element: Element, event: Component, native: Native) -> list[Loss]:
    """Add an ATTACH for each attachment."""
    holder = child(element, "t:Attachments")
    contents = native.properties.get("Attachments")
    bodies = contents if isinstance(contents, Mapping) else {}
    losses: list[Loss] = []
    for attachment in holder if holder is not None else ():
        if isinstance(attachment.tag, str):
            loss = _attach(attachment, event, bodies)
            losses += [loss] if loss else []
            if flag(attachment, "t:IsInline"):
                losses.append(lose("attachment", "not-in-text"))
    return losses


def _attach(attachment: Element, event: Component, bodies: Mapping[str, Body]) -> Loss | None:
    name = _name(attachment)
    link = text(attachment, "t:AttachLongPathName").strip()
    if kind(attachment) == "ReferenceAttachment" and link.lower().startswith(("http://", "https://")):
        event.add("ATTACH", Uri(link, {"FILENAME": name, "X-FILENAME": name} if name else {}))
        return None
    id_ = child(attachment, "t:AttachmentId")
    body = bodies.get("" if id_ is None else id_.get("Id") or "")
    if body is None:
        return lose("attachment", "not-readable")
    _inline(attachment, event, name, body)
    return None


def _inline(attachment: Element, event: Component, name: str, body: Body) -> None:
    media, ending = _media(attachment), ""
    if kind(attachment) == "ItemAttachment":
        with body() as stream:
            start = stream.read(64).lstrip(b"\xef\xbb\xbf\r\n \t").upper()
        media, ending = next((form for mark, form in ITEMS.items() if start.startswith(mark)), _MESSAGE)
    shown = name or "attachment"
    shown += "" if shown.lower().endswith(ending) else ending
    # FILENAME is RFC 8607's, X-FILENAME what Apple and others wrote before it.
    names = {"FMTTYPE": media, "FILENAME": shown, "X-FILENAME": shown}
    event.add("ATTACH", File(body, names))


def _media(attachment: Element) -> str:
    media = text(attachment, "t:ContentType").partition(";")[0].strip().lower()
    plain = all(letter.isalnum() or letter in "/.+-_" for letter in media) and media.isascii()
    return media if plain and media.count("/") == 1 and not media.startswith("/") else _DEFAULT


def _name(attachment: Element) -> str:
    """Return the name in one line, at most 200 characters, without what would make it a path."""
    name = " ".join(printable(text(attachment, "t:Name")).split())
    return name.replace("/", "_").replace("\\", "_")[-200:]
