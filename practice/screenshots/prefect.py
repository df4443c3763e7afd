"""Take pictures of Prefect's UI."""

from __future__ import annotations

from practice.screenshots.stage import WAVE, Stage


def runs(stage: Stage) -> None:
    """Show the runs of a wave that has moved."""
    stage.migrated()
    stage.browser.open(f"{stage.prefect()}/runs", 1280, 900)
    stage.browser.wait_for_text(WAVE)
    stage.picture("prefect-runs")
