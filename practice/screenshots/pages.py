"""Take pictures of what Kogge writes as pages: reports, and the documentation itself."""

from __future__ import annotations

from practice.screenshots.stage import WAVE, Stage


def report(stage: Stage) -> None:
    """Show the first page of a wave's report."""
    stage.migrated()
    stage.once("report", (f"report --wave {WAVE} --people",))
    page = next((stage.world.directory / "kogge-state" / "reports").rglob(f"*{WAVE}*.html"))
    stage.browser.open(page.as_uri(), 1000, 1300)
    stage.picture("report")
