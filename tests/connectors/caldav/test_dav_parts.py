"""The small parts: multistatus however it is cut, hrefs, delays, names, closing."""

from __future__ import annotations

import io
import itertools
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from dav_desk import CALENDAR, Desk, bodies, event, item, written
from hypothesis import given
from hypothesis import strategies as st
from results import stored
from servers.dav.dav_raw import account, multistatus, raw, response, whole
from servers.dav.faults import Fault, Faults

from connectors.caldav.attachments import parted
from connectors.caldav.attachments import whole as whole_again
from connectors.caldav.put import place
from connectors.caldav.read import uid_of
from connectors.http.dav_errors import status_error
from connectors.http.errors import delay
from connectors.http.hrefs import Origin, canonical, child
from connectors.http.multistatus import DavResponse, Garbage, Multistatus
from connectors.http.upload import PieceSink
from model.errors import Blocked, MigrationError, Transient
from model.kinds import Kind
from model.protocols import Amendment, Failed, Stored, key_of
from practice.dav.proxy import Forward, Reply, Request
from practice.harness.tls import make_certificate

DATA = "<c:calendar-data>BEGIN:X&#13;\nSUMMARY:Grüße &amp; &lt;mehr&gt;]]&gt;\n</c:calendar-data>"
ANSWER = multistatus(
    response("/c/a.ics", f'<d:getetag>"1"</d:getetag><d:getcontentlength>12</d:getcontentlength>{DATA}'),
    response("/c/", "<d:resourcetype><d:collection/></d:resourcetype>"),
    "<d:response><d:href>/c/b.ics</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>",
).encode()


def _read(data: bytes, cuts: list[int]) -> list[tuple[DavResponse, bytes]]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    chunks = [data[one:other] for one, other in itertools.pairwise(places)]
    found = list(Multistatus(lambda: PieceSink(Path("/nowhere"), 1 << 20), 10).read(chunks))
    return [(one, one.body().read() if one.body is not None else b"") for one in found]


@given(st.lists(st.integers(0, len(ANSWER)), max_size=40))
def test_a_multistatus_may_be_cut_anywhere(cuts: list[int]) -> None:
    (one, body), (container, _), (gone, _) = _read(ANSWER, cuts)
    assert (one.href, one.etag, one.size, one.collection, one.status) == ("/c/a.ics", '"1"', 12, False, 200)
    assert body.decode() == "BEGIN:X\r\nSUMMARY:Grüße & <mehr>]]>\n"
    assert (container.collection, gone.status) == (True, 404)


@given(st.binary(max_size=200), st.integers(0, len(ANSWER)))
def test_whatever_comes_is_a_multistatus_or_garbage(noise: bytes, at: int) -> None:
    for data in (noise, ANSWER[:at] + noise + ANSWER[at:]):
        try:
            assert len(_read(data, [at])) <= 10
        except Garbage:
            continue


@given(st.text())
def test_a_canonical_path_stays_what_it_is(text: str) -> None:
    path = canonical("/" + text)
    assert path is None or canonical(path) == path


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/a/b", "/a/b"),
        ("/a/%7Eb/%c3%a4", "/a/~b/%C3%A4"),
        ("/a/ä", "/a/%C3%A4"),
        ("/a/b%2Fc", "/a/b%2Fc"),
        ("b", "/x/b"),
        ("https://Host.Example:443/a", "/a"),
        ("https://host.example.evil/a", None),
        ("http://host.example/a", None),
        ("https://host.example:444/a", None),
        ("https://host.example@evil.example/a", None),
        ("https://me@host.example/a", None),
        ("/a/../b", "/b"),
        ("/a/%2e%2e/b", None),
        ("/a\r\nX: y", None),
        ("javascript:1", None),
        ("", None),
    ],
)
def test_hrefs_stay_within_their_origin(href: str, path: str | None) -> None:
    assert Origin.of("https://host.example/dav").path(href, "/x/y") == path


def test_a_child_lies_directly_below() -> None:
    assert [child("/a/", one) for one in ("/a/b", "/a/b/", "/a/", "/a/b/c", "/ab")] == [
        "b",
        "b",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("0", 0.0), (None, None), ("soon", None), ("9" * 7, 86_400.0), ("-1", None)],
)
def test_a_delay_in_seconds(text: str | None, seconds: float | None) -> None:
    assert delay(text) == seconds


