"""Fit a task that comes back to a target that keeps no such tasks, or only those with plain rules."""

from __future__ import annotations

from datetime import date

from mappings.compare.content_lines import Malformed
from mappings.compare.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, ComparedRule, rule_of
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Property, Rule, Text, Word
from model.protocols import Capabilities

_FREQUENCIES = frozenset({DAILY, WEEKLY, MONTHLY, YEARLY})
_MONDAY, _SUNDAY = 0, 6


def fit_series(todo: Component, once: date | Property | None, target: Capabilities) -> bool:
    """Leave only the current occurrence if the target keeps no such series.

    Args:
        todo: the task. Its rule stands in a property of our own then.
        once: the day on which it begins, or its DTSTART, if it does not come back.
        target: its capabilities.

    Returns:
        True if the task comes back, there too, or never did.
    """
    rule = todo.first("RRULE")
    if not isinstance(rule, Rule):
        return True
    if target.recurring_tasks and (not target.tasks.plain_series or _is_plain(todo, rule)):
        return True
    for name in ("RRULE", "RDATE", "EXDATE", "DTSTART"):
        todo.remove(name)
    todo.add("X-KOGGE-RECURRENCE", Text(rule.said))
    if once is not None:
        todo.add("DTSTART", Moment(once) if isinstance(once, date) else once)
    return False


def percent_done(todo: Component) -> int:
    """Return how much of a task is done; 0 if it does not say so."""
    stated = todo.first("PERCENT-COMPLETE")
    digits = stated.said if isinstance(stated, Word) else ""
    return int(digits) if digits.isdecimal() and len(digits) <= len("100") else 0


def _is_plain(todo: Component, rule: Rule) -> bool:
    """Return True for a series that a server with few rules for tasks keeps (TaskLimits.plain_series)."""
    start, due = todo.first("DTSTART"), todo.first("DUE")
    begun_unsaid = todo.said("STATUS") in ("", "NEEDS-ACTION") and percent_done(todo) > 0
    if not isinstance(start, Moment) or due is None or begun_unsaid:
        return False
    try:
        parts = rule_of(rule.said)
    except Malformed:
        return False
    if parts.frequency in {DAILY, MONTHLY} or parts.interval == 1:
        return parts.frequency in _FREQUENCIES
    return parts.frequency == WEEKLY and _has_one_week(parts, start.at.weekday())


def _has_one_week(rule: ComparedRule, first: int) -> bool:
    """Return True if a weekly rule means the same whether its weeks begin on Sunday or on Monday."""
    days = {weekday for _, weekday in rule.days} or {first}
    return days == {first} or (rule.week_start in {_MONDAY, _SUNDAY} and _SUNDAY not in {*days, first})
