"""Recorded samples of real servers, which are not part of the project: KOGGE_SAMPLES names their directory,
else the one that lies beside the project. Without them their tests are skipped, and the summary says so.
Where they lie, and the machine is promised to have everything (KOGGE_REQUIRE_SERVICES=1, as in CI), a skip of
such a test is a failure.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "KOGGE_SAMPLES"
BASE = Path(os.environ.get(VARIABLE) or Path(__file__).parents[3] / "shared" / "data")
ABSENT = f"the recorded samples are not here: {VARIABLE} names their directory"


def marks(folder: str) -> list[pytest.MarkDecorator]:
    """For a module that reads this folder of the samples."""
    return [pytest.mark.samples, pytest.mark.skipif(not (BASE / folder).is_dir(), reason=ABSENT)]


def samples(folder: str) -> Path:
    """The folder; skips where it is absent."""
    path = BASE / folder
    if not path.is_dir():
        pytest.skip(ABSENT)
    return path


def promised() -> bool:
    """Whether a machine that is promised to have everything has the samples, or says that it has them."""
    there = bool(os.environ.get(VARIABLE)) or BASE.is_dir()
    return there and os.environ.get("KOGGE_REQUIRE_SERVICES") == "1"


def refuse_skip(report: pytest.TestReport) -> None:
    """Makes the skip of a test of the samples a failure where they are promised."""
    if promised() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{BASE} is there, and this test did not run: {report.longrepr}"
