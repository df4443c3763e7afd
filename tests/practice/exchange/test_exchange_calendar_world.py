"""Calendars, contacts, tasks and notes of a practice world, and what people do to their calendars."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from made_events import answer, cancel, occurrences
from practice_fixtures import world_fixture

from practice.calendar.appointments import Event
from practice.calendar.event_desk import neighbour, person
from practice.calendar.events import ODDITIES, sample_events
from practice.world.desk import NEIGHBOURS, Desk, share
from practice.world.diary import (
    delete_occurrence,
    edit,
    event_of,
    modify_occurrence,
    remove,
    rewrite,
    shift,
)
from practice.world.folders import Did
from practice.world.messages import Message
from practice.world.population_pim import READ_ONLY, SECOND_CALENDAR, SUBFOLDER
from practice.world.world import Mailbox, World

PIM = 50
KINDS = ("calendar", "contacts", "tasks", "notes", "journal")


whole = world_fixture(seed=8, people=NEIGHBOURS, items=12, pim=PIM)


@pytest.fixture
def mailbox() -> Mailbox:
    world = World(seed=8, people=2, items=3, nasty=False, pim=0)
    return world.mailbox(world.addresses()[0])


def put(mailbox: Mailbox, name: str) -> Message:
    event = ODDITIES[name](Desk(mailbox.seed, 0, f"event/{name}"))
    return mailbox.put(mailbox.distinguished("calendar"), event)


def records(mailbox: Mailbox) -> list[tuple[str, object]]:
    return [(item.folder.name, item.record) for item in mailbox.messages() if item.record]


def test_without_pim_nothing_is_there() -> None:
    world = World(seed=8, people=1, items=40)
    mailbox = world.mailbox(world.addresses()[0])
    assert not records(mailbox)
    assert all(mailbox.distinguished(kind).total == 0 for kind in KINDS)


def test_every_kind_lies_in_its_folder(whole: World) -> None:
    for address in whole.addresses():
        mailbox = whole.mailbox(address)
        classes = {kind: {item.item_class for item in mailbox.distinguished(kind).items} for kind in KINDS}
        assert "IPM.Appointment" in classes["calendar"]
        assert {"IPM.Contact", "IPM.DistList"} <= classes["contacts"]
        assert "IPM.Task" in classes["tasks"]
        assert "IPM.StickyNote" in classes["notes"]
        assert classes["journal"] == {"IPM.Activity"}
        names = {folder.name: folder for folder in mailbox.folders()}
        assert names[SECOND_CALENDAR].parent is mailbox.distinguished("calendar")
        assert names[SUBFOLDER].parent is mailbox.distinguished("contacts")
        assert names[SECOND_CALENDAR].total
        assert names[SUBFOLDER].total
        assert names[READ_ONLY].readonly


def test_the_same_seed_gives_the_same_world(whole: World) -> None:
    again = World(seed=8, people=NEIGHBOURS, items=12, pim=PIM)
    for address in whole.addresses():
        one, other = whole.mailbox(address), again.mailbox(address)
        assert records(one) == records(other)
        assert [item.id for item in one.messages()] == [item.id for item in other.messages()]


def test_mail_is_what_it_is_without_pim(whole: World) -> None:
    bare = World(seed=8, people=NEIGHBOURS, items=12)
    address = whole.addresses()[2]
    mail = [item.mime() for item in whole.mailbox(address).messages() if item.record is None]
    assert mail == [item.mime() for item in bare.mailbox(address).messages()]


def test_five_neighbours_have_every_oddity(whole: World) -> None:
    found = {event.base.subject for index in range(NEIGHBOURS) for event in _events(whole, index)}
    due = {name for index in range(NEIGHBOURS) for name in share(8, index, "event", ODDITIES)}
    assert due == set(ODDITIES)
    for index in range(NEIGHBOURS):
        for name in share(8, index, "event", ODDITIES)[: len(ODDITIES) // NEIGHBOURS]:
            assert ODDITIES[name](Desk(8, index, f"event/{name}")).base.subject in found


def _events(world: World, index: int) -> list[Event]:
    mailbox = world.mailbox(world.addresses()[index])
    return [item.record for item in mailbox.messages() if isinstance(item.record, Event)]


def test_two_items_of_one_uid_lie_in_two_calendars(whole: World) -> None:
    pairs = [found for found in map(_twins, map(whole.mailbox, whole.addresses())) if found]
    assert pairs
    for folders, texts in pairs:
        assert len(set(folders)) == len(set(texts)) == 2


def _twins(mailbox: Mailbox) -> tuple[list[str], list[str]] | None:
    found = [
        item
        for item in mailbox.messages()
        if isinstance(item.record, Event) and item.record.uid.endswith("-zweimal@practice.example")
    ]
    return ([item.folder.id for item in found], [item.subject for item in found]) if found else None


def test_neighbours_share_meetings_under_one_uid(whole: World) -> None:
    by_uid: dict[str, list[Event]] = {}
    for index in range(NEIGHBOURS):
        for event in _events(whole, index):
            if event.base.subject in ("Klausurtagung", "Montagsrunde"):
                by_uid.setdefault(event.uid, []).append(event)
    assert [len(copies) for copies in by_uid.values()] == [NEIGHBOURS, NEIGHBOURS]
    for copies in by_uid.values():
        assert [event.answer for event in copies].count("Organizer") == 1
        assert len({event.begins for event in copies}) == 1


def test_calm_worlds_have_calm_calendars() -> None:
    assert {event.zone.known for event in sample_events(3, 1, 200, odd=False)} == {True}
    assert not any(event.uid == "" for event in sample_events(3, 1, 200, odd=False))


def test_every_edit_moves_the_change_key(mailbox: Mailbox) -> None:
    item = put(mailbox, "meeting_series")
    keys = [item.change_key]
    id_ = item.id

    def changed() -> None:
        assert item.change_key not in keys
        assert item.id == id_
        keys.append(item.change_key)

    rewrite(mailbox, item, subject="Anders", body="Neu")
    changed()
    modify_occurrence(mailbox, item, date(2026, 2, 4), lambda event: event)
    changed()
    delete_occurrence(mailbox, item, date(2026, 2, 11))
    changed()
    answer(mailbox, item, 0, person(neighbour(Desk(8, 0, ""), 1), "Decline"))
    changed()
    shift(mailbox, item, timedelta(hours=1))
    changed()
    cancel(mailbox, item)
    changed()
    event = event_of(item)
    assert event.base.subject == "Anders"
    assert event.cancelled
    assert event.sequence == 3
    assert [change.did for change in item.folder.changes(since=item.arrived)] == [Did.UPDATED]


def test_an_occurrence_edited_by_its_id_is_a_modified_one(mailbox: Mailbox) -> None:
    item = put(mailbox, "series_weekly_days")
    day = date(2026, 1, 8)
    one = mailbox.item(mailbox.occurrence(item, day).id)
    before = occurrences(event_of(item), event_of(item).begins, event_of(item).begins + timedelta(days=30))
    rewrite(mailbox, one, subject="Heute anders")
    again = mailbox.occurrence(item, day)
    assert again.subject == "Heute anders"
    assert event_of(again).part == "Exception"
    assert again.change_key == item.change_key != one.change_key
    shift(mailbox, again, timedelta(days=1))
    after = occurrences(event_of(item), event_of(item).begins, event_of(item).begins + timedelta(days=30))
    assert len(after) == len(before)
    assert len(set(after) - set(before)) == 1
    remove(mailbox, again)
    with pytest.raises(KeyError):
        mailbox.item(one.id)
    assert mailbox.item(item.id) is item


def test_a_series_keeps_its_days_when_it_is_moved(mailbox: Mailbox) -> None:
    item = put(mailbox, "series_exceptions")
    with pytest.raises(ValueError, match="keeps its days"):
        shift(mailbox, item, timedelta(days=1))
    shift(mailbox, item, timedelta(minutes=30))
    assert not event_of(item).changed
    assert not event_of(item).deleted


def test_the_last_occurrence_goes_with_its_series(mailbox: Mailbox) -> None:
    item = put(mailbox, "series_once")
    with pytest.raises(ValueError, match="the last occurrence"):
        delete_occurrence(mailbox, item, date(2026, 6, 6))
    remove(mailbox, mailbox.occurrence(item, date(2026, 6, 6)))
    with pytest.raises(KeyError):
        mailbox.item(item.id)


def test_the_content_of_an_occurrence_is_its_series(mailbox: Mailbox) -> None:
    item = put(mailbox, "series_daily")
    one = mailbox.occurrence(item, date(2026, 3, 28))
    with pytest.raises(ValueError, match="no content of its own"):
        mailbox.replace(one, event_of(item))


def test_what_is_no_event_is_not_edited(mailbox: Mailbox) -> None:
    mail = next(item for item in mailbox.messages() if item.record is None)
    with pytest.raises(ValueError, match="not an event"):
        edit(mailbox, mail, lambda event: event)
    with pytest.raises(KeyError):
        mailbox.occurrence(mail, date(2026, 1, 1))


def test_records_move_and_are_deleted_as_mail_is(mailbox: Mailbox) -> None:
    item = put(mailbox, "file")
    old = item.id
    mailbox.move(item, mailbox.create_folder(mailbox.distinguished("calendar"), "Neu"))
    assert item.id != old
    assert item.record is not None
    mailbox.delete(item)
    assert item.folder.role == "deleteditems"
    mailbox.recreate()
    assert mailbox.item(item.id).record == item.record
