"""Mail folders over Graph: listed, hidden ones when asked, by well-known name, and their delta."""

from __future__ import annotations

from collections.abc import Iterator

from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.delta import Token, delta_link, next_link, read_token
from practice.graph.errors import not_found, untracked
from practice.graph.query import PAGE, Query, checked, paged
from practice.graph.wire import Json, rest_id
from practice.graph_items.extended import SINGLE, of_folder
from practice.world.folders import Did, Folder

NEEDS = frozenset({"Mail.Read"})
WELL_KNOWN = frozenset(
    [
        "archive",
        "clutter",
        "conflicts",
        "conversationhistory",
        "deleteditems",
        "drafts",
        "inbox",
        "junkemail",
        "localfailures",
        "msgfolderroot",
        "outbox",
        "recoverableitemsdeletions",
        "scheduled",
        "searchfolders",
        "sentitems",
        "serverfailures",
        "syncissues",
    ]
)
"""The names that Graph knows; a mailbox need not have all of these folders."""
FIELDS = [
    "displayName",
    "parentFolderId",
    "childFolderCount",
    "unreadItemCount",
    "totalItemCount",
    "sizeInBytes",
    "isHidden",
]
_SEARCH = "#microsoft.graph.mailSearchFolder"


def is_mail(folder: Folder) -> bool:
    """Return whether a folder is one of Graph's mailFolders.

    These are folders of mail, and what is below the root without being anything else; among hidden ones they
    list those of other classes too.
    """
    return folder.folder_class in ("", "IPF.Note", "IPF.Configuration")


def mail_folder(context: Context, given: str) -> Folder:
    """Return a folder by id or well-known name.

    Raises:
        GraphError: there is none.
    """
    if given.lower() in WELL_KNOWN:
        try:
            return context.box.distinguished(given)
        except KeyError:
            raise not_found() from None
    folder = context.folder(given)
    if not is_mail(folder) or not reachable(folder):
        raise not_found()
    return folder


def reachable(folder: Folder) -> bool:
    """Return whether Graph opens a folder: an In-Place Archive is another store, which it does not open."""
    here = folder
    while here.parent is not None:
        here = here.parent
    return here is folder.mailbox.store


def shown(context: Context, folder: Folder) -> Json:
    """Return the mailFolder."""
    parent = folder.parent or folder
    content: Json = {"@odata.type": _SEARCH} if folder.kind == "search" else {}
    content |= {
        "id": rest_id(folder.id),
        "displayName": folder.name or "Top of Information Store",
        "parentFolderId": rest_id(parent.id),
        "childFolderCount": sum(is_mail(child) for child in folder.children if child.kind != "hidden"),
        "unreadItemCount": len(folder.items) if folder.kind == "search" else folder.unread,
        "totalItemCount": folder.total,
    }
    if context.query.wants("sizeInBytes"):
        content["sizeInBytes"] = folder.size
    content["isHidden"] = folder.kind == "hidden"
    if folder.kind == "search":
        content |= {
            "isSupported": True,
            "includeNestedFolders": True,
            "sourceFolderIds": [rest_id(context.box.root.id)],
            "filterQuery": "isRead eq false",
        }
    return content | of_folder(context.query, lambda tag: _property(folder, tag))


def _property(folder: Folder, tag: int) -> object:
    return {
        0x3613: folder.folder_class or None,
        0x10F4: folder.kind == "hidden",
        0x0E08: folder.size if tag == 0x0E08 else None,
        0x3602: folder.total,
    }.get(tag)


def _query(context: Context) -> Query:
    return checked(context.query, FIELDS, "mailFolder", (SINGLE, "childFolders"))


def _children(context: Context, parent: Folder) -> Iterator[Folder]:
    hidden = context.ask.query.get("includeHiddenFolders", "").lower() == "true"
    for child in sorted(parent.children, key=lambda one: one.name.lower()):
        if hidden if child.kind == "hidden" else is_mail(child):
            yield child


def _list(context: Context) -> Reply:
    query = _query(context)
    rows = [shown(context, child) for child in _children(context, _parent(context))]
    return context.say(paged(context.ask, rows, query))


def _parent(context: Context) -> Folder:
    """Return the parent, of whatever class: hidden folders lie also below the contacts.

    Raises:
        GraphError: there is none.
    """
    given = context.names.get("folder")
    if given is None:
        return context.box.root
    if given.lower() in WELL_KNOWN:
        return mail_folder(context, given)
    folder = context.folder(given)
    if not reachable(folder):
        raise not_found()
    return folder


def _get(context: Context) -> Reply:
    folder = mail_folder(context, context.names["folder"])
    return context.say(_query(context).shown(shown(context, folder)))


def _delta(context: Context) -> Reply:
    """Answer a delta: every mail folder in the tree, hidden ones too when asked; then what changed."""
    options = sorted({"$orderby", "$filter", "$search", "$expand"} & context.ask.query.keys())
    if options:
        raise untracked("MailFolders", *options)
    hidden = context.ask.query.get("includeHiddenFolders", "").lower() == "true"
    token = read_token(context, "mailFolders") or Token(kind="mailFolders", extra=str(hidden))
    high = token.high or context.box.change
    changes = [
        change
        for change in context.box.folder_changes(token.since)
        if change.number <= high
        and (change.folder is None or (is_mail(change.folder) and _is_below(change.folder)))
        and (change.folder is None or token.extra == "True" or change.folder.kind != "hidden")
    ]
    size = context.ask.prefer.page or context.query.top or PAGE
    rows: list[Json] = []
    for change in changes[token.skip : token.skip + size]:
        if change.did is Did.DELETED or change.folder is None:
            rows.append({"id": rest_id(change.id), "@removed": {"reason": "deleted"}})
        else:
            rows.append(_query(context).shown(shown(context, change.folder)))
    content: Json = {"@odata.context": f"{context.ask.base}/$metadata#Collection(mailFolder)", "value": rows}
    if token.skip + size < len(changes):
        content |= next_link(context, token.later(skip=token.skip + size, high=high))
    else:
        content |= delta_link(context, token.round(high))
    return context.say(content)


def _is_below(folder: Folder) -> bool:
    """Return whether a folder is in the tree that people see."""
    here: Folder | None = folder.parent
    while here is not None:
        if here.role == "msgfolderroot":
            return True
        here = here.parent
    return False


ROUTES = (
    Route("users/{user}/mailFolders", "ListFolders", NEEDS, _list),
    Route("users/{user}/mailFolders/delta", "Delta", NEEDS, _delta),
    Route("users/{user}/mailFolders/{folder}", "GetFolder", NEEDS, _get),
    Route("users/{user}/mailFolders/{folder}/childFolders", "ListFolders", NEEDS, _list),
)
