"""Map where a contact works, who belongs to it, and what else its owner noted."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.contacts.names import ADDRESS_SET, YOMI_COMPANY, address_property
from mappings.contacts.record import ContactRecord, Part
from mappings.fields.ews_xml import Element, Key, child, children, extended, flag
from mappings.losses.catalogue import lose
from mappings.notes.body_text import body_text, sensitivity, truncated
from mappings.vcard.lines import VCardLine, listed, structured, text
from model.protocols import Loss

COMMON_SET = "00062008-0000-0000-C000-000000000046"
PUBLIC_STRINGS = frozenset({"publicstrings", "00020329-0000-0000-c000-000000000046"})
OWN_FIELDS = "t:ExtendedProperty/t:ExtendedFieldURI"
CERTIFICATES = ("t:UserSMIMECertificate/t:Base64Binary", "t:MSExchangeCertificate/t:Base64Binary")

PROPERTIES: Mapping[str, Key] = {
    "X-GOVERNMENT-ID": 0x3A07,
    "X-REFERRED-BY": 0x3A47,
    "X-ACCOUNT": 0x3A00,
    "X-CUSTOMER-ID": 0x3A4A,
    "X-ORGANIZATIONAL-ID": 0x3A10,
    "X-COMPUTER-NETWORK-NAME": 0x3A49,
    "X-BILLING-INFORMATION": (COMMON_SET, 0x8535),
    "X-USER-FIELD-1": (ADDRESS_SET, 0x804F),
    "X-USER-FIELD-2": (ADDRESS_SET, 0x8050),
    "X-USER-FIELD-3": (ADDRESS_SET, 0x8051),
    "X-USER-FIELD-4": (ADDRESS_SET, 0x8052),
}
"""Text of MS-OXOCNTC for which no vCard has a property."""

CERTIFICATE, FLAG_STATUS, FLAGGED = 0x3A70, 0x1090, "2"
HOBBIES, LANGUAGE, GENDER = 0x3A43, 0x3A0C, 0x3A4D
GENDERS: Mapping[str, str] = {"1": "F", "2": "M"}


def work(record: ContactRecord) -> Part:
    """Map the organisation, the title and the office."""
    rows = (
        ("TITLE", record.text("JobTitle")),
        ("ROLE", record.text("Profession")),
        ("X-OFFICE-LOCATION", record.text("OfficeLocation")),
    )
    return [*_organisation(record), *(text(name, value) for name, value in rows if value)], []


def _organisation(record: ContactRecord) -> list[VCardLine]:
    company, department = record.text("CompanyName"), record.text("Department")
    spoken = address_property(record, YOMI_COMPANY)
    parts = (company, department) if department else (company,)
    lines = [structured("ORG", parts)] if any(parts) else []
    return [*lines, *([text("X-PHONETIC-ORG", spoken)] if spoken else [])]


def people(record: ContactRecord) -> Part:
    """Map people."""
    relations = (
        ("X-MANAGER", [record.text("Manager")]),
        ("X-ASSISTANT", [record.text("AssistantName")]),
        ("X-SPOUSE", [record.text("SpouseName")]),
        ("X-CHILD", record.strings("Children")),
    )
    return [text(name, value) for name, values in relations for value in values if value], []


def notes(record: ContactRecord) -> Part:
    """Map NOTE and CATEGORIES."""
    written, html = body_text(record.element)
    categories = record.strings("Categories")
    lines = [text("NOTE", written)] if written else []
    lines += [listed("CATEGORIES", list(dict.fromkeys(categories)))] if categories else []
    conditions = (
        (bool(html), ("note", "formatting")),
        (truncated(record.element), ("text", "truncated")),
        (bool(categories), ("categories", "colour-not-kept")),
    )
    return lines, [lose(field, reason) for happened, (field, reason) in conditions if happened]


def privacy(record: ContactRecord) -> Part:
    """Map CLASS."""
    mark, more = sensitivity(record.element)
    lines = [text("CLASS", mark)] if mark else []
    return lines, [lose("sensitivity", "shown-as-private")] if more else []


def extras(record: ContactRecord) -> Part:
    """Map what no client shows, so that it is kept."""
    rows = [(name, (extended(record.element, key) or "").strip()) for name, key in PROPERTIES.items()]
    rows += [("X-MILEAGE", record.text("Mileage"))]
    lines = [text(name, value) for name, value in rows if value]
    lines += [text("X-COMPANIES", company) for company in record.strings("Companies")]
    return [*_about(record), *lines], _left_out(record)


def _about(record: ContactRecord) -> list[VCardLine]:
    """Return properties that vCard 4.0 (RFC 6350, RFC 6715) has and 3.0 has only with X- before them."""
    gender = GENDERS.get((extended(record.element, GENDER) or "").strip(), "")
    rows = (
        ("X-HOBBY", (extended(record.element, HOBBIES) or "").strip()),
        ("X-LANG", (extended(record.element, LANGUAGE) or "").strip()),
        ("X-GENDER", gender),
    )
    return [text(name, value) for name, value in rows if value]


def _left_out(record: ContactRecord) -> list[Loss]:
    """Return what the record has and no vCard holds, each named once."""
    element = record.element
    certified = any(child(element, path) is not None for path in CERTIFICATES)
    flagged = record.text("Flag/t:FlagStatus") == "Flagged" or extended(element, FLAG_STATUS) == FLAGGED
    conditions = (
        (certified or extended(element, CERTIFICATE) is not None, ("certificate", "left-out")),
        (own_fields(element), ("user-defined", "left-out")),
        (flag(element, "t:ReminderIsSet"), ("reminder", "no-alarms")),
        (flagged, ("follow-up", "no-flags")),
    )
    return [lose(field, reason) for happened, (field, reason) in conditions if happened]


def own_fields(element: Element) -> bool:
    """Return True if the item came with fields that a user defined."""
    return any(_users_own(uri) for uri in children(element, OWN_FIELDS))


def _users_own(uri: Element) -> bool:
    owners = (uri.get("DistinguishedPropertySetId"), uri.get("PropertySetId"))
    return any((owner or "").lower() in PUBLIC_STRINGS for owner in owners)
