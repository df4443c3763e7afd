"""Servers that are odd, broken or hostile: refused or ignored, in bounded time and memory, and without a word
of theirs in what people see."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from dav_desk import meaning
from servers.dav.dav_raw import WORK, Script, account, head, multistatus, raw, response, whole

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Native

ENV = "KOGGE_DAV_HOSTILE"
WORK_PATH = "/cal/anna/work/"
SECRET = "Geheimnis-Müller"
DATA = "BEGIN:VCALENDAR&#13;\nSUMMARY:{}&#13;\nEND:VCALENDAR"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "pw")


def target(url: str, spool: Path, **more: object) -> DavTarget:
    settings = DavSettings.model_validate(
        {
            "kind": "caldav",
            "url": url,
            "password": {"env": ENV},
            "patience_seconds": 0.5,
            "timeout_seconds": 5,
            **more,
        }
    )
    return DavTarget(settings, Account(login="anna"), lambda: None, spool, kind=Kind.CALENDAR, digest=meaning)


def answering(*collection: Iterable[bytes] | str, body: str = "") -> Script:
    """A plain account whose one calendar answers a PROPFIND and a REPORT with these."""
    answers = itertools.cycle(collection)

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        known = account(line, asked)
        if known is not None:
            return whole(known)
        if line.startswith(("PROPFIND", "REPORT")):
            answer = next(answers)
            return whole(answer) if isinstance(answer, str) else answer
        return whole(body, 200 if body else 404)

    return script


def entity_bomb() -> str:
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE x [<!ENTITY a0 "boom">{levels}]><d:multistatus xmlns:d="DAV:">&a11;</d:multistatus>'


def external_entity() -> str:
    declared = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    return f'{declared}<d:multistatus xmlns:d="DAV:">&e;</d:multistatus>'


GARBAGE = {
    "entity-bomb": entity_bomb(),
    "external-entity": external_entity(),
    "html": f"<html><body>{SECRET}</body></html>",
    "text": SECRET,
    "nothing": "",
    "cut": multistatus(response(f"{WORK_PATH}a.ics", ""))[:-20],
    "deep": "<d:multistatus xmlns:d='DAV:'>" + "<d:a>" * 100 + "</d:a>" * 100 + "</d:multistatus>",
    "two-roots": multistatus() * 2,
    "no-encoding": f'<?xml version="1.0" encoding="klingon"?>{multistatus()}',
    "odd-encoding": f'<?xml version="1.0" encoding="shift_jis"?>{multistatus()}',
    "lone-surrogate": multistatus("&#xD800;"),
    "control": multistatus("\x0b"),
    "compressed": "\x1f\x8b\x08" + SECRET,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_no_listing(kind: str, tmp_path: Path) -> None:
    with (
        raw(answering(GARBAGE[kind])) as server,
        pytest.raises(Transient, match="not-dav") as caught,
    ):
        list(target(server.url, tmp_path).listing(WORK_PATH))
    _clean(caught.value)


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_no_account(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with (
        raw(lambda line, asked: whole(GARBAGE[kind])) as server,
        pytest.raises(Blocked, match="no-dav-access") as caught,
    ):
        target(server.url, tmp_path).identity()
    assert SECRET not in caplog.text
    _clean(caught.value)


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_instead_of_a_multiget_is_read_singly(kind: str, tmp_path: Path) -> None:
    body = DATA.format("one").replace("&#13;", "\r")
    with raw(answering(GARBAGE[kind], body=body)) as server:
        found = dict(target(server.url, tmp_path).read(WORK_PATH, ["a.ics", "b.ics"]))
    assert {name: type(one) for name, one in found.items()} == {"a.ics": Native, "b.ics": Native}


def _clean(error: MigrationError) -> None:
    text = f"{error} {error!r} {error.__cause__!r}"
    assert SECRET not in text
    assert "anna" not in text
    assert error.__suppress_context__ or error.__context__ is None or SECRET not in repr(error.__context__)


def _endless() -> Iterator[bytes]:
    yield head() + b"<d:multistatus xmlns:d='DAV:'>"
    for number in itertools.count():
        yield response(f"{WORK_PATH}{number}.ics", "<d:getcontentlength>5</d:getcontentlength>").encode() * 50


def test_an_endless_listing_is_not_held(tmp_path: Path) -> None:
    with raw(answering(_endless())) as server:
        opened = target(server.url, tmp_path)
        opened.identity()
        tracemalloc.start()
        taken = sum(1 for _ in itertools.islice(opened.listing(WORK_PATH), 15_000))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        opened.close()
    assert taken == 15_000
    assert peak < 6_000_000


def _endless_text() -> Iterator[bytes]:
    yield head() + f"<d:multistatus xmlns:d='DAV:'><d:response><d:href>{WORK_PATH}".encode()
    while True:
        yield b"a" * 65536


def test_an_endless_text_is_not_held_and_an_answer_of_discovery_ends(tmp_path: Path) -> None:
    with raw(lambda line, asked: _endless_text()) as server:
        opened = target(server.url, tmp_path)
        tracemalloc.start()
        with pytest.raises(Transient, match="reply-too-large"):
            opened.identity()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 40_000_000


def test_more_answers_than_questions_end_a_multiget(tmp_path: Path) -> None:
    rows = (response(f"{WORK_PATH}x{number}.ics", "<d:getetag>1</d:getetag>") for number in range(500))
    with raw(answering(multistatus(*rows))) as server:
        found = dict(target(server.url, tmp_path).read(WORK_PATH, ["a.ics", "b.ics"]))
        assert sum(one.startswith(b"GET ") for one in server.requests) == 2
    assert {one.error.code for one in found.values() if isinstance(one, Failed)} == {"vanished"}


def test_other_peoples_items_are_not_ours(tmp_path: Path) -> None:
    data = f'<c:calendar-data>{DATA.format("theirs")}</c:calendar-data><d:getetag>"1"</d:getetag>'
    foreign = [
        "/cal/ben/work/a.ics",
        "https://elsewhere.example/cal/anna/work/a.ics",
        "//elsewhere.example/cal/anna/work/a.ics",
        "/cal/anna/work/../../ben/a.ics",
        "/cal/anna/work/%2e%2e/a.ics",
        "/cal/anna/work/deep/a.ics",
        "/cal/anna/work/",
        "/cal/anna/workshop/a.ics",
        "a" * 5000,
        "",
        "http://[broken/a.ics",
    ]
    rows = multistatus(*(response(href, data) for href in foreign))
    with raw(answering(rows)) as server:
        opened = target(server.url, tmp_path)
        assert list(opened.listing(WORK_PATH)) == []
        found = dict(opened.read(WORK_PATH, ["a.ics", "b.ics"]))
        assert not any(b"elsewhere" in one or b"/ben/" in one for one in server.requests)
    assert {one.error.code for one in found.values() if isinstance(one, Failed)} == {"vanished"}


def test_an_item_is_told_once_however_often_and_however_it_is_spelled(tmp_path: Path) -> None:
    def data(title: str) -> str:
        return f"<c:calendar-data>{DATA.format(title)}</c:calendar-data>"

    rows = multistatus(
        response("/cal/anna/work/a%40b.ics", data("first")),
        response("/cal/anna/work/a@b.ics", data("second")),
        response("/%63al/anna/work/c.ics", data("third")),
    )
    with raw(answering(rows)) as server:
        opened = target(server.url, tmp_path)
        assert [one.href for one in opened.listing(WORK_PATH)] == ["a@b.ics", "a@b.ics", "c.ics"]
        results = list(opened.read(WORK_PATH, ["a@b.ics", "c.ics"]))
    assert [name for name, _ in results] == ["a@b.ics", "c.ics"]


@pytest.mark.parametrize("etag", ['"' + "x" * 5000 + '"', '"a\nb"', '"ä"', "\x7f"])
def test_an_etag_that_may_not_be_sent_back_is_none(etag: str, tmp_path: Path) -> None:
    prop = f"<d:getetag>{etag}</d:getetag><c:calendar-data>{DATA.format('x')}</c:calendar-data>"
    rows = multistatus(*(response(f"{WORK_PATH}{name}.ics", prop) for name in "ab"))
    with raw(answering(rows)) as server:
        found = dict(target(server.url, tmp_path).read(WORK_PATH, ["a.ics", "b.ics"]))
    assert [one.ref.version for one in found.values() if isinstance(one, Native)] == ["", ""]


def test_what_the_server_leaves_out_is_asked_for_singly(tmp_path: Path) -> None:
    prop = f"<c:calendar-data>{DATA.format('x')}</c:calendar-data>"
    gone = (
        f"<d:response><d:href>{WORK_PATH}gone.ics</d:href><d:status>HTTP/1.1 404 No</d:status></d:response>"
    )
    with raw(answering(multistatus(response(f"{WORK_PATH}a.ics", prop), gone))) as server:
        found = dict(target(server.url, tmp_path).read(WORK_PATH, ["a.ics", "gone.ics", "b.ics"]))
    assert isinstance(found["a.ics"], Native)
    codes = {name: one.error.code for name, one in found.items() if isinstance(one, Failed)}
    assert codes == {"gone.ics": "vanished", "b.ics": "vanished"}


def test_a_property_that_failed_is_no_property(tmp_path: Path) -> None:
    failed = (
        f"<d:response><d:href>{WORK_PATH}a.ics</d:href><d:propstat><d:prop><d:getcontentlength>7"
        "</d:getcontentlength></d:prop><d:status>HTTP/1.1 403 No</d:status></d:propstat></d:response>"
    )
    with raw(answering(multistatus(failed))) as server:
        assert [(one.href, one.size) for one in target(server.url, tmp_path).listing(WORK_PATH)] == [
            ("a.ics", 0)
        ]


def test_a_large_body_goes_through_a_file(tmp_path: Path) -> None:
    text = "x" * 3_000_000
    prop = f"<c:calendar-data>BEGIN:VCALENDAR\nSUMMARY:{text}\nEND:VCALENDAR</c:calendar-data>"
    rows = multistatus(*(response(f"{WORK_PATH}{name}.ics", prop) for name in "ab"))
    with raw(answering(rows)) as server:
        opened = target(server.url, tmp_path / "spool", spool_above=70_000)
        sizes = []
        for _, one in opened.read(WORK_PATH, ["a.ics", "b.ics"]):
            assert isinstance(one, Native)
            assert one.body is not None
            with one.body() as stream:
                sizes.append(len(stream.read()))
    assert sizes == [len(text) + 38] * 2
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_object_cut_off_is_not_an_object(tmp_path: Path) -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        known = account(line, asked)
        return (
            whole(known) if known else iter([head(200, "Content-Length: 500", kind="text/calendar") + b"BEG"])
        )

    with raw(script) as server, pytest.raises(Transient):
        list(target(server.url, tmp_path).read(WORK_PATH, ["a.ics"]))


@pytest.mark.parametrize("at", [0, 1, 200, -3])
def test_an_object_that_ends_with_its_connection_is_read_to_its_last_line(at: int, tmp_path: Path) -> None:
    """Without a stated length an answer that breaks off looks whole."""
    event = b"BEGIN:VCALENDAR\r\n" + b"X-FILLER:1\r\n" * 30 + b"END:VCALENDAR\r\n"
    sent = [event[:at], event]

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        known = account(line, asked)
        if known is not None:
            return whole(known)
        return iter([head(200, kind="text/calendar") + (sent.pop(0) if len(sent) > 1 else sent[0])])

    with raw(script) as server:
        ((_, found),) = target(server.url, tmp_path, patience_seconds=5).read(WORK_PATH, ["a.ics"])
    assert isinstance(found, Native)
    assert found.body is not None
    with found.body() as stream:
        assert stream.read() == event
    assert len(sent) == 1, "the one that was cut was asked for again"


def test_an_object_that_always_breaks_off_is_no_object(tmp_path: Path) -> None:
    def script(line: str, asked: bytes) -> Iterable[bytes]:
        known = account(line, asked)
        return whole(known) if known else iter([head(200, kind="text/calendar") + b"BEGIN:VCALENDAR\r\n"])

    with raw(script) as server, pytest.raises(Transient, match="reply-incomplete"):
        list(target(server.url, tmp_path).read(WORK_PATH, ["a.ics"]))


def test_a_word_of_the_server_is_in_no_error(tmp_path: Path) -> None:
    for status in (400, 403, 404, 409, 412, 415, 429, 500, 503, 507, 301):

        def script(line: str, asked: bytes, status: int = status) -> Iterable[bytes]:
            if line.startswith("MKCALENDAR"):
                return whole(
                    f"<d:error xmlns:d='DAV:'>{SECRET} anna</d:error>",
                    status,
                    f"X: {SECRET}".encode().decode("latin-1"),
                )
            return whole(account(line, asked) or "", 207)

        with raw(script) as server, pytest.raises(MigrationError) as caught:
            target(server.url, tmp_path).ensure(Container(Kind.CALENDAR, "id", (SECRET,)))
        _clean(caught.value)


def test_a_collection_claimed_to_be_elsewhere_is_not_adopted(tmp_path: Path) -> None:
    """After a creation the server names another user's calendar, or another host's, as the new one."""

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        if line.startswith("PROPFIND /cal/anna/"):
            rows = (
                WORK.replace("/cal/anna/work/", href) for href in ("/cal/ben/new/", "https://x.example/y/")
            )
            return whole(multistatus(*rows))
        return whole(account(line, asked) or "", 201 if line.startswith("MK") else 207)

    with raw(script) as server, pytest.raises(Transient, match="folder-vanished"):
        target(server.url, tmp_path).ensure(Container(Kind.CALENDAR, "id", ("Neu",)))
