"""What a leg is told of a meeting in the leg of whoever called it, across mailboxes, waves and lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from ledger_world import begin, dump, item, mapped, page, planned, ref

from ledger.db.rows import ORGANIZER_FIRST, LegState, Phase, State
from ledger.leg.leg_session import LegLedger
from ledger.leg.meetings import GUESTS_FIRST, NOBODY, OWNER, Answer, MeetingLedger, Noted, Organized
from ledger.leg.rekeying import Rekeyed
from ledger.plan.callers import name_listed
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container, Stored, key_of

HOME = Container(Kind.CALENDAR, "home", ("Kalender",))
MINE, THEIRS = key_of("mine"), key_of("theirs")
PLACE = f"k-{THEIRS.hex()}.ics"
CHAIR, GUEST = "chair@old.example", "guest@old.example"
ALIAS = "alias@old.example"
"""An address of the chair's that the source knows and the plan does not."""
LONG_AGO = 0.0


class Desk:
    """A mailbox's calendar leg, at work or not."""

    def __init__(self, ledger: Ledger, source: str, wave: str = "w1") -> None:
        self.ledger = ledger
        kinds = frozenset({Kind.CALENDAR})
        (self.id,) = map(str, ledger.add_mailboxes([planned(source, wave, workloads=kinds)]))
        (leg,) = ledger.legs(mailbox=self.id)
        self.leg = leg.id

    def at_work(self, *names: str) -> LegLedger:
        lease = self.ledger.claim(self.leg, "worker-1", 60)
        assert lease is not None
        self.lease = lease
        self.session = self.ledger.session(lease, mirror=True)
        self.home = self.session.record_container(HOME).id
        if names:
            self.session.record_page(self.home, page(*(ref(name) for name in names)))
            begin(self.session, self.home, map(key_of, names), ":0")
        return self.session

    def ends(self, state: LegState = LegState.VERIFIED, code: str | None = None) -> None:
        self.session.close()
        assert self.ledger.release(self.lease, state, code)

    def through(self) -> None:
        self.at_work().meetings.settled()
        self.ends()


@pytest.fixture
def chair(ledger: Ledger) -> Desk:
    return Desk(ledger, CHAIR, "w2")


@pytest.fixture
def guest(ledger: Ledger) -> Desk:
    return Desk(ledger, GUEST)


def asks(guest: Desk, address: str = CHAIR, created: float | None = None) -> Organized:
    """What the guest's leg is told while it copies its own item."""
    session = guest.at_work("mine")
    callers = session.meetings.callers({address})
    noted = Noted(MINE, "uid", callers.get(address, NOBODY), None, created, address)
    told = session.meetings.note(guest.home, [noted])
    session.intend(guest.home, [])
    skip(guest, told[MINE])
    return told[MINE]


def skip(guest: Desk, told: Organized) -> None:
    code = ORGANIZER_FIRST if told.answer is Answer.AWAITED else "other"
    guest.session.settle(guest.home, [], skipped=[(MINE, code)])
    guest.ends()


def has(chair: Desk, state: State) -> None:
    """The chair's own item is in this state, and no worker holds the leg."""
    session = chair.at_work("theirs")
    session.meetings.note(chair.home, [Noted(THEIRS, "uid", OWNER, organizer=ALIAS)])
    session.intend(chair.home, [mapped(THEIRS)])
    if state in (State.WRITTEN, State.VERIFIED):
        session.settle(chair.home, [Stored(THEIRS, PLACE)])
    if state is State.VERIFIED:
        session.verified(chair.home, [THEIRS])
    if state in (State.REJECTED, State.SKIPPED):
        fate = [(THEIRS, "some-code")]
        kind = "rejected" if state is State.REJECTED else "skipped"
        session.settle(chair.home, [], **{kind: fate})
    if state is State.GONE:
        session.settle(chair.home, [], gone=[THEIRS])
    if state is State.SEEN:
        session.restore(chair.home, [THEIRS], refund=True)
    assert item(session, chair.home, "theirs").state is state
    chair.ends()


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.SEEN, Organized(Answer.AWAITED)),
        (State.WRITING, Organized(Answer.AWAITED)),
        (State.WRITTEN, Organized(Answer.THERE, PLACE)),
        (State.VERIFIED, Organized(Answer.THERE, PLACE)),
        (State.SKIPPED, Organized(Answer.STAYS)),
        (State.REJECTED, Organized(Answer.STAYS)),
        (State.GONE, Organized(Answer.STAYS)),
    ],
)
def test_the_state_of_the_organizer_s_item(chair: Desk, guest: Desk, state: State, told: Organized) -> None:
    has(chair, state)
    assert asks(guest) == told
    assert asks_again(guest) == 0


