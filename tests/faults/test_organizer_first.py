"""Meetings on a server that has one event for all who are invited: the organizer's copy comes first, in
whatever order, wave or run the people move. Nothing is there twice, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from threading import Event

import httpx
import pytest
from cutting import Rig
from memory.doubles import MemoryMailbox, MemoryShelf
from memory.records import APPOINTMENT, event
from on_open_xchange import ONE, PASSWORD_ENV, Colleague
from servers.open_xchange import people
from servers.open_xchange.content_lines import Line
from servers.open_xchange.server import OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink
from undoing import Undoing, undone
from walking import Trial, verified

from engine.config.hooks import HooksSettings
from engine.context.leg_context import LegContext
from engine.cutover.steps import readiness
from engine.identity.identity_gate import GateRules
from engine.leg.run import Task
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory
from engine.steps.copying import organizer_first
from engine.steps.copying.copy import PreparedBatch
from engine.verify.compare import Level
from ledger.db.rows import ContainerRow, ItemRow, LegState, Phase, State
from ledger.leg.rollback import rested_on
from ledger.plan.mailboxes import PlannedMailbox
from model.kinds import Kind
from model.protocols import Role
from practice.dav.proxy import Forward, Reply, Request, reply

ANNA, BERT, CHRISTA = "anna@old.example", "bert@old.example", "christa@old.example"
WAITS = ("SKIPPED", "organizer-first")
DONE = ("VERIFIED", None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenXchangeServer]:
    users = {ANNA: "Anna Adler", BERT: "Bert Bach", CHRISTA: "Christa Clausen"}
    with SmtpSink() as sink, OpenXchangeServer(users, sink=sink, rate=Rate(10**9)) as running:
        running.clock.set(datetime(2026, 3, 1, tzinfo=UTC))
        monkeypatch.setenv(PASSWORD_ENV, running.user_password)
        yield running
        assert not sink.mails


Join = Callable[..., Colleague]


@pytest.fixture
def join(server: OpenXchangeServer, quick_path: Path) -> Join:
    """Lets a person join the plan of those who came before."""
    people: list[Colleague] = []

    def joined(address: str, *records: bytes, wave: str = "w") -> Colleague:
        ledger = people[0].ledger if people else None
        people.append(Colleague.of(server, quick_path, address, records, ledger, wave))
        return people[-1]

    return joined


def called(uid: str, *guests: str, by: str, title: str = "Sitzung", day: int = 1, answer: str = "") -> bytes:
    """The organizer's copy. answer: of every guest."""
    made = _by(event(uid, title, day, guests), by, "Organizer")
    answers = f"</t:EmailAddress></t:Mailbox><t:ResponseType>{answer}</t:ResponseType></t:Attendee>"
    return made.replace(b"</t:EmailAddress></t:Mailbox></t:Attendee>", answers.encode()) if answer else made


def invited(uid: str, *guests: str, by: str, title: str = "Sitzung", day: int = 1) -> bytes:
    """A guest's copy."""
    return _by(event(uid, title, day, guests), by, "NoResponseReceived")


def _by(raw: bytes, organizer: str, answer: str) -> bytes:
    said = f"<t:MyResponseType>{answer}</t:MyResponseType></t:CalendarItem>".encode()
    return raw.replace(b"chair@old.example", organizer.encode()).replace(b"</t:CalendarItem>", said)


def settle(*people: Colleague, runs: int = 3) -> None:
    """Runs them one after the other, so many times; then all is verified, and another run changes nothing."""
    for _ in range(runs):
        for person in people:
            person.run()
    sent = len(people[0].sent("PUT", "DELETE"))
    for person in people:
        result = person.run()
        assert (result.state, result.code) == (LegState.VERIFIED, None), person.findings()
        assert (result.tally.new, result.tally.replaced) == (0, 0)
        assert set(person.fates()) == {DONE}
        for level in (Level.TARGET, Level.BOTH):
            assert person.run(task=Task(level, copy=False)).state is LegState.VERIFIED, person.findings()
    assert people[0].sent("PUT", "DELETE")[sent:] == []


