"""Ask Graph what a preflight needs.

It needs to know who owns the mailbox, what will not move, who it sends as, and what the application may do.
Some questions need a permission of their own, and some Graph cannot answer: None means "not stated", never a
failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from connectors.graph.rights import shared_with
from connectors.graph_api.client import GraphClient, listed, query
from connectors.graph_api.errors import GraphRefusal, translated
from connectors.graph_api.folders import number
from connectors.graph_api.messages import address_of
from connectors.graph_drives.sites import is_site
from model.kinds import Kind
from model.optional_protocols import Rights

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
    Kind.SETTINGS: ("MailboxSettings.Read", "MailboxSettings.ReadWrite"),
    Kind.PERMISSIONS: ("Calendars.Read", "Calendars.ReadWrite"),
}
"""Application permissions by kind; one of them is enough, the narrowest first. Source:
https://learn.microsoft.com/graph/permissions-reference"""

SCOPABLE = ("Mail.", "MailboxSettings.", "MailboxFolder.", "MailboxItem.", "Calendars.", "Contacts.")
"""Permissions that RBAC for Applications can give for some mailboxes. Given by consent, the token states them
and they hold for all mailboxes."""

WRITES = ("write", "send", "manage", "fullcontrol", "full_access", "readwrite", "accessasuser")
_FACTS_OF_SITE = {"site": "SharePoint Online"}
PROBES: Mapping[Kind, str] = {
    Kind.MAIL: "mailFolders/inbox",
    Kind.CALENDAR: "calendar",
    Kind.CONTACTS: "contactFolders",
    Kind.SETTINGS: "mailFolders/inbox/messageRules",
    Kind.PERMISSIONS: "calendar/calendarPermissions",
}


def extras(client: GraphClient) -> Iterator[tuple[str, int | None]]:
    """Yield a code and a count of what exists and will not move.

    Graph reaches neither an In-Place Archive (its well-known folder "archive" is something else) nor notes,
    lists of people and rights to folders other than calendars; it does not say if there are any. Recoverable
    items are counted in items, rules and groups one by one, and the people who share the default calendar.

    Args:
        client: the Graph client.

    Yields:
        (code, count); count None: not stated.

    Raises:
        Transient, Blocked: the connection failed.
        GraphRefusal: the login is refused.
    """
    yield "archive-mailbox", None
    yield "notes", None
    yield "distribution-lists", None
    yield "folder-rights", None
    questions: tuple[tuple[str, Callable[[GraphClient], int | None]], ...] = (
        ("recoverable-items", _recoverable),
        ("inbox-rules", _rules),
        ("delegates", shared_with),
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
    """Return the number of recoverable items, or None."""
    totals = []
    for name in RECOVERABLE:
        try:
            folder = client.get(f"{client.home}/mailFolders/{name}", query(select="id,totalItemCount"))
        except GraphRefusal as refused:
            if not refused.absent and refused.status != 400:
                raise
            continue
        totals.append(number(folder.get("totalItemCount")))
    counts = [count for count in totals if count is not None]
    return sum(counts) if counts else None


def _rules(client: GraphClient) -> int:
    return sum(1 for _ in client.rows(f"{client.home}/mailFolders/inbox/messageRules"))


def _groups(client: GraphClient) -> int | None:
    """Return the number of Microsoft 365 groups: each has a mailbox, a calendar and files of its own.

    Of a group that the application may not read, only the id is stated. A list that is not stated is empty,
    so `mailEnabled` tells: every group has it.

    Returns:
        The number; None if a group is not stated.

    Source:
        https://learn.microsoft.com/graph/permissions-overview
    """
    options = query(select="id,groupTypes,mailEnabled", top=100)
    rows = list(client.rows(f"{client.home}/memberOf/microsoft.graph.group", options))
    if any(row.get("mailEnabled") is None for row in rows):
        return None
    return sum("Unified" in (row.get("groupTypes") or ()) for row in rows)


def sent_from(client: GraphClient, limit: int) -> list[str]:
    """Return the lower-case sender addresses of the newest sent items, newest first.

    Args:
        client: the Graph client.
        limit: the most items to read.

    Returns:
        One address for each item that states one; [] without Sent Items.
    """
    options = query(select="from,sender", orderby="receivedDateTime desc", top=max(1, min(limit, 1000)))
    try:
        page = client.get(f"{client.home}/mailFolders/sentitems/messages", options)
    except GraphRefusal as refused:
        if refused.absent:
            return []
        raise
    addresses = [address_of(row.get("from")) or address_of(row.get("sender")) for row in listed(page)]
    return [address.lower() for address in addresses[:limit] if address]


def rights(client: GraphClient) -> Rights:
    """Return what the token grants; permissions by RBAC for Applications are not in a token."""
    roles = sorted(filter(_plain, client.roles()))
    return Rights(
        wide=tuple(role for role in roles if role.startswith(SCOPABLE)),
        writes=tuple(role for role in roles if any(word in role.lower() for word in WRITES)),
    )


def withheld(client: GraphClient, kinds: frozenset[Kind]) -> frozenset[Kind]:
    """Return the kinds that may not be read of this account.

    Args:
        client: the Graph client.
        kinds: the kinds to check.

    Raises:
        GraphRefusal, Transient, Blocked: the server cannot be asked.
    """
    roles = client.roles()
    return frozenset(kind for kind in kinds if _missing(client, roles, kind))


def server(client: GraphClient, kinds: frozenset[Kind]) -> dict[str, str]:
    """Return which API is used, where the mailbox is, and the application's permissions.

    "tenant-wide": permissions by consent that RBAC for Applications could give for the wave's mailboxes
    alone. "writes": permissions to do more than read. "missing": workloads that may not be read. Graph does
    not say if EWS is still open in this tenant. A site has no mailbox.

    Args:
        client: the Graph client.
        kinds: the kinds to check.
    """
    facts = {"api": "Microsoft Graph v1.0"} | (
        _FACTS_OF_SITE if is_site(client.user) else _of_mailbox(client)
    )
    granted = rights(client)
    rows = {
        "tenant-wide": granted.wide,
        "writes": granted.writes,
        "missing": sorted(kind.value for kind in withheld(client, kinds)),
    }
    return facts | {name: " ".join(names) for name, names in rows.items() if names}


def _of_mailbox(client: GraphClient) -> dict[str, str]:
    return {
        "mailbox": _mailbox_place(client),
        "in-place-archive": "out of Graph's reach",
        "ews": "open or closed, Graph does not tell",
    }


def _mailbox_place(client: GraphClient) -> str:
    """Return where the mailbox is; without the permission to ask, that is not stated."""
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
