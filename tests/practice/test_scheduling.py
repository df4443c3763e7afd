"""The scheduling practice server: what lets it mail, and what silences which product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from clocks import Clock
from server_fixtures import radicale_fixture, sink_fixture
from servers.dav.scheduling import ProductName, SchedulingServer, start_scheduling
from servers.smtp_sink import SmtpSink

from practice.dav.radicale import USER_PASSWORD, RadicaleServer

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SILENCE: Mapping[str, Mapping[str, str]] = {
    "nextcloud": {"x-nc-scheduling": "false", "Schedule-Reply": "F"},
    "open-xchange": {"Scheduling": "none", "Schedule-Reply": "F"},
    "cyrus": {"Scheduling-Enabled": "F"},
}
ALL = {name: text for headers in SILENCE.values() for name, text in headers.items()}
EVENT = """BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20260101T000000Z\r
DTSTART:{start}\r
DTEND:{end}\r
SUMMARY:Runde\r
ORGANIZER:mailto:{organizer}\r
ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}\r
{attendees}{more}END:VEVENT\r
"""
GUESTS = ("bert@practice.test", "eve@elsewhere.example")


radicale = radicale_fixture(["anna", "bert"], provisioned=True)
sink = sink_fixture()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


class User:
    """anna, or whoever, at one server; each keeps to a calendar of the test's own."""

    def __init__(self, server: SchedulingServer, user: str) -> None:
        self.server = server
        self.user = user
        self.client = httpx.Client(auth=(user, USER_PASSWORD), timeout=20)
        self.calendar = server.home(user) + "calendar/"

    def put(self, name: str, body: str, headers: Mapping[str, str] | None = None) -> None:
        url = f"{self.calendar}{name}.ics"
        answer = self.client.put(url, content=body.encode(), headers=dict(headers or {}))
        assert answer.status_code in (201, 204), answer.text

    def delete(self, name: str, headers: Mapping[str, str] | None = None) -> None:
        answer = self.client.delete(f"{self.calendar}{name}.ics", headers=dict(headers or {}))
        assert answer.status_code in (200, 204)

    def sees(self, text: str, collection: str = "calendar") -> bool:
        """The text is in some object of the user's collection."""
        return text in self.client.get(f"{self.server.home(self.user)}{collection}/").text


def fresh(radicale: RadicaleServer) -> None:
    for user in radicale.users:
        for collection in ("calendar", "schedule-inbox"):
            url = f"{radicale.home(user)}{collection}/"
            httpx.delete(url, auth=(user, USER_PASSWORD))
            httpx.request("MKCALENDAR", url, auth=(user, USER_PASSWORD)).raise_for_status()


@pytest.fixture
def serving(
    radicale: RadicaleServer, sink: SmtpSink, clock: Clock, request: pytest.FixtureRequest
) -> Iterator[SchedulingServer]:
    fresh(radicale)
    name: ProductName = getattr(request, "param", "deaf")
    with start_scheduling(radicale, name, sink, clock=clock) as running:
        yield running


@pytest.fixture
def anna(serving: SchedulingServer) -> Iterator[User]:
    user = User(serving, "anna")
    yield user
    user.client.close()


@pytest.fixture
def bert(serving: SchedulingServer) -> Iterator[User]:
    user = User(serving, "bert")
    yield user
    user.client.close()


