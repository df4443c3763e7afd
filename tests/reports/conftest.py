"""What the tests of reports share: a wave in a ledger on a disk, made once for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from report_world import World, world


@pytest.fixture(scope="module")
def sealed() -> bool:
    """Whether the wave's evidence is sealed. A file of tests may say otherwise."""
    return False


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, sealed: bool) -> Iterator[World]:
    found = world(f"sqlite:///{tmp_path_factory.mktemp('world')}/ledger.db", sealed=sealed)
    with closing(found.ledger):
        yield found
