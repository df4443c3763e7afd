"""A calendar of years moves to an Open-Xchange whose listings show one year around today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from calendars import HOME, a_calendar, an_address_book, edit_address_book, edit_calendar, folder
from memory.doubles import MemoryShelf
from memory.records import APPOINTMENT, event
from on_open_xchange import PASSWORD_ENV, OnOpenXchange
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink
from undoing import undone
from walking import TARGET, verified

from connectors.caldav.read import NAMES
from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase, State
from model.kinds import Kind
from practice.dav.proxy import Forward, Reply, Request, reply

BERT = "bert@new.example"


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running
        assert running.mails == []


@pytest.fixture
def server(sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenXchangeServer]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    people = {TARGET: "Anna Adler", BERT: "Bert Bach"}
    with OpenXchangeServer(people, sink=sink, rate=Rate(10**9)) as running:
        yield running


@pytest.fixture
def trial(quick_path: Path, server: OpenXchangeServer) -> OnOpenXchange:
    trial = OnOpenXchange(quick_path, a_calendar(6), MemoryShelf())
    trial.server = server
    return trial


def test_every_level_of_verification_agrees_and_a_second_pass_changes_nothing(trial: OnOpenXchange) -> None:
    verified(trial)
    before, sent = trial.contents(), len(trial.sent("PUT", "DELETE"))
    for level in (Level.COUNTS, Level.TARGET, Level.BOTH):
        assert trial.run(task=Task(level, copy=False)).state is LegState.VERIFIED, trial.findings()
    result = trial.run()
    assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)
    assert (trial.contents(), len(trial.sent("PUT", "DELETE"))) == (before, sent)
    assert trial.states()[State.REJECTED] == 1  # what no mapping takes


def test_large_attachments_arrive_stay_and_are_removed(quick_path: Path, server: OpenXchangeServer) -> None:
    """Every level agrees, nothing is sent twice, and a rollback takes the events with what hangs on them."""
    mailbox = a_calendar(2)
    home = folder(mailbox, *HOME).id
    files = {"groß.pdf": 700_000, "mittel.pdf": 300_000, "klein.pdf": 1_000}
    mailbox.deliver(home, event("files", "Mit Dateien", 5, files=files), APPOINTMENT)
    trial = OnOpenXchange(quick_path, mailbox, MemoryShelf())
    trial.server = server
    verified(trial)
    assert len(trial.sent("POST")) == 2
    for level in (Level.TARGET, Level.BOTH):
        assert trial.run(task=Task(level, copy=False)).state is LegState.VERIFIED, trial.findings()
    result = trial.run()
    assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)
    assert len(trial.sent("POST")) == 2
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    undone(trial)
    assert not trial.contents()


def test_an_attachment_that_is_refused_is_named_and_asked_for_no_more(
    quick_path: Path, server: OpenXchangeServer
) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        too_large = request.method == "POST" and len(request.body) > 500_000
        return reply(413) if too_large else rest(request)

    mailbox = a_calendar(2)
    files = {"groß.pdf": 700_000, "mittel.pdf": 300_000}
    mailbox.deliver(folder(mailbox, *HOME).id, event("files", "Mit Dateien", 5, files=files), APPOINTMENT)
    trial = OnOpenXchange(quick_path, mailbox, MemoryShelf())
    trial.server, server.layers = server, (refuses,)
    verified(trial)
    sent = len(trial.sent("PUT", "POST"))
    (leg,) = trial.ledger.legs()
    assert ("attachment", "refused-by-target") in {
        (loss.field, loss.reason) for _, _, loss in trial.ledger.losses(leg.id)
    }
    for level in (Level.TARGET, Level.BOTH):
        assert trial.run(task=Task(level, copy=False)).state is LegState.VERIFIED, trial.findings()
    assert trial.run().state is LegState.VERIFIED
    assert len(trial.sent("PUT", "POST")) == sent


def test_hundreds_of_events_that_no_listing_shows(quick_path: Path, server: OpenXchangeServer) -> None:
    """More than one request asks for."""
    trial = OnOpenXchange(quick_path, a_calendar(2 * NAMES // 3 + 300), MemoryShelf())
    trial.server = server
    verified(trial)
    result = trial.run()
    assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)


def test_changes_arrive_twice(trial: OnOpenXchange) -> None:
    """The server counts SEQUENCE up, and refuses a lower one."""
    verified(trial)
    edit_calendar(trial.mailbox)
    verified(trial)
    item = next(iter(folder(trial.mailbox, *HOME).messages))
    trial.mailbox.edit(item, event("uid-1", "Termin 1, noch einmal", 21))
    verified(trial)
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    owner = trial.server.context.users[TARGET]
    texts = [
        one.text(owner, "/")
        for calendar in trial.server.context.own("calendar", owner)
        for one in trial.server.suite.events.all(calendar)
    ]
    assert sum("SUMMARY:Termin 1\\, noch einmal" in text for text in texts) == 1


def test_what_its_owner_removed_in_staging_is_written_again(trial: OnOpenXchange) -> None:
    verified(trial)
    before = trial.contents()
    path = next(path for path in trial.sent("PUT"))
    httpx.delete(
        trial.server.url + path, auth=(TARGET, USER_PASSWORD), headers={"Scheduling": "none"}
    ).raise_for_status()
    assert trial.contents() != before
    verified(trial)
    assert trial.contents() == before


def test_a_rollback_takes_its_own_and_no_calendar(trial: OnOpenXchange) -> None:
    """An old event of the owner's is in a calendar that looks empty."""
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    calendars = {path.rpartition("/")[0] for path in trial.sent("PUT")}
    for calendar in calendars:
        own = event_of_2019(calendar)
        headers = {"Content-Type": "text/calendar", "Scheduling": "none"}
        url = f"{trial.server.url}{calendar}/own.ics"
        httpx.put(url, content=own, auth=(TARGET, USER_PASSWORD), headers=headers).raise_for_status()
    undoing = undone(trial)
    assert undoing.counts["ours"] > 5
    removed = trial.sent("DELETE")
    assert len(removed) == len(set(removed)), "the server takes the ETag that its listing gives"
    assert sum(trial.contents().values()) == len(calendars)
    assert not [path for path in trial.sent("DELETE") if not path.endswith(".ics")]


