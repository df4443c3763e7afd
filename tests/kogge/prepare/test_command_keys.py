"""`kogge keys new`: what it says to do with a key of any name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import run


@pytest.mark.parametrize(
    ("out", "public"),
    [("seal 1.pem", "'seal 1.pub'"), ("approver", "approver.pub"), ("mine.pub", "mine.pub.pub")],
)
def test_the_public_half_is_called_like_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[[], str], out: str, public: str
) -> None:
    """And never takes the place of the private one."""
    monkeypatch.chdir(tmp_path)
    assert run("keys", "new", "Operator", "--out", out) == 0
    told = said()
    assert f"Hand {public} to the auditor" in told
    assert f" > {public} " in told
