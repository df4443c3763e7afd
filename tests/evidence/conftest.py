"""Where an auditor checks packs, and who stamps them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from auditing import Desk
from packs import Sealed
from stamping import SIGNER, Authority, authority


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier speaks as its terminal does."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def small(desk: Desk) -> Sealed:
    """A pack of one small mailbox."""
    return desk.seal_small()


@pytest.fixture
def tsa(tmp_path: Path) -> Authority:
    """A time-stamping authority."""
    return authority(tmp_path / "tsa", replace(SIGNER, kind="p256"))