def event_of_2019(calendar: str) -> bytes:
    lines = (f"UID:own{hash(calendar)}", "DTSTAMP:20190610T100000Z", "DTSTART:20190610T100000Z",
             "DTEND:20190610T110000Z", "SUMMARY:Von früher")  # fmt: skip
    whole = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//T//EN", "BEGIN:VEVENT", *lines, "END:VEVENT")
    return "\r\n".join([*whole, "END:VCALENDAR", ""]).encode()


def test_the_rate_limit_is_waited_out_and_counts_against_no_item(
    quick_path: Path, server: OpenXchangeServer
) -> None:
    """429 with Retry-After 300, longer than a request waits: the leg goes on when it is over."""
    trial = OnOpenXchange(quick_path, a_calendar(30), MemoryShelf())
    trial.server, server.rate = server, Rate(60)

    class Slept(list[float]):
        def append(self, seconds: float) -> None:
            server.clock.set(server.clock.now() + timedelta(seconds=seconds))
            super().append(seconds)

    trial.slept = Slept()
    verified(trial)
    assert sum(trial.slept) >= 300
    assert trial.states()[State.REJECTED] == 1


def test_contacts_go_into_the_default_address_book(quick_path: Path, server: OpenXchangeServer) -> None:
    """And nobody's are taken for the person's own."""
    trial = OnOpenXchange(quick_path, an_address_book(6), MemoryShelf(kind=Kind.CONTACTS))
    trial.server = server
    verified(trial)
    made = trial.sent("MKCOL")
    edit_address_book(trial.mailbox)
    verified(trial)
    assert trial.sent("MKCOL") == made
    assert len(made) == 1  # the default one was there
    assert "/carddav/32/" in {path.rpartition("/")[0] + "/" for path in trial.sent("PUT")}


HOME_AT_SUITE = "/caldav/Y2FsOi8vMC8zMQ"


def put(server: OpenXchangeServer, path: str, body: bytes, user: str) -> None:
    """By the account's owner, who invites nobody."""
    headers = {"Content-Type": "text/calendar", "Scheduling": "none"}
    answer = httpx.put(server.url + path, content=body, auth=(user, USER_PASSWORD), headers=headers)
    answer.raise_for_status()


@pytest.mark.parametrize("api", [False, True])
def test_only_the_api_tells_that_an_account_of_years_is_not_empty(trial: OnOpenXchange, api: bool) -> None:
    """What the account holds is of 2019, and no listing of DAV shows it."""
    trial.api = api
    put(trial.server, f"{HOME_AT_SUITE}/theirs.ics", event_of_2019("x"), TARGET)
    result = trial.run()
    wanted = (LegState.BLOCKED, "target-not-empty") if api else (LegState.VERIFIED, None)
    assert (result.state, result.code) == wanted
    assert bool(trial.sent("PUT")[1:]) is not api


