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


def person(stage: Stage) -> None:
    """Show the page of one person: what moved, what is different, what the person can do."""
    stage.migrated()
    stage.once("report", (f"report --wave {WAVE} --people",))
    page = min((stage.world.directory / "kogge-state" / "reports" / "people").glob("*.en.html"))
    stage.browser.open(page.as_uri(), 1000, 1300)
    stage.picture("report-person", whole=True)
