"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was printed since it was asked last, as one line."""

    def words() -> str:
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    return words