def once(uid: str, *people: Colleague) -> bool:
    """Each of them has the meeting, and once."""
    return all([text.count("BEGIN:VEVENT") for text in person.texts(uid)] == [1] for person in people)


@pytest.mark.parametrize("wave", ["w", "later"], ids=["one-wave", "two-waves"])
def test_a_guest_who_comes_first_waits_for_the_organizer(join: Join, wave: str) -> None:
    anna = join(ANNA, invited("m", ANNA, BERT, by=CHRISTA))
    bert = join(BERT, invited("m", ANNA, BERT, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, BERT, by=CHRISTA), wave=wave)
    for person in (anna, bert):
        result = person.run()
        assert (result.state, result.code) == (LegState.VERIFIED, "organizer-first")
        assert person.fates() == {WAITS: 1}
        assert person.texts("m") == []
    settle(christa, anna, bert)
    assert once("m", anna, bert, christa)


@pytest.mark.parametrize("wave", ["w", "later"], ids=["one-wave", "two-waves"])
def test_two_who_invite_each_other(join: Join, wave: str) -> None:
    anna = join(ANNA, called("a", BERT, by=ANNA), invited("b", ANNA, by=BERT, day=2))
    bert = join(BERT, invited("a", BERT, by=ANNA), called("b", ANNA, by=BERT, day=2), wave=wave)
    anna.run()
    assert anna.fates() == {DONE: 1, WAITS: 1}
    bert.run()
    assert bert.fates() == {DONE: 2}
    settle(anna, bert, runs=1)
    assert once("a", anna, bert)
    assert once("b", anna, bert)


def test_a_meeting_of_years_ago_arrives_by_the_organizer_s_name(
    join: Join, server: OpenXchangeServer
) -> None:
    """No listing shows it."""
    server.clock.set(datetime(2029, 3, 1, tzinfo=UTC))
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    anna.run()
    settle(christa, anna, runs=1)
    assert once("m", anna, christa)
    assert rested_on(anna.ledger, ()) != frozenset()


def test_a_meeting_that_the_organizer_has_no_more(join: Join) -> None:
    """A pass of theirs that began since would have listed it."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, event("other", "Etwas anderes", 3))
    christa.run()
    anna.run()
    assert anna.fates() == {WAITS: 1}
    anna.run()
    assert anna.fates() == {WAITS: 1}
    settle(christa, anna, runs=1)
    assert once("m", anna)
    assert anna.lost() == ["organizer/stays-behind"]


def refusing(request: Request, rest: Forward) -> Reply:
    """Takes no object."""
    return reply(400) if request.method == "PUT" else rest(request)


def test_an_organizer_s_item_that_the_server_refuses(join: Join, server: OpenXchangeServer) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    anna.run()
    server.layers = (refusing,)
    christa.run()
    server.layers = ()
    assert christa.fates() == {("REJECTED", "refused-by-target"): 1}
    settle(anna, runs=1)
    assert once("m", anna)
    assert anna.lost() == ["organizer/stays-behind"]


def test_an_organizer_who_leaves_the_plan(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, event("other", "Etwas anderes", 3), wave="later")
    christa.run()
    anna.run()
    assert anna.fates() == {WAITS: 1}
    anna.ledger.add_mailboxes([anna.planned()], whole=True)
    settle(anna, runs=1)
    assert once("m", anna)
    assert anna.lost() == ["organizer/stays-behind"]


def test_an_organizer_who_leaves_the_plan_afterwards(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), wave="later")
    for person in (christa, anna):
        person.run()
    anna.ledger.add_mailboxes([anna.planned()], whole=True)
    settle(anna, runs=1)
    assert once("m", anna)
    assert anna.lost() == []


def test_an_organizer_outside_is_not_waited_for(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, by="somebody@elsewhere.example"))
    settle(anna, runs=1)
    assert once("m", anna)
    assert anna.lost() == []


def test_an_organizer_by_another_address(join: Join) -> None:
    """Which the directory gives to the same person."""
    anna = join(ANNA, invited("m", ANNA, by="clausen@old.example"))
    two = frozenset({2})
    known = Directory({ANNA: ONE, CHRISTA: two, "clausen@old.example": two}, {ANNA: ONE, CHRISTA: two})
    anna.rules = replace(anna.rules, directory=known)
    christa = join(CHRISTA, event("other", "Etwas anderes", 3))
    christa.run()
    anna.run()
    assert anna.fates() == {WAITS: 1}


@pytest.fixture
def alias(monkeypatch: pytest.MonkeyPatch) -> str:
    """A further address of Christa, which the server knows and the plan does not."""
    name, known = "alias@old.example", people.address

    def address(line: Line | None) -> str:
        return CHRISTA if known(line) == name else known(line)

    monkeypatch.setattr(people, "address", address)
    return name


def has_alias(person: Colleague, alias: str) -> Colleague:
    """Their source knows a further address of theirs."""
    person.mailbox.addresses |= {alias}
    return person


def test_an_organizer_by_an_address_that_the_plan_does_not_know(join: Join, alias: str) -> None:
    """The organizer's own copy is known by its UID and by that address. Both are one event at the server."""
    anna = join(ANNA, invited("m", ANNA, by=alias))
    christa = has_alias(join(CHRISTA, called("m", ANNA, by=alias)), alias)
    anna.run()
    assert anna.fates() == {DONE: 1}
    for person in (christa, anna, christa, anna):
        person.run()
        assert doubled(anna) == []
    assert {*anna.fates(), *christa.fates()} == {DONE}
    assert christa.texts("m") != []


