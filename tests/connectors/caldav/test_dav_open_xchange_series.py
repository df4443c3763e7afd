"""Series with changed occurrences and guests, on an Open-Xchange, which has one event for everybody: nothing
of them vanishes from anybody's calendar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from event_native import BERLIN, event_xml
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Event
from open_xchange_desk import ANNA, BERT, PASSWORD_ENV, OpenXchangeDesk, desk_on, occurrences
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink

EVE = "eve@elsewhere.example"
FIRST = datetime(2026, 12, 7, 9, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
WEEKS = 6
RULE = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek>"
    "</t:WeeklyRecurrence><t:NumberedRecurrence><t:StartDate>2026-12-07</t:StartDate>"
    f"<t:NumberOfOccurrences>{WEEKS}</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"
)
ALARM = (
    "<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>10</t:ReminderMinutesBeforeStart>"
)
PRIVATE = "<t:Sensitivity>Private</t:Sensitivity>"
ANSWERS = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED", "Unknown": "NEEDS-ACTION"}
Guests = dict[str, str]


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running
        assert running.mails == []


@pytest.fixture(scope="module")
def desk(sink: SmtpSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenXchangeDesk]:
    people = {ANNA: "Anna Adler", BERT: "Bert Bach"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_ENV, USER_PASSWORD)
        with OpenXchangeServer(people, sink=sink, rate=Rate(10**9)) as server:
            made = desk_on(server, Path(tmp_path_factory.mktemp("spool")))
            yield made
            made.target.close()


@dataclass(frozen=True)
class Changed:
    """An occurrence: which week's, by how much it is moved, how much longer it is, who is invited."""

    week: int
    by: timedelta = timedelta()
    longer: timedelta = timedelta()
    guests: tuple[tuple[str, str], ...] = ()
    more: str = ""

    @property
    def times(self) -> tuple[datetime, datetime]:
        start = FIRST + self.week * WEEK + self.by
        return start, start + HOUR + self.longer

    def xml(self, organizer: str) -> str:
        start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in self.times)
        origin = f"<t:OriginalStart>{FIRST + self.week * WEEK:%Y-%m-%dT%H:%M:%SZ}</t:OriginalStart>"
        kind = "<t:CalendarItemType>Exception</t:CalendarItemType>"
        called = invited(organizer, dict(self.guests))
        return event_xml(
            f"<t:Subject>Changed</t:Subject>{kind}{origin}{called}{BERLIN}{self.more}", start, end
        )


def box(address: str) -> str:
    return f"<t:Mailbox><t:Name>{address}</t:Name><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox>"


def invited(organizer: str, guests: Guests) -> str:
    """The people of a component as the copy of Anna has them."""
    listed = "".join(
        f"<t:Attendee>{box(who)}<t:ResponseType>{answer}</t:ResponseType></t:Attendee>"
        for who, answer in guests.items()
    )
    required = f"<t:RequiredAttendees>{listed}</t:RequiredAttendees>" if guests else ""
    answered = "Organizer" if organizer == ANNA else "Accept"
    mine = f"<t:MyResponseType>{answered}</t:MyResponseType>"
    return f"{mine}<t:Organizer>{box(organizer)}</t:Organizer>{required}"


def series(guests: Guests, *changed: Changed, more: str = "", organizer: str = ANNA) -> str:
    called = invited(organizer, guests)
    head = f"<t:CalendarItemType>RecurringMaster</t:CalendarItemType>{called}{BERLIN}{RULE}{more}"
    master = event_xml(head, f"{FIRST:%Y-%m-%dT%H:%M:%SZ}", f"{FIRST + HOUR:%Y-%m-%dT%H:%M:%SZ}")
    return master + "".join(each.xml(organizer) for each in changed)


def expected(*changed: Changed) -> list[tuple[datetime, datetime]]:
    weeks = {each.week for each in changed}
    kept = [FIRST + week * WEEK for week in range(WEEKS) if week not in weeks]
    return sorted([*((at, at + HOUR) for at in kept), *(each.times for each in changed)])


def components(body: bytes | None) -> list[Event]:
    assert body is not None
    return list(Calendar.from_ical(body).walk("VEVENT"))


def answers(event: Event) -> dict[str, str]:
    found = event.get("ATTENDEE", [])
    guests = found if isinstance(found, list) else [found]
    return {str(guest).lower().removeprefix("mailto:"): guest.params["PARTSTAT"] for guest in guests}


