"""What the source makes of servers that count wrongly, say less, or refuse large requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from ews_desk import END, START, container, events, expanded, fill, listed, named, put, told, truth
from ews_truth import Open, copied
from made_events import whole_days
from servers.faulty.exchange import FaultyExchange

from connectors.ews.source import EwsSource
from mappings.fields.context import Context
from mappings.registry import map_event
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Native
from practice.calendar.series import Daily, Recurrence
from practice.exchange.habits import Habits
from practice.world.desk import Desk
from practice.world.diary import modify_occurrence
from practice.world.mailbox import Mailbox
from practice.world.world import World

DAY = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = Context(Capabilities(kinds=frozenset(Kind)), DAY, DAY)


@pytest.mark.parametrize("most", [1, 3, 7])
def test_folders_that_a_page_leaves_out_are_listed(source: Open, world: World, most: int) -> None:
    with FaultyExchange(world) as server:
        wanted = list(source(server).containers())
    with FaultyExchange(world, habits=Habits(rows_most=most)) as server:
        assert list(source(server).containers()) == wanted


def test_a_view_that_leaves_entries_out_is_asked_for_in_parts(
    source: Open, world: World, mailbox: Mailbox
) -> None:
    put(mailbox, "calendar", events(mailbox))
    with FaultyExchange(world, habits=Habits(rows_most=200)) as server:
        one = source(server)
        found = one.occurrences(container(one, Kind.CALENDAR), START, END)
        assert found is not None
        assert sorted(found) == sorted(expanded(mailbox.distinguished("calendar")).elements())


def test_delegates_of_whom_little_is_said_are_named(source: Open) -> None:
    world = World(seed=4, people=2, items=2)
    with FaultyExchange(world) as server:
        wanted = source(server, world.addresses()[0]).delegates()
    with FaultyExchange(world, habits=Habits(bare_delegates=True, bare_tasks=True)) as server:
        one = source(server, world.addresses()[0])
        assert one.delegates() == wanted
        assert dict(one.extras())["delegates"] == len(wanted or ()) > 0


def test_a_large_request_that_is_refused_is_sent_again(source: Open, world: World, mailbox: Mailbox) -> None:
    fill(mailbox)
    with FaultyExchange(world) as server:
        wanted = copied(source(server))
    with FaultyExchange(world, habits=Habits(chokes_at=1500)) as server:
        one = source(server)
        assert copied(one) == wanted
        for kind, role in ((Kind.CALENDAR, "calendar"), (Kind.CONTACTS, "contacts")):
            assert told(one, kind) == truth(mailbox, role)
        assert server.requests["choked"] > 3


def test_days_that_are_told_at_midnight_are_the_same_days(
    source: Open, world: World, mailbox: Mailbox
) -> None:
    fill(mailbox)
    whole = whole_days(Desk(4, 0, "x"), "Ferien", date(2024, 5, 6), 1)
    item = mailbox.put(
        mailbox.distinguished("calendar"),
        replace(named(whole, "ganz"), recurrence=Recurrence(Daily(), count=9), deleted=(date(2024, 5, 8),)),
    )
    modify_occurrence(mailbox, item, date(2024, 5, 10), lambda event: replace(event, location="Saal 2"))
    mapped = []
    for habits in (Habits(), Habits(midnights=True)):
        with FaultyExchange(world, habits=habits) as server:
            mapped.append(dict(components(source(server))))
    assert len(mapped[0]) > 5
    assert mapped[1] == mapped[0]


def components(source: EwsSource) -> Iterator[tuple[bytes, tuple[bytes, tuple[Loss, ...]]]]:
    """What becomes of each event, and what is lost of it, by key."""
    box = container(source, Kind.CALENDAR)
    for native in source.fetch(box, listed(source, box)):
        assert isinstance(native, Native)
        made = map_event(native, CONTEXT)
        with made.item.body() as stream:
            yield made.item.key, (stream.read(), tuple(made.losses))
