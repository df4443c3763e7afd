"""Where an auditor checks packs, and who stamps them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from auditing import Desk
from packs import Sealed
from stamping import SIGNER, Authority, authority

from evidence import verifier


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier speaks as its terminal does."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def key_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a key once in a test that verifies hundreds of packs with it: the verifier tries 256 signatures
    on each key that it reads, and test_auditor.py is about that."""
    monkeypatch.setattr(verifier, "public_key", cache(verifier.public_key))


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
