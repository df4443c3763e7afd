"""Read an Exchange contact or distribution list as a card, in the words of vCard 3.0.

What that has no property for stands in an X- property, so that nothing that a person typed is gone. What no
client could read there is a named loss. What the target cannot hold is mappings.fit.card's to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mappings.contacts.communication import emails, messengers, pages, phones, places
from mappings.contacts.dates import days
from mappings.contacts.distribution_list import group
from mappings.contacts.names import names
from mappings.contacts.organization import extras, notes, people, privacy, work
from mappings.contacts.photo import photo
from mappings.contacts.record import ContactRecord, Section
from mappings.exchange.elements import items, left_out
from mappings.fields.context import Reading
from mappings.fields.ews_xml import altered, kind, moment
from mappings.losses.catalogue import lose
from mappings.vcard.card import Card
from mappings.vcard.lines import VCardLine, text
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Native, key_of

PRODUCT = "-//Kogge//Kogge//EN"
CLASSES = ("ipm.contact", "ipm.distlist")
"""Message classes of an address book, each with its sub-classes (MS-OXOCNTC)."""

SECTIONS: Mapping[str, Sequence[Section]] = {
    "Contact": (
        names, emails, phones, messengers, places, work, people, days, pages, notes,
        privacy, extras,
    ),
    "DistributionList": (group, notes, privacy, extras),
}  # fmt: skip


def skip_contact(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this record is no contact; None if it is one."""
    name = str(native.properties.get("ItemClass") or "").lower()
    if name == "ipm.activity" or name.startswith("ipm.activity."):
        return "journal-entry"
    is_contact = any(name == class_ or name.startswith(class_ + ".") for class_ in CLASSES)
    return None if is_contact else "not-a-contact"


def read_contact(native: Native, context: Reading) -> Card:
    """Read a contact or a distribution list as a card, with what is lost of it.

    Raises:
        Rejected: "unknown-format" or "malformed-record".
    """
    record = _record(native, context)
    lines = [text("PRODID", PRODUCT), text("UID", context.uid_of(key_of(native.ref.id)))]
    losses = left_out(record.element)
    for section in SECTIONS[kind(record.element)]:
        more, lost = section(record)
        lines += more
        losses += lost
    picture, lost = photo(record)
    losses += lost
    if any(altered(str(line)) for line in record.element.itertext()):
        losses.append(lose("text", "control-characters"))
    return Card("3.0", (*lines, *_revised(record)), (picture,) if picture else (), tuple(losses))


def _record(native: Native, context: Reading) -> ContactRecord:
    element = items(Kind.CONTACTS, native)[0]
    if kind(element) not in SECTIONS:
        raise Rejected("malformed-record", "the record is neither contact nor distribution list")
    attached = native.properties.get("Attachments")
    return ContactRecord(element, context, attached if isinstance(attached, Mapping) else {})


def _revised(record: ContactRecord) -> list[VCardLine]:
    """REV: when the record was last changed, never when it was mapped."""
    moment_ = moment(record.text("LastModifiedTime", "DateTimeCreated"))
    if moment_ is None:
        return []
    return [VCardLine("REV", f"{moment_.replace(microsecond=0, tzinfo=None).isoformat()}Z")]
