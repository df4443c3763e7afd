"""Calendars and address books to move, in memory, and every kind of change people make to them."""

from __future__ import annotations

from pathlib import Path

from memory.doubles import MemoryMailbox, MemoryShelf
from memory.mailbox import Folder
from memory.records import APPOINTMENT, CARD, broken, contact, event
from walking import SOURCE, Trial

from model.kinds import Kind
from model.protocols import Role

HOME, WORK = ("Kalender",), ("Arbeit",)


def a_calendar(items: int = 4) -> MemoryMailbox:
    """Two calendars and one that stays; an item and its copy, a series, one that no mapping takes."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    home = mailbox.create_folder(HOME, Role.CALENDAR)
    work = mailbox.create_folder(WORK)
    hidden = mailbox.create_folder(("Geburtstage",), omit="hidden")
    for number in range(items):
        where = home if number % 3 else work
        mailbox.deliver(where, event(f"uid-{number}", f"Termin {number}", 1 + number % 28), APPOINTMENT)
    mailbox.deliver(home, event("twice", "Zweimal", 5), APPOINTMENT)
    mailbox.deliver(home, event("twice", "Zweimal", 5), APPOINTMENT)
    mailbox.deliver(home, event("series", "Jeden Tag", 7, ["bert@old.example"], times=3), APPOINTMENT)
    mailbox.deliver(work, broken("broken"), APPOINTMENT)
    mailbox.deliver(hidden, event("birthday", "Geburtstag"), APPOINTMENT)
    return mailbox


def an_address_book(items: int = 4) -> MemoryMailbox:
    """Two address books, twins in both."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    home = mailbox.create_folder(("Kontakte",), Role.CONTACTS)
    work = mailbox.create_folder(("Firma",))
    for number in range(items):
        mailbox.deliver(home if number % 3 else work, contact(f"Person {number}"), CARD)
    for where in (home, home, work):
        mailbox.deliver(where, contact("Zwilling"), CARD)
    return mailbox


def folder(mailbox: MemoryMailbox, *path: str) -> Folder:
    return next(one for one in mailbox.folders.values() if one.path == path)


def edit_calendar(mailbox: MemoryMailbox) -> None:
    """Every kind of change there is, to a mailbox as a_calendar makes it."""
    home, work = folder(mailbox, *HOME), folder(mailbox, *WORK)
    items = list(home.messages)
    mailbox.edit(items[0], event("uid-1", "Termin 1, verlegt", 20))
    mailbox.touch(items[1])
    first_of_two, series = items[-3], items[-1]
    mailbox.delete(first_of_two)  # the other one of its UID is owed now
    mailbox.edit(series, event("series", "Jeden zweiten Tag", 8, ["bert@old.example", "c@old.example"], 4))
    busy, spoilt = list(work.messages)[:2]
    mailbox.move(busy, home.id)  # its UID goes with it
    mailbox.edit(spoilt, broken("spoilt"))
    mailbox.deliver(home.id, event("new", "Neu", 12), APPOINTMENT)
    mailbox.rename_folder(work.id, ("Dienst",))
    mailbox.deliver(mailbox.create_folder(("Ferien",)), event("away", "Weg", 13), APPOINTMENT)


def edit_address_book(mailbox: MemoryMailbox) -> None:
    home, work = folder(mailbox, "Kontakte"), folder(mailbox, "Firma")
    items = list(home.messages)
    mailbox.edit(items[0], contact("Person 1", "+49 431 2"))
    mailbox.delete(items[-1])
    mailbox.move(next(iter(work.messages)), home.id)
    mailbox.deliver(home.id, contact("Neu"), CARD)
    mailbox.rename_folder(work.id, ("Verein",))


def calendar_trial(directory: Path, items: int = 4, **shelf: object) -> Trial:
    return Trial(directory, a_calendar(items), MemoryShelf(**shelf))


def cards_trial(directory: Path, items: int = 4) -> Trial:
    return Trial(directory, an_address_book(items), MemoryShelf(kind=Kind.CONTACTS))