def asks_again(guest: Desk) -> int:
    session = guest.at_work()
    number = session.meetings.ask_again()
    guest.ends()
    return number


def test_a_copy_that_waits_is_asked_about_until_the_organizer_s_is_there(chair: Desk, guest: Desk) -> None:
    assert asks(guest) == Organized(Answer.AWAITED)
    assert asks_again(guest) == 0
    has(chair, State.WRITING)
    assert asks_again(guest) == 0
    session = chair.at_work()
    session.settle(chair.home, [Stored(THEIRS, PLACE)])
    chair.ends()
    session = guest.at_work()
    assert session.meetings.waiting() == 1
    assert (session.meetings.ask_again(), session.meetings.ask_again()) == (1, 0)
    row = item(session, guest.home, "mine")
    assert (row.state, row.code, row.attempts, session.meetings.waiting()) == (State.SEEN, None, 0, 0)
    guest.ends()


def test_a_pass_that_began_before_says_nothing(chair: Desk, guest: Desk) -> None:
    """It may have listed the calendar before the meeting was in it."""
    chair.through()
    chair.at_work()
    assert asks(guest) == Organized(Answer.AWAITED)
    chair.ends()
    assert asks_again(guest) == 0
    chair.at_work()
    assert asks_again(guest) == 0
    chair.ends(LegState.BLOCKED, "login-refused")
    assert asks_again(guest) == 0
    chair.through()
    assert asks_again(guest) == 1
    assert asks(guest) == Organized(Answer.STAYS)


@pytest.mark.parametrize("passes", [1, 2])
def test_people_of_one_wave_are_always_at_work_together(chair: Desk, guest: Desk, passes: int) -> None:
    """The organizer's leg is never at rest when the guest's asks. What was at the source long before the
    organizer's pass began need not wait for another one."""
    chair.at_work()
    assert asks(guest, created=LONG_AGO if passes == 1 else None) == Organized(Answer.AWAITED)
    for left in reversed(range(passes)):
        assert asks_again(guest) == 0
        chair.session.meetings.settled()
        chair.ends()
        chair.at_work()
        assert asks_again(guest) == (left == 0)
    assert asks(guest) == Organized(Answer.STAYS)
    chair.ends()


@pytest.mark.parametrize(
    ("created", "answer"), [(LONG_AGO, Answer.STAYS), (4e9, Answer.AWAITED), (None, Answer.AWAITED)]
)
def test_an_organizer_who_was_through_before(
    chair: Desk, guest: Desk, created: float | None, answer: Answer
) -> None:
    chair.through()
    assert asks(guest, created=created).answer is answer


def test_a_pass_that_only_verified_has_listed_nothing(chair: Desk, guest: Desk) -> None:
    assert asks(guest) == Organized(Answer.AWAITED)
    chair.at_work()
    chair.ends()
    assert asks_again(guest) == 0


def test_a_later_pass_that_did_not_copy_everything_says_nothing(
    ledger: Ledger, chair: Desk, guest: Desk
) -> None:
    asks(guest)
    session = chair.at_work("another")
    session.restore(chair.home, [key_of("another")], refund=True)
    session.meetings.settled()
    chair.ends(LegState.COPIED)
    assert asks_again(guest) == 0
    session = chair.at_work()
    session.settle(chair.home, [], rejected=[(key_of("another"), "malformed-record")])
    session.meetings.settled()
    chair.ends()
    assert asks_again(guest) == 1
    assert ledger.has(guest.id, MINE)


