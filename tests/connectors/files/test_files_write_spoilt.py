"""Writing single files while the server spoils them, is busy or ill, and somebody writes there as well."""

from __future__ import annotations

from dataclasses import replace

import pytest
from files_desk import Desk, file
from httpx import Headers
from results import code, stored

from connectors.webdav.product_nextcloud import PROFILE
from connectors.webdav.settings import FilesSettings
from model.errors import Transient
from practice.dav.proxy import Forward, Reply, Request


def without_etag(answer: Reply, **more: str) -> Reply:
    headers = {name: value for name, value in answer.headers.items() if name not in {"etag", "oc-etag"}}
    return replace(answer, headers=Headers({**headers, **more}))


@pytest.mark.parametrize("live", [True, False])
def test_what_somebody_made_of_a_file_that_the_server_spoilt_stays(desk: Desk, live: bool) -> None:
    target = desk.target(live=live)
    assert target.capabilities

    def spoils(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        if request.method != "PUT":
            return answer
        desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
        return without_etag(answer, **{"x-hash-sha256": "00" * 32})

    desk.cloud.layers = (spoils,)
    assert code(target.write("", [file(1, b"ours")])) == "hash-mismatch"
    assert desk.files() == {"file 1.txt": b"theirs"}


def test_what_is_spoilt_and_told_without_an_etag_is_not_left_there(desk: Desk) -> None:
    target = desk.target()
    assert target.capabilities

    def spoils(request: Request, rest: Forward) -> Reply:
        spoilt = replace(request, body=b"spoilt!") if request.method == "PUT" else request
        return without_etag(rest(spoilt)) if request.method == "PUT" else rest(request)

    desk.cloud.layers = (spoils,)
    assert code(target.write("", [file(1, b"content")])) == "hash-mismatch"
    assert desk.files() == {}
    assert desk.counts()["PUT"] == 3


def test_a_replaced_file_that_stays_spoilt_is_not_removed(desk: Desk) -> None:
    """What was there before is lost by the server's fault; nothing at all would be worse."""
    target = desk.target()
    assert target.capabilities
    (old,) = stored(target.write("", [file(1, b"before!")]))

    def spoils(request: Request, rest: Forward) -> Reply:
        return rest(replace(request, body=b"spoilt!") if request.method == "PUT" else request)

    desk.cloud.layers = (spoils,)
    assert code(target.write("", [file(1, b"content", replaces=old)])) == "hash-mismatch"
    assert desk.files() == {"file 1.txt": b"spoilt!"}
    assert "DELETE" not in desk.counts()


@pytest.mark.parametrize("live", [True, False])
def test_where_no_put_is_conditional_one_looks_after_every_pause(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    plain = replace(PROFILE, conditional=False, hashes=False)
    monkeypatch.setattr(FilesSettings, "profile", property(lambda _: plain))
    target = desk.target(live=live)
    assert target.capabilities
    asked: list[str] = []

    def busy(request: Request, rest: Forward) -> Reply:
        if request.method == "PUT" and not asked:
            asked.append(request.path)
            desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
            return Reply(503, Headers({"Retry-After": "0"}))
        return rest(request)

    desk.cloud.layers = (busy,)
    assert code(target.write("", [file(1, b"ours")])) == "name-taken"
    assert desk.files() == {"file 1.txt": b"theirs"}


@pytest.mark.parametrize("status", [423, 503])
def test_busy_for_long_is_nobodys_change(desk: Desk, status: int) -> None:
    """A large file is looked for after every pause, and that is no sign of somebody else's writing."""
    target = desk.target()
    assert target.capabilities
    busy = iter(range(12))

    def layer(request: Request, rest: Forward) -> Reply:
        if request.method == "MOVE" and next(busy, None) is not None:
            return Reply(status, Headers({"Retry-After": "0"}))
        return rest(request)

    desk.cloud.layers = (layer,)
    stored(target.write("", [file(1, b"x" * 4000)]))
    assert desk.files() == {"file 1.txt": b"x" * 4000}


def test_a_server_that_is_ill_whenever_a_file_is_sent_refuses_it_the_second_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.retry.LONGEST_WAIT", 0.1)
    target = desk.target(patience_seconds=1.5)
    assert target.capabilities

    def ill(request: Request, rest: Forward) -> Reply:
        return Reply(500, Headers()) if request.method == "PUT" else rest(request)

    desk.cloud.layers = (ill,)
    with pytest.raises(Transient, match="server-error"):
        list(target.write("", [file(1)]))
    assert code(desk.target(patience_seconds=1.5).write("", [file(1)])) == "refused-by-target"
    assert desk.counts()["PUT"] <= 80
