"""Large attachments of events on Open-Xchange, which stores them as 0 bytes if they stand inside: each is
added by itself (RFC 8607), once, and what is not kept is named."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import httpx
import pytest
from dav_desk import PASSWORD_ENV
from hypothesis import given
from hypothesis import strategies as st
from results import codes, stored
from servers.open_xchange.events import Row
from servers.open_xchange.server import OpenXchangeServer
from servers.smtp_sink import SmtpSink

from connectors.caldav.attachments import parted
from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.http import upload
from connectors.http.upload import PieceSink
from connectors.settings import Account
from mappings.compare.semantic_digest import calendar_differing, calendar_digest
from model.errors import Blocked, LeaseLost, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Guard, Item, Role, Stored, key_of
from model.target_losses import ATTACHMENT_REFUSED
from practice.dav.proxy import Fate, Forward, Reply, Request, reply

ANNA, BERT = "anna@ox.test", "bert@ox.test"
CALENDAR = Container(Kind.CALENDAR, "source-1", ("Kalender",), Role.CALENDAR)
MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
INSIDE = 1 << 18
Opened = Callable[..., DavTarget]
Files = dict[str, bytes]
SMALL: Files = {"klein.pdf": b"small" * 100}
BIG: Files = {"groß, 1; x.pdf": b"big" * 200_003}
SECOND: Files = {"zwei.pdf": b"second" * 60_000}


def digest(stream: BinaryIO) -> bytes:
    return calendar_digest(stream, MOMENT)


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running
        assert running.mails == []


@pytest.fixture
def suite(sink: SmtpSink) -> Iterator[OpenXchangeServer]:
    with OpenXchangeServer({ANNA: "Anna Adler", BERT: "Bert Bach"}, sink=sink) as server:
        yield server


@pytest.fixture
def opened(suite: OpenXchangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    monkeypatch.setenv(PASSWORD_ENV, suite.user_password)
    targets: list[DavTarget] = []

    def target(*, live: bool = False, guard: Guard = lambda: None) -> DavTarget:
        settings = DavSettings.model_validate(
            {
                "kind": "caldav",
                "url": suite.url,
                "profile": "open-xchange",
                "password": {"env": PASSWORD_ENV},
                "patience_seconds": 5,
            }
        )
        account = Account(login=ANNA)
        made = DavTarget(settings, account, guard, tmp_path, kind=Kind.CALENDAR, digest=digest, live=live)
        targets.append(made)
        return made

    yield target
    for target_ in targets:
        target_.close()


def event(files: Files, title: str = "Termin", lines: str = "") -> bytes:
    parts = "".join(
        f'ATTACH;ENCODING=BASE64;FILENAME="{name}";VALUE=BINARY;'
        f"FMTTYPE=application/pdf:{base64.b64encode(data).decode()}\n"
        for name, data in files.items()
    )
    made = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Test//EN\nBEGIN:VEVENT\nUID:uid-1\n"
        f"DTSTAMP:20261101T000000Z\nDTSTART:20261210T100000Z\nDTEND:20261210T110000Z\nSUMMARY:{title}\n"
        f"{lines}{parts}END:VEVENT\nEND:VCALENDAR\n"
    )
    return b"".join(folded(line) for line in made.splitlines())


def folded(line: str) -> bytes:
    raw = line.encode()
    if raw.isascii():
        return b"\r\n ".join(raw[at : at + 74] for at in range(0, len(raw), 74)) + b"\r\n"
    return raw + b"\r\n"


def item(raw: bytes, replaces: Stored | None = None) -> Item:
    return Item(
        kind=Kind.CALENDAR,
        key=key_of("item-1"),
        digest=digest(io.BytesIO(raw)),
        size=len(raw),
        body=lambda: io.BytesIO(raw),
        uid="uid-1",
        replaces=replaces,
    )


def told(suite: OpenXchangeServer, method: str) -> list[Request]:
    return [one for one in suite.requests if one.method == method]


def row(suite: OpenXchangeServer, path: str) -> Row:
    """Return the server's event."""
    (found,) = [
        found.rows[0]
        for folder in suite.context.own("calendar", suite.context.users[ANNA])
        if f"/{folder.segment}/" in path
        and (found := suite.suite.events.find(folder, path.rpartition("/")[2])) is not None
    ]
    return found


