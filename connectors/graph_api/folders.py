"""List the mail folders of a mailbox; `connectors.exchange.folders` makes containers of them.

A visible folder of another class among them is also a container of that kind, which its reader lists. Folders
that no reader lists are reported here: hidden folders, those inside Deleted Items, and folders of notes,
although nothing reads notes.

Source:
    https://learn.microsoft.com/graph/api/user-list-mailfolders
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.exchange.folders import ExchangeFolder, containers
from connectors.graph_api.batch import BatchReader, BatchReply
from connectors.graph_api.client import GraphClient, Json, listed, query, rest_of, segment
from connectors.graph_api.errors import GraphRefusal
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.protocols import Container, Role

ROOT = "msgfolderroot"
NAMES = (
    "inbox", "sentitems", "drafts", "deleteditems", "junkemail", "outbox", "archive",
    "syncissues", "conflicts", "localfailures", "serverfailures",
)  # fmt: skip
CLASS, SIZE = 0x3613, 0x0E08
FIELDS = "id,displayName,parentFolderId,totalItemCount,isHidden"
OPTIONS = query(
    includeHiddenFolders_="true",
    top=100,
    select=FIELDS,
    expand="singleValueExtendedProperties($filter=id eq 'String 0x3613' or id eq 'Long 0xe08')",
)
SEARCH = "mailSearchFolder"
UNKNOWN_NAME = "errorinvalididmalformed"
FOLDERS_MOST = 100_000
DELETED = "deleted-folder"
"""The code of calendars and address books in Deleted Items: Graph lists neither them nor their content."""

ELSEWHERE = frozenset({Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS})


def mailbox_containers(client: GraphClient) -> Iterator[Container]:
    """Yield every folder below the top that mailFolders lists, of every kind.

    Hidden folders and search folders have their reason in `omit`.

    Args:
        client: the Graph client.

    Raises:
        Blocked: "mailbox-missing".
        GraphRefusal, Transient: the server refuses, or cannot be asked now.
    """
    ids = known_ids(client)
    root = ids.pop(ROOT, None)
    if root is None:
        raise Blocked("mailbox-missing", "the mailbox has no root folder")
    names = {id_: name for name, id_ in ids.items()}
    for container in containers(all_folders(client, root), root, names):
        if container.kind is Kind.NOTES:
            yield replace(container, omit=container.omit or "notes")
        else:
            yield container


def unseen(
    client: GraphClient, tree: Sequence[Container], reported: Sequence[Container]
) -> Iterator[Container]:
    """Yield the containers that the readers of other kinds do not list, with the reason.

    To Do knows its lists by ids of its own, so only hidden folders of tasks are reported.

    Args:
        client: the Graph client.
        tree: all containers that mailFolders lists.
        reported: the containers that the readers list.
    """
    listed_ids = {item.id for item in reported}
    trash = [item.path for item in tree if item.role is Role.TRASH]
    tops = [item for item in reported if item.role in (Role.CALENDAR, Role.CONTACTS)]
    for item in (*(item for item in tree if item.kind in ELSEWHERE), *_below(client, tops)):
        deleted = item.kind is not Kind.TASKS and any(item.path[: len(path)] == path for path in trash)
        if item.id not in listed_ids and (item.omit or deleted):
            listed_ids.add(item.id)
            yield replace(item, omit=item.omit or DELETED)


def _below(client: GraphClient, parents: Iterable[Container]) -> Iterator[Container]:
    """Yield the hidden folders that Exchange keeps below the contacts, where mailFolders gives them."""
    for parent in parents:
        ask = {parent.id: f"{client.home}/mailFolders/{segment(parent.id)}/childFolders?{OPTIONS}"}
        try:
            hidden = [folder for folder in _children(client, ask) if folder.hidden]
        except GraphRefusal as refused:
            if refused.status == 401:
                raise
            continue
        for item in containers(hidden, parent.id, {}):
            yield replace(item, path=(*parent.path, *item.path))


def known_ids(client: GraphClient) -> dict[str, str]:
    """Return the folder id by well-known name, for those that this mailbox has.

    Raises:
        GraphRefusal: the server refuses.
    """
    asks = {name: f"{client.home}/mailFolders/{name}?{query(select='id')}" for name in (ROOT, *NAMES)}
    ids = {}
    for name, outcome in BatchReader(client).run(asks):
        if isinstance(outcome, BatchReply):
            ids[name] = str(outcome.json.get("id") or "")
        elif name == ROOT or not (outcome.absent or outcome.code == UNKNOWN_NAME):
            raise outcome  # a folder must not lose its role because of a fault
    return {name: id_ for name, id_ in ids.items() if id_}


def all_folders(client: GraphClient, root: str) -> list[ExchangeFolder]:
    """Return every folder below a root, level by level.

    A folder's count of children leaves hidden ones out, so each folder is asked for its children.

    Args:
        client: the Graph client.
        root: the root's id.

    Raises:
        Transient: "not-graph" for more folders than a mailbox can have.
    """
    by_id: dict[str, ExchangeFolder] = {}
    level = [root]
    while level:
        asks = {id_: f"{client.home}/mailFolders/{segment(id_)}/childFolders?{OPTIONS}" for id_ in level}
        level = []
        for folder in _children(client, asks):
            if folder.id not in by_id:
                by_id[folder.id] = folder
                level += [] if folder.search else [folder.id]
        if len(by_id) > FOLDERS_MOST:
            raise Transient("not-graph", "more folders than a mailbox can have")
    return list(by_id.values())


def _children(client: GraphClient, asks: Mapping[str, str]) -> Iterator[ExchangeFolder]:
    for parent, outcome in BatchReader(client).run(asks):
        if isinstance(outcome, GraphRefusal):
            if outcome.absent:
                continue  # removed since its parent was listed
            raise outcome
        yield from (_folder(row, parent) for row in listed(outcome.json))
        if following := rest_of(outcome.json.get("@odata.nextLink")):
            path = asks[parent].partition("?")[0]
            yield from (_folder(row, parent) for row in client.rows(path, following))


def _folder(row: Json, parent: str) -> ExchangeFolder:
    tags = tagged(row)
    return ExchangeFolder(
        id=str(row.get("id") or ""),
        parent=parent,
        name=str(row.get("displayName") or ""),
        class_=tags.get(CLASS, "").strip(),
        total=number(row.get("totalItemCount")),
        size=number(tags.get(SIZE)),
        hidden=row.get("isHidden") is True,
        search=str(row.get("@odata.type") or "").endswith(SEARCH),
    )


def tagged(row: Json) -> dict[int, str]:
    """Return the single-valued MAPI properties that came with a row, by tag."""
    values = {}
    entries = row.get("singleValueExtendedProperties")
    for entry in entries if isinstance(entries, list) else ():
        _, _, tag = str(entry.get("id") if isinstance(entry, dict) else "").partition(" ")
        try:
            # Graph writes 0x0E06 as 0xe06.
            values[int(tag, 16)] = str(entry.get("value") or "")
        except ValueError:
            continue
    return values


def number(value: object) -> int | None:
    """Return a value as a number; None when it is not one."""
    try:
        return int(str(value))
    except ValueError:
        return None
