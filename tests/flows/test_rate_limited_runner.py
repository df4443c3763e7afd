"""A leg that gave its place away for the rate limit of its target comes back, and what waits is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.config.load import load
from engine.leg.leg_result import LegResult
from engine.leg.run_options import RunOptions
from engine.pacing.leg_slots import LegSlot
from engine.pacing.shared_budget import RATE_LIMITED, SharedBudget
from flows.process import leg_runner
from flows.process.leg_runner import opened
from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

TOML = """
[ledger]
url = "sqlite:///{folder}/ledger.db"
[source]
kind = "imap"
host = "mail.example.org"
password = {{ env = "X" }}
[target.calendar]
kind = "caldav"
url = "https://ox.example.net"
profile = "open-xchange"
password = {{ env = "X" }}
"""


def test_it_comes_back_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    kinds = frozenset({Kind.CALENDAR})
    ledger.add_mailboxes([PlannedMailbox("a@o.example", "a@n.example", "w", Phase.STAGING, kinds)])
    (row,) = ledger.legs()
    ends = [(LegState.PENDING, RATE_LIMITED), (LegState.PENDING, RATE_LIMITED), (LegState.VERIFIED, None)]

    def walk(_config: Any, leg_id: int, **_asked: Any) -> LegResult:
        return LegResult(leg_id, row.mailbox, row.workload, *ends.pop(0))

    monkeypatch.setattr(leg_runner, "_run_leg", walk)
    (tmp_path / "kogge.toml").write_text(TOML.format(folder=tmp_path))
    shown: list[tuple[str, ...]] = []

    async def work() -> tuple[LegState, str | None]:
        with opened(load(tmp_path / "kogge.toml")) as hands:
            slot = LegSlot(hands, row.workload)
            await slot.acquire()
            shown.append(hands.snapshot(None).unwell)
            assert slot.entry is not None
            (budget,) = slot.entry.budgets.values()
            assert isinstance(budget, SharedBudget)
            monkeypatch.setattr(SharedBudget, "waits_until", 1_800_000_000.0)
            shown.append(hands.snapshot(None).unwell)
            return await hands.run_leg(row, slot, RunOptions())

    assert asyncio.run(asyncio.wait_for(work(), 120)) == (LegState.VERIFIED, None)
    assert ends == []
    assert shown[0] == ()
    assert shown[1][0].startswith("target.calendar: waits for its rate limit until ")
    ledger.close()
