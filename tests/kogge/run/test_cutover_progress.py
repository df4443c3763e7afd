"""What people are told while a cutover is at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cutover.steps import CutoverResult
from kogge.shown.cutover_progress import telling_how_far
from ledger.db.rows import MailboxRow, Phase
from ledger.leg.cutover_steps import Steps
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    yield ledger
    ledger.close()


@pytest.fixture
def rows(ledger: Ledger) -> list[MailboxRow]:
    ledger.add_mailboxes(
        PlannedMailbox(
            f"{name}@old.example", f"{name}@new.example", "w", Phase.FROZEN, frozenset({Kind.MAIL})
        )
        for name in ("anna", "bert")
    )
    return ledger.mailboxes("w")


def test_each_that_ends_is_told_and_a_line_says_where_the_others_are(
    ledger: Ledger,
    rows: list[MailboxRow],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (row.id for row in rows)
    Steps(ledger).begin(second, "frozen", "me")
    ticked = threading.Event()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if "1 stopped. Newest" in text:
            ticked.set()

    monkeypatch.setattr("kogge.shown.cutover_progress.say", say)
    with telling_how_far(ledger, rows, "2 mailboxes go over", tick=0.01) as result:
        result(CutoverResult(first, Phase.FROZEN, "hook-failed"))
        assert ticked.wait(30)
    assert said[0] == "2 mailboxes go over"
    assert f"{first}: hook-failed (1 of 2)" in said
    told = next(line for line in said if "1 stopped. Newest" in line)
    steps = "frozen (1), none yet (1)"  # as Prefect's log; the first was frozen by hand
    assert told == f"0 of 2 mailboxes live, 2 frozen, 1 stopped. Newest steps: {steps}."
    assert not [one for one in threading.enumerate() if one.name == "cutover progress"]
