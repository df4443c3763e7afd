"""Every profile before the product it is for: meetings are created, updated, given an exception and removed,
and nobody hears of it; without what the profile sends, everybody would."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from clocks import Clock
from server_fixtures import radicale_fixture, sink_fixture
from servers.dav.manners import manners, splits_categories
from servers.dav.scheduling import ProductName, SchedulingServer, start_scheduling
from servers.smtp_sink import SmtpSink

from connectors.caldav.products import ProfileName
from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.http.hrefs import Mine, anybody
from connectors.settings import Account, Secret
from mappings.compare.semantic_digest import calendar_digest
from model.kinds import Kind
from model.protocols import Container, Item, Role, Stored, key_of
from practice.dav.proxy import Forward, Reply, Request, reply
from practice.dav.radicale import USER_PASSWORD, RadicaleServer

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LAST = NOW + timedelta(days=730)
HEADERS = ("x-nc-scheduling", "schedule-reply", "scheduling", "scheduling-enabled")
PEOPLE = {"bert@practice.test", "eve@elsewhere.example"}
EVENT = """BEGIN:VEVENT\r
UID:u1\r
DTSTAMP:20260601T120000Z\r
DTSTART:202606{day}T{hour}0000Z\r
DTEND:202606{day}T{hour}3000Z\r
{which}\r
SEQUENCE:{sequence}\r
SUMMARY:Runde\r
ORGANIZER:mailto:anna@practice.test\r
ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@practice.test\r
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bert@practice.test\r
ATTENDEE;PARTSTAT=TENTATIVE:mailto:eve@elsewhere.example\r
END:VEVENT\r
"""
MATCHING: list[tuple[ProductName, ProfileName]] = [
    ("nextcloud", "nextcloud"),
    ("cyrus", "cyrus"),
    ("nextcloud", "generic"),
    ("cyrus", "generic"),
]


@dataclass
class Stripping:
    """A gateway that drops what it does not know."""

    on: bool = False

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if self.on:
            kept = [one for one in request.headers.multi_items() if one[0] not in HEADERS]
            request = Request(request.method, request.path, httpx.Headers(kept), request.body, request.target)
        return rest(request)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAV_PASSWORD", USER_PASSWORD)


radicale = radicale_fixture(["anna", "bert"], provisioned=True, scope="function")
sink = sink_fixture()


def body(sequence: int, *, exception: bool = False) -> bytes:
    rule = EVENT.format(
        day="10", hour=f"{9 + sequence:02}", which="RRULE:FREQ=DAILY;COUNT=4", sequence=sequence
    )
    which = f"RECURRENCE-ID:20260611T{9 + sequence:02}0000Z"
    moved = EVENT.format(day="11", hour="17", which=which, sequence=sequence) if exception else ""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//EN\r\n{rule}{moved}END:VCALENDAR\r\n".encode()


def digest(stream: BinaryIO) -> bytes:
    return calendar_digest(stream, LAST)


def item(text: bytes, replaces: Stored | None = None, key: str = "a") -> Item:
    return Item(
        Kind.CALENDAR,
        key_of(key),
        digest(io.BytesIO(text)),
        len(text),
        partial(io.BytesIO, text),
        replaces=replaces,
        uid="u1",
    )


def opened(
    server: SchedulingServer, profile: ProfileName, spool: Path, user: str = "anna", mine: Mine = anybody
) -> DavTarget:
    settings = DavSettings(
        kind="caldav",
        url=server.url,
        profile=profile,
        password=Secret(env="DAV_PASSWORD"),
        patience_seconds=5,
    )
    account = Account(login=user, address=f"{user}@practice.test")
    return DavTarget(settings, account, lambda: None, spool, kind=Kind.CALENDAR, digest=digest, mine=mine)


def stored(found: Iterator[object]) -> Stored:
    (one,) = found
    assert isinstance(one, Stored), one
    return one


def one_life(target: DavTarget) -> Iterator[str]:
    """Creates, updates, gives an exception, and removes; each step's name, when it is done."""
    container = Container(Kind.CALENDAR, "c1", ("Besprechungen",), Role.CALENDAR)
    href = target.ensure(container)
    first = stored(target.write(href, [item(body(0))]))
    yield "create"
    second = stored(target.write(href, [item(body(1), first)]))
    yield "update"
    third = stored(target.write(href, [item(body(1, exception=True), second)]))
    yield "exception"
    stored(target.remove(href, [third]))
    yield "remove"


