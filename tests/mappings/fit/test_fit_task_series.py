"""A series of tasks stays one where the target keeps such a rule, whoever wrote the rule."""

from __future__ import annotations

from datetime import date

import pytest

from mappings.fit.task_series import fit_series
from mappings.icalendar.component import Component
from mappings.icalendar.values import Moment, Moments, Rule, Text, Word
from model.kept_fields import TaskLimits
from model.kinds import Kind
from model.protocols import Capabilities

TASKS = frozenset({Kind.TASKS})
PLAIN = Capabilities(TASKS, tasks=TaskLimits(plain_series=True))
SINGLE = Capabilities(TASKS, recurring_tasks=False)
MONDAY = date(2026, 9, 7)


def task(rule: str, **others: str) -> Component:
    todo = Component("VTODO")
    todo.add("DTSTART", Moment(MONDAY))
    todo.add("DUE", Moment(MONDAY))
    todo.add("RRULE", Rule(rule))
    for name, value in others.items():
        todo.add(name.replace("_", "-"), Word(value) if value.isdecimal() else Text(value))
    return todo


@pytest.mark.parametrize(
    ("rule", "others", "stays"),
    [
        ("FREQ=DAILY;INTERVAL=3", {}, True),
        ("FREQ=YEARLY;INTERVAL=1;BYMONTH=9;BYMONTHDAY=7", {}, True),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=9;BYMONTHDAY=7", {}, False),
        ("FREQ=WEEKLY;INTERVAL=2", {}, True),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", {}, True),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU", {}, False),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=TU", {}, False),
        ("FREQ=HOURLY;INTERVAL=1", {}, False),
        ("FREQ=WEEKLY;BYDAY=XX", {}, False),
        ("FREQ=DAILY", {"PERCENT_COMPLETE": "40"}, False),
        ("FREQ=DAILY", {"PERCENT_COMPLETE": "40", "STATUS": "NEEDS-ACTION"}, False),
        ("FREQ=DAILY", {"PERCENT_COMPLETE": "40", "STATUS": "IN-PROCESS"}, True),
        ("FREQ=DAILY", {"PERCENT_COMPLETE": "0"}, True),
        ("FREQ=DAILY", {"PERCENT_COMPLETE": "9" * 5000}, True),
    ],
)
def test_only_a_plain_rule_stays_where_only_plain_ones_are_kept(
    rule: str, others: dict[str, str], stays: bool
) -> None:
    todo = task(rule, **others)
    assert fit_series(todo, MONDAY, PLAIN) == stays
    assert ("RRULE" in todo.properties) == stays
    assert ("X-KOGGE-RECURRENCE" in todo.properties) != stays
    assert not fit_series(task(rule, **others), MONDAY, SINGLE)


@pytest.mark.parametrize("once", [None, date(2026, 9, 8)])
def test_a_task_that_comes_back_no_more_begins_as_it_would_without_a_rule(once: date | None) -> None:
    todo = task("FREQ=DAILY;COUNT=3")
    todo.add("EXDATE", Moments((MONDAY,)))
    assert not fit_series(todo, once, SINGLE)
    assert todo.first("DTSTART") == (None if once is None else Moment(once))
    assert todo.said("X-KOGGE-RECURRENCE") == "FREQ=DAILY;COUNT=3"
    assert {"RRULE", "EXDATE"}.isdisjoint(todo.properties)


def test_a_task_without_a_rule_stays_as_it_is() -> None:
    todo = task("FREQ=DAILY")
    todo.remove("RRULE")
    before = todo.written()
    assert fit_series(todo, None, SINGLE)
    assert todo.written() == before
