"""Map distribution lists to a vCard group, by RFC 6350 in 4.0, by Apple's extension in 3.0."""

from __future__ import annotations

from urllib.parse import quote

from mappings.contacts.names import full_name
from mappings.contacts.record import ContactRecord, Part
from mappings.fields.addresses import smtp
from mappings.fields.ews_xml import Element, child, children, text
from mappings.losses.catalogue import lose
from mappings.vcard.lines import Parameter, VCardLine, structured, uri
from mappings.vcard.lines import text as text_line
from model.protocols import Loss, key_of

LINKED = frozenset({"Contact", "PrivateDL"})
"""Members that are items of the mailbox, named by their ItemId."""


def group(record: ContactRecord) -> Part:
    """Map a distribution list."""
    shown, losses = full_name(record)
    kind = "KIND" if record.modern else "X-ADDRESSBOOKSERVER-KIND"
    lines = [text_line("FN", shown), structured("N", (shown, "", "", "", "")), text_line(kind, "group")]
    seen: set[str] = set()
    for member in children(record.element, "t:Members/t:Member"):
        line, lost = _member(record, member)
        losses += lost
        if line is not None and line.value not in seen:
            seen.add(line.value)
            lines.append(line)
    return lines, losses


def _member(record: ContactRecord, member: Element) -> tuple[VCardLine | None, list[Loss]]:
    name = "MEMBER" if record.modern else "X-ADDRESSBOOKSERVER-MEMBER"
    linked, losses = _linked(record, member), list[Loss]()
    if linked is not None:
        if not record.context.target.plain_lists:
            return uri(name, f"urn:uuid:{linked}"), []
        losses = [lose("members", "not-linked")]
    address, _ = smtp(member, record.context)
    if address is None:
        return None, [lose("members", "unresolved-address")]
    return uri(name, f"mailto:{quote(address, safe='@!$&*+/=~')}", _member_name(member, address)), losses


def _linked(record: ContactRecord, member: Element) -> str | None:
    """Return the UID of the contact or list that is the member; None if there is no link, or a broken one.

    Exchange gives contacts no UID: ours comes from the item's key, and so do the members of groups.
    """
    mailbox = child(member, "t:Mailbox")
    item = None if mailbox is None else child(mailbox, "t:ItemId")
    if mailbox is None or item is None or text(member, "t:Status") == "Demoted":
        return None
    if text(mailbox, "t:MailboxType") not in LINKED:
        return None
    return record.context.uid_of(key_of(item.get("Id", "")))


def _member_name(member: Element, address: str) -> tuple[Parameter, ...]:
    """Return the member's name, for which a mailto: has no place."""
    name = text(member, "t:Mailbox/t:Name").strip()
    return (("X-CN", (name,)),) if name and name.casefold() != address.casefold() else ()
