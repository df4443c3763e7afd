"""Contacts whose names are the difficulty."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from practice.contacts.cards import FILINGS, Contact, Email
from practice.world.desk import Desk
from practice.world.record_elements import ADDRESS, named, public
from practice.world.records import Common

Make = Callable[[Desk], Contact]


def japanese(desk: Desk) -> Contact:
    return Contact(
        desk.key,
        Common(
            properties=(
                named(ADDRESS, 0x802C, "たろう"),
                named(ADDRESS, 0x802D, "やまだ"),
                named(ADDRESS, 0x802E, "やまだしょうじ"),
            )
        ),
        given="太郎",
        surname="山田",
        yomi_given="たろう",
        yomi_surname="やまだ",
        display="山田 太郎",
        file_as="山田 太郎",
        file_as_mapping="None",
        company="山田商事",
        emails=(Email("yamada@tokyo.example", "山田 太郎", "SMTP"),),
    )


def chinese(desk: Desk) -> Contact:
    """A phonetic surname only."""
    return Contact(desk.key, given="小明", surname="王", yomi_surname="Wáng", file_as_mapping="LastFirst")


def korean(desk: Desk) -> Contact:
    return Contact(desk.key, given="철수", surname="김", display="김철수", yomi_given="チョルス")


def arabic(desk: Desk) -> Contact:
    return Contact(desk.key, given="محمد", surname="العربي", company="شركة البحر", job_title="مدير")


def hebrew(desk: Desk) -> Contact:
    """Latin within right-to-left text."""
    return Contact(desk.key, given="דוד", surname="כהן (IT)", company="חברת ABC בע״מ")


def direction_marks(desk: Desk) -> Contact:
    return Contact(desk.key, given="\u200fשרה\u200f", surname="\u202bברק\u202c", nickname="\u2067שרה\u2069")


def separators(desk: Desk) -> Contact:
    """Everything that separates in a vCard."""
    return Contact(
        desk.key,
        title="Dr.; med.",
        given="Anna, Maria",
        middle="\\n",
        surname="Müller; geb. Schulz\\",
        suffix="M.A., LL.M.",
        nickname="Anni,Mari",
        company="Schulz; Söhne, Töchter & Co\\KG",
        department="Recht: Verträge, Klagen; Mahnwesen",
        file_as_mapping="LastCommaFirst",
    )


def line_ends(desk: Desk) -> Contact:
    return Contact(
        desk.key,
        given="Karl\r\nHeinz",
        surname="Lang\nname",
        company="Amt für\r\nBau\r\nund Umwelt",
        job_title="Leiter\nBauamt",
        file_as="Langname\r\nBauamt",
        file_as_mapping="None",
    )


def markup(desk: Desk) -> Contact:
    return Contact(desk.key, given="<b>Fritz</b>", surname='O\'Neill & "Söhne"', company="]]>&amp;")


def nameless(desk: Desk) -> Contact:
    """An address alone, as a mail client collects them; its display name is made of it."""
    return Contact(desk.key, emails=(Email("info@verein.example", "info@verein.example", "SMTP"),))


def blank(desk: Desk) -> Contact:
    return Contact(desk.key, given=" ", surname="  ", display=" ", phones=(("HomePhone", " "),))


def nothing(desk: Desk) -> Contact:
    return Contact(desk.key, display="")


def empty_elements(desk: Desk) -> Contact:
    """Elements without text, as after a field was cleared."""
    return Contact(desk.key, given="", surname="Leer", middle="", company="", job_title="", file_as="")


def only_company(desk: Desk) -> Contact:
    return Contact(
        desk.key,
        company="Stadtwerke Kiel GmbH",
        file_as_mapping="Company",
        phones=(("CompanyMainPhone", "+49 431 1234-0"),),
    )


def only_phone(desk: Desk) -> Contact:
    return Contact(desk.key, display="", phones=(("MobilePhone", "0170 5550199"),))


def only_surname(desk: Desk) -> Contact:
    return Contact(desk.key, surname="Teller", file_as_mapping="LastName")


def only_given(desk: Desk) -> Contact:
    return Contact(desk.key, given="Cher", file_as_mapping="FirstName")


def other_display(desk: Desk) -> Contact:
    """What is shown has nothing to do with the parts."""
    return Contact(
        desk.key,
        given="Hans",
        surname="Petersen",
        display="Hausmeister (Notfall!)",
        file_as="ZZ Notfall",
        file_as_mapping="None",
    )


def many_parts(desk: Desk) -> Contact:
    return Contact(
        desk.key,
        title="Prof. Dr. Dr. h.c.",
        given="Karl-Theodor",
        middle="Maria Nikolaus Johann Jakob Philipp",
        surname="von und zu Guttenberg-Lüdenscheid",
        suffix="III.",
        initials="K.-T. v. u. z. G.-L.",
        nickname="Karli",
    )


def long_name(desk: Desk) -> Contact:
    """More than the 255 characters a subject has, and than a line of a vCard."""
    return Contact(desk.key, given="Ottokar " * 20, surname="Donaudampfschifffahrtsgesellschaft" * 6)


def emoji(desk: Desk) -> Contact:
    return Contact(desk.key, given="👩\u200d👩\u200d👧 Familie", surname="Sørensen 🇩🇰", nickname="🐻")


def decomposed(desk: Desk) -> Contact:
    """The same name once in NFD, once in NFC."""
    name = unicodedata.normalize("NFD", "Jürgensen-Brüggemann")
    return Contact(desk.key, given=unicodedata.normalize("NFD", "Käthe"), surname=name)


def composed(desk: Desk) -> Contact:
    return Contact(desk.key, given="Käthe", surname="Jürgensen-Brüggemann")


def of_own_class(desk: Desk) -> Contact:
    return Contact(
        desk.key,
        Common(properties=(public("Kundennummer", "K-4711"), public("Rabatt", 7.5))),
        item_class="IPM.Contact.Kundenkartei",
        given="Frauke",
        surname="Nissen",
    )


def _filing(mapping: str) -> Make:
    def make(desk: Desk) -> Contact:
        return Contact(
            desk.key,
            given="Birgit",
            middle="Änne",
            surname="Carstens",
            suffix="jun.",
            company="Carstens Tiefbau",
            file_as_mapping=mapping,
        )

    return make


def _filings() -> Iterator[tuple[str, Make]]:
    for mapping in FILINGS:
        yield f"filed_{mapping}", _filing(mapping)


NAMES: dict[str, Make] = {
    make.__name__: make
    for make in (
        japanese,
        chinese,
        korean,
        arabic,
        hebrew,
        direction_marks,
        separators,
        line_ends,
        markup,
        nameless,
        blank,
        nothing,
        empty_elements,
        only_company,
        only_phone,
        only_surname,
        only_given,
        other_display,
        many_parts,
        long_name,
        emoji,
        decomposed,
        composed,
        of_own_class,
    )
} | dict(_filings())