def meeting(
    *guests: str,
    at: datetime = NOW + timedelta(days=3),
    more: str = "",
    parameters: str = "",
    organizer: str = "anna@practice.test",
    extra: str = "",
) -> str:
    """more: further lines of the event; parameters: of every guest; extra: further components."""
    event = EVENT.format(
        uid="u1",
        start=f"{at:%Y%m%dT%H%M%SZ}",
        end=f"{at + timedelta(hours=1):%Y%m%dT%H%M%SZ}",
        organizer=organizer,
        attendees="".join(f"ATTENDEE{parameters}:mailto:{guest}\r\n" for guest in guests),
        more=more,
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//EN\r\n{event}{extra}END:VCALENDAR\r\n"


def sent(sink: SmtpSink) -> list[tuple[str | None, str]]:
    """Methods and recipients, taken out of the sink."""
    found = sorted((mail.method, mail.recipient) for mail in sink.mails)
    sink.clear()
    return found


EACH = [("REQUEST", guest) for guest in GUESTS]


def test_an_organizer_invites_updates_amends_one_occurrence_and_cancels(
    anna: User, bert: User, sink: SmtpSink
) -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=5\r\n"
    anna.put("a", meeting(*GUESTS, more=rule))
    assert sent(sink) == EACH
    assert bert.sees("UID:u1")
    assert bert.sees("UID:u1", "schedule-inbox")
    anna.put("a", meeting(*GUESTS, more=rule + "LOCATION:Saal\r\n"))
    assert sent(sink) == EACH
    assert bert.sees("LOCATION:Saal")
    moved = meeting(*GUESTS, at=NOW + timedelta(days=4, hours=2), more="RECURRENCE-ID:20260605T120000Z\r\n")
    exception = moved[moved.index("BEGIN:VEVENT") : moved.index("END:VCALENDAR")]
    anna.put("a", meeting(*GUESTS, more=rule + "LOCATION:Saal\r\n", extra=exception))
    assert sent(sink) == EACH
    assert bert.sees("RECURRENCE-ID")
    anna.delete("a")
    assert sent(sink) == [("CANCEL", guest) for guest in GUESTS]
    assert not bert.sees("UID:u1")


def test_who_is_left_out_gets_a_cancellation_and_nobody_hears_of_nothing(anna: User, sink: SmtpSink) -> None:
    anna.put("a", meeting(*GUESTS))
    sent(sink)
    anna.put("a", meeting(*GUESTS).replace("DTSTAMP:2026", "DTSTAMP:2027"))
    assert sent(sink) == []
    anna.put("a", meeting(GUESTS[0]))
    assert sent(sink) == [("CANCEL", GUESTS[1]), ("REQUEST", GUESTS[0])]


def test_an_attendee_answers(anna: User, sink: SmtpSink) -> None:
    def invited(answer: str) -> str:
        return meeting("anna@practice.test", organizer=GUESTS[1], parameters=f";PARTSTAT={answer}")

    anna.put("a", invited("NEEDS-ACTION"))
    assert sent(sink) == []
    anna.put("a", invited("TENTATIVE"))
    assert sink.mails[0].sender == "anna@practice.test"
    assert sent(sink) == [("REPLY", GUESTS[1])]
    anna.put("a", invited("TENTATIVE"))
    assert sent(sink) == []
    anna.delete("a")
    assert sent(sink) == [("REPLY", GUESTS[1])]
    anna.put("b", invited("ACCEPTED"))
    assert sent(sink) == [("REPLY", GUESTS[1])]


def test_what_is_no_meeting_of_ours_concerns_nobody(anna: User, sink: SmtpSink) -> None:
    anna.put("a", meeting(GUESTS[1], organizer="someone@elsewhere.example"))
    anna.put("b", meeting().replace("ORGANIZER:mailto:anna@practice.test\r\n", "").replace("u1", "u2"))
    anna.delete("a")
    anna.delete("b")
    assert sent(sink) == []


@pytest.mark.parametrize(
    ("more", "heard"),
    [
        ("", False),
        ("RRULE:FREQ=WEEKLY\r\n", True),
        ("RRULE:FREQ=WEEKLY;COUNT=2\r\n", False),
        ("RRULE:FREQ=WEEKLY;COUNT=9\r\n", True),
        ("RRULE:FREQ=WEEKLY;UNTIL=20260520T000000Z\r\n", False),
    ],
)
def test_only_what_is_to_come_is_mailed(anna: User, sink: SmtpSink, more: str, heard: bool) -> None:
    anna.put("a", meeting(*GUESTS, at=NOW - timedelta(days=30), more=more))
    assert bool(sent(sink)) is heard


@pytest.mark.parametrize("serving", ["nextcloud", "cyrus"], indirect=True)
def test_the_past_enters_calendars_on_nextcloud_alone(
    serving: SchedulingServer, anna: User, bert: User
) -> None:
    anna.put("a", meeting(*GUESTS, at=NOW - timedelta(days=30)))
    assert bert.sees("UID:u1") is (serving.product == "nextcloud")


@pytest.mark.parametrize("serving", list(SILENCE), indirect=True)
def test_each_product_by_its_own_headers_and_no_others(
    serving: SchedulingServer, anna: User, bert: User, sink: SmtpSink, clock: Clock
) -> None:
    own = SILENCE[serving.product]
    others = {name: text for name, text in ALL.items() if name not in own}
    anna.put("a", meeting(*GUESTS), own)
    anna.put("a", meeting(*GUESTS, more="LOCATION:Saal\r\n"), own)
    anna.delete("a", own)
    clock.now += timedelta(hours=1)
    serving.settle()
    assert sent(sink) == []
    assert not bert.sees("UID:u1")
    assert serving.scheduling.let_out == 0
    anna.put("b", meeting(*GUESTS), others)
    clock.now += timedelta(hours=1)
    serving.settle()
    assert sent(sink) == EACH


@pytest.mark.parametrize(
    ("serving", "header", "put", "delete"),
    [
        ("nextcloud", "x-nc-scheduling", True, False),
        ("nextcloud", "Schedule-Reply", True, True),
        ("open-xchange", "Scheduling", False, False),
        ("open-xchange", "Schedule-Reply", False, False),
    ],
    indirect=["serving"],
)
def test_one_header_alone(
    serving: SchedulingServer,
    anna: User,
    sink: SmtpSink,
    clock: Clock,
    header: str,
    put: bool,
    delete: bool,
) -> None:
    one = {header: ALL[header]}
    for method, silent in (("PUT", put), ("DELETE", delete)):
        if method == "PUT":
            anna.put("a", meeting(*GUESTS), one)
        else:
            anna.delete("a", one)
        clock.now += timedelta(hours=1)
        serving.settle()
        assert (sent(sink) == []) is silent, method


@pytest.mark.parametrize(
    ("serving", "agent", "silent"),
    [
        ("nextcloud", "CLIENT", True),
        ("nextcloud", "NONE", False),
        ("cyrus", "NONE", True),
        ("cyrus", "CLIENT", True),
        ("deaf", "CLIENT", False),
    ],
    indirect=["serving"],
)
def test_schedule_agent(anna: User, sink: SmtpSink, agent: str, silent: bool) -> None:
    anna.put("a", meeting(*GUESTS, parameters=f";SCHEDULE-AGENT={agent}"))
    assert (sent(sink) == []) is silent


def test_the_deaf_hear_no_header(anna: User, sink: SmtpSink) -> None:
    anna.put("a", meeting(*GUESTS), ALL)
    anna.delete("a", ALL)
    assert len(sent(sink)) == 2 * len(GUESTS)


@pytest.mark.parametrize("serving", ["mute"], indirect=True)
def test_the_mute_say_nothing(anna: User, bert: User, sink: SmtpSink) -> None:
    anna.put("a", meeting(*GUESTS))
    anna.delete("a")
    assert sent(sink) == []
    assert not bert.sees("UID:u1")


@pytest.mark.parametrize("serving", ["open-xchange"], indirect=True)
def test_open_xchange_gathers_before_it_mails(
    serving: SchedulingServer, anna: User, bert: User, sink: SmtpSink, clock: Clock
) -> None:
    anna.put("a", meeting(*GUESTS))
    assert sent(sink) == []
    assert bert.sees("UID:u1")
    clock.now += timedelta(minutes=4)
    serving.settle()
    assert sent(sink) == []
    clock.now += timedelta(minutes=2)
    serving.settle()
    assert sent(sink) == EACH


def test_a_shared_event_is_in_every_calendar_and_mailed_to_none(
    radicale: RadicaleServer, anna: User, bert: User, sink: SmtpSink, clock: Clock
) -> None:
    with start_scheduling(radicale, "open-xchange", sink, clock=clock, shared=True) as server:
        url = f"{server.home('anna')}calendar/a.ics"
        body = meeting(*GUESTS).encode()
        assert anna.client.put(url, content=body, headers=SILENCE["open-xchange"]).status_code == 201
        assert bert.sees("UID:u1")
        assert server.scheduling.let_out == 0
        assert server.scheduling.office.waiting == 0


def test_what_failed_lets_nothing_out(anna: User, sink: SmtpSink) -> None:
    anna.put("a", meeting(*GUESTS))
    sent(sink)
    url = f"{anna.calendar}a.ics"
    body = meeting(*GUESTS, more="LOCATION:Saal\r\n").encode()
    assert anna.client.put(url, content=body, headers={"If-None-Match": "*"}).status_code == 412
    assert anna.client.delete(url, headers={"If-Match": '"other"'}).status_code == 412
    assert sent(sink) == []


def test_discovery_shows_the_address_and_an_inbox_that_is_no_calendar(anna: User) -> None:
    wanted = "<C:calendar-user-address-set/><C:schedule-inbox-URL/><D:resourcetype/>"
    spaces = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    body = f"<D:propfind {spaces}><D:prop>{wanted}</D:prop></D:propfind>"
    answer = anna.client.request(
        "PROPFIND", anna.server.home("anna"), content=body.encode(), headers={"Depth": "1"}
    )
    assert "mailto:anna@practice.test" in answer.text
    assert "/anna/schedule-inbox/" in answer.text
    assert "<C:schedule-inbox/><collection/>" in answer.text
    assert "calendar-auto-schedule" in anna.client.options(anna.server.url).headers["DAV"]
