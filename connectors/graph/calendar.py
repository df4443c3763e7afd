"""Read calendars: the list of them, their events, and when the events take place.

Graph's delta of events covers only a window of time and reports what leaves the window as deleted: it would
lose events outside. Therefore every pass lists each calendar completely: ids and change keys of single events
and of series. A change of one day of a series changes the change key of the series. Pages are counted from
the top, and a deletion during the listing shifts what follows: a listing of more than one page is repeated
until two are equal.

Source:
    https://learn.microsoft.com/graph/api/event-delta
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

from connectors.exchange.folders import ExchangeFolder, containers
from connectors.graph.events import Events
from connectors.graph_api.batch import PARTS_MOST, BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.fields import EVENT_LISTED, FOLDER_EXPAND
from connectors.graph_api.folders import CLASS, tagged
from connectors.graph_api.messages import moment, version_of
from model.protocols import Container, Failed, Native, Page, Ref

APPOINTMENTS = "IPF.Appointment"
HIDDEN = 0x10F4
SHARED = "shared"
"""The code of calendars and lists that another person shares with the owner."""

LISTINGS_MOST = 4
UNFINISHED = "~"
"""The cursor in the middle of a listing: the next pass starts again."""

WINDOW = timedelta(days=1800)  # Graph allows 1,825
FIELDS = "id,name,hexColor,isDefaultCalendar,canEdit,owner"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
Occurrence = tuple[str, datetime, datetime]


class CalendarReader:
    """Read events. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._events = Events(client)

    def containers(self) -> Iterator[Container]:
        """List the calendars of all groups, the default one first."""
        default = self._client.get(f"{self._client.home}/calendar", query(select=FIELDS))
        rows = {str(default.get("id") or ""): default}
        for row in self._list_rows():
            rows.setdefault(str(row.get("id") or ""), row)
        classes = self._classes(rows)
        folders = [_folder(id_, row, classes.get(id_, ("", False))) for id_, row in rows.items() if id_]
        owner = _owner(default)
        for container in containers(folders, "", {str(default.get("id")): "calendar"}):
            row = rows[container.id]
            others = bool(owner) and _owner(row) not in {"", owner}
            yield replace(container, color=_color(row), omit=container.omit or (SHARED if others else None))

    def _list_rows(self) -> Iterator[Json]:
        options = query(select=FIELDS, top=100)
        yield from self._client.rows(f"{self._client.home}/calendars", options)
        for group in self._client.rows(f"{self._client.home}/calendarGroups", query(select="id", top=100)):
            path = f"{self._client.home}/calendarGroups/{segment(str(group.get('id') or ''))}/calendars"
            yield from self._client.rows(path, options)

    def _classes(self, ids: Iterable[str]) -> dict[str, tuple[str, bool]]:
        options = query(select="id", expand=FOLDER_EXPAND)
        return classes(self._client, {id_: f"{self._path(id_)}?{options}" for id_ in ids if id_})

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Yield everything, unless nothing changed since the cursor.

        Args:
            container: the calendar.
            cursor: a digest of the last complete listing; None lists everything.
        """
        versions = self._list_stable(container)
        mark = _mark(versions)
        if cursor == mark:
            yield Page((), mark)
            return
        rest = iter(versions.items())
        size = self._client.settings.page_items
        pages = list(iter(lambda: tuple(Ref(*item) for item in islice(rest, size)), ()))
        for refs in pages[:-1]:
            yield Page(refs, UNFINISHED, full=True)
        yield Page(pages[-1] if pages else (), mark, full=True)

    def _list_stable(self, container: Container) -> dict[str, str]:
        """Return the version by id of everything in a calendar.

        Items that a shifted page left out of one listing are in another one.
        """
        versions, pages = self._list_once(container)
        for _ in range(LISTINGS_MOST - 1 if pages > 1 else 0):
            again, _ = self._list_once(container)
            if again.keys() == versions.keys():
                return again
            versions = {**versions, **again}
        return versions

    def _list_once(self, container: Container) -> tuple[dict[str, str], int]:
        """Return the version by id, and the number of pages, which may be smaller than asked for."""
        options = query(select=EVENT_LISTED, top=self._client.settings.page_items)
        pages = list(self._client.row_pages(f"{self._path(container.id)}/events", options))
        rows = chain.from_iterable(pages)
        versions = {str(row["id"]): version_of(row) or str(row.get("lastModifiedDateTime")) for row in rows}
        return versions, len(pages)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read events; see `model.protocols.Source.fetch`."""
        rest = iter(refs)
        while batch := list(islice(rest, PARTS_MOST)):
            yield from self._events.read(self._path(container.id), batch, bodies=bodies)

    def occurrences(self, container: Container, start: datetime, end: datetime) -> Iterator[Occurrence]:
        """Yield (uid, start, end) of everything that lies in [start, end), by calendar views.

        The UID of an occurrence is its series' UID.

        Args:
            container: the calendar.
            start: an aware datetime.
            end: an aware datetime.

        Source:
            https://learn.microsoft.com/graph/api/calendar-list-calendarview
        """
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        uids = self._uids(container)
        low = start
        while low < end:
            high = min(end, low + WINDOW)
            for row in self._view(container, low, high):
                entry = _occurrence(row, uids)
                # An entry belongs to the window it begins in; one that began earlier, to the first window.
                if entry is not None and (
                    low <= entry[1] < high or (low == start and entry[1] < low < entry[2])
                ):
                    yield entry
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
    """Return the class of each folder, and True if it is hidden, where the server gives them.

    Args:
        client: the Graph client.
        asks: the folders' paths by id.
    """
    facts = {}
    for id_, outcome in BatchReader(client).run(asks):
        if not isinstance(outcome, GraphRefusal):
            tags = tagged(outcome.json)
            facts[id_] = (tags.get(CLASS, "").strip(), tags.get(HIDDEN, "").lower() == "true")
    return facts


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
    """Return "#rrggbb", or None."""
    color = str(row.get("hexColor") or "")
    return color.lower() if _COLOR.fullmatch(color) else None


def _mark(versions: dict[str, str]) -> str:
    """Return a digest that is equal for the same items in the same versions."""
    digest = hashlib.blake2b(digest_size=16)
    for id_, version in sorted(versions.items()):
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