def heard(server: SchedulingServer, sink: SmtpSink, clock: Clock) -> set[str]:
    """Who was mailed since the last call, when all that was gathered is out."""
    clock.now += timedelta(minutes=30)
    server.settle()
    found = {mail.recipient for mail in sink.mails}
    sink.clear()
    return found


@pytest.mark.parametrize(("product", "profile"), MATCHING)
def test_nobody_is_invited(
    radicale: RadicaleServer, sink: SmtpSink, tmp_path: Path, product: ProductName, profile: ProfileName
) -> None:
    clock, gateway = Clock(NOW), Stripping()
    around = (gateway, *manners(product, radicale, clock))
    with start_scheduling(radicale, product, sink, around=around, clock=clock) as server:
        target = opened(server, profile, tmp_path)
        for step in one_life(target):
            assert heard(server, sink, clock) == set(), step
        assert server.scheduling.let_out == 0
        assert not httpx.get(f"{radicale.home('bert')}calendar/", auth=("bert", USER_PASSWORD)).text.count(
            "u1"
        )
        target.close()


@pytest.mark.parametrize(("product", "profile"), MATCHING[:2])
def test_without_the_headers_everybody_is(
    radicale: RadicaleServer, sink: SmtpSink, tmp_path: Path, product: ProductName, profile: ProfileName
) -> None:
    clock, gateway = Clock(NOW), Stripping(on=True)
    around = (gateway, *manners(product, radicale, clock))
    with start_scheduling(radicale, product, sink, around=around, clock=clock) as server:
        target = opened(server, profile, tmp_path)
        for step in one_life(target):
            assert heard(server, sink, clock) == PEOPLE, step
        target.close()


def test_headers_are_lost_between_two_writes(
    radicale: RadicaleServer, sink: SmtpSink, tmp_path: Path
) -> None:
    """The sink is no ornament: it hears of exactly the write that came without them."""
    clock, gateway = Clock(NOW), Stripping()
    with start_scheduling(radicale, "nextcloud", sink, around=(gateway,), clock=clock) as server:
        target = opened(server, "nextcloud", tmp_path)
        mailed: dict[str, set[str]] = {}
        for step in one_life(target):
            mailed[step] = heard(server, sink, clock)
            gateway.on = step == "create"
        target.close()
    assert mailed == {"create": set(), "update": PEOPLE, "exception": set(), "remove": set()}


@pytest.mark.parametrize(("product", "profile"), MATCHING[:2])
def test_an_answer_that_comes_along_is_not_sent_to_the_organizer(
    radicale: RadicaleServer, sink: SmtpSink, tmp_path: Path, product: ProductName, profile: ProfileName
) -> None:
    clock = Clock(NOW)
    with start_scheduling(radicale, product, sink, clock=clock) as server:
        target = opened(server, profile, tmp_path, "bert")
        href = target.ensure(Container(Kind.CALENDAR, "c1", ("Besprechungen",), Role.CALENDAR))
        answered = body(0).replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED")
        kept = stored(target.write(href, [item(answered)]))
        assert heard(server, sink, clock) == set()
        stored(target.remove(href, [kept]))
        assert heard(server, sink, clock) == set()
        target.close()


def test_cyrus_splits_a_category_at_its_comma() -> None:
    """Also where its line is folded; what is no calendar, and every other comma, stays."""
    kept: list[bytes] = []

    def rest(request: Request) -> Reply:
        kept.append(request.body)
        return reply(201)

    def put(body: bytes) -> bytes:
        splits_categories(Request("PUT", "/a.ics", httpx.Headers(), body), rest)
        return kept[-1]

    event = b"BEGIN:VCALENDAR\r\nSUMMARY:a\\, b\r\nCATEGORIES:Rot,a\\\r\n ,b\\;c\r\nEND:VCALENDAR\r\n"
    wanted = b"BEGIN:VCALENDAR\r\nSUMMARY:a\\, b\r\nCATEGORIES:Rot,a,b\\;c\r\nEND:VCALENDAR\r\n"
    assert put(event) == wanted
    assert put(b"CATEGORIES:a\\,b\r\n") == b"CATEGORIES:a\\,b\r\n"
