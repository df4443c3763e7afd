"""Expand recurrence rules (RFC 5545 section 3.3.10) within bounds: see mappings.compare.semantic_digest.

A rule can ask for more than there is time for: every second without end, or a 30 February, which dateutil
seeks until the year 9999 and cannot be told to stop. Here every day that is examined counts against DAYS. On
all rules that both can expand the two agree; a property test sees to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap, monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import product

from mappings.compare.content_lines import Malformed
from mappings.compare.time import DAY, EPOCH, parse, seconds

DAYS = 100_000
"""How many days one rule may examine: daily for 270 years."""

MOST_TOGETHER = 20_000
"""Moments within one year, month or week."""

DAILY, WEEKLY, MONTHLY, YEARLY = "DAILY", "WEEKLY", "MONTHLY", "YEARLY"
_FREQUENCIES = frozenset({"SECONDLY", "MINUTELY", "HOURLY", DAILY, WEEKLY, MONTHLY, YEARLY})
_WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_EPOCH_DAY = EPOCH.toordinal()
_LAST_DAY = date.max.toordinal()
_MOST_LETTERS = 5000
_TOGETHER = 64
"""Periods that are yielded together if BYSETPOS does not part them."""

_RANGES = {
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 60, False),
    "BYSETPOS": (1, 366, True),
}

Numbers = tuple[int, ...]


class TooLong(Exception):
    """State that this rule is not expanded, or not any further: it is compared as it is written."""


@dataclass(frozen=True, slots=True)
class ComparedRule:
    """Hold one RRULE.

    Attributes:
        frequency: FREQ.
        interval: INTERVAL.
        count: COUNT; None without it.
        until: UNTIL, and True if it is in UTC; None without it.
        numbers: the BY parts by name, each sorted, without doubles.
        days: BYDAY as (n, weekday from 0 for Monday), n 0 for every one.
        week_start: from 0 for Monday.
        others: parts that this reader does not know.
    """

    frequency: str
    interval: int
    count: int | None
    until: tuple[date, bool] | None
    numbers: tuple[tuple[str, Numbers], ...]
    days: tuple[tuple[int, int], ...]
    week_start: int
    others: tuple[tuple[str, str], ...]

    def by(self, name: str) -> Numbers:
        """Return the numbers of a BY part; () without it."""
        return next((numbers for name_, numbers in self.numbers if name_ == name), ())

    def canonical(self) -> tuple[object, ...]:
        """Return a value that is equal for rules that are written alike."""
        until = (self.until[0].isoformat(), self.until[1]) if self.until else ()
        week_start = self.week_start if self.frequency == WEEKLY or self.by("BYWEEKNO") else 0
        ending = (self.interval, self.count or 0, until)
        return self.frequency, ending, self.numbers, self.days, week_start, self.others


@lru_cache(maxsize=512)
def rule_of(value: str) -> ComparedRule:
    """Return the rule of an RRULE's value.

    Raises:
        Malformed: it is no rule.
    """
    if len(value) > _MOST_LETTERS:
        raise Malformed
    parts = _parts(value.upper())
    frequency = parts.pop("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise Malformed
    count = parts.pop("COUNT", None)
    until = parts.pop("UNTIL", None)
    interval = _number(parts.pop("INTERVAL", "1"), 1, 100_000)
    days = _days(parts.pop("BYDAY", ""))
    week_start = _WEEKDAYS.get(parts.pop("WKST", "MO"))
    if week_start is None:
        raise Malformed
    numbers = {name: _numbers(parts.pop(name), *_RANGES[name]) for name in sorted(_RANGES) if name in parts}
    return ComparedRule(
        frequency=frequency,
        interval=interval,
        count=None if count is None else _number(count, 1, 10**9),
        until=None if until is None else parse(until),
        numbers=tuple(numbers.items()),
        days=days,
        week_start=week_start,
        others=tuple(sorted(parts.items())),
    )


def _parts(value: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in value.strip().strip(";").split(";"):
        name, equals, text = part.partition("=")
        if not equals or name in parts:
            raise Malformed
        parts[name.strip()] = text.strip()
    if parts.get("RSCALE") == "GREGORIAN":  # RFC 7529: what every rule is without it
        del parts["RSCALE"]
    if parts.get("SKIP") == "OMIT":
        del parts["SKIP"]
    return parts


def _number(text: str, least: int, most: int) -> int:
    digits = text.removeprefix("+").removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise Malformed
    number = int(text)
    if not least <= number <= most:
        raise Malformed
    return number


def _numbers(text: str, least: int, most: int, signed: bool) -> Numbers:
    values = {_number(part.strip(), -most if signed else least, most) for part in text.split(",")}
    if signed and 0 in values:
        raise Malformed
    return tuple(sorted(values))


def _days(text: str) -> tuple[tuple[int, int], ...]:
    days = set()
    for part in (part.strip() for part in text.split(",") if part.strip()):
        weekday = _WEEKDAYS.get(part[-2:])
        if weekday is None:
            raise Malformed
        days.add((_number(part[:-2], -53, 53) if part[:-2] else 0, weekday))
    return tuple(sorted(days))


def walls(rule: ComparedRule, start: datetime, last: int) -> Iterator[list[int]]:
    """Yield local times of the rule from start on, ascending, some at a time.

    They are seconds since 1970 as if they were UTC. COUNT and UNTIL are the caller's.

    Args:
        rule: the rule.
        start: of the series.
        last: the last day, an ordinal.

    Raises:
        TooLong: the rule asks for too much, or is not expanded at all.
    """
    if rule.frequency not in _PERIODS or rule.others:
        raise TooLong
    first, end = seconds(start), (last - _EPOCH_DAY + 1) * DAY - 1
    times = [time - _EPOCH_DAY * DAY for time in _times(rule, start)]
    positions = rule.by("BYSETPOS")
    together = 1 if positions or len(times) > 24 else _TOGETHER
    for days in _PERIODS[rule.frequency](_complete(rule, start), start, last, together):
        if len(days) * len(times) > MOST_TOGETHER:
            raise TooLong
        wall_times = [day * DAY + time for day in days for time in times]
        if positions:
            wall_times = _at_positions(wall_times, positions)
        # Only now: where a period is cut short, BYSETPOS would count from the cut.
        yield wall_times[bisect_left(wall_times, first) : bisect_right(wall_times, end)]


def _times(rule: ComparedRule, start: datetime) -> list[int]:
    """Return the seconds of the day."""
    hours = rule.by("BYHOUR") or (start.hour,)
    minutes = rule.by("BYMINUTE") or (start.minute,)
    moments = rule.by("BYSECOND") or (start.second,)
    return sorted(
        {
            hour * 3600 + minute * 60 + min(second, 59)
            for hour, minute, second in product(hours, minutes, moments)
        }
    )


def _at_positions(wall_times: list[int], positions: Numbers) -> list[int]:
    count = len(wall_times)
    indices = {position - 1 if position > 0 else count + position for position in positions}
    return [wall_times[index] for index in sorted(indices) if 0 <= index < count]


@dataclass(frozen=True, slots=True)
class _Filter:
    """Hold a rule's BY parts, completed from its start if they leave the day open."""

    interval: int
    months: frozenset[int]
    month_days: frozenset[int]
    year_days: frozenset[int]
    weeks: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    week_start: int


