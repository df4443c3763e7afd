"""Read Exchange as a source, over EWS.

Ids are case-sensitive and change when an item moves: a move is a delete and a create. Folder ids do not
change. SyncFolderItems gives at most 512 changes, newest first, and each page has its own state.
`connectors.ews.fetch` reads items, `connectors.ews.response_stream` reads replies.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/maxchangesreturned
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from connectors.ews.calendar_view import occurrences
from connectors.ews.client import EwsClient
from connectors.ews.configurations import hours_of
from connectors.ews.distribution_lists import Expansion
from connectors.ews.errors import REFUSED_FIELDS, EwsRefusal, translated
from connectors.ews.fetch import Fetch, FetchPlan, PageSize
from connectors.ews.fields import FORMATS, Shape
from connectors.ews.folders import ROOT, all_folders, known_ids, root_id
from connectors.ews.items import RecordPlan
from connectors.ews.mail import MailPlan
from connectors.ews.preflight import addresses, delegates, extras, sent_from, server
from connectors.ews.records import SyncPage, sync_page
from connectors.ews.replies import reply_of
from connectors.ews.requests import distinguished, sync_items
from connectors.ews.rights import rights_of
from connectors.ews.rules import rules_of
from connectors.ews.series_states import CalendarCursor, digests_of, read_cursor
from connectors.ews.settings import EwsSettings
from connectors.exchange.folders import containers
from connectors.exchange.hours import hours_container, hours_reader
from connectors.exchange.listed_rights import with_listed
from connectors.exchange.record_set import RecordSetReader
from connectors.exchange.replies import REPLY, reply_container, reply_reader
from connectors.exchange.rights import RIGHTS, RightsAnswer, RightSetReader, rights_container
from connectors.exchange.rules import RULES, rule_container, rule_reader
from connectors.settings import Account
from model.errors import CursorLost, Transient
from model.kinds import Kind
from model.listed_rights import ListedRight
from model.protocols import Capabilities, Container, Failed, Identity, Native, Page, Ref
from model.working_hours import HOURS

__all__ = ["EwsSettings", "EwsSource"]

PAGES_MOST = 100_000  # of one folder
FOLDER_KINDS = frozenset({Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS, Kind.NOTES})
OF_ALL_FOLDERS = frozenset({Kind.SETTINGS, Kind.PERMISSIONS})
KINDS = FOLDER_KINDS | OF_ALL_FOLDERS


class EwsSource:
    """Read one mailbox on one Exchange server. Implements `model.protocols.Source`.

    account.address (or its login, where there is none) names the mailbox. The server is not asked before the
    first call. One thread at a time, except for close().
    """

    def __init__(
        self,
        settings: EwsSettings,
        account: Account,
        spool: Path,
        kinds: frozenset[Kind] = FOLDER_KINDS,
        *,
        classes: bool = False,
        listed: tuple[ListedRight, ...] = (),
    ) -> None:
        """Prepare the source; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account; see the class.
            spool: the folder for spool files.
            kinds: what will be asked for. Folders of every kind are listed, unless only rules or rights are
                asked for.
            classes: True to list the items' classes, too, which tell Ref.foreign. Copying does without: it
                fetches every item.
            listed: the rights to this mailbox that an administrator exported.
        """
        self._settings = settings
        self._listed = listed
        self._kinds = kinds
        self._classes = classes
        self._login = account.login
        self._client = EwsClient(settings, account, spool)
        self._pace = PageSize(settings.batch_items, settings.batch_bytes)
        self._shapes = {kind: Shape(kind) for kind in FORMATS}
        self._expansion = Expansion(self._client)
        self._sets: dict[str, RecordSetReader | RightSetReader] = {
            RULES: rule_reader(self._read_rules, "ews-rule"),
            REPLY: reply_reader(self._read_reply, "ews-reply"),
            HOURS: hours_reader(self._read_hours, "ews-hours"),
            RIGHTS: RightSetReader(self._read_rights, "ews-right"),
        }
        self._root: str | None = None
        self._typed = True  # SyncFolderItems reports which appointments are occurrences

    @property
    def capabilities(self) -> Capabilities:
        """Return what the source can do; `facts` holds what server() knows so far. Asks nothing."""
        return Capabilities(
            kinds=KINDS,
            batch=self._settings.batch_items,
            batch_bytes=self._settings.batch_bytes,
            name_bytes=1024,
            facts=server(self._client.version, self._client.schema),
        )

    def identity(self) -> Identity:
        """Return who owns the mailbox.

        The id is a hash of the root folder's id, which changes when the mailbox is re-created.
        """
        self._root = root = root_id(self._client)
        id_ = hashlib.blake2b(root.encode(), digest_size=16).hexdigest()
        primary, stated = addresses(self._client)
        return Identity("ews", id_, stated, primary=primary)

    def containers(self) -> Iterator[Container]:
        """List the folders below the visible top; roles by distinguished id.

        Raises:
            Blocked: "mailbox-missing", "access-denied" and the other codes of `connectors.ews.errors`.
            Transient: the retries are used up.
        """
        if Kind.SETTINGS in self._kinds:
            yield rule_container()
            yield reply_container()
            yield hours_container()
        if Kind.PERMISSIONS in self._kinds:
            yield rights_container()
        if not self._kinds <= OF_ALL_FOLDERS:
            yield from self._folders()

    def _folders(self) -> Iterator[Container]:
        self._root = root = self._root or root_id(self._client)
        names_by_id = known_ids(self._client)
        try:
            folders = all_folders(self._client, distinguished(ROOT, self._client.mailbox))
        except EwsRefusal as refusal:
            raise translated(refusal) from None
        yield from containers(
            folders, root, names_by_id, rights=self._settings.impersonation or self._own_login
        )

    @property
    def _own_login(self) -> bool:
        return self._settings.username in {None, self._login}

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List what changed since a cursor, in pages of at most 512; see `model.protocols.Source.changes`.

        A version ends in /r0 or /r1 when only the read flag changed. One dialect silently starts again for an
        unknown state: its page then lists everything, which the ledger recognizes by version.

        Args:
            container: the folder.
            cursor: the sync state; None lists everything.

        Raises:
            CursorLost: "cursor-lost" when the server does not know the state or gives none.
            Transient: "sync-stuck" when the state does not advance, or comes again; "folder-vanished"; the
                retries are used up.
        """
        if container.id in self._sets:
            yield from self._sets[container.id].changes(cursor)
            return
        if container.kind is Kind.CALENDAR:
            yield from self._calendar_changes(container, cursor)
            return
        for page in self._pages(container, cursor):
            yield Page(page.refs, page.state, full=cursor is None)

    def _pages(self, container: Container, state: str | None) -> Iterator[SyncPage]:
        seen = {state}
        while True:
            page = self._sync(container, state)
            if not page.state:
                raise CursorLost("cursor-lost", "the server gave no sync state")
            if not page.last and (page.state in seen or len(seen) > PAGES_MOST):
                raise Transient("sync-stuck", "the server does not advance its sync state")
            seen.add(page.state)
            yield page
            if page.last:
                return
            state = page.state

    def _calendar_changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List what changed, and the series that changed in one of their days alone (see series_states)."""
        known = CalendarCursor("") if cursor is None else read_cursor(cursor)
        series: dict[str, Ref] = {}
        for page in self._pages(container, known.state or None):
            series |= _series_of(page)
            if not page.last or not self._typed or not (series or known.has_series):
                yield Page(page.refs, replace(known, state=page.state).text(), full=cursor is None)
            else:
                if cursor is not None:
                    series = {ref.id: ref for ref in self._series(container)}
                yield from self._last_pages(page, known, series, full=cursor is None)

    def _last_pages(
        self, page: SyncPage, known: CalendarCursor, series: Mapping[str, Ref], *, full: bool
    ) -> Iterator[Page]:
        """Yield the last page of a listing, with the series that changed in one of their days alone.

        Such a series is listed with a version that it never has, so that it counts as changed, and then with
        its own. Where no digests were known, they are only noted.
        """
        digests = digests_of(self._client, list(series), known.digests or {})
        now = CalendarCursor(page.state, digests.all, bool(series)).text()
        moved = () if known.digests is None else tuple(series[id_] for id_ in sorted(digests.moved))
        if not moved:
            yield Page(page.refs, now, full=full)
            return
        odd = tuple(replace(ref, version=f"days/{digests.version(ref.id)}") for ref in moved)
        yield Page(page.refs + odd, replace(known, state=page.state).text())
        yield Page(moved, now)

    def series(self, container: Container) -> Iterator[str]:
        """Yield the ids of the series of a calendar; see `engine.verify.second_look.TellsSeries`."""
        return (ref.id for ref in self._series(container))

    def _series(self, container: Container) -> Iterator[Ref]:
        for page in self._pages(container, None):
            yield from _series_of(page).values()

    def _sync(self, container: Container, state: str | None) -> SyncPage:
        types = self._typed and container.kind is Kind.CALENDAR
        request = sync_items(
            container.id, state, self._settings.sync_items, types=types, classes=self._classes
        )
        try:
            pages = self._client.collect(
                request,
                "SyncFolderItemsResponseMessage",
                lambda message: sync_page(message.element, container.kind),
            )
        except EwsRefusal as refusal:
            if not types or refusal.code not in REFUSED_FIELDS:
                raise translated(refusal) from None
            self._typed = False
            return self._sync(container, state)
        if len(pages) != 1:
            raise Transient("not-soap", "an answer to SyncFolderItems without its content")
        return pages[0]

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        """Yield items as they arrive, in any order; see `model.protocols.Source.fetch`.

        Large bodies are spooled; a body lives as long as its Native. The format is the one of the container's
        kind (`mappings.registry`), also for an item that does not belong there: its ItemClass says so.
        """
        if container.id in self._sets:
            yield from self._sets[container.id].fetch(refs, bodies=bodies)
        else:
            yield from Fetch(self._client, self._pace, self._plan(container.kind, bodies)).run(refs)

    def _read_rules(self) -> dict[str, bytes]:
        try:
            return rules_of(self._client) or {}
        except EwsRefusal as refusal:
            raise translated(refusal) from None

    def _read_reply(self) -> bytes | None:
        try:
            return reply_of(self._client)
        except EwsRefusal as refusal:
            raise translated(refusal) from None

    def _read_hours(self) -> bytes | None:
        try:
            return hours_of(self._client)
        except EwsRefusal as refusal:
            raise translated(refusal) from None

    def _read_rights(self) -> RightsAnswer:
        folders = [one for one in self._folders() if one.omit is None and one.kind in FOLDER_KINDS]
        try:
            answer = rights_of(self._client, folders)
        except EwsRefusal as refusal:
            raise translated(refusal) from None
        told = {folder.id for folder in folders} - answer.untold
        return with_listed(answer, self._listed, folders, told)

    def _plan(self, kind: Kind, bodies: bool) -> FetchPlan[Native]:
        if kind not in FORMATS:
            return MailPlan(self._client, bodies=bodies)
        return RecordPlan(self._client, self._pace, self._shapes[kind], self._expansion, bodies=bodies)

    def occurrences(
        self, container: Container, start: datetime, end: datetime
    ) -> Iterator[tuple[str, datetime, datetime]] | None:
        """Expand a calendar; see `model.optional_protocols.SupportsOccurrences`."""
        expanded = occurrences(self._client, container.id, start, end)
        return None if expanded is None else iter(expanded)

    def delegates(self) -> list[str] | None:
        """Return who may act for the owner; see `model.optional_protocols.SupportsDelegates`."""
        return delegates(self._client)

    def extras(self) -> Iterator[tuple[str, int | None]]:
        """Yield (code, count) of what exists and will not move; None where this server does not offer it."""
        return extras(self._client)

    def server(self) -> dict[str, str]:
        """Return version and dialect, in the server's own words; asks the server."""
        root_id(self._client)
        return server(self._client.version, self._client.schema)

    def sent_from(self, limit: int = 50) -> list[str]:
        """Return the sender addresses of the newest sent items, newest first."""
        return sent_from(self._client, limit)

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._client.trouble()

    def close(self) -> None:
        """End every request; safe from any thread and more than once."""
        self._client.close()


def _series_of(page: SyncPage) -> dict[str, Ref]:
    return {ref.id: ref for ref in page.refs if ref.id in page.series and not ref.deleted}