def test_an_organizer_and_a_guest_who_run_at_once(
    join: Join, monkeypatch: pytest.MonkeyPatch, alias: str
) -> None:
    """The guest's copy was found to go, and is not written yet, when the organizer's is asked about; the
    organizer's would be written after it."""
    anna = join(ANNA, invited("m", ANNA, by=alias))
    christa = has_alias(join(CHRISTA, called("m", ANNA, by=alias)), alias)
    hold_back = organizer_first.hold_back
    guest_asked, organizer_asked, guest_wrote = Event(), Event(), Event()

    def in_order(
        leg: LegContext, row: ContainerRow, rows: Iterable[ItemRow], prepared: PreparedBatch
    ) -> None:
        if leg.mailbox.id == christa.id:
            assert guest_asked.wait(60)
        hold_back(leg, row, rows, prepared)
        mine, awaited = (
            (guest_asked, organizer_asked) if leg.mailbox.id == anna.id else (organizer_asked, guest_wrote)
        )
        mine.set()
        assert awaited.wait(60)

    monkeypatch.setattr(organizer_first, "hold_back", in_order)
    with ThreadPoolExecutor(1) as pool:
        organizer = pool.submit(christa.run)
        anna.run()
        guest_wrote.set()
        organizer.result()
    monkeypatch.setattr(organizer_first, "hold_back", hold_back)
    assert doubled(anna) == []
    assert christa.fates() == {("SKIPPED", "guests-first"): 1}
    for person in (anna, christa, anna, christa):
        person.run()
        assert doubled(anna) == []
    assert {*anna.fates(), *christa.fates()} == {DONE}


