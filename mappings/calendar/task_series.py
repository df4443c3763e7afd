"""Read when a task is due, and how it comes back.

Exchange has one item for a series of tasks: the current one. When it is completed, the next one takes its
place. So the RRULE begins with the current occurrence, and a number of occurrences is what is left of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from mappings.calendar.task_progress import begun_unsaid, completed
from mappings.contacts.dates import day_of
from mappings.fields.context import Context
from mappings.fields.ews_xml import Element, child, extended, moment, text
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Rule, Text
from mappings.losses.catalogue import lose
from mappings.time.rrule import ORDER, RecurrenceRule, Start, regeneration, rule
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
    """

    start: date | None
    due: date | None
    rrule: str = ""
    kept: str = ""
    losses: tuple[Loss, ...] = ()

    def add(self, todo: Component) -> None:
        """Add the days and the rule to the task."""
        for name, day in (("DTSTART", self.start), ("DUE", self.due)):
            if day is not None:
                todo.add(name, Moment(day))
        if self.rrule:
            todo.add("RRULE", Rule(self.rrule))
        if self.kept:
            todo.add("X-KOGGE-RECURRENCE", Text(self.kept))


def days(element: Element, context: Context) -> Days:
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
    return _series(element, recurrence, dates, context)


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


def _series(element: Element, recurrence: Element, dates: Days, context: Context) -> Days:
    ruled = rule(recurrence, dates.start or dates.due or date(1970, 1, 1))
    if dates.start is None and dates.due is None:
        losses = (*dates.losses, lose("start", "from-recurrence"))
        dates = replace(dates, start=_date(ruled.first), losses=losses)
    anchored, past, hit = _anchored(ruled, dates)
    written = ruled.text if ruled.count is None else f"{ruled.shape};COUNT={ruled.count - past}"
    if completed(element):
        return _alone(dates, written, "completed")
    is_odd = context.target.tasks.plain_series and not _is_plain(element, ruled, anchored)
    if not context.target.recurring_tasks or is_odd:
        return _alone(dates, written, "current-occurrence-only")
    if ruled.until is not None and anchored.start and _date(ruled.until) < anchored.start:
        return _alone(dates, written, "over")
    losses = anchored.losses if hit else (*anchored.losses, lose("recurrence", "day-apart"))
    return replace(anchored, rrule=written, losses=losses)


def _anchored(ruled: RecurrenceRule, dates: Days) -> tuple[Days, int, bool]:
    """Return the series from its current occurrence on, how many came before, True if the rule has that day.

    The series has a start. It counts the start, or, if only that is one of its days, the day the task is due.
    """
    past, hit = _position(ruled, dates.start or dates.due)
    if dates.start is None:
        return replace(dates, start=dates.due), past, hit
    if hit or dates.due is None:
        return dates, past, hit
    due_past, due_hit = _position(ruled, dates.due)
    if not due_hit:
        return dates, past, hit
    losses = (*dates.losses, lose("start", "moved-to-due"))
    return replace(dates, start=dates.due, losses=losses), due_past, True


def _is_plain(element: Element, ruled: RecurrenceRule, anchored: Days) -> bool:
    """Return True for a series that a server with few rules for tasks keeps (TaskLimits.plain_series)."""
    if anchored.start is None or anchored.due is None or begun_unsaid(element):
        return False
    parts = dict(part.split("=", 1) for part in ruled.shape.split(";"))
    if parts["FREQ"] in {"DAILY", "MONTHLY"} or "INTERVAL" not in parts:
        return True
    return parts["FREQ"] == "WEEKLY" and _has_one_week(parts, ORDER[anchored.start.weekday()])


def _has_one_week(parts: Mapping[str, str], first: str) -> bool:
    """Return True if a weekly rule means the same whether its weeks begin on Sunday or on Monday."""
    days = parts["BYDAY"].split(",")
    return days == [first] or (parts["WKST"] in {"MO", "SU"} and "SU" not in {*days, first})


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
