"""One event for all who are invited, as Open-Xchange has it: the organizer's migration makes it, and the
attendee's copy, which never means the same in full, finds its UID taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from memory.records import event
from on_open_xchange import PASSWORD_ENV, Colleague
from servers.open_xchange.server import OpenXchangeServer
from servers.smtp_sink import SmtpSink
from undoing import Undoing, undone
from walking import SOURCE

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, State
from ledger.leg.rollback import rested_on

CHAIR = "chair@old.example"
OWN_PART = "shared-meeting/own-part-not-kept"
OWN_ANSWER = "own-answer/differs-in-shared-meeting"
ANSWER_STAYS = "attendee/answer-stays"


class Person(Colleague):
    """One of two people of one server."""

    def settled(self) -> tuple[dict[State, int], list[str]]:
        """Runs to the end; the states of its items, and what they lost."""
        result = self.finish()
        assert (result.state, result.code) == (LegState.VERIFIED, None), self.findings()
        return dict(self.states()), self.lost()

    @property
    def item(self) -> str:
        return self.items[-1]

    def objects(self) -> list[str]:
        """The meeting as this person reads it; an empty object where it is there twice."""
        return self.texts("meeting")

    def changes(self) -> int:
        """How many requests changed, or were to change, something."""
        return len(self.sent("PUT", "DELETE"))


class Meet(Protocol):
    """Makes a person with one record in the calendar. apart: the ledger knows no other."""

    def __call__(self, user: str, raw: bytes, *, apart: bool = False) -> Person: ...


@pytest.fixture
def meet(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meet]:
    users = {CHAIR: "Christa Chair", SOURCE: "Anna Adler"}
    with SmtpSink() as sink, OpenXchangeServer(users, sink=sink) as server:
        server.clock.set(datetime(2026, 3, 1, tzinfo=UTC))  # the meeting is one that listings show
        people: list[Person] = []

        def make(user: str, raw: bytes, *, apart: bool = False) -> Person:
            ledger = people[0].ledger if people and not apart else None
            people.append(Person.of(server, quick_path, user, [raw], ledger))
            return people[-1]

        monkeypatch.setenv(PASSWORD_ENV, server.user_password)
        yield make
        assert not sink.mails


def organizers(answer: str = "Accept", title: str = "Sitzung") -> bytes:
    """Knows the answers."""
    return _copy("Organizer", title).replace(
        b"</t:EmailAddress></t:Mailbox></t:Attendee>",
        b"</t:EmailAddress></t:Mailbox><t:ResponseType>%s</t:ResponseType></t:Attendee>" % answer.encode(),
    )


def attendees(answer: str = "Accept", title: str = "Sitzung", own: bytes = b"") -> bytes:
    """Knows the own one."""
    return _copy(answer, title, own)


def _copy(answer: str, title: str, own: bytes = b"") -> bytes:
    said = f"<t:MyResponseType>{answer}</t:MyResponseType>".encode()
    raw = event("meeting", title, people=[SOURCE, "bert@old.example"])
    return raw.replace(b"</t:CalendarItem>", said + own + b"</t:CalendarItem>")


REMINDER = (
    b"<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>15</t:ReminderMinutesBeforeStart>"
)


@pytest.mark.parametrize(
    ("own", "answer", "lost"),
    [
        (b"", "Accept", []),
        (REMINDER, "Accept", [OWN_PART]),
        (b"", "Decline", [OWN_ANSWER]),
        (REMINDER, "Tentative", [OWN_ANSWER, OWN_PART]),
    ],
)
def test_the_attendee_s_copy_arrives_by_the_organizer_s(
    meet: Meet, own: bytes, answer: str, lost: list[str]
) -> None:
    chair, anna = meet(CHAIR, organizers()), meet(SOURCE, attendees(answer, own=own))
    assert chair.settled() == ({State.VERIFIED: 1}, [])
    before = anna.objects()
    assert anna.settled() == ({State.VERIFIED: 1}, lost)
    for level in (Level.TARGET, Level.BOTH):
        assert anna.run(task=Task(level, copy=False)).state is LegState.VERIFIED, anna.findings()
    assert anna.objects() == before
    assert len(before) == 1
    sent = anna.changes()
    assert anna.settled() == ({State.VERIFIED: 1}, lost)
    assert anna.changes() == sent


def test_what_the_organizer_changes_since_is_a_difference(meet: Meet) -> None:
    chair, anna = meet(CHAIR, organizers("NoResponseReceived")), meet(SOURCE, attendees())
    chair.settled()
    assert anna.settled() == ({State.VERIFIED: 1}, [OWN_ANSWER])
    chair.mailbox.edit(chair.item, organizers("NoResponseReceived", title="Verlegt"))
    assert chair.settled() == ({State.VERIFIED: 1}, [])
    assert anna.run(task=Task(copy=False)).state is LegState.DIFFERS
    anna.mailbox.edit(anna.item, attendees(title="Verlegt"))
    assert anna.settled() == ({State.VERIFIED: 1}, [OWN_ANSWER])


def test_what_the_organizer_hears_since_arrives_but_for_others_answers(meet: Meet) -> None:
    """Open-Xchange lets no organizer write what a colleague answered since, and refuses the whole update."""
    chair = meet(CHAIR, organizers("NoResponseReceived"))
    chair.settled()
    chair.mailbox.edit(chair.item, organizers(title="Verlegt"))
    assert chair.settled() == ({State.VERIFIED: 1}, [ANSWER_STAYS])
    (text,) = chair.objects()
    assert "SUMMARY:Verlegt" in text
    for level in (Level.TARGET, Level.BOTH):
        assert chair.run(task=Task(level, copy=False)).state is LegState.VERIFIED, chair.findings()
    sent = chair.changes()
    assert chair.settled() == ({State.VERIFIED: 1}, [ANSWER_STAYS])
    assert chair.changes() == sent
    chair.mailbox.edit(chair.item, organizers("NoResponseReceived", title="Noch einmal"))
    assert chair.settled() == ({State.VERIFIED: 1}, [])


def test_a_meeting_that_listings_do_not_show_stands_for_no_copy(meet: Meet) -> None:
    """Where the ledger does not have the organizer, nobody can tell whose migration wrote it, and that one
    may be taken back."""
    chair, anna = meet(CHAIR, organizers()), meet(SOURCE, attendees(), apart=True)
    chair.server.clock.set(datetime(2026, 11, 1, tzinfo=UTC))
    chair.settled()
    assert anna.settled()[0] == {State.REJECTED: 1}
    assert len(anna.objects()) == 1


def test_what_is_another_meeting_needs_a_person(meet: Meet) -> None:
    chair, anna = meet(CHAIR, organizers()), meet(SOURCE, attendees(title="Etwas anderes"))
    chair.settled()
    assert anna.settled()[0] == {State.REJECTED: 1}


def test_what_is_via_is_not_removed(meet: Meet) -> None:
    chair, anna = meet(CHAIR, organizers()), meet(SOURCE, attendees())
    chair.settled()
    anna.settled()
    anna.mailbox.delete(anna.item)
    assert anna.settled()[0] == {State.GONE: 1}
    assert len(anna.objects()) == len(chair.objects()) == 1


def test_an_organizer_s_meeting_is_taken_back_when_nobody_rests_on_it(meet: Meet) -> None:
    chair, anna = meet(CHAIR, organizers()), meet(SOURCE, attendees())
    chair.settled()
    anna.settled()
    first = Undoing(chair, rested=rested_on(anna.ledger, ()))
    first.approve()
    assert first.run().code == "rolled-back"
    assert first.counts == {"shared": 1}
    assert undone(anna).counts["found"] == 1
    assert len(chair.objects()) == len(anna.objects()) == 1
    assert rested_on(anna.ledger, ()) == frozenset()
    assert undone(chair).counts["ours"] == 1
    assert chair.objects() == anna.objects() == []


def test_an_organizer_who_comes_second_doubles_nothing(meet: Meet) -> None:
    chair, anna = meet(CHAIR, organizers("Tentative")), meet(SOURCE, attendees())
    assert anna.finish().code == "organizer-first"
    assert anna.objects() == []
    chair.finish()
    (one,) = anna.objects()
    assert "BEGIN:VEVENT" in one
    assert anna.settled() == ({State.VERIFIED: 1}, [OWN_ANSWER])
    assert anna.objects() == [one]
