"""Read moments and lengths of iCalendar, for comparing: see mappings.compare.semantic_digest.

A moment is (kind, number): ("utc", seconds since 1970), ("floating", seconds of the local time as if it were
UTC), ("date", days, of which 0001-01-01 is 1). A time in an unknown zone is ("local " + its name, seconds).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from mappings.compare.content_lines import Malformed

Moment = tuple[str, int]
UTC, FLOATING, DATE = "utc", "floating", "date"
DAY = 86_400
EPOCH = datetime(1970, 1, 1)
SECOND = timedelta(seconds=1)
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)(Z?))?", re.ASCII)
_LENGTH = re.compile(
    r"([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.ASCII
)


def seconds(local: datetime) -> int:
    """Return the seconds since 1970 of a naive time taken as UTC."""
    return (local - EPOCH) // SECOND


def parse(value: str) -> tuple[date, bool]:
    """Read a DATE (date) or a DATE-TIME (naive datetime); the second value is True if it says UTC.

    Raises:
        Malformed: it is neither.
    """
    match = _DATE.fullmatch(value.strip().upper())
    if not match:
        raise Malformed
    year, month, day, hour, minute, second, zulu = match.groups()
    try:
        if hour is None:
            return date(int(year), int(month), int(day)), False
        # A leap second is the second before it: no clock of a calendar has one.
        at = min(int(second), 59)
        return datetime(int(year), int(month), int(day), int(hour), int(minute), at), bool(zulu)
    except ValueError:
        raise Malformed from None


def length(value: str) -> tuple[int, int]:
    """Return a DURATION as (days, seconds).

    Raises:
        Malformed: it is none.
    """
    match = _LENGTH.fullmatch(value.strip().upper())
    if not match or not any(match.groups()[1:]):
        raise Malformed
    sign, *numbers = match.groups()
    weeks, days, hours, minutes, rest = (int(number or 0) for number in numbers)
    factor = -1 if sign == "-" else 1
    return factor * (weeks * 7 + days), factor * (hours * 3600 + minutes * 60 + rest)
