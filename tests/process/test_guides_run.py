"""The commands of the guides run, in one practice world, and print what the guides show."""

from __future__ import annotations

from pathlib import Path

import pytest

from handbook.guide_run import WORLD, guides, run
from practice.harness.practice_run import practice_run


@pytest.mark.prefect
@pytest.mark.timeout(900)
def test_the_guides_are_true(tmp_path: Path) -> None:
    with practice_run(tmp_path / "practice-run", WORLD) as world:
        assert run(guides(), world, print) > 10
