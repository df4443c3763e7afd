"""Calendars: which there are, their events, and when those take place.

Graph's delta of events knows a window of time alone, and takes what leaves the window for deleted: it would
lose what lies outside. So every pass lists each calendar anew, ids and change keys of single events and of
series; a change of one of a series' days changes the change key of the series. Pages are counted from the
top, and whoever deletes something meanwhile shifts what follows: a listing of more than one page is repeated
until two are alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from connectors.exchange.folders import ExchangeFolder, containers
from connectors.graph_api.batch import PARTS_MOST, BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.fields import EVENT_LISTED, FOLDER_EXPAND
from connectors.graph_api.folders import CLASS, tagged
from connectors.graph_api.messages import moment, version_of
from connectors.graph_items.events import Events
from model.protocols import Container, Failed, Native, Page, Ref

APPOINTMENTS = "IPF.Appointment"
HIDDEN = 0x10F4
SHARED = "shared"
"""The code of what somebody else shares with the owner."""

LISTINGS_MOST = 4
UNFINISHED = "~"
"""A cursor in the middle of a listing: the next one starts anew."""

WINDOW = timedelta(days=1800)  # Graph allows 1,825
FIELDS = "id,name,hexColor,isDefaultCalendar,canEdit,owner"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
Occurrence = tuple[str, datetime, datetime]


class CalendarReader:
    """Implements connectors.graph_api.reader.ItemReader for events."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._events = Events(client)

    def containers(self) -> Iterator[Container]:
        """Those of all groups, the default one first."""
        default = self._client.get(f"{self._client.home}/calendar", query(select=FIELDS))
        found = {str(default.get("id") or ""): default}
        for row in self._listed():
            found.setdefault(str(row.get("id") or ""), row)
        classes = self._classes(found)
        folders = [_folder(id_, row, classes.get(id_, ("", False))) for id_, row in found.items() if id_]
        owner = _owner(default)
        for container in containers(folders, "", {str(default.get("id")): "calendar"}):
            row = found[container.id]
            others = bool(owner) and _owner(row) not in {"", owner}
            yield replace(container, color=_color(row), omit=container.omit or (SHARED if others else None))

    def _listed(self) -> Iterator[Json]:
        options = query(select=FIELDS, top=100)
        yield from self._client.rows(f"{self._client.home}/calendars", options)
        for group in self._client.rows(f"{self._client.home}/calendarGroups", query(select="id", top=100)):
            path = f"{self._client.home}/calendarGroups/{segment(str(group.get('id') or ''))}/calendars"
            yield from self._client.rows(path, options)

    def _classes(self, ids: Iterable[str]) -> dict[str, tuple[str, bool]]:
        options = query(select="id", expand=FOLDER_EXPAND)
        return classes(self._client, {id_: f"{self._path(id_)}?{options}" for id_ in ids if id_})

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Everything, unless nothing changed since cursor."""
        found = self._stable(container)
        mark = _mark(found)
        if cursor == mark:
            yield Page((), mark)
            return
        rest = iter(found.items())
        size = self._client.settings.page_items
        pages = list(iter(lambda: tuple(Ref(*one) for one in islice(rest, size)), ()))
        for refs in pages[:-1]:
            yield Page(refs, UNFINISHED, full=True)
        yield Page(pages[-1] if pages else (), mark, full=True)

    def _stable(self, container: Container) -> dict[str, str]:
        """Id -> version of what is there. What a shifted page left out of one listing is in another."""
        found, pages = self._listing(container)
        for _ in range(LISTINGS_MOST - 1 if pages > 1 else 0):
            again, _ = self._listing(container)
            if again.keys() == found.keys():
                return again
            found = {**found, **again}
        return found

    def _listing(self, container: Container) -> tuple[dict[str, str], int]:
        """And how many pages it took."""
        options = query(select=EVENT_LISTED, top=self._client.settings.page_items)
        rows = list(self._client.rows(f"{self._path(container.id)}/events", options))
        found = {str(row["id"]): version_of(row) or str(row.get("lastModifiedDateTime")) for row in rows}
        return found, -(-len(rows) // self._client.settings.page_items)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        rest = iter(refs)
        while batch := list(islice(rest, PARTS_MOST)):
            yield from self._events.read(self._path(container.id), batch, bodies=bodies)

    def occurrences(self, container: Container, start: datetime, end: datetime) -> Iterator[Occurrence]:
        """UID, start and end of everything that lies in [start, end), by calendar views. The UID of an
        occurrence is its series'."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        uids = self._uids(container)
        low = start
        while low < end:
            high = min(end, low + WINDOW)
            for row in self._view(container, low, high):
                one = _occurrence(row, uids)
                # It belongs to the window it begins in; one that goes on from before, to the first.
                if one is not None and (low <= one[1] < high or (low == start and one[1] < low < one[2])):
                    yield one
            low = high

    def _view(self, container: Container, low: datetime, high: datetime) -> Iterator[Json]:
        options = query(
            startDateTime_=f"{low:%Y-%m-%dT%H:%M:%SZ}",
            endDateTime_=f"{high:%Y-%m-%dT%H:%M:%SZ}",
            select="iCalUId,seriesMasterId,start,end,isAllDay,originalStartTimeZone",
            top=self._client.settings.page_items,
        )
        return self._client.rows(f"{self._path(container.id)}/calendarView", options)

    def _uids(self, container: Container) -> dict[str, str]:
        options = query(select="id,iCalUId", top=self._client.settings.page_items)
        rows = self._client.rows(f"{self._path(container.id)}/events", options)
        return {str(row["id"]): str(row.get("iCalUId") or "") for row in rows}

    def _path(self, id_: str) -> str:
        return f"{self._client.home}/calendars/{segment(id_)}"


def classes(client: GraphClient, asks: dict[str, str]) -> dict[str, tuple[str, bool]]:
    """The class of each folder, and whether people do not see it, where the server tells."""
    found = {}
    for id_, outcome in BatchReader(client).run(asks):
        if not isinstance(outcome, GraphRefusal):
            tags = tagged(outcome.json)
            found[id_] = (tags.get(CLASS, "").strip(), tags.get(HIDDEN, "").lower() == "true")
    return found


def _folder(id_: str, row: Json, facts: tuple[str, bool]) -> ExchangeFolder:
    class_, hidden = facts
    return ExchangeFolder(
        id=id_,
        parent="",
        name=str(row.get("name") or ""),
        class_=class_ if class_.lower().startswith(APPOINTMENTS.lower()) else APPOINTMENTS,
        total=None,
        size=None,
        hidden=hidden,
        search=False,
        readonly=row.get("canEdit") is False,
    )


def _owner(row: Json) -> str:
    owner = row.get("owner")
    return str(owner.get("address") or "").lower() if isinstance(owner, dict) else ""


def _color(row: Json) -> str | None:
    found = str(row.get("hexColor") or "")
    return found.lower() if _COLOR.fullmatch(found) else None


def _mark(found: dict[str, str]) -> str:
    """The same for the same items in the same versions."""
    digest = hashlib.blake2b(digest_size=16)
    for id_, version in sorted(found.items()):
        digest.update(f"{id_}\0{version}\0".encode())
    return digest.hexdigest()


def _occurrence(row: Json, uids: dict[str, str]) -> Occurrence | None:
    start, end = (_instant(row.get(name)) for name in ("start", "end"))
    if start is None or end is None:
        return None
    uid = uids.get(str(row.get("seriesMasterId") or "")) or str(row.get("iCalUId") or "")
    return uid, start, end


def _instant(value: object) -> datetime | None:
    return moment(value.get("dateTime")) if isinstance(value, dict) else None