def _complete(rule: ComparedRule, start: date) -> _Filter:
    months, month_days = frozenset(rule.by("BYMONTH")), frozenset(rule.by("BYMONTHDAY"))
    year_days, weeks = frozenset(rule.by("BYYEARDAY")), frozenset(rule.by("BYWEEKNO"))
    numbered = rule.frequency in (MONTHLY, YEARLY)
    weekdays = frozenset(weekday for n, weekday in rule.days if not (n and numbered))
    nth = frozenset((n, weekday) for n, weekday in rule.days if n and numbered)
    if not (month_days or year_days or weeks or rule.days):
        if rule.frequency == YEARLY:
            months = months or frozenset({start.month})
        if numbered:
            month_days = frozenset({start.day})
        elif rule.frequency == WEEKLY:
            weekdays = frozenset({start.weekday()})
    return _Filter(rule.interval, months, month_days, year_days, weeks, weekdays, nth, rule.week_start)


class _Budget:
    """Count the days that were examined."""

    def __init__(self) -> None:
        self._left = DAYS

    def spend(self, days: int) -> None:
        """Count so many days; raise TooLong if there are too many."""
        self._left -= days
        if self._left < 0:
            raise TooLong


def _daily(rule: _Filter, start: date, last: int, together: int) -> Iterator[list[int]]:
    budget = _Budget()
    for first in range(start.toordinal(), last + 1, rule.interval * together):
        budget.spend(together)
        yield _kept(rule, range(first, min(first + rule.interval * together, last + 1), rule.interval))


def _weekly(rule: _Filter, start: date, last: int, together: int) -> Iterator[list[int]]:
    budget = _Budget()
    step = 7 * rule.interval
    offsets = sorted((weekday - rule.week_start) % 7 for weekday in rule.weekdays or range(7))
    for first in range(
        start.toordinal() - (start.weekday() - rule.week_start) % 7, last + 1, step * together
    ):
        budget.spend(7 * together)
        weeks = range(first, min(first + step * together, last + 1), step)
        yield _kept(
            rule, [day for week in weeks for offset in offsets if 0 < (day := week + offset) <= _LAST_DAY]
        )


