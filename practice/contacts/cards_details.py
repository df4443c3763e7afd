"""Contacts whose addresses, days, pictures, notes or properties are the difficulty."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from practice.contacts import photos
from practice.contacts.cards import PHONE_KEYS, Contact, Email, Place, PlaceKind
from practice.contacts.cards_names import Make
from practice.mail.letters import Attachment
from practice.world.desk import Desk
from practice.world.people import DOMAIN, LEGACY_PREFIX
from practice.world.record_elements import ADDRESS, COMMON, at_midnight, named, public, tagged
from practice.world.records import Common, Sensitivity

_EMAIL = Email("frauke.hansen@firma.example", "Frauke Hansen", "SMTP")
_PAGES = (
    tagged(0x3A50, "https://frauke.example/~privat"),
    tagged(0x3A4C, "ftp://ftp.firma.example/pub"),
    named(ADDRESS, 0x802B, "https://firma.example/karte?a=1&b=2"),
    named(ADDRESS, 0x80D8, "https://firma.example/frei.vfb"),
)
_FACTS = (
    tagged(0x3A00, "Konto 12"),
    tagged(0x3A07, "DE-1234567890"),
    tagged(0x3A0C, "Niederdeutsch"),
    tagged(0x3A10, "Pers.-Nr. 77"),
    tagged(0x3A43, "Segeln, Chor; Skat"),
    tagged(0x3A47, "Birgit Weiß"),
    tagged(0x3A49, "PC-0815"),
    tagged(0x3A4A, "K-4711"),
    tagged(0x3A4D, 1, "Short"),
    named(COMMON, 0x8535, "Kostenstelle 12"),
)
_USER_FIELDS = (
    *(named(ADDRESS, 0x804F + n, f"Eigenes Feld {n + 1}: a;b,c") for n in range(4)),
    public("Kundennummer", "00042"),
    public("Letzter Besuch", datetime(2024, 5, 2, 9, 30, tzinfo=UTC)),
    public("Rabatt", 12.5),
    public("Stammkunde", True),
    public('Feld "mit" <Zeichen> & ä', "Wert\r\nzweite Zeile"),
)
_PHOTO = "ContactPicture.jpg"


def photo(content: bytes, content_type: str = "image/jpeg", hidden: bool = False) -> Attachment:
    """As Outlook attaches one: under this name whatever it is. hidden: the item then says that it has no
    attachments."""
    return Attachment(_PHOTO, content_type, content, inline=hidden, contact_photo=True)


def frauke(desk: Desk, common: Common) -> Contact:
    """An ordinary contact, of whom only `common` is special."""
    return Contact(
        desk.key,
        common,
        given="Frauke",
        surname=f"Hansen {desk.dice().hex(4)}",
        emails=(_EMAIL,),
        file_as_mapping="LastCommaFirst",
    )


def everything(desk: Desk) -> Contact:
    """All a contact can have, each key once."""
    picture = photo(photos.jpeg(desk.key))
    return Contact(
        desk.key,
        Common(
            body="Erste Zeile\r\n\r\nLetzte Zeile; mit, allem\\",
            categories=("Geschäftlich", "Rote Kategorie"),
            attachments=(picture,),
            properties=(*_PAGES, *_FACTS, *_USER_FIELDS),
        ),
        title="Frau Dr.",
        given="Wiebke",
        middle="Käthe",
        surname="Lüders",
        suffix="M.Sc.",
        initials="W.K.L.",
        nickname="Wiebi",
        yomi_given="ヴィープケ",
        yomi_surname="リューダース",
        file_as_mapping="LastCommaFirstCompany",
        company="Lüders Werft GmbH & Co. KG",
        department="Konstruktion",
        job_title="Leiterin",
        office="Halle 3, R. 12",
        manager="Heike Groß",
        assistant="Torben Höft",
        profession="Schiffbauingenieurin",
        spouse="Uwe Lüders",
        children=("Silke", "Björn", "Änne; Maren"),
        companies=("Lüders Werft", "Reederei Nissen"),
        emails=(
            _EMAIL,
            Email("wiebke@privat.example"),
            Email("w.l@verein.example", "W, L", "SMTP", "OneOff"),
        ),
        places=_everywhere(),
        mailing="Business",
        phones=tuple((key, f"+49 431 555-{n:04d}") for n, key in enumerate(PHONE_KEYS)),
        ims=("wiebke@jabber.example", "xmpp:wl@chat.example", "Skype: wiebke.l"),
        birthday=datetime(1971, 12, 24, 11, 59, tzinfo=UTC),
        anniversary=datetime(1999, 9, 9, 11, 59, tzinfo=UTC),
        homepage="https://werft.example/über uns?x=1&y=2",
        mileage="123 km",
    )


def _everywhere() -> tuple[tuple[PlaceKind, Place], ...]:
    return (
        ("Business", Place("Hafenstraße 1", "Kiel", "Schleswig-Holstein", "Deutschland", "24103")),
        ("Home", Place("Dorfstr. 7a", "Laboe", "SH", "DE", "24235")),
        ("Other", Place("Rue de l'Église 4", "Rennes", "Bretagne", "France", "35000")),
    )


def same_emails(desk: Desk) -> Contact:
    """One address three times, differing in case and name."""
    same = (Email("Info@Firma.example", "Info", "SMTP"), Email("info@firma.example"))
    return Contact(desk.key, given="Ute", surname="Völz", emails=(*same, same[0]))


def second_email_only(desk: Desk) -> Contact:
    return Contact(desk.key, given="Gesa", surname="Clausen", emails=(None, None, Email("gesa@c.example")))


def colleague(desk: Desk) -> Contact:
    """Copied from the global list: the address is a legacyExchangeDN."""
    person = desk.colleague
    address = Email(person.legacy_dn, person.name, "EX", "Mailbox")
    second = Email(person.proxies[1], person.name, "SMTP", "Mailbox")
    return Contact(
        desk.key,
        given=person.given,
        surname=person.family,
        emails=(address, second),
        alias=person.address.partition("@")[0],
        source="ActiveDirectory",
    )


def left_colleague(desk: Desk) -> Contact:
    """Nobody's legacyExchangeDN any more, and its form for mail."""
    dn = f"{LEGACY_PREFIX}{desk.dice('left').hex(32)}-ausgeschieden"
    shown = "IMCEAEX-_o=Practice_ou=Exchange+20Administrative+20Group_cn=Recipients_cn=grete@" + DOMAIN
    return Contact(
        desk.key,
        given="Grete",
        surname="Ehemalige",
        emails=(Email(dn, "Ehemalige, Grete", "EX", "Mailbox"), Email(shown, "Ehemalige, Grete", "SMTP")),
    )


