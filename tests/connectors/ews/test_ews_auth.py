"""Logging in: what is configured, and what goes over the wire for it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import spnego
from ews_responder import Answer, Request, responder, root_folder
from pydantic import ValidationError

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from model.errors import Blocked, Misconfigured, Transient

HTTPS = "https://mail.example.org/EWS/Exchange.asmx"
PASSWORD = Secret(env="EWS_PASSWORD")
OAUTH = {"auth": "oauth2", "client_id": "app", "client_secret": PASSWORD, "tenant": "t"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "mail.example.org"}, "url"),
        ({"url": "ftp://mail.example.org/"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://a:b@mail.example.org/"}, "url"),
        ({"url": "https://mail.example.org:nope/"}, "url"),
        ({"url": "http://mail.example.org/EWS"}, "url"),
        ({"password": None}, "password"),
        ({"auth": "digest"}, "auth"),
        ({"passwort": "x"}, "passwort"),
        ({"password": {"env": "A", "file": "b"}}, "password"),
        ({"user_agent": "Köln\n"}, "user_agent"),
        ({"sync_items": 513}, "sync_items"),
        ({"batch_items": 0}, "batch_items"),
        ({**OAUTH, "client_id": None}, "client_id"),
        ({**OAUTH, "tenant": None}, "tenant"),
        ({**OAUTH, "client_secret": None}, "client_secret"),
        ({**OAUTH, "certificate_file": "x.pem"}, "client_secret"),
        ({**OAUTH, "token_url": "http://login.example.org/"}, "token_url"),
    ],
)
def test_a_mistake_is_named_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EwsSettings(**{"url": HTTPS, "password": PASSWORD, **changes})
    first = caught.value.errors()[0]
    assert field in {*map(str, first["loc"]), first["msg"].removeprefix("Value error, ").split(":")[0]}


def test_what_is_allowed() -> None:
    assert EwsSettings(url="http://127.0.0.1:8080/EWS", password=PASSWORD).auth == "basic"
    assert EwsSettings(url="http://mail.lan/EWS", plain_http=True, password=PASSWORD).plain_http
    assert EwsSettings(url=HTTPS, auth="kerberos").password is None
    assert EwsSettings(url=HTTPS, **OAUTH).token_endpoint() == (
        "https://login.microsoftonline.com/t/oauth2/v2.0/token"
    )


def open_source(url: str, tmp_path: Path, **changes: Any) -> EwsSource:
    options = {"url": url, "password": PASSWORD, "patience_seconds": 1, "timeout_seconds": 5, **changes}
    return EwsSource(EwsSettings(**options), Account(login="anna", address="anna@example.org"), tmp_path)


def test_basic_takes_the_login_unless_a_service_account_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EWS_PASSWORD", "pässwort€")
    with responder(lambda _: root_folder()) as server:
        for username, expected in ((None, "anna"), ("EXAMPLE\\svc", "EXAMPLE\\svc")):
            one = open_source(server.url, tmp_path, username=username)
            one.server()
            one.close()
            sent = server.requests[-1].headers["Authorization"].removeprefix("Basic ")
            assert base64.b64decode(sent).decode() == f"{expected}:pässwort€"


def test_a_missing_secret_is_the_operators_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EWS_PASSWORD", raising=False)
    with responder(lambda _: root_folder()) as server:
        one = open_source(server.url, tmp_path)
        with pytest.raises(Misconfigured):
            one.server()
        assert server.requests == []
        one.close()


def test_kerberos_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    try:
        import requests_gssapi  # noqa: F401 (is it installed?)
    except ImportError:
        one = open_source("http://127.0.0.1:9/EWS", tmp_path, auth="kerberos", password=None)
        with pytest.raises(Misconfigured, match=r"kogge\[kerberos\]"):
            one.server()
        one.close()
    else:
        pytest.skip("the kerberos extra is installed")


def cookies_sent(tmp_path: Path, times: int, headers_of: Callable[[int], dict[str, str]]) -> list[str]:
    """The header Cookie of each request, where each answer has these headers, by its number."""

    def script(request: Request) -> Answer:
        answer = root_folder()
        answer.headers = headers_of(request.number)
        return answer

    with responder(script) as server:
        one = open_source(server.url, tmp_path)
        for _ in range(times):
            one.server()
        one.close()
        return [request.headers.get("Cookie", "") for request in server.requests[:times]]


def test_cookies_lead_back_to_the_same_back_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EWS_PASSWORD", "x")
    stated = [
        {"Set-Cookie": "backend=7; Path=/EWS; HttpOnly", "set-cookie": "elsewhere=1; Domain=example.org"},
        {"Set-Cookie": "backend=8; Path=/EWS", "set-cookie": "other=2; Path=/owa"},
        {"Set-Cookie": "backend=; Path=/EWS; Max-Age=0"},
        {"Set-Cookie": "=;;\x01"},
    ]

    sent = cookies_sent(tmp_path, 5, lambda number: stated[number] if number < len(stated) else {})
    assert sent == ["", "backend=7", "backend=8", "", ""]


def test_a_server_that_sets_ever_new_cookies_makes_no_request_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EWS_PASSWORD", "x")

    sent = cookies_sent(tmp_path, 120, lambda number: {"Set-Cookie": f"name{number}={'v' * 100}"})
    assert 1_000 < max(map(len, sent)) < 10_000


class NtlmHandler(BaseHTTPRequestHandler):
    """Accepts whom NTLM_USER_FILE names; one handshake a connection."""

    protocol_version = "HTTP/1.1"
    events: ClassVar[list[str]]

    def setup(self) -> None:
        super().setup()
        self.context: Any = None
        self.known = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers.get("Authorization", "").removeprefix("NTLM ")
        challenge = "NTLM" if self.known or not token else self.step(base64.b64decode(token))
        if self.known:
            self.events.append("answered")
            self.reply(200, str(root_folder().body), "")
        else:
            self.reply(401, "", challenge)

    def step(self, token: bytes) -> str:
        options = spnego.NegotiateOptions.use_ntlm
        self.context = self.context or spnego.server(protocol="ntlm", options=options)
        try:
            out = self.context.step(token)
        except spnego.exceptions.SpnegoError:
            self.events.append("refused")
            self.context = None
            return "NTLM"
        self.known = self.context.complete
        return "NTLM " + base64.b64encode(out or b"").decode()

    def reply(self, status: int, body: str, challenge: str) -> None:
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def ntlm_server() -> Iterator[tuple[str, list[str]]]:
    events: list[str] = []
    handler = type("Handler", (NtlmHandler,), {"events": events})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/EWS/Exchange.asmx", events
    finally:
        server.shutdown()
        server.server_close()


def test_ntlm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    users.write_text("EXAMPLE:svc:right\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    monkeypatch.setenv("EWS_PASSWORD", "right")
    with ntlm_server() as (url, events):
        one = open_source(url, tmp_path, auth="ntlm", username="EXAMPLE\\svc")
        for _ in range(2):
            assert one.server()["version"] == "15.2.1544.4"
        assert "refused" not in events
        assert events.count("answered") >= 2
        one.close()
        events.clear()
        monkeypatch.setenv("EWS_PASSWORD", "wrong")
        bad = open_source(url, tmp_path, auth="ntlm", username="EXAMPLE\\svc")
        for _ in range(2):
            with pytest.raises(Blocked) as caught:
                bad.server()
            assert caught.value.code == "login-refused"
        assert events == ["refused"]
        bad.close()


def test_an_ntlm_answer_that_is_none_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EWS_PASSWORD", "right")
    challenge = {"WWW-Authenticate": "NTLM " + base64.b64encode(b"no challenge").decode()}

    def script(request: Request) -> Answer:
        known = "Authorization" in request.headers
        return Answer("", status=401, headers=challenge if known else {"WWW-Authenticate": "NTLM"})

    with responder(script) as server:
        one = open_source(server.url, tmp_path, auth="ntlm", username="EXAMPLE\\svc")
        for _ in range(2):
            with pytest.raises(Blocked) as caught:
                one.server()
            assert caught.value.code == "login-refused"
        assert len(server.requests) == 2
        one.close()


def test_an_unusable_certificate_is_the_operators_matter(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no pem")
    for name in ("bad.pem", "missing.pem"):
        changes = {**OAUTH, "client_secret": None, "certificate_file": str(tmp_path / name)}
        one = open_source("http://127.0.0.1:9/", tmp_path, **changes)
        with pytest.raises(Misconfigured, match="certificate_file"):
            one.server()
        one.close()


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (
            Answer('{"error": "invalid_client"}', status=401, kind="application/json"),
            Blocked,
            "login-refused",
        ),
        (Answer('{"error": "x"}', status=400, kind="application/json"), Blocked, "login-refused"),
        (Answer("", status=503), Transient, "busy"),
        (Answer("<html>"), Transient, "token-unreadable"),
        (Answer("[]"), Transient, "token-unreadable"),
    ],
)
def test_a_token_that_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[Exception], code: str
) -> None:
    monkeypatch.setenv("EWS_PASSWORD", "x")
    with responder(lambda _: answer) as server:
        one = open_source(server.url, tmp_path, **OAUTH, token_url=server.url, patience_seconds=0.3)
        with pytest.raises(error) as caught:
            one.server()
        assert caught.value.code == code  # type: ignore[attr-defined]
        asked = len(server.requests)
        if error is Blocked:
            with pytest.raises(Blocked):
                one.server()
            assert asked == len(server.requests) == 1
        one.close()
