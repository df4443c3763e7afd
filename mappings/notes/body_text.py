"""Read what items of every kind have in common: the text of the body, plain and HTML, and who may see it."""

from __future__ import annotations

from mappings.fields.ews_xml import Element, Key, child, extended, printable, text
from mappings.fields.html_text import plain

PRIVATE: Key = ("00062008-0000-0000-C000-000000000046", 0x8506)
"""PidLidPrivate (MS-OXCMSG 2.2.1.15)."""


def body_text(element: Element) -> tuple[str, str]:
    """Return the plain text of an item's body, line ends LF, and its HTML, "" if the body is plain.

    TextBody, the server's own rendering (Exchange 2013 and later), comes before ours.
    """
    body = child(element, "t:Body")
    written = printable(text(element, "t:Body"))
    rendered = printable(text(element, "t:TextBody")).rstrip()
    if body is None or body.get("BodyType", "Text").upper() != "HTML":
        return written.rstrip() or rendered, ""
    return rendered or plain(written), written if written.strip() else ""


def truncated(element: Element) -> bool:
    """Return True if the server says that it gave less than the whole body."""
    body = child(element, "t:Body")
    return body is not None and body.get("IsTruncated", "").lower() == "true"


def sensitivity(element: Element) -> tuple[str, bool]:
    """Return the value of CLASS, "" for public; and True if it says more than the source did.

    A personal item is private, and so is one with an unknown value, which may be a secret's. Outlook's
    "private" box counts, too.
    """
    value = text(element, "t:Sensitivity").strip()
    if value == "Confidential":
        return "CONFIDENTIAL", False
    ticked = (extended(element, PRIVATE) or "").strip().lower() in {"true", "1"}
    if value == "Private" or ticked:
        return "PRIVATE", False
    return ("", False) if value in ("", "Normal") else ("PRIVATE", True)