def kept(suite: OpenXchangeServer, href: str, name: str) -> list[tuple[str, int]]:
    """(file's name, bytes) of the event's attachments, by the server's own store."""
    contents = suite.suite.attachments.contents(row(suite, href + name).part)
    return sorted((known, len(data)) for known, data in contents)


def differing(target: DavTarget, href: str, name: str, raw: bytes) -> tuple[str, ...]:
    ((_, native),) = target.read(href, [name])
    assert not isinstance(native, Failed)
    assert native.body is not None
    with native.body() as stream:
        return calendar_differing(io.BytesIO(raw), stream, MOMENT)


def sizes(*files: Files) -> list[tuple[str, int]]:
    return sorted((name, len(data)) for one in files for name, data in one.items())


def test_attachments_of_any_size_arrive(opened: Opened, suite: OpenXchangeServer) -> None:
    raw = event(SMALL | BIG | SECOND, lines="ATTACH:https://example.org/agenda.pdf\n")
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(raw)]))
    assert (done.losses, done.digest) == ((), b"")
    assert differing(target, href, done.href, raw) == ()
    assert len(told(suite, "POST")) == 2
    for one in (*told(suite, "PUT"), *told(suite, "POST")):
        assert (one.headers["Scheduling"], one.headers["Schedule-Reply"]) == ("none", "F")
    assert all(one.headers["If-Match"] for one in told(suite, "POST"))
    assert all(len(one.body) < INSIDE for one in told(suite, "PUT"))
    assert target.capabilities.attachment_bytes == 32 << 20
    assert codes(target.remove(href, [replace(done, digest=digest(io.BytesIO(raw)))])) == [""]


def test_what_is_empty_at_the_target_differs(opened: Opened, suite: OpenXchangeServer) -> None:
    """As an earlier Kogge wrote it; a new write mends it."""
    raw = event(BIG)
    target = opened()
    href = target.ensure(CALENDAR)
    name = str(target.place(item(raw).key))
    headers = {"Content-Type": "text/calendar", "Scheduling": "none"}
    auth = (ANNA, suite.user_password)
    httpx.put(suite.url + href + name, content=raw, headers=headers, auth=auth).raise_for_status()
    assert differing(target, href, name, raw) == ("attachments",)
    stored(target.write(href, [item(raw)]))
    assert differing(target, href, name, raw) == ()
    assert len(kept(suite, href, name)) == 1


def test_what_another_wrote_over_is_read_and_not_trusted(opened: Opened, suite: OpenXchangeServer) -> None:
    """The name and the size are right, the bytes are not."""
    raw = event(SECOND)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(raw)]))
    known = suite.suite.attachments._known
    known[1] = replace(known[1], content=known[1].content[::-1])
    assert differing(target, href, done.href, raw) == ("attachments",)


