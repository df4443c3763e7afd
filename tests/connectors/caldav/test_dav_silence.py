"""No invitation, update or cancellation leaves because of what is written, replaced or removed."""

from __future__ import annotations

import datetime

import pytest
from dav_desk import CALENDAR, PASSWORD_ENV, Desk, item, written
from results import codes
from server_fixtures import radicale_fixture
from servers.dav.manners import manners
from servers.dav.scheduling import ProductName, SchedulingServer, address_of, start_scheduling
from servers.smtp_sink import SmtpSink

from model.kinds import Kind
from model.protocols import Item, Stored, key_of
from practice.dav.radicale import USER_PASSWORD, RadicaleServer

PRODUCTS: tuple[ProductName, ...] = ("nextcloud", "cyrus")
LATER = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).strftime("%Y%m%dT%H0000Z")
OBJECT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Test//EN\r\nBEGIN:VEVENT\r\nUID:meeting\r\n"
    "DTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDURATION:PT1H\r\nSEQUENCE:{number}\r\n"
    "RRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY:Runde {number}\r\nORGANIZER:mailto:{organizer}\r\n"
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}\r\nATTENDEE;RSVP=TRUE:mailto:{colleague}\r\n"
    "ATTENDEE;RSVP=TRUE:mailto:eve@elsewhere.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


staff = radicale_fixture([f"organizer{number}" for number in range(20)] + ["colleague"], provisioned=True)


def meeting(user: str, number: int, replaces: Stored | None = None) -> Item:
    text = OBJECT.format(
        start=LATER, number=number, organizer=address_of(user), colleague=address_of("colleague")
    )
    made = item(1, text.encode(), uid="meeting", replaces=replaces)
    return Item(
        Kind.CALENDAR, key_of("meeting"), made.digest, made.size, made.body, uid="meeting", replaces=replaces
    )


_users = iter(f"organizer{number}" for number in range(20))


def _moves(server: SchedulingServer, desk: Desk, profile: str) -> None:
    """A meeting is written, changed and removed, through the product's own habits."""
    user = next(_users)
    there = Desk(server.radicale, user, desk.spool, server)
    there_target = there.open(*server.layers, profile=profile)
    try:
        href = there_target.ensure(CALENDAR)
        (first,) = written(there_target, href, meeting(user, 1))
        (second,) = written(there_target, href, meeting(user, 2, first))
        assert codes(there_target.remove(href, [second])) == [""]
    finally:
        there.close()
    server.settle()


@pytest.mark.parametrize(
    ("product", "profile"), [(one, profile) for one in PRODUCTS for profile in (one, "generic")]
)
def test_nobody_is_invited(
    desk: Desk, staff: RadicaleServer, product: ProductName, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with SmtpSink() as sink:
        server = start_scheduling(staff, product, sink, around=manners(product, staff))
        try:
            _moves(server, desk, profile)
        finally:
            server.stop()
        assert server.scheduling.let_out == 0
        assert sink.mails == []


def test_a_product_that_hears_no_header_would_have_invited(
    desk: Desk, staff: RadicaleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows that the others were asked to, and that an unproven profile needs its invitation probe."""
    with SmtpSink() as sink:
        server = start_scheduling(staff, "deaf", sink)
        try:
            _moves(server, desk, "generic")
        finally:
            server.stop()
        assert server.scheduling.let_out > 0
        assert {one.recipient for one in sink.mails} >= {"eve@elsewhere.example"}


@pytest.mark.parametrize("profile", ["nextcloud", "cyrus", "generic"])
def test_every_put_and_every_delete_carries_the_words(desk: Desk, profile: str) -> None:
    target = desk.open(profile=profile)
    href = target.ensure(CALENDAR)
    (first,) = written(target, href, item(1))
    (second,) = written(target, href, item(1, replaces=first))
    assert codes(target.remove(href, [second])) == [""]
    words = {
        "nextcloud": ({"x-nc-scheduling": "false"}, {"Schedule-Reply": "F"}),
        "cyrus": ({"Scheduling-Enabled": "F"}, {"Scheduling-Enabled": "F", "Schedule-Reply": "F"}),
        "generic": (
            {
                "x-nc-scheduling": "false",
                "Scheduling": "none",
                "Scheduling-Enabled": "F",
                "Schedule-Reply": "F",
            },
        )
        * 2,
    }
    put, delete = words[profile]
    assert len(desk.sent("PUT")) == 2
    for method, wanted in (("PUT", put), ("DELETE", delete)):
        for one in desk.sent(method):
            assert {name: one.headers.get(name) for name in wanted} == wanted
