"""Times, time zones and the window of listings."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache

import recurring_ical_events
from icalendar import Calendar, Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from servers.open_xchange.content_lines import Line, Part, parse, text_of

USER_ZONE = "Europe/Berlin"
"""The zone of every user, as of those that were measured."""
TIMED = ("DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE")
ONCE, RECURRING = ("DTSTART", "DTEND", "DURATION"), ("RRULE", "RDATE", "EXDATE")
UNCOUNTED = re.compile(r"FREQ=(SECONDLY|MINUTELY)", re.IGNORECASE)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LASTS = re.compile(r"\+?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
STAMP = "%Y%m%dT%H%M%SZ"


@cache
def iana() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def stamp(when: datetime) -> str:
    """A UTC time in the basic form of iCalendar."""
    return when.astimezone(UTC).strftime(STAMP)


def zones_replaced(calendar: Part) -> Part:
    """Every TZID as it is stored. An IANA zone is kept, whatever its VTIMEZONE says. Any other one with a
    VTIMEZONE becomes the zone of that Windows name, else the user's own: the VTIMEZONE is ignored, so that a
    time was 15 minutes or 12 hours off, with 201. Without a VTIMEZONE the time becomes floating."""
    defined = frozenset(zone.value("TZID") for zone in calendar.of("VTIMEZONE"))
    kept = [part for part in calendar.parts if part.name != "VTIMEZONE"]
    return replace(calendar, parts=tuple(_zoned(part, defined) for part in kept))


def _zoned(part: Part, defined: frozenset[str]) -> Part:
    changed = part.mapped(lambda line: _zone_replaced(line, defined))
    return replace(changed, parts=tuple(_zoned(inner, defined) for inner in changed.parts))


def _zone_replaced(line: Line, defined: frozenset[str]) -> Line:
    name = line.param("TZID")
    if not name or line.name not in TIMED or name in iana():
        return line
    guess = WINDOWS_TO_OLSON.get(name, USER_ZONE) if name in defined else ""
    return line.with_param("TZID", guess)


def breaks_server(calendar: Part) -> bool:
    """A zone that is not IANA and has a DAYLIGHT part of the same offset as its STANDARD: 500, and nothing is
    stored."""
    for zone in calendar.of("VTIMEZONE"):
        summer = {part.value("TZOFFSETTO") for part in zone.of("DAYLIGHT")}
        winter = {part.value("TZOFFSETTO") for part in zone.of("STANDARD")}
        if summer & winter and zone.value("TZID") not in iana():
            return True
    return False


def vtimezones(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The VTIMEZONEs of the zones that are named: every GET has them, sent or not."""
    names = {line.param("TZID") for part in parts for line in part.lines} - {""}
    return tuple(vtimezone(name) for name in sorted(names & iana()))


@cache
def vtimezone(name: str) -> Part:
    return parse(Timezone.from_tzid(name).to_ical().decode())


def moment(line: Line | None) -> datetime | date | None:
    """A line's first time: with a zone, floating, or a day. None without a line, or for what is no time."""
    if line is None:
        return None
    return _moment(line.value.split(",")[0].split("/")[0], line.param("TZID"))


@lru_cache(maxsize=4096)
def _moment(text: str, zone: str) -> datetime | date | None:
    try:
        if len(text) == 8:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        when = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None
    if text.endswith("Z"):
        return when.replace(tzinfo=UTC)
    return when.replace(tzinfo=zoneinfo.ZoneInfo(zone)) if zone in iana() else when


def end_of(event: Part) -> datetime | date | None:
    """By DTEND, or by DURATION; a day ends with itself, and what says nothing ends as it begins."""
    begin, lasts = moment(event.first("DTSTART")), LASTS.fullmatch(event.value("DURATION"))
    if event.first("DTEND") is not None or begin is None:
        return moment(event.first("DTEND"))
    if lasts is not None:
        weeks, days, hours, minutes, seconds = (int(one or 0) for one in lasts.groups())
        return begin + timedelta(days, seconds, weeks=weeks, hours=hours, minutes=minutes)
    return begin if isinstance(begin, datetime) else begin + DAY


def instant(when: datetime | date, zone: tzinfo | None = None) -> datetime:
    """UTC; what floats, and a day, is of the user's zone."""
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone or zoneinfo.ZoneInfo(USER_ZONE))
    return when.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Range:
    """From start, until before end."""

    start: datetime
    end: datetime

    def meets(self, other: Range) -> bool:
        return self.start < other.end and other.start < max(self.end, self.start + timedelta(seconds=1))


def window(now: datetime, months: int = 1, years: int = 1) -> Range:
    """What listings see: App Suite states it as min-date-time and max-date-time, from the first day of the
    month that was `months` ago to the first day of the year after `years` years (20261001T000000Z and
    20280101T000000Z on 28 November 2026). It is com.openexchange.caldav.interval.start and .end."""
    month = now.year * 12 + now.month - 1 - months
    start = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return Range(start, datetime(now.year + years + 1, 1, 1, tzinfo=UTC))


def span(event: Part) -> Range:
    """From the beginning of an event or of a series' first occurrence to the end of that."""
    begin = moment(event.first("DTSTART"))
    if begin is None:
        return Range(FOREVER, FOREVER)
    return Range(instant(begin), instant(end_of(event) or begin))


def occurrences(event: Part, between: Range) -> list[Range]:
    """Those of a series in a range, without its changed ones; of a single event, itself. A series of seconds
    or minutes has too many to be counted: it fills the range. A list of dates (RDATE) without a rule has
    none, although it is stored and comes back whole."""
    own = span(event)
    if event.first("RRULE") is None:
        return [own] if own.meets(between) and event.first("RDATE") is None else []
    if UNCOUNTED.search(event.value("RRULE")):
        return [between] if own.start < between.end else []
    lines = [line for name in ONCE for line in event.all(name)[:1]]
    lines += [line for name in RECURRING for line in event.all(name)]
    alone = Part("VCALENDAR", (), (*vtimezones([event]), Part("VEVENT", (Line("UID", "x"), *lines))))
    try:
        query = recurring_ical_events.of(Calendar.from_ical(text_of(alone)), skip_bad_series=True)
        found = query.between(between.start, between.end)
    except (ValueError, AttributeError, TypeError):
        return [own] if own.meets(between) else []  # a rule that is none
    return [Range(instant(one.start), instant(one.end)) for one in found]


def is_over(event: Part, now: datetime) -> bool:
    """Nothing of it is left at now; a series without an end never is over."""
    rule = event.value("RRULE")
    if rule and "COUNT=" not in rule and "UNTIL=" not in rule:
        return False
    if span(event).end > now:
        return False
    return not occurrences(event, Range(now, now + timedelta(days=3660)))
