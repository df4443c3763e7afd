"""Make an address book: a mailbox's share of the odd contacts, and ordinary people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from practice.contacts.cards import Contact, Email, Place
from practice.contacts.vcard_case import vcard
from practice.world.case_records import contact
from practice.world.cases import made_of
from practice.world.desk import NEIGHBOURS, SAMPLE, Desk, share
from practice.world.people import ascii_of
from practice.world.records import Common, Record

NAMESAKES = 200
_TWINS = 2
_TOWNS = (("Kiel", "24103"), ("Lübeck", "23552"), ("Rennes", "35000"), ("Flensburg", "24937"))


def _long_notes(desk: Desk) -> Contact:
    dice = desk.dice("notes")
    notes = "\r\n".join(f"{n:05d} Gespräch über Punkt {dice.hex(60)}" for n in range(900))
    emails = (Email("frauke.hansen@firma.example", "Frauke Hansen", "SMTP"),)
    return Contact(
        desk.key,
        Common(body=notes),
        given="Frauke",
        surname=f"Hansen {desk.dice().hex(4)}",
        emails=emails,
        file_as_mapping="LastCommaFirst",
    )


ODDITIES = made_of("contacts", contact, {"long_notes": _long_notes}, SAMPLE, forms={".vcf": vcard})
"""Every odd contact by name; between them, five neighbouring mailboxes hold all."""


def sample_cards(seed: int, index: int, count: int, *, odd: bool = True) -> list[Record]:
    """Return `count` contacts of a mailbox, its oddities first.

    Every fifth mailbox has up to 200 of one name among its ordinary ones, another one has contacts that are
    there twice. Without oddities all are ordinary, each a person of its own.
    """
    if not odd:
        plain = (_person(Desk(seed, index, f"card/{n}"), index + 5 + n) for n in range(count))
        return [_finished(seed, index, contact) for contact in plain]
    made = list(_odd(seed, index))[:count]
    made += [_ordinary(seed, index, n) for n in range(count - len(made))]
    return [_finished(seed, index, contact) for contact in made]


def _odd(seed: int, index: int) -> Iterator[Contact]:
    for name in share(seed, index, "card", ODDITIES):
        yield ODDITIES[name](Desk(seed, index, f"card/{name}"))


def _ordinary(seed: int, index: int, n: int) -> Contact:
    if index % NEIGHBOURS == 2 and n < NAMESAKES:
        return _namesake(Desk(seed, index, f"card/namesake/{n}"), n)
    if index % NEIGHBOURS == 4:
        # The same content under two keys; an odd rest is a contact of its own.
        twin = Desk(seed, index, f"card/twin/{n // _TWINS}")
        return replace(_person(twin, index + 5 + n // _TWINS), key=f"card/{n}")
    return _person(Desk(seed, index, f"card/{n}"), index + 5 + n)


def _namesake(desk: Desk, n: int) -> Contact:
    """Told apart by the address alone; every fourth not even by that."""
    emails = () if n % 4 == 3 else (Email(f"thomas.mueller{n}@firma.example", "Thomas Müller", "SMTP"),)
    return Contact(
        desk.key, given="Thomas", surname="Müller", emails=emails, file_as_mapping="LastCommaFirst"
    )


def _person(desk: Desk, index: int) -> Contact:
    """Somebody of the directory's names, at a firm outside."""
    dice = desk.dice("person")
    person = desk.person(index)
    firm, town = f"{person.family} {dice.pick(('GmbH', 'AG', 'e.V.'))}", dice.pick(_TOWNS)
    local = f"{ascii_of(person.given)}.{ascii_of(person.family)}".lower()
    name = f"{person.given} {person.family}"
    place = Place(f"Hauptstraße {dice.between(1, 99)}", town[0], None, "Deutschland", town[1])
    return Contact(
        desk.key,
        Common(body="Messe 2024" if dice.chance(0.2) else ""),
        given=person.given,
        surname=person.family,
        company=firm if dice.chance(0.6) else None,
        file_as_mapping="LastCommaFirst",
        emails=(Email(f"{local}@firma{dice.below(9)}.example", name, "SMTP"),),
        places=(("Business", place),) if dice.chance(0.4) else (),
        phones=(("BusinessPhone", f"+49 431 {dice.between(10000, 99999)}"),),
    )


def _finished(seed: int, index: int, contact: Contact) -> Contact:
    """Return the contact with its display name as subject, as Exchange has it; twins differ in their days."""
    common = Desk(seed, index, contact.key).dated(contact.common, contact.display_name)
    return replace(contact, common=common)
