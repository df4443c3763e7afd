"""What a DAV server says of a refusal goes with the error, whatever was refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from dav_desk import CALENDAR, PASSWORD_ENV, Desk, item, meaning
from servers.dav.dav_raw import raw, whole

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.protocols import Failed, Stored
from practice.dav.proxy import Forward, Reply, Request, dav_error, reply

SAID = "Anna Angst may not have this"


@pytest.mark.parametrize(
    "refusal",
    [
        dav_error(415, "<d:supported-calendar-data/>", SAID),
        reply(415, f"<html><body><h1>{SAID}</h1></body></html>", kind="text/html"),
        reply(415, SAID),
        reply(500, SAID),
    ],
)
def test_an_object_that_is_refused(desk: Desk, refusal: Reply) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        return refusal if request.method == "PUT" and b"uid-1" in request.body else rest(request)

    href = desk.open().ensure(CALENDAR)
    results = desk.open(refuses).write(href, [item(1), item(2)])
    (failed,) = (one for one in results if not isinstance(one, Stored))
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.words.spoken()) == ("refused-by-target", SAID)
    assert "Anna" not in f"{failed.error!r} {failed.error} {failed.error.words!r}"


@pytest.mark.parametrize(("status", "kind"), [(507, Blocked), (503, Transient), (501, Blocked)])
def test_what_concerns_everything(desk: Desk, status: int, kind: type[Exception]) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        return dav_error(status, "<d:x/>", SAID) if request.method == "PUT" else rest(request)

    href = desk.open().ensure(CALENDAR)
    with pytest.raises((Blocked, Transient)) as caught:
        list(desk.open(refuses, patience=0.3).write(href, [item(1)]))
    assert isinstance(caught.value, kind)
    assert caught.value.words.spoken() == SAID


def test_a_collection_that_is_refused(desk: Desk) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        return dav_error(409, "<d:x/>", SAID) if request.method.startswith("MK") else rest(request)

    with pytest.raises(Exception, match="name-not-allowed") as caught:
        desk.open(refuses).ensure(CALENDAR)
    assert caught.value.words.spoken() == SAID  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", [SAID, "x" * 5_000_000])
def test_a_login_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "pw")

    def script(line: str, asked: bytes) -> Iterable[bytes]:
        return whole(body, 401, 'WWW-Authenticate: Basic realm="Anna"')

    with raw(script) as server:
        settings = DavSettings.model_validate(
            {"kind": "caldav", "url": server.url, "password": {"env": PASSWORD_ENV}, "timeout_seconds": 5}
        )
        target = DavTarget(
            settings, Account(login="anna"), lambda: None, tmp_path, kind=Kind.CALENDAR, digest=meaning
        )
        with pytest.raises(Blocked, match="login-refused") as caught:
            target.identity()
        target.close()
    assert caught.value.words.spoken() == body[:1000]
    assert len(server.requests) == 1
