"""Which folders a practice mailbox has: distinguished ones under localised names, and what people add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from practice.world.folders import Folder, FolderKind

if TYPE_CHECKING:
    from practice.world.mailbox import Mailbox

# role, folder class, name in de, fr, en
_DISTINGUISHED: tuple[tuple[str, str, str, str, str], ...] = (
    ("inbox", "IPF.Note", "Posteingang", "Boîte de réception", "Inbox"),
    ("sentitems", "IPF.Note", "Gesendete Elemente", "Éléments envoyés", "Sent Items"),
    ("drafts", "IPF.Note", "Entwürfe", "Brouillons", "Drafts"),
    ("deleteditems", "IPF.Note", "Gelöschte Elemente", "Éléments supprimés", "Deleted Items"),
    ("junkemail", "IPF.Note", "Junk-E-Mail", "Courrier indésirable", "Junk Email"),
    ("outbox", "IPF.Note", "Postausgang", "Boîte d'envoi", "Outbox"),
    ("archive", "IPF.Note", "Archiv", "Archive", "Archive"),
    ("calendar", "IPF.Appointment", "Kalender", "Calendrier", "Calendar"),
    ("contacts", "IPF.Contact", "Kontakte", "Contacts", "Contacts"),
    ("tasks", "IPF.Task", "Aufgaben", "Tâches", "Tasks"),
    ("notes", "IPF.StickyNote", "Notizen", "Notes", "Notes"),
    ("journal", "IPF.Journal", "Journal", "Journal", "Journal"),
    ("conversationhistory", "IPF.Note", "Aufgezeichnete Unterhaltungen", "Historique des conversations",
     "Conversation History"),
)  # fmt: skip
_COLUMN = {"de": 2, "fr": 3, "en": 4}


@dataclass(frozen=True, slots=True)
class Extra:
    """A folder that people made, or software did. path ends with its own name; parents come first."""

    path: tuple[str, ...]
    folder_class: str = "IPF.Note"
    kind: FolderKind = "normal"


_LONG = "Sehr langer Ordnername über die Zusammenlegung der Ämter Größe Süd "
NASTY: tuple[Extra, ...] = (
    Extra(("Projekte",)),
    Extra(("Projekte", "Rathaus & Bürgerbüro")),
    Extra(("Projekte", "Rathaus & Bürgerbüro", "2024/2025")),
    Extra(("Projekte", "Rathaus & Bürgerbüro", "2024/2025", "Fotos \\ Pläne")),
    Extra(("projekte",)),
    Extra(("PROJEKTE ",)),
    Extra((("Größe, " + _LONG * 4)[:250],)),
    Extra(("Bu\u0308ro",)),
    Extra(("B\u00fcro",)),
    Extra((".versteckt",)),
    Extra(("~Sicherung",)),
    Extra(("a.b.c",)),
    Extra(("100% *wichtig* \"neu\" [x]",)),
    Extra(("INBOX",)),
    Extra(("Tom & Jerry",)),
    Extra(("Réunions d'équipe 📅",)),
    Extra(("Alarm\tTab",)),
    Extra(("山田さん",)),
    Extra(("Geteilter Kalender",), "IPF.Appointment"),
    Extra(("Vereinskontakte",), "IPF.Contact"),
    Extra(("Ungelesene E-Mail",), "IPF.Note", "search"),
    Extra(("Quick Step Settings",), "IPF.Configuration", "hidden"),
    Extra(("Conversation Action Settings",), "IPF.Configuration", "hidden"),
)  # fmt: skip
CALM: tuple[Extra, ...] = (Extra(("Projekte",)), Extra(("Projekte", "2025")), Extra(("Verein",)))


def grow(mailbox: Mailbox, extras: tuple[Extra, ...]) -> None:
    """Makes the distinguished folders in the owner's language, then the others."""
    column = _COLUMN[mailbox.owner.locale]
    for row in _DISTINGUISHED:
        mailbox.create_folder(mailbox.root, row[column], role=row[0], folder_class=row[1])
    made: dict[tuple[str, ...], Folder] = {}
    for extra in extras:
        parent = made.get(extra.path[:-1], mailbox.root)
        made[extra.path] = mailbox.create_folder(
            parent, extra.path[-1], folder_class=extra.folder_class, kind=extra.kind
        )


def grow_unseen(mailbox: Mailbox, *, archive: bool) -> tuple[Folder, ...]:
    """What lies beside msgfolderroot: Finder with a search folder, Recoverable Items, and an In-Place
    Archive if asked. Returns those that may hold items, none of which is to move."""
    finder = mailbox.create_folder(mailbox.store, "Finder", role="searchfolders", kind="hidden")
    mailbox.create_folder(finder, "Zur Nachverfolgung", kind="search")
    dumpster = mailbox.create_folder(
        mailbox.store, "Recoverable Items", role="recoverableitemsroot", kind="hidden"
    )
    deletions = mailbox.create_folder(dumpster, "Deletions", role="recoverableitemsdeletions", kind="hidden")
    if not archive:
        return (deletions,)
    top = mailbox.create_folder(None, "", role="archivemsgfolderroot", folder_class="")
    return deletions, mailbox.create_folder(top, "Posteingang", role="archiveinbox")
