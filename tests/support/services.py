"""What a test needs of the machine: absent, it is skipped with the reason; or fails where the machine is
promised to have everything (KOGGE_REQUIRE_SERVICES=1, as in CI)."""

from __future__ import annotations

import os
import shutil

import pytest

from practice.servers import dovecot, postgres


def needed(there: bool, reason: str) -> None:
    """Returns when it is there."""
    if there:
        return
    if os.environ.get("KOGGE_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def need_dovecot() -> None:
    needed(dovecot.available(), "Dovecot 2.4 is not installed")


def need_postgres() -> None:
    needed(postgres.find_programs() is not None, "PostgreSQL (initdb) is not installed")


def need_chromium() -> str:
    """Its program."""
    found = shutil.which("chromium")
    needed(found is not None, "Chromium is not installed")
    return str(found)
