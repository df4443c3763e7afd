"""Hold a contact: what an address book's owner typed, and how Exchange states it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from practice.exchange.soap import boolean, escape
from practice.world.record_elements import dated, filled, leaf, present, strings
from practice.world.records import Common, Element

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

PlaceKind = Literal["Business", "Home", "Other"]
PLAIN = Common()


@dataclass(frozen=True, slots=True)
class Email:
    """Hold an address.

    Attributes:
        address: a legacyExchangeDN with the routing "EX"; it may be empty if only the name is left.
    """

    address: str
    name: str | None = None
    routing: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Hold a postal address; a part that is None has no element, an empty one an empty element."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """Hold a contact. None stands for what it does not have.

    Attributes:
        key: names the contact in its mailbox, whatever is edited.
        display: None if it is made of the names.
        file_as: what the owner typed, if file_as_mapping is "None"; else the mapping makes it.
        emails: EmailAddress1..3 in this order; None leaves a place free.
        source: ContactSource: "Store", or "ActiveDirectory" for one copied from the global list.
    """

    key: str
    common: Common = PLAIN
    item_class: str = "IPM.Contact"
    title: str | None = None
    given: str | None = None
    middle: str | None = None
    surname: str | None = None
    suffix: str | None = None
    initials: str | None = None
    nickname: str | None = None
    yomi_given: str | None = None
    yomi_surname: str | None = None
    display: str | None = None
    file_as: str | None = None
    file_as_mapping: str | None = None
    company: str | None = None
    department: str | None = None
    job_title: str | None = None
    office: str | None = None
    manager: str | None = None
    assistant: str | None = None
    profession: str | None = None
    spouse: str | None = None
    children: tuple[str, ...] = ()
    companies: tuple[str, ...] = ()
    emails: tuple[Email | None, ...] = ()
    places: tuple[tuple[PlaceKind, Place], ...] = ()
    mailing: PlaceKind | None = None
    phones: tuple[tuple[str, str], ...] = ()
    ims: tuple[str, ...] = ()
    birthday: datetime | None = None
    anniversary: datetime | None = None
    homepage: str | None = None
    mileage: str | None = None
    source: str | None = "Store"
    alias: str | None = None

    @property
    def full_name(self) -> str:
        """Return all parts of the name."""
        parts = (self.title, self.given, self.middle, self.surname, self.suffix)
        return " ".join(part for part in parts if part)

    @property
    def display_name(self) -> str:
        """Return the name a client makes of the names, else of the company, else of the first address."""
        if self.display is not None:
            return self.display
        first = next((email.address for email in self.emails if email), "")
        return self.full_name or self.company or first

    @property
    def filed_as(self) -> str | None:
        """Return the name that the contact is sorted by."""
        if self.file_as_mapping in FILINGS:
            return FILINGS[self.file_as_mapping](self)
        return self.file_as

    @property
    def has_picture(self) -> bool:
        """Return whether there is a picture."""
        return any(one.contact_photo for one in self.common.attachments)

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:  # noqa: ARG002
        """Return the contact's own elements."""
        return present((*_names(self), *_ways(self), *_rest(self)))

    def value(self, uri: str) -> object:
        """Return what FindItem may sort by."""
        return {
            "contacts:FileAs": self.filed_as,
            "contacts:DisplayName": self.display_name or None,
            "contacts:GivenName": self.given,
            "contacts:Surname": self.surname,
            "contacts:CompanyName": self.company,
            "contacts:Birthday": self.birthday,
            "contacts:HasPicture": self.has_picture,
        }.get(uri)

    def mime(self) -> tuple[str, bytes]:
        """Return the vCard that Exchange makes: names, company and addresses only, and no picture."""
        name = ";".join(map(_vcard, (self.surname, self.given, self.middle, self.title, self.suffix)))
        emails = [f"EMAIL;TYPE=INTERNET:{each.address}" for each in self.emails if each and each.address]
        lines = (
            "BEGIN:VCARD",
            "PROFILE:VCARD",
            "VERSION:3.0",
            "MAILER:Microsoft Exchange",
            "PRODID:Microsoft Exchange",
            f"FN:{_vcard(self.display_name)}",
            f"N:{name}",
            f"ORG:{_vcard(self.company)};{_vcard(self.department)}",
            *emails,
            "END:VCARD",
            "",
        )
        return "text/directory", "\r\n".join(lines).encode()


def _last_first(contact: Contact, between: str) -> str:
    first = " ".join(part for part in (contact.given, contact.middle) if part)
    return between.join(part for part in (contact.surname, first) if part)


def _two(first: str | None, second: str | None, between: str = "\r\n") -> str:
    return between.join(part for part in (first, second) if part)


FILINGS: dict[str, Callable[[Contact], str]] = {
    "LastCommaFirst": lambda one: _last_first(one, ", "),
    "FirstSpaceLast": lambda one: " ".join(part for part in (one.given, one.middle, one.surname) if part),
    "Company": lambda one: one.company or "",
    "LastCommaFirstCompany": lambda one: _two(_last_first(one, ", "), one.company),
    "CompanyLastFirst": lambda one: _two(one.company, _last_first(one, "")),
    "LastFirst": lambda one: _last_first(one, ""),
    "LastFirstCompany": lambda one: _two(_last_first(one, ""), one.company),
    "CompanyLastCommaFirst": lambda one: _two(one.company, _last_first(one, ", ")),
    "LastFirstSuffix": lambda one: _two(_last_first(one, ""), one.suffix, " "),
    "LastSpaceFirstCompany": lambda one: _two(_last_first(one, " "), one.company),
    "CompanyLastSpaceFirst": lambda one: _two(one.company, _last_first(one, " ")),
    "LastSpaceFirst": lambda one: _last_first(one, " "),
    "DisplayName": lambda one: one.display_name,
    "FirstName": lambda one: one.given or "",
    "LastFirstMiddleSuffix": lambda one: _two(_last_first(one, " "), one.suffix, " "),
    "LastName": lambda one: one.surname or "",
    "Empty": lambda _: "",
}
"""Every FileAsMapping but None, and what it makes of a contact."""