def _kept(rule: _Filter, days: Iterable[int]) -> list[int]:
    if rule.weekdays:
        days = [day for day in days if (day - 1) % 7 in rule.weekdays]
    if rule.months or rule.month_days or rule.year_days or rule.weeks:
        days = [day for day in days if _fits(rule, date.fromordinal(day))]
    return list(days)


def _monthly(rule: _Filter, start: date, last: int, _: int) -> Iterator[list[int]]:
    budget = _Budget()
    month = start.year * 12 + start.month - 1
    while (first := _first_of(month)) and first <= last:
        budget.spend(31)
        yield list(_month(rule, month, first))
        month += rule.interval


def _yearly(rule: _Filter, start: date, last: int, _: int) -> Iterator[list[int]]:
    budget = _Budget()
    year = start.year
    by_month = rule.months or (rule.month_days and not rule.nth)
    while (first := _first_of(year * 12)) and first <= last:
        budget.spend(31 * (len(rule.months) or 12))
        yield list(_by_month(rule, year) if by_month else _by_year(rule, year, first))
        year += rule.interval


def _first_of(month: int) -> int:
    """Return the first day of a month counted from the year 0; 0 beyond the year 9999."""
    return date(month // 12, month % 12 + 1, 1).toordinal() if month < 120_000 else 0


def _by_month(rule: _Filter, year: int) -> Iterator[int]:
    for number in sorted(rule.months) or range(1, 13):
        month = year * 12 + number - 1
        yield from _month(rule, month, _first_of(month))


def _month(rule: _Filter, month: int, first: int) -> Iterator[int]:
    """Yield the days of a month that the rule keeps."""
    if rule.months and month % 12 + 1 not in rule.months:
        return
    count = monthrange(month // 12, month % 12 + 1)[1]
    numbers: Iterator[int] | range = range(1, count + 1)
    if rule.month_days:
        chosen = {number if number > 0 else count + 1 + number for number in rule.month_days}
        numbers = (number for number in sorted(chosen) if 1 <= number <= count)
    for number in numbers:
        day = first + number - 1
        if _weekday_fits(rule, day, number - 1, count - number) and _week_fits(rule, day):
            yield day


def _by_year(rule: _Filter, year: int, first: int) -> Iterator[int]:
    count = 366 if isleap(year) else 365
    for index in range(count):
        day = first + index
        if _weekday_fits(rule, day, index, count - 1 - index) and _fits(rule, date.fromordinal(day)):
            yield day


def _weekday_fits(rule: _Filter, day: int, before: int, after: int) -> bool:
    """Return True if the weekday fits.

    `before` and `after` are the days of the month or the year around it.
    """
    if not rule.weekdays and not rule.nth:
        return True
    weekday = (day - 1) % 7
    if weekday in rule.weekdays:
        return True
    return (before // 7 + 1, weekday) in rule.nth or (-(after // 7) - 1, weekday) in rule.nth


def _week_fits(rule: _Filter, day: int) -> bool:
    return not (rule.year_days or rule.weeks) or _fits(rule, date.fromordinal(day))


def _fits(rule: _Filter, day: date) -> bool:
    """Return True if everything but weekdays fits."""
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days and not _either(rule.month_days, day.day, monthrange(day.year, day.month)[1]):
        return False
    if rule.year_days:
        number = day.toordinal() - date(day.year, 1, 1).toordinal() + 1
        if not _either(rule.year_days, number, 366 if isleap(day.year) else 365):
            return False
    return not rule.weeks or _either(rule.weeks, *_week(day, rule.week_start))


def _either(wanted: frozenset[int], number: int, count: int) -> bool:
    """Return True if a number of `count` is wanted, from the front or from the back."""
    return number in wanted or number - count - 1 in wanted


def _week(day: date, week_start: int) -> tuple[int, int]:
    """Return the number of a day's week, and how many weeks its year has.

    Week 1 has four days of its year.
    """
    ordinal = day.toordinal()
    year = day.year
    if year < 9999 and ordinal >= _first_week(year + 1, week_start):
        year += 1
    elif year > 1 and ordinal < _first_week(year, week_start):
        year -= 1
    first = _first_week(year, week_start)
    count = (_first_week(year + 1, week_start) - first) // 7 if year < 9999 else 52
    return (ordinal - first) // 7 + 1, count


@lru_cache(maxsize=1024)
def _first_week(year: int, week_start: int) -> int:
    fourth = date(year, 1, 4)
    return fourth.toordinal() - (fourth.weekday() - week_start) % 7


_PERIODS = {DAILY: _daily, WEEKLY: _weekly, MONTHLY: _monthly, YEARLY: _yearly}
