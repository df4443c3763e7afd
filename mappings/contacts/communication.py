"""Map how to reach a contact: mail, telephone, messengers, postal addresses, web pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from urllib.parse import quote

from mappings.contacts.names import address_property, full_name, name_parts
from mappings.contacts.record import ContactRecord, Part
from mappings.fields import ews_xml as xml
from mappings.fields.addresses import resolve
from mappings.fields.ews_xml import Element, extended
from mappings.losses.catalogue import lose
from mappings.vcard.lines import Parameter, VCardLine, kinds, structured, text, uri
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

ORDERED = (frozenset({"CELL"}), frozenset({"WORK", "VOICE"}), frozenset({"HOME", "VOICE"}))
"""Kinds of which a target that gives types by position marks the first and the second number."""

PLACES: Mapping[str, tuple[str, ...]] = {"Business": ("WORK",), "Home": ("HOME",), "Other": ("OTHER",)}
PARTS = ("Street", "City", "State", "PostalCode")

MODERN: Mapping[str, tuple[str, ...]] = {
    "CAR": ("x-car",),
    "ISDN": ("x-isdn",),
    "X-TTYTDD": ("textphone",),
    "INTERNET": (),
    "OTHER": (),
}
"""Types that vCard 4.0 removed, renamed or never had; a number without a type is neither home nor work."""

POSITIONS = ("WORK", "HOME", "OTHER")
"""Types of the first three mail addresses where the target gives types by position: Open-Xchange 8.19 would
add them, and names the third address twice if it has none."""

WEB_PAGE, PERSONAL_PAGE, FTP_SITE, FREE_BUSY = 0x802B, 0x3A50, 0x3A4C, 0x80D8
_MAIL = re.compile(r"""("[!#-\[\]-~ ]+"|[!#-?A-~]+)@[^\s@]+""", re.ASCII)
"""A mail address with ASCII before the @ (RFC 5321, section 4.1.2), nearly."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:\S+")


def typed(record: ContactRecord, types: tuple[str, ...]) -> tuple[Parameter, ...]:
    """Return TYPE in 3.0's words, or in 4.0's with PREF apart (RFC 6350 section 5.3)."""
    if not record.modern:
        return kinds(*types)
    words = [word for type_ in types if type_ != "PREF" for word in MODERN.get(type_, (type_.lower(),))]
    preferred: tuple[Parameter, ...] = (("PREF", ("1",)),) if "PREF" in types else ()
    return (*kinds(*words), *preferred)


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
        if address and not record.context.target.cards.any_mail and not _MAIL.fullmatch(address):
            lines.append(text("X-KOGGE-EMAIL", address))
            losses.append(lose("email", "not-taken"))
        elif address:
            taken = sum(line.name == "EMAIL" for line in lines)
            lines.append(text("EMAIL", address, typed(record, _mail_types(record, taken))))
            losses += _other_name(entry, address, usual)
    return lines, losses


def _mail_types(record: ContactRecord, place: int) -> tuple[str, ...]:
    """Return the types of the mail address at a place; the first one is preferred."""
    if record.context.target.position_types:
        return ("INTERNET", *POSITIONS[place : place + 1])
    return ("INTERNET",) if place else ("INTERNET", "PREF")


def _marked(
    record: ContactRecord, given: list[tuple[str, ...]], kind: Set[str], *marks: str
) -> list[tuple[str, ...]]:
    """Return the types of numbers or addresses, with the marks that the target adds to those of one kind.

    The first of them gets the first mark, the second the second.
    """
    left = iter(marks if record.context.target.position_types else ())
    return [
        (*types, mark) if kind <= set(types) and (mark := next(left, "")) and mark not in types else types
        for types in given
    ]


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
    types = [PHONES[key] for key, _ in numbered]
    for kind in ORDERED:
        types = _marked(record, types, kind, "PREF", "X-2ND")
    lines = [
        text("TEL", number, typed(record, kind)) for (_, number), kind in zip(numbered, types, strict=True)
    ]
    lines += [text("TEL", number, typed(record, ("VOICE",))) for number in other]
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
    given = [(*types, *(("PREF",) if key == mailing else ())) for key, types in present.items()]
    lines = [
        structured("ADR", ("", "", *addresses[key]), typed(record, types))
        for key, types in zip(present, _marked(record, given, {"WORK"}, "PREF"), strict=True)
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
    lines = [uri(name, value, typed(record, types)) for name, value, types in rows if value]
    free_busy = address_property(record, FREE_BUSY)
    if free_busy and not record.context.target.cards.free_busy:
        return lines, [lose("free-busy", "not-kept")]
    return [*lines, *([uri("FBURL", free_busy)] if free_busy else [])], []
