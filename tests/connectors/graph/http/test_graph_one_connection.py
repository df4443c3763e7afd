"""Graph over TLS: one connection for everything, opened anew when it was idle, and ended by close()."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from graph_script import ACCOUNT

from connectors.graph.source import GraphSettings, GraphSource
from connectors.http import sockets
from model.errors import MigrationError
from practice.harness.tls import make_certificate


@dataclass
class Seen:
    url: str
    ca: Path
    connections: int = 0
    paths: list[str] = field(default_factory=list)


def body(path: str) -> bytes:
    if path.endswith("/token"):
        return json.dumps({"token_type": "Bearer", "access_token": "t", "expires_in": 3600}).encode()
    return json.dumps({"id": "U-1", "mail": "anna@example.org"}).encode()


@contextmanager
def cloud(folder: Path) -> Iterator[Seen]:
    """Answers everything but what concerns the sent items."""
    ended = threading.Event()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            seen.connections += 1

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.paths.append(self.path)
            if "sentitems" in self.path:
                ended.wait(20)
                return
            data = body(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Is silent."""

    certificate = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.ca, certificate.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    seen = Seen(f"https://127.0.0.1:{server.server_address[1]}", certificate.ca)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield seen
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def opened(server: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GraphSource:
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


def test_everything_goes_over_one_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cloud(tmp_path) as server:
        source = opened(server, tmp_path, monkeypatch)
        for _ in range(20):
            assert source.identity().id == "U-1"
        assert len(server.paths) == 21
        assert server.connections == 1
        source.close()


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cloud(tmp_path) as server:
        source = opened(server, tmp_path, monkeypatch)
        source.identity()
        assert server.connections == 1
        monkeypatch.setattr(sockets, "IDLE_SECONDS", 0.0)
        assert source.identity().id == "U-1"
        assert server.connections == 2
        source.close()


def test_close_ends_an_answer_that_another_thread_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[MigrationError] = []
    with cloud(tmp_path) as server:
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
        source.close()
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert [error.code for error in errors] == ["source-closed"]
