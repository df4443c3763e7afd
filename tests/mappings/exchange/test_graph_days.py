"""Series of a Graph that lists neither changed nor deleted days: its expansion says the same, to the byte, or
what it does not say is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest
from golden_records import NOT_AFTER
from graph_worlds import Sources, fetched
from made_events import whole_days
from test_graph_records import Json, losses, mapped, text

from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native
from practice.calendar.appointments import Event
from practice.calendar.event_desk import at, timed
from practice.calendar.series import Daily, Monthly, Recurrence, Weekly
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.world.desk import Desk
from practice.world.diary import delete_occurrence, modify_occurrence
from practice.world.world import World

CALENDAR = Kind.CALENDAR
CAPABLE = Capabilities(frozenset({CALENDAR}))
NOT_TOLD = "deleted-occurrence/not-told"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sources, Sources]]:
    """The same world of a server that lists the days and of one that does not; small pages."""
    world = World(seed=7, people=4, items=0, large=(), pim=60)
    spool = tmp_path_factory.mktemp("spool")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        exchange = stack.enter_context(ExchangeServer(world))
        servers = [stack.enter_context(GraphServer(world, lists_days=lists)) for lists in (True, False)]
        patch.setenv("GRAPH_SECRET", servers[0].secret)
        telling, silent = (Sources(world, exchange, server, spool) for server in servers)
        yield world, telling, silent


def series(sources: Sources, address: str) -> dict[str, Native]:
    source = sources.graph(address, frozenset({CALENDAR}))
    found = [one for box in source.containers() if box.omit is None for one in fetched(source, box)]
    source.close()
    return {one.ref.id: one for one in found}


def told(native: Native, address: str) -> Mapped | str:
    try:
        context = Context(CAPABLE, NOT_AFTER, NOT_AFTER, frozenset({address.lower()}))
        return ITEM_FORMS[CALENDAR].map(native, context)
    except Rejected as error:
        return error.code


def test_a_world_s_series_are_the_same_to_the_byte(both: tuple[World, Sources, Sources]) -> None:
    """Those that last longer than what is asked for have one loss more, and nothing else."""
    world, telling, silent = both
    counts = {"same": 0, "named": 0, "exceptions": 0, "deleted": 0}
    for address in world.addresses():
        one, other = series(telling, address), series(silent, address)
        assert one.keys() == other.keys()
        for id_ in one:
            mine, others = told(one[id_], address), told(other[id_], address)
            if isinstance(mine, str) or isinstance(others, str):
                assert mine == others
                continue
            body = mine.item.body().read()
            assert body == others.item.body().read()
            extra = {f"{loss.field}/{loss.reason}" for loss in {*others.losses} ^ {*mine.losses}}
            assert extra <= {NOT_TOLD}
            counts["named" if extra else "same"] += 1
            counts["exceptions"] += b"RECURRENCE-ID" in body
            counts["deleted"] += b"EXDATE" in body
    assert min(counts.values()) >= 5


DAY = timedelta(days=1)
LONG = date(2015, 1, 5)
"""A Monday."""

ENDS = [date(2015, *month) for month in ((1, 31), (2, 28), (3, 31), (4, 30), (5, 31), (6, 30))]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, Sources, Sources]]:
    world = World(seed=3, people=1, items=0, nasty=False)
    with ExitStack() as stack:
        exchange = stack.enter_context(ExchangeServer(world))
        servers = [stack.enter_context(GraphServer(world, lists_days=lists)) for lists in (True, False)]
        monkeypatch.setenv("GRAPH_SECRET", servers[0].secret)
        telling, silent = (Sources(world, exchange, server, tmp_path) for server in servers)
        yield world, telling, silent


def one_series(world: World, event: Event, deleted: list[date], moved: dict[date, timedelta]) -> str:
    """Puts it into the calendar; whose it is."""
    address = world.addresses()[0]
    box = world.mailbox(address)
    item = box.put(box.distinguished("calendar"), event)
    for day, shift in moved.items():
        modify_occurrence(box, item, day, lambda e, by=shift: replace(e, start=e.start + by, end=e.end + by))
    for day in deleted:
        delete_occurrence(box, item, day)
    return address


def only(sources: Sources, address: str) -> Mapped:
    (native,) = series(sources, address).values()
    found = told(native, address)
    assert isinstance(found, Mapped)
    return found


def lost(found: Mapped) -> set[str]:
    return {f"{loss.field}/{loss.reason}" for loss in found.losses}


@pytest.mark.parametrize(
    ("pattern", "days"),
    [(Daily(), 1), (Weekly((0,)), 7), (Monthly(31), None)],
    ids=["more-than-a-page", "weekly", "the-last-of-each-month"],
)
@pytest.mark.parametrize("whole", [False, True], ids=["timed", "whole-days"])
def test_a_series_within_four_years_is_the_same(
    own: tuple[World, Sources, Sources], pattern: Daily | Weekly | Monthly, days: int | None, whole: bool
) -> None:
    """However far from today; over every change of the clocks; its last day was put off for two months."""
    world, telling, silent = own
    planned = [LONG + DAY * days * n for n in range(200)] if days else ENDS
    desk = Desk(3, 0, "s")
    make = whole_days(desk, "Reihe", planned[0]) if whole else timed(desk, "Reihe", at(planned[0]))
    event = replace(make, recurrence=Recurrence(pattern, count=len(planned)))
    gone, moved = [planned[1], planned[-2]], {planned[2]: DAY / 4, planned[-1]: 60 * DAY}
    address = one_series(world, event, gone, moved)
    known, found = only(telling, address), only(silent, address)
    body = known.item.body().read()
    assert (body, known.losses) == (found.item.body().read(), found.losses)
    assert body.count(b"EXDATE") >= 1
    assert body.count(b"RECURRENCE-ID") == 2


def test_what_a_longer_series_does_not_tell_is_named(own: tuple[World, Sources, Sources]) -> None:
    """Eleven years; what was deleted at the beginning, long before the last change, is not known."""
    world, telling, silent = own
    made = timed(Desk(3, 0, "s"), "Montags", at(LONG))
    event = replace(made, recurrence=Recurrence(Weekly((0,))))
    event = replace(event, base=replace(event.base, modified=at((2025, 6, 2)).replace(tzinfo=UTC)))
    early, late = LONG + 7 * DAY, date(2025, 1, 6)
    address = one_series(world, event, [early, late], {})
    known, found = only(telling, address), only(silent, address)
    assert lost(found) - lost(known) == {NOT_TOLD}
    dates = [f"EXDATE;TZID=Europe/Berlin:{day:%Y%m%d}".encode() for day in (early, late)]
    bodies = [one.item.body().read() for one in (known, found)]
    assert [[day in body for day in dates] for body in bodies] == [[True, True], [False, True]]


WEEKLY: Json = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
    "range": {"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": 4},
}
ENDLESS: Json = {"type": "noEnd", "startDate": "2026-03-02"}
MASTER: Json = {
    "id": "M", "type": "seriesMaster", "iCalUId": "U", "subject": "S", "recurrence": WEEKLY,
    "start": {"dateTime": "2026-03-02T08:00:00", "timeZone": "UTC"},
    "end": {"dateTime": "2026-03-02T09:00:00", "timeZone": "UTC"},
    "originalStartTimeZone": "W. Europe Standard Time",
}  # fmt: skip


def instance(when: str, **more: object) -> Json:
    return {"type": "occurrence", "isAllDay": False, "start": {"dateTime": when, "timeZone": "UTC"}, **more}


ALL = [instance(f"2026-03-{day}T08:00:00.0000000") for day in ("02", "09", "16", "23")]


def expanded(rows: list[Json], **more: object) -> Json:
    days = {"from": "2024-03-01", "until": "2028-03-01", "rows": rows, **more}
    return {"item": MASTER, "exceptions": [], "cancelled": [], "instances": days}


def test_a_day_without_an_instance_was_deleted() -> None:
    assert "EXDATE" not in text(CALENDAR, expanded(ALL))
    assert "EXDATE;TZID=Europe/Berlin:20260316T090000" in text(CALENDAR, expanded([*ALL[:2], ALL[3]]))
    assert losses(CALENDAR, expanded(ALL)) == set()


def test_only_days_that_are_covered_are_judged() -> None:
    found = expanded(ALL[1:3], **{"from": "2026-03-09", "until": "2026-03-23"})
    assert "EXDATE" not in text(CALENDAR, found)
    assert losses(CALENDAR, found) == {NOT_TOLD}


@pytest.mark.parametrize(
    "found",
    [
        expanded([]),
        expanded([]) | {"item": {**MASTER, "recurrence": {**WEEKLY, "range": ENDLESS}}},
        expanded([*ALL, instance("2026-03-17T08:00:00")]),
        expanded([*ALL, instance("whenever")]),
        expanded([*ALL, {"type": "exception", "start": ALL[0]["start"]}]),
        expanded([*ALL, instance("2026-03-30T00:00:00", isAllDay=True)]),
        expanded(ALL, until=None),
        expanded(ALL, **{"from": "soon"}),
        expanded(ALL) | {"item": {**MASTER, "start": {"dateTime": "2026-03-03T08:00:00", "timeZone": "UTC"}}},
        expanded(ALL) | {"item": {**MASTER, "recurrence": None}},
    ],
)
def test_where_the_expansions_are_two_nothing_is_taken_for_deleted(found: Json) -> None:
    with pytest.raises(Rejected, match="occurrence-missing"):
        mapped(CALENDAR, found)
