"""Read when an event takes place: start and end as iCalendar writes them, and whole days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from mappings.fields.ews_xml import Element, flag, moment, text
from mappings.losses.catalogue import lose
from mappings.time.rrule import Start
from mappings.time.zones import UTC_ZONE, Zone, midnight, naive, out_of_range, zone_for
from model.errors import Rejected
from model.protocols import Loss

DAY, HALF_DAY, HOUR = timedelta(days=1), timedelta(hours=12), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class EventSpan:
    """Say when an event takes place.

    Attributes:
        zone: of the start.
        end_zone: of the end.
        start: a date of a whole day; otherwise a naive wall time in `zone`.
        end: the day after the last; otherwise a naive wall time in `end_zone`. None if the event takes no
            time (a whole-day event: one day).
        begins: in UTC.
        ends: in UTC.
        losses: of its times.
    """

    zone: Zone
    end_zone: Zone
    start: Start
    end: Start | None
    begins: datetime
    ends: datetime
    losses: tuple[Loss, ...]


def span(element: Element, repeats: bool = False) -> EventSpan:
    """Return when an event takes place.

    Args:
        element: of the record.
        repeats: True for a series, which needs wall times.

    Raises:
        Rejected: "start-missing", "date-out-of-range" or "unknown-time-zone".
    """
    zone, end_zone = zone_for(element), zone_for(element, "End")
    begins = _instant(element, "t:Start")
    if begins is None:
        raise Rejected("start-missing", "the item has no start; correct it at the source, and run again")
    ends = _instant(element, "t:End") or begins
    losses = (lose("end", "before-start"),) if ends < begins else ()
    ends = max(begins, ends)
    if flag(element, "t:IsAllDayEvent"):
        return _whole_days(zone, begins, ends, losses)
    made = _timed(zone, end_zone, begins, ends, losses)
    if _names(made):
        return made
    # RFC 5545 3.3.5: of an hour that comes twice a wall time can only name the first.
    if repeats:
        return replace(made, losses=(*losses, lose("series", "hour-twice")))
    return _timed(UTC_ZONE, UTC_ZONE, begins, ends, (*losses, lose("time-zone", "hour-twice")))


def _instant(element: Element, path: str) -> datetime | None:
    """Return a moment in whole seconds, as iCalendar has them."""
    written = text(element, path)
    moment_ = moment(written)
    if moment_ is None and written.strip():
        raise out_of_range()
    return None if moment_ is None else moment_.replace(microsecond=0)


def _whole_days(zone: Zone, begins: datetime, ends: datetime, losses: tuple[Loss, ...]) -> EventSpan:
    first, first_off = _day(zone, begins)
    after, after_off = _day(zone, ends)
    if max(first_off, after_off) > HOUR:  # one hour: a clock that changes at midnight
        losses = (*losses, lose("all-day", "not-at-midnight"))
    end = after if after > first else None
    return EventSpan(zone, zone, first, end, begins, ends, losses)


def _day(zone: Zone, instant: datetime) -> tuple[date, timedelta]:
    """Return the midnight nearest to an instant, and how far it is."""
    try:
        wall = zone.local(instant).replace(tzinfo=None)
        nearest = (wall + HALF_DAY).date()
    except OverflowError:
        raise out_of_range() from None
    return nearest, abs(wall - datetime.combine(nearest, time()))


def _timed(
    zone: Zone, end_zone: Zone, begins: datetime, ends: datetime, losses: tuple[Loss, ...]
) -> EventSpan:
    start, end = naive(zone.local(begins)), naive(end_zone.local(ends))
    return EventSpan(zone, end_zone, start, end if ends > begins else None, begins, ends, losses)


def _names(made: EventSpan) -> bool:
    """Return True if the wall times name the instants."""
    pairs = ((made.zone, made.start, made.begins), (made.end_zone, made.end, made.ends))
    return all(zone.instant(wall) == instant for zone, wall, instant in pairs if isinstance(wall, datetime))


def moved(when: EventSpan, start: Start) -> EventSpan:
    """Return the same length of time from another start on.

    Raises:
        Rejected: "date-out-of-range".
    """
    shift = midnight(start) - midnight(when.start)
    try:
        end = None if when.end is None else when.end + shift
        return replace(when, start=start, end=end, begins=when.begins + shift, ends=when.ends + shift)
    except OverflowError:
        raise out_of_range() from None


def is_moved(series: EventSpan, start: Start, own: EventSpan) -> bool:
    """Return True if a changed occurrence takes place at other times than its series says.

    Args:
        series: the times of the first occurrence.
        start: where the rule has the occurrence, in the zone of the series.
        own: the times of the changed occurrence.
    """
    if not isinstance(start, datetime) or not isinstance(own.start, datetime):
        return own.start != start or (own.ends - own.begins).days != (series.ends - series.begins).days
    if series.zone.instant(start) != own.begins:
        return True
    return own.ends - own.begins != series.ends - series.begins
