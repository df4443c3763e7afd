"""Time that passes only when somebody sleeps."""

from __future__ import annotations

import pytest
from probe_clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
