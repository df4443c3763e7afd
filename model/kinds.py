"""Describe what a kind of items is: every fact by which one kind differs from another, once.

A table that is keyed by Kind elsewhere says how something is done for each kind; what a kind is stands here.
tests/model/test_kinds.py holds all of them complete. To add a kind, add it to Kind and to KINDS, and follow
what the tests name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from model.working_hours import HOURS


class Kind(StrEnum):
    """Name what an item is. It is also the name of the leg (workload) that moves it.

    The order is that of the work, of every table that people see and of the evidence.
    """

    MAIL = "mail"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    TASKS = "tasks"
    NOTES = "notes"
    FILES = "files"
    SETTINGS = "settings"
    PERMISSIONS = "permissions"


@dataclass(frozen=True, slots=True)
class KindTraits:
    """Hold the facts about one kind.

    Attributes:
        noun, nouns: what people call one item, and several.
        titles: what reports call the workload, by language.
        column: the head of a narrow column.
        permission: the code of a mailbox whose items of this kind may not be read; "" if no source withholds
            them alone.
        typical_bytes: the size of one item, in bytes, where none was measured.
        typical_items: the items of one mailbox, where none were counted.
        typical_rate: items a second of one leg alone, as if they had no size, until enough was measured.
        requests: requests to the source for one item.
        in_mailbox: True if its containers are mailboxes of IMAP: a container's href is the name that people
            see, its items have UIDs, and it shares the account's tree with other such kinds.
        by_message_id: True if an item is known by its Message-ID and its date, wherever it lies, and if
            others than its owner deliver items.
        by_name: True if the name of an item at the target is a part of it, which its owner may change.
        made_uid: True if an item gets a UID made of its key where the source has none.
        uid_stays: True if an item keeps its UID when it moves to another container, and has it once in an
            account.
        named_by_key: what an item's Message-ID is called that was made of its key; None if the item's
            address is made of the key instead.
        folders_move: True if a container that is renamed at the source is renamed at the target.
        invites: True if an item may have a server invite people.
        occurs: True if an item takes place at times that both sides can be asked for.
        groups: True if an item may name others of its kind by their ids.
        shared: True if containers and items carry rights of other people that move along.
        versions: True if an item may have older versions that move along.
        links: True if an item may hold links to other items.
        of_sites: True if a site, which is nobody's mailbox, has items of this kind.
        names_folders: True if an item may name folders of mail, so that these are made first.
        grants: True if an item gives somebody a right to a folder, of any kind: nothing is written before the
            mailbox is frozen, and what cannot be written yet is asked about again.
        at_once: the ids of its containers whose items act as soon as they are written, so that none is
            written before the mailbox is frozen.
        extra: the code of what stays (SupportsExtras) that are items of this kind, where the workload moves.
    """

    noun: str
    nouns: str
    titles: Mapping[str, str]
    column: str
    typical_bytes: int
    typical_items: int
    typical_rate: float
    requests: int
    permission: str = ""
    in_mailbox: bool = False
    by_message_id: bool = False
    by_name: bool = False
    made_uid: bool = False
    uid_stays: bool = False
    named_by_key: str | None = None
    folders_move: bool = False
    invites: bool = False
    occurs: bool = False
    groups: bool = False
    shared: bool = False
    versions: bool = False
    links: bool = False
    of_sites: bool = False
    names_folders: bool = False
    grants: bool = False
    at_once: frozenset[str] = frozenset()
    extra: str = ""

    @property
    def typical_amount(self) -> tuple[int, int]:
        """Items of one mailbox, and their bytes, where nothing was counted."""
        return self.typical_items, self.typical_items * self.typical_bytes


KINDS: Mapping[Kind, KindTraits] = {
    Kind.MAIL: KindTraits(
        noun="message",
        nouns="messages",
        titles={"en": "Mail", "de": "E-Mail", "fr": "Courrier"},
        column="mail",
        permission="no-mail-permission",
        typical_bytes=75_000,
        typical_items=2_500,
        typical_rate=10.0,
        requests=2,
        in_mailbox=True,
        by_message_id=True,
        folders_move=True,
        links=True,
    ),
    Kind.CALENDAR: KindTraits(
        noun="event",
        nouns="events",
        titles={"en": "Calendar", "de": "Kalender", "fr": "Agenda"},
        column="cal",
        permission="no-calendar-permission",
        typical_bytes=5_000,
        typical_items=300,
        typical_rate=5.0,
        requests=2,
        made_uid=True,
        uid_stays=True,
        invites=True,
        occurs=True,
    ),
    Kind.CONTACTS: KindTraits(
        noun="contact",
        nouns="contacts",
        titles={"en": "Contacts", "de": "Kontakte", "fr": "Contacts"},
        column="cont",
        permission="no-contacts-permission",
        typical_bytes=3_000,
        typical_items=100,
        typical_rate=10.0,
        requests=1,
        made_uid=True,
        groups=True,
    ),
    Kind.TASKS: KindTraits(
        noun="task",
        nouns="tasks",
        titles={"en": "Tasks", "de": "Aufgaben", "fr": "Tâches"},
        column="task",
        permission="no-tasks-permission",
        typical_bytes=2_000,
        typical_items=20,
        typical_rate=5.0,
        requests=1,
        made_uid=True,
        uid_stays=True,
        invites=True,
    ),
    Kind.NOTES: KindTraits(
        noun="note",
        nouns="notes",
        titles={"en": "Notes", "de": "Notizen", "fr": "Notes"},
        column="note",
        permission="no-notes-permission",
        typical_bytes=3_000,
        typical_items=10,
        typical_rate=5.0,
        requests=2,
        in_mailbox=True,
        made_uid=True,
        named_by_key="note-",
        folders_move=True,
    ),
    Kind.FILES: KindTraits(
        noun="file",
        nouns="files",
        titles={"en": "Files", "de": "Dateien", "fr": "Fichiers"},
        column="file",
        permission="no-files-permission",
        typical_bytes=500_000,
        typical_items=1_000,
        typical_rate=3.0,
        requests=2,
        by_name=True,
        folders_move=True,
        shared=True,
        versions=True,
        links=True,
        of_sites=True,
    ),
    Kind.SETTINGS: KindTraits(
        noun="rule",
        nouns="rules",
        titles={"en": "Rules", "de": "Regeln", "fr": "Règles"},
        column="rule",
        permission="no-settings-permission",
        typical_bytes=500,
        typical_items=5,
        typical_rate=5.0,
        requests=1,
        names_folders=True,
        at_once=frozenset({HOURS}),
        extra="inbox-rules",
    ),
    Kind.PERMISSIONS: KindTraits(
        noun="right",
        nouns="rights",
        titles={"en": "Permissions", "de": "Berechtigungen", "fr": "Autorisations"},
        column="perm",
        permission="no-permissions-permission",
        typical_bytes=200,
        typical_items=5,
        typical_rate=20.0,
        requests=1,
        grants=True,
        extra="delegates",
    ),
}


def kinds_that(have: Callable[[KindTraits], bool]) -> frozenset[Kind]:
    """Return the kinds whose traits satisfy a condition."""
    return frozenset(kind for kind, traits in KINDS.items() if have(traits))
