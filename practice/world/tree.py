"""Make a mailbox's folders: distinguished ones under localised names, and what people add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from practice.world.cases import tables
from practice.world.folders import Folder, FolderKind

if TYPE_CHECKING:
    from practice.world.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class _Role:
    """Hold a folder that Exchange makes, and its name by language."""

    role: str
    folder_class: str
    de: str
    fr: str
    en: str


@dataclass(frozen=True, slots=True)
class Extra:
    """Hold a folder that people made, or software did.

    Attributes:
        path: ends with its own name; parents come first.
    """

    path: tuple[str, ...]
    folder_class: str = "IPF.Note"
    kind: FolderKind = "normal"


@dataclass(frozen=True, slots=True)
class _Table:
    roles: tuple[_Role, ...] = ()
    folders: tuple[Extra, ...] = ()


_TABLES = tables("folders", _Table)
NASTY = tuple(extra for name, table in _TABLES.items() if name != "calm" for extra in table.folders)
CALM = _TABLES["calm"].folders


def grow(mailbox: Mailbox, extras: tuple[Extra, ...]) -> None:
    """Make the distinguished folders in the owner's language, then the others."""
    for row in _TABLES["distinguished"].roles:
        name = {"de": row.de, "fr": row.fr, "en": row.en}[mailbox.owner.locale]
        mailbox.create_folder(mailbox.root, name, role=row.role, folder_class=row.folder_class)
    made: dict[tuple[str, ...], Folder] = {}
    for extra in extras:
        parent = made.get(extra.path[:-1], mailbox.root)
        made[extra.path] = mailbox.create_folder(
            parent, extra.path[-1], folder_class=extra.folder_class, kind=extra.kind
        )


def grow_unseen(mailbox: Mailbox, *, archive: bool) -> tuple[Folder, ...]:
    """Make what lies outside of msgfolderroot.

    These are Finder with a search folder, Recoverable Items, and an In-Place Archive if asked.

    Returns:
        The folders that may hold items, none of which is to move.
    """
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
