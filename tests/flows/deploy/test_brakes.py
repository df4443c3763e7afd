"""What stops a wave runs in the worker's own process, and nothing of it ends the worker."""

from __future__ import annotations

import asyncio
import threading
from uuid import uuid4

import pytest
from prefect.exceptions import Abort

from flows.deploy import brakes
from flows.deploy.deployments import BRAKES
from flows.deploy.own_flows import flow_of
from flows.pause import pause


def ended(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> int:
    """How a run ends for Prefect, and that the worker's own thread did not run it."""
    threads = []

    def run(*_given: object) -> None:
        threads.append(threading.current_thread())
        if error is not None:
            raise error

    monkeypatch.setattr(brakes, "run_in_thread", run)
    code = asyncio.run(brakes.run_here(pause, uuid4()))
    assert threads != [threading.current_thread()]
    assert all(one.daemon for one in threads), "the worker waits for none of them at its end"
    return code


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (Abort("somebody cancelled it"), 0), (OSError("secret@person"), 1)]
)
def test_a_run_ends_as_its_process_would(
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException | None,
    code: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert ended(monkeypatch, error) == code
    assert ("a run of pause: OSError" in caplog.text) == (code == 1)
    assert "secret" not in caplog.text


def test_what_is_no_process_has_no_number() -> None:
    """Prefect may send a signal to the number that it knows of a run: it would go to the worker."""
    assert not brakes.HERE.isdigit()


def test_every_brake_is_a_flow_of_that_name() -> None:
    brakes.load()
    assert {flow_of(one.entrypoint).name for one in brakes.DEPLOYMENTS if one.name in BRAKES} == BRAKES
