"""What is fitted to a target is the hub's component: it does not matter who read it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from event_goldens import FOLDER, cases, told
from event_native import context, native
from golden_records import golden, names

from mappings.calendar.event import read_event
from mappings.calendar.task import read_task
from mappings.fields.context import Context
from mappings.fit.event import EventRead, fit_event
from mappings.fit.shared_series import Occurrence
from mappings.fit.task import fit_task
from mappings.from_ical.calendar_object import read_object
from model.errors import Rejected
from model.event_habits import EventHabits
from model.event_limits import EventLimits
from model.icalendar_writer import calendar
from model.kept_fields import TaskLimits
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native

WHOLE = Capabilities(frozenset({Kind.CALENDAR, Kind.TASKS}))
SMALL = EventHabits(True, True, title=7, place=7, text=20, links=12, categories=9, attendees=3)
FEW = TaskLimits(frozenset({"SUMMARY", "DTSTART", "DUE", "RRULE", "STATUS"}), False, False, False)
TARGETS = {
    "whole": WHOLE,
    "small": replace(WHOLE, event_habits=SMALL, attachment_bytes=8, series_attachment_bytes=4, tasks=FEW),
    "silent": replace(WHOLE, silent_agent=True, category_commas=False, busy_words=False),
    "iana-zones": replace(WHOLE, event_habits=EventHabits(own_zones=False)),
    "plain-series": replace(WHOLE, tasks=TaskLimits(plain_series=True)),
    "single-tasks": replace(WHOLE, recurring_tasks=False),
    "no-objects": replace(WHOLE, events=EventLimits("Europe/Berlin", 20, 20, 60, 60)),
}
targets = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
events = pytest.mark.parametrize("name", cases())
tasks = pytest.mark.parametrize("name", names("task"))


def record(name: str) -> tuple[Native, Context]:
    case = told(name)
    attached = {id_: data.encode() for id_, data in case.get("attachments", {}).items()}
    given = context(case.get("owner", ()), case.get("addresses", {}), WHOLE)
    return native((FOLDER / name / "record.xml").read_bytes(), attached), given


def from_icalendar(read: EventRead) -> EventRead:
    """The same event, as the reader of iCalendar reads what was written of it."""
    found = read_object(io.BytesIO(calendar(event.written() for event in read.components)), "VEVENT")
    event, *changed = found.components
    occurrences = tuple(Occurrence(one, was.moved) for one, was in zip(changed, read.changed, strict=True))
    return replace(read, event=event, changed=occurrences)


def outcome(fit: Callable[[], Mapped]) -> object:
    """Return the bytes, the digest and the losses; or the code of a refusal."""
    try:
        made = fit()
    except Rejected as error:
        return error.code
    return made.item.body().read(), made.item.digest, set(made.losses)


@events
@targets
def test_an_event_of_icalendar_is_fitted_as_one_of_exchange(name: str, target: Capabilities) -> None:
    source, given = record(name)
    own = replace(given, target=target)
    ical, exchange = from_icalendar(read_event(source, given)), read_event(source, given)
    assert outcome(lambda: fit_event(ical, own)) == outcome(lambda: fit_event(exchange, own))


@events
@targets
def test_the_reader_of_an_event_does_not_know_the_target(name: str, target: Capabilities) -> None:
    source, given = record(name)
    read, other = read_event(source, given), read_event(source, replace(given, target=target))
    assert [event.written() for event in read.components] == [event.written() for event in other.components]
    assert (read.zones, read.losses, read.called) == (other.zones, other.losses, other.called)


@tasks
@targets
def test_the_reader_of_a_task_does_not_know_the_target(name: str, target: Capabilities) -> None:
    source = golden("task", name)
    read, other = read_task(source, context(target=WHOLE)), read_task(source, context(target=target))
    assert read.todo.written() == other.todo.written()
    assert replace(read, todo=other.todo) == other


@tasks
@targets
def test_a_task_of_icalendar_is_fitted_as_one_of_exchange(name: str, target: Capabilities) -> None:
    source, given = golden("task", name), context(target=target)
    read = read_task(source, context(target=WHOLE))
    (todo,) = read_object(io.BytesIO(calendar([read.todo.written()])), "VTODO").components
    ical, exchange = replace(read, todo=todo), read_task(source, given)
    if "RRULE" in todo.properties:  # its parts were put in the order of RFC 5545 when it was written
        exchange.todo.properties["RRULE"] = todo.properties["RRULE"]
    assert outcome(lambda: fit_task(ical, given)) == outcome(lambda: fit_task(exchange, given))


def test_the_small_targets_lose_something() -> None:
    lost = {
        loss.field
        for name in cases()
        for source, given in [record(name)]
        for loss in fit_event(
            replace(read_event(source, given), losses=()), replace(given, target=TARGETS["small"])
        ).losses
    }
    assert lost >= {"attachment", "attendee", "text", "title"}
