"""What an object means is what its item means: generated objects, and all that practice mailboxes hold."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from event_native import NOT_AFTER
from graph_worlds import Pair, Sources, sources
from hypothesis import given
from hypothesis import strategies as st
from icalendar_records import WHOLE, component, framed, mapped, outcome, record, zone

from mappings.compare.semantic_digest import CALENDAR_FIELDS, calendar_differing, calendar_meaning
from mappings.registry import ITEM_FORMS
from model.errors import Rejected
from model.event_habits import EventHabits
from model.kept_fields import TaskLimits
from model.kinds import Kind
from model.protocols import Native
from practice.world.world import World

TARGETS = {
    "whole": WHOLE,
    "iana-zones": replace(WHOLE, event_habits=EventHabits(own_zones=False)),
    "silent": replace(WHOLE, silent_agent=True, category_commas=False, busy_words=False),
    "organizer": replace(WHOLE, event_habits=EventHabits(organizer_attends=True)),
    "tasks": replace(WHOLE, tasks=TaskLimits(past_alarms=False, confidential=False, open_when_done=False)),
}
RULES = st.sampled_from(
    ["FREQ=DAILY;COUNT=12", "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=40", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=7",
     "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU", "FREQ=YEARLY", "FREQ=MONTHLY;BYDAY=-1FR",
     "FREQ=DAILY;UNTIL=20271231T235959Z", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1;COUNT=5", ""]
)  # fmt: skip
STARTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0))
NAMES = st.sampled_from(["days", "floating", "utc", "Europe/Berlin", "America/New_York", "Mein Büro"])
LASTS = st.sampled_from(["", "PT45M", "PT26H", "P1D", "P1W", "P2DT3H"])
OFFSETS = st.lists(st.integers(0, 60), max_size=4, unique=True)


def stated(name: str, at: datetime, where: str) -> str:
    """A property with a time in a zone of this name."""
    if where == "days":
        return f"{name};VALUE=DATE:{at:%Y%m%d}"
    if where in ("floating", "utc"):
        return f"{name}:{at:%Y%m%dT%H%M%S}" + ("Z" if where == "utc" else "")
    return f"{name};TZID={where}:{at:%Y%m%dT%H%M%S}"


@st.composite
def objects(draw: st.DrawFn, name: str) -> str:
    """A valid object: an event or a task, with dates taken out, added, and changed."""
    where, start, rule = draw(NAMES), draw(STARTS), draw(RULES)
    lasts = draw(LASTS.filter(lambda one: where != "days" or "T" not in one))
    length = [f"DURATION:{lasts}"] if lasts else []
    gone, added, moved = draw(OFFSETS), draw(OFFSETS), draw(OFFSETS)
    lines = [stated("DTSTART", start, where), *length, draw(st.sampled_from(["", "SUMMARY:a\\, b\\n\\;c"]))]
    if rule:
        lines.append(f"RRULE:{rule}")
        lines += [stated("EXDATE", start + timedelta(days=n), where) for n in gone]
        lines += [
            stated("RDATE", start + timedelta(days=n, hours=1), where) for n in added if where != "days"
        ]
    parts = [component("\n".join(filter(None, lines)), "", name)]
    for n in moved if rule else ():
        at = start + timedelta(days=n)
        changed = [stated("RECURRENCE-ID", at, where), stated("DTSTART", at + timedelta(days=n % 3), where)]
        parts.append(component("\n".join([*changed, *length]), "", name))
    return framed("\n".join([zone("Mein Büro", "-0330", "-0230"), *draw(st.permutations(parts))]))


@pytest.mark.parametrize("name", ["VEVENT", "VTODO"])
@pytest.mark.parametrize("target", ["whole", "iana-zones"])
@given(data=st.data())
def test_a_valid_object_means_the_same_and_loses_nothing(name: str, target: str, data: st.DataObject) -> None:
    told = data.draw(objects(name))
    found = outcome(told, name, TARGETS[target])
    if found != "read":
        assert (target, found) == ("iana-zones", "unknown-time-zone")
        return
    made = mapped(told, name, TARGETS[target])
    was = calendar_meaning(io.BytesIO(told.encode()), NOT_AFTER)
    now = calendar_meaning(made.item.body(), NOT_AFTER)
    # How long a task takes is said by the day on which it is due.
    due = {"due"} if name == "VTODO" and "DURATION" in told else set()
    assert {*was.differing(now, CALENDAR_FIELDS)} <= due
    assert {loss.field for loss in made.losses} <= ({"time-zone"} if target == "iana-zones" else set())


Paired = tuple[Sources, list[Pair]]


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paired]:
    world = World(seed=11, people=4, items=0, large=(), pim=60)
    with sources(world, tmp_path_factory.mktemp("spool")) as both:
        yield both, [pair for address in world.addresses() for pair in both.pairs(address)]


@pytest.mark.parametrize("target", TARGETS)
def test_what_exchange_and_graph_became_becomes_the_same_again(paired: Paired, target: str) -> None:
    both, pairs = paired
    seen: Counter[Kind] = Counter()
    for pair in pairs:
        if pair.kind not in (Kind.CALENDAR, Kind.TASKS):
            continue
        given_ = replace(both.context(pair), target=TARGETS[target])
        form = ITEM_FORMS[pair.kind]
        for native in (pair.ews, pair.graph):
            with suppress(Rejected):
                if isinstance(native, Native) and form.skip(native) is None:
                    made = form.map(native, given_)
                    data = made.item.body().read()
                    again = form.map(record(data), given_)
                    assert calendar_differing(io.BytesIO(data), again.item.body(), given_.began) == ()
                    assert set(again.losses) <= set(made.losses)
                    assert again.item.invited == made.item.invited
                    seen[pair.kind] += 1
    assert min(seen[Kind.CALENDAR], seen[Kind.TASKS]) > 100