def broken_emails(desk: Desk) -> Contact:
    """No addresses at all: free text, a name alone, a fax number."""
    return Contact(
        desk.key,
        given="Volker",
        surname="Köhler",
        emails=(
            Email("erreichbar über die Zentrale"),
            Email("", "volker@firma.example"),
            Email("Volker@+49 431 999", "Volker (Fax)", "FAX"),
        ),
    )


def unicode_emails(desk: Desk) -> Contact:
    addresses = ("jürgen@städte.example", "info@xn--stdte-hra.example", '"a;b, c"@firma.example')
    return Contact(desk.key, given="Jürgen", surname="Weiß", emails=tuple(map(Email, addresses)))


def odd_phones(desk: Desk) -> Contact:
    phones = (
        ("BusinessPhone", "+49 (431) 12 34-567 App. 89;ext=89"),
        ("BusinessPhone2", "tel:+49-431-1234567"),
        ("HomePhone", "zu Hause, nur abends"),
        ("MobilePhone", "٠١٧٠١٢٣٤٥"),
        ("OtherTelephone", "+49 170 5550100\r\n"),
        ("Callback", "0049,,,1234#"),
        ("Isdn", ""),
    )
    return Contact(desk.key, given="Sönke", surname="Paulsen", phones=phones)


def odd_places(desk: Desk) -> Contact:
    """Lines within a street, separators, one part only, an empty entry."""
    home = Place(street="Hof 3\r\nHinterhaus, 2. OG; links\r\nbei Weiß", city="Kiel", code="24103")
    return Contact(
        desk.key,
        given="Günther",
        surname="Strauß",
        places=(
            ("Business", Place(country="Deutschland")),
            ("Home", home),
            ("Other", Place("", "", "", "", "")),
        ),
        mailing="Home",
    )


def foreign_place(desk: Desk) -> Contact:
    tokyo = Place("千代田1-1", "千代田区", "東京都", "日本", "〒100-0001")
    properties = (named(ADDRESS, 0x801C, "〒100-0001 東京都千代田区千代田1-1"), tagged(0x3A64, "私書箱 5"))
    common = Common(properties=properties)
    return Contact(desk.key, common, surname="佐藤", places=(("Other", tokyo),), mailing="Other")


_DAYS: dict[str, datetime] = {
    "leap_day": datetime(2000, 2, 29, 11, 59, tzinfo=UTC),
    "no_year": datetime(1604, 2, 29, tzinfo=UTC),
    "first_day_of_filetime": datetime(1601, 1, 1, tzinfo=UTC),
    "born_1899": datetime(1899, 12, 31, 11, 59, tzinfo=UTC),
    "born_1955": datetime(1955, 3, 1, tzinfo=UTC),
    "born_on_the_last_second": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    "born_in_berlin": at_midnight(1980, 7, 1, 2),
    "born_in_berlin_in_winter": at_midnight(1968, 1, 1, 1),
    "born_in_seattle": at_midnight(1975, 2, 28, -8),
    "born_in_kiritimati": at_midnight(2001, 1, 1, 14),
    "born_in_kathmandu": at_midnight(1990, 6, 15, 5.75),
    "born_with_offset": datetime(1985, 5, 5, tzinfo=timezone(timedelta(hours=2))),
    "born_in_the_future": datetime(2031, 1, 1, 11, 59, tzinfo=UTC),
    "no_day": datetime(4501, 1, 1, tzinfo=UTC),
}
"""Birthdays. Clients store midnight of their own zone, or 11:59 UTC; 1604 stands for no year, 4501-01-01 for
no day at all."""
_MIDNIGHTS = {
    "born_in_berlin": (1980, 7, 1),
    "born_in_seattle": (1975, 2, 28),
    "born_in_kiritimati": (2001, 1, 1),
}


