"""Read contacts of Graph into the <t:Contact> of EWS.

The record: {"item": the contact; "photo": whether a picture stands beside the record, under PHOTO}. Graph has
no word for most telephones, the mailing address, the anniversary, companies and more: MAPI properties state
those (MS-OXOCNTC). Graph does not give lists of people and attached files at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mappings.exchange.graph_json import (
    HAS_ATTACHMENTS,
    NATIVE_BODY,
    Json,
    add,
    common,
    extended,
    inner,
    record,
    rows,
    said,
    started,
    strings,
    told,
    values,
)
from mappings.fields.ews_xml import Element, Key, extended_values
from mappings.fields.ews_xml import extended as property_of
from model.protocols import Native

PHOTO = "photo"
ADDRESS, COMMON = "00062004-0000-0000-c000-000000000046", "00062008-0000-0000-c000-000000000046"
TEXTS = (
    ("FileAs", "fileAs"), ("DisplayName", "displayName"), ("GivenName", "givenName"),
    ("Initials", "initials"), ("MiddleName", "middleName"), ("Nickname", "nickName"),
    ("CompanyName", "companyName"), ("AssistantName", "assistantName"), ("Birthday", "birthday"),
    ("BusinessHomePage", "businessHomePage"), ("Department", "department"), ("Generation", "generation"),
    ("JobTitle", "jobTitle"), ("Manager", "manager"), ("OfficeLocation", "officeLocation"),
    ("Profession", "profession"), ("SpouseName", "spouseName"), ("Surname", "surname"),
    ("PhoneticFirstName", "yomiGivenName"), ("PhoneticLastName", "yomiSurname"),
)  # fmt: skip
COMPLETE = (("Title", "title"), ("Suffix", "generation"))
PHONES: Mapping[str, int] = {
    "AssistantPhone": 0x3A2E, "BusinessFax": 0x3A24, "BusinessPhone": 0x3A08, "BusinessPhone2": 0x3A1B,
    "Callback": 0x3A02, "CarPhone": 0x3A1E, "CompanyMainPhone": 0x3A57, "HomeFax": 0x3A25,
    "HomePhone": 0x3A09, "HomePhone2": 0x3A2F, "Isdn": 0x3A2D, "MobilePhone": 0x3A1C, "OtherFax": 0x3A23,
    "OtherTelephone": 0x3A1F, "Pager": 0x3A21, "PrimaryPhone": 0x3A1A, "RadioPhone": 0x3A1D,
    "Telex": 0x3A2C, "TtyTddPhone": 0x3A4B,
}  # fmt: skip
"""EWS's keys and the MAPI properties behind them (MS-OXPROPS)."""

GRAPH_PHONES = (
    ("businessPhones", ("BusinessPhone", "BusinessPhone2")),
    ("homePhones", ("HomePhone", "HomePhone2")),
    ("mobilePhone", ("MobilePhone",)),
)
PLACES = (("Business", "businessAddress"), ("Home", "homeAddress"), ("Other", "otherAddress"))
PARTS = (("Street", "street"), ("City", "city"), ("State", "state"),
         ("CountryOrRegion", "countryOrRegion"), ("PostalCode", "postalCode"))  # fmt: skip
EMAILS = (0x8080, 0x8090, 0x80A0)
"""PidLidEmail1DisplayName and its like; the routing type is 2 further, the address 3."""

MAILING: Mapping[str, str] = {"0": "None", "1": "Home", "2": "Business", "3": "Other"}
SENSITIVITIES: Mapping[str, str] = {"0": "Normal", "1": "Personal", "2": "Private", "3": "Confidential"}
SENSITIVITY, ANNIVERSARY, HTML = 0x0036, 0x3A41, "3"
MILEAGE: Key = (COMMON, 0x8534)
COMPANIES: Key = (COMMON, 0x8539)
REMINDER: Key = (COMMON, 0x8503)
MAILING_INDEX: Key = (ADDRESS, 0x8022)
HAS_PICTURE: Key = (ADDRESS, 0x8015)
PHONETIC_COMPANY: Key = (ADDRESS, 0x802E)


def items(native: Native) -> list[Element]:
    """Return the contact's element.

    Raises:
        Rejected: "malformed-record".
    """
    fields = record(native)
    return [_contact(fields["item"], pictured=fields.get("photo") is True)]


def _contact(contact: Json, *, pictured: bool) -> Element:
    element = started("Contact")
    add(element, "ItemId", Id=said(contact.get("id")), ChangeKey=said(contact.get("changeKey")))
    extended(element, contact)
    common(element, contact)
    for name, key in TEXTS:
        told(element, name, contact.get(key))
    complete = add(element, "CompleteName")
    for name, key in COMPLETE:
        told(complete, name, contact.get(key))
    _add_addresses(element, contact)
    _kept(element, contact)
    _notes(element, contact)
    _attached(element, pictured)
    strings(element, "Children", values(contact.get("children")))
    return element


