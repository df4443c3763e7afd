"""Read who has rights to the folders of a mailbox, and who is its owner's delegate.

An answer about one folder that is refused ends the listing: without it, the rights to that folder would look
like rights that were taken away. A server may also answer about a folder, and leave its PermissionSet out:
that is no set without rights. The folder is named as untold then.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getfolder-operation,
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getdelegate-operation
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import MNS, TNS, EwsRefusal, translated
from connectors.ews.requests import get_delegates, get_rights
from connectors.ews.response_stream import ResponseMessage
from connectors.exchange.record_set import Record
from connectors.exchange.rights import RightsAnswer, right_id
from model.errors import Blocked
from model.protocols import Container, Role

AT_ONCE = 200
"""Folders that one request asks about."""
WITHOUT = frozenset({"None"})
"""Levels of entries that are no right."""
_HEAD = f'<m:Items xmlns:m="{MNS[1:-1]}">'.encode()
_FOOT = b"</m:Items>"
UNTOLD = "untold"
"""What stands in an id for the people of a folder whose rights are not told."""
_UNTOLD = _HEAD + f'<t:UntoldRights xmlns:t="{TNS[1:-1]}"/>'.encode() + _FOOT
_Entry = etree._Element


def rights_of(client: EwsClient, folders: Iterable[Container]) -> RightsAnswer:
    """Return the record of each right to a mailbox's folders, by its id.

    Properties: Folder (str), the folder's id, and Kind (str), what it holds; both are "" for a delegate who
    has no right to the calendar. Entries of one person to one folder are one record. A folder whose rights
    are not told has a record that says so.

    Args:
        client: the EWS client.
        folders: the folders that are asked about.

    Raises:
        Blocked: "no-permissions-permission": the server does not tell the rights to a folder.
        EwsRefusal: the server refuses.
        Transient: the connection failed, or a folder is gone since it was listed.
    """
    records: dict[str, Record] = {}
    untold: set[str] = set()
    with_calendar: set[str] = set()
    delegates = _delegates(client)
    for folder, entries in _entries(client, folders):
        if entries is None:
            untold.add(folder.id)
            records[right_id(folder.id, UNTOLD)] = Record(_UNTOLD, _properties(folder))
            continue
        for who, same in _by_person(entries).items():
            more: tuple[_Entry, ...] = ()
            address = _address(same[0])
            if folder.role is Role.CALENDAR and address in delegates:
                more = (delegates[address],)
                with_calendar.add(address)
            records[right_id(folder.id, who)] = _record((*same, *more), _properties(folder))
    for address, delegate in delegates.items():
        if address not in with_calendar:
            records[right_id("", address)] = _record((delegate,), {"Folder": "", "Kind": ""})
    return RightsAnswer(records, frozenset(untold))


def _by_person(entries: Iterable[_Entry]) -> dict[str, list[_Entry]]:
    """Return the entries by what names the person; those of one person in an order of their own."""
    found: dict[str, list[_Entry]] = {}
    for entry in entries:
        found.setdefault(_who(entry), []).append(entry)
    return {who: sorted(same, key=etree.tostring) for who, same in found.items()}


def _properties(folder: Container) -> dict[str, str]:
    return {"Folder": folder.id, "Kind": folder.kind.value}


def _entries(
    client: EwsClient, folders: Iterable[Container]
) -> Iterator[tuple[Container, list[_Entry] | None]]:
    """Yield each folder's entries; no more than those of one request are in memory as elements."""
    rest = iter(folders)
    while chunk := list(islice(rest, AT_ONCE)):
        by_id = {folder.id: folder for folder in chunk}
        request = get_rights(by_id)
        try:
            answers = client.collect(request, "GetFolderResponseMessage", _read)
        except EwsRefusal as refusal:
            if refusal.code in {"ErrorAccessDenied", "ErrorItemPropertyRequestFailed"}:
                raise Blocked("no-permissions-permission", "the account may not read rights") from None
            raise
        told = {id_: entries for id_, entries in answers if id_ in by_id}
        if told.keys() != by_id.keys():
            raise EwsRefusal("ErrorUnknownRequest")
        yield from ((by_id[id_], told[id_]) for id_ in by_id)


def _read(message: ResponseMessage) -> tuple[str, list[_Entry] | None]:
    """Return a folder's id and the entries of its permission set that are rights; None without a set."""
    own = message.element.find(f".//{TNS}FolderId")
    id_ = "" if own is None else own.get("Id") or ""
    if message.element.find(f".//{TNS}PermissionSet") is None:
        return id_, None
    return id_, [
        entry
        for holder in message.element.iterfind(f".//{TNS}PermissionSet/*")
        for entry in holder
        if isinstance(entry.tag, str) and _level(entry) not in WITHOUT
    ]


def _level(entry: _Entry) -> str:
    for name in ("PermissionLevel", "CalendarPermissionLevel"):
        if text := (entry.findtext(TNS + name) or "").strip():
            return text
    return ""


def _who(entry: _Entry) -> str:
    """Return what names the person of an entry: what stays when the person gets another name or address."""
    if entry.tag == TNS + "UnknownEntry":
        return f"unknown:{(entry.text or '').strip()}"
    for name in ("DistinguishedUser", "SID", "PrimarySmtpAddress", "ExternalUserIdentity", "DisplayName"):
        if text := (entry.findtext(f"{TNS}UserId/{TNS}{name}") or "").strip():
            return f"{name}:{text.lower()}"
    return etree.tostring(entry, method="c14n", exclusive=True).decode()


def _address(entry: _Entry) -> str:
    return (entry.findtext(f"{TNS}UserId/{TNS}PrimarySmtpAddress") or "").strip().lower()


def _delegates(client: EwsClient) -> Mapping[str, _Entry]:
    """Return the owner's delegates by address, or by what else names them.

    Returns:
        Nobody where the server does not offer them, or does not tell them.
    """

    def read(message: ResponseMessage) -> list[_Entry]:
        return message.element.findall(".//{*}DelegateUser")

    try:
        answers = client.collect(get_delegates(client.mailbox), "GetDelegateResponse", read, strict=False)
    except EwsRefusal as refusal:
        if refusal.busy:
            raise translated(refusal) from None
        return {}
    return {_address(one) or _who(one): one for answer in answers for one in answer}


def _record(elements: Iterable[_Entry], properties: Mapping[str, str]) -> Record:
    body = b"".join(etree.tostring(_typed(one), method="c14n", exclusive=True) for one in elements)
    return Record(_HEAD + body + _FOOT, properties)


def _typed(element: _Entry) -> _Entry:
    """Return an element with Exchange's namespace of types: DelegateUser has that of messages."""
    copy = etree.fromstring(etree.tostring(element))
    copy.tag = TNS + etree.QName(copy).localname
    for name in copy.findall(f".//{TNS}DisplayName"):  # of the person: no change of the right
        parent = name.getparent()
        if parent is not None:
            parent.remove(name)
    return copy
