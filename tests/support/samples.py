"""Recorded samples of real servers, which are not part of the project: KOGGE_SAMPLES names their directory,
else the one that lies beside the project. Without them their tests are skipped, and the summary says so.
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
    """Whether the samples are said to be here, by a machine that is promised to have everything."""
    return bool(os.environ.get(VARIABLE)) and os.environ.get("KOGGE_REQUIRE_SERVICES") == "1"
