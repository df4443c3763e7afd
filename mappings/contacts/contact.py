"""Map an Exchange contact or distribution list to a vCard.

The version is the target's (Capabilities.vcard). What it has no property for stands in an X- property, so
that nothing that a person typed is gone. What no client could read there is a named loss.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from mappings.compare.semantic_digest import card_digest
from mappings.contacts.communication import emails, messengers, pages, phones, places
from mappings.contacts.dates import days
from mappings.contacts.distribution_list import group
from mappings.contacts.names import names
from mappings.contacts.organization import extras, notes, people, privacy, work
from mappings.contacts.photo import photo
from mappings.contacts.record import ContactRecord, Section
from mappings.exchange.elements import items, left_out
from mappings.fields.context import Context
from mappings.fields.ews_xml import altered, kind, moment
from mappings.losses.catalogue import lose
from mappings.vcard.lines import VCardLine, render, text
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Body, Capabilities, Item, Loss, Mapped, Native, key_of

PRODUCT = "-//Kogge//Kogge//EN"
CLASSES = ("ipm.contact", "ipm.distlist")
"""Message classes of an address book, each with its sub-classes (MS-OXOCNTC)."""

SECTIONS: Mapping[str, Sequence[Section]] = {
    "Contact": (
        names, emails, phones, messengers, places, work, people, days, pages, notes,
        privacy, extras, photo,
    ),
    "DistributionList": (group, notes, privacy, extras, photo),
}  # fmt: skip


def skip_contact(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this record is no contact; None if it is one."""
    name = str(native.properties.get("ItemClass") or "").lower()
    if name == "ipm.activity" or name.startswith("ipm.activity."):
        return "journal-entry"
    is_contact = any(name == class_ or name.startswith(class_ + ".") for class_ in CLASSES)
    return None if is_contact else "not-a-contact"


def map_contact(native: Native, context: Context) -> Mapped:
    """Map a contact or a distribution list to a card, with its losses.

    Raises:
        Rejected: "unknown-format", "malformed-record", "groups-unsupported" or "too-large".
    """
    record = _record(native, context)
    lines, losses = _lines(record, key_of(native.ref.id))
    body = render(record.version, lines)
    if _exceeds(body, context.target) and any(line.name == "PHOTO" for line in lines):
        body = render(record.version, [line for line in lines if line.name != "PHOTO"])
        losses = [*losses, lose("photo", "too-large")]
    if _exceeds(body, context.target):
        raise Rejected("too-large", "larger than the target takes; raise its limit or leave it out")
    return Mapped(_item(native, body, context), tuple(dict.fromkeys(losses)))


def _record(native: Native, context: Context) -> ContactRecord:
    element = items(Kind.CONTACTS, native)[0]
    if kind(element) not in SECTIONS:
        raise Rejected("malformed-record", "the record is neither contact nor distribution list")
    if kind(element) == "DistributionList" and not context.target.groups:
        raise Rejected("groups-unsupported", "the target keeps no groups; write them down for their owner")
    version = "4.0" if context.target.vcard == "4.0" else "3.0"
    attached = native.properties.get("Attachments")
    attachments: Mapping[str, Body] = attached if isinstance(attached, Mapping) else {}
    return ContactRecord(element, version, context, attachments)


def _lines(record: ContactRecord, key: bytes) -> tuple[list[VCardLine], list[Loss]]:
    uid = (("VALUE", ("text",)),) if record.modern else ()
    lines = [text("PRODID", PRODUCT), text("UID", record.context.uid_of(key), uid)]
    losses = left_out(record.element)
    is_plain = kind(record.element) == "DistributionList" and record.context.target.plain_lists
    for section in SECTIONS[kind(record.element)]:
        more, lost = section(record)
        if is_plain and more and section is not group:
            more, lost = [], [lose("list", "name-and-members-only")]
        lines += more
        losses += lost
    if any(altered(str(line)) for line in record.element.itertext()):
        losses.append(lose("text", "control-characters"))
    return [*lines, *_revised(record)], losses


def _revised(record: ContactRecord) -> list[VCardLine]:
    """REV: when the record was last changed, never when it was mapped."""
    moment_ = moment(record.text("LastModifiedTime", "DateTimeCreated"))
    if moment_ is None:
        return []
    whole = moment_.replace(microsecond=0, tzinfo=None).isoformat()
    return [VCardLine("REV", (whole.replace("-", "").replace(":", "") if record.modern else whole) + "Z")]


def _exceeds(body: bytes, target: Capabilities) -> bool:
    return target.max_bytes is not None and len(body) > target.max_bytes


def _item(native: Native, body: bytes, context: Context) -> Item:
    key = key_of(native.ref.id)
    return Item(
        Kind.CONTACTS,
        key,
        card_digest(io.BytesIO(body), context.began),
        len(body),
        lambda: io.BytesIO(body),
        uid=context.uid_of(key),
    )
