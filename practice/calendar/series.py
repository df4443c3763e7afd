"""Recurrence as Exchange has it: six patterns, three endings, and the days they fall on.

Days 29 to 31 (and 29 February) of a shorter month are its last day: Exchange clamps where RFC 5545 skips.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count as counted
from itertools import takewhile
from typing import Literal

from practice.calendar.timezones import MONTHS, WEEKDAYS
from practice.world.record_elements import leaf

Index = Literal["First", "Second", "Third", "Fourth", "Last"]
_INDEX: dict[Index, int] = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}
_SETS = {
    "Day": frozenset(range(7)),
    "Weekday": frozenset(range(5)),
    "WeekendDay": frozenset((5, 6)),
    **{name: frozenset((at,)) for at, name in enumerate(WEEKDAYS)},
}
_LAST_YEAR = 4500  # where Exchange ends a series without an end
FAR = date(_LAST_YEAR, 12, 31)


@dataclass(frozen=True, slots=True)
class Daily:
    """Repeat every so many days."""

    every: int = 1

    def days(self, start: date) -> Iterator[date]:
        """Yield the days of the pattern."""
        return (start + timedelta(days=n * self.every) for n in counted())

    def xml(self) -> str:
        """Return the pattern as EWS writes it."""
        return f"<t:DailyRecurrence>{_interval(self.every)}</t:DailyRecurrence>"


@dataclass(frozen=True, slots=True)
class Weekly:
    """Repeat every so many weeks.

    Attributes:
        weekdays: 0 is Monday.
        first: the day that a week begins with, which matters when every is more than 1.
    """

    weekdays: tuple[int, ...]
    every: int = 1
    first: int = 0

    def days(self, start: date) -> Iterator[date]:
        """Yield the days of the pattern."""
        week = start - timedelta(days=(start.weekday() - self.first) % 7)
        offsets = sorted((day - self.first) % 7 for day in self.weekdays)
        for n in counted():
            for offset in offsets:
                yield week + timedelta(days=n * 7 * self.every + offset)

    def xml(self) -> str:
        """Return the pattern as EWS writes it."""
        names = " ".join(WEEKDAYS[day] for day in self.weekdays)
        first = leaf("FirstDayOfWeek", WEEKDAYS[self.first])
        inner = _interval(self.every) + leaf("DaysOfWeek", names) + first
        return f"<t:WeeklyRecurrence>{inner}</t:WeeklyRecurrence>"


@dataclass(frozen=True, slots=True)
class Monthly:
    """Repeat on a day of the month."""

    day: int
    every: int = 1

    def days(self, start: date) -> Iterator[date]:
        """Yield the days of the pattern."""
        return (clamped(year, month, self.day) for year, month in _months(start, self.every))

    def xml(self) -> str:
        """Return the pattern as EWS writes it."""
        inner = _interval(self.every) + leaf("DayOfMonth", str(self.day))
        return f"<t:AbsoluteMonthlyRecurrence>{inner}</t:AbsoluteMonthlyRecurrence>"


@dataclass(frozen=True, slots=True)
class MonthlyOn:
    """Repeat on the index-th of the days of a kind: a weekday's name, Day, Weekday or WeekendDay."""

    kind: str
    index: Index
    every: int = 1

    def days(self, start: date) -> Iterator[date]:
        """Yield the days of the pattern."""
        return (nth(year, month, self.kind, self.index) for year, month in _months(start, self.every))

    def xml(self) -> str:
        """Return the pattern as EWS writes it."""
        inner = _interval(self.every) + leaf("DaysOfWeek", self.kind) + leaf("DayOfWeekIndex", self.index)
        return f"<t:RelativeMonthlyRecurrence>{inner}</t:RelativeMonthlyRecurrence>"


@dataclass(frozen=True, slots=True)
class Yearly:
    """Repeat on a day of the year."""

    day: int
    month: int

    def days(self, start: date) -> Iterator[date]:
        """Yield the days of the pattern."""
        return (clamped(year, self.month, self.day) for year in counted(start.year))

    def xml(self) -> str:
        """Return the pattern as EWS writes it."""
        inner = leaf("DayOfMonth", str(self.day)) + leaf("Month", MONTHS[self.month - 1])
        return f"<t:AbsoluteYearlyRecurrence>{inner}</t:AbsoluteYearlyRecurrence>"


@dataclass(frozen=True, slots=True)
class YearlyOn:
    """Repeat on the index-th of the days of a kind in a month of the year."""

    kind: str
    index: Index
    month: int

    def days(self, start: date) -> Iterator[date]:
        """Yield the days of the pattern."""
        return (nth(year, self.month, self.kind, self.index) for year in counted(start.year))

    def xml(self) -> str:
        """Return the pattern as EWS writes it."""
        inner = leaf("DaysOfWeek", self.kind) + leaf("DayOfWeekIndex", self.index)
        inner += leaf("Month", MONTHS[self.month - 1])
        return f"<t:RelativeYearlyRecurrence>{inner}</t:RelativeYearlyRecurrence>"


Pattern = Daily | Weekly | Monthly | MonthlyOn | Yearly | YearlyOn


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Hold a pattern with its end: until (that day included), a count, or neither.

    The series starts on the day its master does, which is on the pattern.
    """

    pattern: Pattern
    until: date | None = None
    count: int | None = None

    def days(self, start: date, last: date = FAR) -> Iterator[date]:
        """Yield the days it falls on, from start to last, deleted ones included, ascending."""
        end = min(last, self.until or FAR)
        found = takewhile(lambda day: day <= end, self.pattern.days(start))
        for number, day in enumerate(day for day in found if day >= start):
            if self.count is not None and number >= self.count:
                return
            yield day

    @property
    def endless(self) -> bool:
        """Return whether it has no end."""
        return self.until is None and self.count is None

    def xml(self, start: str, end: str) -> str:
        """Return the recurrence as EWS writes it.

        Args:
            start: the first day as the server writes it.
            end: the last day as the server writes it.
        """
        first = leaf("StartDate", start)
        if self.count is not None:
            many = leaf("NumberOfOccurrences", str(self.count))
            ending = f"<t:NumberedRecurrence>{first}{many}</t:NumberedRecurrence>"
        elif self.until is not None:
            ending = f"<t:EndDateRecurrence>{first}{leaf('EndDate', end)}</t:EndDateRecurrence>"
        else:
            ending = f"<t:NoEndRecurrence>{first}</t:NoEndRecurrence>"
        return f"<t:Recurrence>{self.pattern.xml()}{ending}</t:Recurrence>"


def clamped(year: int, month: int, day: int) -> date:
    """Return a day of a month, or the last one of a shorter month."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def nth(year: int, month: int, kind: str, index: Index) -> date:
    """Return the index-th day of a kind in a month."""
    last = calendar.monthrange(year, month)[1]
    days = [date(year, month, day) for day in range(1, last + 1)]
    return [day for day in days if day.weekday() in _SETS[kind]][_INDEX[index]]


def _months(start: date, every: int) -> Iterator[tuple[int, int]]:
    first = start.year * 12 + start.month - 1
    for n in counted():
        year, month = divmod(first + n * every, 12)
        yield year, month + 1


def _interval(every: int) -> str:
    return leaf("Interval", str(every))
