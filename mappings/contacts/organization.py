"""Map where a contact works, who belongs to it, and what else its owner noted."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.contacts.names import ADDRESS_SET, YOMI_COMPANY, address_property
from mappings.contacts.record import ContactRecord, Part
from mappings.fields.ews_xml import Element, Key, child, children, extended, flag
from mappings.fields.look_alikes import COMMA, LOOK_ALIKES
from mappings.losses.catalogue import lose
from mappings.notes.body_text import body_text, sensitivity, truncated
from mappings.vcard.lines import Parameter, VCardLine, kinds, listed, structured, text
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
    organisation, losses = _organisation(record)
    return [*organisation, *(text(name, value) for name, value in rows if value)], losses


def _organisation(record: ContactRecord) -> Part:
    company, department = record.text("CompanyName"), record.text("Department")
    spoken = address_property(record, YOMI_COMPANY)
    sort_as: tuple[Parameter, ...] = (("SORT-AS", (spoken,)),) if record.modern and spoken else ()
    *parts, last = (company, department) if department else (company,)
    kept = last if record.context.target.cards.last_semicolon else _without_last_semicolons(last)
    lines = [structured("ORG", (*parts, kept), sort_as)] if any((*parts, kept)) else []
    losses = [lose("organisation", "semicolon-replaced")] if kept != last else []
    return [*lines, *([text("X-PHONETIC-ORG", spoken)] if spoken else [])], losses


def _without_last_semicolons(name: str) -> str:
    """Return a name with what looks like a semicolon in place of each one at its very end."""
    rest = name.rstrip(";")
    return rest + LOOK_ALIKES[";"] * (len(name) - len(rest))


def people(record: ContactRecord) -> Part:
    """Map people: RELATED in 4.0 (RFC 6350 section 6.6.6), which has no word for a manager."""
    relations = (
        ("X-MANAGER", "", [record.text("Manager")]),
        ("X-ASSISTANT", "agent", [record.text("AssistantName")]),
        ("X-SPOUSE", "spouse", [record.text("SpouseName")]),
        ("X-CHILD", "child", record.strings("Children")),
    )
    return [
        _person(record, name, kind, value) for name, kind, values in relations for value in values if value
    ], []


def _person(record: ContactRecord, name: str, kind: str, value: str) -> VCardLine:
    if record.modern and kind:
        return text("RELATED", value, (*kinds(kind), ("VALUE", ("text",))))
    return text(name, value)


def notes(record: ContactRecord) -> Part:
    """Map NOTE and CATEGORIES."""
    written, html = body_text(record.element)
    categories = record.strings("Categories")
    whole = record.context.target.cards.commas
    spelled = categories if whole else [name.replace(",", COMMA) for name in categories]
    kept = _within(written, record.context.target.cards.note_bytes)
    lines = [text("NOTE", kept)] if kept else []
    lines += [listed("CATEGORIES", list(dict.fromkeys(spelled)))] if categories else []
    conditions = (
        (bool(html), ("note", "formatting")),
        (truncated(record.element), ("text", "truncated")),
        (kept != written, ("text", "shortened")),
        (bool(categories), ("categories", "colour-not-kept")),
        (spelled != categories, ("categories", "comma-replaced")),
    )
    return lines, [lose(field, reason) for happened, (field, reason) in conditions if happened]


def _within(words: str, most: int | None) -> str:
    """Return the beginning of a text that has at most so many bytes in UTF-8; None for no limit."""
    return words if most is None else words.encode()[:most].decode(errors="ignore")


def privacy(record: ContactRecord) -> Part:
    """Map CLASS. vCard 4.0 dropped it: there it is an X- property for a person who looks for it."""
    mark, more = sensitivity(record.element)
    if not mark:
        return [], []
    if mark == "CONFIDENTIAL" and not record.context.target.cards.confidential:
        mark, more = "PRIVATE", True
    losses = [lose("sensitivity", "shown-as-private")] if more else []
    losses += [lose("sensitivity", "no-class")] if record.modern else []
    return [text("X-CLASS" if record.modern else "CLASS", mark)], losses


def extras(record: ContactRecord) -> Part:
    """Map what no client shows, so that it is kept."""
    rows = [(name, (extended(record.element, key) or "").strip()) for name, key in PROPERTIES.items()]
    rows += [("X-MILEAGE", record.text("Mileage"))]
    lines = [text(name, value) for name, value in rows if value]
    lines += [text("X-COMPANIES", company) for company in record.strings("Companies")]
    return [*_about(record), *lines], _left_out(record)


def _about(record: ContactRecord) -> list[VCardLine]:
    """Return properties that vCard 4.0 (RFC 6350, RFC 6715) has and 3.0 has not."""
    gender = GENDERS.get((extended(record.element, GENDER) or "").strip(), "")
    rows = (
        ("HOBBY", (extended(record.element, HOBBIES) or "").strip()),
        ("LANG", (extended(record.element, LANGUAGE) or "").strip()),
        ("GENDER", gender),
    )
    prefix = "" if record.modern else "X-"
    return [text(prefix + name, value) for name, value in rows if value]


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
