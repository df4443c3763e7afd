"""What Open-Xchange App Suite 8.19 does otherwise than the standards say, and how it is met."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from dav_desk import PASSWORD_ENV, event, item, meaning
from results import codes, stored
from servers.open_xchange.server import OpenXchangeServer
from servers.smtp_sink import SmtpSink

from connectors.caldav.sequence import at_least, sequence
from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Item, Role, Stored, key_of
from practice.dav.proxy import Forward, Reply, Request, reply

ANNA, BERT = "anna@ox.test", "bert@ox.test"
CALENDAR = Container(Kind.CALENDAR, "source-1", ("Kalender",), Role.CALENDAR)
SECOND = Container(Kind.CALENDAR, "source-2", ("Schichtplan",))
TASKS = Container(Kind.TASKS, "source-3", ("Tasks",), Role.TASKS)
CONTACTS = Container(Kind.CONTACTS, "source-4", ("Contacts",), Role.CONTACTS)
Opened = Callable[..., DavTarget]
LATER = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y%m%dT%H0000Z")
MEETING = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Test//EN\r\nBEGIN:VEVENT\r\nUID:meeting\r\n"
    "DTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDURATION:PT1H\r\nSEQUENCE:{number}\r\n"
    "RRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY:Runde {number}\r\nORGANIZER:mailto:{organizer}\r\n"
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}\r\nATTENDEE;RSVP=TRUE:mailto:{colleague}\r\n"
    "ATTENDEE;RSVP=TRUE:mailto:eve@elsewhere.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running


@pytest.fixture
def suite(sink: SmtpSink) -> Iterator[OpenXchangeServer]:
    with OpenXchangeServer({ANNA: "Anna Adler", BERT: "Bert Bach"}, sink=sink) as server:
        yield server


@pytest.fixture
def opened(suite: OpenXchangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    monkeypatch.setenv(PASSWORD_ENV, suite.user_password)
    targets: list[DavTarget] = []

    def target(kind: Kind = Kind.CALENDAR, profile: str = "open-xchange") -> DavTarget:
        settings = DavSettings.model_validate(
            {
                "kind": "carddav" if kind is Kind.CONTACTS else "caldav",
                "url": suite.url,
                "profile": profile,
                "password": {"env": PASSWORD_ENV},
                "patience_seconds": 5,
            }
        )
        made = DavTarget(settings, Account(login=ANNA), lambda: None, tmp_path, kind=kind, digest=meaning)
        targets.append(made)
        return made

    yield target
    for target_ in targets:
        target_.close()


def asked(suite: OpenXchangeServer, method: str) -> list[str]:
    return [one.path for one in suite.requests if one.method == method]


def of_today(number: int, text: str = "") -> bytes:
    """An event that listings show."""
    today = datetime.now(UTC).strftime("%Y%m%d").encode()
    raw = event(number, text=text).replace(b"DTSTART:20210304", b"DTSTART:" + today)
    return raw.replace(b"DTSTAMP:20210304", b"DTSTAMP:" + today)


def meeting(number: int, replaces: Stored | None = None) -> Item:
    text = MEETING.format(start=LATER, number=number, organizer=ANNA, colleague=BERT)
    return item(1, text.encode(), uid="meeting", replaces=replaces)


def task(number: int) -> Item:
    key = key_of(f"item-{number}")
    raw = event(number, uid=f"kogge-{key.hex()}").replace(b"VEVENT", b"VTODO")
    return replace(item(number, raw, kind=Kind.TASKS), key=key, uid=f"kogge-{key.hex()}")


def put(suite: OpenXchangeServer, path: str, raw: bytes, user: str = ANNA) -> None:
    """By the account's owner, with a client of their own, who invites nobody."""
    headers = {"Content-Type": "text/calendar", "Scheduling": "none"}
    auth = (user, suite.user_password)
    httpx.put(suite.url + path, content=raw, headers=headers, auth=auth).raise_for_status()


def test_default_collections_are_used(opened: Opened) -> None:
    """The property for tasks names a URL that answers 404; the address book is known by its number."""
    for container in (CALENDAR, TASKS, CONTACTS):
        target = opened(container.kind)
        before = [one.id for one in target.containers()]
        href = target.ensure(container)
        assert href in before
        assert [one.id for one in target.containers() if one.role is container.role] == [href]
        assert [one.id for one in target.containers()] == before
        assert not target.clear(href)


