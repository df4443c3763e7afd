"""Appointments, contacts, tasks and notes of a practice Exchange, in both dialects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ews_desk import (
    END,
    KINDS,
    START,
    container,
    expanded,
    fill,
    listed,
    outcomes,
    said,
    told,
    truth,
)
from ews_truth import Open
from lxml import etree
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import (
    Fault,
    FaultPlan,
    cut_mid_body,
    empty_item,
    error_page,
    http_503,
    inner_busy,
    item_server_busy,
    left_out,
    poison_item,
    soap_server_busy,
    vanish,
)
from servers.faulty.plan import Kind as Fate

from model.kinds import Kind
from model.protocols import Failed, Native, Ref, Role, key_of
from practice.calendar.appointments import Event
from practice.exchange.habits import Habits
from practice.world.mailbox import Mailbox
from practice.world.world import World

PASSING: list[Fault] = [
    http_503(0),
    soap_server_busy(30),
    inner_busy(30),
    item_server_busy(back_off_ms=30),
    cut_mid_body(),
    error_page(),
]
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"


@pytest.fixture
def world() -> World:
    small = World(seed=11, people=3, items=4, large=(), folder_count=3)
    fill(small.mailbox(small.addresses()[0]))
    return small


@pytest.fixture(params=["exchange", "gromox"])
def server(request: pytest.FixtureRequest, world: World) -> Iterator[FaultyExchange]:
    with FaultyExchange(world, dialect=request.param) as running:
        yield running


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_record_says_what_the_mailbox_holds(
    server: FaultyExchange, source: Open, mailbox: Mailbox, kind: Kind
) -> None:
    assert told(source(server, spool_above=50_000), kind) == truth(mailbox, KINDS[kind])


def test_default_folders_have_their_roles(server: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    roles = {one.role: one for one in source(server).containers()}
    for kind, name in KINDS.items():
        found = roles[Role(kind.value)]
        assert (found.kind, found.id) == (kind, mailbox.distinguished(name).id)
        assert not found.readonly


def test_changed_dates_come_in_the_order_of_the_pattern(server: FaultyExchange, source: Open) -> None:
    one = source(server)
    box = container(one, Kind.CALENDAR)
    seen = 0
    for native in one.fetch(box, listed(one, box)):
        assert isinstance(native, Native)
        assert native.body is not None
        master, *changed = etree.fromstring(native.body().read())
        starts = [str(each.findtext(T + "OriginalStart")) for each in changed]
        assert starts == sorted(starts)
        assert {each.findtext(T + "UID") for each in changed} <= {master.findtext(T + "UID")}
        seen += len(changed)
    assert seen == 3


def test_the_server_expands_as_the_world_does(
    exchange: FaultyExchange, source: Open, mailbox: Mailbox
) -> None:
    one = source(exchange, timeout_seconds=120, patience_seconds=240)
    found = one.occurrences(container(one, Kind.CALENDAR), START, END)
    assert found is not None
    assert Counter(found) == expanded(mailbox.distinguished("calendar"))


def test_a_server_that_gives_masters_only_says_so(world: World, source: Open) -> None:
    with FaultyExchange(world, dialect="gromox") as server:
        one = source(server)
        assert one.occurrences(container(one, Kind.CALENDAR), START, END) is None


def test_a_server_that_calls_the_time_after_a_series_corrupt_blocks_nothing(
    world: World, source: Open, mailbox: Mailbox
) -> None:
    with FaultyExchange(world, habits=Habits(corrupt_beyond=True)) as server:
        one = source(server)
        assert one.occurrences(container(one, Kind.CALENDAR), START, END) is None
        assert told(one, Kind.CALENDAR) == truth(mailbox, "calendar")


@pytest.mark.parametrize("fault", [empty_item(), left_out()], ids=lambda fault: fault.kind)
def test_replies_without_items_are_asked_for_again(
    server: FaultyExchange, source: Open, mailbox: Mailbox, fault: Fault
) -> None:
    plan = FaultPlan()
    for number in (1, 2, 3):
        plan.script("GetItem", number, fault)
    server.faults = plan
    assert told(source(server), Kind.CALENDAR) == truth(mailbox, "calendar")


@pytest.mark.parametrize("operation", ["GetItem", "GetAttachment"])
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.kind)
def test_each_passing_fault_costs_a_repetition_and_nothing_else(
    server: FaultyExchange, source: Open, mailbox: Mailbox, operation: str, fault: Fault
) -> None:
    plan = FaultPlan()
    for number in (1, 2, 3):
        plan.script(operation, number, fault)
    server.faults = plan
    assert told(source(server), Kind.CALENDAR) == truth(mailbox, "calendar")


def test_everything_at_once(server: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    kinds = [fault.kind for fault in PASSING]
    server.faults = FaultPlan(
        seed=5,
        rates=dict.fromkeys(kinds, 0.15),
        shapes={kind: Fault(kind, seconds=0, millis=20) for kind in kinds},
    )
    one = source(server, batch_items=4)
    for kind, role in KINDS.items():
        assert told(one, kind) == truth(mailbox, role)
    assert Fate.CUT_MID_BODY in server.faults.struck


def series(mailbox: Mailbox) -> tuple[str, list[str]]:
    """The id of a series with two changed dates, and theirs."""
    for item in mailbox.distinguished("calendar").items:
        if isinstance(item.record, Event) and len(item.record.changed) == 2:
            days = sorted(each.day for each in item.record.changed)
            return item.id, [mailbox.occurrence(item, day).id for day in days]
    raise AssertionError("no such series")


def test_a_poison_date_costs_its_series_alone(server: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    master, dates = series(mailbox)
    server.faults = FaultPlan()
    server.faults.afflict(poison_item(dates[1]))
    assert told(source(server), Kind.CALENDAR) == {**truth(mailbox, "calendar"), master: "poison-item"}


def test_a_date_that_is_named_and_not_there_costs_its_series_alone(
    server: FaultyExchange, source: Open, mailbox: Mailbox
) -> None:
    master, dates = series(mailbox)
    server.faults = FaultPlan()
    server.faults.afflict(vanish(dates[0]))
    expected = {**truth(mailbox, "calendar"), master: "occurrence-missing"}
    assert told(source(server), Kind.CALENDAR) == expected


def test_a_poison_contact_costs_itself_alone(server: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    poisoned = mailbox.distinguished("contacts").items[3]
    server.faults = FaultPlan()
    server.faults.afflict(poison_item(poisoned.id))
    assert told(source(server), Kind.CONTACTS) == {**truth(mailbox, "contacts"), poisoned.id: "poison-item"}


def test_a_day_in_a_calendar(server: FaultyExchange, source: Open, world: World, mailbox: Mailbox) -> None:
    one = source(server)
    box = container(one, Kind.CALENDAR)
    *_, last = one.changes(box, None)
    master, _ = series(mailbox)
    with world.lock:
        folder = mailbox.distinguished("calendar")
        item = mailbox.item(master)
        assert isinstance(item.record, Event)
        mailbox.replace(item, _without_changes(item.record))
        gone = next(each for each in folder.items if each.id != master)
        gone_id = gone.id
        mailbox.delete(gone, hard=True)
    refs = {ref.id: ref for page in one.changes(box, last.cursor) for ref in page.refs}
    assert refs.keys() == {master, gone_id}
    assert refs[gone_id].deleted
    found = dict(outcomes(one.fetch(box, [refs[master]]), [refs[master]]))
    assert found[master] == truth(mailbox, "calendar")[master]


def _without_changes(event: Event) -> Event:
    return replace(event, changed=event.changed[:1], location="Woanders")


def test_what_vanished_is_said_to_have(server: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    one = source(server)
    box = container(one, Kind.TASKS)
    refs = listed(one, box)
    mailbox.delete(mailbox.item(refs[0].id), hard=True)
    found = [each for each in one.fetch(box, refs) if isinstance(each, Failed)]
    assert [(each.key, each.error.code) for each in found] == [(key_of(refs[0].id), "vanished")]


def test_a_mail_in_a_calendar_comes_as_what_it_is(
    server: FaultyExchange, source: Open, mailbox: Mailbox
) -> None:
    stranger = mailbox.deliver(mailbox.distinguished("calendar"), subject="Verirrt", text="Hallo")
    one = source(server)
    (native,) = one.fetch(container(one, Kind.CALENDAR), [Ref(stranger.id, "")])
    assert isinstance(native, Native)
    assert (native.format, native.properties["ItemClass"]) == ("ews-event", "IPM.Note")
    assert said(native).subjects == ("Verirrt",)
