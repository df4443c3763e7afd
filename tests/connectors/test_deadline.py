"""An answer that drips below the read timeout ends all the same; one that is large and moves does not."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from servers.slow_proxy import DrippingProxy

from connectors.caldav.target import DavSettings
from connectors.ews.client import EwsClient
from connectors.ews.settings import EwsSettings
from connectors.graph_api.client import GraphClient
from connectors.graph_api.settings import GraphSettings
from connectors.http import deadline
from connectors.http.base64_spool import BodySink
from connectors.http.client import HttpClient
from connectors.http.deadline import Deadline
from connectors.imap.session import ImapSettings, Session
from connectors.settings import Account, Secret
from model.errors import Transient
from practice.servers.pymap_server import USER_PASSWORD, start_pymap

ANNA = Account(login="anna@old.example", address="anna@old.example")
SIZE = 200_000


class Answering(BaseHTTPRequestHandler):
    """The same large answer to everything; to the token endpoint a token."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"access_token": "t", "expires_in": 3600}' if "token" in self.path else b"<" + b"a" * SIZE
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if "token" in self.path else "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PROPFIND = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Is silent."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def dav(port: int, spool: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    settings = DavSettings(
        kind="caldav", url=f"http://127.0.0.1:{port}/", password=Secret(env="DRIP_PASSWORD")
    )

    class Habits:
        writers, user_agent = 2, "Kogge"

    client = HttpClient(settings, ANNA, Habits(), deadline.ANSWER_SECONDS)
    return lambda: client.ask("PROPFIND", "/"), client.close


def ews(port: int, spool: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    settings = EwsSettings(
        url=f"http://127.0.0.1:{port}/EWS", auth="basic", password=Secret(env="DRIP_PASSWORD")
    )
    client = EwsClient(settings, ANNA, spool)
    return lambda: list(client.ask("<m:GetFolder/>", "GetFolderResponseMessage")), client.close


def graph(port: int, spool: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    settings = GraphSettings(
        tenant="t",
        client_id="c",
        client_secret=Secret(env="DRIP_PASSWORD"),
        graph_url=f"http://127.0.0.1:{port}/v1.0",
        authority=f"http://127.0.0.1:{port}",
    )
    client = GraphClient(settings, ANNA, spool)
    return lambda: client.streamed("/x", html=True), client.close


@pytest.mark.parametrize("after", [0, 1000])
@pytest.mark.parametrize("opened", [dav, ews, graph])
def test_an_http_answer_that_drips_ends(
    opened: Callable[[int, Path], tuple[Callable[[], object], Callable[[], None]]],
    after: int,
    port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRIP_PASSWORD", "secret")
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 1.0)
    with DrippingProxy(port, after) as proxy:
        proxy.drip.set()
        ask, close = opened(proxy.port, tmp_path)
        try:
            with pytest.raises(Transient) as caught:
                ask()
            assert caught.value.code == "timeout"
        finally:
            close()


def test_an_imap_answer_that_drips_ends_and_the_next_connection_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRIP_PASSWORD", USER_PASSWORD)
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 2.0)
    server = start_pymap(["anna@old.example"])
    try:
        with DrippingProxy(server.port) as proxy:
            settings = ImapSettings.model_validate(
                {"host": "127.0.0.1", "port": proxy.port, "security": "none",
                 "password": {"env": "DRIP_PASSWORD"}}
            )  # fmt: skip
            session = Session(settings, ANNA)
            session.done(b"NOOP")
            proxy.drip.set()
            with pytest.raises(Transient, match="timeout"):
                session.select(b"INBOX", readonly=True)
            with pytest.raises(Transient, match="timeout"):  # the greeting and the login drip, too
                session.done(b"NOOP")
            proxy.drip.clear()
            assert session.select(b"INBOX", readonly=True).exists == 0
            session.close()
    finally:
        server.stop()


def test_an_answer_that_moves_may_take_long() -> None:
    ended = threading.Event()
    one = Deadline(ended.set, seconds=0.3)
    pieces = itertools.chain(itertools.repeat(b"x" * deadline.SLOWEST, 3), [b"end"])

    def slowly() -> Iterator[bytes]:
        for piece in pieces:
            ended.wait(0.2)
            yield piece

    assert sum(map(len, one.paced(slowly()))) == 3 * deadline.SLOWEST + 3
    assert not ended.is_set()


def test_time_in_which_nobody_waits_does_not_count() -> None:
    ended = threading.Event()
    one = Deadline(ended.set, seconds=0.5)
    for _ in one.paced([b"a", b"b"]):
        assert not ended.wait(0.6)


def test_a_cut_that_looks_like_the_end_is_none() -> None:
    left, right = socket.socketpair()
    with left, right:
        one = Deadline(lambda: right.shutdown(socket.SHUT_RDWR), seconds=0.2)
        with pytest.raises(Transient, match="timeout"), one.waiting():
            assert right.recv(1) == b""


def test_a_body_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.http.base64_spool.BODY_MOST", 100)
    sink = BodySink(tmp_path, 1_000_000)
    sink.write(b"x" * 100)
    with pytest.raises(Transient, match="reply-too-large"):
        sink.write(b"x")
