"""Whatever a record says, it is mapped or refused with a code; and what is mapped can be read."""

from __future__ import annotations

import io
from dataclasses import replace

from broken_events import change, changed
from event_goldens import FOLDER, cases
from event_native import NOT_AFTER, context, native
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar

from mappings.compare.semantic_digest import calendar_digest
from mappings.losses.catalogue import LOSSES, REJECTIONS
from mappings.registry import map_event
from model.errors import Rejected
from model.event_habits import EventHabits
from model.kinds import Kind
from model.protocols import Capabilities, Mapped


def outcome(raw: bytes, target: Capabilities | None = None) -> Mapped | None:
    """None: refused with a code that is declared."""
    try:
        return map_event(native(raw), context(("jette.brandt@kiel.example",), target=target))
    except Rejected as error:
        if error.code not in REJECTIONS:
            raise
        return None


PLAIN = Capabilities(frozenset({Kind.CALENDAR}))
HABITS = EventHabits(own_zones=False, organizer_attends=True, title=255, place=255, text=2000, attendees=3)
ODD = replace(PLAIN, event_habits=HABITS)


@given(st.sampled_from(cases()), st.lists(change, min_size=1, max_size=6), st.sampled_from([PLAIN, ODD]))
def test_a_record_with_anything_in_it(
    name: str, changes: list[tuple[int, str, str]], target: Capabilities
) -> None:
    found = outcome(changed((FOLDER / name / "record.xml").read_bytes(), changes), target)
    if found is None:
        return
    raw = found.item.body().read()
    assert all((loss.field, loss.reason) in LOSSES for loss in found.losses)
    assert calendar_digest(io.BytesIO(raw), NOT_AFTER) == found.item.digest
    events = Calendar.from_ical(raw).walk("VEVENT")
    assert {str(event["UID"]) for event in events} == {found.item.uid}
    assert not [error for event in events for error in event.errors]
    assert max(map(len, raw.split(b"\r\n"))) <= 75


@given(st.binary(max_size=300))
@example(b"<m:Items/>")
def test_a_record_of_any_bytes(raw: bytes) -> None:
    assert outcome(raw) is None
