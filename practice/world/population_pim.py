"""Fill a mailbox's calendars, address books, task list, notes and journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from practice.calendar.appointments import Event
from practice.calendar.events import sample_events, second_calendar
from practice.contacts.cards_made import sample_cards
from practice.contacts.groups import sample_groups
from practice.harness.dice import Dice
from practice.tasks.journal import sample_journal
from practice.tasks.notes import sample_stickies
from practice.tasks.tasks import sample_chores
from practice.world.folders import Folder, Grant
from practice.world.mailbox import Mailbox
from practice.world.records import Record

SECOND_CALENDAR, READ_ONLY, SUBFOLDER = "Schichtplan", "Ferienkalender (nur lesen)", "Lieferanten"
_UNSEEN = (
    ("RecipientCache", "IPF.Contact.RecipientCache"),
    ("QuickContacts", "IPF.Contact.MOC.QuickContacts"),
)
_JOURNAL = 3
_READ_ONLY = 2


def grow_pim(mailbox: Mailbox, count: int, *, nasty: bool) -> None:
    """So many events, contacts (with lists among them), tasks and notes each; a few journal entries."""
    seed, index = mailbox.seed, mailbox.owner.index
    calendar, contacts = mailbox.distinguished("calendar"), mailbox.distinguished("contacts")
    second = mailbox.create_folder(calendar, SECOND_CALENDAR, folder_class="IPF.Appointment")
    below = mailbox.create_folder(contacts, SUBFOLDER, folder_class="IPF.Contact")
    _share(mailbox, calendar)
    _strew(mailbox, (calendar, second), sample_events(seed, index, count, odd=nasty))
    cards = sample_cards(seed, index, count, odd=nasty)
    _strew(mailbox, (contacts, below), cards)
    _all(mailbox, contacts, sample_groups(seed, index, cards, odd=nasty))
    _all(mailbox, mailbox.distinguished("tasks"), sample_chores(seed, index, count, odd=nasty))
    _all(mailbox, mailbox.distinguished("notes"), sample_stickies(seed, index, count, odd=nasty))
    if nasty:
        _twins(mailbox, calendar, second)
        _all(mailbox, mailbox.distinguished("journal"), sample_journal(seed, index, _JOURNAL))
        _read_only(mailbox, calendar)
        _hidden(mailbox, contacts)


def _all(mailbox: Mailbox, folder: Folder, records: Iterable[Record]) -> None:
    for record in records:
        mailbox.put(folder, record)


def _strew(mailbox: Mailbox, folders: tuple[Folder, Folder], records: Sequence[Record]) -> None:
    """Put records into two folders: every fifth lies in the second one."""
    for n, record in enumerate(records):
        other = Dice(mailbox.seed, mailbox.address, folders[1].name, n).chance(0.2)
        mailbox.put(folders[other], record)


def _twins(mailbox: Mailbox, calendar: Folder, second: Folder) -> None:
    """Put a twin into the other calendar: an item of the same UID."""
    for twin in second_calendar(mailbox.seed, mailbox.owner.index):
        uids = {item.record.uid for item in second.items if isinstance(item.record, Event)}
        mailbox.put(calendar if twin.uid in uids else second, twin)


def _share(mailbox: Mailbox, calendar: Folder) -> None:
    """Let two neighbours look or write, as far as there are any."""
    people, index = mailbox.people, mailbox.owner.index
    others = [people.at(n) for n in (index + 1, index + 2) if n < people.count]
    levels = ("Editor", "Reviewer")
    grants = [Grant(one.name, one.address, level) for one, level in zip(others, levels, strict=False)]
    mailbox.share(calendar, *grants)


def _hidden(mailbox: Mailbox, contacts: Folder) -> None:
    """Make address books that no person made: Exchange 2013 and later put them below the contacts."""
    for n, (name, kind) in enumerate(_UNSEEN, 1):
        folder = mailbox.create_folder(contacts, name, role=name.lower(), folder_class=kind, kind="hidden")
        _all(mailbox, folder, sample_cards(mailbox.seed, mailbox.owner.index + 5 * n, 3, odd=False))


def _read_only(mailbox: Mailbox, calendar: Folder) -> None:
    """Make a calendar whose owner may not change it."""
    folder = mailbox.create_folder(calendar, READ_ONLY, folder_class="IPF.Appointment")
    far = mailbox.owner.index + 1000
    _all(mailbox, folder, sample_events(mailbox.seed, far, _READ_ONLY, odd=False))
    mailbox.share(folder, readonly=True)
