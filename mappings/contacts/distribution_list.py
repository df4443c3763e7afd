"""Map distribution lists to a vCard group, by Apple's extension of vCard 3.0."""

from __future__ import annotations

from urllib.parse import quote

from mappings.contacts.names import full_name
from mappings.contacts.record import ContactRecord, Part
from mappings.fields.addresses import smtp
from mappings.fields.ews_xml import Element, child, children, text
from mappings.losses.catalogue import lose
from mappings.vcard.card import LinkedMember
from mappings.vcard.lines import Parameter, VCardLine, structured, uri, uri_text
from mappings.vcard.lines import text as text_line
from model.protocols import Loss, key_of

KIND, MEMBER = "X-ADDRESSBOOKSERVER-KIND", "X-ADDRESSBOOKSERVER-MEMBER"
LINKED = frozenset({"Contact", "PrivateDL"})
"""Members that are items of the mailbox, named by their ItemId."""


def group(record: ContactRecord) -> Part:
    """Map a distribution list."""
    shown, losses = full_name(record)
    lines = [text_line("FN", shown), structured("N", (shown, "", "", "", "")), text_line(KIND, "group")]
    for member in children(record.element, "t:Members/t:Member"):
        line, lost = _member(record, member)
        losses += lost
        lines += [line] if line is not None else []
    return lines, losses


def _member(record: ContactRecord, member: Element) -> tuple[VCardLine | None, list[Loss]]:
    linked, plain = _linked(record, member), _plain(record, member)
    if linked is not None:
        return LinkedMember(MEMBER, uri_text(f"urn:uuid:{linked}"), plain=plain), []
    return plain, [] if plain is not None else [lose("members", "unresolved-address")]


def _plain(record: ContactRecord, member: Element) -> VCardLine | None:
    """Return the member by its address; None if it has none that can be resolved."""
    address, _ = smtp(member, record.context)
    if address is None:
        return None
    return uri(MEMBER, f"mailto:{quote(address, safe='@!$&*+/=~')}", _member_name(member, address))


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
