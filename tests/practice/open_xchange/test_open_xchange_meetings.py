"""Meetings of a practice Open-Xchange: whose calendars they are in, whose answers count, who is mailed."""

from __future__ import annotations

import pytest
from ox_asking import ALICE, BOB, QUIET, Asker, event, meeting, vevent
from ox_asking import calendar as whole
from servers.open_xchange import people
from servers.open_xchange.content_lines import Part
from servers.smtp_sink import SmtpSink

EXT, BOSS = "ext@extern.test", "boss@extern.test"
REPLY_F = {"Schedule_Reply": "F"}
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=6"
MEET = ("SUMMARY:Meet", *meeting("alice", "bob", EXT, alice="ACCEPTED"))


def letters(sink: SmtpSink) -> list[tuple[str, str, str]]:
    """What came: recipient, iTIP method, subject; and forgets it."""
    found = [(one.recipient, one.method or "", str(one.message["Subject"])) for one in sink.mails]
    sink.clear()
    return sorted(found)


def says(part: Part, who: str) -> str:
    return people.answer(part, who if "@" in who else f"{who}@ox.test")


def test_everybody_is_mailed_users_without_a_calendar_part(alice: Asker, bob: Asker, sink: SmtpSink) -> None:
    path = f"{ALICE}m.ics"
    for method, subject, itip in (
        ("PUT", "New appointment: Meet", "REQUEST"),
        ("PUT", "Appointment changed: Meet", "REQUEST"),
        ("DELETE", "Appointment canceled: Meet", "CANCEL"),
    ):
        at = "20261210T10" if subject.startswith("New") else "20261211T10"
        alice.ask(method, path, event("m", *MEET, at=at) if method == "PUT" else "")
        assert letters(sink) == [("bob@ox.test", "", subject), (EXT, itip, subject)]
    assert bob.ask("GET", f"{BOB}m.ics").status_code == 404


@pytest.mark.parametrize("headers", [QUIET, REPLY_F], ids=["none", "reply-f"])
def test_either_header_silences_and_the_guest_has_it_all_the_same(
    alice: Asker, bob: Asker, sink: SmtpSink, headers: dict[str, str]
) -> None:
    path = f"{ALICE}m.ics"
    alice.put(path, event("m", *MEET), **headers)
    assert bob.event(f"{BOB}m.ics").value("SUMMARY") == "Meet"
    assert bob.listed(BOB) == ["m.ics"]
    alice.put(path, event("m", *MEET, at="20261211T10"), **headers)
    alice.ask("DELETE", path, **headers)
    assert bob.ask("GET", f"{BOB}m.ics").status_code == 404
    assert letters(sink) == []


@pytest.mark.parametrize(("lines", "count"), [
    (("DTSTART:20200615T100000Z", "DTEND:20200615T110000Z"), 0),
    (("DTSTART:20250106T100000Z", "DTEND:20250106T110000Z", "RRULE:FREQ=WEEKLY"), 2),
    (("DTSTART:20250106T100000Z", "DTEND:20250106T110000Z", "RRULE:FREQ=WEEKLY;COUNT=3"), 0),
], ids=["past", "goes-on", "ended"])  # fmt: skip
def test_what_is_over_is_not_mailed(alice: Asker, sink: SmtpSink, lines: tuple[str, ...], count: int) -> None:
    alice.put(f"{ALICE}m.ics", event("m", *MEET, *lines))
    assert len(letters(sink)) == count


def test_a_schedule_agent_is_ignored(alice: Asker, sink: SmtpSink) -> None:
    lines = [one.replace("ATTENDEE;", "ATTENDEE;SCHEDULE-AGENT=CLIENT;") for one in MEET]
    alice.put(f"{ALICE}m.ics", event("m", *lines))
    assert len(letters(sink)) == 2
    assert "SCHEDULE-AGENT" not in alice.ask("GET", f"{ALICE}m.ics").text


def test_a_guest_who_deletes_has_declined(alice: Asker, bob: Asker, sink: SmtpSink) -> None:
    alice.put(f"{ALICE}m.ics", event("m", *MEET), **QUIET)
    assert bob.ask("DELETE", f"{BOB}m.ics").status_code == 204
    assert letters(sink) == [("alice@ox.test", "", "Bob Berger declined the invitation: Meet")]
    assert bob.ask("GET", f"{BOB}m.ics").status_code == 404
    assert says(alice.event(f"{ALICE}m.ics"), "bob") == "DECLINED"


