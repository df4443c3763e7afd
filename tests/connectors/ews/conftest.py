"""EWS sources that talk to a scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ews_responder import (
    Responder,
)
from ews_scripts import ACCOUNT, Open

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Secret
from engine.pacing.call_metrics import Meter, metered


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("EWS_PASSWORD", "correct horse")
    opened: list[EwsSource] = []

    def make(server: Responder, **changes: Any) -> EwsSource:
        options = {
            "url": server.url,
            "password": Secret(env="EWS_PASSWORD"),
            "patience_seconds": 5,
            "timeout_seconds": 5,
            **changes,
        }
        opened.append(metered(EwsSource(EwsSettings(**options), ACCOUNT, tmp_path / "spool"), Meter()))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
