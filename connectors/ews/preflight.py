"""Ask what a preflight needs: who owns the mailbox, what will not move, who it sends as.

Some servers do not support each question: None means "not offered by this server", never a failure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import TNS, EwsRefusal, refusal_of, translated
from connectors.ews.fetch import ANSWER, SUSPECT
from connectors.ews.folders import all_folders
from connectors.ews.records import id_of, item_of, smtp_address
from connectors.ews.requests import (
    distinguished,
    find_folders,
    find_newest,
    get_delegates,
    get_folders,
    get_items,
    resolve_names,
)
from connectors.ews.response_stream import ResponseMessage
from connectors.ews.rules import rules_of
from connectors.ews.settings import ONLINE
from model.errors import Transient

SENDERS_AT_ONCE = 100
SERVERS = {8: "Exchange 2007", 14: "Exchange 2010"}
SERVERS_15 = {0: "Exchange 2013", 1: "Exchange 2016", 2: "Exchange 2019 or SE", 20: ONLINE}


def extras(client: EwsClient) -> Iterator[tuple[str, int | None]]:
    """Yield a code and a count of what exists and will not move.

    The archive mailbox, recoverable items and holds are counted in items, public folders in folders at their
    top, rules and delegates one by one.

    Args:
        client: the EWS client.

    Yields:
        (code, count); count None: not offered by this server.

    Raises:
        Transient, Blocked: the connection failed.

    Source:
        https://learn.microsoft.com/exchange/client-developer/web-service-reference/getinboxrules-operation
        https://learn.microsoft.com/exchange/client-developer/web-service-reference/getdelegate-operation
    """
    questions: tuple[tuple[str, Callable[[EwsClient], int | None]], ...] = (
        ("archive-mailbox", lambda w: _items_below(w, "archivemsgfolderroot")),
        ("recoverable-items", lambda w: _items_below(w, "recoverableitemsroot")),
        ("public-folders", _public_folders),
        ("inbox-rules", _rules),
        ("delegates", _delegates),
        ("holds", lambda w: _items_in(w, "recoverableitemsdiscoveryholds")),
    )
    for code, question in questions:
        try:
            count = question(client)
        except EwsRefusal as refusal:
            if refusal.busy:
                raise translated(refusal) from None
            count = None
        except Transient as error:
            if error.code != "server-error":
                raise
            count = None
        yield code, count


def _items_in(client: EwsClient, name: str) -> int | None:
    request = get_folders([distinguished(name, client.mailbox)])
    counts = client.collect(request, "GetFolderResponseMessage", _total)
    return counts[0] if counts else None


def _items_below(client: EwsClient, name: str) -> int | None:
    own = _items_in(client, name)
    below = all_folders(client, distinguished(name, client.mailbox))
    return None if own is None else own + sum(folder.total or 0 for folder in below if not folder.search)


def _total(message: ResponseMessage) -> int | None:
    text = message.element.findtext(f".//{TNS}TotalCount")
    return int(text) if text and text.isdigit() else None


def _public_folders(client: EwsClient) -> int | None:
    request = find_folders(_shared_root(), 0, tags=False, traversal="Shallow")
    counts = client.collect(request, "FindFolderResponseMessage", lambda m: _children(m, "Folders"))
    return counts[0] if counts else None


def _shared_root() -> str:
    # Public folders belong to no mailbox: a Mailbox element here is an error on Exchange.
    return '<t:DistinguishedFolderId Id="publicfoldersroot"/>'


def _children(message: ResponseMessage, holder: str) -> int:
    """Return the number of children of an element."""
    element = message.element.find(f".//{TNS}{holder}")
    return 0 if element is None else len(element)


def _rules(client: EwsClient) -> int | None:
    """Return the number of inbox rules."""
    found = rules_of(client)
    return None if found is None else len(found)


def _delegates(client: EwsClient) -> int | None:
    counts = client.collect(
        get_delegates(client.mailbox),
        "GetDelegateResponse",
        lambda message: len(message.element.findall(".//{*}DelegateUser")),
        strict=False,
    )
    return counts[0] if counts else None


def delegates(client: EwsClient) -> list[str] | None:
    """Return the lower-case addresses of the mailbox's delegates; None if the server does not say.

    Raises:
        Transient, Blocked: the connection failed, or the server is busy.

    Source:
        https://learn.microsoft.com/exchange/client-developer/web-service-reference/getdelegate-operation
    """

    def read(message: ResponseMessage) -> list[str]:
        found = message.element.findall(".//{*}DelegateUser/{*}UserId/{*}PrimarySmtpAddress")
        return [address.lower() for one in found if (address := (one.text or "").strip())]

    try:
        answers = client.collect(get_delegates(client.mailbox), "GetDelegateResponse", read, strict=False)
    except EwsRefusal as refusal:
        if refusal.busy:
            raise translated(refusal) from None
        return None
    return answers[0] if answers else None


def addresses(client: EwsClient) -> tuple[str, frozenset[str]]:
    """Return the lower-case addresses that the directory states for exactly this mailbox.

    A result that only begins alike does not count.

    Args:
        client: the EWS client.

    Returns:
        The primary address, and all of them; empty when the server states none or does not support the
            question.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.

    Source:
        https://learn.microsoft.com/exchange/client-developer/web-service-reference/resolvenames-operation
    """
    address = client.mailbox.lower()
    try:
        answers = client.collect(resolve_names(client.mailbox), "ResolveNamesResponseMessage", _resolutions)
    except EwsRefusal as refusal:
        if refusal.busy:
            raise translated(refusal) from None
        return "", frozenset()
    matching = [stated for answer in answers for stated in answer if address in stated[1]]
    return matching[0] if len(matching) == 1 else ("", frozenset())


def _resolutions(message: ResponseMessage) -> list[tuple[str, frozenset[str]]]:
    """Return the primary address and all addresses of each resolution that is a mailbox."""
    return [
        _addresses_of(resolution)
        for resolution in message.element.iter(TNS + "Resolution")
        if resolution.findtext(f"{TNS}Mailbox/{TNS}MailboxType", "Mailbox") in {"Mailbox", "PublicFolder"}
    ]


def _addresses_of(resolution: etree._Element) -> tuple[str, frozenset[str]]:
    box = resolution.find(TNS + "Mailbox")
    primary = ((smtp_address(box) if box is not None else None) or "").lower()
    return primary, frozenset(_aliases_of(resolution)).union([primary] if primary else [])


def _aliases_of(resolution: etree._Element) -> Iterator[str]:
    for entry in resolution.iterfind(f"{TNS}Contact/{TNS}EmailAddresses/{TNS}Entry"):
        scheme, colon, address = (entry.text or "").strip().rpartition(":")
        if "@" in address and (not colon or scheme.lower() == "smtp"):
            yield address.lower()


def sent_from(client: EwsClient, limit: int) -> list[str]:
    """Return the lower-case sender addresses of the newest sent items, newest first.

    Args:
        client: the EWS client.
        limit: the most items to read.

    Returns:
        One address for each item that states one and can be read.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    request = find_newest(distinguished("sentitems", client.mailbox), limit)
    pages = client.gather(request, "FindItemResponseMessage", _found_ids)
    ids = [id_ for page in pages for id_ in page][:limit]
    senders: dict[str, str] = {}
    for start in range(0, len(ids), SENDERS_AT_ONCE):
        senders.update(_senders(client, ids[start : start + SENDERS_AT_ONCE]))
    return [senders[id_] for id_ in ids if id_ in senders]


