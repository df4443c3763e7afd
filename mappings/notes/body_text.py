"""What items of every kind have in common: the text of the body, plain and HTML, and who may see it."""

from __future__ import annotations

from mappings.fields.ews_xml import Element, Key, child, extended, printable, text
from mappings.fields.html_text import plain

PRIVATE: Key = ("00062008-0000-0000-C000-000000000046", 0x8506)
"""PidLidPrivate (MS-OXCMSG 2.2.1.15)."""


def body_text(element: Element) -> tuple[str, str]:
    """The plain text of an item's body, line ends LF, and its HTML, "" when the body is plain. TextBody, the
    server's own rendering (Exchange 2013 and later), comes before ours."""
    body = child(element, "t:Body")
    written = printable(text(element, "t:Body"))
    given = printable(text(element, "t:TextBody")).rstrip()
    if body is None or body.get("BodyType", "Text").upper() != "HTML":
        return written.rstrip() or given, ""
    return given or plain(written), written if written.strip() else ""


def truncated(element: Element) -> bool:
    """Whether the server says that it gave less than the whole body."""
    body = child(element, "t:Body")
    return body is not None and body.get("IsTruncated", "").lower() == "true"


def sensitivity(element: Element) -> tuple[str, bool]:
    """What CLASS says, "" for public, and whether that is more than was said: a personal item is private, and
    so is one with a value nobody knows, which may be a secret's. Outlook's tick of "private" counts too."""
    said = text(element, "t:Sensitivity").strip()
    if said == "Confidential":
        return "CONFIDENTIAL", False
    ticked = (extended(element, PRIVATE) or "").strip().lower() in {"true", "1"}
    if said == "Private" or ticked:
        return "PRIVATE", False
    return ("", False) if said in ("", "Normal") else ("PRIVATE", True)
