"""The instances of a series: what became of its single days, where the server does not say it in fewer words.

A day that was deleted is told by no instance; which days the rule has is for the mapping to say. So what is
asked for is a window that holds the series, or as much of it as four years do, and a margin around it: an
instance lies where it was moved to, not where the rule has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.collections import collected
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.messages import moment

COVERED = timedelta(days=2 * 365)
"""How far before and after the middle of the window days are judged."""

MARGIN = timedelta(days=90)
"""How far instances may have been moved out of that; together they are within the 1,825 days Graph allows."""

FIELDS = "id,type,seriesMasterId,start,isAllDay,originalStart"
SPANS: Mapping[str, int] = {"daily": 1, "weekly": 7, "absolutemonthly": 31, "relativemonthly": 31}
"""The days from one turn of a pattern to the next at most, by its type."""

YEAR = 366


def instances(
    client: GraphClient, calendar: str, masters: Mapping[str, Json]
) -> Iterator[tuple[str, Json | GraphRefusal | None]]:
    """For each series, by id: {"from", "until": the days that are judged, until not included; "rows": every
    instance within them and the margin}; None for one whose rule does not say when it begins.

    Raises Transient or Blocked."""
    found = {id_: window(event) for id_, event in masters.items()}
    yield from ((id_, None) for id_, days in found.items() if days is None)
    windows = {id_: days for id_, days in found.items() if days is not None}
    asks = {
        id_: f"{calendar}/events/{segment(id_)}/instances?{_options(client, *days)}"
        for id_, days in windows.items()
    }
    for id_, rows in collected(client, asks):
        first, after = windows[id_]
        whole = {"from": first.isoformat(), "until": after.isoformat(), "rows": rows}
        yield id_, rows if isinstance(rows, GraphRefusal) else whole


def window(event: Json) -> tuple[date, date] | None:
    """The days that are judged: the whole series where it lasts no longer, else those around its last change,
    as nothing can have been deleted later. The same for the same version of the event."""
    recurrence = _inner(event, "recurrence")
    range_ = _inner(recurrence, "range")
    first = _day(range_.get("startDate"))
    if first is None:
        return None
    changed = moment(event.get("lastModifiedDateTime")) or moment(event.get("createdDateTime"))
    middle = max(changed.date() if changed else first, first + COVERED)
    last = _last(_inner(recurrence, "pattern"), range_, first)
    if last is not None:
        middle = min(middle, max(last - COVERED, first + (last - first) / 2))
    try:
        return middle - COVERED, middle + COVERED + timedelta(days=1)
    except OverflowError:
        return None


def _last(pattern: Json, range_: Json, first: date) -> date | None:
    """The last day there may be; None where there is none, or none that is told."""
    kind = str(range_.get("type")).lower()
    if kind == "enddate":
        last = _day(range_.get("endDate"))
        return None if last is None else max(first, last)
    count, interval = range_.get("numberOfOccurrences"), pattern.get("interval")
    if kind != "numbered" or not isinstance(count, int):
        return None
    turns = count * (interval if isinstance(interval, int) else 1)
    try:
        return first + timedelta(days=max(0, turns) * SPANS.get(str(pattern.get("type")).lower(), YEAR))
    except OverflowError:
        return None


def _inner(value: Json, name: str) -> Json:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _day(text: object) -> date | None:
    found = moment(f"{text}T00:00:00Z")
    return None if found is None or not 1601 <= found.year <= 4500 else found.date()


def _options(client: GraphClient, first: date, after: date) -> str:
    return query(
        startDateTime_=_midnight(first - MARGIN),
        endDateTime_=_midnight(after + MARGIN),
        select=FIELDS,
        top=client.settings.page_items,
    )


def _midnight(day: date) -> str:
    return f"{datetime.combine(day, time(), UTC):%Y-%m-%dT%H:%M:%SZ}"
