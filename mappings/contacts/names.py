"""Map the names of a contact: N, FN, NICKNAME, how it is spoken and filed."""

from __future__ import annotations

from mappings.contacts.record import ContactRecord, Part
from mappings.fields.ews_xml import extended, printable
from mappings.losses.catalogue import lose
from mappings.vcard.card import NO_NAME
from mappings.vcard.lines import VCardLine, structured, text
from model.protocols import Loss

ADDRESS_SET = "00062004-0000-0000-C000-000000000046"
YOMI_FIRST, YOMI_LAST, YOMI_COMPANY = 0x802C, 0x802D, 0x802E


def names(record: ContactRecord) -> Part:
    """Map the names."""
    shown, losses = full_name(record)
    return [text("FN", shown), structured("N", name_parts(record)), *_filled(record)], losses


def name_parts(record: ContactRecord) -> tuple[str, str, str, str, str]:
    """Return family, given, additional names, prefixes, suffixes (RFC 2426 section 3.1.2)."""
    return (
        record.text("Surname", "CompleteName/t:LastName"),
        record.text("GivenName", "CompleteName/t:FirstName"),
        record.text("MiddleName", "CompleteName/t:MiddleName"),
        record.text("CompleteName/t:Title"),
        record.text("Generation", "CompleteName/t:Suffix"),
    )


def full_name(record: ContactRecord) -> tuple[str, list[Loss]]:
    """Return FN, which may not be empty (RFC 2426 section 3.1.1).

    It is the first text that tells this contact from others.
    """
    family, given, additional, prefixes, suffixes = name_parts(record)
    made = " ".join(part for part in (prefixes, given, additional, family, suffixes) if part)
    shown = record.text("DisplayName", "CompleteName/t:FullName") or made
    name = shown or record.text("FileAs", "CompanyName", "Nickname", "Subject") or _any_entry(record)
    if name:
        return ", ".join(line.strip() for line in printable(name).split("\n") if line.strip()), []
    return NO_NAME, [lose("name", "none-given")]


def phonetic(record: ContactRecord) -> tuple[str, str]:
    """Return how family and given name are spoken (yomi)."""
    last = record.text("PhoneticLastName", "CompleteName/t:YomiLastName")
    first = record.text("PhoneticFirstName", "CompleteName/t:YomiFirstName")
    return last or address_property(record, YOMI_LAST), first or address_property(record, YOMI_FIRST)


def address_property(record: ContactRecord, number: int) -> str:
    """Return one of Outlook's own properties of a contact (MS-OXOCNTC); "" if the record has none."""
    return (extended(record.element, (ADDRESS_SET, number)) or "").strip()


def _any_entry(record: ContactRecord) -> str:
    ways = ("EmailAddresses", "PhoneNumbers", "ImAddresses")
    texts = (entry.text or "" for way in ways for _, entry in record.entries(way))
    return next((value.strip() for value in texts if value.strip()), "")


def _filled(record: ContactRecord) -> list[VCardLine]:
    last, first = phonetic(record)
    whole = "" if last or first else record.text("PhoneticFullName")
    rows = (
        ("X-PHONETIC-FIRST-NAME", first),
        ("X-PHONETIC-LAST-NAME", last),
        ("X-PHONETIC-FULL-NAME", whole),
        ("X-EVOLUTION-FILE-AS", record.text("FileAs")),
        ("X-INITIALS", record.text("Initials", "CompleteName/t:Initials")),
    )
    nickname = record.text("Nickname", "CompleteName/t:Nickname")
    nicknames = [text("NICKNAME", nickname)] if nickname else []
    return [*nicknames, *(text(name, value) for name, value in rows if value)]
