"""A Prefect server for the tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import serving


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[str]:
    with serving(prefect_state()) as running:
        yield running.api
