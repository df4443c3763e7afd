"""A worker that is stopped in mid-call, and clocks that go past its lease."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from walking import PACE, Trial

from engine.control import lease

LONG = replace(PACE, lease=600.0)
WAIT = 60.0


class Stuck:
    """Blocks in the n-th call of a name until released."""

    def __init__(self, name: str, nth: int = 1) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        self._name, self._left = name, nth

    def __call__(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                self.reached.set()
                assert self.go.wait(WAIT)


def expire(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clocks of the worker and of the ledger go on past the LONG lease, as if the machine had slept."""
    awake = lease.now
    monkeypatch.setattr(lease, "now", lambda: awake() + LONG.lease)
    with trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE leg SET lease_until = lease_until - ?", (LONG.lease,))