def test_a_moved_occurrence_is_in_everybodys_calendar_with_its_reminder(desk: OpenXchangeDesk) -> None:
    moved = Changed(2, by=2 * HOUR, guests=((BERT, "Accept"), (EVE, "Accept")), more=ALARM)
    made, body = desk.write(series({BERT: "Accept", EVE: "Decline"}, moved, more=ALARM))
    assert occurrences(body) == expected(moved)
    for user in (ANNA, BERT):
        assert occurrences(desk.seen_by(user, made.item.uid)) == expected(moved)
        assert len(components(desk.seen_by(user, made.item.uid))) == 2
    master, changed = components(body)
    assert [len(event.walk("VALARM")) for event in (master, changed)] == [1, 1]
    assert answers(master) == {ANNA: "ACCEPTED", BERT: "ACCEPTED", EVE: "DECLINED"}
    assert answers(changed) == {ANNA: "ACCEPTED", BERT: "NEEDS-ACTION", EVE: "NEEDS-ACTION"}
    assert [loss.reason for loss in made.losses] == ["answer-of-occurrence"]


def test_an_occurrence_that_is_not_moved_has_the_answers_of_its_series(desk: OpenXchangeDesk) -> None:
    changed = Changed(3, guests=((BERT, "Decline"), (EVE, "Decline")))
    made, body = desk.write(series({BERT: "Accept", EVE: "Accept"}, changed))
    assert [answers(event) for event in components(body)] == [
        {ANNA: "ACCEPTED", BERT: "ACCEPTED", EVE: "ACCEPTED"}
    ] * 2
    assert [loss.reason for loss in made.losses] == ["answer-of-occurrence"]


def test_what_agrees_loses_nothing(desk: OpenXchangeDesk) -> None:
    changed = Changed(3, guests=((BERT, "Accept"),))
    made, body = desk.write(series({BERT: "Accept"}, changed))
    assert made.losses == ()
    assert occurrences(desk.seen_by(BERT, made.item.uid)) == occurrences(body) == expected(changed)


def test_an_occurrence_without_guests_gets_those_of_its_series(desk: OpenXchangeDesk) -> None:
    changed = Changed(1, by=HOUR)
    made, _ = desk.write(series({BERT: "Accept"}, changed))
    assert occurrences(desk.seen_by(BERT, made.item.uid)) == expected(changed)
    assert "guests-of-series" in [loss.reason for loss in made.losses]


def test_an_appointment_with_one_meeting_among_its_occurrences(desk: OpenXchangeDesk) -> None:
    changed = Changed(1, guests=((BERT, "Accept"),))
    made, body = desk.write(series({}, changed, more=ALARM))
    assert [answers(event) for event in components(body)] == [
        {ANNA: "ACCEPTED"},
        {ANNA: "ACCEPTED", BERT: "ACCEPTED"},
    ]
    (theirs,) = components(desk.seen_by(BERT, made.item.uid))
    assert theirs["RECURRENCE-ID"].dt.astimezone(UTC) == FIRST + WEEK
    assert made.losses == ()


@pytest.mark.parametrize(
    ("guests", "of_series", "of_occurrence", "kept"),
    [
        ({BERT: "Accept"}, "", PRIVATE, "PUBLIC"),
        ({BERT: "Accept"}, PRIVATE, "", "PRIVATE"),
        ({}, "", PRIVATE, "PRIVATE"),
        ({}, PRIVATE, "<t:Sensitivity>Confidential</t:Sensitivity>", "PRIVATE"),
    ],
)
def test_privacy_is_one_for_a_series(
    desk: OpenXchangeDesk, guests: Guests, of_series: str, of_occurrence: str, kept: str
) -> None:
    changed = Changed(1, guests=tuple(guests.items()), more=of_occurrence)
    made, body = desk.write(series(guests, changed, more=of_series))
    assert [str(event["CLASS"]) for event in components(body)] == [kept] * 2
    assert [loss.reason for loss in made.losses] == ["privacy-of-occurrence"]


