"""Worker processes that share a server's rate limit by their ledger; one is killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from servers.postgres import Postgres

from ledger.store import Ledger
from practice.dav.proxy import Request

ANNA = "anna@new.example"
NUMBER = itertools.count()
LIMIT, WINDOW, MARGIN = 60, 5.0, 1.5
"""Of the configuration; the server's window is shorter by the margin, because this machine may be slow."""
TOML = """\
[ledger]
url = "{ledger}"
plain = true
[source]
kind = "imap"
host = "imap.example.org"
password = {{ env = "X" }}
[target.calendar]
kind = "caldav"
url = "{url}"
profile = "open-xchange"
rate_limit = {limit}
rate_limit_seconds = {window}
password = {{ env = "PASSWORD" }}
"""
PROCESS = """
import sys
from pathlib import Path
from connectors.caldav.products import PROFILES
from connectors.http.client import HttpClient
from connectors.settings import Account
from engine.config.load import load
from engine.pacing.shared_budget import request_budget
from model.kinds import Kind

config = load(Path(sys.argv[1]))
settings = config.target.of(Kind.CALENDAR)
budget = request_budget(config, settings)
client = HttpClient(settings, Account(login=sys.argv[2]), PROFILES[settings.profile], budget=budget)
for _ in range(int(sys.argv[3])):
    assert client.ask("OPTIONS", "/caldav/").status != 429
"""


@dataclass
class Counted(Rate):
    refused: int = 0

    def refuses(self, request: Request, now: datetime, *, counts: bool) -> bool:
        refused = super().refuses(request, now, counts=counts)
        self.refused += refused
        return refused


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create(f"budget_of_processes_{next(NUMBER)}")


@pytest.fixture
def server() -> Iterator[OpenXchangeServer]:
    with OpenXchangeServer({ANNA: "Anna"}, rate=Counted(LIMIT, WINDOW - MARGIN)) as running:
        yield running


def test_processes_together_keep_the_limit_also_when_one_is_killed(
    url: str, server: OpenXchangeServer, tmp_path: Path
) -> None:
    ledger = Ledger(url)
    ledger.migrate()
    ledger.close()
    values = {"ledger": url, "url": server.url, "limit": LIMIT, "window": WINDOW}
    (tmp_path / "kogge.toml").write_text(TOML.format(**values))
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "kogge.toml"), ANNA]
    environment = {**os.environ, "PASSWORD": USER_PASSWORD}
    killed = subprocess.Popen([*command, "10000"], env=environment)
    await_requests(server, 10, killed)
    others = [subprocess.Popen([*command, "50"], env=environment) for _ in range(2)]
    await_requests(server, LIMIT + 5, *others)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert [other.wait(timeout=120) for other in others] == [0, 0]
    assert isinstance(server.rate, Counted)
    assert len(server.requests) > LIMIT + 40
    assert server.rate.refused == 0


def await_requests(server: OpenXchangeServer, count: int, *processes: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while len(server.requests) < count:
        assert all(process.poll() in (None, 0) for process in processes)
        assert time.monotonic() < until
        time.sleep(0.05)
