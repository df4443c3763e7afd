"""What an Open-Xchange cuts or refuses of an event: what is written comes back, and losses have names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from event_native import BERLIN, event_xml
from icalendar import Calendar, Event
from open_xchange_desk import ANNA, PASSWORD_ENV, OpenXchangeDesk, desk_on
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate

REMINDER = (
    "<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>10</t:ReminderMinutesBeforeStart>"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenXchangeDesk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_ENV, USER_PASSWORD)
        with OpenXchangeServer({ANNA: "Anna Adler"}, rate=Rate(10**9)) as server:
            made = desk_on(server, Path(tmp_path_factory.mktemp("spool")))
            yield made
            made.target.close()


def wordy(title: str, place: str, text: str) -> str:
    return (
        f"<t:Subject>{escape(title)}</t:Subject><t:Body BodyType='Text'>{escape(text)}</t:Body>"
        f"<t:Location>{escape(place)}</t:Location>{BERLIN}"
    )


def only(body: bytes) -> Event:
    (event,) = Calendar.from_ical(body).walk("VEVENT")
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize("letter", ["x", "ü", "\N{ROCKET}"])
def test_texts_are_cut_before_they_are_written(desk: OpenXchangeDesk, letter: str) -> None:
    title, place, text = f"T{letter * 300}", f"P{letter * 300}", f"D{letter * 70_000}"
    made, body = desk.write(event_xml(wordy(title, place, text)))
    event = only(body)
    kept = [str(event[name]) for name in ("SUMMARY", "LOCATION", "DESCRIPTION")]
    assert all(whole.startswith(part) for whole, part in zip((title, place, text), kept, strict=True))
    assert [len(part.encode("utf-16-le")) // 2 for part in kept[:2]] == [255] * 2
    assert 65_530 < len(kept[2].encode()) <= 65_535
    assert [(loss.field, loss.reason) for loss in made.losses] == [
        ("title", "shortened"),
        ("location", "shortened"),
        ("text", "shortened"),
    ]


def test_what_fits_is_whole(desk: OpenXchangeDesk) -> None:
    title, place, text = "T" * 255, "P" * 255, "D" * 65_535
    made, body = desk.write(event_xml(wordy(title, place, text)))
    event = only(body)
    assert [str(event[name]) for name in ("SUMMARY", "LOCATION", "DESCRIPTION")] == [title, place, text]
    assert made.losses == ()


@pytest.mark.parametrize("subject", ["", "   ", "x" * 400])
def test_a_reminder_is_taken_whatever_the_subject(desk: OpenXchangeDesk, subject: str) -> None:
    """One without a text is 400."""
    _, body = desk.write(event_xml(f"<t:Subject>{subject}</t:Subject>{REMINDER}{BERLIN}"))
    (alarm,) = only(body).walk("VALARM")
    assert str(alarm["DESCRIPTION"])


@pytest.mark.parametrize("all_day", ["false", "true"])
def test_an_end_before_the_start_is_no_refusal(desk: OpenXchangeDesk, all_day: str) -> None:
    """It would be 403."""
    inner = f"<t:IsAllDayEvent>{all_day}</t:IsAllDayEvent>{BERLIN}"
    made, _ = desk.write(event_xml(inner, "2026-06-02T07:00:00Z", "2026-06-01T06:00:00Z"))
    assert "before-start" in [loss.reason for loss in made.losses]


def test_coordinates_and_the_date_of_making_are_no_difference(desk: OpenXchangeDesk) -> None:
    """The server rounds the ones, and sets the other."""
    address = "".join(
        f"<t:{name}>{value}</t:{name}>"
        for name, value in (("Latitude", "54.3232927123"), ("Longitude", "10.1227652"))
    )
    place = f"<t:EnhancedLocation><t:PostalAddress>{address}</t:PostalAddress></t:EnhancedLocation>"
    made, body = desk.write(
        event_xml(f"<t:DateTimeCreated>2019-02-03T08:09:10Z</t:DateTimeCreated>{place}{BERLIN}")
    )
    assert only(body)["GEO"].to_ical() == "54.323293;10.122765"
    assert made.losses == ()


def test_categories_and_a_link_that_have_no_room(desk: OpenXchangeDesk) -> None:
    names = [f"{letter}{'x' * 339}" for letter in "ABCD"]
    strings = "".join(f"<t:String>{name}</t:String>" for name in names)
    page = f"<t:MeetingWorkspaceUrl>https://elsewhere.example/{'y' * 800}</t:MeetingWorkspaceUrl>"
    made, body = desk.write(event_xml(f"<t:Categories>{strings}</t:Categories>{page}{BERLIN}"))
    assert [str(name) for name in only(body)["CATEGORIES"].cats] == names[:3]
    assert "URL" not in only(body)
    assert {loss.reason for loss in made.losses} == {"colour-not-kept", "too-many", "too-long"}


def test_no_more_people_than_are_taken(desk: OpenXchangeDesk) -> None:
    guests = "".join(
        f"<t:Attendee><t:Mailbox><t:EmailAddress>{name}</t:EmailAddress></t:Mailbox></t:Attendee>"
        for name in [*(f"p{number}@elsewhere.example" for number in range(1100)), ANNA]
    )
    for organizer in (ANNA, "boss@elsewhere.example"):
        called = (
            f"<t:Organizer><t:Mailbox><t:EmailAddress>{organizer}</t:EmailAddress></t:Mailbox></t:Organizer>"
        )
        answered = "Organizer" if organizer == ANNA else "Accept"
        xml = f"{called}<t:MyResponseType>{answered}</t:MyResponseType>"
        made, body = desk.write(
            event_xml(f"{xml}<t:RequiredAttendees>{guests}</t:RequiredAttendees>{BERLIN}")
        )
        found = [str(guest).lower() for guest in only(body)["ATTENDEE"]]
        assert len(found) <= 1000
        assert f"mailto:{ANNA}" in found
        assert [loss.reason for loss in made.losses] == ["too-many"]
