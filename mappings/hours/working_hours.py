"""Hold a person's working hours, and say them as an iCalendar object: when the person is available.

Source:
    RFC 7953, sections 3.1 (VAVAILABILITY, AVAILABLE) and 3.2; RFC 5545, 3.3.10 (RRULE)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from mappings.time.rrule import ORDER
from mappings.time.vtimezone import vtimezone_lines
from mappings.time.zones import Zone
from model.icalendar_writer import calendar, folded

FROM: Final = date(2024, 1, 1)
"""A Monday: the week in which the hours begin. It is the same for everybody, so that the same hours are
written in the same way by each pass. Nobody asks when somebody was available before that."""
DESCRIBED: Final = (2024, 2034)
"""The years for which the zone is described; its last rule goes on."""
STAMP: Final = "20240101T000000Z"
DAY: Final = 24 * 60
MOST: Final = 48
"""Spans of one day: Exchange has one."""


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Describe the weekly working hours of a person.

    Attributes:
        days: the days of the week, as in `mappings.time.rrule.ORDER`.
        spans: when work begins and ends, in minutes from midnight by the clock on the wall; an end before the
            beginning is on the next day.
        zone: of that clock; None if it is not known.
    """

    days: frozenset[str]
    spans: tuple[tuple[int, int], ...]
    zone: Zone | None


def available(hours: WorkingHours, uid: str) -> bytes | None:
    """Return the VCALENDAR that says when the person is available: in these hours, and in no others.

    Args:
        hours: the hours.
        uid: names the object; each span gets a UID made of it.

    Returns:
        None if they cannot be said: no day, no span or one without a length, or a clock of no known zone.
    """
    zone, spans = hours.zone, sorted(set(hours.spans))
    if zone is None or not hours.days or not 0 < len(spans) <= MOST or not all(map(_is_span, spans)):
        return None
    days = [day for day in ORDER if day in hours.days]
    if not days:
        return None
    lines = ["BEGIN:VAVAILABILITY", f"UID:{uid}", f"DTSTAMP:{STAMP}"]
    for number, span in enumerate(spans):
        lines += _span(span, days, zone, f"{uid}-{number}")
    lines.append("END:VAVAILABILITY")
    described = [] if zone.utc else [vtimezone_lines(zone, *DESCRIBED)]
    return calendar([*described, *_folded(lines)])


def _is_span(span: tuple[int, int]) -> bool:
    begin, end = span
    return 0 <= begin < DAY and 0 <= end <= DAY and begin != end


def _span(span: tuple[int, int], days: list[str], zone: Zone, uid: str) -> list[str]:
    begin, end = span
    first = datetime.combine(FROM, datetime.min.time()) + timedelta(days=ORDER.index(days[0]))
    until = end if end > begin else end + DAY
    return [
        "BEGIN:AVAILABLE",
        f"UID:{uid}",
        f"DTSTAMP:{STAMP}",
        _moment("DTSTART", first + timedelta(minutes=begin), zone),
        _moment("DTEND", first + timedelta(minutes=until), zone),
        f"RRULE:FREQ=WEEKLY;BYDAY={','.join(days)}",
        "END:AVAILABLE",
    ]


def _moment(name: str, wall: datetime, zone: Zone) -> str:
    written = f"{wall:%Y%m%dT%H%M%S}"
    return f"{name}:{written}Z" if zone.utc else f"{name};TZID={zone.id}:{written}"


def _folded(lines: Iterable[str]) -> Iterable[bytes]:
    return (folded(line.encode()) for line in lines)
