"""Whoever approves a wave hears when nobody can choose it in Prefect yet."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import SIDES

from engine.config.load import Config, load
from flows.deploy.wave_missing import setup_advice

KNOWN = "/api/deployments/name/wave/start%20pilot"


class Api(http.server.BaseHTTPRequestHandler):
    """Has a deployment of one wave. Whoever has no password hears nothing of any."""

    def do_GET(self) -> None:
        login = self.headers["Authorization"]
        code = 401 if login != "Basic YTpi" else 200 if self.path == KNOWN else 404
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "a:b")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}/api"
        listener.shutdown()
        thread.join()


def configured(folder: Path, api: str, dispatch: str = "deployment") -> Config:
    path = folder / "cloud.toml"
    path.write_text(f'{SIDES}\n[prefect]\napi_url = "{api}"\ndispatch = "{dispatch}"\n')
    return load(path)


def test_a_wave_that_prefect_lacks_is_told_with_the_command_that_adds_it(
    tmp_path: Path, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = configured(tmp_path, api)
    told = setup_advice(config, "wave-b")
    assert told == "Prefect does not know this wave yet; kogge setup -c cloud.toml adds it there"
    assert setup_advice(config, "pilot") is None


def test_what_cannot_be_known_is_not_told(tmp_path: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup_advice(configured(tmp_path, api, "inline"), "wave-b") is None, "there are no workers"
    assert setup_advice(configured(tmp_path, "http://127.0.0.1:1/api"), "wave-b") is None
    monkeypatch.delenv("PREFECT_API_AUTH_STRING")
    assert setup_advice(configured(tmp_path, api), "wave-b") is None
