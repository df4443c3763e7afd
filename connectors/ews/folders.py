"""List the folders of a mailbox; `connectors.exchange.folders` makes containers of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import MNS, TNS, EwsRefusal, incomplete, refusal_of, translated
from connectors.ews.records import number, shown, tagged, true
from connectors.ews.requests import (
    FOLDER_HIDDEN,
    FOLDER_SIZE,
    distinguished,
    find_folders,
    get_folders,
)
from connectors.ews.response_stream import ResponseMessage, not_soap
from connectors.exchange.folders import ARCHIVE, OMITTED, ROLES, ExchangeFolder
from model.errors import Blocked

ROOT = "msgfolderroot"
FOLDERS_MOST = 100_000


def root_id(client: EwsClient) -> str:
    """Return the id of the folder that people see as the top.

    Raises:
        Blocked: "mailbox-missing" when the mailbox has no root folder; see also `EwsClient.gather`.
    """
    request = get_folders([distinguished(ROOT, client.mailbox)])
    ids = [id_ for id_ in client.gather(request, "GetFolderResponseMessage", _first_id) if id_]
    if len(ids) != 1:
        raise Blocked("mailbox-missing", "the mailbox has no root folder")
    return ids[0]


def _first_id(message: ResponseMessage) -> str:
    """Return the first folder id in a response, or ""."""
    element = message.element.find(f".//{TNS}FolderId")
    return "" if element is None else element.get("Id") or ""


def all_folders(client: EwsClient, root: str) -> list[ExchangeFolder]:
    """Return every folder below a root, page by page.

    Args:
        client: the EWS client.
        root: a distinguished() or folder_id() element.

    Raises:
        EwsRefusal: the server refuses.
        Transient, Blocked: the server cannot be asked, after the retries.

    Source:
        https://learn.microsoft.com/exchange/client-developer/web-service-reference/findfolder-operation
    """
    # A dialect without rights, or without these MAPI tags, still gives the other fields.
    for tags, rights in ((True, True), (True, False)):
        try:
            return list(_pages(client, root, tags=tags, rights=rights))
        except EwsRefusal as refusal:
            if refusal.code not in {"ErrorInvalidPropertyRequest", "ErrorSchemaValidation"}:
                raise
    return list(_pages(client, root, tags=False, rights=False))


def _pages(client: EwsClient, root: str, *, tags: bool, rights: bool) -> Iterator[ExchangeFolder]:
    """Yield each folder once.

    One dialect gives fewer folders than it was asked for and counts as if it gave them all: its next offset
    leaves folders out, and its last page comes too early. So the folders that came are counted.
    """
    seen: set[str] = set()
    offset = 0
    while offset < FOLDERS_MOST:
        request = find_folders(root, offset, tags=tags, rights=rights)
        pages = client.collect(request, "FindFolderResponseMessage", _page)
        if not pages:
            raise EwsRefusal("ErrorUnknownRequest")
        page = pages[0]
        offset += len(page.folders)
        fresh = [folder for folder in page.folders if folder.id not in seen]
        yield from fresh
        seen.update(folder.id for folder in fresh)
        if page.last and (not fresh or offset >= page.total):
            return
        offset = offset if fresh else max(offset, page.following)
    raise not_soap()


@dataclass(frozen=True, slots=True)
class _Page:
    """Hold one page of folders.

    Attributes:
        folders: the folders.
        following: the next offset, by the server's word; 0 without one.
        total: how many folders there are, likewise.
        last: True if the server calls it the last page.
    """

    folders: list[ExchangeFolder]
    following: int
    total: int
    last: bool


def _page(message: ResponseMessage) -> _Page:
    """Return a page of folders.

    Raises:
        Transient: "reply-incomplete" for a page without folders that is not the last one. Taken for the end,
            it would say that the folders after it are gone.
    """
    top = message.element.find(MNS + "RootFolder")
    if top is None:
        raise EwsRefusal("ErrorUnknownRequest")
    holder = top.find(TNS + "Folders")
    folders = [_folder(element) for element in (holder if holder is not None else ())]
    total = number(top.get("TotalItemsInView")) or 0
    # Partial pages happen: only the server's flag ends the listing.
    last = true(top.get("IncludesLastItemInRange", "true"))
    if not last and not folders:
        raise incomplete()
    return _Page(folders, number(top.get("IndexedPagingOffset")) or 0, total, last)


def _folder(element: etree._Element) -> ExchangeFolder:
    own, parent = element.find(TNS + "FolderId"), element.find(TNS + "ParentFolderId")
    tags: dict[int, str] = {}
    for entry in element.findall(TNS + "ExtendedProperty"):
        tagged(entry, tags)
    return ExchangeFolder(
        id="" if own is None else own.get("Id") or "",
        parent="" if parent is None else parent.get("Id") or "",
        name=shown(element.findtext(TNS + "DisplayName")),
        class_=(element.findtext(TNS + "FolderClass") or "").strip(),
        total=number(element.findtext(TNS + "TotalCount")),
        size=number(tags.get(FOLDER_SIZE)),
        hidden=true(tags.get(FOLDER_HIDDEN)),
        search=element.tag == TNS + "SearchFolder",
        readonly=_readonly(element.find(TNS + "EffectiveRights")),
    )


def _readonly(rights: etree._Element | None) -> bool:
    """Return True if nothing may be created in a folder; False when the server does not say."""
    stated = None if rights is None else rights.findtext(TNS + "CreateContents")
    return stated is not None and not true(stated)


def known_ids(client: EwsClient) -> dict[str, str]:
    """Return the distinguished name by folder id, for those that this server and this mailbox have.

    One request asks for all names. A server that knows some of them only may refuse it as a whole; then each
    kind of names is asked for by itself.
    """
    kinds = (tuple(ROLES), tuple(OMITTED), tuple(ARCHIVE))
    everything = _names_by_id(client, sum(kinds, ()))
    if everything is not None:
        return everything
    needed = _names_by_id(client, kinds[0], needed=True) or {}
    for names in kinds[1:]:
        needed = {**(_names_by_id(client, names) or {}), **needed}
    return needed


def _names_by_id(client: EwsClient, names: tuple[str, ...], *, needed: bool = False) -> dict[str, str] | None:
    """Ask for the ids of distinguished folders; an id of two names has the first one.

    Returns:
        None if the server refused, or if its answers cannot be paired with the names.

    Raises:
        MigrationError: the server refused, if `needed`.
    """
    request = get_folders(distinguished(name, client.mailbox) for name in names)
    try:
        answers = client.collect(request, "GetFolderResponseMessage", _id_or_none, strict=False)
    except EwsRefusal as refusal:
        if needed:
            raise translated(refusal) from None
        return None
    if len(answers) != len(names):
        # Without an id in an error, only a complete answer can be paired with its questions.
        return None
    backwards = zip(reversed(answers), reversed(names), strict=True)
    return {answer: name for answer, name in backwards if answer}


def _id_or_none(message: ResponseMessage) -> str | None:
    return None if refusal_of(message.element) is not None else _first_id(message) or None
