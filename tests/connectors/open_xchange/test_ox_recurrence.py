"""Rules of recurring tasks go to the HTTP API and come back with their meaning."""

from __future__ import annotations

import io
import json
from datetime import date

import pytest
from golden_records import NOT_AFTER, context, golden, names, record
from icalendar import Calendar

from connectors.caldav.product_open_xchange import PROFILE
from connectors.open_xchange import task_fields
from connectors.open_xchange.answers import Json
from connectors.open_xchange.recurrence import day_of, moment_of_day, to_fields, to_rule
from connectors.open_xchange.target import _with_rules
from mappings.compare.semantic_digest import calendar_digest
from mappings.registry import map_task
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Mapped

TARGET = Capabilities(
    frozenset({Kind.TASKS}),
    recurring_tasks=True,
    category_commas=PROFILE.category_commas,
    tasks=_with_rules(PROFILE.todos),
)
RULES = [
    "FREQ=DAILY;INTERVAL=1",
    "FREQ=DAILY;INTERVAL=3;COUNT=5",
    "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,WE,SU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;UNTIL=20271231",
    "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=15",
    "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
    "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=28,29;BYSETPOS=-1",
    "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=-1",
    "FREQ=MONTHLY;INTERVAL=1;BYDAY=2TU",
    "FREQ=MONTHLY;INTERVAL=1;BYDAY=-1FR",
    "FREQ=MONTHLY;INTERVAL=1;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;INTERVAL=1;BYDAY=SA,SU;BYSETPOS=1",
    "FREQ=YEARLY;INTERVAL=1;BYMONTH=7;BYMONTHDAY=31",
    "FREQ=YEARLY;INTERVAL=1;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1",
    "FREQ=YEARLY;INTERVAL=1;BYMONTH=11;BYDAY=4TH",
    "FREQ=YEARLY;INTERVAL=1;BYMONTH=5;BYMONTHDAY=-1",
]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_comes_back(rule: str) -> None:
    assert to_rule(json.loads(json.dumps(to_fields(rule)))) == rule


def test_fields_are_those_that_were_recorded() -> None:
    """Weekly on Tuesday, as the recorded request has it."""
    fields = to_fields("FREQ=WEEKLY;BYDAY=TU")
    assert fields == {"recurrence_type": 2, "days": 4, "interval": 1}
    assert moment_of_day(date(2026, 12, 1)) == 1796083200000
    assert day_of(1796083200000) == date(2026, 12, 1)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=HOURLY",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYMONTHDAY=1",
        "FREQ=YEARLY;BYMONTHDAY=1",
        "FREQ=WEEKLY",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=MONTHLY",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYMONTHDAY=-2",
        "FREQ=MONTHLY;BYMONTHDAY=28,29,30",
        "FREQ=MONTHLY;BYDAY=MO,TU",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=13",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;UNTIL=soon",
    ],
)
def test_another_rule_is_refused(rule: str) -> None:
    with pytest.raises(Rejected) as caught:
        to_fields(rule)
    assert caught.value.code == "refused-by-target"


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"recurrence_type": 9},
        {"recurrence_type": 1, "until": 10**30},
        {"recurrence_type": "2", "days": "x"},
        {"title": 5, "start_time": -(10**30), "end_time": True, "alarm": 10**30, "status": "done"},
        {"title": "a\r\nEND:VTODO", "categories": " ,a,, b", "priority": 7, "percent_completed": 200},
    ],
)
def test_an_odd_task_becomes_one_object(found: Json) -> None:
    (todo,) = Calendar.from_ical(task_fields.to_object(found)).walk("VTODO")
    assert calendar_digest(io.BytesIO(task_fields.to_object(found)), NOT_AFTER)
    assert "SUMMARY" not in todo or "\n" in str(todo["SUMMARY"])


def test_backslashes_of_a_task_come_back() -> None:
    texts = {"title": "C:\\Neu\\neu", "note": "\\\\akten\\Nord; a, b\nzwei", "categories": "C:\\Nord,x"}
    days = {"start_time": 1_772_323_200_000, "end_time": 1_772_323_200_000, "full_time": True}
    stated = task_fields.to_task(task_fields.to_object({"uid": "1", **texts, **days}))
    assert {name: stated[name] for name in texts} == texts


