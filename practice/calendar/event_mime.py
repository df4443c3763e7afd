"""Write the MimeContent of a calendar item: iCalendar without attendees, attachments, recurrence or zone."""

from __future__ import annotations

from datetime import datetime

from practice.world.records import Common

_CLASSES = {"Normal": "PUBLIC", "Personal": "PRIVATE", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}


def calendar_of(uid: str, common: Common, begins: datetime, finishes: datetime, location: str) -> bytes:
    """Return the iCalendar object of an event."""
    lines = (
        "BEGIN:VCALENDAR",
        "METHOD:PUBLISH",
        "PRODID:Microsoft Exchange Server 2010",
        "VERSION:2.0",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"SUMMARY:{_text(common.subject)}",
        f"DTSTART:{begins:%Y%m%dT%H%M%SZ}",
        f"DTEND:{finishes:%Y%m%dT%H%M%SZ}",
        f"DTSTAMP:{common.modified:%Y%m%dT%H%M%SZ}",
        f"LOCATION:{_text(location)}",
        f"CLASS:{_CLASSES[common.sensitivity]}",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    return "\r\n".join(lines).encode()


def _text(value: str) -> str:
    """RFC 5545, 3.3.11; what is no text at all is left out."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "".join(each for each in " ".join(escaped.split()) if each.isprintable())