def test_an_update_keeps_what_is_there_and_adds_what_is_new(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened()
    href = target.ensure(CALENDAR)
    (first,) = stored(target.write(href, [item(event(SMALL | BIG))]))
    posts = len(told(suite, "POST"))
    changed = event(SMALL | BIG | SECOND, "Termin, verlegt")
    (second,) = stored(target.write(href, [item(changed, replaces=first)]))
    assert differing(target, href, second.href, changed) == ()
    assert len(told(suite, "POST")) == posts + 1
    fewer = event(SECOND, "Termin, verlegt")
    (third,) = stored(target.write(href, [item(fewer, replaces=second)]))
    assert differing(target, href, third.href, fewer) == ()
    assert kept(suite, href, third.href) == sizes(SECOND)
    assert len(told(suite, "POST")) == posts + 1


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("after", [0, 1])
def test_a_worker_that_died_is_continued(
    opened: Opened, suite: OpenXchangeServer, live: bool, after: int
) -> None:
    """Between PUT and POST, and between two POSTs: what is there is neither sent again nor taken for a
    user's."""
    raw = event(SMALL | BIG | SECOND)
    left = after

    def dies() -> None:
        nonlocal left
        if told(suite, "PUT") and any(one.method == "GET" for one in suite.requests):
            left -= 1
            if left < 0 and len(told(suite, "POST")) == after:
                raise LeaseLost("fenced")

    died = opened(live=live, guard=dies)
    href = opened().ensure(CALENDAR)
    with pytest.raises(LeaseLost):
        list(died.write(href, [item(raw)]))
    assert len(told(suite, "POST")) == after
    again = opened(live=live)
    (done,) = stored(again.write(href, [item(raw)]))
    assert differing(again, href, done.href, raw) == ()
    assert len(told(suite, "POST")) == 2


def test_a_lost_reply_adds_nothing_twice(opened: Opened, suite: OpenXchangeServer) -> None:
    raw = event(BIG | SECOND)
    lost: list[str] = []

    def loses(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        if request.method == "POST" and len(lost) < 2:
            lost.append(request.path)
            return replace(answer, fate=Fate.LOST)
        return answer

    suite.layers = (loses,)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(raw)]))
    assert len(lost) == 2
    assert len(told(suite, "POST")) == 2
    assert differing(target, href, done.href, raw) == ()


def test_an_upload_that_lands_late_adds_nothing_twice(opened: Opened, suite: OpenXchangeServer) -> None:
    """The line is cut; the server carries the upload out only after it was looked for, and sent again."""
    cut: list[Request] = []

    def lands_late(request: Request, rest: Forward) -> Reply:
        if request.method != "POST" or "attachment-add" not in request.query:
            return rest(request)
        cut.append(request)
        if len(cut) == 1:
            return replace(reply(500), fate=Fate.LOST)
        if len(cut) == 2:
            rest(cut[0])
        return rest(request)

    suite.layers = (lands_late,)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(event(SMALL | BIG | SECOND))]))
    assert (done.losses, done.digest) == ((), b"")
    assert kept(suite, href, done.href) == sizes(SMALL, BIG, SECOND)
    assert differing(target, href, done.href, event(SMALL | BIG | SECOND)) == ()


def test_what_its_owner_edits_during_an_upload_is_not_removed(
    opened: Opened, suite: OpenXchangeServer
) -> None:
    def edits(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        if request.method == "POST":
            edited = row(suite, request.path)
            edited.part = edited.part.put("SUMMARY", "Anders")
            suite.suite.events.changed(edited)
        return answer

    suite.layers = (edits,)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(event(BIG))]))
    assert codes(target.remove(href, [replace(done, digest=item(event(BIG)).digest)])) == [
        "changed-at-target"
    ]


@pytest.mark.parametrize("status", [403, 413, 500])
def test_a_refused_attachment_is_a_loss(opened: Opened, suite: OpenXchangeServer, status: int) -> None:
    raw = event(SMALL | BIG | SECOND)

    def refuses(request: Request, rest: Forward) -> Reply:
        too_large = request.method == "POST" and len(request.body) > 500_000
        return reply(status) if too_large else rest(request)

    suite.layers = (refuses,)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(raw)]))
    assert done.losses == (ATTACHMENT_REFUSED,)
    without = event(SMALL | SECOND)
    assert differing(target, href, done.href, without) == ()
    assert done.digest == digest(io.BytesIO(without))
    assert len(told(suite, "POST")) <= 5


HTML = Reply(200, httpx.Headers({"Content-Type": "text/html"}), b"<html>back soon</html>")


