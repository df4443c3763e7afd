"""Tasks and cards of a practice Open-Xchange: under which name they are stored, and what is left of them."""

from __future__ import annotations

import base64

import pytest
from ox_asking import BOOK, QUIET, SYNC, TASKS, Asker, card, event, gone, meeting, names, todo, token
from servers.open_xchange.content_lines import Part
from servers.smtp_sink import SmtpSink


def test_a_task_is_stored_under_its_uid(alice: Asker) -> None:
    assert alice.put(f"{TASKS}k-1.ics", todo("t"), If_None_Match="*") == 201
    assert alice.ask("GET", f"{TASKS}k-1.ics").status_code == 404
    assert alice.get(f"{TASKS}t.ics").of("VTODO")[0].value("SUMMARY") == "Task t"
    assert alice.put(f"{TASKS}k-1.ics", todo("t")) == 409
    assert alice.put(f"{TASKS}t.ics", todo("t", "PRIORITY:1")) == 201
    tag = alice.ask("GET", f"{TASKS}t.ics").headers["ETag"]
    assert alice.put(f"{TASKS}t.ics", todo("t"), If_Match=tag) == 201
    assert alice.put(f"{TASKS}t.ics", todo("t"), If_Match=tag) == 412
    assert alice.listed(TASKS) == ["t.ics"]


def task(alice: Asker, *lines: str) -> Part:
    assert alice.put(f"{TASKS}t.ics", todo("t", *lines)) == 201
    return alice.get(f"{TASKS}t.ics").of("VTODO")[0]


def test_little_of_a_task_is_kept(alice: Asker) -> None:
    lost = ("LOCATION:l", "URL:http://example.com", "X-FOO:b", "COLOR:red", "RELATED-TO:x", "CONTACT:c")
    kept = ("DUE:20261205T170000Z", "PRIORITY:1", "STATUS:IN-PROCESS", "CATEGORIES:a,b", "CLASS:PRIVATE")
    found = task(alice, *lost, *kept)
    lines = {f"{one.name}:{one.value}" for one in found.lines}
    assert lines >= set(kept)
    assert lines & set(lost) == set()
    assert found.value("CREATED") == "20261128T120000Z"  # its DTSTAMP


@pytest.mark.parametrize("state", ["IN-PROCESS", "NEEDS-ACTION"])
def test_a_task_of_which_all_is_done_is_completed(alice: Asker, state: str) -> None:
    found = task(alice, f"STATUS:{state}", "PERCENT-COMPLETE:100", "CLASS:CONFIDENTIAL")
    assert (found.value("STATUS"), found.value("CLASS")) == ("COMPLETED", "PRIVATE")


def test_a_task_that_is_not_begun_is_not_half_done(alice: Asker) -> None:
    half = todo("t", "STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:50")
    assert alice.put(f"{TASKS}t.ics", half) == 400
    assert task(alice, "STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0").value("STATUS") == "NEEDS-ACTION"


def test_a_card_without_a_name_has_no_n(alice: Asker) -> None:
    assert put_card(alice, name=";;;;") == 201
    assert alice.get(f"{BOOK}k.vcf").first("N") is None


@pytest.mark.parametrize(("due", "kept"), [("20200105T170000Z", 0), ("20261205T170000Z", 1)])
def test_an_acknowledged_alarm_of_the_past_is_dropped(alice: Asker, due: str, kept: int) -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:of the alarm")
    done = ("ACKNOWLEDGED:20200105T150001Z", "END:VALARM")
    alarms = task(alice, f"DUE:{due}", "DESCRIPTION:of the task", *alarm, *done).of("VALARM")
    assert [one.value("DESCRIPTION") for one in alarms] == ["of the task"] * kept


@pytest.mark.parametrize("rule", ["DAILY", "WEEKLY;BYDAY=TU", "MONTHLY"])
def test_a_series_of_tasks_is_refused(alice: Asker, rule: str) -> None:
    start = "DTSTART:20261201T080000Z"
    assert alice.put(f"{TASKS}t.ics", todo("t", start, f"RRULE:FREQ={rule}")) == 400
    assert task(alice, f"RRULE:FREQ={rule}").first("RRULE") is None  # without DTSTART the rule is dropped
    assert task(alice, start, "RRULE:FREQ=HOURLY").first("RRULE") is None