def test_the_api_of_another_person_says_nothing_of_an_account(trial: OnOpenXchange) -> None:
    """A copy of the server knows the same login as another person, whose calendar is empty."""
    put(trial.server, f"{HOME_AT_SUITE}/theirs.ics", event_of_2019("x"), TARGET)
    with OpenXchangeServer({BERT: "Bert Bach", TARGET: "Somebody Else"}, rate=Rate(10**9)) as copy:
        trial.api, trial.api_server = True, copy
        result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "api-of-another")
    assert sum(trial.contents().values()) == 1


def a_meeting(*people: str) -> bytes:
    """Of today, so that every listing shows it."""
    now = datetime.now(UTC)
    lines = (f"UID:met-{len(people)}", "DTSTAMP:20190610T100000Z", f"DTSTART:{now:%Y%m%dT%H}0000Z",
             "DURATION:PT1H", "SUMMARY:Lage", *people)  # fmt: skip
    whole = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//T//EN", "BEGIN:VEVENT", *lines, "END:VEVENT")
    return "\r\n".join([*whole, "END:VCALENDAR", ""]).encode()


def of_user(server: OpenXchangeServer, user: str) -> str:
    """The path of the user's calendar."""
    calendar, *_ = server.context.own("calendar", server.context.users[user])
    return f"/caldav/{calendar.segment}"


BY_BERT = (f"ORGANIZER:mailto:{BERT}", f"ATTENDEE:mailto:{BERT}", f"ATTENDEE:mailto:{TARGET}")
TWELVE = 12  # more than are read to recognise what an account was made with


@pytest.mark.parametrize("api", [False, True])
def test_colleagues_meetings_do_not_count_against_an_account(trial: OnOpenXchange, api: bool) -> None:
    trial.api = api
    for number in range(TWELVE):
        meeting = a_meeting(*BY_BERT).replace(b"UID:", b"UID:%d-" % number)
        put(trial.server, f"{of_user(trial.server, BERT)}/m{number}.ics", meeting, BERT)
    assert trial.contents().total() == TWELVE
    verified(trial)


@pytest.mark.parametrize("api", [False, True])
@pytest.mark.parametrize("people", [(), (f"ORGANIZER:mailto:{TARGET}", *BY_BERT[1:])])
def test_what_its_owner_called_counts(trial: OnOpenXchange, people: tuple[str, ...], api: bool) -> None:
    trial.api = api
    put(trial.server, f"{of_user(trial.server, BERT)}/m.ics", a_meeting(*BY_BERT), BERT)
    put(trial.server, f"{HOME_AT_SUITE}/own.ics", a_meeting(*people, "LOCATION:Kiel"), TARGET)
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "target-not-empty")


def hang_a_file(server: OpenXchangeServer, user: str) -> None:
    """Give every event of a user a large attachment."""
    for calendar in server.context.own("calendar", server.context.users[user]):
        for one in server.suite.events.all(calendar):
            row, tick = one.rows[0], server.context.clock.tick()
            film = server.suite.attachments.store("film.mp4", "video/mp4", b"x" * 2_000_000, tick)
            row.part = row.part.plus(film.line())
            server.suite.events.changed(row)


@pytest.mark.parametrize("status", [403, 500, 503])
def test_what_is_attached_to_a_colleagues_meeting_holds_up_nobody(
    trial: OnOpenXchange, server: OpenXchangeServer, status: int
) -> None:
    """The server does not give it."""
    put(server, f"{of_user(server, BERT)}/m1.ics", a_meeting(*BY_BERT), BERT)
    hang_a_file(server, BERT)
    server.layers = (lambda one, rest: reply(status) if one.path.startswith("/attachments") else rest(one),)
    verified(trial)


def test_the_gate_fetches_nothing_that_is_attached(trial: OnOpenXchange, server: OpenXchangeServer) -> None:
    put(server, f"{of_user(server, BERT)}/m1.ics", a_meeting(*BY_BERT), BERT)
    hang_a_file(server, BERT)
    before: list[bool] = []

    def watch(request: Request, rest: Forward) -> Reply:
        if request.path.startswith("/attachments"):
            before.append(not trial.sent("PUT"))
        return rest(request)

    server.layers = (watch,)
    verified(trial)
    assert not any(before)


@pytest.mark.soak
def test_a_calendar_of_1500_events(quick_path: Path, server: OpenXchangeServer) -> None:
    """There and verified on both sides, with nothing to do in a second pass, and taken back whole."""
    trial = OnOpenXchange(quick_path, a_calendar(1500), MemoryShelf())
    trial.server = server
    verified(trial)
    result = trial.run()
    assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    undone(trial)
    assert not trial.contents()