def _names(one: Contact) -> tuple[tuple[str, str], ...]:
    return (
        ("contacts:FileAs", filled("FileAs", one.filed_as)),
        ("contacts:FileAsMapping", filled("FileAsMapping", one.file_as_mapping)),
        ("contacts:DisplayName", leaf("DisplayName", one.display_name) if one.display_name else ""),
        ("contacts:GivenName", filled("GivenName", one.given)),
        ("contacts:Initials", filled("Initials", one.initials)),
        ("contacts:MiddleName", filled("MiddleName", one.middle)),
        ("contacts:Nickname", filled("Nickname", one.nickname)),
        ("contacts:CompleteName", _complete(one)),
        ("contacts:CompanyName", filled("CompanyName", one.company)),
    )


def _ways(one: Contact) -> tuple[tuple[str, str], ...]:
    """Return how to reach the contact: the dictionaries of the schema."""
    places = "".join(_place(kind, place) for kind, place in one.places)
    phones = "".join(f'<t:Entry Key="{key}">{escape(number)}</t:Entry>' for key, number in one.phones)
    emails = "".join(_email(n, email) for n, email in enumerate(one.emails, 1) if email)
    return (
        ("contacts:EmailAddresses", _around("EmailAddresses", emails)),
        ("contacts:PhysicalAddresses", _around("PhysicalAddresses", places)),
        ("contacts:PhoneNumbers", _around("PhoneNumbers", phones)),
    )


def _rest(one: Contact) -> tuple[tuple[str, str], ...]:
    ims = "".join(f'<t:Entry Key="ImAddress{n}">{escape(im)}</t:Entry>' for n, im in enumerate(one.ims, 1))
    yomi = " ".join(part for part in (one.yomi_given, one.yomi_surname) if part)
    return (
        ("contacts:AssistantName", filled("AssistantName", one.assistant)),
        ("contacts:Birthday", _day("Birthday", one.birthday)),
        ("contacts:BusinessHomePage", filled("BusinessHomePage", one.homepage)),
        ("contacts:Children", strings("Children", one.children)),
        ("contacts:Companies", strings("Companies", one.companies)),
        ("contacts:ContactSource", filled("ContactSource", one.source)),
        ("contacts:Department", filled("Department", one.department)),
        ("contacts:Generation", filled("Generation", one.suffix)),
        ("contacts:ImAddresses", _around("ImAddresses", ims)),
        ("contacts:JobTitle", filled("JobTitle", one.job_title)),
        ("contacts:Manager", filled("Manager", one.manager)),
        ("contacts:Mileage", filled("Mileage", one.mileage)),
        ("contacts:OfficeLocation", filled("OfficeLocation", one.office)),
        ("contacts:PostalAddressIndex", leaf("PostalAddressIndex", one.mailing or "None")),
        ("contacts:Profession", filled("Profession", one.profession)),
        ("contacts:SpouseName", filled("SpouseName", one.spouse)),
        ("contacts:Surname", filled("Surname", one.surname)),
        ("contacts:WeddingAnniversary", _day("WeddingAnniversary", one.anniversary)),
        ("contacts:HasPicture", leaf("HasPicture", boolean(one.has_picture))),
        ("contacts:PhoneticFullName", leaf("PhoneticFullName", yomi) if yomi else ""),
        ("contacts:PhoneticFirstName", filled("PhoneticFirstName", one.yomi_given)),
        ("contacts:PhoneticLastName", filled("PhoneticLastName", one.yomi_surname)),
        ("contacts:Alias", filled("Alias", one.alias)),
    )


def _vcard(text: str | None) -> str:
    plain = (text or "").replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return plain.replace("\r\n", "\\n").replace("\n", "\\n")


def _complete(one: Contact) -> str:
    rows = (
        ("Title", one.title),
        ("FirstName", one.given),
        ("MiddleName", one.middle),
        ("LastName", one.surname),
        ("Suffix", one.suffix),
        ("Initials", one.initials),
        ("FullName", one.display_name or None),
        ("Nickname", one.nickname),
        ("YomiFirstName", one.yomi_given),
        ("YomiLastName", one.yomi_surname),
    )
    return _around("CompleteName", "".join(filled(tag, text) for tag, text in rows))


def _email(number: int, email: Email) -> str:
    known = (("Name", email.name), ("RoutingType", email.routing), ("MailboxType", email.kind))
    more = "".join(f' {name}="{escape(text)}"' for name, text in known if text is not None)
    return f'<t:Entry Key="EmailAddress{number}"{more}>{escape(email.address)}</t:Entry>'


def _place(kind: str, place: Place) -> str:
    rows = (
        ("Street", place.street),
        ("City", place.city),
        ("State", place.state),
        ("CountryOrRegion", place.country),
        ("PostalCode", place.code),
    )
    return f'<t:Entry Key="{kind}">{"".join(filled(tag, text) for tag, text in rows)}</t:Entry>'


def _around(tag: str, inner: str) -> str:
    return f"<t:{tag}>{inner}</t:{tag}>" if inner else ""


def _day(tag: str, moment: datetime | None) -> str:
    return filled(tag, None if moment is None else dated(moment))
