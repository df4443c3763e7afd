"""Who may use the local Prefect server: whoever reads its login, under its own name, from its own pages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from flows.deploy import prefect_server
from flows.deploy.prefect_server import Server
from flows.deploy.server_login import header, login, login_path, proves

pytestmark = pytest.mark.prefect

EVIL = "https://evil.example"
READ = "/flow_runs/filter"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prefect_state: Callable[[], Path]) -> Iterator[Server]:
    """With a login that it made itself."""
    state = prefect_state()
    prefect_server.login_file(state).unlink()
    yield prefect_server.up(state, port=0)
    prefect_server.down(state)


def asked(server: Server, method: str = "POST", path: str = READ, **headers: str) -> httpx.Response:
    """What a client gets that knows the login, and says these headers as well."""
    own = header(server.login) | {name.replace("_", "-"): value for name, value in headers.items()}
    body = {} if method == "POST" else None
    return httpx.request(method, f"{server.api}{path}", json=body, headers=own, timeout=60)


def test_only_who_knows_the_login_is_answered(server: Server) -> None:
    assert httpx.post(f"{server.api}{READ}", json={}).status_code == 401
    assert httpx.post(f"{server.api}{READ}", json={}, headers=header("kogge:guessed")).status_code == 401
    assert asked(server).status_code == 200
    assert prefect_server.answers(server.api), "without a login"
    assert prefect_server.refuses(server.api), "with that of the environment"


def test_the_login_is_for_its_owner_alone(server: Server) -> None:
    state = next(Path(value) for name, value in _environment(server.pid).items() if name == "PREFECT_HOME")
    path = login_path(state)
    assert (path.stat().st_mode & 0o777, path.read_text().strip()) == (0o600, server.login)
    assert len(server.login) > 30
    secret = server.login.partition(":")[2]
    assert secret not in repr(server)
    assert secret not in (state / "server.log").read_text()
    assert secret not in (state / "server.json").read_text()
    assert secret.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def _environment(pid: int) -> dict[str, str]:
    words = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


@pytest.mark.parametrize("path", [READ, "/block_documents/"])
def test_a_page_of_another_origin_gets_nothing(server: Server, path: str) -> None:
    """Even one that knows the login."""
    asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    looked = asked(server, "OPTIONS", path, Origin=EVIL, **asks)
    assert (looked.status_code, "access-control-allow-origin" in looked.headers) == (403, False)
    assert asked(server, path=path, Origin=EVIL).status_code == 403
    assert asked(server, path=path, Origin="null").status_code == 403
    assert asked(server, path=path, Origin=f"http://127.0.0.1:{server.port + 1}").status_code == 403


@pytest.mark.parametrize("name", ["rebind.evil.example", "127.0.0.1.evil.example", "evil.example:4200", ""])
def test_another_name_that_leads_here_is_refused(server: Server, name: str) -> None:
    assert asked(server, Host=name).status_code in (400, 403)
    assert httpx.get(server.ui, headers={"Host": name}).status_code in (400, 403)


def test_a_page_cannot_listen_to_events(server: Server) -> None:
    """The rules for pages of other origins do not hold for web sockets: a server has to look itself."""
    address = f"ws://127.0.0.1:{server.port}/api/events/out"
    with pytest.raises(InvalidStatus) as refused, connect(address, origin=EVIL):  # type: ignore[arg-type]
        pytest.fail("the socket is open")
    assert refused.value.response.status_code == 403


def test_its_own_pages_work_under_both_names(server: Server) -> None:
    for name in ("127.0.0.1", "localhost"):
        own = f"http://{name}:{server.port}"
        page = httpx.get(server.ui, headers={"Host": f"{name}:{server.port}"}, follow_redirects=True)
        assert (page.status_code, "<html" in page.text) == (200, True)
        answer = asked(server, Origin=own)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, own)
    settings = httpx.get(f"{server.ui}/ui-settings").json()
    assert (settings["auth"], settings["api_url"]) == ("BASIC", server.api)


def test_it_proves_itself_before_the_login_is_said(server: Server) -> None:
    assert proves(server.login, server.port, 3.0)
    assert not proves("kogge:another", server.port, 3.0)
    assert not proves("", server.port, 3.0)


def test_the_login_stays_when_the_server_starts_anew(tmp_path: Path) -> None:
    assert login(tmp_path / "prefect") == login(tmp_path / "prefect")
    assert login(tmp_path / "other") != login(tmp_path / "prefect")


def test_a_server_of_an_earlier_version_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for no login."""
    words = [sys.executable, "-c", "print(flush=True); input()", *prefect_server.EARLIER]
    earlier = subprocess.Popen(
        words, start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert earlier.stdout is not None
    assert earlier.stdin is not None
    assert earlier.stdout.readline() == "\n"  # a process that only just began has no words yet
    folder = prefect_server.home(tmp_path)
    folder.mkdir()
    (folder / "server.json").write_text(f'{{"pid": {earlier.pid}, "port": 4200, "started": 0}}')
    assert prefect_server.status(tmp_path) is None
    fresh = Server(os.getpid(), 4200, 0.0)
    monkeypatch.setattr(prefect_server, "_start", lambda _state, _port: fresh)
    assert prefect_server.up(tmp_path, 0) == fresh
    assert earlier.wait(30) != 0
    earlier.stdin.close()
    earlier.stdout.close()
