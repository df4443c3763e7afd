"""Map how to reach a contact: mail, telephone, messengers, postal addresses, web pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from mappings.contacts.names import address_property, full_name, name_parts
from mappings.contacts.record import ContactRecord, Part
from mappings.fields import ews_xml as xml
from mappings.fields.addresses import resolve
from mappings.fields.ews_xml import Element, extended
from mappings.losses.catalogue import lose
from mappings.vcard.lines import VCardLine, kinds, structured, text, uri
from model.protocols import Loss

PHONES: Mapping[str, tuple[str, ...]] = {
    "PrimaryPhone": ("PREF", "VOICE"),
    "BusinessPhone": ("WORK", "VOICE"),
    "BusinessPhone2": ("WORK", "VOICE"),
    "BusinessMobile": ("WORK", "CELL"),
    "MobilePhone": ("CELL",),
    "HomePhone": ("HOME", "VOICE"),
    "HomePhone2": ("HOME", "VOICE"),
    "CompanyMainPhone": ("WORK", "X-COMPANY"),
    "AssistantPhone": ("X-ASSISTANT",),
    "Callback": ("X-CALLBACK",),
    "CarPhone": ("CAR",),
    "RadioPhone": ("X-RADIO",),
    "Pager": ("PAGER",),
    "Isdn": ("ISDN",),
    "Telex": ("X-TELEX",),
    "TtyTddPhone": ("X-TTYTDD",),
    "OtherTelephone": ("OTHER", "VOICE"),
    "BusinessFax": ("WORK", "FAX"),
    "HomeFax": ("HOME", "FAX"),
    "OtherFax": ("OTHER", "FAX"),
}
"""Every key of EWS's PhoneNumbers that holds a number (types.xsd, PhoneNumberKeyType)."""

PLACES: Mapping[str, tuple[str, ...]] = {"Business": ("WORK",), "Home": ("HOME",), "Other": ("OTHER",)}
PARTS = ("Street", "City", "State", "PostalCode")

WEB_PAGE, PERSONAL_PAGE, FTP_SITE, FREE_BUSY = 0x802B, 0x3A50, 0x3A4C, 0x80D8
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:\S+")


def emails(record: ContactRecord) -> Part:
    """Map the e-mail addresses, the first one preferred."""
    lines: list[VCardLine] = []
    losses: list[Loss] = []
    family, given, *_ = name_parts(record)
    made = (full_name(record)[0], record.text("FileAs"), f"{given} {family}", f"{family}, {given}")
    usual = {name.strip().casefold() for name in made}
    for _, entry in sorted(record.entries("EmailAddresses"), key=lambda pair: pair[0]):
        address, lost = _address(record, entry)
        losses += lost
        if address:
            lines.append(text("EMAIL", address, kinds("INTERNET", *(() if lines else ("PREF",)))))
            losses += _other_name(entry, address, usual)
    return lines, losses


def _address(record: ContactRecord, entry: Element) -> tuple[str, list[Loss]]:
    written, routing = (entry.text or "").strip(), entry.get("RoutingType", "SMTP").upper()
    if not written:
        return "", []
    if routing not in ("SMTP", "EX", ""):
        return "", [lose("email", "no-internet-address")]
    address, lost = resolve(written, record.context, routing)
    if address is None and lost and lost.reason == "not-in-directory":
        return "", [lose("email", "unresolved-address")]
    return address or written, []  # what nobody can mail is still what its owner typed


def _other_name(entry: Element, address: str, usual: set[str]) -> list[Loss]:
    """Return the loss of a name that a person gave to an address.

    Exchange makes it of contact and address.
    """
    name = (entry.get("Name") or "").strip().casefold()
    bare = re.sub(r"(?<!\s)\s*+\([^()]*+\)$", "", name)
    made = usual | {"", address.casefold(), (entry.text or "").strip().casefold()}
    return [] if name in made or bare in made else [lose("email", "display-name")]


def phones(record: ContactRecord) -> Part:
    """Map the telephone numbers."""
    numbers = [(key, (entry.text or "").strip()) for key, entry in record.entries("PhoneNumbers")]
    order = list(PHONES)
    numbered = sorted((pair for pair in numbers if pair[0] in PHONES), key=lambda pair: order.index(pair[0]))
    other = [number for key, number in numbers if key not in PHONES and number]
    numbered = [pair for pair in numbered if pair[1]]
    lines = [text("TEL", number, kinds(*PHONES[key])) for key, number in numbered]
    lines += [text("TEL", number, kinds("VOICE")) for number in other]
    return lines, [lose("phone", "unknown-kind")] if other else []


def messengers(record: ContactRecord) -> Part:
    """Map the addresses of messengers."""
    addresses = ((entry.text or "").strip() for _, entry in record.entries("ImAddresses"))
    return [uri("IMPP", _im_uri(address)) for address in addresses if address], []


def _im_uri(address: str) -> str:
    """Return a URI, as IMPP holds (RFC 4770).

    An address without a protocol gets RFC 3860's, which means any.
    """
    return address if _SCHEME.fullmatch(address) else "im:" + quote(address, safe="@!$&'()*+;=:/")


def places(record: ContactRecord) -> Part:
    """Map the postal addresses."""
    mailing = record.text("PostalAddressIndex")
    addresses = {key: _place(entry) for key, entry in record.entries("PhysicalAddresses")}
    present = {key: types for key, types in PLACES.items() if any(addresses.get(key, ()))}
    lines = [
        structured("ADR", ("", "", *addresses[key]), kinds(*types, *(("PREF",) if key == mailing else ())))
        for key, types in present.items()
    ]
    strange = any(any(parts) for key, parts in addresses.items() if key not in PLACES)
    return lines, [lose("address", "unknown-kind")] if strange else []


def _place(entry: Element) -> tuple[str, ...]:
    parts = [xml.text(entry, f"t:{part}").strip() for part in PARTS]
    # Exchange 2007 says Country.
    country = xml.text(entry, "t:CountryOrRegion") or xml.text(entry, "t:Country")
    return (*parts, country.strip())


def pages(record: ContactRecord) -> Part:
    """Map the web pages."""
    business = record.text("BusinessHomePage")
    other = address_property(record, WEB_PAGE)
    rows = (
        ("URL", business, ("WORK",)),
        ("URL", "" if other == business else other, ()),
        ("URL", (extended(record.element, PERSONAL_PAGE) or "").strip(), ("HOME",)),
        ("X-FTP-SITE", (extended(record.element, FTP_SITE) or "").strip(), ()),
    )
    lines = [uri(name, value, kinds(*types)) for name, value, types in rows if value]
    free_busy = address_property(record, FREE_BUSY)
    return [*lines, *([uri("FBURL", free_busy)] if free_busy else [])], []