def returned(made: Mapped) -> bytes:
    stated = {**task_fields.to_task(made.item.body().read()), "uid": made.item.uid}
    return task_fields.to_object(json.loads(json.dumps(stated)))


def is_series(made: Mapped) -> bool:
    return task_fields.comes_back(made.item.body())


@pytest.mark.parametrize("name", names("task"))
def test_every_odd_series_comes_back(name: str) -> None:
    made = map_task(golden("task", name), context(TARGET))
    if is_series(made):
        assert calendar_digest(io.BytesIO(returned(made)), NOT_AFTER) == made.item.digest


def test_there_are_odd_series() -> None:
    """What the test before rests on."""
    series = [name for name in names("task") if is_series(map_task(golden("task", name), context(TARGET)))]
    assert "weekly" in series
    assert len(series) > 2


SERIES = (
    "<t:Task><t:Subject>A</t:Subject>{more}<t:StartDate>2026-12-01T00:00:00Z</t:StartDate>{due}"
    "<t:Recurrence>{rule}<t:NoEndRecurrence><t:StartDate>2026-12-01Z</t:StartDate></t:NoEndRecurrence>"
    "</t:Recurrence></t:Task>"
)
DUE = "<t:DueDate>2026-12-01T00:00:00Z</t:DueDate>"
DAILY = "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
YEARLY = (
    "<t:AbsoluteYearlyRecurrence>{}<t:DayOfMonth>1</t:DayOfMonth><t:Month>December</t:Month>"
    "</t:AbsoluteYearlyRecurrence>"
)
WEEKLY = "<t:WeeklyRecurrence><t:Interval>{}</t:Interval><t:DaysOfWeek>{}</t:DaysOfWeek></t:WeeklyRecurrence>"


@pytest.mark.parametrize(
    ("rule", "due", "more", "kept"),
    [
        (DAILY, DUE, "", True),
        (DAILY, "", "", False),
        (WEEKLY.format(1, "Tuesday Sunday"), DUE, "", True),
        (WEEKLY.format(2, "Tuesday"), DUE, "", True),
        (WEEKLY.format(2, "Tuesday Friday"), DUE, "", True),
        (WEEKLY.format(2, "Tuesday Sunday"), DUE, "", False),
        (YEARLY.format(""), DUE, "", True),
        (YEARLY.format("<t:Interval>2</t:Interval>"), DUE, "", False),
        (DAILY, DUE, "<t:Status>Deferred</t:Status><t:PercentComplete>20</t:PercentComplete>", False),
        (DAILY, DUE, "<t:Status>InProgress</t:Status><t:PercentComplete>20</t:PercentComplete>", True),
    ],
)
def test_what_its_tasks_cannot_be_stays_the_current_one(rule: str, due: str, more: str, kept: bool) -> None:
    native = record("task", SERIES.format(rule=rule, due=due, more=more), "IPM.Task")
    made = map_task(native, context(TARGET))
    reasons = {loss.reason for loss in made.losses if loss.field == "recurrence"}
    assert is_series(made) is kept
    assert ("current-occurrence-only" in reasons) is not kept
    everywhere = map_task(native, context(Capabilities(TARGET.kinds)))
    assert is_series(everywhere)
    if kept:
        assert calendar_digest(io.BytesIO(returned(made)), NOT_AFTER) == made.item.digest


def test_a_confidential_task_is_private_and_the_loss_named() -> None:
    native = record(
        "task", "<t:Task><t:Subject>A</t:Subject><t:Sensitivity>Confidential</t:Sensitivity></t:Task>"
    )
    made = map_task(native, context(TARGET))
    assert b"CLASS:PRIVATE" in made.item.body().read()
    assert "shown-as-private" in {loss.reason for loss in made.losses}
    assert b"CLASS:CONFIDENTIAL" in map_task(native, context(Capabilities(TARGET.kinds))).item.body().read()
