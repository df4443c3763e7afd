"""Make containers of Exchange folders: names from the tree, roles by well-known name, kinds by class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from model.kinds import Kind
from model.protocols import Container, Role

ROLES = {
    "inbox": Role.INBOX,
    "sentitems": Role.SENT,
    "drafts": Role.DRAFTS,
    "deleteditems": Role.TRASH,
    "junkemail": Role.JUNK,
    "outbox": Role.OUTBOX,
    "calendar": Role.CALENDAR,
    "contacts": Role.CONTACTS,
    "tasks": Role.TASKS,
    "notes": Role.NOTES,
}
# Only newer servers support these; they are requested separately, so that an older schema refuses only these.
OMITTED = {
    "syncissues": "sync-issues",
    "conflicts": "sync-issues",
    "localfailures": "sync-issues",
    "serverfailures": "sync-issues",
    "recipientcache": "system-folder",
    "quickcontacts": "system-folder",
    "imcontactlist": "system-folder",
}
ARCHIVE = {"archive": Role.ARCHIVE}
KINDS = (
    ("IPF.Appointment", Kind.CALENDAR),
    ("IPF.Contact", Kind.CONTACTS),
    ("IPF.Task", Kind.TASKS),
    ("IPF.StickyNote", Kind.NOTES),
)
# Folders that a program keeps or computes for itself, by their class (MS-OXOSFLD, section 2.2.2, and later
# servers). Birthdays are computed from the contacts.
SYSTEM = (
    ("IPF.Appointment.Birthday", "system-folder"),
    ("IPF.Appointment.Birthdays", "system-folder"),
    ("IPF.Journal", "journal"),
    ("IPF.Configuration", "system-folder"),
    ("IPF.SkypeTeams", "system-folder"),
    ("IPF.Files", "system-folder"),
    ("IPF.ShortcutFolder", "system-folder"),
    ("IPF.Contact.MOC", "system-folder"),
    ("IPF.Contact.RecipientCache", "system-folder"),
    ("IPF.Contact.GalContacts", "system-folder"),
    ("IPF.Contact.OrganizationalContacts", "system-folder"),
    ("IPF.Contact.PeopleCentricConversationBuddies", "system-folder"),
    ("IPF.Contact.Company", "system-folder"),
)
DEEPEST = 300


@dataclass(frozen=True, slots=True)
class ExchangeFolder:
    """Hold a folder as the server lists it.

    Attributes:
        id: its id.
        parent: the parent's id.
        name: its display name.
        class_: the folder class, such as "IPF.Note"; "" without one.
        total: the number of items; None when the server gives none.
        size: bytes; None when the server gives none.
        hidden: True for a hidden folder.
        search: True for a search folder.
        readonly: True if nothing may be created in it.
    """

    id: str
    parent: str
    name: str
    class_: str
    total: int | None
    size: int | None
    hidden: bool
    search: bool
    readonly: bool = False


def containers(
    folders: list[ExchangeFolder], root: str, well_known: Mapping[str, str], *, rights: bool = True
) -> Iterator[Container]:
    """Yield containers with their paths, parents before children, each once.

    A folder whose parent is not listed is placed at the top. Folders that are nested too deep, or in
    themselves, come last: they have `omit` "unreachable" and the path of the last folder above them that has
    one.

    Args:
        folders: the folders in any order.
        root: the id of the visible top.
        well_known: well-known names by folder id.
        rights: True if the folders' rights are the owner's; False if they belong to an account that only
            reads.
    """
    unplaced = {item.id: item if rights else replace(item, readonly=False) for item in folders}
    children: dict[str, list[ExchangeFolder]] = {}
    for folder in unplaced.values():
        top = folder.parent not in unplaced or folder.parent in {folder.id, root}
        children.setdefault(root if top else folder.parent, []).append(folder)
    paths: dict[str, tuple[str, ...]] = {}
    todo: list[tuple[ExchangeFolder, tuple[str, ...], str | None]] = []
    todo += [(item, (), None) for item in reversed(children.pop(root, []))]
    while todo:
        folder, above, omitted = todo.pop()
        container = _container(unplaced.pop(folder.id), above, omitted, well_known.get(folder.id, ""))
        yield container
        below = container.omit if container.omit in {"hidden", "sync-issues"} else None
        if len(container.path) < DEEPEST:
            todo += [(item, container.path, below) for item in reversed(children.pop(folder.id, []))]
        else:
            paths[folder.id] = container.path
    for folder in unplaced.values():
        container = _container(folder, paths.get(folder.parent, ()), None, well_known.get(folder.id, ""))
        yield replace(container, omit=container.omit or "unreachable")


def _container(
    folder: ExchangeFolder, above: tuple[str, ...], omitted: str | None, well_known: str
) -> Container:
    """Make a container of one folder."""
    return Container(
        kind=kind_of(folder.class_),
        id=folder.id,
        path=(*above, folder.name),
        role=ROLES.get(well_known) or ARCHIVE.get(well_known),
        total=folder.total,
        size=folder.size,
        omit=_omit(folder, omitted, well_known),
        readonly=folder.readonly,
    )


def _omit(folder: ExchangeFolder, above: str | None, well_known: str) -> str | None:
    """Return the code why a folder does not move, or None."""
    if folder.search:
        return "search-folder"
    if folder.hidden:
        return "hidden"
    if well_known in OMITTED:
        return OMITTED[well_known]
    if above:
        return above
    return next((code for prefix, code in SYSTEM if _is(folder.class_, prefix)), None)


def kind_of(class_: str) -> Kind:
    """Return the kind of a folder class. Unknown classes hold mail, so that each item gets a fate.

    Source:
        MS-OXOSFLD, section 2.2.2.
    """
    return next((kind for prefix, kind in KINDS if _is(class_, prefix)), Kind.MAIL)


def _is(class_: str, prefix: str) -> bool:
    class_, prefix = class_.lower(), prefix.lower()
    return class_ == prefix or class_.startswith(prefix + ".")