def test_a_copy_of_a_foreign_meeting_mails_nobody_until_it_is_deleted(alice: Asker, sink: SmtpSink) -> None:
    path = f"{ALICE}m.ics"
    for said in ("NEEDS-ACTION", "ACCEPTED"):
        lines = meeting("alice", BOSS, host=BOSS, alice=said)
        assert alice.put(path, event("m", "SUMMARY:Far", *lines)) == 201
        assert says(alice.event(path), "alice") == said
    assert letters(sink) == []
    assert alice.event(path).value("SEQUENCE") == "0"
    alice.ask("DELETE", path)
    assert letters(sink) == [(BOSS, "REPLY", "Alice Anders declined the invitation: Far")]


def test_the_organizer_is_added_as_one_who_accepts(alice: Asker) -> None:
    alice.put(f"{ALICE}m.ics", event("m", *meeting("bob")), **QUIET)
    stored = alice.event(f"{ALICE}m.ics")
    assert (says(stored, "alice"), says(stored, "bob")) == ("ACCEPTED", "NEEDS-ACTION")


def test_organizer_first_is_one_event_and_the_guest_changes_an_answer(alice: Asker, bob: Asker) -> None:
    lines = meeting("alice", "bob", EXT, alice="ACCEPTED", bob="ACCEPTED")
    alice.put(f"{ALICE}m.ics", event("m", "SUMMARY:of alice", *lines), **QUIET)
    own = event(
        "m",
        "SUMMARY:of bob",
        *meeting("alice", "bob", EXT, alice="ACCEPTED", bob="TENTATIVE", ext="DECLINED"),
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT30M\r\nEND:VALARM",
    )
    assert bob.put(f"{BOB}m.ics", own, If_None_Match="*", **QUIET) == 412
    assert bob.put(f"{BOB}other.ics", own, **QUIET) == 403
    assert bob.put(f"{BOB}m.ics", own, **QUIET) == 201
    for asker, path, alarms in ((alice, ALICE, 0), (bob, BOB, 1)):
        stored = asker.event(f"{path}m.ics")
        assert [says(stored, who) for who in ("alice", "bob", EXT)] == [
            "ACCEPTED",
            "TENTATIVE",
            "NEEDS-ACTION",
        ]
        assert (stored.value("SUMMARY"), len(stored.of("VALARM"))) == ("of alice", alarms)


def test_guest_first_is_there_twice(alice: Asker, bob: Asker) -> None:
    lines = meeting("alice", "bob", alice="ACCEPTED", bob="ACCEPTED")
    assert bob.put(f"{BOB}m.ics", event("m", *lines), **QUIET) == 201
    assert alice.ask("GET", f"{ALICE}m.ics").status_code == 404
    assert alice.put(f"{ALICE}m.ics", event("m", *lines), **QUIET) == 201
    answer = bob.ask("GET", f"{BOB}m.ics")
    assert (answer.status_code, "-null-" in answer.headers["ETag"]) == (200, True)
    assert "BEGIN:VEVENT" not in answer.text
    assert bob.listed(BOB) == ["m.ics"]
    assert alice.event(f"{ALICE}m.ics").value("UID") == "m"


def series(*answers: str, exception: tuple[str, ...] = (), hour: int = 13, own: bool = True) -> str:
    """Of six weeks, whose third occurrence is changed: at that hour, instead of 11. answers: of bob, in the
    master and in the occurrence. own: the organizer is an attendee too."""
    guests = ("alice", "bob") if own else ("bob",)
    master, changed = (meeting(*guests, alice="ACCEPTED", bob=said) for said in answers)
    first = ("DTSTART:20261202T110000Z", "DTEND:20261202T120000Z", WEEKLY, *master)
    third = (f"DTSTART:20261216T{hour}0000Z", f"DTEND:20261216T{hour + 1}0000Z")
    return whole(
        vevent("s", *first, "SEQUENCE:5"),
        vevent("s", "RECURRENCE-ID:20261216T110000Z", *third, *changed, "SEQUENCE:5", *exception),
    )


ALARM = ("BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT15M\r\nEND:VALARM",)


def test_a_changed_occurrence_without_its_organizer_vanishes_from_his_calendar(
    alice: Asker, bob: Asker
) -> None:
    assert alice.put(f"{ALICE}s.ics", series("ACCEPTED", "ACCEPTED", own=False), **QUIET) == 201
    assert len(alice.get(f"{ALICE}s.ics").of("VEVENT")) == 1
    assert len(bob.get(f"{BOB}s.ics").of("VEVENT")) == 2


@pytest.mark.parametrize(("body", "status", "condition"), [
    (series("ACCEPTED", "ACCEPTED", own=False, exception=ALARM), 400, ""),
    (series("ACCEPTED", "DECLINED", hour=11), 403, ""),
    (series("ACCEPTED", "ACCEPTED", exception=("CLASS:PRIVATE",)), 403, "valid-access-restriction"),
    (whole(vevent("s", WEEKLY, *meeting("bob")), vevent("s", "RECURRENCE-ID:20261217T100000Z")), 403,
     "valid-calendar-object-resource"),
], ids=["alarm", "answer", "class", "half"])  # fmt: skip
def test_a_series_is_refused(alice: Asker, body: str, status: int, condition: str) -> None:
    answer = alice.ask("PUT", f"{ALICE}s.ics", body, **QUIET)
    assert (answer.status_code, condition in answer.text) == (status, True)
    assert bool(answer.content) is bool(condition)
    assert alice.ask("GET", f"{ALICE}s.ics").status_code == 404


