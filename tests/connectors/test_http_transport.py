"""Answers that a library takes for something else: interim ones, cut compression, garbage."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from connectors.graph_api.client import GraphClient
from connectors.graph_api.settings import GraphSettings
from connectors.http.content_coding import OFFERED, decoded
from connectors.http.proxy import Network
from connectors.http.transport import Transport
from connectors.settings import Account, Secret, Tls
from engine.control.log_filter import quieten
from model.errors import MigrationError, Transient

Script = Callable[[str], Iterable[bytes | float | None]]
"""The path -> what is sent in turn: bytes, or a pause in seconds. The connection stays open unless None ends
it."""
BEYOND = Transient("too-large", "")


@dataclass(frozen=True, slots=True)
class Settings:
    tls: Tls = field(default_factory=Tls)
    network: Network = field(default_factory=Network)
    timeout_seconds: float = 30.0


def request(lines: BinaryIO) -> str:
    """Read a request; its path, "" at the end."""
    asked, length = lines.readline().decode(), 0
    while header := lines.readline().strip().lower():
        if header.startswith(b"content-length:"):
            length = int(header.partition(b":")[2])
    lines.read(length)
    return asked.split()[1] if asked else ""


@contextmanager
def server(script: Script) -> Iterator[str]:
    """A server that keeps its connections, and answers every request on them by the script."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(line: socket.socket) -> None:
        try:
            with line, line.makefile("rb") as requests:
                while path := request(requests):
                    for part in script(path):
                        if part is None:
                            return
                        time.sleep(part) if isinstance(part, float) else line.sendall(part)
        except OSError:
            return

    def listen() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(line,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


@contextmanager
def transport(answer_seconds: float | None = None) -> Iterator[Transport]:
    opened = Transport(Settings(), lambda: Transient("closed", ""), 4, answer_seconds)
    try:
        yield opened
    finally:
        opened.close()


def ask(through: Transport, url: str, *, decode: bool = True) -> tuple[int, bytes]:
    with through.send_to("GET", url, {"Accept-Encoding": OFFERED}) as answer:
        return answer.status, answer.read(10_000_000, BEYOND, decode=decode)


def whole(body: bytes, *more: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *more, "", "")).encode() + body


@pytest.mark.parametrize("interim", ["102 Processing", "103 Early Hints"])
def test_an_interim_answer_is_not_the_answer_and_the_next_request_gets_its_own(interim: str) -> None:
    def script(path: str) -> Iterator[bytes | float]:
        yield f"HTTP/1.1 {interim}\r\nLink: </style.css>\r\n\r\n".encode()
        yield 0.2  # as long as the client needs to send its next request on the same connection
        yield whole(path.encode())

    with server(script) as url, transport() as through:
        answers = [ask(through, f"{url}/message-{number}") for number in range(3)]
    assert answers == [(200, f"/message-{number}".encode()) for number in range(3)]


def test_what_switches_protocols_unasked_is_a_fault_and_its_connection_is_dropped() -> None:
    def script(path: str) -> Iterator[bytes | float]:
        if path == "/first":
            yield b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n"
            yield 0.2
        yield whole(path.encode())

    with server(script) as url, transport() as through:
        with pytest.raises(Transient, match="connection-cut"):
            ask(through, f"{url}/first")
        assert ask(through, f"{url}/second") == (200, b"/second")


