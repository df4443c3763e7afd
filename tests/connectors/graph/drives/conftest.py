"""A person's practice drive, and a source that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from graph_drive_desk import Desk, desk

from connectors.graph.source import GraphSource


@pytest.fixture
def one_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def source(one_desk: Desk) -> Iterator[GraphSource]:
    opened = one_desk.source(spool_above=100_000)
    yield opened
    opened.close()
