"""Read working hours from Graph's mailboxSettings.workingHours.

Source:
    https://learn.microsoft.com/graph/api/resources/workinghours,
    https://learn.microsoft.com/graph/api/resources/customtimezone
"""

from __future__ import annotations

import re
from typing import Any

from mappings.exchange import graph_json
from mappings.exchange.graph_json import inner, said, values
from mappings.hours.working_hours import DAY, WorkingHours
from mappings.hours.yearly_zone import LAST, ClockChange, zone_of
from mappings.time.rrule import DAYS, ORDER
from model.protocols import Native

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?", re.ASCII)
_UNKNOWN = -1
MOST = 10**6


def graph_hours(native: Native) -> WorkingHours:
    """Return the working hours that a record states. Graph has one span for all days.

    Raises:
        Rejected: "malformed-record".
    """
    hours = graph_json.record(native)["item"]
    zone = inner(hours.get("timeZone"))
    begin, end = _minute(hours.get("startTime")), _minute(hours.get("endTime"))
    names = [said(day).strip().lower() for day in values(hours.get("daysOfWeek"))]
    standard, daylight = inner(zone.get("standardOffset")), inner(zone.get("daylightOffset"))
    return WorkingHours(
        frozenset(day for name in names for day in DAYS.get(name, ())),
        ((begin, end),) if begin is not None and end is not None else (),
        zone_of(
            said(zone.get("name")),
            _whole(zone.get("bias")),
            _change(standard, 0),
            _change(daylight, _whole(daylight.get("daylightBias")) or 0),
        ),
    )


def _change(offset: dict[str, Any], bias: int) -> ClockChange:
    """Return a change of the clock. One without a month says that the clock does not change."""
    month = _whole(offset.get("month"))
    if not month:
        return ClockChange(bias)
    days = DAYS.get(said(offset.get("dayOfWeek")).strip().lower(), ())
    week, minute = _whole(offset.get("dayOccurrence")), _minute(offset.get("time"))
    if len(days) != 1 or week is None or minute is None:
        return ClockChange(bias, month=_UNKNOWN)
    year = _whole(offset.get("year")) or 0
    return ClockChange(bias, month, ORDER.index(days[0]), min(week, LAST), minute, year)


def _minute(clock: object) -> int | None:
    """Return the minute of the day of "08:30:00.0000000"."""
    match = _CLOCK.fullmatch(said(clock).strip())
    if match is None:
        return None
    minutes = int(match[1]) * 60 + int(match[2])
    return minutes if int(match[2]) < 60 and minutes <= DAY else None


def _whole(number: object) -> int | None:
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return number if abs(number) < MOST else None
