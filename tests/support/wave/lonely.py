"""A directory with a configuration whose servers do not answer: for what is said before any is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from configurations import NO_APPROVAL, SILENT, imap_sides

from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

TOML = NO_APPROVAL + imap_sides("localhost", "localhost", SILENT, "KOGGE_TEST_PASSWORD")


def settle(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration, and a list of one mailbox; the directory is the working directory then."""
    (directory / "kogge.toml").write_text(TOML)
    (directory / "mailboxes.csv").write_text("source,target,wave\na@old.example,a@new.example,pilot\n")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("KOGGE_TEST_PASSWORD", "x")
    monkeypatch.setenv("COLUMNS", "100")
    return directory


def plan(place: Path) -> str:
    """The random id of the mailbox, in the ledger."""
    (place / "kogge-state").mkdir(mode=0o700)
    ledger = Ledger(f"sqlite:///{place}/kogge-state/ledger.db")
    ledger.migrate()
    row = PlannedMailbox("a@old.example", "a@new.example", "pilot", Phase.STAGING, frozenset({Kind.MAIL}))
    (found,) = ledger.add_mailboxes([row])
    ledger.close()
    assert isinstance(found, str)
    return found
