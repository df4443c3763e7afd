"""GetFolder and FindFolder, and how a folder is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lxml import etree

from practice.exchange.context import Context
from practice.exchange.permissions import effective_rights, permission_set
from practice.exchange.search import Page, page_of, parse_page, refuse_restriction
from practice.exchange.shape import ExtendedField, Shape, parse_shape
from practice.exchange.soap import Call, Dialect, EwsError, M, escape, failure, message, schema_fault
from practice.world.folders import Folder

Writer = Callable[[Folder, Dialect], str]

_TOP = {
    "de": "Oberste Ebene des Informationsspeichers",
    "fr": "Banque d'informations",
    "en": "Top of Information Store",
}


def name_of(folder: Folder) -> str:
    """Return the name that people see; msgfolderroot's is the server's own, in the owner's language."""
    if folder.role == "msgfolderroot" and not folder.name:
        return _TOP[folder.mailbox.owner.locale]
    return folder.name


def folder_id(folder: Folder, tag: str = "FolderId", *, change_key: bool = True) -> str:
    """Return the element of a folder's id."""
    key = f' ChangeKey="{folder.change_key}"' if change_key else ""
    return f'<t:{tag} Id="{folder.id}"{key}/>'


def _parent(folder: Folder, dialect: Dialect) -> str:
    """Return the parent's id; the root is its own parent, as on real servers."""
    return folder_id(folder.parent or folder, "ParentFolderId", change_key=dialect.parent_change_key)


def _folder_class(folder: Folder, _: Dialect) -> str:
    return f"<t:FolderClass>{escape(folder.folder_class)}</t:FolderClass>" if folder.folder_class else ""


def _role(folder: Folder, _: Dialect) -> str:
    return f"<t:DistinguishedFolderId>{folder.role}</t:DistinguishedFolderId>" if folder.role else ""


def _unread(folder: Folder, _: Dialect) -> str:
    if tag_of(folder) in ("CalendarFolder", "ContactsFolder"):  # their types have no such element
        return ""
    return f"<t:UnreadCount>{folder.unread}</t:UnreadCount>"


def _permissions(folder: Folder, dialect: Dialect) -> str:
    if dialect.habits.bare_tasks and tag_of(folder) == "TasksFolder":
        return ""
    return permission_set(folder, calendar=tag_of(folder) == "CalendarFolder")


# In the schema's order; ExtendedProperty follows ChildFolderCount.
_BEFORE: tuple[tuple[str, Writer], ...] = (
    ("folder:FolderId", lambda folder, _: folder_id(folder)),
    ("folder:ParentFolderId", _parent),
    ("folder:FolderClass", _folder_class),
    ("folder:DisplayName", lambda folder, _: f"<t:DisplayName>{escape(name_of(folder))}</t:DisplayName>"),
    ("folder:TotalCount", lambda folder, _: f"<t:TotalCount>{folder.total}</t:TotalCount>"),
    (
        "folder:ChildFolderCount",
        lambda folder, _: f"<t:ChildFolderCount>{len(folder.children)}</t:ChildFolderCount>",
    ),
)
_AFTER: tuple[tuple[str, Writer], ...] = (
    ("folder:EffectiveRights", lambda folder, _: effective_rights(folder)),
    ("folder:DistinguishedFolderId", _role),
    ("folder:PermissionSet", _permissions),
    ("folder:UnreadCount", _unread),
)
_DEFAULT = frozenset(
    {
        "folder:FolderId",
        "folder:DisplayName",
        "folder:TotalCount",
        "folder:ChildFolderCount",
        "folder:UnreadCount",
    }
)
_BASES = {
    "IdOnly": frozenset({"folder:FolderId"}),
    "Default": _DEFAULT,
    "AllProperties": frozenset(uri for uri, _ in _BEFORE + _AFTER) - {"folder:PermissionSet"},
}
_MAPI: dict[int, Callable[[Folder], object]] = {
    0x10F4: lambda folder: folder.kind == "hidden",
    0x3613: lambda folder: folder.folder_class or None,
    0x3601: lambda folder: 2 if folder.kind == "search" else 1 if folder.parent else 0,
    0x3602: lambda folder: folder.total,
    0x3603: lambda folder: folder.unread,
    0x3001: lambda folder: name_of(folder),
    0x0E08: lambda folder: folder.size,
}
_VALUES: dict[str, Callable[[Folder], object]] = {
    "folder:FolderId": lambda folder: folder.id,
    "folder:FolderClass": lambda folder: folder.folder_class,
    "folder:DisplayName": lambda folder: name_of(folder),
    "folder:TotalCount": lambda folder: folder.total,
    "folder:ChildFolderCount": lambda folder: len(folder.children),
    "folder:UnreadCount": lambda folder: folder.unread,
}


