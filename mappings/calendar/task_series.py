"""Read when a task is due, and how it comes back.

Exchange has one item for a series of tasks: the current one. When it is completed, the next one takes its
place. So the RRULE begins with the current occurrence, and a number of occurrences is what is left of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from mappings.calendar.task_progress import completed
from mappings.contacts.dates import day_of
from mappings.fields.ews_xml import Element, child, extended, moment, text
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Rule, Text
from mappings.losses.catalogue import lose
from mappings.time.rrule import RecurrenceRule, Start, regeneration, rule
from model.protocols import Loss

TASK_SET = "00062003-0000-0000-C000-000000000046"
START, DUE = 0x8104, 0x8105
_MANY = 20_000
"""Occurrences that are searched before a series without a number: fifty years of days."""


@dataclass(frozen=True, slots=True)
class Days:
    """Say when a task is due.

    Attributes:
        start: a whole day; None if there is none.
        due: a whole day; None if there is none.
        rrule: of the series; "" if there is none.
        kept: the rule, if it can only stand in a property of our own.
        losses: of the days.
        once: as `start`, if the task does not come back.
        of_series: losses of the days that hold only if it does.
    """

    start: date | None
    due: date | None
    rrule: str = ""
    kept: str = ""
    losses: tuple[Loss, ...] = ()
    once: date | None = None
    of_series: tuple[Loss, ...] = ()

    def add(self, todo: Component) -> None:
        """Add the days and the rule to the task."""
        for name, day in (("DTSTART", self.start), ("DUE", self.due)):
            if day is not None:
                todo.add(name, Moment(day))
        if self.rrule:
            todo.add("RRULE", Rule(self.rrule))
        if self.kept:
            todo.add("X-KOGGE-RECURRENCE", Text(self.kept))


def days(element: Element) -> Days:
    """Return when a task is due.

    Raises:
        Rejected: "unknown-recurrence".
    """
    dates = _dates(element)
    recurrence = child(element, "t:Recurrence")
    if recurrence is None:
        return dates
    again = regeneration(recurrence)
    if again is not None:
        frequency, interval = again
        return _alone(dates, f"REGENERATE={frequency};INTERVAL={interval}", "regenerates")
    return _series(element, recurrence, dates)


def _dates(element: Element) -> Days:
    """Return the days.

    Outlook's own come first (MS-OXOTASK 2.2.2.2.4, midnight UTC of the day that was meant).
    """
    start, due = (_day(element, number, name) for number, name in ((START, "StartDate"), (DUE, "DueDate")))
    losses = [
        lose(field, "unreadable")
        for field, name in (("start", "StartDate"), ("due", "DueDate"))
        if (written := text(element, f"t:{name}").strip()) and moment(written) is None
    ]
    if start is not None and due is not None and start > due:
        # RFC 5545 section 3.8.2.3: DUE may not come before DTSTART.
        return Days(None, due, losses=(*losses, lose("start", "after-due")))
    return Days(start, due, losses=tuple(losses))


def _day(element: Element, number: int, name: str) -> date | None:
    meant = day_of(extended(element, (TASK_SET, number)) or "")
    return meant or day_of(text(element, f"t:{name}"))


def _series(element: Element, recurrence: Element, dates: Days) -> Days:
    ruled = rule(recurrence, dates.start or dates.due or date(1970, 1, 1))
    if dates.start is None and dates.due is None:
        losses = (*dates.losses, lose("start", "from-recurrence"))
        dates = replace(dates, start=_date(ruled.first), losses=losses)
    start, past, of_series = _anchored(ruled, dates)
    written = ruled.text if ruled.count is None else f"{ruled.shape};COUNT={ruled.count - past}"
    if completed(element):
        return _alone(dates, written, "completed")
    if ruled.until is not None and start and _date(ruled.until) < start:
        return _alone(dates, written, "over")
    return replace(dates, start=start, rrule=written, once=dates.start, of_series=of_series)


def _anchored(ruled: RecurrenceRule, dates: Days) -> tuple[date | None, int, tuple[Loss, ...]]:
    """Return the current occurrence, from which the series is written on, and how many came before.

    The series has a start. It counts the start, or, if only that is one of its days, the day the task is due.
    """
    past, hit = _position(ruled, dates.start or dates.due)
    if not hit and dates.start is not None and dates.due is not None:
        due_past, due_hit = _position(ruled, dates.due)
        if due_hit:
            return dates.due, due_past, (lose("start", "moved-to-due"),)
    return dates.start or dates.due, past, () if hit else (lose("recurrence", "day-apart"),)


def _position(ruled: RecurrenceRule, current: date | None) -> tuple[int, bool]:
    """Return how many occurrences of the whole series came before this day, and True if it is one."""
    most = _MANY if ruled.count is None else ruled.count - 1
    past = 0
    for occurrence in ruled.starts(ruled.first):
        if current is None or _date(occurrence) >= current:
            return past, _date(occurrence) == current
        if past >= most:
            break
        past += 1
    return past, False


def _alone(dates: Days, kept: str, reason: str) -> Days:
    return replace(dates, kept=kept, losses=(*dates.losses, lose("recurrence", reason)))


def _date(start: Start) -> date:
    return date(start.year, start.month, start.day)