@pytest.mark.parametrize(
    "faults", [[reply(500)] * 3, [HTML], [reply(412)] * 3, [reply(409)] * 3, [reply(403)], [reply(404)]]
)
def test_a_passing_fault_costs_no_attachment(
    opened: Opened, suite: OpenXchangeServer, faults: list[Reply]
) -> None:
    waiting = list(faults)
    suite.layers = (lambda one, rest: waiting.pop() if one.method == "POST" and waiting else rest(one),)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(event(BIG | SECOND))]))
    assert (done.losses, kept(suite, href, done.href)) == ((), sizes(BIG, SECOND))
    assert len(told(suite, "POST")) == len(faults) + 2


@pytest.mark.parametrize("error", [503, 404])
@pytest.mark.parametrize("status", [403, 500])
def test_a_collection_that_fails_as_well_refuses_no_attachment(
    opened: Opened, suite: OpenXchangeServer, status: int, error: int
) -> None:
    def fails(request: Request, rest: Forward) -> Reply:
        if request.method == "POST":
            return reply(status)
        has_begun = request.method == "PROPFIND" and told(suite, "POST")
        return reply(error) if has_begun else rest(request)

    target = opened()
    href = target.ensure(CALENDAR)
    suite.layers = (fails,)
    with pytest.raises(Blocked if error == 404 else Transient):
        list(target.write(href, [item(event(BIG))]))
    suite.layers = ()
    (done,) = stored(opened().write(href, [item(event(BIG))]))
    assert (done.losses, kept(suite, href, done.href)) == ((), sizes(BIG))


