"""The same on a real server: a worker dies at DavTarget's requests to Radicale, and at the ledger's commits;
the next run must lead to the same calendars, read by a client that is not ours."""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from calendars import a_calendar, edit_calendar
from dying_requests import Begun, OnServer, die_everywhere, every_request_is_a_step, meaning
from memory.doubles import MemoryShelf, Step
from server_fixtures import radicale_fixture

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account, Secret
from ledger.db.rows import LegState
from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Guard, Target
from practice.dav.radicale import USER_PASSWORD, RadicaleServer

USERS = [f"user{number}" for number in range(1500)]
PASSWORD_ENV = "KOGGE_TEST_RADICALE"
LASTING = {"PUT", "DELETE", "MKCALENDAR", "PROPPATCH"}
NAMES = b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
_HREF = re.compile(r"<href>([^<]+)</href>")
_fresh = itertools.chain(USERS)


radicale = radicale_fixture(USERS)


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    every_request_is_a_step(monkeypatch)


class OnRadicale(OnServer):
    """A trial whose target is an account of a real server."""

    server: RadicaleServer
    user: str

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        settings = DavSettings(
            kind="caldav",
            url=self.server.url,
            profile="radicale",
            password=Secret(env=PASSWORD_ENV),
            connections=1,
        )

        def digest(stream: BinaryIO) -> bytes:
            return ITEM_FORMS[Kind.CALENDAR].digest(stream, moment)

        account = Account(login=self.user)
        return DavTarget(
            settings, account, guard, self.directory, kind=Kind.CALENDAR, digest=digest, live=live
        )

    def contents(self) -> Counter[tuple[str, bytes]]:
        """(last part of the collection's path, meaning) of every object."""
        found: Counter[tuple[str, bytes]] = Counter()
        with httpx.Client(base_url=self.server.url, auth=(self.user, USER_PASSWORD)) as client:
            for collection in self._below(client, f"/{self.user}/"):
                for path in self._below(client, collection):
                    raw = client.get(path).raise_for_status().content
                    found[collection.split("/")[2], meaning(io.BytesIO(raw))] += 1
        return found

    def _below(self, client: httpx.Client, path: str) -> list[str]:
        answer = client.request("PROPFIND", path, headers={"Depth": "1"}, content=NAMES)
        return [href for href in _HREF.findall(answer.text) if href != path]


Ready = Callable[[bool], Begun]


@pytest.fixture
def ready(quick_path: Path, radicale: RadicaleServer) -> Ready:
    """changed: a run before, and then changes."""

    def prepared(changed: bool) -> Begun:
        def begun(name: str) -> AbstractContextManager[OnServer]:
            directory = quick_path / name
            directory.mkdir()
            trial = OnRadicale(directory, a_calendar(2), MemoryShelf())
            trial.server, trial.user = radicale, next(_fresh)
            if changed:
                assert trial.run().state is LegState.VERIFIED
                edit_calendar(trial.mailbox)
            return nullcontext(trial)

        return begun

    return prepared


@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_right_after_every_change(ready: Ready, monkeypatch: pytest.MonkeyPatch, changed: bool) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=False) > 5


@pytest.mark.soak
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_at_every_request_and_commit(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=True) > 70