def test_a_task_with_attendees_is_lost_and_mailed(alice: Asker, sink: SmtpSink) -> None:
    body = todo("t", *meeting("bob", "ext@extern.test"))
    assert alice.put(f"{TASKS}t.ics", body, **QUIET) == 201
    assert alice.ask("GET", f"{TASKS}t.ics").status_code == 404
    found = [(one.recipient, one.method, str(one.message["Subject"])) for one in sink.mails]
    assert found == [
        ("bob@ox.test", None, "New task: Task t"),
        ("ext@extern.test", None, "New task: Task t"),
    ]


def test_an_event_is_no_task(alice: Asker) -> None:
    assert alice.put(f"{TASKS}a.ics", event("a")) == 400


def test_tasks_are_synchronised_by_a_stamp_and_have_no_window(alice: Asker) -> None:
    task(alice, "DUE:20200105T170000Z")
    first = alice.ask("REPORT", TASKS, SYNC % "")
    assert (names(first), token(first).isdigit()) == (["t.ics"], True)
    alice.ask("DELETE", f"{TASKS}t.ics")
    second = alice.ask("REPORT", TASKS, SYNC % token(first))
    assert (names(second), gone(second)) == ([], ["t.ics"])


def put_card(alice: Asker, *lines: str, name: str = "Muster;Max;;;") -> int:
    return alice.put(f"{BOOK}k.vcf", card("c", *lines, name=name))


def kept(alice: Asker, *lines: str) -> list[str]:
    """The lines of the same names as they come back."""
    assert put_card(alice, *lines) == 201
    found = {one.partition(":")[0].partition(";")[0] for one in lines}
    return [
        f"{one.name}{''.join(f';{name}={value}' for name, value in one.params)}:{one.value}"
        for one in alice.get(f"{BOOK}k.vcf").lines
        if one.name in found
    ]


def test_a_card_keeps_its_name_and_answers_under_its_uid(alice: Asker) -> None:
    assert [put_card(alice) for _ in range(2)] == [201, 201]
    assert alice.get(f"{BOOK}k.vcf") == alice.get(f"{BOOK}c.vcf")
    assert alice.put(f"{BOOK}same.vcf", card("c")) == 201  # a UID may be there twice
    assert alice.listed(BOOK) == ["k.vcf", "same.vcf"]


@pytest.mark.parametrize(("given", "found"), [
    (("EMAIL:1@x.de", "EMAIL:2@x.de"), ["EMAIL;TYPE=work:1@x.de", "EMAIL;TYPE=home:2@x.de"]),
    (("EMAIL:1@x.de", "EMAIL:2@x.de", "EMAIL:3@x.de"),
     ["EMAIL;TYPE=work:1@x.de", "EMAIL;TYPE=home:2@x.de", "EMAIL;TYPE=x-other:3@x.de", "EMAIL:3@x.de"]),
    (("EMAIL;TYPE=WORK:1@x.de", "EMAIL;TYPE=HOME:2@x.de", "EMAIL;TYPE=HOME:3@x.de"),
     ["EMAIL;TYPE=WORK:1@x.de", "EMAIL;TYPE=HOME:2@x.de", "EMAIL;TYPE=HOME:3@x.de"]),
    (("EMAIL;TYPE=OTHER:1@x.de",), ["EMAIL;TYPE=OTHER,x-other:1@x.de"]),
    (('EMAIL:"a b"@x.de',), ['EMAIL;TYPE=work:"a b"@x.de']),
    (("EMAIL:a@müller.de",), ["EMAIL;TYPE=work:a@müller.de"]),
    (("EMAIL:no address",), []),
    (("ADR;TYPE=WORK:;;a;;;;", "ADR;TYPE=HOME:;;b;;;;"),
     ["ADR;TYPE=WORK,pref:;;a;;;;", "ADR;TYPE=HOME:;;b;;;;"]),
    (("ADR:;;a;;;;", "ADR:;;b;;;;"), ["ADR;TYPE=x-other:;;a;;;;", "ADR:;;b;;;;"]),
    (("TEL;TYPE=CELL:1", "TEL;TYPE=CELL:2"), ["TEL;TYPE=CELL,pref:1", "TEL;TYPE=CELL,x-2nd:2"]),
    (("TEL;TYPE=CELL:1", "TEL;TYPE=WORK,VOICE:2", "TEL;TYPE=HOME,VOICE:3"),
     ["TEL;TYPE=CELL:1", "TEL;TYPE=WORK,VOICE:2", "TEL;TYPE=HOME,VOICE:3"]),
    (("TEL;TYPE=WORK,VOICE:1", "TEL;TYPE=HOME,VOICE:2", "TEL;TYPE=HOME,VOICE:3", "TEL;TYPE=WORK,VOICE:4"),
     ["TEL;TYPE=WORK,VOICE,pref:1", "TEL;TYPE=HOME,VOICE,pref:2", "TEL;TYPE=HOME,VOICE,x-2nd:3",
      "TEL;TYPE=WORK,VOICE,x-2nd:4"]),
    (("TEL;TYPE=WORK,FAX:1", "TEL;TYPE=WORK,FAX:2", "TEL;TYPE=PREF,VOICE:3"),
     ["TEL;TYPE=WORK,FAX:1", "TEL;TYPE=WORK,FAX:2", "TEL;TYPE=PREF,VOICE:3"]),
    ((r"NICKNAME:A\,B",), ["NICKNAME:A,B"]),
    ((r"CATEGORIES:A\, B\; C,D",), [r"CATEGORIES:A,B\; C,D"]),
    ((r"ORG:A\;",), ["ORG:A\\"]),
    ((r"ORG:A\;B",), [r"ORG:A\;B"]),
    (("CLASS:CONFIDENTIAL",), ["CLASS:PRIVATE"]),
    (("FBURL:http://example.com",), []),
    (("BDAY:--0304",), ["BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-04"]),
    (("X-FOO:bar",), ["X-FOO:bar"]),
])  # fmt: skip
def test_a_card_is_rewritten(alice: Asker, given: tuple[str, ...], found: list[str]) -> None:
    assert kept(alice, *given) == found


