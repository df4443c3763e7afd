"""Any series a practice Exchange can express: what becomes of it takes place exactly when its server says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

import icalendar
import pytest
import recurring_ical_events
from ews_truth import SERVICE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.faulty.exchange import FaultyExchange

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from mappings.fields.context import Context
from mappings.registry import map_event
from model.kinds import Kind
from model.protocols import Capabilities, Container, Native, Ref
from practice.calendar.appointments import Changed, Event
from practice.calendar.series import Daily, Monthly, MonthlyOn, Pattern, Recurrence, Weekly, Yearly, YearlyOn
from practice.calendar.timezones import ISLAND, ZONES, Zone
from practice.world.folders import Folder
from practice.world.records import Common
from practice.world.world import World

YEARS = timedelta(days=3 * 365)
DAY = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = Context(Capabilities(kinds=frozenset(Kind)), DAY, DAY)
NAMES = ("Day", "Weekday", "WeekendDay", "Monday", "Wednesday", "Sunday")
INDEXES = ("First", "Second", "Third", "Fourth", "Last")

patterns: st.SearchStrategy[Pattern] = st.one_of(
    st.builds(Daily, st.integers(1, 9)),
    st.builds(
        Weekly,
        st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        st.integers(1, 4),
        st.integers(0, 6),
    ),
    st.builds(Monthly, st.integers(1, 31), st.integers(1, 13)),
    st.builds(MonthlyOn, st.sampled_from(NAMES), st.sampled_from(INDEXES), st.integers(1, 5)),
    st.builds(Yearly, st.integers(1, 28), st.integers(1, 12)),
    st.builds(Yearly, st.integers(29, 31), st.sampled_from([1, 2, 3, 5, 7, 8, 10, 12])),
    st.builds(YearlyOn, st.sampled_from(NAMES), st.sampled_from(INDEXES), st.integers(1, 12)),
)


@st.composite
def series(draw: Callable[..., object]) -> Event:
    """A series on its pattern from its first day, with every ending, changed and deleted dates."""
    pattern: Pattern = draw(patterns)  # type: ignore[assignment]
    soonest: date = draw(st.dates(date(2019, 1, 1), date(2026, 12, 31)))  # type: ignore[assignment]
    first = next(day for day in pattern.days(soonest) if day >= soonest)
    zone: Zone = draw(st.sampled_from([*ZONES.values(), ISLAND]))  # type: ignore[assignment]
    all_day: bool = draw(st.booleans())  # type: ignore[assignment]
    at: time = time() if all_day else draw(st.times().map(lambda t: t.replace(second=0, microsecond=0)))  # type: ignore[assignment]
    length = timedelta(days=1) if all_day else timedelta(minutes=draw(st.integers(0, 3000)))  # type: ignore[arg-type]
    until: date | None = draw(st.none() | st.integers(0, 900).map(lambda d: first + timedelta(days=d)))  # type: ignore[assignment]
    count: int | None = None if until else draw(st.none() | st.integers(1, 40))  # type: ignore[assignment]
    start = datetime.combine(first, at)
    event = Event(
        base=Common(subject="Reihe"),
        uid="reihe@practice",
        start=start,
        end=start + length,
        zone=zone,
        all_day=all_day,
        recurrence=Recurrence(pattern, until, count),
    )
    return _edited(draw, event)


def _edited(draw: Callable[..., object], event: Event) -> Event:
    """One date at least is left."""
    days = list(islice(event.days(), 12))
    gone: set[date] = draw(st.sets(st.sampled_from(days[1:]), max_size=3)) if days[1:] else set()  # type: ignore[assignment]
    other: set[date] = draw(st.sets(st.sampled_from(days), max_size=2))  # type: ignore[assignment]
    minutes: int = draw(st.integers(-300, 300))  # type: ignore[assignment]
    shift = timedelta(0) if event.all_day else timedelta(minutes=minutes)
    changed = []
    for day in sorted(other - gone):
        start = datetime.combine(day, event.start.time()) + shift
        moved = replace(event, start=start, end=start + (event.end - event.start), recurrence=None)
        changed.append(Changed(day, moved))
    return replace(event, changed=tuple(changed), deleted=tuple(sorted(gone)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EwsSource, Folder]]:
    world = World(seed=3, people=1, items=1, large=(), folder_count=3, nasty=False)
    mailbox = world.mailbox(world.addresses()[0])
    with pytest.MonkeyPatch.context() as patch, FaultyExchange(world) as server:
        patch.setenv("EWS_PASSWORD", world.service_accounts[SERVICE].password)
        chosen = EwsSettings(url=server.url, username=SERVICE, password=Secret(env="EWS_PASSWORD"))
        account = Account(login=mailbox.address, address=mailbox.address)
        source = EwsSource(chosen, account, tmp_path_factory.mktemp("spool"))
        yield source, mailbox.distinguished("calendar")
        source.close()


@given(event=series())
@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_series_takes_place_when_its_server_says(desk: tuple[EwsSource, Folder], event: Event) -> None:
    source, folder = desk
    item = folder.mailbox.put(folder, event)
    try:
        box = Container(Kind.CALENDAR, folder.id, ("Kalender",))
        low, high = event.begins - timedelta(days=2), event.begins + YEARS
        said = source.occurrences(box, low, high)
        assert said is not None
        (native,) = source.fetch(box, [Ref(item.id, "")])
        assert isinstance(native, Native)
        assert Counter(_begins(native, event.zone, low, high)) == Counter(start for _, start, _ in said)
    finally:
        folder.mailbox.delete(item, hard=True)


def _begins(native: Native, zone: Zone, low: datetime, high: datetime) -> Iterator[datetime]:
    """When the object made of a record takes place, by a library that knows nothing of Exchange."""
    with map_event(native, CONTEXT).item.body() as stream:
        calendar = icalendar.Calendar.from_ical(stream.read())
    around = low - timedelta(days=2), high + timedelta(days=2)
    for one in recurring_ical_events.of(calendar).between(*around):
        start = one.start
        if not isinstance(start, datetime):
            start = zone.utc(datetime.combine(start, time()))
        if low <= start.astimezone(UTC) < high:
            yield start.astimezone(UTC)
