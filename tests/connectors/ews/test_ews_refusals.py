"""The EWS source and a server that is busy, broken or refuses: what passes, what blocks, what ends."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from ews_responder import (
    Answer,
    Request,
    Responder,
    envelope,
    error,
    fault,
    item,
    responder,
)
from ews_scripts import BODIES, INBOX, REFS, Open, expected, flawed, friendly, outcome, unwrapped

from connectors.ews.source import EwsSource
from connectors.settings import Secret
from model.errors import Blocked, MigrationError, Transient


@pytest.mark.parametrize(
    "answer",
    [
        fault("ErrorServerBusy", {"BackOffMilliseconds": "50"}),
        fault("ErrorInternalServerTransientError"),
        fault("ErrorInternalServerError", {"InnerErrorResponseCode": "ErrorServerBusy"}),
        Answer("", status=503, headers={"Retry-After": "0"}),
        Answer("<html>busy</html>", status=503, kind="text/html"),
        Answer("", status=429),
        Answer("", status=302, headers={"Location": "http://[portal/"}),  # no login was refused by that
        Answer("<html><body>Runtime Error</body></html>", status=500, kind="text/html"),
        Answer("<html>maintenance</html>", kind="text/html"),
        Answer("garbage"),
        Answer("", length=False),
        Answer(envelope("GetItem", item("id0=", BODIES["id0="])), cut=900),
        Answer(envelope("GetItem", item("id0=", BODIES["id0="]))[:-30], length=False),
        Answer(envelope("GetItem")),
    ],
)
def test_a_passing_fault_passes(source: Open, answer: Answer) -> None:
    with responder(flawed(lambda _, number: answer if number == 0 else None)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected()


@pytest.mark.parametrize(
    ("answer", "code", "after"),
    [
        (fault("ErrorServerBusy", {"BackOffMilliseconds": "77000"}), "busy", 77.0),
        (Answer("", status=503, headers={"Retry-After": "120"}), "busy", 120.0),
        (Answer("", status=503), "busy", None),
        (Answer("<html>maintenance</html>", kind="text/html"), "not-soap", None),
    ],
)
def test_impatience_hands_the_delay_on(source: Open, answer: Answer, code: str, after: float | None) -> None:
    with responder(lambda _: answer) as server:
        one = source(server, patience_seconds=0.3)
        for call in (lambda: list(one.fetch(INBOX, REFS)), lambda: list(one.containers())):
            with pytest.raises((Transient, Blocked)) as caught:
                call()
            assert caught.value.code == code
            if after is not None:
                assert isinstance(caught.value, Transient)
                assert caught.value.after == after


def test_a_url_that_is_no_exchange_blocks_in_the_end(source: Open) -> None:
    with responder(lambda _: Answer("<html>welcome</html>", kind="text/html")) as server:
        one = source(server, patience_seconds=0.3)
        with pytest.raises(Transient, match="not-soap"):
            one.identity()
        with pytest.raises(Blocked, match="not-soap"):
            one.identity()


def test_a_refused_password_is_tried_exactly_once(source: Open) -> None:
    denied = Answer("", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    with responder(lambda _: denied) as server:
        one = source(server)
        for call in (one.identity, one.server, lambda: list(one.fetch(INBOX, REFS))):
            with pytest.raises(Blocked) as caught:
                call()
            assert caught.value.code == "login-refused"
        assert len(server.requests) == 1


@pytest.mark.parametrize("forever", [False, True])
def test_an_expired_token_is_renewed_once(source: Open, forever: bool) -> None:
    def script(request: Request) -> Answer:
        if request.operation == "token":
            tokens.append(request.xml)
            return Answer(f'{{"access_token": "t{len(tokens)}"}}', kind="application/json")
        stale = forever or request.headers["Authorization"] == "Bearer t1"
        return Answer("", status=401) if stale else friendly(request)

    tokens: list[str] = []
    with responder(script) as server:
        one = source(
            server,
            auth="oauth2",
            client_id="app",
            client_secret=Secret(env="EWS_PASSWORD"),
            token_url=server.url,
        )
        if forever:
            with pytest.raises(Blocked) as caught:
                list(one.fetch(INBOX, REFS))
            assert caught.value.code == "login-refused"
        else:
            assert outcome(one.fetch(INBOX, REFS)) == expected()
        assert len(tokens) == 2
        assert "client_secret=correct+horse" in tokens[0]


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("ErrorImpersonateUserDenied", "impersonation-refused"),
        ("ErrorImpersonationDenied", "impersonation-refused"),
        ("ErrorNonExistentMailbox", "mailbox-missing"),
        ("ErrorAccountDisabled", "account-disabled"),
        ("ErrorAccessDenied", "access-denied"),
        ("ErrorPasswordExpired", "login-refused"),
        ("ErrorSomethingNew", "server-refuses"),
    ],
)
def test_what_needs_a_person_blocks(source: Open, code: str, ours: str) -> None:
    message_ = Answer(envelope("GetFolder", error("GetFolder", code)))
    for answer in (fault(code), message_):
        with responder(lambda _, answer=answer: answer) as server:
            with pytest.raises(Blocked) as caught:
                source(server).identity()
            assert caught.value.code == ours
            assert "secret words" not in str(caught.value)
            assert len(server.requests) == 1


def test_an_older_server_is_asked_in_its_own_schema(source: Open) -> None:
    def script(request: Request) -> Answer:
        old = 'Version="Exchange2010_SP2"' in request.xml
        return friendly(request) if old else fault("ErrorInvalidServerVersion")

    with responder(script) as server:
        one = source(server)
        assert outcome(one.fetch(INBOX, REFS)) == expected()
        assert outcome(one.fetch(INBOX, REFS)) == expected()
        assert len(server.requests) == 3


def test_a_port_where_nobody_listens_is_transient(source: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = Responder(f"http://127.0.0.1:{port}/EWS/Exchange.asmx", [])
    with pytest.raises(Transient) as caught:
        source(nobody, patience_seconds=0.2).identity()
    assert caught.value.code == "unreachable"


def test_plain_text_where_tls_was_expected_blocks(source: Open) -> None:
    with responder(friendly) as server:
        server.url = server.url.replace("http:", "https:")
        with pytest.raises(Blocked) as caught:
            source(server).identity()
        assert caught.value.code == "tls-failed"


def test_close_ends_a_blocked_read_and_a_wait(source: Open) -> None:
    stalled = threading.Event()

    def stall(request: Request) -> Answer:
        stalled.set()
        return Answer(stall=5)

    def busy(request: Request) -> Answer:
        stalled.set()
        return Answer("", status=503, headers={"Retry-After": "4"})

    for script in (stall, busy):
        stalled.clear()
        with responder(script) as server:
            one = source(server, timeout_seconds=20, patience_seconds=20)
            raised: list[MigrationError] = []
            thread = threading.Thread(target=_swallow, args=(one, raised))
            thread.start()
            assert stalled.wait(5)
            time.sleep(0.05)
            began = time.monotonic()
            one.close()
            one.close()
            thread.join(5)
            assert time.monotonic() - began < 1
        assert [error.code for error in raised] == ["source-closed"]
        with pytest.raises(Transient, match="source-closed"):
            one.identity()


def _swallow(one: EwsSource, raised: list[MigrationError]) -> None:
    try:
        one.identity()
    except MigrationError as error:
        raised.append(error)


def test_no_secret_shows_in_a_repr(source: Open) -> None:
    with responder(friendly) as server:
        one = source(server)
        one.server()
        inner = unwrapped(one)
        shown = (
            repr(one) + repr(inner._settings) + repr(vars(inner._client)) + repr(vars(inner._client._login))
        )
        assert "correct horse" not in shown