def test_an_outage_while_an_attachment_is_added_refuses_none(
    opened: Opened, suite: OpenXchangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The uploads fail, so does what is asked in between; only the last look is answered again."""
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    target = opened()
    href = target.ensure(CALENDAR)
    failing = {"POST": 4, "PROPFIND": 0}

    def fails(request: Request, rest: Forward) -> Reply:
        if not failing.get(request.method, 0):
            return rest(request)
        failing[request.method] -= 1
        failing["PROPFIND"] += request.method == "POST"
        return reply(500)

    suite.layers = (fails,)
    (done,) = stored(target.write(href, [item(event(BIG))]))
    assert (done.losses, kept(suite, href, done.href)) == ((), sizes(BIG))


def test_an_event_that_is_changed_all_the_time_loses_no_attachment(
    opened: Opened, suite: OpenXchangeServer
) -> None:
    """Each upload comes too late by one change; the outcome is open, and the next run adds it."""
    target = opened()
    href = target.ensure(CALENDAR)

    def changes(request: Request, rest: Forward) -> Reply:
        if request.method != "POST":
            return rest(request)
        suite.suite.events.changed(row(suite, request.path))
        return reply(412)

    suite.layers = (changes,)
    with pytest.raises(Transient):
        list(target.write(href, [item(event(BIG))]))
    suite.layers = ()
    (done,) = stored(opened().write(href, [item(event(BIG))]))
    assert (done.losses, kept(suite, href, done.href)) == ((), sizes(BIG))


def test_an_attachment_that_is_stored_empty_is_removed_and_a_loss(
    opened: Opened, suite: OpenXchangeServer
) -> None:
    def empties(request: Request, rest: Forward) -> Reply:
        if "attachment-add" in request.query:
            request = replace(request, body=b"")
        return rest(request)

    suite.layers = (empties,)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(event(SMALL | BIG))]))
    assert done.losses == (ATTACHMENT_REFUSED,)
    assert kept(suite, href, done.href) == sizes(SMALL)


@pytest.mark.parametrize("status", [403, 404])
def test_what_cannot_be_read_back_is_not_sent_again(
    opened: Opened, suite: OpenXchangeServer, status: int
) -> None:
    suite.layers = (lambda one, rest: reply(status) if "/attachments/" in one.path else rest(one),)
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(event(SMALL | BIG | SECOND))]))
    assert done.losses == (ATTACHMENT_REFUSED,)
    assert len(told(suite, "POST")) == 2
    assert kept(suite, href, done.href) == sizes(SMALL, BIG, SECOND)
    assert differing(target, href, done.href, event(SMALL)) == ("attachments",)


@pytest.mark.parametrize("taken", [SECOND, {}])
def test_a_meeting_that_colleagues_have_answered_keeps_answers_and_attachments(
    opened: Opened, suite: OpenXchangeServer, taken: Files
) -> None:
    """The organizer's update is refused (403) unless the answers are those that are there."""
    people = "ORGANIZER:mailto:{}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{}\nATTENDEE;PARTSTAT={}:mailto:{}\n"

    def meeting(title: str, answer: str, files: Files) -> bytes:
        return event(files, title, people.format(ANNA, ANNA, answer, BERT))

    target = opened()
    href = target.ensure(CALENDAR)
    (first,) = stored(target.write(href, [item(meeting("Runde", "TENTATIVE", BIG))]))
    folder = suite.context.own("calendar", suite.context.users[BERT])[0].segment
    httpx.put(
        f"{suite.url}/caldav/{folder}/uid-1.ics",
        content=meeting("Runde", "DECLINED", {}),
        headers={"Content-Type": "text/calendar", "Scheduling": "none"},
        auth=(BERT, suite.user_password),
    ).raise_for_status()
    if not taken:
        suite.layers = (lambda one, rest: reply(413) if one.method == "POST" else rest(one),)
    changed = meeting("Runde, verlegt", "TENTATIVE", BIG | SECOND)
    (second,) = stored(target.write(href, [item(changed, replaces=first)]))
    refused = [] if taken else ["refused-by-target"]
    assert [loss.reason for loss in second.losses] == [*refused, "answer-stays"]
    assert kept(suite, href, second.href) == sizes(BIG, taken)
    meant = meeting("Runde, verlegt", "DECLINED", BIG | taken)
    assert differing(target, href, second.href, meant) == ()
    assert second.digest == digest(io.BytesIO(meant))


def test_a_server_that_is_busy_leaves_the_outcome_open(opened: Opened, suite: OpenXchangeServer) -> None:
    suite.layers = (lambda one, rest: reply(503) if one.method == "POST" else rest(one),)
    target = opened()
    href = target.ensure(CALENDAR)
    with pytest.raises(Transient):
        list(target.write(href, [item(event(BIG))]))
    suite.layers = ()
    (done,) = stored(opened().write(href, [item(event(BIG))]))
    assert differing(target, href, done.href, event(BIG)) == ()


def test_one_of_several_events_gets_no_large_attachment(opened: Opened, suite: OpenXchangeServer) -> None:
    """Nobody measured to which of them the server adds it; no mapping makes such an object."""
    raw = event(BIG, lines="RRULE:FREQ=DAILY;COUNT=3\n")
    other = event({}, "Anders", "RECURRENCE-ID:20261211T100000Z\n")
    both = raw.replace(b"END:VCALENDAR\r\n", b"") + other.partition(b"EN\r\n")[2]
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(both)]))
    assert done.losses == (ATTACHMENT_REFUSED,)
    assert told(suite, "POST") == []
    assert target.capabilities.series_attachment_bytes == INSIDE