def test_the_list_of_all_users_is_nobodys_own(opened: Opened) -> None:
    """It states DAV:write to everybody, and holds the colleagues."""
    omitted = {one.path: one.omit for one in opened(Kind.CONTACTS).containers()}
    assert omitted[("All Users",)] == "shared"
    assert omitted[("Contacts",)] is None


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS])
def test_a_taken_name_gets_a_number(opened: Opened, kind: Kind) -> None:
    target = opened(kind)
    names = [f"Dup{number}" for number in ("", " (2)", " (3)")]
    for number, name in enumerate(names):
        href = target.ensure(Container(kind, f"dup-{number}", ("Dup",)))
        assert target.ensure(Container(kind, f"dup-{number}", ("Dup",))) == href
        assert [one.path for one in target.containers() if one.id == href] == [(name,)]


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS])
def test_no_collection_is_known_to_be_empty(opened: Opened, suite: OpenXchangeServer, kind: Kind) -> None:
    """It may hold old events, recurring tasks or distribution lists."""
    target = opened(kind)
    href = target.ensure(Container(kind, "new", ("Neu",)))
    assert not target.clear(href)
    assert asked(suite, "DELETE") == []


def test_an_event_of_long_ago_is_found_by_its_name(opened: Opened) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    (old,), (new,) = (stored(target.write(href, [one])) for one in (item(1), item(2, of_today(2))))
    assert [one.href for one in target.listing(href)] == [new.href]
    names = [old.href, new.href, "k-none.ics"]
    assert {one.href for one in target.look_up(href, names)} == {old.href, new.href}
    assert target.capabilities.lists_partly


@pytest.mark.parametrize("kind", [Kind.TASKS, Kind.CONTACTS])
def test_tasks_and_cards_are_listed_whole(opened: Opened, kind: Kind) -> None:
    assert not opened(kind).capabilities.lists_partly


