"""Working hours at a calendar server: written where there are none, read back, and never over a person's."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from dav_desk import PASSWORD_ENV, Desk
from servers.dav.availability import INBOX, Availability

from connectors.caldav.availability import DavAvailability
from connectors.caldav.settings import DavSettings
from connectors.settings import Account, Secret
from connectors.sieve.hours import KEY, HoursPart
from mappings.hours.setting_item import setting_digest
from mappings.hours.working_hours import WorkingHours, available
from mappings.time.zones import UTC_ZONE, named_zone
from model.errors import LeaseLost, MigrationError, Transient
from model.kinds import Kind
from model.protocols import Failed, Item, Native, Stored
from model.working_hours import uid_of
from practice.dav.proxy import Fate, Forward, Layer, Reply, Request, dav_error, reply

OWN = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:Nextcloud DAV app\nBEGIN:VAVAILABILITY\nEND:VAVAILABILITY\n"
    "END:VCALENDAR"
)
UNTOLD = """<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>
<d:href>{}</d:href><d:propstat><d:prop><c:calendar-availability/></d:prop>
<d:status>HTTP/1.1 403 Forbidden</d:status></d:propstat></d:response></d:multistatus>"""
ELSEWHERE = UNTOLD.format("/somebody/inbox/").replace("403 Forbidden", "404 Not Found")
Open = Callable[..., HoursPart]


def hours(end: int = 17) -> Item:
    week = frozenset({"MO", "TU", "WE"})
    zone = named_zone("Europe/Berlin")
    body = available(WorkingHours(week, ((480, end * 60),), zone), uid_of(KEY))
    assert body is not None
    return Item(Kind.SETTINGS, KEY, digest(body), len(body), lambda: io.BytesIO(body))


def digest(body: bytes) -> bytes:
    return setting_digest(io.BytesIO(body))


@pytest.fixture
def server() -> Availability:
    return Availability()


@pytest.fixture
def part(desk: Desk, server: Availability) -> Iterator[Open]:
    opened: list[HoursPart] = []

    def make(*layers: Layer, live: bool = False, guard: Callable[[], None] = lambda: None) -> HoursPart:
        desk.proxy.layers = (*layers, server)
        settings = DavSettings(
            kind="caldav",
            url=desk.proxy.url,
            profile="nextcloud",
            password=Secret(env=PASSWORD_ENV),
            patience_seconds=5,
            timeout_seconds=5,
        )
        store = DavAvailability(settings, Account(login=desk.user), guard)
        opened.append(HoursPart(store, digest=setting_digest, live=live))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def outcome(part: HoursPart, item: Item) -> str:
    """ "" if it was written, else the code."""
    (result,) = part.write([item])
    return "" if isinstance(result, Stored) else result.error.code


def changes(desk: Desk) -> int:
    return len(desk.sent("PROPPATCH"))


@pytest.mark.parametrize("live", [False, True])
def test_hours_are_written_where_there_are_none_and_read_back(
    desk: Desk, part: Open, server: Availability, live: bool
) -> None:
    opened = part(live=live)
    assert list(opened.listing()) == []
    for _ in range(2):
        assert outcome(opened, hours()) == ""
    assert changes(desk) == 1, "what is there already is not sent again"
    (listed,) = opened.listing()
    ((name, native),) = opened.read([listed.href])
    assert name == KEY.hex()
    assert isinstance(native, Native)
    assert native.body is not None
    with native.body() as stream:
        assert setting_digest(stream) == hours().digest
    assert "TZID=Europe/Berlin:20240101T080000" in server.held[desk.user]


@pytest.mark.parametrize("text", [OWN, "no calendar at all", "BEGIN:VCALENDAR\nEND:VCALENDAR"])
def test_what_a_person_set_stays(desk: Desk, part: Open, server: Availability, text: str) -> None:
    server.held[desk.user] = text
    opened = part()
    assert outcome(opened, hours()) == "own-hours"
    assert list(opened.listing()) == [], "it is no item of ours"
    stored = Stored(KEY, KEY.hex(), digest=hours().digest)
    assert list(opened.remove([stored])) == [stored], "what is gone needs no removal"
    assert server.held[desk.user] == text
    assert changes(desk) == 0


@pytest.mark.parametrize("live", [False, True])
def test_the_same_hours_set_by_a_person_are_the_persons(
    desk: Desk, part: Open, server: Availability, live: bool
) -> None:
    """A person who saves what Kogge wrote makes it theirs: the web client writes it with a UID of its own."""
    opened = part(live=live)
    assert outcome(opened, hours()) == ""
    server.held[desk.user] = text = server.held[desk.user].replace(uid_of(KEY), "made-by-the-web-client")
    stored = Stored(KEY, KEY.hex(), digest=hours().digest)
    assert outcome(opened, hours()) == "own-hours"
    assert outcome(opened, replace(hours(18), replaces=stored)) == "own-hours"
    assert list(opened.listing()) == []
    assert list(opened.remove([stored])) == [stored]
    assert server.held[desk.user] == text


def test_only_what_is_as_it_was_written_is_replaced(desk: Desk, part: Open, server: Availability) -> None:
    opened, before = part(), hours(16)
    assert outcome(opened, before) == ""
    stored = Stored(KEY, KEY.hex(), digest=before.digest)
    assert outcome(opened, replace(hours(17), replaces=stored)) == ""
    assert outcome(opened, replace(hours(18), replaces=stored)) == "own-hours", "it is not the one before"
    assert "T170000" in server.held[desk.user]
    live = part(live=True)
    now = Stored(KEY, KEY.hex(), digest=hours(17).digest)
    assert outcome(live, replace(hours(18), replaces=now)) == "own-hours", (
        "a live account gets only new things"
    )
    assert "T170000" in server.held[desk.user]


def test_only_what_is_as_it_was_written_is_taken_back(desk: Desk, part: Open, server: Availability) -> None:
    opened = part()
    assert outcome(opened, hours()) == ""
    stored = Stored(KEY, KEY.hex(), digest=hours().digest)
    server.held[desk.user] = server.held[desk.user].replace("T170000", "T150000")
    (failed,) = opened.remove([stored])
    assert isinstance(failed, Failed)
    assert failed.error.code == "changed-at-target"
    server.held[desk.user] = server.held[desk.user].replace("T150000", "T170000").replace("\r\n", "\n")
    for _ in range(2):
        assert list(opened.remove([stored])) == [stored]
    assert desk.user not in server.held


@pytest.mark.parametrize("layer", ["silent", "forgets", "refuses", "403", "507", "no inbox"])
def test_a_server_that_keeps_none(desk: Desk, part: Open, server: Availability, layer: str) -> None:
    server.silent, server.forgets = layer == "silent", layer == "forgets"
    server.refuses = "HTTP/1.1 403 Forbidden" if layer == "refuses" else ""

    def refuse(request: Request, rest: Forward) -> Reply:
        if request.method == "PROPPATCH" and layer.isdigit():
            return dav_error(int(layer), "<x/>")
        if layer == "no inbox" and request.method == "PROPFIND":
            return rest(replace(request, body=request.body.replace(b"schedule-inbox-URL", b"nothing-URL")))
        return rest(request)

    opened = part(refuse)
    assert outcome(opened, hours()) == "hours-not-at-target"
    assert list(opened.listing()) == []
    assert server.held == {}


def test_where_no_server_keeps_them(part: Open) -> None:
    del part
    nowhere = HoursPart(None, digest=setting_digest, live=False)
    assert not nowhere.exists
    assert outcome(nowhere, hours()) == "hours-not-at-target"
    assert list(nowhere.listing()) == []
    ((_, failed),) = nowhere.read([KEY.hex()])
    assert isinstance(failed, Failed)
    nowhere.close()


def test_a_lost_answer_is_no_second_change(desk: Desk, part: Open, server: Availability) -> None:
    lost: list[str] = []

    def lose(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        if request.method == "PROPPATCH" and not lost:
            lost.append(request.path)
            return replace(answer, fate=Fate.LOST)
        return answer

    assert outcome(part(lose), hours()) == ""
    assert lost == [f"/{desk.user}/{INBOX}/"]
    assert "VAVAILABILITY" in server.held[desk.user]


def test_a_server_that_is_away_is_no_place_without_hours(part: Open, server: Availability) -> None:
    def away(request: Request, rest: Forward) -> Reply:
        return reply(503) if request.path.endswith(f"/{INBOX}/") else rest(request)

    with pytest.raises(Transient):
        list(part(away).write([hours()]))
    assert server.held == {}


def test_the_fence_is_asked_before_a_change(part: Open, server: Availability) -> None:
    def lost() -> None:
        raise LeaseLost("lease-lost")

    with pytest.raises(LeaseLost):
        list(part(guard=lost).write([hours()]))
    assert server.held == {}


@pytest.mark.parametrize(
    "body", ["", "<a/>", "<d:multistatus xmlns:d='DAV:'/>", "\0", "<!DOCTYPE a><a/>", UNTOLD, ELSEWHERE]
)
def test_a_hostile_answer_writes_nothing(desk: Desk, part: Open, server: Availability, body: str) -> None:
    """That there are no hours is only said of the inbox itself, and plainly."""

    def odd(request: Request, rest: Forward) -> Reply:
        if request.method == "PROPFIND" and b"calendar-availability" in request.body:
            return reply(207, body.replace("{}", request.path), kind="application/xml")
        return rest(request)

    server.held[desk.user] = OWN
    written = []
    with suppress(MigrationError):
        written = [one for one in part(odd).write([hours()]) if isinstance(one, Stored)]
    assert written == []
    assert server.held == {desk.user: OWN}


def test_hours_in_utc_are_kept_too(desk: Desk, part: Open, server: Availability) -> None:
    body = available(WorkingHours(frozenset({"SU"}), ((0, 1440),), UTC_ZONE), uid_of(KEY))
    assert body is not None
    item = Item(Kind.SETTINGS, KEY, digest(body), len(body), lambda: io.BytesIO(body))
    assert outcome(part(), item) == ""
    assert "DTEND:20240108T000000Z" in server.held[desk.user]