def test_without_the_offer_nothing_large_is_promised(opened: Opened, suite: OpenXchangeServer) -> None:
    def offers_less(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        headers = answer.headers.copy()
        headers["DAV"] = headers.get("DAV", "").replace("calendar-managed-attachments,", "")
        return replace(answer, headers=headers)

    suite.layers = (offers_less,)
    assert opened().capabilities.attachment_bytes == INSIDE


def test_the_name_of_a_file_arrives(opened: Opened, suite: OpenXchangeServer) -> None:
    target = opened()
    stored(target.write(target.ensure(CALENDAR), [item(event(BIG))]))
    (sent,) = told(suite, "POST")
    disposition = Message()
    disposition["Content-Disposition"] = sent.headers["Content-Disposition"]
    assert sent.headers["Content-Disposition"].isascii()
    assert unquote(disposition.get_filename() or "") == next(iter(BIG))


def test_only_what_is_large_is_taken_out(tmp_path: Path) -> None:
    damaged = b"ATTACH;ENCODING=BASE64;VALUE=BINARY:" + b"A" * 401 + b"\r\n"
    raw = event(SMALL | SECOND, lines="ATTACH:https://example.org/a.pdf\nDESCRIPTION:ATTACH;\n")
    raw = raw.replace(b"END:VEVENT", damaged + b"END:VEVENT")
    parcel = parted(lambda: io.BytesIO(raw), 300, lambda: PieceSink(tmp_path, 1000))
    (small, large) = parcel.large
    assert [one.name for one in (small, large)] == [*SMALL, *SECOND]
    for one, data in zip((small, large), (*SMALL.values(), *SECOND.values()), strict=True):
        with one.content.body() as stream:
            assert stream.read() == data
    with parcel.body() as stream:
        rest = stream.read()
    assert rest == event({}, lines="ATTACH:https://example.org/a.pdf\nDESCRIPTION:ATTACH;\n").replace(
        b"END:VEVENT", damaged + b"END:VEVENT"
    )
    assert (parcel.size, parcel.alone) == (len(rest), True)
    with parcel.without([])() as stream:
        assert digest(stream) == digest(io.BytesIO(raw))


@given(
    st.dictionaries(st.sampled_from(["a.pdf", "b.pdf", "c.pdf"]), st.binary(max_size=300)),
    st.integers(0, 300),
)
def test_what_is_taken_apart_means_the_same_together(files: Files, most: int) -> None:
    raw = event(files)
    parcel = parted(lambda: io.BytesIO(raw), most, lambda: PieceSink(Path("unused"), 10**6))
    assert {one.name for one in parcel.large} == {name for name, data in files.items() if len(data) > most}
    with parcel.without([])() as stream:
        assert digest(stream) == digest(io.BytesIO(raw))
    assert parcel.missing([]) == list(parcel.large)
    assert parcel.missing(parcel.large) == []


def test_an_attachment_that_cannot_be_read_differs(opened: Opened, suite: OpenXchangeServer) -> None:
    """It is asked for a few times, once, and the other objects are read."""
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(event(BIG))]))
    suite.layers = (lambda one, rest: reply(500) if "/attachments/" in one.path else rest(one),)
    again = opened()
    before = len(told(suite, "GET"))
    for _ in range(2):
        assert differing(again, href, done.href, event(BIG)) == ("attachments",)
    assert len([one for one in told(suite, "GET")[before:] if "/attachments/" in one.path]) == 4


def test_an_attachment_that_is_too_large_to_read_differs(
    opened: Opened, suite: OpenXchangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = opened()
    href = target.ensure(CALENDAR)
    (done,) = stored(target.write(href, [item(event(BIG))]))
    monkeypatch.setattr(upload, "MOST", len(BIG["groß, 1; x.pdf"]) - 1)
    assert differing(target, href, done.href, event(BIG)) == ("attachments",)


@pytest.mark.parametrize("live", [False, True])
def test_an_attachment_that_cannot_be_looked_at_is_not_sent_twice(
    opened: Opened, suite: OpenXchangeServer, live: bool
) -> None:
    """The reply to its upload is lost, and then the server gives it to nobody for a while."""
    lost: list[str] = []

    def loses(request: Request, rest: Forward) -> Reply:
        if "/attachments/" in request.path:
            return reply(500)
        answer = rest(request)
        if request.method == "POST":
            lost.append(request.path)
            return replace(answer, fate=Fate.LOST)
        return answer

    target = opened(live=live)
    href = target.ensure(CALENDAR)
    suite.layers = (loses,)
    for _ in range(2 if live else 1):
        with pytest.raises(Transient):
            list(opened(live=live).write(href, [item(event(BIG))]))
    assert len(lost) == 1 or not live  # in staging a new PUT drops what was there
    suite.layers = ()
    (done,) = stored(opened(live=live).write(href, [item(event(BIG))]))
    assert (done.losses, kept(suite, href, done.href)) == ((), sizes(BIG))
