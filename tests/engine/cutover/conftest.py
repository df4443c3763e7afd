"""A mailbox that is ready for its cutover."""

from __future__ import annotations

from pathlib import Path

import pytest
from cutting import Rig, a_rig


@pytest.fixture
def rig(quick_path: Path) -> Rig:
    return a_rig(quick_path)