def test_a_collection_that_looks_empty_stays(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(SECOND)
    stored(target.write(href, [item(1)]))
    assert list(target.listing(href)) == []
    assert not target.clear(href)
    assert asked(suite, "DELETE") == []


def test_a_task_is_written_under_the_name_that_it_gets(opened: Opened) -> None:
    target = opened(Kind.TASKS)
    href = target.ensure(TASKS)
    (first,) = stored(target.write(href, [task(1)]))
    assert first.href == target.place(task(1).key)
    assert [one.href for one in target.listing(href)] == [first.href]
    (again,) = stored(target.write(href, [task(1)]))  # as after a lost reply
    assert again.href == first.href
    assert [one.href for one in target.listing(href)] == [first.href]
    assert stored(target.remove(href, [replace(first, digest=task(1).digest)]))
    assert list(target.listing(href)) == []


def test_an_opaque_url_is_adopted_and_found_again(opened: Opened, suite: OpenXchangeServer) -> None:
    href = opened(Kind.CALENDAR).ensure(SECOND)
    assert "k-" not in href
    assert opened(Kind.CALENDAR).ensure(SECOND) == href
    assert len(asked(suite, "MKCALENDAR")) == 1


def test_a_409_that_is_no_conflict_is_a_refusal(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    suite.layers = (lambda one, rest: reply(409) if one.method == "PUT" else rest(one),)
    assert codes(target.write(href, [item(1)])) == ["refused-by-target"]


def test_no_more_connections_than_the_profile_allows(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    busy, most, lock = 0, 0, threading.Lock()

    def counts(request: Request, rest: Forward) -> Reply:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.01)
        try:
            return rest(request)
        finally:
            with lock:
                busy -= 1

    suite.layers = (counts,)
    stored(target.write(href, [item(number) for number in range(20)]))
    assert most == 2


@pytest.mark.parametrize("profile", ["open-xchange", "generic"])
def test_nobody_is_invited(opened: Opened, suite: OpenXchangeServer, sink: SmtpSink, profile: str) -> None:
    """A meeting is written, changed and removed, through the product's own habits."""
    target = opened(Kind.CALENDAR, profile)
    href = target.ensure(CALENDAR)
    (first,) = stored(target.write(href, [meeting(1)]))
    (second,) = stored(target.write(href, [meeting(2, first)]))
    assert codes(target.remove(href, [replace(second, digest=meeting(2).digest)])) == [""]
    assert sink.mails == []
    for one in suite.requests:
        if one.method in ("PUT", "DELETE"):
            assert (one.headers["Scheduling"], one.headers["Schedule-Reply"]) == ("none", "F")


def test_without_the_words_everybody_would_have_been_invited(
    opened: Opened, suite: OpenXchangeServer, sink: SmtpSink
) -> None:
    target = opened(Kind.CALENDAR, "radicale")
    stored(target.write(target.ensure(SECOND), [meeting(1)]))
    assert {one.recipient for one in sink.mails} == {BERT, "eve@elsewhere.example"}


def test_an_event_of_somebody_else_stands_for_an_item(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    put(suite, href + "invited.ics", event(5, uid="meeting"))
    put(suite, href + "other.ics", event(6, uid="taken", text=" something else"))
    today = of_today(7).replace(b"UID:uid-7", b"UID:today")
    put(suite, href + "today.ics", today)
    (via,) = stored(target.write(href, [item(7, today, uid="today")]))
    assert (via.href, via.via) == ("today.ics", True)
    assert codes(target.remove(href, [via])) == ["cannot-remove"]
    # Of one that no listing shows the name is not known, so nobody knows whose it is.
    assert codes(target.write(href, [item(5, uid="meeting")])) == ["duplicate-uid"]
    assert codes(target.write(href, [item(6, uid="taken")])) == ["uid-conflict"]


def test_a_uid_of_the_same_calendar_is_found_whatever_its_age(opened: Opened) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    stored(target.write(href, [item(1, uid="taken")]))
    assert codes(target.write(href, [item(2, event(1, uid="taken"), uid="taken")])) == ["duplicate-uid"]
    (other,) = target.write(href, [item(3, event(3, uid="taken"), uid="taken")])
    assert isinstance(other, Failed)
    assert other.error.code == "uid-conflict"


def test_a_uid_of_another_calendar_is_found(opened: Opened) -> None:
    target = opened(Kind.CALENDAR)
    first, second = target.ensure(CALENDAR), target.ensure(SECOND)
    stored(target.write(first, [item(1, uid="taken")]))
    assert codes(target.write(second, [item(2, event(1, uid="taken"), uid="taken")])) == ["duplicate-uid"]


def test_an_event_is_replaced_again_and_again(opened: Opened) -> None:
    """The server counts SEQUENCE up, and refuses one that is lower than its own."""
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    (old,) = stored(target.write(href, [item(1)]))
    for text in (" moved", " moved again", " and again"):
        changed = item(1, event(1, text=text), replaces=Stored(old.key, old.href))
        (old,) = stored(target.write(href, [changed]))
        ((_, native),) = target.read(href, [old.href])
        assert not isinstance(native, Failed)
        assert native.body is not None
        with native.body() as stream:
            assert f"SUMMARY:Number 1{text}".encode() in stream.read()


def test_a_calendar_of_more_events_than_a_listing_may_have(opened: Opened, suite: OpenXchangeServer) -> None:
    suite.suite.max_results = 7
    target = opened(Kind.CALENDAR)
    href = target.ensure(SECOND)
    written = stored(target.write(href, [item(number, of_today(number)) for number in range(20)]))
    assert {one.href for one in target.listing(href)} == {one.href for one in written}
    assert len(asked(suite, "REPORT")) == 3 + 1  # three pages, and a look at what was written


def test_a_uid_that_no_path_can_have_costs_its_item_alone(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    for uid in ("a/b", "u" * 3000):
        put(suite, href + f"theirs-{len(uid)}.ics", event(5, uid=uid))
        assert codes(target.write(href, [item(5, uid=uid)])) == ["uid-conflict"]
    suite.layers = (lambda one, rest: reply(400) if "odd" in one.path else rest(one),)
    put(suite, href + "theirs.ics", event(5, uid="odd"))
    assert codes(target.write(href, [item(6, event(6, uid="odd"), uid="odd")])) == ["uid-conflict"]


def test_a_collection_that_its_owner_makes_meanwhile_is_not_ours(
    opened: Opened, suite: OpenXchangeServer
) -> None:
    target = opened(Kind.CALENDAR)
    before = {one.id for one in target.containers()}
    other = opened(Kind.CALENDAR)
    theirs = other.ensure(Container(Kind.CALENDAR, "theirs", ("Projekte",)))
    ours = target.ensure(Container(Kind.CALENDAR, "ours", ("Projekte",)))
    assert theirs not in before
    assert ours != theirs
    assert [one.path for one in target.containers() if one.id == ours] == [("Projekte (2)",)]


def test_two_address_books_of_one_name_are_told_apart(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CONTACTS)
    default = target.ensure(CONTACTS)
    second = target.ensure(Container(Kind.CONTACTS, "second", ("Firma",)))
    folder = next(one for one in suite.context.folders.values() if f"/{one.segment}/" in second)
    folder.title = "Contacts"
    books = list(opened(Kind.CONTACTS).containers())
    assert [one.id for one in books if one.role is Role.CONTACTS] == [default]
    assert [one.path for one in books if one.id in (default, second)] == [("Contacts",), ("Contacts",)]


def test_what_a_multiget_leaves_out_is_asked_for_alone(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)
    written = stored(target.write(href, [item(number) for number in range(4)]))

    def forgets(request: Request, rest: Forward) -> Reply:
        if request.method == "REPORT":
            gone = request.body.replace(written[1].href.encode(), b"k-nothing.ics")
            request = replace(request, body=gone)
        return rest(request)

    suite.layers = (forgets,)
    names = [one.href for one in written]
    assert {one.href for one in target.look_up(href, names)} == set(names)


def test_a_listing_without_an_end_is_no_listing(
    opened: Opened, suite: OpenXchangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(SECOND)
    numbers = itertools.count()

    def endless(request: Request, rest: Forward) -> Reply:
        if request.method == "PROPFIND" and request.headers.get("Depth") == "1" and request.path == href:
            return reply(400)
        if request.method != "REPORT":
            return rest(request)
        number = next(numbers)
        one = "<response><href>%s</href><status>HTTP/1.1 %s</status></response>"
        both = one % (f"{href}{number}.ics", "200 OK") + one % (href, "507 Full")
        body = f'<multistatus xmlns="DAV:">{both}<sync-token>t{number}</sync-token></multistatus>'
        return reply(207, body, kind="text/xml")

    suite.layers = (endless,)
    monkeypatch.setattr("connectors.caldav.read.PAGES_MOST", 20)
    with pytest.raises(Transient, match="not-dav"):
        list(target.listing(href))


def test_a_collection_that_is_gone_is_missing(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(SECOND)
    httpx.delete(suite.url + href, auth=(ANNA, suite.user_password)).raise_for_status()
    for ask in (lambda: target.position(href), lambda: list(target.listing(href))):
        with pytest.raises(Blocked, match="container-missing"):
            ask()


@pytest.mark.parametrize(
    ("lines", "number", "expected"),
    [
        ("SUMMARY:a", 3, ["SEQUENCE:3", "SUMMARY:a"]),
        ("SEQUENCE:2\r\nSUMMARY:a", 3, ["SEQUENCE:3", "SUMMARY:a"]),
        ("SUMMARY:a\r\nSEQUENCE:7", 3, ["SUMMARY:a", "SEQUENCE:7"]),
        ("SUMMARY:SEQUENCE:9\r\n SEQUENCE:9", 3, ["SEQUENCE:3", "SUMMARY:SEQUENCE:9", " SEQUENCE:9"]),
        ("SUMMARY:a", 2**40, [f"SEQUENCE:{2**31 - 1}", "SUMMARY:a"]),
    ],
)
def test_the_sequence_of_every_event_is_raised(lines: str, number: int, expected: list[str]) -> None:
    raw = f"BEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\n".encode()
    whole = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + raw + raw + b"END:VCALENDAR\r\n"
    one = ["BEGIN:VEVENT", *expected, "END:VEVENT"]
    raised = at_least(whole, number)
    assert raised.decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        *one,
        *one,
        "END:VCALENDAR",
        "",
    ]
    assert sequence(lambda: io.BytesIO(raised)) == max(
        int(line.partition(":")[2]) for line in expected if line.startswith("SEQUENCE:")
    )


def a_card(number: int, lines: str = "") -> Item:
    raw = (
        f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:uid-{number}\r\nN:Adler;Anna;;;\r\n"
        f"FN:Anna {number}\r\n{lines}END:VCARD\r\n"
    )
    return item(number, raw.encode(), kind=Kind.CONTACTS)


def test_what_is_answered_with_201_and_not_stored_is_no_success(
    opened: Opened, suite: OpenXchangeServer
) -> None:
    target = opened(Kind.CONTACTS)
    href = target.ensure(CONTACTS)
    group = a_card(2, "X-ADDRESSBOOKSERVER-KIND:group\r\n")
    results = list(target.write(href, [a_card(1), group, a_card(3)]))
    assert {one.key: one.error.code for one in results if isinstance(one, Failed)} == {
        group.key: "dropped-by-target"
    }
    assert {one.key for one in stored(one for one in results if isinstance(one, Stored))} == {
        a_card(1).key,
        a_card(3).key,
    }
    assert len(asked(suite, "REPORT")) == 1


def test_an_event_that_is_dropped_is_no_success(opened: Opened, suite: OpenXchangeServer) -> None:
    suite.layers = (lambda one, rest: reply(201) if one.method == "PUT" else rest(one),)
    target = opened(Kind.CALENDAR)
    assert codes(target.write(target.ensure(CALENDAR), [item(1)])) == ["dropped-by-target"]


def test_what_was_written_before_a_fault_is_told(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened(Kind.CALENDAR)
    href = target.ensure(CALENDAR)

    def ends(request: Request, rest: Forward) -> Reply:
        return reply(507) if request.method == "PUT" and b"Number 9" in request.body else rest(request)

    suite.layers = (ends,)
    results: list[Stored | Failed] = []
    with pytest.raises(Blocked, match="over-quota"):
        results.extend(target.write(href, [item(number) for number in (1, 2, 9)]))
    assert codes(results) == ["", ""]