def test_nothing_new_comes_to_a_live_organizer(ledger: Ledger, chair: Desk, guest: Desk) -> None:
    chair.through()
    ledger.set_phase(chair.id, Phase.LIVE, "somebody")
    assert asks(guest) == Organized(Answer.STAYS)


def test_an_organizer_who_leaves_the_plan_is_waited_for_no_longer(
    ledger: Ledger, chair: Desk, guest: Desk
) -> None:
    has(chair, State.SEEN)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE leg SET source_identity = 'x' WHERE id = {chair.leg}")
    assert asks(guest) == Organized(Answer.AWAITED)
    ledger.add_mailboxes([planned(GUEST, workloads=frozenset({Kind.CALENDAR}))], whole=True)
    assert asks_again(guest) == 1
    assert asks(guest) == Organized(Answer.STAYS)


def test_an_organizer_whom_the_deny_list_names(chair: Desk, guest: Desk) -> None:
    chair.at_work()
    chair.ends(LegState.BLOCKED, "denied")
    assert asks(guest) == Organized(Answer.STAYS)


def test_an_organizer_without_a_calendar_to_move(ledger: Ledger, guest: Desk) -> None:
    ledger.add_mailboxes([planned(CHAIR, workloads=frozenset({Kind.MAIL}))])
    assert asks(guest) == Organized(Answer.NOBODY)


def test_an_organizer_of_no_plan(guest: Desk) -> None:
    assert asks(guest, "somebody@elsewhere.example") == Organized(Answer.NOBODY)


def test_an_organizer_by_the_address_of_the_target(chair: Desk, guest: Desk) -> None:
    has(chair, State.WRITTEN)
    assert asks(guest, f"{CHAIR}.new") == Organized(Answer.THERE, PLACE)


def test_a_wave_that_nobody_has_begun(ledger: Ledger, guest: Desk) -> None:
    everybody = {CHAIR: (CHAIR, "chair@new.example"), GUEST: (GUEST, f"{GUEST}.new")}
    name_listed(ledger, "kogge.toml", everybody)
    assert asks(guest, "chair@new.example") == Organized(Answer.AWAITED)
    before = dump(ledger)
    name_listed(ledger, "kogge.toml", everybody)
    assert dump(ledger) == before
    chair = Desk(ledger, CHAIR, "w2")
    assert asks_again(guest) == 0
    chair.through()
    assert asks_again(guest) == 1


def test_who_is_taken_out_of_a_list_before_the_wave_began(ledger: Ledger, guest: Desk) -> None:
    name_listed(ledger, "kogge.toml", {CHAIR: (CHAIR,), GUEST: (GUEST,)})
    assert asks(guest) == Organized(Answer.AWAITED)
    name_listed(ledger, "kogge.toml", {GUEST: (GUEST,)})
    assert asks_again(guest) == 1
    assert asks(guest) == Organized(Answer.NOBODY)


def test_an_organizer_s_copy_counts_by_whatever_address_they_are_named(ledger: Ledger, guest: Desk) -> None:
    other = Desk(ledger, "other@old.example")
    has(other, State.SEEN)
    assert asks(guest, ALIAS) == Organized(Answer.AWAITED)
    session = other.at_work("theirs")
    session.intend(other.home, [mapped(THEIRS)])
    session.settle(other.home, [Stored(THEIRS, PLACE)])
    other.ends()
    assert asks_again(guest) == 1
    assert asks(guest, ALIAS) == Organized(Answer.THERE, PLACE)


def test_the_caller_s_own_copy_goes_before_another_one_s(ledger: Ledger, chair: Desk, guest: Desk) -> None:
    """Somebody may have imported the meeting into their own calendar."""
    other = Desk(ledger, "other@old.example")
    has(other, State.WRITTEN)
    assert asks(guest) == Organized(Answer.AWAITED)
    assert chair.leg != other.leg


