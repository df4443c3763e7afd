"""Map how far a task is: STATUS, PERCENT-COMPLETE, COMPLETED, and the work it took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mappings.contacts.dates import NEVER
from mappings.fields.ews_xml import Element, children, decimal, flag, moment, number, printable, text
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Text, Word
from mappings.losses.catalogue import lose
from model.protocols import Loss

STATES: Mapping[str, str] = {
    "NotStarted": "NEEDS-ACTION",
    "InProgress": "IN-PROCESS",
    "Completed": "COMPLETED",
    "WaitingOnOthers": "IN-PROCESS",
    "Deferred": "NEEDS-ACTION",
}
APART = frozenset({"WaitingOnOthers", "Deferred"})
"""States for which RFC 5545 section 3.8.1.11 has no word."""

WORKS = (("ActualWork", "X-KOGGE-ACTUAL-WORK"), ("TotalWork", "X-KOGGE-TOTAL-WORK"))
TEXTS = (("BillingInformation", "X-KOGGE-BILLING-INFORMATION"), ("Mileage", "X-KOGGE-MILEAGE"))
LISTS = (("Contacts", "CONTACT"), ("Companies", "X-KOGGE-COMPANY"))
ASSIGNMENT = (
    ("Owner", "X-KOGGE-OWNER"),
    ("Delegator", "X-KOGGE-DELEGATOR"),
    ("DelegationState", "X-KOGGE-DELEGATION-STATE"),
)
_EARLIEST = 1601
"""Exchange counts time from this year; an earlier date is none."""


def completed(element: Element) -> bool:
    """Return True if the task is completed."""
    return text(element, "t:Status").strip() == "Completed" or flag(element, "t:IsComplete")


def progress(element: Element, todo: Component) -> list[Loss]:
    """Add STATUS, PERCENT-COMPLETE and COMPLETED."""
    losses: list[Loss] = []
    state = text(element, "t:Status").strip()
    done = completed(element)
    todo.add("STATUS", Text("COMPLETED" if done else STATES.get(state, "NEEDS-ACTION")))
    if state in APART:
        todo.add("X-KOGGE-STATUS", Text(state))
        losses.append(lose("status", "no-equivalent"))
    elif state and state not in STATES:
        losses.append(lose("status", "unknown-value"))
    losses += _percent(element, todo, done)
    when = moment(text(element, "t:CompleteDate"))
    if done and when is not None and _EARLIEST <= when.year < NEVER:
        todo.add("COMPLETED", Moment(whole(when)))
    return losses


def _percent(element: Element, todo: Component, done: bool) -> list[Loss]:
    """Add a whole number (RFC 5545 section 3.8.1.8); Exchange keeps fractions."""
    percentage = decimal(element, "t:PercentComplete")
    if done:
        todo.add("PERCENT-COMPLETE", Word("100"))
        return []
    if percentage is None:
        return []
    if not 0 <= percentage <= 100:
        return [lose("percent", "impossible")]
    # Rounded down: a task at 99.6 % is not done.
    todo.add("PERCENT-COMPLETE", Word(str(int(percentage))))
    return [] if percentage == int(percentage) else [lose("percent", "rounded")]


def efforts(element: Element, todo: Component) -> list[Loss]:
    """Add work, billing, mileage and companies.

    RFC 5545 has no property for them, and no client shows them. The people that a task is about are its
    CONTACTs.
    """
    for name, property_ in WORKS:
        minutes = number(element, f"t:{name}")
        if minutes is not None and minutes > 0:
            todo.add(property_, Text(f"PT{minutes}M"))
    for name, property_ in TEXTS:
        _add(todo, property_, text(element, f"t:{name}"))
    for name, property_ in LISTS:
        for element_ in children(element, f"t:{name}/t:String"):
            _add(todo, property_, element_.text or "")
    return _assigned(element, todo)


def _assigned(element: Element, todo: Component) -> list[Loss]:
    """Add the assignment, never as ORGANIZER and ATTENDEE.

    A server that schedules would ask the owner anew.
    """
    state = text(element, "t:DelegationState").strip()
    if state in ("", "NoMatch") and not flag(element, "t:IsTeamTask"):
        return []
    for name, property_ in ASSIGNMENT:
        _add(todo, property_, text(element, f"t:{name}"))
    when = moment(text(element, "t:AssignedTime"))
    if when is not None and when.year < NEVER:
        todo.add("X-KOGGE-ASSIGNED", Text(f"{whole(when):%Y%m%dT%H%M%SZ}"))
    return [lose("assignment", "not-shown")]


def _add(todo: Component, name: str, written: str) -> None:
    value = printable(written).strip()
    if value:
        todo.add(name, Text(value))


def whole(when: datetime) -> datetime:
    """Return a moment in UTC, without fractions, as iCalendar writes it."""
    return when.astimezone(UTC).replace(microsecond=0)
