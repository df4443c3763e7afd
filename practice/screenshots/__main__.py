"""Take the pictures: `python -m practice.screenshots [SCENE ...]`, or all of them."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from practice.harness.practice_run import ROOT, practice_run
from practice.screenshots import night, pages, prefect
from practice.screenshots.browser import browser
from practice.screenshots.stage import Scene, Stage

SCENES: Mapping[str, Scene] = {
    "prefect-runs": prefect.runs,
    "night-artifacts": night.artifacts,
    "night-mailboxes": night.mailboxes,
    "night-not-ready": night.not_ready,
    "night-suspended": night.suspended,
    "night-frozen": night.frozen,
    "report": pages.report,
    "report-person": pages.person,
}
"""Name of a scene -> the function that takes its pictures, in the order in which they run."""
WORLD = ("--people", "5", "--items", "60", "--pim", "10", "--cloud", "0")


def main() -> None:
    """Take the pictures of the scenes that are named, or of all."""
    parser = argparse.ArgumentParser(prog="python -m practice.screenshots", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(SCENES))
    parser.add_argument(
        "--to", type=Path, default=ROOT / "docs" / "images", help="the folder for the pictures"
    )
    given = parser.parse_args()
    unknown = [name for name in given.scenes if name not in SCENES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(SCENES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the servers on the way out
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        practice_run(Path(folder) / "world", WORLD) as world,
        browser() as window,
    ):
        stage = Stage(world, window, given.to.absolute())
        for name in given.scenes or SCENES:
            sys.stderr.write(f"{name}\n")
            SCENES[name](stage)


main()
