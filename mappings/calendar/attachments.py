"""Map attachments of an event: inline, base64, or a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mappings.fields.context import Context
from mappings.fields.ews_xml import Element, child, children, flag, kind, printable, text
from mappings.icalendar.component import Component
from mappings.icalendar.values import Binary, Uri
from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.protocols import Body, Loss, Native

ITEMS: Mapping[bytes, tuple[str, str]] = {
    b"BEGIN:VCALENDAR": ("text/calendar", ".ics"),
    b"BEGIN:VCARD": ("text/vcard", ".vcf"),
}
_MESSAGE = ("message/rfc822", ".eml")
CHANGED = "t:ModifiedOccurrences/t:Occurrence"
_DEFAULT = "application/octet-stream"


@dataclass(slots=True)
class AttachmentBudget:
    """Count how many bytes of attachments one item may still hold; None: any number."""

    left: int | None

    def take(self, size: int) -> None:
        """Use so many bytes.

        Raises:
            Rejected: "too-large", before the rest is read.
        """
        if self.left is not None:
            self.left -= size
            if self.left < 0:
                raise too_large()


def too_large() -> Rejected:
    """Return the error for an item that is larger than the target takes."""
    return Rejected("too-large", "larger than the target takes; raise its limit or leave it out")


def room(context: Context) -> AttachmentBudget:
    """Return the budget of an item: base64 makes four bytes of three."""
    most = context.target.max_bytes
    return AttachmentBudget(None if most is None else most * 3 // 4)


def attachments(
    element: Element, event: Component, native: Native, context: Context, space: AttachmentBudget
) -> list[Loss]:
    """Add an ATTACH for each attachment.

    Raises:
        Rejected: "too-large".
    """
    holder = child(element, "t:Attachments")
    contents = native.properties.get("Attachments")
    bodies = contents if isinstance(contents, Mapping) else {}
    losses: list[Loss] = []
    most = _most(element, context)
    for attachment in holder if holder is not None else ():
        if isinstance(attachment.tag, str):
            loss = _attach(attachment, event, bodies, most, space)
            losses += [loss] if loss else []
            if flag(attachment, "t:IsInline"):
                losses.append(lose("attachment", "not-in-text"))
    return losses


def _most(element: Element, context: Context) -> int | None:
    """Return the most bytes of one attachment; of an event that is one of several in its object, fewer."""
    target = context.target
    repeats = text(element, "t:CalendarItemType").strip() in ("RecurringMaster", "Exception")
    is_alone = child(element, "t:Recurrence") is not None and not children(element, CHANGED)
    if target.series_attachment_bytes is None or not repeats or is_alone:
        return target.attachment_bytes
    return target.series_attachment_bytes


def _attach(
    attachment: Element,
    event: Component,
    bodies: Mapping[str, Body],
    most: int | None,
    space: AttachmentBudget,
) -> Loss | None:
    name = _name(attachment)
    link = text(attachment, "t:AttachLongPathName").strip()
    if kind(attachment) == "ReferenceAttachment" and link.lower().startswith(("http://", "https://")):
        event.add("ATTACH", Uri(link, {"FILENAME": name, "X-FILENAME": name} if name else {}))
        return None
    id_ = child(attachment, "t:AttachmentId")
    body = bodies.get("" if id_ is None else id_.get("Id") or "")
    if body is None:
        return lose("attachment", "not-readable")
    data = _read(body, most, space)
    if data is None:
        return lose("attachment", "too-large")
    _inline(attachment, event, name, data)
    return None


def _read(body: Body, most: int | None, space: AttachmentBudget) -> bytes | None:
    """Return the bytes; None if they are more than an attachment may have.

    It never holds more than one byte beyond what may be kept.
    """
    limits = [limit for limit in (most, space.left) if limit is not None]
    with body() as stream:
        data = stream.read(min(limits) + 1) if limits else stream.read()
    if most is not None and len(data) > most:
        return None
    space.take(len(data))
    return data


def _inline(attachment: Element, event: Component, name: str, data: bytes) -> None:
    media, ending = _media(attachment), ""
    if kind(attachment) == "ItemAttachment":
        start = data[:64].lstrip(b"\xef\xbb\xbf\r\n \t").upper()
        media, ending = next((form for mark, form in ITEMS.items() if start.startswith(mark)), _MESSAGE)
    shown = name or "attachment"
    shown += "" if shown.lower().endswith(ending) else ending
    # FILENAME is RFC 8607's, X-FILENAME what Apple and others wrote before it.
    names = {"FMTTYPE": media, "FILENAME": shown, "X-FILENAME": shown}
    event.add("ATTACH", Binary(data, names))


def _media(attachment: Element) -> str:
    media = text(attachment, "t:ContentType").partition(";")[0].strip().lower()
    plain = all(letter.isalnum() or letter in "/.+-_" for letter in media) and media.isascii()
    return media if plain and media.count("/") == 1 and not media.startswith("/") else _DEFAULT


def _name(attachment: Element) -> str:
    """Return the name in one line, at most 200 characters, without what would make it a path."""
    name = " ".join(printable(text(attachment, "t:Name")).split())
    return name.replace("/", "_").replace("\\", "_")[-200:]
