"""Objects of a practice Open-Xchange: what is stored, under which name, and what listings tell of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ox_asking import (
    ALICE,
    ETAGS,
    NOW,
    QUERY,
    SPACES,
    SYNC,
    USERS,
    Asker,
    asking,
    event,
    gone,
    names,
    token,
    vevent,
)
from ox_asking import calendar as whole
from servers.open_xchange.server import OpenXchangeServer

OLD, FAR = "20190610T10", "20280610T10"


def sequence(asker: Asker, path: str) -> str:
    return asker.event(path).value("SEQUENCE")


def test_a_put_is_201_without_an_etag_new_or_not(alice: Asker) -> None:
    for _ in range(2):
        answer = alice.ask("PUT", f"{ALICE}a.ics", event("a"))
        assert (answer.status_code, answer.content, "ETag" in answer.headers) == (201, b"", False)


def test_if_none_match_counts_for_the_name_and_the_uid(alice: Asker) -> None:
    assert alice.put(f"{ALICE}k-1.ics", event("a"), If_None_Match="*") == 201
    assert alice.put(f"{ALICE}k-1.ics", event("a"), If_None_Match="*") == 412
    assert alice.put(f"{ALICE}a.ics", event("a"), If_None_Match="*") == 412


def test_an_event_keeps_its_name_and_answers_under_its_uid(alice: Asker) -> None:
    alice.put(f"{ALICE}k-1.ics", event("a", "SUMMARY:x"))
    assert alice.event(f"{ALICE}k-1.ics") == alice.event(f"{ALICE}a.ics")
    assert alice.listed(ALICE) == ["k-1.ics"]


def test_the_server_raises_the_sequence_and_refuses_one_that_is_behind(alice: Asker) -> None:
    path = f"{ALICE}a.ics"
    alice.put(path, event("a", "SUMMARY:1"))
    assert sequence(alice, path) == "0"
    assert alice.put(path, event("a", "SUMMARY:2")) == 201
    assert sequence(alice, path) == "1"
    tag = alice.ask("GET", path).headers["ETag"]
    assert alice.put(path, event("a", "SUMMARY:3")) == 409
    assert alice.put(path, event("a", "SUMMARY:3"), If_Match=tag) == 409
    assert alice.put(path, event("a", "SUMMARY:3", "SEQUENCE:9"), If_Match='"53-1-1"') == 412
    assert alice.event(path).value("SUMMARY") == "2"
    assert alice.put(path, event("a", "SUMMARY:3", "SEQUENCE:9"), If_Match=tag) == 201
    assert sequence(alice, path) == "2"  # its own and one, not what was sent


def test_a_new_event_keeps_the_sequence_it_comes_with(alice: Asker) -> None:
    alice.put(f"{ALICE}a.ics", event("a", "SEQUENCE:7"))
    assert sequence(alice, f"{ALICE}a.ics") == "7"


def test_what_is_the_same_changes_nothing(alice: Asker) -> None:
    path = f"{ALICE}a.ics"
    alice.put(path, event("a"))
    before = alice.ask("GET", path).headers["ETag"]
    assert alice.put(path, event("a")) == 201
    assert (sequence(alice, path), alice.ask("GET", path).headers["ETag"]) == ("0", before)


def test_a_uid_is_unique_in_all_calendars_of_a_user(alice: Asker, bob: Asker) -> None:
    alice.make("Work")
    alice.put(f"{ALICE}a.ics", event("a", at=OLD))
    same = alice.ask("PUT", f"{ALICE}b.ics", event("a"))
    other = alice.ask("PUT", "/caldav/work/a.ics", event("a"))
    assert (same.status_code, b"no-uid-conflict" in same.content) == (403, True)
    assert (other.status_code, b"unique-scheduling-object-resource" in other.content) == (403, True)
    assert bob.put("/caldav/Y2FsOi8vMC80MQ/a.ics", event("a")) == 201


@pytest.fixture
def filled(alice: Asker) -> Asker:
    """With an event in the window, one before, one after, and a series that began long ago."""
    alice.put(f"{ALICE}in.ics", event("in"))
    alice.put(f"{ALICE}old.ics", event("old", at=OLD))
    alice.put(f"{ALICE}far.ics", event("far", at=FAR))
    alice.put(f"{ALICE}series.ics", event("series", "RRULE:FREQ=WEEKLY", at=OLD))
    return alice


SEEN = ["in.ics", "series.ics"]


def test_listings_see_a_window_only_and_reading_sees_everything(filled: Asker) -> None:
    assert filled.listed(ALICE) == SEEN
    for name in ("in", "old", "far", "series"):
        assert filled.event(f"{ALICE}{name}.ics").value("UID") == name
    hrefs = "".join(f"<D:href>{ALICE}{name}.ics</D:href>" for name in ("old", "far", "none"))
    body = f"<C:calendar-multiget {SPACES}><D:prop><D:getetag/></D:prop>{hrefs}</C:calendar-multiget>"
    answer = filled.ask("REPORT", ALICE, body, Depth="1")
    assert (names(answer), gone(answer)) == (["old.ics", "far.ics"], ["none.ics"])


@pytest.mark.parametrize(("inside", "found"), [
    ("", SEEN),
    ('<C:time-range start="19700101T000000Z" end="20991231T000000Z"/>', SEEN),
    ('<C:time-range start="20190101T000000Z" end="20200101T000000Z"/>', []),
    ('<C:time-range start="20270101T000000Z" end="20270201T000000Z"/>', ["series.ics"]),
    ('<C:prop-filter name="UID"><C:text-match>old</C:text-match></C:prop-filter>', SEEN),
])  # fmt: skip
def test_a_query_narrows_the_window_and_knows_no_uid(filled: Asker, inside: str, found: list[str]) -> None:
    assert names(filled.ask("REPORT", ALICE, QUERY % inside, Depth="1")) == found


def test_the_window_is_what_the_calendar_states(filled: Asker) -> None:
    for at, seen in (("20260930T23", False), ("20261001T00", True), ("20271231T23", True)):
        filled.put(f"{ALICE}{at}.ics", event(at, at=at))
        assert (f"{at}.ics" in filled.listed(ALICE)) is seen
    body = f"<D:propfind {SPACES}><D:prop><C:min-date-time/><C:max-date-time/></D:prop></D:propfind>"
    stated = filled.ask("PROPFIND", ALICE, body, Depth="0").text
    assert "20261001T000000Z" in stated
    assert "20280101T000000Z" in stated


def test_what_lasts_into_the_window_is_in_it(alice: Asker) -> None:
    alice.put(f"{ALICE}a.ics", event("a", "DTSTART:20260901T100000Z", "DURATION:P31D"))
    alice.put(f"{ALICE}b.ics", event("b", "DTSTART:20260901T100000Z", "DURATION:P20D"))
    alice.put(f"{ALICE}c.ics", event("c", "DTSTART;VALUE=DATE:20261001"))
    assert alice.listed(ALICE) == ["a.ics", "c.ics"]


def test_a_host_may_have_raised_the_window() -> None:
    raised = OpenXchangeServer(USERS, now=NOW, months=12, years=2)
    with raised as server, asking(server, "alice@ox.test") as one:
        one.put(f"{ALICE}a.ics", event("a", at="20260110T10"))
        one.put(f"{ALICE}b.ics", event("b", at=FAR))
        assert one.listed(ALICE) == ["a.ics", "b.ics"]


def test_a_synchronisation_tells_what_changed_in_the_window(filled: Asker) -> None:
    first = filled.ask("REPORT", ALICE, SYNC % "")
    assert names(first) == SEEN
    filled.put(f"{ALICE}new.ics", event("new"))
    filled.put(f"{ALICE}old-too.ics", event("old-too", at=OLD))
    for name in ("in", "old"):
        filled.ask("DELETE", f"{ALICE}{name}.ics")
    second = filled.ask("REPORT", ALICE, SYNC % token(first))
    assert (names(second), gone(second)) == (["new.ics"], ["in.ics"])
    third = filled.ask("REPORT", ALICE, SYNC % token(second))
    assert (names(third), gone(third), token(third)) == ([], [], token(second))


def test_tokens_that_never_were(filled: Asker) -> None:
    wrong = filled.ask("REPORT", ALICE, SYNC % "http://example.com/never")
    assert (wrong.status_code, b"valid-sync-token" in wrong.content) == (403, True)
    assert names(filled.ask("REPORT", ALICE, SYNC % "0")) == SEEN
    assert names(filled.ask("REPORT", ALICE, SYNC % "99999999999999.0.1")) == []


@pytest.fixture
def small() -> Iterator[Asker]:
    """Of a server that lists three events at most."""
    limited = OpenXchangeServer(USERS, now=NOW, max_results=3)
    with limited as server, asking(server, "alice@ox.test") as one:
        for number in range(5):
            one.put(f"{ALICE}{number}.ics", event(str(number)))
        yield one


def test_too_many_events_are_400_without_a_word(small: Asker) -> None:
    for answer in (
        small.ask("PROPFIND", ALICE, ETAGS, Depth="1"),
        small.ask("REPORT", ALICE, QUERY % "", Depth="1"),
    ):
        assert (answer.status_code, answer.content) == (400, b"")
    small.put(f"{ALICE}other.ics", event("other", at="20270301T10"))
    narrow = '<C:time-range start="20270301T000000Z" end="20270302T000000Z"/>'
    assert names(small.ask("REPORT", ALICE, QUERY % narrow, Depth="1")) == ["other.ics"]


def test_a_synchronisation_comes_in_pages(small: Asker) -> None:
    first = small.ask("REPORT", ALICE, SYNC % "")
    assert (names(first), len(gone(first))) == (["0.ics", "1.ics", "2.ics"], 1)
    assert b"507 Insufficient Storage" in first.content
    second = small.ask("REPORT", ALICE, SYNC % token(first))
    assert (names(second), gone(second)) == (["3.ics", "4.ics"], [])
    assert names(small.ask("REPORT", ALICE, SYNC % token(second))) == []


@pytest.mark.parametrize(("body", "status", "condition"), [
    (event("a", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM"), 400, ""),
    (event("a", "RECURRENCE-ID:20261210T100000Z"), 400, ""),
    (event("a", "DTSTART:20261210T100000", "RRULE:FREQ=DAILY;UNTIL=20261215T100000"), 400, ""),
    (whole("BEGIN:VEVENT", "UID:a", "END:VEVENT"), 400, ""),
    (event("a", "DTSTART:20261210T100000Z", "DTEND:20261210T090000Z"), 403, "valid-calendar-data"),
    (whole(vevent("a"), vevent("b")), 403, "valid-calendar-object-resource"),
    (whole(vevent("a"), vevent("a")), 403, "valid-calendar-object-resource"),
    (whole("BEGIN:VJOURNAL", "UID:a", "END:VJOURNAL"), 403, "supported-calendar-component"),
    (whole("BEGIN:VTODO", "UID:a", "END:VTODO"), 403, "supported-calendar-component"),
    ("no calendar", 403, "valid-calendar-data"),
])  # fmt: skip
def test_an_event_is_refused(alice: Asker, body: str, status: int, condition: str) -> None:
    answer = alice.ask("PUT", f"{ALICE}a.ics", body)
    assert (answer.status_code, condition in answer.text, bool(answer.content)) == (
        status,
        True,
        bool(condition),
    )
    assert alice.ask("GET", f"{ALICE}a.ics").status_code == 404


def test_a_lone_occurrence_of_a_foreign_meeting_is_taken(alice: Asker) -> None:
    lines = ("RECURRENCE-ID:20261210T100000Z", "ORGANIZER:mailto:boss@extern.test")
    assert alice.put(f"{ALICE}a.ics", event("a", *lines)) == 201
    assert alice.event(f"{ALICE}a.ics").value("RECURRENCE-ID") == "20261210T100000Z"


def test_an_object_is_deleted_under_its_condition(alice: Asker) -> None:
    path = f"{ALICE}a.ics"
    alice.put(path, event("a"))
    assert alice.ask("DELETE", path, If_Match='"53-9-9"').status_code == 412
    assert [alice.ask("DELETE", path).status_code for _ in range(2)] == [204, 404]
