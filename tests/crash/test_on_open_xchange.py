"""The same on an Open-Xchange whose listings show a year: a worker dies at the requests to it, and at the
ledger's commits; the next run must lead to the same calendars, though no listing shows any of the events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from calendars import a_calendar, edit_calendar
from dying_requests import Begun, OnServer, die_everywhere, every_request_is_a_step
from memory.doubles import MemoryShelf
from on_open_xchange import PASSWORD_ENV, OnOpenXchange
from walking import TARGET

from ledger.db.rows import LegState
from practice.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate

LASTING = {"PUT", "DELETE", "MKCALENDAR", "PROPPATCH"}


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    every_request_is_a_step(monkeypatch)


class OnSuite(OnOpenXchange, OnServer):
    """Whose requests are steps."""


Ready = Callable[[bool], Begun]


@pytest.fixture
def ready(quick_path: Path) -> Ready:
    """changed: a run before, and then changes."""

    def prepared(changed: bool) -> Begun:
        @contextmanager
        def begun(name: str) -> Iterator[OnServer]:
            (quick_path / name).mkdir()
            trial = OnSuite(quick_path / name, a_calendar(2), MemoryShelf())
            with OpenXchangeServer({TARGET: "Anna Adler"}, rate=Rate(10**9)) as trial.server:
                if changed:
                    assert trial.run().state is LegState.VERIFIED
                    edit_calendar(trial.mailbox)
                yield trial

        return begun

    return prepared


@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_right_after_every_change(ready: Ready, monkeypatch: pytest.MonkeyPatch, changed: bool) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=False) > 4


@pytest.mark.soak
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_at_every_request_and_commit(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=True) > 70
