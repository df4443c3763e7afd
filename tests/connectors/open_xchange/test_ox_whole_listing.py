"""What a person has in a folder is told over all time, and without the meetings of colleagues."""

from __future__ import annotations

import base64
import json

import pytest
from ox_api_desk import ANNA, BERT, ApiDesk, free

from connectors.caldav.target import DavTarget
from connectors.open_xchange.folders import folder_of, item_name
from connectors.open_xchange.whole_listing import own_events
from connectors.settings import Account
from engine.identity.identity_gate import is_emptiness_unproven, is_filled
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.optional_protocols import ListsWhole
from model.protocols import Container, Role
from practice.dav.proxy import Forward, Reply, Request, reply

HOME = "/caldav/Y2FsOi8vMC8zMQ/"
CALENDAR = Container(Kind.CALENDAR, "s", ("Kalender",), Role.CALENDAR)
RULE = "RRULE:FREQ=YEARLY"


def event(uid: str, year: int, *lines: str, minute: int = 0) -> str:
    first = f"DTSTART:{year}0310T10{minute:02}00Z"
    body = (f"UID:{uid}", "DTSTAMP:20260101T000000Z", first, "DURATION:PT5M", "SUMMARY:x", *lines)
    return "\r\n".join(
        (
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:t",
            "BEGIN:VEVENT",
            *body,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        )
    )


