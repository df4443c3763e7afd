"""Events in a practice eXo: what is written is what is read, and nobody is told."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest
from agenda_desk import DAYS, HREF, SINGLE, WEEKLY, Desk, item, read, series
from pydantic import ValidationError
from results import code, stored

from connectors.exo.settings import AgendaSettings
from connectors.http import client as http_client
from model.errors import Blocked, Rejected
from model.kinds import Kind
from model.protocols import Container, Item, Role

ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT90M\nEND:VALARM"
ITEMS = {
    "single": item(1),
    "no end": item(1, "DTSTART:20260310T090000Z"),
    "whole day": item(1, "DTSTART;VALUE=DATE:20260310"),
    "whole days": item(1, "DTSTART;VALUE=DATE:20260310\nDTEND;VALUE=DATE:20260313"),
    "free": item(1, SINGLE, "TRANSP:TRANSPARENT"),
    "texts": item(1, SINGLE, "DESCRIPTION:a <b>\\, c\\nnext", "LOCATION:Größe 2\\; Haus"),
    "links": item(1, SINGLE, "CONFERENCE:https://a.example.org/1", "CONFERENCE:https://b.example.org/2"),
    "reminder": item(1, SINGLE, ALARM),
    "weekly": item(1, WEEKLY),
    "monthly days": item(1, DAYS),
    "deleted day": item(1, DAYS, "EXDATE;VALUE=DATE:20260602"),
    "second tuesday": item(
        1,
        "DTSTART;TZID=Europe/Berlin:20260310T090000",
        "DTEND;TZID=Europe/Berlin:20260310T100000",
        "RRULE:FREQ=MONTHLY;COUNT=9;BYDAY=2TU",
    ),
    "last working day": item(
        1,
        "DTSTART;TZID=Europe/Berlin:20260331T090000",
        "RRULE:FREQ=MONTHLY;COUNT=9;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    ),
    "moved and deleted": series(1),
}


@pytest.mark.parametrize("given", ITEMS.values(), ids=ITEMS)
def test_what_is_read_means_what_was_written(desk: Desk, given: Item) -> None:
    target = desk.target()
    (found,) = stored(target.write(HREF, [given]))
    assert read(target, found.href) == given.digest
    assert [one.href for one in target.listing(HREF)] == [found.href]
    assert desk.exo.agenda.mails == []


def test_nobody_is_invited_and_nobody_could_be(desk: Desk) -> None:
    target = desk.target()
    found = stored(target.write(HREF, [item(1), series(2)]))
    for body in desk.sent("POST"):
        told = json.loads(body)
        assert told["sendInvitation"] is False
        assert told["timeZoneId"]
        assert [one["identity"]["remoteId"] for one in told["attendees"]] == ["anna"]
    patched = [one.target for one in desk.exo.requests if one.method == "PATCH"]
    assert len(patched) == 1
    assert "sendInvitations=false" in patched[0]
    stored(target.remove(HREF, found))
    assert desk.exo.agenda.events == {}
    assert desk.exo.agenda.mails == []
    assert target.silence() == "never-sends"


def test_a_practice_exo_mails_guests_unless_it_is_asked_not_to(desk: Desk) -> None:
    guest = {"identity": {"providerId": "organization", "remoteId": "bert"}, "response": "NEEDS_ACTION"}
    told = {
        "calendar": {"owner": {"remoteId": "anna"}},
        "timeZoneId": "UTC",
        "start": "2026-03-10T09:00:00",
        "end": "2026-03-10T10:00:00",
        "attendees": [guest],
    }
    kept = desk.exo.agenda.create("anna", told)
    assert desk.exo.agenda.mails == ["bert"]
    desk.exo.agenda.create("anna", {**told, "sendInvitation": False})
    assert desk.exo.agenda.mails == ["bert"]
    desk.exo.agenda.remove("anna", kept.number)
    assert desk.exo.agenda.mails == ["bert", "bert"]


def test_the_same_event_twice_is_two(desk: Desk) -> None:
    first, second = item(1), item(1)
    found = stored(desk.target().write(HREF, [first, second]))
    assert len({one.href for one in found}) == 2


def test_a_series_that_keeps_another_clock_does_not_mean_the_same(desk: Desk) -> None:
    target = desk.target()
    (found,) = stored(target.write(HREF, [item(1, WEEKLY)]))
    desk.exo.agenda.events[int(found.href)].zone = ZoneInfo("UTC")
    assert read(target, found.href) != item(1, WEEKLY).digest


def test_every_calendar_of_the_source_goes_into_the_one(desk: Desk) -> None:
    target = desk.target()
    (only,) = target.containers()
    assert (only.path, only.role) == (("agenda",), Role.CALENDAR)
    assert target.ensure(Container(Kind.CALENDAR, "x", ("Shifts",))) == only.id
    with pytest.raises(Rejected, match="one-calendar"):
        target.rename(only.id, Container(Kind.CALENDAR, "x", ("Others",)))


def test_what_its_owner_changed_is_not_removed(desk: Desk) -> None:
    target, given = desk.target(), series(1)
    (found,) = stored(target.write(HREF, [given]))
    known = type(found)(found.key, found.href, digest=given.digest)
    beside = desk.exo.agenda.beside(int(found.href))
    beside[0].told["summary"] = "Mine"
    assert code(target.remove(HREF, [known])) == "changed-at-target"
    assert int(found.href) in desk.exo.agenda.events


def test_another_one_s_number_is_not_read_and_not_removed(desk: Desk) -> None:
    (theirs,) = stored(desk.target(user="bert").write(HREF, [item(1)]))
    target = desk.target()
    target.identity()
    with pytest.raises(Blocked, match="no-permission"):
        list(target.remove(HREF, [theirs]))
    assert int(theirs.href) in desk.exo.agenda.events


def test_a_refused_password_is_not_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_AGENDA_PASSWORD", "wrong")
    target = desk.target()
    for _ in range(3):
        with pytest.raises(Blocked, match="login-refused"):
            target.identity()
    assert len(desk.exo.requests) == 1


def test_nobody_of_that_name_is_no_agenda(desk: Desk) -> None:
    with pytest.raises(Blocked, match="no-agenda-access"):
        desk.target(username="anna", rest="/portal/rest").identity()


def test_a_listing_too_large_for_one_answer_comes_in_halves(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = desk.target()
    days = [item(n, f"DTSTART:2026{n:02}10T090000Z\nDTEND:2026{n:02}10T100000Z") for n in range(1, 13)]
    found = stored(target.write(HREF, days))
    monkeypatch.setattr(http_client, "SMALL", 2000)
    assert {one.href for one in target.listing(HREF)} == {one.href for one in found}


@pytest.mark.parametrize(
    ("field", "value"),
    [("zone", "Mars/Olympus"), ("zone", "../etc"), ("rest", "rest"), ("url", "http://exo.example.org")],
)
def test_settings_that_cannot_be(field: str, value: str) -> None:
    given = {"kind": "exo-agenda", "url": "https://exo.example.org", "password": {"env": "X"}}
    assert AgendaSettings.model_validate(given).zone == "Europe/Berlin"
    with pytest.raises(ValidationError):
        AgendaSettings.model_validate({**given, field: value})