def test_a_head_that_cannot_be_read_brings_no_address_into_a_log(caplog: pytest.LogCaptureFixture) -> None:
    def script(_path: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nno colon here, anna@example.org\r\n\r\nhello"

    quieten()
    with server(script) as url, transport() as through, caplog.at_level(logging.DEBUG):
        assert ask(through, f"{url}/users/anna%40example.org/report.pdf?tempauth=secret") == (200, b"hello")
    assert "anna" not in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_compressed_data_that_ends_early_is_no_whole_answer(chunked: bool) -> None:
    half = gzip.compress(bytes(range(256)) * 400)[:300]

    def script(_path: str) -> Iterator[bytes]:
        if chunked:
            yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
            yield f"{len(half):x}\r\n".encode() + half + b"\r\n0\r\n\r\n"
        else:
            yield whole(half, "Content-Encoding: gzip")

    with server(script) as url, transport() as through, pytest.raises(Transient, match="connection-cut"):
        ask(through, url)


def test_a_compression_that_was_not_offered_is_no_answer() -> None:
    with (
        server(lambda _: [whole(b"\x0b\x02\x80hello\x03", "Content-Encoding: br")]) as url,
        transport() as through,
        pytest.raises(Transient, match="connection-cut"),
    ):
        ask(through, url)


def test_the_status_of_an_error_counts_however_its_body_is_compressed() -> None:
    refused = b"HTTP/1.1 403 Forbidden\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n\x0b\x02"
    with server(lambda _: [refused]) as url, transport() as through:
        assert ask(through, url)[0] == 403


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_compressed_data_is_read_however_it_is_cut_into_pieces(step: int) -> None:
    text = bytes(range(256)) * 300
    packed = gzip.compress(text[:1000]) + gzip.compress(b"") + gzip.compress(text[1000:]) + b"\0" * 20
    pieces = list(decoded((packed[at : at + step] for at in range(0, len(packed), step)), "gzip", 512))
    assert b"".join(pieces) == text
    assert max(map(len, pieces)) <= 512


def test_little_data_fills_no_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(50)) + packer.flush()
    sizes = [len(piece) for piece in decoded([bomb], "gzip", 4096)]
    assert (max(sizes), sum(sizes)) == (4096, 50_000_000)


def test_an_answer_without_a_body_needs_no_compressed_data() -> None:
    with server(lambda _: [whole(b"", "Content-Encoding: gzip")]) as url, transport() as through:
        assert ask(through, url) == (200, b"")


def test_an_answer_cut_for_the_sake_of_another_is_not_taken_for_a_whole_one() -> None:
    """One connection's time is up; all are cut. A body that ends with its connection looks whole then."""
    halfway, told = threading.Event(), []

    def script(path: str) -> Iterator[bytes | float]:
        if path == "/half":
            yield b"HTTP/1.1 200 OK\r\n\r\nhalf of it"
            halfway.set()
        yield 5.0

    def slow() -> None:
        with pytest.raises(Transient, match="timeout"):
            ask(through, f"{url}/slow")
        told.append("late")

    with server(script) as url, transport(answer_seconds=1.0) as through:
        asking = threading.Thread(target=slow)
        asking.start()
        time.sleep(0.5)  # so that the allowance of the other answer ends first
        with pytest.raises(MigrationError, match="connection-cut"):
            ask(through, f"{url}/half")
        asking.join()
    assert halfway.is_set()
    assert told == ["late"]


def test_a_busy_server_s_delay_counts_although_its_answer_breaks_off() -> None:
    def script(_path: str) -> Iterator[bytes | None]:
        yield b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 100\r\n\r\n{"
        yield None

    with server(script) as url, transport() as through, pytest.raises(Transient) as told:
        ask(through, url)
    assert (told.value.code, told.value.after) == ("connection-cut", 120.0)


def test_half_a_message_is_not_taken_for_one_where_nothing_says_where_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a proxy that ends an answer with its connection, also when that breaks."""
    monkeypatch.setenv("GRAPH_SECRET", "secret")
    token = b'{"token_type": "Bearer", "access_token": "t", "expires_in": 3600}'

    def script(path: str) -> Iterator[bytes | None]:
        if path.endswith("/token"):
            yield whole(token)
            return
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nSubject: half of i"
        yield None

    with server(script) as url:
        settings = GraphSettings(
            tenant="example.org", client_id="1", client_secret=Secret(env="GRAPH_SECRET"), graph_url=url,
            authority=url,
        )  # fmt: skip
        client = GraphClient(settings, Account(login="anna@example.org"), tmp_path)
        with closing(client), pytest.raises(Transient, match="connection-cut"):
            client.streamed("/users/anna/messages/1/$value")


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/hostname", "//example.org/"])
def test_an_address_that_is_none_of_http_is_a_fault_and_no_defect(url: str) -> None:
    with transport() as through, pytest.raises(Transient, match="connection-cut"):
        ask(through, url)
