"""The list of mailboxes is read once a run, by the command or by the flow that Prefect starts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripted import SIDES, add, opened

from flows import migrate
from flows.process.parameters import WaveParameters


@pytest.mark.parametrize("planned", [True, False])
def test_the_list_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planned: bool) -> None:
    read: list[str] = []
    monkeypatch.setattr("engine.planning.load_plan.renew", lambda _config, _ledger, wave: read.append(wave))
    with opened(tmp_path, SIDES) as (config, ledger):
        add(ledger, "w", [("a@x.example", "a@y.example")])
        runner: Any = SimpleNamespace(config=config, ledger=ledger)
        migrate._prepare(runner, WaveParameters(wave="w"), planned=planned)
    assert read == ([] if planned else ["w"])
