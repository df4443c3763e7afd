"""Map an EWS recurrence to an RRULE (RFC 5545).

The two calendars count differently: if a month has no 31st, Exchange takes its last day, and RFC 5545 leaves
the month out. So a 31st becomes "the last of 28, 29, 30, 31" (BYMONTHDAY and BYSETPOS=-1), which both read
alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache

from dateutil.rrule import rrulestr

from mappings.fields.ews_xml import Element, child, kind, moment, number, text
from model.errors import Rejected

Start = date | datetime

DAYS: Mapping[str, tuple[str, ...]] = {
    "monday": ("MO",),
    "tuesday": ("TU",),
    "wednesday": ("WE",),
    "thursday": ("TH",),
    "friday": ("FR",),
    "saturday": ("SA",),
    "sunday": ("SU",),
    "weekday": ("MO", "TU", "WE", "TH", "FR"),
    "weekendday": ("SA", "SU"),
    "day": ("MO", "TU", "WE", "TH", "FR", "SA", "SU"),
}
ORDER = DAYS["day"]
MONTHS: Mapping[str, tuple[int, int, int]] = {
    "january": (1, 31, 31),
    "february": (2, 28, 29),
    "march": (3, 31, 31),
    "april": (4, 30, 30),
    "may": (5, 31, 31),
    "june": (6, 30, 30),
    "july": (7, 31, 31),
    "august": (8, 31, 31),
    "september": (9, 30, 30),
    "october": (10, 31, 31),
    "november": (11, 30, 30),
    "december": (12, 31, 31),
}
"""The number of a month, and its days in a short and a long year."""

INDEXES: Mapping[str, int] = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}

REGENERATIONS: Mapping[str, str] = {
    "DailyRegeneration": "DAILY",
    "WeeklyRegeneration": "WEEKLY",
    "MonthlyRegeneration": "MONTHLY",
    "YearlyRegeneration": "YEARLY",
}
"""For tasks alone: the next one comes that long after this one was completed. No RRULE says so."""

Parts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """Hold a rule.

    Attributes:
        text: the RRULE's value.
        shape: the same without its ending.
        count: how many occurrences; None if it does not end so.
        until: the last day or wall time, included; None if it does not end so.
        first: the first occurrence from the range's own start on.
        fits: True if the given start is an occurrence; otherwise the master would be an occurrence too many.
    """

    text: str
    shape: str
    count: int | None
    until: Start | None
    first: Start
    fits: bool

    @property
    def endless(self) -> bool:
        """Return True if it has no ending."""
        return self.count is None and self.until is None

    def starts(self, start: Start) -> Iterator[Start]:
        """Yield every occurrence of a series, to the year 9999 at most, whatever became of it since.

        Args:
            start: of the series: a date, or a naive wall time.
        """
        for past, occurrence in enumerate(_walls(self.shape, start)):
            if self.count is not None and past >= self.count:
                return
            if self.until is not None and _naive(occurrence) > _naive(self.until):
                return
            yield occurrence


def rule(recurrence: Element, start: Start, zone: tzinfo | None = None) -> RecurrenceRule:
    """Return the rule of <t:Recurrence>.

    Args:
        recurrence: the element.
        start: the first occurrence: a date for whole days, otherwise its wall time, aware or naive.
        zone: where the wall time is one, for UNTIL, which is in UTC (a date for a date). Without any zone,
            UNTIL is a floating time.

    Raises:
        Rejected: "unknown-recurrence", also for regenerating tasks.
    """
    pattern, range_ = _halves(recurrence)
    make = PATTERNS.get(kind(pattern))
    if make is None:
        raise _unknown()
    around = zone or (start.tzinfo if isinstance(start, datetime) else None)
    wall = start.replace(tzinfo=None) if isinstance(start, datetime) else start
    shape = _joined(make(pattern))
    count, until = _count(range_), _until(range_, wall)
    ending = [("COUNT", str(count))] if count else [("UNTIL", _written(until, around))] if until else []
    fits = next(_walls(shape, wall)) == wall
    first = next(_walls(shape, _range_start(range_, wall)))
    return RecurrenceRule(_joined([*make(pattern), *ending]), shape, count, until, first, fits)


def regeneration(recurrence: Element) -> tuple[str, int] | None:
    """Return frequency and interval of a regenerating task; None for a recurrence by the calendar."""
    pattern, _ = _halves(recurrence)
    frequency = REGENERATIONS.get(kind(pattern))
    return None if frequency is None else (frequency, _interval(pattern))


def _halves(recurrence: Element) -> tuple[Element, Element]:
    elements = [element_ for element_ in recurrence if isinstance(element_.tag, str)]
    patterns = [
        element_ for element_ in elements if kind(element_) in PATTERNS or kind(element_) in REGENERATIONS
    ]
    ranges = [element_ for element_ in elements if kind(element_) in RANGES]
    if len(elements) != 2 or len(patterns) != 1 or len(ranges) != 1:
        raise _unknown()
    return patterns[0], ranges[0]


def _unknown() -> Rejected:
    return Rejected(
        "unknown-recurrence", "open the item at the source, set its recurrence anew, and run again"
    )


def _joined(parts: Parts) -> str:
    return ";".join(f"{name}={value}" for name, value in parts)


def _every(frequency: str, pattern: Element) -> Parts:
    interval = _interval(pattern)
    return [("FREQ", frequency), *([("INTERVAL", str(interval))] if interval != 1 else [])]


def _interval(pattern: Element) -> int:
    if child(pattern, "t:Interval") is None:
        return 1
    return _within(number(pattern, "t:Interval"), 1, 9999)


def _within(value: int | None, least: int, most: int) -> int:
    if value is None or not least <= value <= most:
        raise _unknown()
    return value


def _daily(pattern: Element) -> Parts:
    return _every("DAILY", pattern)


def _weekly(pattern: Element) -> Parts:
    days = _days(pattern)
    # Exchange's own default is Sunday (MS-OXOCAL 2.2.1.44.1), RFC 5545's is Monday.
    first = text(pattern, "t:FirstDayOfWeek").strip() or "Sunday"
    weekday = DAYS.get(first.lower(), ())
    if len(weekday) != 1:
        raise _unknown()
    return [*_every("WEEKLY", pattern), ("BYDAY", ",".join(days)), ("WKST", weekday[0])]


def _monthly(pattern: Element) -> Parts:
    return [*_every("MONTHLY", pattern), *_month_day(pattern, 28, 31)]


def _yearly(pattern: Element) -> Parts:
    month, short, long = _month(pattern)
    return [*_every("YEARLY", pattern), ("BYMONTH", str(month)), *_month_day(pattern, short, long)]


def _month_day(pattern: Element, shortest: int, longest: int) -> Parts:
    """Return the day, or the month's last if the month is shorter.

    A day that no such month has is the longest one's last.
    """
    day = min(_within(number(pattern, "t:DayOfMonth"), 1, 31), longest)
    if day <= shortest:
        return [("BYMONTHDAY", str(day))]
    days = ",".join(str(day_) for day_ in range(shortest, day + 1))
    return [("BYMONTHDAY", days), ("BYSETPOS", "-1")]


def _relative_monthly(pattern: Element) -> Parts:
    return [*_every("MONTHLY", pattern), *_nth(pattern)]


def _relative_yearly(pattern: Element) -> Parts:
    return [*_every("YEARLY", pattern), ("BYMONTH", str(_month(pattern)[0])), *_nth(pattern)]


def _nth(pattern: Element) -> Parts:
    index = INDEXES.get(text(pattern, "t:DayOfWeekIndex").strip().lower())
    if index is None:
        raise _unknown()
    days = _days(pattern)
    if days == ORDER:
        return [("BYMONTHDAY", str(index))]
    if len(days) == 1:
        return [("BYDAY", f"{index}{days[0]}")]
    return [("BYDAY", ",".join(days)), ("BYSETPOS", str(index))]


def _days(pattern: Element) -> tuple[str, ...]:
    """Return the days in the week's order: "Weekday" is five of them."""
    names = text(pattern, "t:DaysOfWeek").lower().split()
    if not names or any(name not in DAYS for name in names):
        raise _unknown()
    wanted = {day for name in names for day in DAYS[name]}
    return tuple(day for day in ORDER if day in wanted)


