"""Recurrence in Graph's words: patternedRecurrence of events and tasks, every part of it filled in."""

from __future__ import annotations

from datetime import date

from practice.calendar.series import Daily, Monthly, MonthlyOn, Pattern, Recurrence, Weekly, Yearly, YearlyOn
from practice.calendar.timezones import MONTHS, WEEKDAYS
from practice.graph.wire import Json
from practice.tasks.chores import Repeat

_NEVER = "0001-01-01"
_WORDS = {
    "Day": WEEKDAYS,
    "Weekday": WEEKDAYS[:5],
    "WeekendDay": WEEKDAYS[5:],
}


def _days(words: str) -> list[str]:
    """Sunday first, as Graph lists them."""
    named = {day for word in words.split() for day in _WORDS.get(word, (word,))}
    return [day.lower() for day in (WEEKDAYS[-1], *WEEKDAYS[:-1]) if day in named]


def _pattern(
    kind: str,
    interval: int = 1,
    days: str = "",
    *,
    month: int = 0,
    day: int = 0,
    first: str = "Sunday",
    index: str = "First",
) -> Json:
    content: Json = {"type": kind, "interval": interval, "month": month, "dayOfMonth": day}
    if days:
        content["daysOfWeek"] = _days(days)
    return content | {"firstDayOfWeek": first.lower(), "index": index.lower()}


def _of(pattern: Pattern) -> Json:
    if isinstance(pattern, Daily):
        return _pattern("daily", pattern.every)
    if isinstance(pattern, Weekly):
        names = " ".join(WEEKDAYS[day] for day in pattern.weekdays)
        return _pattern("weekly", pattern.every, names, first=WEEKDAYS[pattern.first])
    if isinstance(pattern, Monthly):
        return _pattern("absoluteMonthly", pattern.every, day=pattern.day)
    if isinstance(pattern, MonthlyOn):
        return _pattern("relativeMonthly", pattern.every, pattern.kind, index=pattern.index)
    if isinstance(pattern, Yearly):
        return _pattern("absoluteYearly", 1, month=pattern.month, day=pattern.day)
    if isinstance(pattern, YearlyOn):
        return _pattern("relativeYearly", 1, pattern.kind, month=pattern.month, index=pattern.index)
    raise TypeError("an unknown pattern")


def _range(start: date, end: date | int | None, zone: str) -> Json:
    kind = "noEnd" if end is None else "numbered" if isinstance(end, int) else "endDate"
    return {
        "type": kind,
        "startDate": start.isoformat(),
        "endDate": end.isoformat() if isinstance(end, date) else _NEVER,
        "recurrenceTimeZone": zone,
        "numberOfOccurrences": end if isinstance(end, int) else 0,
    }


def of_series(recurrence: Recurrence, start: date, zone: str) -> Json:
    """Return the recurrence of a series."""
    end = recurrence.until if recurrence.count is None else recurrence.count
    return {"pattern": _of(recurrence.pattern), "range": _range(start, end, zone)}


_TASKS = {
    "Daily": "daily",
    "Weekly": "weekly",
    "AbsoluteMonthly": "absoluteMonthly",
    "RelativeMonthly": "relativeMonthly",
    "AbsoluteYearly": "absoluteYearly",
    "RelativeYearly": "relativeYearly",
    "DailyRegeneration": "daily",
    "WeeklyRegeneration": "weekly",
    "MonthlyRegeneration": "absoluteMonthly",
    "YearlyRegeneration": "absoluteYearly",
}


def of_task(repeat: Repeat) -> Json:
    """Return a task's recurrence; To Do does not state if a task comes back only when it was done."""
    kind = _TASKS[repeat.frequency]
    regenerating = repeat.frequency.endswith("Regeneration")
    day, month = (repeat.start.day, repeat.start.month) if regenerating else (
        repeat.day, MONTHS.index(repeat.month) + 1)  # fmt: skip
    yearly = kind.endswith("Yearly")
    pattern = _pattern(
        kind,
        repeat.interval,
        repeat.days if kind == "weekly" or kind.startswith("relative") else "",
        month=month if yearly else 0,
        day=day if kind.startswith("absolute") else 0,
        first=repeat.week_start,
        index=repeat.index if kind.startswith("relative") else "First",
    )
    return {"pattern": pattern, "range": _range(repeat.start, repeat.end, "UTC")}