def test_somebody_elses_meeting_keeps_its_answers(desk: OpenXchangeDesk) -> None:
    """The organizer is outside: nobody is added, and only the owner's own answers are known."""
    changed = (Changed(1, guests=((ANNA, "Decline"), (EVE, "Accept"))), Changed(2, by=HOUR))
    guests = {ANNA: "Accept", EVE: "Decline"}
    _, body = desk.write(series(guests, *changed, organizer="boss@elsewhere.example"))
    found = components(body)
    assert [answers(event).get("boss@elsewhere.example") for event in found] == [None] * 3
    assert answers(found[1])[EVE] == "ACCEPTED"
    assert {str(event["ORGANIZER"]).lower() for event in found} == {"mailto:boss@elsewhere.example"}


def test_an_appointment_of_ones_own_names_nobody(desk: OpenXchangeDesk) -> None:
    made, body = desk.write(series({}, Changed(1, by=HOUR)))
    assert ["ORGANIZER" in event or "ATTENDEE" in event for event in components(body)] == [False] * 2
    assert made.losses == ()


BOTH = {BERT: "Accept", EVE: "Accept"}
LATER = Changed(2, by=2 * HOUR, guests=tuple(BOTH.items()), more=ALARM)
ANSWERED = Changed(3, guests=((BERT, "Tentative"), (EVE, "Accept")))
HOURS_LATER = (("T09:00:00Z", "T11:00:00Z"), ("T10:00:00Z", "T12:00:00Z"))


@pytest.mark.parametrize(
    ("guests", "after", "changed"),
    [
        (BOTH, BOTH, (LATER, ANSWERED)),
        (BOTH, BOTH, (Changed(2, by=5 * HOUR, guests=tuple(BOTH.items())), ANSWERED)),
        (BOTH, BOTH, (Changed(2, guests=tuple(BOTH.items())), ANSWERED)),
        (BOTH, BOTH, (LATER, ANSWERED, Changed(5, by=HOUR))),
        (BOTH, BOTH, (ANSWERED,)),
        (BOTH, {BERT: "Decline", EVE: "Accept"}, (LATER, ANSWERED)),
        ({EVE: "Accept"}, BOTH, (LATER, ANSWERED)),
    ],
)
@pytest.mark.parametrize("moved", [(), HOURS_LATER], ids=["there", "hours-later"])
def test_a_series_that_was_changed_meanwhile_is_written_anew(
    desk: OpenXchangeDesk,
    guests: Guests,
    after: Guests,
    changed: tuple[Changed, ...],
    moved: tuple[tuple[str, str], ...],
) -> None:
    """Colleagues are asked anew in what was moved, and keep the answers that the server has. A second writing
    (a repair does it) says so."""
    first, second = (
        series(guests, LATER, ANSWERED),
        series(after, *changed, more="<t:Subject>New</t:Subject>"),
    )
    for before, later in moved:
        second = second.replace(before, later)
    written = desk.rewritten([first, second, second])
    assert written[-1].means_what_is_stated
    assert "SUMMARY:New" in written[-1].body.decode()


GUESTS = st.dictionaries(st.sampled_from([BERT, EVE]), st.sampled_from(sorted(ANSWERS)))
CHANGED = st.builds(
    Changed,
    week=st.integers(0, WEEKS - 1),
    by=st.sampled_from([timedelta(), HOUR, -3 * HOUR, timedelta(days=2)]),
    longer=st.sampled_from([timedelta(), HOUR]),
    guests=GUESTS.map(lambda guests: tuple(guests.items())),
    more=st.sampled_from(["", ALARM, PRIVATE, ALARM + PRIVATE]),
)


@settings(max_examples=80)
@given(
    guests=GUESTS,
    changed=st.lists(CHANGED, max_size=4, unique_by=lambda each: each.week),
    more=st.sampled_from(["", ALARM, PRIVATE]),
    organizer=st.sampled_from([ANNA, "boss@elsewhere.example"]),
)
def test_whatever_was_changed_nothing_vanishes(
    desk: OpenXchangeDesk, guests: Guests, changed: list[Changed], more: str, organizer: str
) -> None:
    made, body = desk.write(series(guests, *changed, more=more, organizer=organizer))
    assert occurrences(body) == occurrences(desk.seen_by(ANNA, made.item.uid)) == expected(*changed)
    alarms = sum(len(event.walk("VALARM")) for event in components(body))
    assert alarms == (more == ALARM) + sum(ALARM in each.more for each in changed)
    if (
        organizer == ANNA
        and BERT in guests
        and all(BERT in dict(each.guests) or not each.guests for each in changed)
    ):
        assert occurrences(desk.seen_by(BERT, made.item.uid)) == expected(*changed)
