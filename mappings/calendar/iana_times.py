"""Restate times for a server that knows IANA zones alone, and guesses for any other (EventHabits.own_zones).

Every moment stays what it is. A zone that a record describes itself becomes, in this order: an IANA zone that
keeps the same clock all the while; UTC, for what takes place once; UTC with the rule, if the clock stands
still; UTC with every date of the series, if it ends. What cannot be said so is Rejected: nothing is guessed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from mappings.calendar.series import EventSeries
from mappings.calendar.times import DAY, EventSpan, naive
from mappings.losses.catalogue import lose
from mappings.time.iana_twins import LAST_YEAR, still, twin
from mappings.time.rrule import ORDER, RecurrenceRule, Start
from mappings.time.zones import UTC_ZONE, Zone, out_of_range
from model.errors import Rejected

MOST_DATES = 1000
"""The most dates that one series is written out to."""

_ENDLESS_YEARS = 10
_EARLIEST = datetime(2, 1, 2, tzinfo=UTC)


def in_known_zones(when: EventSpan) -> EventSpan:
    """Return the same times of an event, or of a changed occurrence, in zones that have IANA names.

    Args:
        when: its times.
    """
    if not isinstance(when.start, datetime) or not (when.zone.own or when.end_zone.own):
        return when
    zone = _of_one(when.zone, when) or UTC_ZONE
    return _restated(when, zone, _of_one(when.end_zone, when) or zone)


def _of_one(zone: Zone, when: EventSpan) -> Zone | None:
    """Return a zone's IANA twin in the years around an event: in one day too many zones are alike."""
    if not zone.own:
        return zone
    begin, end = _years_around(when.begins, when.ends)
    return twin(zone, begin, end)


def _years_around(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    first, last = max(begin.year - 1, 2), min(end.year + 2, 9997)
    return datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)


def _restated(when: EventSpan, zone: Zone, end_zone: Zone) -> EventSpan:
    """Return the same moments in other zones, each in UTC if a wall time there does not name it."""
    start_zone, start = _wall(zone, when.zone.instant(_moment(when.start)))
    if not isinstance(when.end, datetime):
        return replace(when, zone=start_zone, end_zone=end_zone, start=start)
    ends_zone, end = _wall(end_zone, when.end_zone.instant(when.end))
    return replace(when, zone=start_zone, end_zone=ends_zone, start=start, end=end)


def _wall(zone: Zone, instant: datetime) -> tuple[Zone, datetime]:
    wall = naive(zone.local(instant))
    return (zone, wall) if zone.instant(wall) == instant else (UTC_ZONE, naive(instant))


def series_in_known_zones(series: EventSeries) -> EventSeries:
    """Return the same series in a zone that has an IANA name; its changed occurrences are the caller's.

    Args:
        series: the series.

    Raises:
        Rejected: "unknown-time-zone", "date-out-of-range".
    """
    when = series.span
    if not isinstance(when.start, datetime):
        return series
    if not when.zone.own:
        return replace(series, span=_renamed(when, when.zone))
    begin, end = _reach(series)
    zone = twin(when.zone, *_years_around(begin, end)) or twin(when.zone, begin, end)
    if zone is not None:
        return replace(series, span=_renamed(when, zone))
    ruled = _rule_in_utc(series, begin, end)
    return _written_out(series) if ruled is None else _in_utc(series, ruled)


def _renamed(when: EventSpan, zone: Zone) -> EventSpan:
    """Return the times of a series whose own zone has the clock of `zone`: its wall times stay.

    An end in another zone of the record's own stands in `zone`: it says one moment only.
    """
    if not when.end_zone.own:
        return replace(when, zone=zone)
    if not isinstance(when.end, datetime) or when.end_zone == when.zone:
        return replace(when, zone=zone, end_zone=zone)
    end_zone, end = _wall(zone, when.end_zone.instant(when.end))
    return replace(when, zone=zone, end_zone=end_zone, end=end)


