"""Find which days of a series were deleted, if Graph gave its instances instead.

The record's "instances": {"from", "until": the days that are judged, until not included; "rows": every
instance that lies within them, or was moved a little out of them}. An occurrence of the rule without an
instance was deleted. That holds if the rule's own expansion and the server's agree. An instance on a day that
the rule does not have shows that they do not, and so does a series without any instance.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from mappings.exchange.graph_json import Json, add, rows, said, wall_clock
from mappings.fields.ews_xml import Element, child, flag, moment, text
from mappings.time.rrule import RecurrenceRule, rule
from mappings.time.zones import Zone, zone_for
from model.errors import Rejected

_NOON = timedelta(hours=12)


def deleted(own: Element, instances: Json) -> list[str]:
    """Return the deleted days, ascending, as dates.

    Deleted days outside of the judged ones are named in <t:Lost>.

    Raises:
        Rejected: "occurrence-missing", "unknown-recurrence", "unknown-time-zone" or "date-out-of-range".
    """
    begins, recurrence = moment(text(own, "t:Start")), child(own, "t:Recurrence")
    first, after = _day(said(instances.get("from"))), _day(said(instances.get("until")))
    if begins is None or recurrence is None or first is None or after is None:
        raise _inexact()
    zone = zone_for(own)
    start = _planned(zone, begins, whole=flag(own, "t:IsAllDayEvent"))
    ruled = rule(recurrence, start, zone.info)
    present = {_stands_for(own, zone, row) for row in rows(instances.get("rows"))}
    planned, beyond = _within(ruled, start, first, after)
    if not ruled.fits or not {day for day in present if first <= day < after} <= planned:
        raise _inexact()
    if planned and not present:
        raise _inexact()  # who deletes every day deletes the series
    if beyond:
        add(own, "Lost", field="deleted-occurrence", reason="not-told")
    return [day.isoformat() for day in sorted(planned - present)]


def _within(ruled: RecurrenceRule, start: date, first: date, after: date) -> tuple[set[date], bool]:
    """Return the rule's days between two, and True if it has others."""
    planned: set[date] = set()
    beyond = False
    for occurrence in ruled.starts(start):
        day = occurrence.date() if isinstance(occurrence, datetime) else occurrence
        if day >= after:
            return planned, True
        if day >= first:
            planned.add(day)
        else:
            beyond = True
    return planned, beyond


def _stands_for(own: Element, zone: Zone, row: Json) -> date:
    """Return the day on which the rule has an instance, even if the instance was moved."""
    whole = flag(own, "t:IsAllDayEvent")
    if said(row.get("type")).lower() == "occurrence":
        when = wall_clock(row.get("start"))
        if when is None or (row.get("isAllDay") is True) is not whole:
            raise _inexact()
        if whole:
            return when.date()
        instant = moment(f"{when.isoformat()}Z")
    else:
        instant = moment(said(row.get("originalStart")))
    if instant is None:
        raise _inexact()
    planned = _planned(zone, instant, whole=whole)
    return planned.date() if isinstance(planned, datetime) else planned


def _planned(zone: Zone, instant: datetime, *, whole: bool) -> date:
    wall = zone.local(instant).replace(tzinfo=None, microsecond=0)
    return (wall + _NOON).date() if whole else wall


def _day(written: str) -> date | None:
    midnight = moment(f"{written}T00:00:00Z")
    return None if midnight is None else midnight.date()


def _inexact() -> Rejected:
    return Rejected("occurrence-missing", "the source does not say what became of the series' single days")