def test_a_delay_as_a_date() -> None:
    found = delay(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert found is not None
    assert 85 < found <= 90
    assert delay("Mon, 01 Jan 2001 00:00:00 GMT") == 0.0


@pytest.mark.parametrize("status", [408, 423, 425, 429, 502, 503, 504])
def test_what_passes_is_transient(status: int) -> None:
    error = status_error(status, "7")
    assert isinstance(error, Transient)
    assert error.after == 7.0


def test_a_name_is_made_of_the_key() -> None:
    key = key_of("item")
    assert place(Kind.CALENDAR, key) == place(Kind.TASKS, key) == f"k-{key.hex()}.ics"
    assert place(Kind.CONTACTS, key) == f"k-{key.hex()}.vcf"


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        ("BEGIN:VCALENDAR\r\nUID:a b\r\n", "a b"),
        ("uid;X=1:folded\r\n  here\r\n", "folded here"),
        ("item1.UID:grouped", "grouped"),
        ("X-UID:no\nUID:ye\\,s\\;\\\\n", "ye,s;\\n"),
        ("SUMMARY:UID:no", None),
        ("", None),
    ],
)
def test_a_uid_is_found_without_parsing(text: str, uid: str | None) -> None:
    assert uid_of(lambda: io.BytesIO(text.encode())) == uid


