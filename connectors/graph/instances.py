"""Read the instances of a series, where the server does not list what happened to its single days.

No instance shows that a day was deleted; the mapping knows which days the rule has. Therefore the request
covers a window that contains the series, or four years of it, and a margin around it: an instance is where it
was moved to, not where the rule has it.

Source:
    https://learn.microsoft.com/graph/api/event-list-instances
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.collections import collected
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.messages import moment

COVERED = timedelta(days=2 * 365)
"""The distance from the middle of the window within which days are judged."""

MARGIN = timedelta(days=90)
"""The distance by which instances may have been moved out of it; the sum is within the 1,825 days of
Graph."""

FIELDS = "id,type,seriesMasterId,start,isAllDay,originalStart"
SPANS: Mapping[str, int] = {"daily": 1, "weekly": 7, "absolutemonthly": 31, "relativemonthly": 31}
"""The most days from one repetition of a pattern to the next, by its type."""

YEAR = 366


def instances(
    client: GraphClient, calendar: str, masters: Mapping[str, Json]
) -> Iterator[tuple[str, Json | GraphRefusal | None]]:
    """Yield the expansion of each series.

    Args:
        client: the Graph client.
        calendar: the path of the calendar.
        masters: the series by id.

    Yields:
        For each id: {"from", "until": the days that are judged, without "until"; "rows": every instance
        within them and the margin}; or the refusal; or None for a series whose rule does not say when it
        begins.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    days_by_id = {id_: window(event) for id_, event in masters.items()}
    yield from ((id_, None) for id_, days in days_by_id.items() if days is None)
    windows = {id_: days for id_, days in days_by_id.items() if days is not None}
    asks = {
        id_: f"{calendar}/events/{segment(id_)}/instances?{_options(client, *days)}"
        for id_, days in windows.items()
    }
    for id_, rows in collected(client, asks):
        first, after = windows[id_]
        whole = {"from": first.isoformat(), "until": after.isoformat(), "rows": rows}
        yield id_, rows if isinstance(rows, GraphRefusal) else whole


def window(event: Json) -> tuple[date, date] | None:
    """Return the days that are judged: the whole series, or those around its last change.

    Nothing can have been deleted later than the last change. The result is the same for the same version of
    the event.

    Returns:
        The first day and the day after the last; None when the rule has no start.
    """
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
    """Return the last possible day of a series; None where there is none, or none is stated."""
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
    """Return an object inside an object, or {}."""
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _day(text: object) -> date | None:
    """Return a text as a date, or None."""
    instant = moment(f"{text}T00:00:00Z")
    return None if instant is None or not 1601 <= instant.year <= 4500 else instant.date()


def _options(client: GraphClient, first: date, after: date) -> str:
    return query(
        startDateTime_=_midnight(first - MARGIN),
        endDateTime_=_midnight(after + MARGIN),
        select=FIELDS,
        top=client.settings.page_items,
    )


def _midnight(day: date) -> str:
    return f"{datetime.combine(day, time(), UTC):%Y-%m-%dT%H:%M:%SZ}"