def test_an_organizer_whom_no_wave_may_touch(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    join(CHRISTA, called("m", ANNA, by=CHRISTA))
    anna.rules = replace(anna.rules, deny=DenyList(frozenset({CHRISTA})))
    settle(anna, runs=1)
    assert once("m", anna)


def test_a_guest_who_goes_live_before_the_organizer(join: Join) -> None:
    """The server shows the meeting once the organizer's is there; the next pass takes it over."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), wave="later")
    anna.run()
    anna.approve("organizer-first")
    result = anna.run()
    assert (result.state, result.code, anna.fates()) == (LegState.VERIFIED, None, {WAITS: 1})
    anna.ledger.set_phase(anna.id, Phase.LIVE, "somebody")
    anna.run()
    assert anna.fates() == {WAITS: 1}
    christa.run()
    assert once("m", anna, christa)
    settle(anna, runs=1)
    assert once("m", anna, christa)


def test_rollbacks_of_both(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA), event("own", "Eigenes", 4))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    for person in (anna, christa, anna):
        person.run()
    first = Undoing(christa, rested=rested_on(anna.ledger, ()))
    first.approve()
    first.run()
    assert first.counts == {"shared": 1}
    assert once("m", anna, christa)
    assert undone(anna).counts["found"] == 1
    assert undone(christa).counts["ours"] == 1
    assert anna.texts("m") == christa.texts("m") == []
    anna.ledger.requeue()
    settle(anna, christa)
    assert once("m", anna, christa)


def test_a_guest_waits_for_an_organizer_who_was_rolled_back(join: Join) -> None:
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa.run()
    undone(christa)
    anna.run()
    assert anna.fates() == {WAITS: 1}


def test_where_everybody_has_an_own_event_nobody_waits(quick_path: Path) -> None:
    home = MemoryMailbox(addresses=frozenset({ANNA}))
    home.deliver(
        home.create_folder(("Kalender",), Role.CALENDAR), invited("m", ANNA, by=CHRISTA), APPOINTMENT
    )
    anna = Trial(quick_path, home, MemoryShelf(), rules=GateRules(), source=ANNA, target=ANNA)
    kinds = frozenset({Kind.CALENDAR})
    anna.ledger.add_mailboxes([PlannedMailbox(CHRISTA, CHRISTA, "w", Phase.STAGING, kinds)])
    anna.approve("asserted")
    verified(anna)
    assert anna.states() == {State.VERIFIED: 1}


def test_what_an_earlier_version_doubled_is_named_and_left(join: Join, server: OpenXchangeServer) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    settle(anna, runs=1)
    with anna.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM meeting")
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    christa.run()
    assert anna.texts("m") != christa.texts("m")
    sent = len(anna.sent("PUT", "DELETE"))
    for _ in range(3):
        result = anna.run(task=Task(copy=False))
        assert (result.state, result.code) == (LegState.DIFFERS, "meeting-twice")
        assert anna.run().code == "meeting-twice"
    assert undone(anna).counts["changed"] == 1
    assert anna.sent("PUT", "DELETE")[sent:] == []
    assert server.suite.events.count(server.context.default("calendar", server.context.users[ANNA])) == 1


def test_an_organizer_who_comes_into_the_plan_later(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, BERT, by=CHRISTA))
    bert = join(BERT, invited("m", ANNA, BERT, by=CHRISTA), wave="later")
    settle(anna, bert, runs=1)
    christa = join(CHRISTA, called("m", ANNA, BERT, by=CHRISTA))
    assert christa.run().code == "organizer-first"
    assert christa.fates() == {("SKIPPED", "guests-first"): 1}
    anna.run()
    assert anna.fates() == {WAITS: 1}
    christa.run()
    assert christa.fates() == {("SKIPPED", "guests-first"): 1}
    assert once("m", bert)
    bert.run()
    christa.run()
    settle(anna, bert, christa, runs=1)
    assert once("m", anna, bert, christa)


def test_an_organizer_s_item_that_the_server_takes_at_last(join: Join, server: OpenXchangeServer) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    server.layers = (refusing,)
    christa.run()
    server.layers = ()
    anna.run()
    assert anna.fates() == {DONE: 1}
    anna.ledger.requeue(mailbox=christa.id, states=set(LegState), rejected=True)
    for person in (christa, anna, christa, anna):
        person.run()
    settle(anna, christa, runs=1)
    assert once("m", anna, christa)


def test_a_cutover_stops_before_it_freezes_a_guest(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), wave="later")
    anna.run()
    assert readiness(anna.ledger, anna.id) == "organizer-first"
    anna.ledger.approve("wave:w", "organizer-first", "somebody", "they move next week")
    assert readiness(anna.ledger, anna.id) is None
    christa.run()
    assert readiness(christa.ledger, christa.id) is None


def test_a_cutover_stops_when_a_copy_waits_since(join: Join) -> None:
    anna = join(ANNA, event("own", "Eigenes", 4))
    join(CHRISTA, called("m", ANNA, by=CHRISTA), wave="later")
    anna.run()
    rig = Rig(anna, HooksSettings())
    (home,) = anna.mailbox.folders
    anna.mailbox.deliver(home, invited("m", ANNA, by=CHRISTA), APPOINTMENT)
    assert rig.cut().code == "organizer-first"
    assert (rig.phase, rig.states()["delta"]) == (Phase.FROZEN, ("failed", "organizer-first"))
    anna.approve("organizer-first")
    assert rig.cut().code is None
    assert (rig.phase, anna.fates()) == (Phase.LIVE, {DONE: 1, WAITS: 1})


def test_a_cutover_of_an_organizer_takes_an_answer_over_that_a_live_guest_gave(join: Join) -> None:
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), wave="later")
    for person in (christa, anna):
        person.run()
    anna.ledger.set_phase(anna.id, Phase.LIVE, "somebody")
    christa.run(task=Task(Level.BOTH, copy=False))
    answer(anna, "DECLINED")
    rig = Rig(christa, HooksSettings())
    assert (rig.cut().code, rig.phase) == (None, Phase.LIVE)
    assert christa.lost() == ["attendee/answer-stays"]
    assert "PARTSTAT=DECLINED" in anna.texts("m")[0].replace("\r\n ", "")


def test_a_colleague_s_meeting_is_nothing_strange_in_a_guest_s_calendar(
    join: Join, server: OpenXchangeServer
) -> None:
    """The guest deleted their own copy at the source. What nobody of the plan called is strange."""
    anna = join(ANNA, event("own", "Eigenes", 4))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    anna.run()
    christa.run()
    assert once("m", anna, christa)
    settle(anna, christa, runs=1)
    headers = {"Content-Type": "text/calendar", "Scheduling": "none"}
    (path, *_) = anna.sent("PUT")
    strange = f"{server.url}{path.rpartition('/')[0]}/k-{'0' * 32}.ics"
    text = anna.texts("own")[0].replace("UID:own", "UID:strange")
    httpx.put(strange, content=text, auth=(ANNA, server.user_password), headers=headers).raise_for_status()
    assert anna.run(task=Task(copy=False)).state is LegState.DIFFERS
    assert anna.findings() == [("-", "unknown")]


def test_what_was_doubled_in_another_calendar(join: Join, server: OpenXchangeServer) -> None:
    """The organizer's event is in the default one. Without the guest's copy all is well."""
    anna = join(ANNA, event("own", "Eigenes", 4))
    anna.mailbox.deliver(anna.mailbox.create_folder(("Arbeit",)), invited("m", ANNA, by=CHRISTA), APPOINTMENT)
    settle(anna, runs=1)
    with anna.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM meeting")
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA))
    christa.run()
    assert [text.count("BEGIN:VEVENT") for text in anna.texts("m")] == [1, 1]
    server.clock.set(datetime(2029, 3, 1, tzinfo=UTC))
    result = anna.run(task=Task(copy=False))
    assert (result.state, result.code) == (LegState.DIFFERS, "meeting-twice")
    undone(anna)
    assert once("m", anna, christa)


@pytest.mark.parametrize("phase", [Phase.FROZEN, Phase.LIVE])
@pytest.mark.parametrize("answered", [False, True], ids=["as-copied", "answered-since"])
def test_a_meeting_that_its_organizer_deletes_stays_for_a_guest_who_has_moved(
    join: Join, phase: Phase, answered: bool
) -> None:
    """One event is everybody's: its removal would take it out of the guest's calendar."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA), event("own", "Eigenes", 4))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), event("x", "Anderes", 5), wave="later")
    for person in (christa, anna):
        person.run()
    if answered:
        answer(anna, "DECLINED")
        christa.run()
    anna.ledger.set_phase(anna.id, phase, "somebody")
    christa.mailbox.delete(christa.items[0])
    deleted = len(anna.sent("DELETE"))
    for _ in range(2):
        result = christa.run()
        assert (result.state, result.code, christa.findings()) == (LegState.VERIFIED, None, [])
    assert christa.fates() == {DONE: 1, ("GONE", "stays-for-guests"): 1}
    result = anna.run(task=Task(Level.TARGET, copy=False))
    assert (result.state, anna.findings()) == (LegState.VERIFIED, [])
    assert once("m", anna, christa)
    assert anna.sent("DELETE")[deleted:] == []


def test_a_meeting_that_its_organizer_deletes_stays_for_a_guest_whose_copy_waited(join: Join) -> None:
    """The guest went live without it, and saw it since, though no pass of theirs has run."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), event("x", "Anderes", 5), wave="later")
    anna.run()
    anna.ledger.set_phase(anna.id, Phase.LIVE, "somebody")
    christa.run()
    christa.mailbox.delete(christa.items[0])
    christa.run()
    assert christa.fates() == {DONE: 1, ("GONE", "stays-for-guests"): 1}
    assert once("m", anna, christa)


def test_a_meeting_that_its_organizer_deletes_goes_while_its_guest_is_in_staging(join: Join) -> None:
    """The guest, who still has it at the source, is given a copy of their own."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), event("x", "Anderes", 5), wave="later")
    for person in (christa, anna):
        person.run()
    christa.mailbox.delete(christa.items[0])
    for person in (christa, anna, anna):
        person.run()
    assert christa.fates() == {DONE: 1, ("GONE", None): 1}
    assert christa.texts("m") == []
    settle(anna)
    assert once("m", anna)


def answer(person: Colleague, word: str, uid: str = "m") -> None:
    """The person answers in the new calendar."""
    server = person.server
    (text,) = (text.replace("\r\n ", "") for text in person.texts(uid))
    text = re.sub(rf"PARTSTAT=[A-Z-]+([^\n]*{person.user})", rf"PARTSTAT={word}\1", text)
    folder = server.context.default("calendar", server.context.users[person.user]).segment
    headers = {"Content-Type": "text/calendar", "Scheduling": "none"}
    address = f"{server.url}/caldav/{folder}/{uid}.ics"
    auth = (person.user, server.user_password)
    httpx.put(address, content=text, auth=auth, headers=headers).raise_for_status()


@pytest.mark.parametrize("seed", range(3))
def test_whoever_comes_when_nobody_ever_has_a_meeting_twice(
    join: Join, server: OpenXchangeServer, seed: int
) -> None:
    """Three people with many meetings; who joins the plan when, and who runs when, is drawn."""
    draw = Random(seed)
    addresses = [ANNA, BERT, CHRISTA]
    meetings = [(f"m-{n}", draw.choice(addresses), draw.sample(addresses, 2), 1 + n) for n in range(8)]
    people: list[Colleague] = []
    for address in draw.sample(addresses, 3):
        own = [
            called(uid, *guests, by=by, day=day) if by == address else invited(uid, *guests, by=by, day=day)
            for uid, by, guests, day in meetings
            if address in (by, *guests)
        ]
        people.append(join(address, *own, wave=f"w{len(people)}"))
        for _ in range(draw.randint(1, 3)):
            draw.choice(people).run()
            assert all(doubled(person) == [] for person in people)
    settle(*people)
    for uid, by, guests, _ in meetings:
        assert once(uid, *(person for person in people if person.user in (by, *guests)))


def doubled(person: Colleague) -> list[str]:
    """The UIDs that a person has twice."""
    calendar = person.server.context.default("calendar", person.server.context.users[person.user])
    return [one.uid for one in person.server.suite.events.all(calendar) if len(one.masters) > 1]


def test_what_an_organizer_changes_while_a_guest_s_copy_is_in_the_way(join: Join) -> None:
    """The organizer's own item is there already: it is no copy that stands by itself."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    settle(anna, runs=1)
    christa = join(CHRISTA, called("m", BERT, by=CHRISTA))
    christa.rules = replace(christa.rules, directory=Directory({CHRISTA: ONE}, {CHRISTA: ONE}))
    with christa.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE mailbox SET phase = 'live' WHERE source = ?", (ANNA,))
    christa.run()
    with christa.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE mailbox SET phase = 'staging' WHERE source = ?", (ANNA,))
    christa.mailbox.edit(christa.items[0], called("m", BERT, by=CHRISTA, title="Verlegt"))
    christa.run()
    assert christa.fates() == {DONE: 1}
    assert christa.lost() == []
    assert "SUMMARY:Verlegt" in christa.texts("m")[0]