def _reach(series: EventSeries) -> tuple[datetime, datetime]:
    """Return the first and last moment that a series names, or the last that is compared."""
    zone, first = series.span.zone, _moment(series.span.start)
    named = [_moment(start) for start in (*series.deleted, *(start for start, _ in series.modified))]
    last = max([_last(series.rule, first), *named])
    return max(zone.instant(min([first, *named])), _EARLIEST) - DAY, zone.instant(last) + DAY


def _last(rule: RecurrenceRule, first: datetime) -> datetime:
    """Return the wall time of the last occurrence; of a series without end, the last that is compared."""
    horizon = datetime(max(LAST_YEAR, min(first.year + _ENDLESS_YEARS, 9000)), 1, 1)
    if rule.endless:
        return horizon
    if rule.until is not None:
        return min(_moment(rule.until), horizon)
    last = first
    for start in rule.starts(first):
        last = _moment(start)
        if last > horizon:
            break
    return min(last, horizon)


def _moment(start: Start) -> datetime:
    return start if isinstance(start, datetime) else datetime(start.year, start.month, start.day)


def _rule_in_utc(series: EventSeries, begin: datetime, end: datetime) -> RecurrenceRule | None:
    """Return the rule by UTC's clock; None if the zone's clock changes, or no rule has these days there.

    A week's days move with the date in UTC; a month's would be another rule.
    """
    start = _moment(series.span.start)
    distance = still(series.span.zone, begin, end)
    if distance is None:
        return None
    moved = (start - distance).date() - start.date()
    rule = series.rule
    if moved and not rule.shape.startswith(("FREQ=DAILY", "FREQ=WEEKLY")):
        return None
    days = moved // timedelta(days=1)
    until = None if rule.until is None else _moment(rule.until) - distance
    return replace(rule, text=_shifted(rule.text, days), shape=_shifted(rule.shape, days), until=until)


def _shifted(rule: str, days: int) -> str:
    """Return a rule whose weekdays are so many days later."""
    parts = (part.partition("=") for part in rule.split(";"))
    return ";".join(
        f"{name}={','.join(_later(day, days) for day in value.split(','))}"
        if name in ("BYDAY", "WKST") and days
        else f"{name}={value}"
        for name, _, value in parts
    )


def _later(day: str, days: int) -> str:
    return ORDER[(ORDER.index(day) + days) % len(ORDER)]


def _in_utc(series: EventSeries, rule: RecurrenceRule) -> EventSeries:
    """Return a series whose times are those of UTC."""
    when = series.span

    def moved(start: Start) -> datetime:
        return naive(when.zone.instant(_moment(start)))

    return replace(
        series,
        span=_restated(when, UTC_ZONE, UTC_ZONE),
        rule=rule,
        deleted=tuple(moved(start) for start in series.deleted),
        modified=tuple((moved(start), element) for start, element in series.modified),
        losses=(*series.losses, lose("time-zone", "zone-of-series")),
    )


def _written_out(series: EventSeries) -> EventSeries:
    """Return a series of single dates; raise Rejected for one that has too many.

    Open-Xchange keeps dates only beside a rule, and shows nothing after the last day of that rule. So the
    rule has the first occurrence, and a day after the last one that is taken out.
    """
    starts = list(islice(series.rule.starts(series.span.start), MOST_DATES + 1))
    if series.rule.endless or len(starts) > MOST_DATES:
        raise Rejected(
            "unknown-time-zone", "the target knows no such time zone; choose another, and run again"
        )
    zone, gone = series.span.zone, set(series.deleted)
    kept = {naive(zone.instant(_moment(start))) for start in starts if start not in gone}
    first = naive(zone.instant(_moment(series.span.start)))
    days = (max([first, *kept]) - first) // DAY + 1
    shape = f"FREQ=DAILY;INTERVAL={days}"
    frame = replace(series.rule, text=f"{shape};COUNT=2", shape=shape, count=2, until=None)
    return replace(
        _in_utc(series, frame),
        deleted=(*({first} - kept), _later_day(first, days)),
        added=tuple(sorted(kept - {first})),
    )


def _later_day(first: datetime, days: int) -> datetime:
    try:
        return first + days * DAY
    except OverflowError:
        raise out_of_range() from None