def test_no_flags_is_what_objects_have(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    (first,) = written(target, href, item(1))
    gone = Stored(key_of("gone"), place(Kind.CALENDAR, key_of("gone")))
    flags = frozenset({"\\Seen"})
    changes = [Amendment(first, frozenset()), Amendment(first, flags), Amendment(gone, frozenset())]
    results = list(target.amend(href, changes))
    assert [one.error.code if isinstance(one, Failed) else "" for one in results] == [
        "",
        "flag-not-allowed",
        "vanished",
    ]
    assert target.label({"a": "b"}) is False
    with pytest.raises(Blocked, match="live-phase"):
        desk.open(live=True).amend(href, [])


def test_a_listing_is_of_everything_wherever_it_began(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    assert target.position(href) == ":0"
    (first,) = written(target, href, item(1))
    (listed,) = target.listing(href, ":0")
    assert (listed.href, listed.flags, listed.message_id) == (first.href, frozenset(), None)
    assert listed.size == len(bodies(target, href, [first.href])[first.href])


def test_many_are_read_in_few_requests(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    results = stored(target.write(href, [item(number) for number in range(120)]))
    names = [one.href for one in results]
    assert sorted(bodies(target, href, names)) == sorted(names)
    assert len(desk.sent("REPORT")) == 3
    assert desk.sent("GET") == []


def test_closing_ends_what_another_thread_waits_for(desk: Desk) -> None:
    entered, leave = threading.Event(), threading.Event()

    def stalls(request: Request, rest: Forward) -> Reply:
        if request.method == "PUT":
            entered.set()
            leave.wait(20)
        return rest(request)

    href = desk.open().ensure(CALENDAR)
    target = desk.open(stalls)
    outcome: list[MigrationError] = []

    def work() -> None:
        with pytest.raises(MigrationError) as caught:
            list(target.write(href, [item(number) for number in range(9)]))
        outcome.append(caught.value)

    worker = threading.Thread(target=work)
    worker.start()
    assert entered.wait(10)
    sent, began = len(desk.sent("PUT")), time.monotonic()
    target.close()
    worker.join(10)
    leave.set()
    assert not worker.is_alive()
    assert time.monotonic() - began < 3
    assert outcome[0].code == "connection-closed"
    assert len(desk.sent("PUT")) <= sent + 3


def test_closing_ends_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    href = desk.open().ensure(CALENDAR)
    target = desk.open(
        lambda one, rest: Reply(503, one.headers.__class__({"Retry-After": "60"})), patience=500
    )
    outcome: list[str] = []

    def work() -> None:
        with pytest.raises(MigrationError) as caught:
            list(target.listing(href))
        outcome.append(caught.value.code)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.3)
    target.close()
    worker.join(5)
    assert outcome == ["connection-closed"]


def test_connections_are_kept_and_no_more_than_the_profile_allows(desk: Desk) -> None:
    busy, most = [0], [0]
    lock = threading.Lock()

    def counts(request: Request, rest: Forward) -> Reply:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        try:
            return rest(request)
        finally:
            with lock:
                busy[0] -= 1

    target = desk.open(counts, profile="nextcloud")
    href = target.ensure(CALENDAR)
    most[0] = 0
    stored(target.write(href, [item(number) for number in range(20)]))
    assert 1 < most[0] <= 4


def test_a_hundred_objects_go_over_few_connections(tmp_path: Path, desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    stored(target.write(href, [item(number) for number in range(60)]))
    pool = next(iter(target._client._transport._pools.values()))
    assert pool.num_connections <= 6
    assert pool.num_requests > 60


def test_a_token_that_expires_under_a_large_body_is_renewed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body has been read away by then: the item is looked at, and sent again."""
    import base64

    def token(word: str) -> str:
        return f"Basic {base64.b64encode(f'{desk.user}:{word}'.encode()).decode()}"

    good = ["one"]

    def bearer(request: Request, rest: Forward) -> Reply:
        if request.method == "PUT" and good == ["one"]:
            good[0] = "two"
            monkeypatch.setenv("KOGGE_DAV_TEST_PASSWORD", "two")
        if request.headers["Authorization"] != f"Bearer {good[0]}":
            return Reply(401, request.headers.__class__())
        request.headers["Authorization"] = token(desk.radicale.user_password)
        return rest(request)

    monkeypatch.setenv("KOGGE_DAV_TEST_PASSWORD", "one")
    target = desk.open(bearer, auth="bearer")
    href = target.ensure(CALENDAR)
    stored(target.write(href, [item(1, event(1, size=700_000))]))
    assert len(list(target.listing(href))) == 1


def test_a_target_that_was_never_used_is_closed_at_once(desk: Desk) -> None:
    target = desk.open()
    target.close()
    target.close()
    with pytest.raises(Transient, match="connection-closed"):
        target.identity()


def test_identity_does_not_write(desk: Desk) -> None:
    with raw(lambda line, asked: whole(account(line, asked) or "", 207)) as server:
        target = desk.open()
        assert target.identity().id
        list(target.containers())
        assert server.requests == []
    assert {one.method for one in desk.proxy.requests} <= {"PROPFIND", "OPTIONS"}


def test_the_guard_is_asked_before_every_request_that_changes_something(desk: Desk) -> None:
    asked = [0]

    def guard() -> None:
        asked[0] += 1

    target = desk.open(guard=guard)
    href = target.ensure(CALENDAR)
    results = stored(target.write(href, [item(number) for number in range(5)]))
    list(target.remove(href, results))
    target.rename(href, CALENDAR)
    changing = desk.sent("PUT", "DELETE", "MKCALENDAR", "PROPPATCH")
    assert len(changing) == 12
    assert asked[0] >= 12


def test_a_busy_multiget_is_repeated_and_not_taken_apart(desk: Desk) -> None:
    href = desk.open().ensure(CALENDAR)
    names = [one.href for one in stored(desk.open().write(href, [item(number) for number in range(9)]))]
    target = desk.open(Faults({("REPORT", 1): Fault.BUSY}))
    assert len(bodies(target, href, names)) == 9
    assert desk.sent("GET") == []
    cut = desk.open(Faults({("REPORT", 1): Fault.CUT}))
    assert len(bodies(cut, href, names)) == 9


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LOST, Fault.CUT, Fault.LIMIT, Fault.PAGE, Fault.BROKEN])
def test_a_fault_while_looking_costs_nothing(desk: Desk, fault: Fault) -> None:
    href = desk.open().ensure(CALENDAR)
    (first,) = stored(desk.open().write(href, [item(1)]))
    listed = desk.open(Faults({("PROPFIND", 1): fault}))
    assert [one.href for one in listed.listing(href)] == [first.href]
    read = desk.open(Faults({("GET", 1): fault}))
    assert list(bodies(read, href, [first.href])) == [first.href]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Fault.UNSENT, Fault.BUSY, Fault.LATE, Fault.LOCKED])
def test_a_fault_while_removing_costs_nothing(desk: Desk, fault: Fault) -> None:
    href = desk.open().ensure(CALENDAR)
    first = stored(desk.open().write(href, [item(1), item(2)]))
    target = desk.open(Faults({("DELETE", 2): fault}))
    assert all(isinstance(one, Stored) for one in target.remove(href, first))
    assert list(target.listing(href)) == []


def test_only_a_trusted_certificate_is_spoken_to(desk: Desk, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.ca, made.key)

    def plain(line: str, asked: bytes) -> Iterator[bytes]:
        return whole(account(line, asked) or "")

    with raw(plain, context) as server:
        url = server.url.replace("http:", "https:")
        trusted = desk.open(url=url, tls={"ca_file": str(made.ca)}, profile="generic")
        assert trusted.identity().addresses == {"anna@example.org"}
        strange = desk.open(url=url, profile="generic")
        with pytest.raises(Blocked, match="tls-failed"):
            strange.identity()


PIECES = [
    b"ATTACH", b";", b":", b"\r\n", b"\n", b"\r\n ", b"\n\t", b'"', b"ENCODING=BASE64", b";MANAGED-ID=1",
    b"SIZE=3", b"QUFB", b"=", b"END:VEVENT", b"BEGIN:VEVENT", b"http://x/attachments/a", b"\xff\xc3",
    b"\0", b" ",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_whatever_a_server_sends_passes_through(pieces: list[bytes]) -> None:
    raw = b"BEGIN:VCALENDAR\r\n" + b"".join(pieces)

    def new() -> PieceSink:
        return PieceSink(Path("unused"), 10**6)

    def nothing(url: str) -> None:
        assert isinstance(url, str)

    parcel = parted(lambda: io.BytesIO(raw), 10**6, new)
    with parcel.body() as stream:
        assert stream.read() == raw
    assert (parcel.large, parcel.size) == ((), len(raw))
    made = whole_again(lambda: io.BytesIO(raw), nothing, new)
    assert made is None or all(one.content.size == 0 for one in made.managed)
