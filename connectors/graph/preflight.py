"""What a preflight wants to know over Graph: who owns the mailbox, what will not move, who it sends as, and
what the application may do.

Some questions need a permission of their own, and some Graph cannot answer: None means "not told", never a
failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from connectors.graph_api.client import GraphClient, listed, query
from connectors.graph_api.errors import GraphRefusal, translated
from connectors.graph_api.folders import number
from connectors.graph_api.messages import address_of
from connectors.graph_drives.sites import is_site
from model.optional_protocols import Rights
from model.protocols import Kind

RECOVERABLE = ("recoverableitemsdeletions", "recoverableitemspurges", "recoverableitemsversions")
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.MAIL: ("Mail.Read", "Mail.ReadWrite"),
    Kind.CALENDAR: ("Calendars.Read", "Calendars.ReadWrite"),
    Kind.CONTACTS: ("Contacts.Read", "Contacts.ReadWrite"),
    Kind.TASKS: ("Tasks.Read.All", "Tasks.ReadWrite.All"),
    Kind.FILES: (
        "Sites.Selected",
        "Files.Read.All",
        "Files.ReadWrite.All",
        "Sites.Read.All",
        "Sites.ReadWrite.All",
    ),
}
"""By kind, the application permissions of which one is enough, the least first."""

SCOPABLE = ("Mail.", "MailboxSettings.", "MailboxFolder.", "MailboxItem.", "Calendars.", "Contacts.")
"""Permissions that RBAC for Applications can give for some mailboxes; given by consent they stand in the
token, and hold for all."""

WRITES = ("write", "send", "manage", "fullcontrol", "full_access", "readwrite", "accessasuser")
_FACTS_OF_SITE = {"site": "SharePoint Online"}
PROBES: Mapping[Kind, str] = {
    Kind.MAIL: "mailFolders/inbox",
    Kind.CALENDAR: "calendar",
    Kind.CONTACTS: "contactFolders",
}


def extras(client: GraphClient) -> Iterator[tuple[str, int | None]]:
    """What is there and will not move: a code and its count; None: not told.

    Graph reaches neither an In-Place Archive (its well-known folder "archive" is another thing) nor notes nor
    lists of people; it does not say whether there are any. Recoverable items are counted in items, rules and
    groups each. Raises Transient and Blocked only for the connection itself."""
    yield "archive-mailbox", None
    yield "notes", None
    yield "distribution-lists", None
    questions: tuple[tuple[str, Callable[[GraphClient], int | None]], ...] = (
        ("recoverable-items", _recoverable),
        ("inbox-rules", _rules),
        ("groups", _groups),
    )
    for code, question in questions:
        try:
            yield code, question(client)
        except GraphRefusal as refused:
            if refused.status == 401:
                raise
            yield code, None


def _recoverable(client: GraphClient) -> int | None:
    found = []
    for name in RECOVERABLE:
        try:
            folder = client.get(f"{client.home}/mailFolders/{name}", query(select="id,totalItemCount"))
        except GraphRefusal as refused:
            if not refused.absent and refused.status != 400:
                raise
            continue
        found.append(number(folder.get("totalItemCount")))
    counts = [count for count in found if count is not None]
    return sum(counts) if counts else None


def _rules(client: GraphClient) -> int:
    return sum(1 for _ in client.rows(f"{client.home}/mailFolders/inbox/messageRules"))


def _groups(client: GraphClient) -> int:
    """Microsoft 365 groups: each has a mailbox, a calendar and files of its own."""
    options = query(select="id,groupTypes", top=100)
    rows = client.rows(f"{client.home}/memberOf/microsoft.graph.group", options)
    return sum("Unified" in (row.get("groupTypes") or ()) for row in rows)


def sent_from(client: GraphClient, limit: int) -> list[str]:
    """The lower-case sender addresses of the newest sent items, newest first, one for each item that states
    one."""
    options = query(select="from,sender", orderby="receivedDateTime desc", top=max(1, min(limit, 1000)))
    try:
        page = client.get(f"{client.home}/mailFolders/sentitems/messages", options)
    except GraphRefusal as refused:
        if refused.absent:
            return []
        raise
    found = [address_of(row.get("from")) or address_of(row.get("sender")) for row in listed(page)]
    return [address.lower() for address in found[:limit] if address]


def rights(client: GraphClient) -> Rights:
    """By the token alone: what RBAC for Applications gives stands in none."""
    roles = sorted(filter(_plain, client.roles()))
    return Rights(
        wide=tuple(role for role in roles if role.startswith(SCOPABLE)),
        writes=tuple(role for role in roles if any(word in role.lower() for word in WRITES)),
    )


def withheld(client: GraphClient, kinds: frozenset[Kind]) -> frozenset[Kind]:
    """Those that may not be read of this account."""
    roles = client.roles()
    return frozenset(kind for kind in kinds if _missing(client, roles, kind))


def server(client: GraphClient, kinds: frozenset[Kind]) -> dict[str, str]:
    """Which API, whether the mailbox is there, and the application's permissions.

    "tenant-wide": given by consent where RBAC for Applications could give them for the wave's mailboxes
    alone. "writes": more than reading. "missing": workloads that may not be read. Whether EWS is still open
    in this tenant Graph does not tell. Of a site there is no mailbox to speak of."""
    facts = {"api": "Microsoft Graph v1.0"} | (
        _FACTS_OF_SITE if is_site(client.user) else _of_mailbox(client)
    )
    found = rights(client)
    rows = {
        "tenant-wide": found.wide,
        "writes": found.writes,
        "missing": sorted(kind.value for kind in withheld(client, kinds)),
    }
    return facts | {name: " ".join(names) for name, names in rows.items() if names}


def _of_mailbox(client: GraphClient) -> dict[str, str]:
    return {
        "mailbox": _hosted(client),
        "in-place-archive": "out of Graph's reach",
        "ews": "open or closed, Graph does not tell",
    }


def _hosted(client: GraphClient) -> str:
    """Where the mailbox is. Without the permission to ask, that is not told."""
    try:
        client.get(f"{client.home}/mailFolders/inbox", query(select="id"))
    except GraphRefusal as refused:
        code = translated(refused).code
        if code == "mailbox-not-online":
            return "not in Exchange Online: read it over EWS"
        if code != "access-denied":
            raise
        return "not told"
    return "Exchange Online"


def _missing(client: GraphClient, roles: frozenset[str], kind: Kind) -> bool:
    if kind not in NEEDED or roles & set(NEEDED[kind]):
        return False
    if kind not in PROBES:
        return True
    try:
        client.get(f"{client.home}/{PROBES[kind]}", query(select="id"))
    except GraphRefusal as refused:
        return refused.status == 403
    return False


def _plain(role: str) -> bool:
    return role.isascii() and role.isprintable() and " " not in role and len(role) < 80
