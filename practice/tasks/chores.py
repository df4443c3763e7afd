"""Hold a task: what its owner planned, and how Exchange states it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from practice.contacts.cards import PLAIN
from practice.exchange.soap import boolean, stamp
from practice.world.record_elements import dated, filled, leaf, present, strings
from practice.world.records import Common, Element

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

Status = Literal["NotStarted", "InProgress", "Completed", "WaitingOnOthers", "Deferred"]
Delegation = Literal["NoMatch", "OwnNew", "Owned", "Accepted", "Declined", "Max"]
Frequency = Literal[
    "Daily",
    "Weekly",
    "AbsoluteMonthly",
    "RelativeMonthly",
    "AbsoluteYearly",
    "RelativeYearly",
    "DailyRegeneration",
    "WeeklyRegeneration",
    "MonthlyRegeneration",
    "YearlyRegeneration",
]
_PARTS: dict[Frequency, tuple[str, ...]] = {
    "Daily": ("Interval",),
    "Weekly": ("Interval", "DaysOfWeek", "FirstDayOfWeek"),
    "AbsoluteMonthly": ("Interval", "DayOfMonth"),
    "RelativeMonthly": ("Interval", "DaysOfWeek", "DayOfWeekIndex"),
    "AbsoluteYearly": ("DayOfMonth", "Month"),
    "RelativeYearly": ("DaysOfWeek", "DayOfWeekIndex", "Month"),
    "DailyRegeneration": ("Interval",),
    "WeeklyRegeneration": ("Interval",),
    "MonthlyRegeneration": ("Interval",),
    "YearlyRegeneration": ("Interval",),
}
"""The elements of each pattern, in the schema's order."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Say how a task comes back.

    A regenerating one does so `interval` after it was completed.

    Attributes:
        days: EWS's words, divided by spaces.
        end: the last day, or how many times, or None for ever.
        zone: what follows the days ("Z", "+01:00"), as servers differ.
    """

    frequency: Frequency
    start: date
    end: date | int | None = None
    interval: int = 1
    days: str = "Monday"
    index: str = "First"
    day: int = 1
    month: str = "January"
    week_start: str = "Monday"
    zone: str = ""

    def xml(self) -> str:
        """Return the recurrence as EWS writes it."""
        values = {
            "Interval": str(self.interval),
            "DaysOfWeek": self.days,
            "DayOfWeekIndex": self.index,
            "DayOfMonth": str(self.day),
            "Month": self.month,
            "FirstDayOfWeek": self.week_start,
        }
        inner = "".join(leaf(part, values[part]) for part in _PARTS[self.frequency])
        tag = self.frequency if self.frequency.endswith("Regeneration") else f"{self.frequency}Recurrence"
        return f"<t:Recurrence><t:{tag}>{inner}</t:{tag}>{self._range()}</t:Recurrence>"

    def _range(self) -> str:
        start = leaf("StartDate", f"{self.start.isoformat()}{self.zone}")
        if self.end is None:
            return f"<t:NoEndRecurrence>{start}</t:NoEndRecurrence>"
        if isinstance(self.end, int):
            count = leaf("NumberOfOccurrences", str(self.end))
            return f"<t:NumberedRecurrence>{start}{count}</t:NumberedRecurrence>"
        end = leaf("EndDate", f"{self.end.isoformat()}{self.zone}")
        return f"<t:EndDateRecurrence>{start}{end}</t:EndDateRecurrence>"


@dataclass(frozen=True, slots=True)
class Chore:
    """Hold a task.

    Attributes:
        start, due, completed: days that Exchange stores as moments: midnight, of UTC or of whichever zone the
            client was in.
        percent: 0..100.
        total_work, actual_work: minutes.
        delegator: who assigned it.
    """

    key: str
    common: Common = PLAIN
    item_class: str = "IPM.Task"
    status: Status = "NotStarted"
    percent: float = 0
    start: datetime | None = None
    due: datetime | None = None
    completed: datetime | None = None
    repeat: Repeat | None = None
    owner: str | None = None
    delegation: Delegation | None = None
    delegator: str | None = None
    assigned: datetime | None = None
    team: bool = False
    total_work: int | None = None
    actual_work: int | None = None
    billing: str | None = None
    mileage: str | None = None
    companies: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    changes: int = 1

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:
        """Return the task's own elements."""
        person = item.folder.mailbox.owner.name
        return present((*_before(self), *_after(self, self.owner or person, dialect)))

    def value(self, uri: str) -> object:
        """Return what FindItem may sort by; Exchange refuses status and percentage."""
        return {
            "task:StartDate": self.start,
            "task:DueDate": self.due,
            "task:CompleteDate": self.completed,
            "task:IsComplete": self.status == "Completed",
            "task:IsRecurring": self.repeat is not None,
            "task:Owner": self.owner,
        }.get(uri)


def _before(one: Chore) -> tuple[tuple[str, str], ...]:
    complete = one.status == "Completed"
    return (
        ("task:ActualWork", _number("ActualWork", one.actual_work)),
        ("task:AssignedTime", filled("AssignedTime", None if one.assigned is None else stamp(one.assigned))),
        ("task:BillingInformation", filled("BillingInformation", one.billing)),
        ("task:ChangeCount", leaf("ChangeCount", str(one.changes))),
        ("task:Companies", strings("Companies", one.companies)),
        ("task:CompleteDate", _day("CompleteDate", one.completed)),
        ("task:Contacts", strings("Contacts", one.contacts)),
        ("task:DelegationState", filled("DelegationState", one.delegation)),
        ("task:Delegator", filled("Delegator", one.delegator)),
        ("task:DueDate", _day("DueDate", one.due)),
        ("task:IsAssignmentEditable", leaf("IsAssignmentEditable", "0")),
        ("task:IsComplete", leaf("IsComplete", boolean(complete))),
        ("task:IsRecurring", leaf("IsRecurring", boolean(one.repeat is not None))),
        ("task:IsTeamTask", leaf("IsTeamTask", boolean(one.team))),
    )


def _after(one: Chore, owner: str, dialect: Dialect) -> tuple[tuple[str, str], ...]:
    described = {"NotStarted": "Not Started", "InProgress": "In Progress", "WaitingOnOthers": "Waiting"}
    # gromox states neither.
    stated = not dialect.fraction
    return (
        ("task:Mileage", filled("Mileage", one.mileage)),
        ("task:Owner", leaf("Owner", owner) if stated else ""),
        ("task:PercentComplete", leaf("PercentComplete", f"{one.percent:g}")),
        ("task:Recurrence", one.repeat.xml() if one.repeat else ""),
        ("task:StartDate", _day("StartDate", one.start)),
        ("task:Status", leaf("Status", one.status)),
        (
            "task:StatusDescription",
            leaf("StatusDescription", described.get(one.status, one.status)) if stated else "",
        ),
        ("task:TotalWork", _number("TotalWork", one.total_work)),
    )


def _number(tag: str, value: int | None) -> str:
    return filled(tag, None if value is None else str(value))


def _day(tag: str, moment: datetime | None) -> str:
    return filled(tag, None if moment is None else dated(moment))
