"""Prefect's usage data is off in every process of ours, whoever imports Prefect first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import {module}, os
print(os.environ.get("DO_NOT_TRACK"), os.environ.get("PREFECT_SERVER_ANALYTICS_ENABLED"))
"""


@pytest.mark.parametrize("module", ["flows.display.prefect_events", "flows.launch", "flows.cutover"])
def test_nothing_is_collected(tmp_path: Path, module: str) -> None:
    home = {**os.environ, "HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    for name in ("DO_NOT_TRACK", "PREFECT_SERVER_ANALYTICS_ENABLED"):
        home.pop(name, None)
    command = [sys.executable, "-c", LOOK.format(module=module)]
    run = subprocess.run(command, env=home, capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.split() == ["1", "false"]
    assert not list(tmp_path.rglob("*telemetry*"))
