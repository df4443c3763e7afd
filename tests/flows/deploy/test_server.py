"""The local Prefect server, and another that is on its port."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.deploy import prefect_server
from flows.deploy.server_login import HOST
from model.errors import Misconfigured

pytestmark = pytest.mark.prefect


class Strange(http.server.BaseHTTPRequestHandler):
    """As another's Prefect server answers."""

    def do_GET(self) -> None:
        body = json.dumps({"home": "/somebody/else"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def strange() -> Iterator[int]:
    with http.server.ThreadingHTTPServer((HOST, 0), Strange) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield listener.server_port
        finally:
            listener.shutdown()
            thread.join()


def test_a_port_that_another_took_first_is_not_taken_for_ours(
    prefect_state: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two migrations that begin at once find the same port free."""
    free, state = prefect_server._free_port, prefect_state()
    with strange() as port:
        given = [port]
        monkeypatch.setattr(prefect_server, "_free_port", lambda _wanted: given.pop() if given else free(0))
        try:
            running = prefect_server.up(state, 0)
            assert running.port != port
            assert prefect_server.status(state) == running
        finally:
            prefect_server.down(state)


def test_a_port_that_is_taken_is_named_and_no_other_server_starts(tmp_path: Path) -> None:
    with strange() as port:
        with pytest.raises(Misconfigured, match=rf"prefect.port: {port} is taken"):
            prefect_server.up(tmp_path, port)
        assert prefect_server.status(tmp_path) is None
        assert not prefect_server.log_path(tmp_path).exists()


def test_what_answers_in_the_place_of_ours_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with strange() as port:
        found = prefect_server.Server(1, port, 0.0)
        monkeypatch.setattr(prefect_server, "_recorded", lambda _state: found)
        assert prefect_server.answers(found.api)
        assert prefect_server.status(tmp_path) is None
