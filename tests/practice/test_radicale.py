"""The practice Radicale: who gets in, what it keeps, and that nothing of it is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest
from server_fixtures import radicale_fixture

from practice.dav.radicale import USER_PASSWORD, RadicaleServer, start_radicale

ROOT = Path(__file__).parents[2]
SECONDS = 20.0
ANNA = ("anna", USER_PASSWORD)
BERT = ("bert@example.org", USER_PASSWORD)
EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Test//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20260101T000000Z\r
DTSTART:20260105T090000Z\r
SUMMARY:Müller\r
END:VEVENT\r
END:VCALENDAR\r
"""
STARTER = """
import time
from practice.dav.radicale import start_radicale
print(start_radicale(["anna"], provisioned=True).url, flush=True)
time.sleep(300)
"""


server = radicale_fixture(["anna", "bert@example.org"], provisioned=True)


def ask(
    method: str,
    url: str,
    login: tuple[str, str],
    content: bytes = b"",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> httpx.Response:
    return httpx.request(method, url, auth=login, content=content, headers=dict(headers), timeout=SECONDS)


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("anna", ""), ("eve", "userpw"), ("", "")])
def test_others_stay_out(server: RadicaleServer, user: str, password: str) -> None:
    answer = ask("PROPFIND", server.home("anna"), (user, password))
    assert answer.status_code == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]


def test_a_user_sees_the_own_home_and_no_other(server: RadicaleServer) -> None:
    assert ask("PROPFIND", server.home("bert@example.org"), BERT).status_code == 207
    assert ask("PROPFIND", server.home("anna"), BERT).status_code == 403


def test_a_provisioned_user_has_a_calendar_and_a_book(server: RadicaleServer) -> None:
    listed = ask("PROPFIND", server.home("anna"), ANNA, headers={"Depth": "1"}).text
    assert "/anna/calendar/" in listed
    assert "/anna/contacts/" in listed
    assert ask("PROPFIND", f"{server.url}/.well-known/caldav", ANNA).status_code == 301


def test_a_bare_user_has_neither() -> None:
    bare = start_radicale(["anna"])
    try:
        listed = ask("PROPFIND", bare.home("anna"), ANNA, headers={"Depth": "1"}).text
        assert "/anna/calendar/" not in listed
    finally:
        bare.stop()


def test_four_writers_and_conditions(server: RadicaleServer) -> None:
    def put(name: str) -> int:
        url = server.home("anna") + f"calendar/{name}.ics"
        body = EVENT.format(uid=name).encode()
        return ask("PUT", url, ANNA, content=body, headers={"If-None-Match": "*"}).status_code

    with ThreadPoolExecutor(4) as writers:
        assert set(writers.map(put, [f"w{number}" for number in range(40)])) == {201}
    assert put("w0") == 412
    url = server.home("anna") + "calendar/w0.ics"
    stored = ask("GET", url, ANNA)
    assert "SUMMARY:Müller" in stored.text
    etag = {"If-Match": stored.headers["ETag"]}
    changed = EVENT.format(uid="w0").replace("Müller", "Maier").encode()
    assert ask("PUT", url, ANNA, content=changed, headers=etag).status_code == 204
    assert ask("DELETE", url, ANNA, headers=etag).status_code == 412


def test_it_goes_with_its_starter_and_takes_its_folder_along(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    script = [sys.executable, "-c", STARTER]
    with subprocess.Popen(script, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        url = one.stdout.readline().strip()
        assert ask("PROPFIND", f"{url}/anna/", ANNA).status_code == 207
        assert list(tmp_path.iterdir())
        one.kill()
    deadline = time.monotonic() + SECONDS
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline, "the server outlived its starter"
        time.sleep(0.05)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_stopping_twice_is_stopping() -> None:
    server = start_radicale(["anna"])
    server.stop()
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)
