"""A Prefect server for the tests of a module; a wave does not wait long between its rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import serving

from flows import rounds


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[str]:
    with serving(prefect_state()) as running:
        yield running.api


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "PAUSES", (0.05,))
    monkeypatch.setattr(rounds, "LEASE_TICK_SECONDS", 0.05)
    monkeypatch.setattr(rounds, "TICK_SECONDS", 0.05)
