"""Convert between a VTODO and the JSON of Open-Xchange's tasks.

Days are whole days; the one moment is that of a reminder. Only what the mapping leaves of a task is written
(`model.kept_fields.TaskLimits`).

Source:
    "Detailed task data" and "Common object data" of the vendor's HTTP API, documentation/http_api.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, BinaryIO, Final, TypeAlias

from icalendar import Alarm, Calendar, Todo, vRecur

from connectors.open_xchange.answers import Json, text_of
from connectors.open_xchange.recurrence import NOTHING, day_of, moment_of_day, to_fields, to_rule
from model.errors import Rejected
from model.icalendar_writer import written

FAULTS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, IndexError)
STATES: Final = {"NEEDS-ACTION": 1, "IN-PROCESS": 2, "COMPLETED": 3}
STATE_NAMES: Final = {1: "NEEDS-ACTION", 2: "IN-PROCESS", 3: "COMPLETED", 4: "IN-PROCESS", 5: "NEEDS-ACTION"}
"""Waiting (4) and deferred (5) have no word of their own in iCalendar; a person may set them."""
PRIORITIES: Final = {1: 3, 9: 1}
PRIORITY_NAMES: Final = {3: 1, 2: 5, 1: 9}
CLEARED: Final = (
    "note",
    "categories",
    "priority",
    "alarm",
    "occurrences",
    "until",
    "days",
    "day_in_month",
    "month",
)
"""Fields that an update sets to nothing where the task has no such thing."""
_RULE = re.compile(rb"(?i)RRULE[;:]")
Read: TypeAlias = Any
"""A component as icalendar reads it; its values have thirty classes."""


def comes_back(stream: BinaryIO) -> bool:
    """Return True if a task has a rule, which CalDAV does not take."""
    return any(_RULE.match(line) for line in stream)


def to_task(body: bytes) -> Json:
    """Return the fields of a task.

    Args:
        body: an iCalendar object with one VTODO.

    Raises:
        Rejected: "refused-by-target" for what its tasks do not hold.
    """
    try:
        (todo,) = Calendar.from_ical(body).walk("VTODO")
        return _fields(todo)
    except FAULTS:
        raise Rejected(
            "refused-by-target", "the task is of a shape that the server's tasks do not have"
        ) from None


def to_object(found: Json) -> bytes:
    """Return the iCalendar object for a task as the server states it; what makes no sense is left out."""
    todo = Todo()
    todo.add("UID", text_of(found, "uid"))
    todo.add("DTSTAMP", datetime(1970, 1, 1, tzinfo=UTC))
    for name, value in _properties(found):
        todo.add(name, value)
    rule = _rule(found)
    if rule:
        todo.add("RRULE", vRecur.from_ical(rule))
    alarm = _moment(found.get("alarm"))
    if alarm is not None:
        todo.add_component(_alarm(alarm, text_of(found, "title")))
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", "Open-Xchange")
    calendar.add_component(todo)
    return written(calendar)


def _fields(todo: Read) -> Json:
    fields: Json = dict.fromkeys(CLEARED)
    fields |= {"title": str(todo.get("SUMMARY", "")), "full_time": True}
    fields |= {"start_time": _day(todo, "DTSTART"), "end_time": _day(todo, "DUE")}
    fields["private_flag"] = str(todo.get("CLASS", "PUBLIC")).upper() != "PUBLIC"
    fields["status"] = STATES[str(todo.get("STATUS", "NEEDS-ACTION")).upper()]
    fields["percent_completed"] = int(todo.get("PERCENT-COMPLETE", 0))
    if todo.get("DESCRIPTION"):
        fields["note"] = str(todo["DESCRIPTION"])
    if "PRIORITY" in todo and int(todo["PRIORITY"]):
        fields["priority"] = PRIORITIES.get(int(todo["PRIORITY"]), 2)
    if "CATEGORIES" in todo:
        fields["categories"] = ",".join(str(one) for one in todo["CATEGORIES"].cats)
    alarms = todo.walk("VALARM")
    if alarms:
        fields["alarm"] = int(alarms[0]["TRIGGER"].dt.timestamp()) * 1000
    rule = todo["RRULE"].to_ical().decode() if "RRULE" in todo else ""
    return fields | (to_fields(rule) if rule else NOTHING)


def _day(todo: Read, name: str) -> int:
    """Return a whole day; raise KeyError without one: what comes back needs both."""
    stated = todo[name].dt
    if isinstance(stated, datetime) or not isinstance(stated, date):
        raise ValueError
    return moment_of_day(stated)


def _properties(found: Json) -> Iterator[tuple[str, object]]:
    for name, field in (("SUMMARY", "title"), ("DESCRIPTION", "note")):
        if text := text_of(found, field):
            yield name, text
    for name, field in (("DTSTART", "start_time"), ("DUE", "end_time")):
        if (moment := _moment(found.get(field))) is not None:
            yield name, moment.date() if found.get("full_time") else moment
    if found.get("private_flag") is True:
        yield "CLASS", "PRIVATE"
    state, priority = found.get("status"), found.get("priority")
    yield "STATUS", STATE_NAMES.get(state, "NEEDS-ACTION") if isinstance(state, int) else "NEEDS-ACTION"
    percent = found.get("percent_completed")
    if isinstance(percent, int) and 0 < percent <= 100:
        yield "PERCENT-COMPLETE", percent
    if isinstance(priority, int) and priority in PRIORITY_NAMES:
        yield "PRIORITY", PRIORITY_NAMES[priority]
    categories = [one.strip() for one in text_of(found, "categories").split(",") if one.strip()]
    if categories:
        yield "CATEGORIES", categories
    done = _moment(found.get("date_completed"))
    if done is not None:
        yield "COMPLETED", done


def _rule(found: Json) -> str:
    try:
        return to_rule(found)
    except ValueError:
        return ""


def _alarm(moment: datetime, title: str) -> Alarm:
    alarm = Alarm()
    alarm.add("ACTION", "DISPLAY")
    alarm.add("DESCRIPTION", title or "Reminder")
    alarm.add("TRIGGER", moment, parameters={"VALUE": "DATE-TIME"})
    return alarm


def _moment(value: object) -> datetime | None:
    """Return a moment that the API states in milliseconds; None for none."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        day_of(value)
        return datetime.fromtimestamp(value / 1000, UTC).replace(microsecond=0)
    except (ValueError, OverflowError, OSError):
        return None
