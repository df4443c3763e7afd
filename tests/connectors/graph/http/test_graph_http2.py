"""HTTP/2, which Graph speaks and the practice server does not: one connection, ended by close()."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from graph_script import ACCOUNT

from connectors.graph.source import GraphSettings, GraphSource
from model.errors import MigrationError
from practice.harness.tls import make_certificate

Respond = Callable[[str], bytes | None]
"""Path -> body; None: never answered."""


@dataclass
class Http2:
    url: str
    ca: Path
    connections: int = 0
    paths: list[str] = field(default_factory=list)


def _serve(sock: ssl.SSLSocket, server: Http2, respond: Respond) -> None:
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    state.initiate_connection()
    sock.sendall(state.data_to_send())
    paths: dict[int, str] = {}
    while data := sock.recv(65536):
        for event in state.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                paths[event.stream_id] = dict(event.headers)[":path"]
            elif isinstance(event, h2.events.DataReceived):
                state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                path = paths[event.stream_id]
                server.paths.append(path)
                body = respond(path)
                if body is not None:
                    head = [(":status", "200"), ("content-type", "application/json")]
                    state.send_headers(event.stream_id, head)
                    state.send_data(event.stream_id, body, end_stream=True)
        sock.sendall(state.data_to_send())


@contextmanager
def http2(folder: Path, respond: Respond) -> Iterator[Http2]:
    ca = make_certificate(folder).ca
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, ca.with_name("key.pem"))
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))
    server = Http2(f"https://127.0.0.1:{listener.getsockname()[1]}", ca)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                server.connections += 1
                threading.Thread(target=talk, args=(plain,), daemon=True).start()

    def talk(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as sock:
            _serve(sock, server, respond)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield server
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def opened(server: Http2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GraphSource:
    monkeypatch.setenv("KOGGE_GRAPH_SECRET", "x")
    settings = GraphSettings.model_validate(
        {
            "tenant": "t",
            "client_id": "c",
            "client_secret": {"env": "KOGGE_GRAPH_SECRET"},
            "graph_url": f"{server.url}/v1.0",
            "authority": server.url,
            "tls": {"ca_file": str(server.ca)},
        }
    )
    return GraphSource(settings, ACCOUNT, tmp_path / "spool")


def answer(path: str) -> bytes | None:
    if path.endswith("/token"):
        found: object = {"token_type": "Bearer", "access_token": "t", "expires_in": 3600}
    elif "sentitems" in path:
        return None
    else:
        found = {"id": "U-1", "mail": "anna@example.org"}
    return json.dumps(found).encode()


def test_everything_goes_over_one_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http2(tmp_path, answer) as server:
        source = opened(server, tmp_path, monkeypatch)
        for _ in range(20):
            assert source.identity().id == "U-1"
        assert len(server.paths) == 21
        assert server.connections == 1
        source.close()


def test_close_ends_a_stream_that_another_thread_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[MigrationError] = []
    with http2(tmp_path, answer) as server:
        source = opened(server, tmp_path, monkeypatch)

        def ask() -> None:
            try:
                source.sent_from(5)
            except MigrationError as error:
                errors.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        deadline = time.monotonic() + 10
        while len(server.paths) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        started = time.monotonic()
        source.close()
        thread.join(timeout=10)
        assert not thread.is_alive()
        assert time.monotonic() - started < 2
    assert [error.code for error in errors] == ["source-closed"]