def test_an_umlaut_in_an_address_refuses_the_whole_card(alice: Asker) -> None:
    answer = alice.ask("PUT", f"{BOOK}k.vcf", card("c", "EMAIL:müller@x.de"))
    assert (answer.status_code, answer.content) == (400, b"")


def test_two_cuts_are_stored_and_three_are_not(alice: Asker) -> None:
    assert put_card(alice, f"FN:{'f' * 400}") == 201  # display name and file-as: two
    assert len(alice.get(f"{BOOK}k.vcf").value("FN")) == 320
    assert put_card(alice, f"NOTE:{'n' * 66_000}", name=f"{'l' * 129};x;;;") == 201
    found = alice.get(f"{BOOK}k.vcf")
    assert (len(found.value("NOTE")), found.value("N")) == (65535, f"{'l' * 128};x")
    assert alice.put(f"{BOOK}z.vcf", card("z", f"FN:{'f' * 400}", name=f"{'l' * 129};x;;;")) == 201
    assert alice.ask("GET", f"{BOOK}z.vcf").status_code == 404


def test_a_note_of_too_many_bytes_breaks_the_server(alice: Asker) -> None:
    assert put_card(alice, f"NOTE:{'ä' * 66_000}") == 500
    assert alice.ask("GET", f"{BOOK}k.vcf").status_code == 404


@pytest.mark.parametrize(("size", "status"), [(3_000_000, 201), (5_000_000, 403)])
def test_a_photo_has_a_limit(alice: Asker, size: int, status: int) -> None:
    photo = f"PHOTO;ENCODING=b;TYPE=JPEG:{base64.b64encode(b'x' * size).decode()}"
    answer = alice.ask("PUT", f"{BOOK}k.vcf", card("c", photo))
    assert (answer.status_code, b"max-resource-size" in answer.content) == (status, status == 403)


@pytest.mark.parametrize("kind", ["KIND", "X-ADDRESSBOOKSERVER-KIND"])
def test_a_group_is_taken_and_never_seen_again(alice: Asker, kind: str) -> None:
    assert put_card(alice, f"{kind}:group") == 201
    assert alice.ask("GET", f"{BOOK}k.vcf").status_code == 404
    assert alice.listed(BOOK) == []


def test_the_calendar_of_birthdays_fills_itself(alice: Asker) -> None:
    put_card(alice, "BDAY:1980-02-29")
    (name,) = alice.listed("/caldav/Y2FsOi8vMS8w/")
    assert name.startswith("32-")
    birthday = alice.event(f"/caldav/Y2FsOi8vMS8w/{name}")
    assert (birthday.value("DTSTART"), birthday.value("SUMMARY")) == ("19800229", "Max Muster")
    assert alice.put(f"/caldav/Y2FsOi8vMS8w/{name}", event("a")) == 403
