"""Calendars over Graph: the same events that EWS has, in Graph's words."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, date, datetime, timedelta

import pytest
from graph_asking import GraphAsker, Json
from practice_fixtures import graph_asker_fixture, mailbox_fixture, world_fixture

from practice.calendar.appointments import Event
from practice.calendar.events import ODDITIES
from practice.calendar.timezones import BERLIN, ISLAND, NEW_YORK, ZONES
from practice.graph.wire import rest_id
from practice.world.desk import Desk
from practice.world.diary import delete_occurrence, modify_occurrence, rewrite
from practice.world.folders import Folder
from practice.world.messages import Message
from practice.world.world import Mailbox, World

WINDOW = "startDateTime=2026-01-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z"
APPOINTMENT = "00062002-0000-0000-c000-000000000046"


world = world_fixture(seed=11, people=5, items=2, nasty=True, large=(), pim=60)
mailbox = mailbox_fixture(0, scope="module")
asker = graph_asker_fixture()


@pytest.fixture
def calendar(world: World, mailbox: Mailbox) -> Folder:
    with world.lock:
        return mailbox.create_folder(mailbox.root, "Muster", folder_class="IPF.Appointment")


def put(calendar: Folder, name: str) -> Message:
    return calendar.mailbox.put(calendar, ODDITIES[name](Desk(11, 0, name)))


def event(item: Message) -> Event:
    assert isinstance(item.record, Event)
    return item.record


def key(item: Message) -> str:
    return rest_id(item.immutable_id)


def shown(asker: GraphAsker, item: Message, query: str = "", prefer: str | None = None) -> Json:
    return asker.json(f"events/{key(item)}{query}", prefer)


def start(day: str, clock: str, zone: str) -> Json:
    return {"dateTime": f"{day}T{clock}:00.0000000", "timeZone": zone}


def test_all_calendars_are_listed_with_who_may_write(asker: GraphAsker, mailbox: Mailbox) -> None:
    rows = asker.all("calendars?$top=2")
    named = {row["name"]: row for row in rows}
    assert rows[0]["isDefaultCalendar"]
    assert not named["Ferienkalender (nur lesen)"]["canEdit"]
    folders = [one for one in mailbox.folders() if one.folder_class == "IPF.Appointment"]
    assert {row["id"] for row in rows} == {rest_id(one.id) for one in folders}
    groups = asker.all("calendarGroups")
    grouped = [row["id"] for one in groups for row in asker.all(f"calendarGroups/{one['id']}/calendars")]
    assert sorted(grouped) == sorted(row["id"] for row in rows)


def test_every_event_is_listed_once_series_by_their_masters(asker: GraphAsker, mailbox: Mailbox) -> None:
    for folder in [one for one in mailbox.folders() if one.folder_class == "IPF.Appointment"]:
        rows = asker.all(f"calendars/{rest_id(folder.id)}/events?$top=7&$select=type,subject")
        assert sorted(row["id"] for row in rows) == sorted(key(item) for item in folder.items)
        assert {row["type"] for row in rows} <= {"singleInstance", "seriesMaster"}
    assert asker.all("events?$top=50") == asker.all("calendar/events?$top=50")


def test_times_are_utc_unless_a_zone_is_preferred(asker: GraphAsker, calendar: Folder) -> None:
    item = put(calendar, "flight")
    assert shown(asker, item)["start"] == start("2026-06-18", "08:45", "UTC")
    reply = asker.get(f"events/{key(item)}", f'outlook.timezone="{BERLIN.id}"')
    assert reply.json()["start"] == start("2026-06-18", "10:45", BERLIN.id)
    assert f'outlook.timezone="{BERLIN.id}"' in reply.headers["preference-applied"]
    assert reply.json()["originalEndTimeZone"] == NEW_YORK.id
    code = asker.code(f"events/{key(item)}", 'outlook.timezone="Nirgendwo"')
    assert code == (400, "TimeZoneNotSupportedException")


@pytest.mark.parametrize("name", ["in_the_gap", "in_the_fold", "over_the_change", "sydney", "far_past"])
@pytest.mark.parametrize("zone", ["W. Europe Standard Time", "AUS Eastern Standard Time"])
def test_a_wall_clock_of_any_zone_means_the_same_moment(
    asker: GraphAsker, calendar: Folder, name: str, zone: str
) -> None:
    item = put(calendar, name)
    told = shown(asker, item, prefer=f'outlook.timezone="{zone}"')["start"]
    wall = datetime.fromisoformat(told["dateTime"][:19])
    assert ZONES[zone].utc(wall) == event(item).begins


def test_a_day_is_the_same_day_in_every_zone(asker: GraphAsker, calendar: Folder) -> None:
    item = put(calendar, "all_day_in_tokyo")
    for prefer, zone in ((None, "UTC"), (f'outlook.timezone="{NEW_YORK.id}"', NEW_YORK.id)):
        row = shown(asker, item, prefer=prefer)
        assert row["start"] == start("2026-05-06", "00:00", zone)
        assert row["end"] == start("2026-05-07", "00:00", zone)
        assert row["isAllDay"] is True


def test_a_custom_zone_is_told_by_its_mapi_property_alone(asker: GraphAsker, calendar: Folder) -> None:
    item = put(calendar, "custom_zone")
    asked = f"?$expand=singleValueExtendedProperties($filter=id eq 'Binary {{{APPOINTMENT}}} Id 0x825E')"
    row = shown(asker, item, asked)
    assert row["originalStartTimeZone"] == "tzone://Microsoft/Custom"
    data = base64.b64decode(row["singleValueExtendedProperties"][0]["value"])
    assert data[:2] == b"\x02\x01"
    (head,) = struct.unpack("<H", data[2:4])
    name = data[8 : 8 + 2 * struct.unpack("<H", data[6:8])[0]].decode("utf-16-le")
    (count,) = struct.unpack("<H", data[4 + head - 2 : 4 + head])
    rules = data[4 + head :]
    assert name == ISLAND.name
    assert len(rules) == count * 66
    assert struct.unpack("<lll", rules[22:34]) == (-45, 0, -60)


def test_series_say_their_pattern_and_end(asker: GraphAsker, calendar: Folder) -> None:
    rows = {name: shown(asker, put(calendar, f"series_{name}"))["recurrence"] for name in (
        "daily", "fortnightly_from_sunday", "quarterly_31", "last_weekday", "leap_day",
        "last_thursday_of_november")}  # fmt: skip
    assert rows["daily"]["range"]["type"] == "numbered"
    assert rows["daily"]["range"]["numberOfOccurrences"] == 10
    assert rows["fortnightly_from_sunday"]["pattern"] == {
        "type": "weekly",
        "interval": 2,
        "month": 0,
        "dayOfMonth": 0,
        "daysOfWeek": ["sunday", "tuesday"],
        "firstDayOfWeek": "sunday",
        "index": "first",
    }
    assert (rows["quarterly_31"]["pattern"]["interval"], rows["quarterly_31"]["pattern"]["dayOfMonth"]) == (
        3,
        31,
    )
    assert rows["quarterly_31"]["range"]["endDate"] == "0001-01-01"
    weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    assert rows["last_weekday"]["pattern"]["daysOfWeek"] == weekdays
    assert rows["last_weekday"]["pattern"]["index"] == "last"
    assert (rows["leap_day"]["pattern"]["month"], rows["leap_day"]["pattern"]["dayOfMonth"]) == (2, 29)
    assert rows["last_thursday_of_november"]["pattern"]["type"] == "relativeYearly"


def test_a_series_tells_its_single_days_only_by_its_id_and_when_asked(
    asker: GraphAsker, calendar: Folder
) -> None:
    item = put(calendar, "series_exceptions")
    assert "exceptionOccurrences" not in shown(asker, item)
    row = shown(asker, item, "?$select=subject,cancelledOccurrences&$expand=exceptionOccurrences")
    assert row["cancelledOccurrences"] == [f"OID.{key(item)}.{day}" for day in event(item).deleted]
    found = row["exceptionOccurrences"]
    assert len(found) == len(event(item).changed)
    planned = [event(item).planned(each.day) for each in event(item).changed]
    assert [datetime.fromisoformat(one["originalStart"]) for one in found] == planned
    assert {one["type"] for one in found} == {"exception"}
    assert {one["seriesMasterId"] for one in found} == {key(item)}
    uids = [one["iCalUId"] for one in found]
    assert len({*uids, event(item).uid}) == len(uids) + 1
    assert {uid[:32] + "00000000" + uid[40:] for uid in uids} == {event(item).uid}
    one = asker.json(f"events/{found[0]['id']}")
    assert (one["subject"], one["start"]) == (found[0]["subject"], found[0]["start"])


def test_instances_and_a_view_have_every_day_of_a_window(asker: GraphAsker, calendar: Folder) -> None:
    item = put(calendar, "series_exceptions")
    rows = asker.all(f"events/{key(item)}/instances?{WINDOW}&$top=20")
    wanted = sorted(event(item).placed(day).begins for day in event(item).days())
    assert [datetime.fromisoformat(row["start"]["dateTime"] + "Z") for row in rows] == wanted
    view = asker.all(f"calendars/{rest_id(calendar.id)}/calendarView?{WINDOW}&$top=20")
    assert [row["id"] for row in view] == [row["id"] for row in rows]
    single = put(calendar, "file")
    assert asker.code(f"events/{key(single)}/instances?{WINDOW}") == (400, "ErrorInvalidRequest")


def test_a_window_is_needed_and_of_at_most_five_years(asker: GraphAsker) -> None:
    assert asker.code("calendarView") == (400, "ErrorInvalidParameter")
    long = "calendarView?startDateTime=2020-01-01&endDateTime=2025-01-02"
    assert asker.code(long) == (400, "ErrorCalendarViewRangeTooBig")
    assert asker.code("calendarView?startDateTime=gestern&endDateTime=heute") == (
        400,
        "ErrorInvalidParameter",
    )


def test_people_have_their_answers(asker: GraphAsker, mailbox: Mailbox) -> None:
    found = [item for item in mailbox.distinguished("calendar").items if event(item).meeting]
    answers: set[str] = set()
    for item in found:
        row, one = shown(asker, item), event(item)
        parties = (*one.required, *one.optional, *one.resources)
        assert [each["emailAddress"]["address"] for each in row["attendees"]] == [
            party.address for party in parties
        ]
        answers |= {each["status"]["response"] for each in row["attendees"]}
        assert row["isOrganizer"] == (one.answer == "Organizer")
    assert answers > {"none", "accepted"}


def test_a_body_is_html_unless_text_is_preferred(asker: GraphAsker, calendar: Folder) -> None:
    native = "?$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x1016')"
    plain, markup = put(calendar, "file"), put(calendar, "html")
    assert shown(asker, plain)["body"]["contentType"] == "html"
    text = shown(asker, plain, prefer='outlook.body-content-type="text"')["body"]
    assert text == {"contentType": "text", "content": "Siehe Anlagen."}
    kinds = [
        shown(asker, one, native)["singleValueExtendedProperties"][0]["value"] for one in (plain, markup)
    ]
    assert kinds == ["1", "3"]


def test_attachments_of_events_and_of_single_occurrences(asker: GraphAsker, calendar: Folder) -> None:
    item = put(calendar, "picture_and_file")
    rows = asker.json(f"events/{key(item)}/attachments")["value"]
    assert [(row["isInline"], row.get("contentId")) for row in rows] == [
        (True, "plan@practice"),
        (False, None),
    ]
    mail = put(calendar, "item_attachment")
    (row,) = asker.json(f"events/{key(mail)}/attachments")["value"]
    assert row["@odata.type"] == "#microsoft.graph.itemAttachment"
    expand = "?$expand=microsoft.graph.itemattachment/item"
    assert asker.json(f"events/{key(mail)}/attachments/{row['id']}{expand}")["item"]["subject"] == "Angebot"
    broken = put(calendar, "unreadable_attachment")
    assert asker.get(f"events/{key(broken)}/attachments").status_code == 500
    series = put(calendar, "series_other_attendees")
    (one,) = shown(asker, series, "?$expand=exceptionOccurrences")["exceptionOccurrences"]
    (file,) = asker.json(f"events/{one['id']}/attachments")["value"]
    assert base64.b64decode(file["contentBytes"]) == b"Folien folgen.\r\n"


def test_what_is_edited_shows_up_in_the_delta_of_a_window(
    asker: GraphAsker, world: World, mailbox: Mailbox, calendar: Folder
) -> None:
    single, series = put(calendar, "file"), put(calendar, "series_exceptions")
    path = f"calendars/{rest_id(calendar.id)}/calendarView/delta?{WINDOW}"
    rows, link = asker.round(path, "odata.maxpagesize=9")
    kinds = [row["type"] for row in rows]
    assert kinds.count("seriesMaster") == kinds.count("singleInstance") == 1
    assert kinds.count("occurrence") + kinds.count("exception") == len(list(event(series).days()))
    few = next(row for row in rows if row["type"] == "occurrence")
    assert "subject" not in few
    with world.lock:
        rewrite(mailbox, single, subject="Neu")
    (row,) = asker.round(link)[0]
    assert (row["id"], row["subject"]) == (key(single), "Neu")
    _, link = asker.round(link)
    day = date(2026, 6, 1)
    with world.lock:
        delete_occurrence(mailbox, series, day)
        mailbox.delete(single, hard=True)
    rows, link = asker.round(link)
    gone = {row["id"] for row in rows if "@removed" in row}
    assert rest_id(mailbox.ids.immutable(series.folder.number, series.number, day.toordinal())) in gone
    assert key_of_gone(calendar, single) in gone
    assert asker.round(link)[0] == []


def key_of_gone(calendar: Folder, item: Message) -> str:
    return rest_id(calendar.mailbox.ids.immutable(calendar.number, item.number))


def test_a_changed_series_has_another_change_key_and_a_later_date(
    asker: GraphAsker, world: World, mailbox: Mailbox, calendar: Folder
) -> None:
    item = put(calendar, "series_daily")
    before = shown(asker, item)
    day = next(event(item).days()) + timedelta(days=1)
    with world.lock:
        modify_occurrence(mailbox, item, day, lambda one: one)
    after = shown(asker, item)
    assert before["changeKey"] != after["changeKey"]
    since = datetime.fromisoformat(after["lastModifiedDateTime"]).astimezone(UTC)
    path = (
        f"calendars/{rest_id(calendar.id)}/events?$filter=lastModifiedDateTime ge {since:%Y-%m-%dT%H:%M:%SZ}"
    )
    assert [row["id"] for row in asker.all(path)] == [key(item)]


def test_what_graph_refuses_of_events_is_refused(asker: GraphAsker, mailbox: Mailbox) -> None:
    message = next(iter(mailbox.distinguished("tasks").items))
    assert asker.code(f"events/{key(message)}") == (404, "ErrorItemNotFound")
    assert asker.code("events?$filter=subject eq 'x'") == (400, "ErrorInvalidUrlQueryFilter")
    assert asker.code("events?$select=occurrenceId,uid") == (400, "BadRequest")
    assert asker.code(f"calendarView/delta?{WINDOW}&$filter=type eq 'x'") == (400, "ErrorInvalidUrlQuery")
