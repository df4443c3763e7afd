"""Take pictures of Prefect's UI."""

from __future__ import annotations

import httpx

from flows.deploy.server_login import header
from practice.screenshots.stage import WAVE, Stage


def runs(stage: Stage) -> None:
    """Show the run of a wave that has moved: its batches on the time line, and its log."""
    stage.migrated()
    ui = stage.prefect()
    run = _run_of(ui, stage.login, f"wave {WAVE}")
    stage.browser.open(f"{ui}/runs/flow-run/{run}", 1280, 900)
    stage.browser.wait_for_text("Finished in state")
    stage.browser.settle()
    stage.picture("prefect-wave")


def _run_of(ui: str, login: str, name: str) -> str:
    """Return the id of the newest run of this name."""
    asked = {"flow_runs": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC", "limit": 1}
    url = f"{ui}/api/flow_runs/filter"
    reply = httpx.post(url, json=asked, headers=header(login), trust_env=False)
    return str(reply.raise_for_status().json()[0]["id"])