def tag_of(folder: Folder) -> str:
    """Return the element of a folder."""
    if folder.kind == "search":
        return "SearchFolder"
    for start, tag in (
        ("IPF.Appointment", "CalendarFolder"),
        ("IPF.Contact", "ContactsFolder"),
        ("IPF.Task", "TasksFolder"),
    ):
        if folder.folder_class.startswith(start):
            return tag
    return "Folder"


def value_of(folder: Folder, field: str | ExtendedField) -> object:
    """Return a property; None if the folder does not have it."""
    getter = _MAPI.get(field.tag or 0) if isinstance(field, ExtendedField) else _VALUES.get(field)
    return getter(folder) if getter else None


class FolderWriter:
    """Write folders by one shape."""

    def __init__(self, shape: Shape, dialect: Dialect) -> None:
        wanted = _BASES[shape.base] | shape.uris
        if dialect.roles_with_ids and "folder:FolderId" in shape.uris:
            wanted |= {"folder:DistinguishedFolderId"}
        self._dialect = dialect
        self._extended = shape.extended
        self._before = [write for uri, write in _BEFORE if uri in wanted or uri == "folder:FolderId"]
        self._after = [write for uri, write in _AFTER if uri in wanted]

    def write(self, folder: Folder) -> str:
        """Return the element of a folder."""
        tag = tag_of(folder)
        parts = [f"<t:{tag}>"]
        parts += [write(folder, self._dialect) for write in self._before]
        parts += [field.write(value_of(folder, field)) for field in self._extended]
        parts += [write(folder, self._dialect) for write in self._after]
        parts.append(f"</t:{tag}>")
        return "".join(parts)


def get_folder(context: Context, call: Call) -> Iterator[bytes]:
    """Answer GetFolder."""
    writer = FolderWriter(parse_shape(call.element.find(f"{M}FolderShape")), context.dialect)
    for element in id_elements(call.element.find(f"{M}FolderIds")):
        try:
            folder = context.folder(element)
        except EwsError as error:
            yield failure("GetFolder", error, "<m:Folders/>").encode()
            continue
        yield message("GetFolder", f"<m:Folders>{writer.write(folder)}</m:Folders>").encode()


def id_elements(element: etree._Element | None) -> list[etree._Element]:
    """Return the ids of folders of a request.

    Raises:
        SoapFault: there is none.
    """
    if element is None or len(element) == 0:
        raise schema_fault("At least one folder id is required.")
    return list(element)


def find_folder(context: Context, call: Call) -> Iterator[bytes]:
    """Answer FindFolder."""
    writer = FolderWriter(parse_shape(call.element.find(f"{M}FolderShape")), context.dialect)
    traversal = call.element.get("Traversal")
    if traversal not in ("Shallow", "Deep", "SoftDeleted"):
        raise schema_fault("The required attribute 'Traversal' is missing or invalid.")
    refuse_restriction(call.element)
    page = parse_page(call.element, "Folder", context.limits.page)
    for element in id_elements(call.element.find(f"{M}ParentFolderIds")):
        try:
            parent = context.folder(element)
        except EwsError as error:
            yield failure("FindFolder", error).encode()
            continue
        yield _found(list(_below(parent, traversal)), page, writer, context.dialect.habits.rows_most).encode()


def _below(parent: Folder, traversal: str) -> Iterator[Folder]:
    if traversal == "Deep":
        yield from parent.walk()
    elif traversal == "Shallow":
        yield from parent.children


def _found(found: list[Folder], page: Page, writer: FolderWriter, most: int | None) -> str:
    rows, attributes = page_of(found, page, most=most)
    folders = "".join(writer.write(folder) for folder in rows)
    return message(
        "FindFolder", f"<m:RootFolder {attributes}><t:Folders>{folders}</t:Folders></m:RootFolder>"
    )