@pytest.mark.parametrize("address", [CHAIR, ALIAS])
def test_what_waits_for_guests_is_waited_for(chair: Desk, guest: Desk, address: str) -> None:
    session = chair.at_work("theirs")
    session.meetings.note(chair.home, [Noted(THEIRS, "uid", OWNER, organizer=ALIAS)])
    session.intend(chair.home, [])
    session.settle(chair.home, [], skipped=[(THEIRS, GUESTS_FIRST)])
    chair.ends()
    assert asks(guest, address) == Organized(Answer.AWAITED)


def test_a_source_s_address_is_its_own(ledger: Ledger, guest: Desk) -> None:
    """Somebody else may get it at the target."""
    kinds = frozenset({Kind.CALENDAR})
    ledger.add_mailboxes([planned("first@old.example", target=CHAIR, workloads=kinds)])
    chair = Desk(ledger, CHAIR, "w2")
    has(chair, State.WRITTEN)
    assert asks(guest) == Organized(Answer.THERE, PLACE)
    name_listed(ledger, "kogge.toml", {"first@old.example": (CHAIR,), CHAIR: ()})
    other = Desk(ledger, "another@old.example")
    assert asks(other) == Organized(Answer.THERE, PLACE)


def test_an_organizer_s_item_that_has_another_id_since(chair: Desk, guest: Desk) -> None:
    has(chair, State.VERIFIED)
    session = chair.at_work()
    session.record_page(chair.home, page(ref("renumbered")))
    new = key_of("renumbered")
    session.rekeyed(chair.home, [Rekeyed(chair.home, THEIRS, new, State.WRITTEN, PLACE)])
    chair.ends()
    assert asks(guest) == Organized(Answer.THERE, PLACE)


def test_no_uid_and_no_address_is_in_what_is_kept_of_a_meeting(
    ledger: Ledger, chair: Desk, guest: Desk
) -> None:
    has(chair, State.WRITTEN)
    asks(guest)
    kept = "".join(dump(ledger)["meeting"])
    assert "uid" not in kept
    assert CHAIR not in kept
    assert len(dump(ledger)["meeting"]) == 2


def test_what_other_legs_wrote_for_organizers(chair: Desk, guest: Desk) -> None:
    has(chair, State.WRITTEN)
    asks(guest)
    session = guest.at_work()
    own = f"k-{MINE.hex()}.ics"
    assert session.meetings.of_colleagues([PLACE, own, "strange.ics", f"k-{'0' * 32}.ics"]) == {PLACE}
    guest.ends()
    session = chair.at_work()
    assert session.meetings.of_colleagues([PLACE, own]) == set()
    chair.ends()


GUEST_PLACE = f"k-{MINE.hex()}.ics"


@pytest.mark.parametrize(
    ("href", "phase", "in_the_way"),
    [
        (GUEST_PLACE, Phase.STAGING, True),
        (GUEST_PLACE, Phase.FROZEN, True),
        (GUEST_PLACE, Phase.LIVE, False),
        (None, Phase.STAGING, True),
        (PLACE, Phase.STAGING, False),
    ],
    ids=["written", "frozen", "live", "on its way", "another's object"],
)
def test_a_guest_s_own_copy_is_in_the_way(
    ledger: Ledger, guest: Desk, href: str | None, phase: Phase, in_the_way: bool
) -> None:
    session = guest.at_work("mine")
    session.meetings.note(guest.home, [Noted(MINE, "uid", NOBODY, organizer=ALIAS)])
    session.intend(guest.home, [mapped(MINE)])
    if href is not None:
        session.settle(guest.home, [Stored(MINE, href)])
    guest.ends()
    if phase is not Phase.STAGING:
        ledger.set_phase(guest.id, phase, "somebody")
    chair = Desk(ledger, CHAIR)
    session = chair.at_work("theirs")
    told = session.meetings.note(chair.home, [Noted(THEIRS, "uid", OWNER, organizer=ALIAS)])
    assert told == ({THEIRS: Organized(Answer.GUESTS)} if in_the_way else {})
    session.intend(chair.home, [])
    session.settle(chair.home, [], skipped=[(THEIRS, GUESTS_FIRST)])
    assert session.meetings.waiting() == 1
    assert session.meetings.ask_again() == (not in_the_way)
    chair.ends()
    if in_the_way and phase is Phase.STAGING and href is not None:
        session = guest.at_work()
        assert session.meetings.in_the_way(guest.home) == [MINE]
        session.rewrite(guest.home, [MINE])
        assert session.meetings.in_the_way(guest.home) == []
        guest.ends()
        session = chair.at_work()
        assert session.meetings.ask_again() == 1
        chair.ends()