def _kept(element: Element, contact: Json) -> None:
    """Add what MAPI alone states."""
    sensitivity = property_of(element, SENSITIVITY) or ""
    told(element, "Sensitivity", SENSITIVITIES.get(sensitivity, sensitivity))
    told(element, "WeddingAnniversary", property_of(element, ANNIVERSARY))
    told(element, "Mileage", property_of(element, MILEAGE))
    told(element, "PostalAddressIndex", MAILING.get(property_of(element, MAILING_INDEX) or "", ""))
    told(element, "ReminderIsSet", (property_of(element, REMINDER) or "").lower())
    strings(element, "Companies", extended_values(element, COMPANIES))
    spoken = contact.get("yomiCompanyName")
    if spoken and property_of(element, PHONETIC_COMPANY) is None:
        id_ = f"String {{{ADDRESS}}} Id 0x802e"
        extended(element, {"singleValueExtendedProperties": [{"id": id_, "value": spoken}]})


def _add_addresses(element: Element, contact: Json) -> None:
    emails = list(_emails(element, contact))
    _entries(
        element, "EmailAddresses", [(f"EmailAddress{n}", *address) for n, address in enumerate(emails, 1)]
    )
    _entries(element, "PhoneNumbers", [(key, number, {}) for key, number in _phones(element, contact)])
    ims = [address for address in values(contact.get("imAddresses")) if address]
    _entries(
        element, "ImAddresses", [(f"ImAddress{n}", str(address), {}) for n, address in enumerate(ims, 1)]
    )
    places = [(key, inner(contact.get(name))) for key, name in PLACES]
    holder = add(element, "PhysicalAddresses")
    for key, place in places:
        entry = add(holder, "Entry", Key=key)
        for name, part in PARTS:
            told(entry, name, place.get(part))


Entry = tuple[str, str, Mapping[str, str]]


def _entries(element: Element, name: str, entries_: list[Entry]) -> None:
    if entries_:
        holder = add(element, name)
        for key, text, more in entries_:
            add(holder, "Entry", text, Key=key, **more)


def _emails(element: Element, contact: Json) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the addresses by the MAPI properties, which know the routing type.

    Then those of Graph's list alone.
    """
    seen: set[str] = set()
    for first in EMAILS:
        name, routing, address = (property_of(element, (ADDRESS, first + part)) for part in (0, 2, 3))
        if name or address:
            seen |= {entry.lower() for entry in (name, address) if entry}
            more = (("Name", name), ("RoutingType", routing))
            yield address or "", {key: text for key, text in more if text}
    for entry in rows(contact.get("emailAddresses")):
        address, name = said(entry.get("address")), said(entry.get("name"))
        if (address or name).lower() not in seen and (address or name):
            yield address, {"Name": name, "RoutingType": "EX" if address.startswith("/") else "SMTP"}


def _phones(element: Element, contact: Json) -> Iterator[tuple[str, str]]:
    """Yield the numbers of MAPI first, then those of Graph alone under their kind."""
    numbers_of = {key: property_of(element, tag) for key, tag in PHONES.items()}
    yield from ((key, number) for key, number in numbers_of.items() if number)
    seen = {number for number in numbers_of.values() if number}
    for name, keys in GRAPH_PHONES:
        listed = contact.get(name)
        numbers = values(listed) if isinstance(listed, list) else [listed]
        missing = [str(number_) for number_ in numbers if number_ and str(number_) not in seen]
        yield from ((keys[min(at, len(keys) - 1)], number) for at, number in enumerate(missing))


def _notes(element: Element, contact: Json) -> None:
    """Add the notes: Graph gives the text alone, and MAPI states that it was formatted."""
    text = said(contact.get("personalNotes"))
    formatted = property_of(element, NATIVE_BODY) == HTML and bool(text.strip())
    # The formatted text itself is not to be had: the element says that there was one.
    add(element, "Body", "<html/>" if formatted else text, BodyType="HTML" if formatted else "Text")
    if formatted:
        add(element, "TextBody", text, BodyType="Text")


def _attached(element: Element, pictured: bool) -> None:
    """Add the picture.

    If there is no picture that it could be, add that something else is attached.
    """
    holder = add(element, "Attachments")
    shown = (property_of(element, HAS_PICTURE) or "").lower()
    attached = (property_of(element, HAS_ATTACHMENTS) or "").lower() == "true"
    if pictured:
        made = add(holder, "FileAttachment")
        add(made, "AttachmentId", Id=PHOTO)
        add(made, "IsContactPhoto", True)
    elif attached and shown != "true":
        add(holder, "FileAttachment")
    told(element, "HasPicture", "true" if pictured else shown)
