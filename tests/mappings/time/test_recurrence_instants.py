"""A series of the practice Exchange takes place when its iCalendar object says, instant by instant.

The server's own arithmetic (practice.calendar.series, practice.calendar.timezones) knows neither RRULE nor
tzdata; the object is expanded by recurring-ical-events, which knows nothing of Exchange. Mapped, the two must
agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from event_native import HEAD, context, native
from hypothesis import assume, example, given
from hypothesis import strategies as st
from icalendar import Calendar
from made_events import occurrences
from recurring_ical_events import of

from mappings.registry import map_event
from practice.calendar.appointments import Changed, Event
from practice.calendar.series import (
    Daily,
    Index,
    Monthly,
    MonthlyOn,
    Pattern,
    Recurrence,
    Weekly,
    Yearly,
    YearlyOn,
)
from practice.calendar.timezones import (
    BERLIN,
    ISLAND,
    LOS_ANGELES,
    NEW_YORK,
    REFORMED,
    SYDNEY,
    UTC_ZONE,
    ZONES,
    Zone,
)
from practice.world.records import Common

KINDS = ("Monday", "Wednesday", "Sunday", "Day", "Weekday", "WeekendDay")
INDEXES: tuple[Index, ...] = ("First", "Second", "Third", "Fourth", "Last")
# The rules for North America and tzdata agree from 2007 on, those for Sydney from 2008 on.
FROM, TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)

MUMBAI = ZONES["India Standard Time"]

kinds, indexes = st.sampled_from(KINDS), st.sampled_from(INDEXES)
every, days, months = st.integers(1, 5), st.integers(1, 31), st.integers(1, 12)
week = st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True).map(
    lambda found: tuple(sorted(found))
)
patterns: st.SearchStrategy[Pattern] = st.one_of(
    st.builds(Daily, every),
    st.builds(Weekly, week, every, st.integers(0, 6)),
    st.builds(Monthly, days | st.sampled_from((29, 30, 31)), every),
    st.builds(MonthlyOn, kinds, indexes, every),
    st.builds(Yearly, days | st.just(29), months | st.just(2)),
    st.builds(YearlyOn, kinds, indexes, months),
)
zones = st.sampled_from((BERLIN, NEW_YORK, LOS_ANGELES, SYDNEY, MUMBAI, UTC_ZONE, ISLAND, REFORMED))
clocks = st.times(time(0), time(23, 45)).map(
    lambda at: at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
)


@st.composite
def series(draw: st.DrawFn, all_day: bool) -> Event:
    pattern = draw(patterns)
    near = draw(st.dates(date(2024, 1, 1), date(2026, 12, 31)))
    first = next(day for day in pattern.days(near) if day >= near)
    assume(first.year < 2030)
    until = draw(st.none() | st.integers(0, 900).map(lambda more: first + timedelta(days=more)))
    count = draw(st.none() | st.integers(1, 40)) if until is None else None
    recurrence = Recurrence(pattern, until, count)
    start = datetime.combine(first, time(0) if all_day else draw(clocks))
    lasts = (
        timedelta(days=draw(st.integers(1, 3)))
        if all_day
        else timedelta(minutes=draw(st.sampled_from((15, 60, 180))))
    )
    event = Event(
        Common("Serie"),
        "s@kogge.example",
        start,
        start + lasts,
        draw(zones),
        all_day=all_day,
        recurrence=recurrence,
    )
    return _edited(draw, event)


def _edited(draw: st.DrawFn, event: Event) -> Event:
    """With some occurrences deleted, and some moved or made longer, of which one at least is left."""
    known = [day for day, _ in zip(event.days(TO.date()), range(60), strict=False)]
    deleted = tuple(sorted(draw(st.sets(st.sampled_from(known), max_size=min(len(known) - 1, 5)))))
    left = [day for day in known if day not in deleted]
    moved = draw(st.lists(st.sampled_from(left), max_size=3, unique=True))
    changed = tuple(Changed(day, _moved(draw, event, day)) for day in sorted(moved))
    return _with(event, changed, deleted)


def _moved(draw: st.DrawFn, event: Event, day: date) -> Event:
    shift = timedelta(days=draw(st.integers(-3, 3)))
    if not event.all_day:
        shift += timedelta(minutes=draw(st.sampled_from((-90, 0, 15, 600))))
    longer = timedelta(days=1) if event.all_day else timedelta(minutes=30)
    start = datetime.combine(day, event.start.time()) + shift
    return _at(event, start, start + (event.end - event.start) + longer)


def _at(event: Event, start: datetime, end: datetime) -> Event:
    return Event(event.base, event.uid, start, end, event.zone, all_day=event.all_day)


def _with(event: Event, changed: tuple[Changed, ...], deleted: tuple[date, ...]) -> Event:
    return Event(
        event.base, event.uid, event.start, event.end, event.zone,
        all_day=event.all_day, recurrence=event.recurrence, changed=changed, deleted=deleted,
    )  # fmt: skip


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def item(event: Event, more: str) -> str:
    times = f"<t:Start>{stamp(event.begins)}</t:Start><t:End>{stamp(event.finishes)}</t:End>"
    flags = f"<t:UID>{event.uid}</t:UID><t:IsAllDayEvent>{str(event.all_day).lower()}</t:IsAllDayEvent>"
    return f"<t:CalendarItem>{times}{flags}{more}{event.zone.xml('StartTimeZone')}</t:CalendarItem>"


def record(event: Event, *, offset: bool = True) -> str:
    """offset: of the days of the recurrence, as EWS writes them; Graph does not."""
    assert event.recurrence is not None
    begin = event.start.date()
    written = [
        f"{day.isoformat()}{event.zone.offset(event.start) if offset else ''}"
        for day in (begin, event.recurrence.until or begin)
    ]
    gone = "".join(
        f"<t:DeletedOccurrence><t:Start>{stamp(put(event, day))}</t:Start></t:DeletedOccurrence>"
        for day in event.deleted
    )
    master = item(
        event, event.recurrence.xml(*written) + f"<t:DeletedOccurrences>{gone}</t:DeletedOccurrences>"
    )
    exceptions = (
        item(each.event, f"<t:OriginalStart>{stamp(put(event, each.day))}</t:OriginalStart>")
        for each in event.changed
    )
    return f"{HEAD}{master}{''.join(exceptions)}</m:Items>"


def put(event: Event, day: date) -> datetime:
    """When the pattern put the occurrence of a day, in UTC."""
    return event.zone.utc(datetime.combine(day, event.start.time()))


def agree(event: Event) -> None:
    """Where the mapping says that a clock changes during an occurrence, the ends may be an hour apart."""
    found = map_event(native(record(event)), context())
    reasons = {loss.reason for loss in found.losses}
    assert reasons <= {"clock-change"}
    calendar = Calendar.from_ical(found.item.body().read())
    expanded = inner(window(one, event.zone) for one in of(calendar).between(FROM, TO))
    expected = inner(occurrences(event, FROM, TO))
    assert [begin for begin, _ in expanded] == [begin for begin, _ in expected]
    assert expanded == expected or reasons


def window(one: Calendar, zone: Zone) -> tuple[datetime, datetime]:
    start, end = one["DTSTART"].dt, one["DTEND"].dt
    if not isinstance(start, datetime):
        begin, finish = (zone.utc(datetime.combine(day, time(0))) for day in (start, end))
        return begin, finish
    return start.astimezone(UTC), end.astimezone(UTC)


def inner(found: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Well inside of the window: what overlaps its edges is the expander's affair."""
    return sorted(one for one in found if FROM + timedelta(days=9) < one[0] < TO - timedelta(days=9))


