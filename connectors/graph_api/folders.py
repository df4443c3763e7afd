"""The mail folders of a mailbox, as Graph lists them. See exchange_folders for what they become.

A visible folder of another class among them is that kind's own container too, which its reader lists. What no
reader lists is told here: hidden folders, and those that lie in Deleted Items; and so are folders of notes,
though nothing reads notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.exchange.folders import ExchangeFolder, containers
from connectors.graph_api.batch import BatchReader, BatchReply
from connectors.graph_api.client import GraphClient, Json, listed, query, rest_of, segment
from connectors.graph_api.errors import GraphRefusal
from model.errors import Blocked, Transient
from model.protocols import Container, Kind, Role

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
"""The code of calendars and address books in Deleted Items: Graph lists neither them nor what is in them."""

ELSEWHERE = frozenset({Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS})


def mailbox_containers(client: GraphClient) -> Iterator[Container]:
    """Every folder below the top that mailFolders lists, of whatever kind; hidden ones and search folders
    have their reason."""
    known = known_ids(client)
    root = known.pop(ROOT, None)
    if root is None:
        raise Blocked("mailbox-missing", "the mailbox has no root folder")
    names = {id_: name for name, id_ in known.items()}
    for container in containers(all_folders(client, root), root, names):
        if container.kind is Kind.NOTES:
            yield replace(container, omit=container.omit or "notes")
        else:
            yield container


def unseen(client: GraphClient, tree: Sequence[Container], given: Sequence[Container]) -> Iterator[Container]:
    """What the readers of other kinds do not list, with its reason. tree: all that mailFolders lists; given:
    by the readers. To Do knows its lists by ids of their own: of tasks hidden folders alone are told."""
    known = {one.id for one in given}
    trash = [one.path for one in tree if one.role is Role.TRASH]
    tops = [one for one in given if one.role in (Role.CALENDAR, Role.CONTACTS)]
    for one in (*(one for one in tree if one.kind in ELSEWHERE), *_below(client, tops)):
        deleted = one.kind is not Kind.TASKS and any(one.path[: len(path)] == path for path in trash)
        if one.id not in known and (one.omit or deleted):
            known.add(one.id)
            yield replace(one, omit=one.omit or DELETED)


def _below(client: GraphClient, parents: Iterable[Container]) -> Iterator[Container]:
    """The hidden folders that Exchange keeps below the contacts, where mailFolders gives them out."""
    for parent in parents:
        ask = {parent.id: f"{client.home}/mailFolders/{segment(parent.id)}/childFolders?{OPTIONS}"}
        try:
            hidden = [folder for folder in _children(client, ask) if folder.hidden]
        except GraphRefusal as refused:
            if refused.status == 401:
                raise
            continue
        for one in containers(hidden, parent.id, {}):
            yield replace(one, path=(*parent.path, *one.path))


def known_ids(client: GraphClient) -> dict[str, str]:
    """Well-known name -> folder id, for those this mailbox has."""
    asks = {name: f"{client.home}/mailFolders/{name}?{query(select='id')}" for name in (ROOT, *NAMES)}
    found = {}
    for name, outcome in BatchReader(client).run(asks):
        if isinstance(outcome, BatchReply):
            found[name] = str(outcome.json.get("id") or "")
        elif name == ROOT or not (outcome.absent or outcome.code == UNKNOWN_NAME):
            raise outcome  # a folder must not lose its role because of a fault
    return {name: id_ for name, id_ in found.items() if id_}


def all_folders(client: GraphClient, root: str) -> list[ExchangeFolder]:
    """Every folder below root, level by level: a folder's count of children leaves hidden ones out."""
    found: dict[str, ExchangeFolder] = {}
    level = [root]
    while level:
        asks = {id_: f"{client.home}/mailFolders/{segment(id_)}/childFolders?{OPTIONS}" for id_ in level}
        level = []
        for folder in _children(client, asks):
            if folder.id not in found:
                found[folder.id] = folder
                level += [] if folder.search else [folder.id]
        if len(found) > FOLDERS_MOST:
            raise Transient("not-graph", "more folders than a mailbox can have")
    return list(found.values())


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
    """The single-valued MAPI properties that came with a row, by tag."""
    found = {}
    entries = row.get("singleValueExtendedProperties")
    for entry in entries if isinstance(entries, list) else ():
        _, _, tag = str(entry.get("id") if isinstance(entry, dict) else "").partition(" ")
        try:
            # Graph writes 0x0E06 as 0xe06.
            found[int(tag, 16)] = str(entry.get("value") or "")
        except ValueError:
            continue
    return found


def number(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None