def meeting(organizer: str, *guests: str) -> tuple[str, ...]:
    said = [f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{one}" for one in (organizer, *guests)]
    return f"ORGANIZER:mailto:{organizer}", *said


def home_of(desk: ApiDesk, login: str) -> str:
    target = desk.target(Kind.CALENDAR, login)
    return next(one.id for one in target.containers() if one.role is Role.CALENDAR)


def whole(desk: ApiDesk, kind: Kind = Kind.CALENDAR, login: str = ANNA) -> list[str]:
    target = desk.target(kind, login)
    (href,) = [one.id for one in target.containers() if one.role is not None]
    return [one.href for one in target.whole(href)]


def test_events_of_all_years_are_told_once(desk: ApiDesk) -> None:
    desk.put(f"{HOME}old.ics", event("old", 1999))
    desk.put(f"{HOME}series.ics", event("series", 1995, RULE))
    desk.put(f"{HOME}far.ics", event("far", 2100))
    target = desk.target(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    assert {"old.ics", "far.ics"}.isdisjoint(one.href for one in target.listing(href))
    assert sorted(one.href for one in target.whole(href)) == ["far.ics", "old.ics", "series.ics"]


def test_a_colleagues_meeting_is_not_the_persons_own(desk: ApiDesk) -> None:
    """A meeting that a person from outside called is: nobody but its owner put it there."""
    bert = home_of(desk, BERT)
    desk.put(f"{bert}m.ics", event("m", 2020, *meeting(BERT, ANNA)), user=BERT)
    assert whole(desk) == []
    assert len(whole(desk, login=BERT)) == 1
    desk.put(f"{HOME}mine.ics", event("mine", 2020, *meeting(ANNA, BERT)))
    desk.put(f"{HOME}out.ics", event("out", 2020, *meeting("eve@elsewhere.example", ANNA)))
    assert sorted(whole(desk)) == ["mine.ics", "out.ics"]


def test_the_gate_sees_an_event_of_long_ago(desk: ApiDesk) -> None:
    target = desk.target(Kind.CALENDAR)
    assert not is_filled(target, (), ())
    desk.put(f"{home_of(desk, BERT)}m.ics", event("m", 2020, *meeting(BERT, ANNA)), user=BERT)
    assert not is_filled(target, (), ())
    desk.put(f"{HOME}old.ics", event("old", 2011))
    assert is_filled(target, (), ())
    assert is_filled(target, ("y",), ())
    assert not is_filled(target, ("x",), ())  # what an account is given with


def test_birthdays_that_the_server_shows_by_itself_do_not_count(desk: ApiDesk) -> None:
    """Its calendar of birthdays is read-only, and fills itself from contacts."""
    person = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nN:A;B;;;\r\nFN:B A\r\nBDAY:1980-12-01\r\nEND:VCARD\r\n"
    desk.put("/carddav/32/c.vcf", person, kind="text/vcard")
    target = desk.target(Kind.CALENDAR)
    (birthdays,) = [one for one in target.containers() if one.readonly]
    assert list(target.listing(birthdays.id))
    assert not is_filled(target, (), ())


def test_only_a_target_without_the_api_cannot_prove_emptiness(desk: ApiDesk) -> None:
    target = desk.target(Kind.CALENDAR)
    assert isinstance(target, ListsWhole)
    assert not is_emptiness_unproven(target)
    settings = desk.settings().model_copy(update={"api": None})
    account = Account(login=ANNA)
    plain = DavTarget(
        settings, account, free, desk.spool, kind=Kind.CALENDAR, digest=lambda stream: stream.read()
    )
    desk.opened.append(plain)
    assert is_emptiness_unproven(plain)


def test_a_range_of_too_many_events_is_halved(desk: ApiDesk) -> None:
    desk.server.suite.max_results = 4
    names = [f"e-{number}" for number in range(9)]
    for number, name in enumerate(names):
        desk.put(f"{HOME}{name}.ics", event(name, 2021, minute=7 * number))
    assert sorted(whole(desk)) == sorted(f"{name}.ics" for name in names)
    desk.server.suite.max_results = 0
    desk.server.requests.clear()
    with pytest.raises(Transient) as caught:
        whole(desk)
    assert caught.value.code == "reply-too-large"
    assert len(desk.asked("chronos")) < 60


def test_a_large_answer_is_halved_too(desk: ApiDesk) -> None:
    desk.put(f"{HOME}old.ics", event("old", 2011))

    def large(request: Request, rest: Forward) -> Reply:
        return reply(200, '{"data":["' + "x" * 9_000_000)

    desk.layer.answers, desk.layer.what = [large, large], "rangeStart=20000101"
    assert whole(desk) == ["old.ics"]


@pytest.mark.parametrize("data", [None, {}, "x", [1], [["a"]], [None]])
def test_garbage_for_events_is_not_believed(desk: ApiDesk, data: object) -> None:
    desk.layer.answers, desk.layer.what = [reply(200, json.dumps({"data": data}))] * 9, "chronos"
    with pytest.raises(Transient) as caught:
        whole(desk)
    assert caught.value.code == "not-http-api"


@pytest.mark.parametrize(
    "row", [{}, {"filename": None, "uid": "a/b"}, {"organizer": {"entity": "x"}, "id": "7"}]
)
def test_an_odd_event_counts(desk: ApiDesk, row: dict[str, object]) -> None:
    desk.layer.answers, desk.layer.what = [reply(200, json.dumps({"data": [row]}))], "chronos"
    assert len(list(own_events(desk.client(), "cal://0/31"))) == 1


def test_what_dav_does_not_list_counts_in_an_address_book_and_a_task_list(desk: ApiDesk) -> None:
    api = desk.client()
    assert whole(desk, Kind.CONTACTS) == []
    assert whole(desk, Kind.TASKS) == []
    members = [{"mail": "a@b.example", "mail_field": 0}]
    made = {"folder_id": "con://0/32", "uid": "l-1", "display_name": "L", "mark_as_distributionlist": True}
    api.ask("addressbooks", "new", {}, made | {"distribution_list": members})
    series = {"folder_id": "33", "title": "T", "recurrence_type": 2, "days": 4, "interval": 1}
    api.ask("tasks", "new", {}, {**series, "start_time": 1796112000000, "end_time": 1796144400000})
    assert whole(desk, Kind.CONTACTS) == ["l-1.vcf"]
    assert len(whole(desk, Kind.TASKS)) == 1


def test_folders_and_items_have_the_names_that_were_recorded() -> None:
    assert folder_of(Kind.CALENDAR, HOME) == "cal://0/31"
    assert folder_of(Kind.TASKS, "/caldav/MzM/") == "33"
    assert folder_of(Kind.CONTACTS, "/carddav/66/") == "con://0/66"
    key = "0123456789abcdef" * 2
    assert item_name(Kind.CONTACTS, f"kogge-{key}") == f"k-{key}.vcf"
    assert item_name(Kind.TASKS, f"kogge-{key}") == f"kogge-{key}.ics"
    assert item_name(Kind.CALENDAR, "a/b") == "a%2Fb.ics"


@pytest.mark.parametrize(
    ("kind", "href"),
    [
        (Kind.CALENDAR, "/caldav/k-1/"),
        (Kind.CALENDAR, f"/caldav/{base64.urlsafe_b64encode(b'cal://0/31&x=1').decode()}/"),
        (Kind.TASKS, "/caldav/%00/"),
        (Kind.CONTACTS, "/carddav/Contacts/"),
        (Kind.CONTACTS, "/carddav/6%266/"),
    ],
)
def test_a_path_of_another_rule_is_refused(kind: Kind, href: str) -> None:
    with pytest.raises(Blocked, match="no-http-api"):
        folder_of(kind, href)