@given(series(all_day=False))
def test_series_with_times(event: Event) -> None:
    agree(event)


@given(series(all_day=True))
def test_series_of_whole_days(event: Event) -> None:
    agree(event)


# -- series that began under another law than today's: the practice Exchange computes every year by today's.

LAW = st.sampled_from((BERLIN, NEW_YORK, LOS_ANGELES, SYDNEY))
NIGHT = st.sampled_from((time(0), time(0, 30), time(1, 30), time(2), time(2, 30), time(23), time(23, 30)))


@st.composite
def old_series(draw: st.DrawFn) -> Event:
    pattern = draw(patterns)
    near = draw(st.dates(date(1970, 1, 1), date(2040, 12, 31)))
    first = next(day for day in pattern.days(near) if day >= near)
    assume(first.year <= 2040)
    all_day = draw(st.booleans())
    start = datetime.combine(first, time(0) if all_day else draw(NIGHT | clocks))
    lasts = timedelta(days=1) if all_day else timedelta(minutes=draw(st.sampled_from((15, 60, 180))))
    recurrence = Recurrence(pattern)
    return Event(
        Common("Alt"),
        "a@kogge.example",
        start,
        start + lasts,
        draw(LAW),
        all_day=all_day,
        recurrence=recurrence,
    )


MELBOURNE = Event(
    Common("Cup"),
    "m@kogge.example",
    datetime(2004, 11, 2),
    datetime(2004, 11, 2, 1),
    LOS_ANGELES,
    recurrence=Recurrence(Yearly(2, 11)),
)


def wall_of(event: Event) -> datetime | date:
    return event.start.date() if event.all_day else event.start


@given(old_series())
@example(MELBOURNE)
def test_a_series_keeps_its_clock_and_its_days_whatever_the_law_of_its_first_year(event: Event) -> None:
    found = map_event(native(record(event)), context())
    assert {loss.reason for loss in found.losses} <= {"clock-change", "hour-twice"}
    raw = found.item.body().read()
    (master,) = Calendar.from_ical(raw).walk("VEVENT")
    start = master["DTSTART"].dt
    assert (start.replace(tzinfo=None) if isinstance(start, datetime) else start) == wall_of(event)


@given(old_series())
@example(MELBOURNE)
def test_read_over_graph_it_begins_on_its_day(event: Event) -> None:
    """Graph states no distance from UTC: its clock may be that of the law of the first year, its day not."""
    found = map_event(native(record(event, offset=False)), context())
    assert "not-in-series" not in {loss.reason for loss in found.losses}
    (master,) = Calendar.from_ical(found.item.body().read()).walk("VEVENT")
    start = master["DTSTART"].dt
    first = start.date() if isinstance(start, datetime) else start
    assert first == event.start.date()
    if isinstance(start, datetime):
        strays = abs(start.replace(tzinfo=None) - event.start)
        assert strays <= timedelta(hours=1 if event.start.year >= 1996 else 2)
