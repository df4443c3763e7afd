"""Prefect supervises; what moves mailboxes does not wait for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import SIDES, Ended, add, opened, serving

from flows import launch
from flows.deploy import prefect_server
from flows.process import leg_runner
from ledger.db.rows import LegState

MAILBOXES = 45
BEFORE = 4
"""So many legs begin before the server is killed."""
AWAY_SECONDS = 25.0
"""Then the server starts again, whether all legs have begun or not."""
TOML = f"""
{SIDES}
[run]
mailboxes_at_once = 3
batch = 100
canary = false
"""


@pytest.mark.prefect
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets of Prefect's clients
def test_legs_go_on_while_prefects_server_is_away(
    prefect_state: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is killed with 41 of 45 legs to go, and is away until the last one has begun."""
    begun: list[int] = []
    some, away, last = threading.Event(), threading.Event(), threading.Event()
    in_time: list[bool] = []
    state = prefect_state()
    with serving(state) as server, opened(tmp_path, TOML) as (config, ledger):
        monkeypatch.setenv("PREFECT_API_URL", server.api)
        add(ledger, "pilot", [(f"p{n}@old.example", f"p{n}@new.example") for n in range(MAILBOXES)])

        def work(_config: Any, leg_id: int, **_: Any) -> Ended:
            begun.append(leg_id)
            if len(begun) >= BEFORE:
                some.set()
                away.wait(60)
            if len(begun) >= MAILBOXES:
                last.set()
            time.sleep(0.3)  # the server is missed only after a while
            lease = ledger.claim(leg_id, f"test/{leg_id}", 60)
            assert lease is not None
            ledger.release(lease, LegState.VERIFIED, None)
            return Ended(LegState.VERIFIED)

        def kill_and_start_again() -> None:
            some.wait(120)
            os.kill(server.pid, signal.SIGKILL)
            away.set()
            in_time.append(last.wait(AWAY_SECONDS))
            prefect_server.up(state, port=server.port)

        monkeypatch.setattr(leg_runner, "_run_leg", work)
        killer = threading.Thread(target=kill_and_start_again)
        killer.start()
        result = launch.launch(config, "pilot")
        killer.join()
    assert result.complete
    assert in_time == [True], "the last leg waited for the server"