def _month(pattern: Element) -> tuple[int, int, int]:
    month = MONTHS.get(text(pattern, "t:Month").strip().lower())
    if month is None:
        raise _unknown()
    return month


def _count(range_: Element) -> int | None:
    if kind(range_) != "NumberedRecurrence":
        return None
    return _within(number(range_, "t:NumberOfOccurrences"), 1, 10**6)


def _until(range_: Element, start: Start) -> Start | None:
    if kind(range_) != "EndDateRecurrence":
        return None
    last = _day(text(range_, "t:EndDate"))
    if last is None:
        raise _unknown()
    return datetime.combine(last, start.time()) if isinstance(start, datetime) else last


def _written(until: Start, zone: tzinfo | None) -> str:
    """Return UNTIL at the last occurrence's own instant.

    The day's last moment would, in UTC, often be another day.
    """
    if not isinstance(until, datetime):
        return f"{until:%Y%m%d}".zfill(8)
    if zone is None:
        return f"{until:%Y%m%dT%H%M%S}".zfill(15)
    try:
        return f"{until.replace(tzinfo=zone).astimezone(UTC):%Y%m%dT%H%M%SZ}".zfill(16)
    except OverflowError:
        raise _unknown() from None


def _range_start(range_: Element, start: Start) -> Start:
    day = _day(text(range_, "t:StartDate"))
    if day is None:
        return start
    return datetime.combine(day, start.time()) if isinstance(start, datetime) else day


def _day(written: str) -> date | None:
    """Return the date as written: a range's dates are days of the series, whatever offset follows."""
    match = re.match(r"\s*(\d{4}-\d\d-\d\d)", written, re.ASCII)
    moment_ = moment(match[1]) if match else None
    return moment_.date() if moment_ else None


def _walls(shape: str, start: Start) -> Iterator[Start]:
    """Yield at least one occurrence; raise Rejected for a rule that has none."""
    whole = isinstance(start, datetime)
    empty = True
    for occurrence in _parsed(shape, _naive(start)):
        empty = False
        yield occurrence if whole else occurrence.date()
    if empty:
        raise _unknown()


@lru_cache(maxsize=64)
def _parsed(shape: str, start: datetime) -> Iterable[datetime]:
    """Return a rule that begins at a moment; a series asks it four times."""
    return rrulestr(shape, dtstart=start)


def _naive(start: Start) -> datetime:
    return start if isinstance(start, datetime) else datetime.combine(start, time())


PATTERNS: Mapping[str, Callable[[Element], Parts]] = {
    "DailyRecurrence": _daily,
    "WeeklyRecurrence": _weekly,
    "AbsoluteMonthlyRecurrence": _monthly,
    "RelativeMonthlyRecurrence": _relative_monthly,
    "AbsoluteYearlyRecurrence": _yearly,
    "RelativeYearlyRecurrence": _relative_yearly,
}
RANGES = frozenset({"NoEndRecurrence", "EndDateRecurrence", "NumberedRecurrence"})
