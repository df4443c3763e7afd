"""What is written is what icalendar's classes write, byte for byte, and no value makes lines of its own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from broken_events import change, changed
from event_goldens import FOLDER, cases, told
from event_native import context, native
from golden_records import context as task_context
from golden_records import golden, names
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar_components import by_icalendar, written_by_icalendar

from mappings.fields.context import Context
from mappings.icalendar.component import Component
from mappings.icalendar.values import (
    Binary,
    CalendarAddress,
    Duration,
    Moment,
    Moments,
    Property,
    Rule,
    Text,
    TextList,
    Uri,
    Word,
)
from mappings.registry import map_event, map_task
from model.errors import Rejected
from model.event_habits import EventHabits
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native

ODD = "aNn ä€😀\\^;,:\"'\N{RIGHT SINGLE QUOTATION MARK}\n\r\t\x01\x7f\ufeff=%"
LETTERS = st.one_of(st.sampled_from(ODD), st.characters(codec="utf-8"))
TEXTS = st.text(LETTERS, max_size=200)
LONG = st.builds(lambda said, room, edge: "a" * room + edge * 40 + said, TEXTS, st.integers(55, 90), LETTERS)
URIS = st.text(LETTERS, max_size=200).map(lambda said: said.replace("\n", "").replace("\r", ""))
PARAMETERS = st.dictionaries(
    st.sampled_from(["CN", "ROLE", "FILENAME", "X-FILENAME", "LABEL"]), TEXTS, max_size=3
)
MOMENTS = st.one_of(
    st.dates(), st.datetimes(), st.datetimes(timezones=st.just(UTC)), st.just(datetime(1, 2, 3, 4, 5, 6))
)
RULES = ["FREQ=WEEKLY;COUNT=3;BYDAY=MO,TU;WKST=SU", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"]


def properties() -> st.SearchStrategy[tuple[str, Property]]:
    """Every kind of value, under a name that has such a value."""
    texts = st.sampled_from(["SUMMARY", "DESCRIPTION", "LOCATION", "X-ALT-DESC", "X-KOGGE-STATUS", "CONTACT"])
    seconds = st.integers(-(10**9), 10**9).map(lambda length: timedelta(seconds=length))
    days, utc = st.lists(st.dates(), min_size=1), st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1)
    zone = st.sampled_from([{}, {"TZID": "Europe/Berlin"}, {"TZID": "Kogge/1a, b"}])
    return st.one_of(
        st.tuples(texts, st.builds(Text, st.one_of(TEXTS, LONG), PARAMETERS)),
        st.tuples(st.just("CATEGORIES"), st.builds(TextList, st.lists(TEXTS, min_size=1).map(tuple))),
        st.tuples(st.sampled_from(["ATTENDEE", "ORGANIZER"]), st.builds(CalendarAddress, URIS, PARAMETERS)),
        st.tuples(st.sampled_from(["URL", "CONFERENCE", "ATTACH"]), st.builds(Uri, URIS, PARAMETERS)),
        st.tuples(st.just("ATTACH"), st.builds(Binary, st.binary(max_size=200), PARAMETERS)),
        st.tuples(st.sampled_from(["DTSTART", "DTEND", "EXDATE"]), st.builds(Moment, MOMENTS)),
        st.tuples(st.sampled_from(["DTSTART", "EXDATE"]), st.builds(Moment, st.datetimes(), zone)),
        st.tuples(st.just("RDATE"), st.builds(Moments, st.one_of(days, utc).map(tuple))),
        st.tuples(st.just("TRIGGER"), st.builds(Duration, seconds, st.just({"RELATED": "START"}))),
        st.tuples(st.just("RRULE"), st.builds(Rule, st.sampled_from(RULES))),
        st.tuples(st.just("SEQUENCE"), st.builds(Word, st.integers(0, 2**31 - 1).map(str))),
        st.tuples(st.just("GEO"), st.builds(Word, st.sampled_from(["53.5;10.0", "-1e-06;1e-05"]))),
    )


@given(st.lists(properties(), max_size=8), st.lists(properties(), max_size=3))
@example([("SUMMARY", Text("\ufeffa")), ("CATEGORIES", TextList(("\ufeffa", "\ufeffb")))], [])
@example([("DESCRIPTION", Text("C:\\New\r\nx\ry"))], [("TRIGGER", Duration(timedelta(minutes=-15)))])
@example([("DTSTART", Moment(date(2026, 3, 8))), ("DTEND", Moment(datetime(99, 1, 1, tzinfo=UTC)))], [])
def test_every_value_is_written_as_icalendar_writes_it(
    outer: list[tuple[str, Property]], inner: list[tuple[str, Property]]
) -> None:
    event, alarm = Component("VEVENT"), Component("VALARM")
    for component, added in ((event, outer), (alarm, inner)):
        for name, value in added:
            component.add(name, value)
    event.inner.append(alarm)
    assert event.written() == by_icalendar(event)


def outcome(record: Native, beside: Context) -> Mapped | str:
    try:
        return map_event(record, beside)
    except Rejected as error:
        return error.code


def assert_same(record: Native, beside: Context) -> None:
    ours = outcome(record, beside)
    with written_by_icalendar():
        theirs = outcome(record, beside)
    if isinstance(ours, str) or isinstance(theirs, str):
        assert ours == theirs
    else:
        assert ours.item.body().read() == theirs.item.body().read()
        assert (ours.item.digest, ours.losses) == (theirs.item.digest, theirs.losses)


PLAIN = Capabilities(frozenset({Kind.CALENDAR}))
HABITS = EventHabits(own_zones=False, organizer_attends=True, title=20, place=20, text=60, attendees=3)
TARGETS = [PLAIN, Capabilities(frozenset({Kind.CALENDAR}), event_habits=HABITS, silent_agent=True)]
OWNERS = ("jette.brandt@kiel.example",)


@pytest.mark.parametrize("target", TARGETS, ids=["plain", "odd"])
@pytest.mark.parametrize("name", cases())
def test_golden_events(name: str, target: Capabilities) -> None:
    case = told(name)
    files = {id_: data.encode() for id_, data in case.get("attachments", {}).items()}
    record = native((FOLDER / name / "record.xml").read_bytes(), files)
    assert_same(record, context(case.get("owner", ()), case.get("addresses", {}), target))


@given(st.sampled_from(cases()), st.lists(change, min_size=1, max_size=6), st.sampled_from(TARGETS))
def test_events_with_anything_in_them(
    name: str, changes: list[tuple[int, str, str]], target: Capabilities
) -> None:
    raw = changed((FOLDER / name / "record.xml").read_bytes(), changes)
    assert_same(native(raw), context(OWNERS, target=target))


@pytest.mark.parametrize("name", names("task"))
def test_golden_tasks(name: str) -> None:
    beside = task_context(Capabilities(frozenset({Kind.TASKS})))
    ours = map_task(golden("task", name), beside)
    with written_by_icalendar():
        theirs = map_task(golden("task", name), beside)
    assert ours.item.body().read() == theirs.item.body().read()


class Raw(Text):
    """A value that escapes nothing."""

    def content(self) -> str:
        return "a\nATTENDEE:mailto:mallory@new.example"


def test_a_value_cannot_add_a_line() -> None:
    event = Component("VEVENT")
    event.add("X-MARK", Raw("a"))
    with pytest.raises(ValueError, match="line end"):
        event.written()
    for said in ("https://new.example/\nATTENDEE:a", "https://new.example/\rATTENDEE:a"):
        with pytest.raises(ValueError, match="line end"):
            Uri(said)


def test_a_time_is_not_written_without_its_zone() -> None:
    berlin = timezone(timedelta(hours=1))
    with pytest.raises(ValueError, match="zone"):
        Moment(datetime(2026, 3, 1, 9, tzinfo=berlin)).content()
