"""What Exchange's readers made is read as iCalendar: fit writes the same again, and loses nothing."""

from __future__ import annotations

import io

import pytest
from event_goldens import FOLDER, cases, mapped, told
from event_native import context as event_context
from event_native import native
from golden_records import context as task_context
from golden_records import golden, names
from icalendar_records import record

from mappings.calendar.event import read_event
from mappings.compare.semantic_digest import calendar_differing
from mappings.fields.context import Context
from mappings.from_ical.event import read_event as read_ical_event
from mappings.registry import ITEM_FORMS, map_event
from model.kinds import Kind
from model.protocols import Capabilities, Mapped

ZONES_OF_OUR_OWN = frozenset({"custom-zone", "exchange-2007"})
"""Their zones are named by their rules, as far as a VTIMEZONE says them."""


def again(kind: Kind, made: Mapped, given: Context) -> tuple[Mapped, bytes, bytes]:
    data = made.item.body().read()
    found = ITEM_FORMS[kind].map(record(data), given)
    assert calendar_differing(io.BytesIO(data), found.item.body(), given.began) == ()
    assert found.item.digest == made.item.digest
    assert set(found.losses) <= set(made.losses)
    return found, data, found.item.body().read()


@pytest.mark.parametrize("name", cases())
def test_a_golden_event_is_written_again(name: str) -> None:
    case = told(name)
    target = Capabilities(frozenset({Kind.CALENDAR}), **case.get("target", {}))
    given = event_context(case.get("owner", ()), case.get("addresses", {}), target)
    made = mapped(name)
    found, was, now = again(Kind.CALENDAR, made, given)
    assert (found.item.invited, found.item.organizer) == (made.item.invited, made.item.organizer)
    assert (now == was) != (name in ZONES_OF_OUR_OWN)


@pytest.mark.parametrize("name", cases())
def test_the_reader_of_icalendar_says_what_the_reader_of_exchange_says(name: str) -> None:
    case = told(name)
    given = event_context(case.get("owner", ()), case.get("addresses", {}))
    attached = {id_: data.encode() for id_, data in case.get("attachments", {}).items()}
    source = native((FOLDER / name / "record.xml").read_bytes(), attached)
    exchange, written = read_event(source, given), map_event(source, given).item.body().read()
    ical = read_ical_event(record(written), given)
    assert [each.moved for each in ical.changed] == [each.moved for each in exchange.changed]
    assert ical.called == exchange.called


@pytest.mark.parametrize("name", names("task"))
def test_a_golden_task_is_written_again(name: str) -> None:
    given = task_context()
    made = ITEM_FORMS[Kind.TASKS].map(golden("task", name), given)
    _, was, now = again(Kind.TASKS, made, given)
    assert now == was