def _found_ids(message: ResponseMessage) -> list[str]:
    """Return the item ids in a response."""
    return [str(element.get("Id")) for element in message.element.iter(TNS + "ItemId") if element.get("Id")]


def _senders(client: EwsClient, ids: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (item id, address). An item at which the server fails is found by halving and left out.

    Such an item says nothing about the mailbox's owner. An outage is not blamed on it.
    """
    patience, todo = client.patience(), deque([ids])
    while todo:
        part = todo.popleft()
        request = get_items(part, mime=False, fields=("message:From", "message:Sender"))
        try:
            yield from filter(None, [_sender(message) for message in client.ask(request, ANSWER)])
            patience.progressed()
        except (Transient, EwsRefusal) as error:
            fault = translated(error) if isinstance(error, EwsRefusal) else error
            if not isinstance(fault, Transient):
                raise fault from None
            if fault.code in SUSPECT:
                client.probe()
                middle = len(part) // 2
                todo.extendleft(half for half in (part[middle:], part[:middle]) if len(part) > 1)
            else:
                client.pause(patience, fault)
                todo.appendleft(part)


def _sender(message: ResponseMessage) -> tuple[str, str] | None:
    item = None if refusal_of(message.element) is not None else item_of(message.element)
    if item is None:
        return None
    parties = [*item.findall(TNS + "From"), *item.findall(TNS + "Sender")]
    stated = next(filter(None, map(smtp_address, parties)), None)
    return (id_of(item)[0], stated.lower()) if stated else None


def server(version: dict[str, str], schema: str) -> dict[str, str]:
    """Return facts about the server, from its last header.

    Args:
        version: the attributes of ServerVersionInfo.
        schema: the schema version of the requests.
    """
    major, minor = version.get("MajorVersion", ""), version.get("MinorVersion", "")
    build = ".".join(version.get(f"{part}Number", "?") for part in ("MajorBuild", "MinorBuild"))
    facts = {"schema": schema}
    if major.isdigit() and minor.isdigit():
        product = SERVERS_15.get(int(minor)) if int(major) == 15 else SERVERS.get(int(major))
        facts |= {"version": f"{major}.{minor}.{build}", "product": product or "unknown"}
    if version.get("Version", "").replace("_", "").isalnum():
        facts["dialect"] = version["Version"][:40]
    return facts
