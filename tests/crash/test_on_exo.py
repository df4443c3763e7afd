"""The same on a server that tells no event from its twin: a worker dies at AgendaTarget's requests to a
practice eXo, and at the ledger's commits; the next run must lead to the same calendar, and nobody is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from calendars import a_calendar, edit_calendar
from dying_requests import OnServer, die_everywhere, every_request_is_a_step, meaning
from memory.doubles import MemoryShelf, Step, no_step
from memory.shelf import MOMENT
from servers.exo.agenda import USER_PASSWORD, ExoAgenda
from walking import TARGET

from connectors.exo.settings import AgendaSettings
from connectors.exo.target import AgendaTarget
from connectors.settings import Account, Secret
from ledger.db.rows import LegState
from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Guard, Native, Target

PASSWORD_ENV = "KOGGE_TEST_EXO"
LASTING = {"POST", "PATCH", "DELETE"}


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Years are few."""
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    monkeypatch.setattr("connectors.exo.target.YEARS", (2000, 2100))
    every_request_is_a_step(monkeypatch)


class OnExo(OnServer):
    server: ExoAgenda

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        settings = AgendaSettings(kind="exo-agenda", url=self.server.url, password=Secret(env=PASSWORD_ENV))

        def digest(stream: BinaryIO) -> bytes:
            return ITEM_FORMS[Kind.CALENDAR].digest(stream, moment)

        return AgendaTarget(settings, Account(login=TARGET), guard, digest=digest, live=live)

    def contents(self) -> Counter[bytes]:
        """The meaning of every event."""
        target = self.open_target(lambda: None, no_step, MOMENT, live=False)
        listed = [one.href for one in target.listing("agenda")]
        found: Counter[bytes] = Counter()
        for _, one in target.read("agenda", listed):
            assert isinstance(one, Native)
            assert one.body is not None
            found[meaning(one.body())] += 1
        target.close()
        return found


@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_right_after_every_change(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    @contextmanager
    def begun(name: str) -> Iterator[OnExo]:
        """On a server of its own."""
        directory = quick_path / name
        directory.mkdir()
        with ExoAgenda([TARGET]) as server:
            trial = OnExo(directory, a_calendar(2), MemoryShelf())
            trial.server = server
            if changed:
                assert trial.run().state is LegState.VERIFIED
                edit_calendar(trial.mailbox)
            yield trial
            assert server.agenda.mails == []

    assert die_everywhere(begun, LASTING, monkeypatch, every=False) > 4
