"""Runs a command as a person types it, within this process."""

from __future__ import annotations

import pytest

from kogge.app import main


def run(*arguments: str) -> int:
    """Its exit code."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)