def test_what_is_not_moved_keeps_its_answers(alice: Asker) -> None:
    assert alice.put(f"{ALICE}s.ics", series("ACCEPTED", "ACCEPTED", hour=11), **QUIET) == 201
    master, changed = alice.get(f"{ALICE}s.ics").of("VEVENT")
    assert (says(master, "bob"), says(changed, "bob")) == ("ACCEPTED", "ACCEPTED")
    assert (master.value("SEQUENCE"), changed.value("SEQUENCE")) == ("5", "6")


def test_what_is_moved_asks_anew_and_only_the_guest_answers(alice: Asker, bob: Asker) -> None:
    path = f"{ALICE}s.ics"
    assert alice.put(path, series("ACCEPTED", "ACCEPTED", exception=ALARM), **QUIET) == 201
    assert says(alice.get(path).of("VEVENT")[1], "bob") == "NEEDS-ACTION"
    again = series("ACCEPTED", "ACCEPTED", exception=ALARM).replace("SEQUENCE:5", "SEQUENCE:9")
    refused = alice.ask("PUT", path, again, **QUIET)
    assert (refused.status_code, refused.content) == (403, b"")
    assert bob.put(f"{BOB}s.ics", again, **QUIET) == 201
    assert says(alice.get(path).of("VEVENT")[1], "bob") == "ACCEPTED"
    assert alice.put(path, again, **QUIET) == 201


def test_an_outsiders_answer_may_differ(alice: Asker) -> None:
    body = series("ACCEPTED", "DECLINED", hour=11).replace("bob@ox.test", EXT)
    assert alice.put(f"{ALICE}s.ics", body, **QUIET) == 201
    assert says(alice.get(f"{ALICE}s.ics").of("VEVENT")[1], EXT) == "DECLINED"


def test_a_meeting_that_is_moved_asks_anew(alice: Asker) -> None:
    lines = meeting("alice", "bob", EXT, alice="ACCEPTED", bob="ACCEPTED", ext="ACCEPTED")
    alice.put(f"{ALICE}m.ics", event("m", *lines), **QUIET)
    assert says(alice.event(f"{ALICE}m.ics"), "bob") == "ACCEPTED"
    alice.put(f"{ALICE}m.ics", event("m", *lines, at="20261211T10"), **QUIET)
    assert [says(alice.event(f"{ALICE}m.ics"), who) for who in ("bob", EXT)] == ["NEEDS-ACTION", "ACCEPTED"]


def test_a_guest_who_is_left_out_loses_the_meeting(alice: Asker, bob: Asker, sink: SmtpSink) -> None:
    alice.put(f"{ALICE}m.ics", event("m", *MEET), **QUIET)
    alice.put(f"{ALICE}m.ics", event("m", "SUMMARY:Meet", *meeting("alice", EXT, alice="ACCEPTED")))
    assert bob.ask("GET", f"{BOB}m.ics").status_code == 404
    changed, left = "Appointment changed: Meet", "Appointment canceled: Meet"
    assert letters(sink) == [("bob@ox.test", "", left), (EXT, "REQUEST", changed)]


def test_an_occurrence_that_is_taken_back_is_gone(alice: Asker) -> None:
    path = f"{ALICE}s.ics"
    alice.put(path, series("ACCEPTED", "ACCEPTED"), **QUIET)
    before = alice.ask("GET", path).headers["ETag"]
    first = ("DTSTART:20261202T110000Z", "DTEND:20261202T120000Z", WEEKLY, "SEQUENCE:9")
    lines = meeting("alice", "bob", alice="ACCEPTED", bob="ACCEPTED")
    assert alice.put(path, event("s", *first, *lines), **QUIET) == 201
    assert len(alice.get(path).of("VEVENT")) == 1
    assert alice.ask("GET", path).headers["ETag"] != before


def test_an_alarm_of_ones_own_tells_nobody(alice: Asker, sink: SmtpSink) -> None:
    path = f"{ALICE}m.ics"
    alice.put(path, event("m", *MEET), **QUIET)
    before = alice.ask("GET", path).headers["ETag"]
    assert alice.put(path, event("m", *MEET, *ALARM)) == 201
    assert letters(sink) == []
    assert (len(alice.event(path).of("VALARM")), alice.event(path).value("SEQUENCE")) == (1, "0")
    assert alice.ask("GET", path).headers["ETag"] != before
