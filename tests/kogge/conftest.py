"""Where commands are typed: a directory whose servers do not answer, and a Prefect server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lonely import plan, settle
from scripted import serving


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a configuration and a list of one mailbox."""
    return settle(tmp_path, monkeypatch)


@pytest.fixture
def planned(place: Path) -> str:
    """The id of its mailbox, in the ledger."""
    return plan(place)


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[str]:
    """The address of a Prefect server."""
    with serving(prefect_state()) as running:
        yield running.api