def _born(name: str) -> Make:
    def make(desk: Desk) -> Contact:
        local = (
            [named(ADDRESS, 0x80DE, datetime(*_MIDNIGHTS[name], tzinfo=UTC))] if name in _MIDNIGHTS else []
        )
        return Contact(
            desk.key,
            Common(properties=tuple(local)),
            given="Maren",
            surname=name.replace("_", " ").title(),
            birthday=_DAYS[name],
        )

    return make


def married(desk: Desk) -> Contact:
    """No birthday, an anniversary on a leap day, as midnight of Berlin."""
    local = named(ADDRESS, 0x80DF, datetime(1996, 2, 29, tzinfo=UTC))
    common = Common(properties=(local,))
    return Contact(desk.key, common, given="Antje", spouse="Uwe", anniversary=at_midnight(1996, 2, 29, 1))


def _with(common: Callable[[Desk], Common]) -> Make:
    return lambda desk: frauke(desk, common(desk))


def _of(sensitivity: Sensitivity) -> Make:
    return _with(lambda _: Common(body="vertraulich", sensitivity=sensitivity))


def _long_notes(desk: Desk) -> str:
    dice = desk.dice("notes")
    return "\r\n".join(f"{n:05d} Gespräch über Punkt {dice.hex(60)}" for n in range(900))


_VCARD = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nN:Petersen;Hans\r\nFN:Hans Petersen\r\n"
    b"EMAIL;PREF;INTERNET:hans@petersen.example\r\nEND:VCARD\r\n"
)
_LETTER = b"From: hans@petersen.example\r\nSubject: Visitenkarte\r\nMIME-Version: 1.0\r\n\r\nAnbei.\r\n"
_MANY = tuple(f"Kategorie {n}" for n in range(20))

DETAILS: dict[str, Make] = {
    make.__name__: make
    for make in (
        everything,
        same_emails,
        second_email_only,
        colleague,
        left_colleague,
        broken_emails,
        unicode_emails,
        odd_phones,
        odd_places,
        foreign_place,
        married,
    )
}
DETAILS |= {name: _born(name) for name in _DAYS}
DETAILS |= {
    "photo_jpeg": _with(lambda desk: Common(attachments=(photo(photos.jpeg(desk.key, 96)),))),
    "photo_png": _with(
        lambda desk: Common(attachments=(photo(photos.png(desk.key, 48), "image/png", hidden=True),))
    ),
    "photo_large": _with(lambda desk: Common(attachments=(photo(photos.jpeg(desk.key, 320, photos.LARGE)),))),
    "photo_untyped": _with(
        lambda desk: Common(
            attachments=(
                Attachment("Lebenslauf.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n"),
                photo(photos.png(desk.key, 16), "application/octet-stream"),
            )
        )
    ),
    "photo_empty": _with(lambda _: Common(attachments=(photo(b""),))),
    "picture_no_photo": _with(
        lambda desk: Common(attachments=(Attachment("Haus.jpg", "image/jpeg", photos.jpeg(desk.key, 40)),))
    ),
    "attached_items": _with(
        lambda _: Common(
            attachments=(
                Attachment("Hans Petersen", "text/x-vcard", _VCARD, item_class="IPM.Contact"),
                Attachment("Visitenkarte", "message/rfc822", _LETTER, item_class="IPM.Note"),
            )
        )
    ),
    "private": _of("Private"),
    "personal": _of("Personal"),
    "confidential": _of("Confidential"),
    "categories": _with(lambda _: Common(categories=("A, B; C", "📌 wichtig", "日本語", " am Rand ", "\\"))),
    "many_categories": _with(lambda _: Common(categories=_MANY)),
    "pages": _with(lambda _: Common(properties=_PAGES)),
    "facts": _with(lambda _: Common(properties=_FACTS)),
    "user_fields": _with(lambda _: Common(properties=_USER_FIELDS)),
    "certificate": _with(lambda desk: Common(properties=(tagged(0x3A70, (desk.dice("x509").bytes(900),)),))),
    "long_notes": _with(lambda desk: Common(body=_long_notes(desk))),
    "html_notes": _with(
        lambda _: Common(
            body="<html><body><p>Erste <b>Zeile</b></p><p>Ä &amp; Ö</p></body></html>", html=True
        )
    ),
    "odd_notes": _with(
        lambda _: Common(body="Tab\there\nnur LF\r\n \r\n\r\n👋🏽 e\u0301 \u2028 END:VCARD\r\nx")
    ),
}