@pytest.mark.parametrize("named", ["", ALIAS, CHAIR], ids=["not hers", "alias", "by the plan"])
@pytest.mark.parametrize("called_by", ["partner@extern.example", "third@old.example"])
def test_an_event_of_another_organizer_has_no_say(
    ledger: Ledger, guest: Desk, called_by: str, named: str
) -> None:
    """Whoever knows a UID can use it for an event of their own."""
    Desk(ledger, "third@old.example").through()
    session = guest.at_work("mine")
    number = session.meetings.callers({called_by}).get(called_by, NOBODY)
    copy = Noted(MINE, "uid", number, None, LONG_AGO, called_by)
    session.meetings.note(guest.home, [copy])
    session.intend(guest.home, [mapped(MINE)])
    session.settle(guest.home, [Stored(MINE, GUEST_PLACE)])
    guest.ends()
    chair = Desk(ledger, CHAIR)
    session = chair.at_work("theirs")
    told = session.meetings.note(chair.home, [Noted(THEIRS, "uid", OWNER, organizer=named)])
    assert told == {THEIRS: Organized(Answer.ANOTHER, None, frozenset({GUEST, f"{GUEST}.new"}))}
    session.intend(chair.home, [])
    session.settle(chair.home, [], skipped=[(THEIRS, GUESTS_FIRST)])
    chair.ends()
    ledger.set_phase(guest.id, Phase.FROZEN, "somebody")
    session = chair.at_work()
    assert session.meetings.seen_by_moved(chair.home, [THEIRS]) == set()
    chair.ends()
    session = guest.at_work()
    assert session.meetings.in_the_way(guest.home) == []
    (told,) = session.meetings.note(guest.home, [copy]).values()
    assert told.answer is (Answer.STAYS if number else Answer.NOBODY), "it is not waited for, nor shown"
    guest.ends()


def test_of_two_who_note_at_once_one_hears_of_the_other(
    chair: Desk, guest: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later one waits until the earlier one's transaction has ended."""
    first, second = guest.at_work("mine").meetings, chair.at_work("theirs").meetings
    first.note(guest.home, [Noted(MINE, "another", NOBODY)])  # the ledger's key is there
    entered, done, asked = Event(), Event(), MeetingLedger._of

    def held(self: MeetingLedger, *given: Any) -> dict[bytes, Organized]:
        if self is first:
            entered.set()
            done.wait(1)
        return asked(self, *given)

    monkeypatch.setattr(MeetingLedger, "_of", held)

    copy = Noted(MINE, "uid", NOBODY, b"digest", organizer=ALIAS)

    def theirs() -> dict[bytes, Organized]:
        assert entered.wait(60)
        told = second.note(chair.home, [Noted(THEIRS, "uid", OWNER, b"digest", organizer=ALIAS)])
        done.set()
        return told

    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(theirs)
        assert first.note(guest.home, [copy])[MINE].answer is Answer.NOBODY
        assert later.result() == {THEIRS: Organized(Answer.GUESTS)}
    for desk in (guest, chair):
        desk.ends()


def test_a_guest_s_copy_that_waits_keeps_the_organizer_s_from_nothing(chair: Desk, guest: Desk) -> None:
    second = chair.at_work("theirs").meetings
    session = guest.at_work("mine")
    number = session.meetings.callers({CHAIR})[CHAIR]
    told = session.meetings.note(guest.home, [Noted(MINE, "uid", number, b"digest")])
    assert told[MINE].answer is Answer.AWAITED
    assert second.note(chair.home, [Noted(THEIRS, "uid", OWNER, b"digest", organizer=ALIAS)]) == {}
    for desk in (guest, chair):
        desk.ends()
