"""Two cutovers of one mailbox: who has its steps, and what one who slept meanwhile may still do."""

from __future__ import annotations

from pathlib import Path

import pytest
from cutting import Rig, Step, a_rig

from ledger.db.rows import LegState, Phase

ORDER = ["redirect", "close", "delta", "write", "verify", "open"]


@pytest.fixture
def rig(quick_path: Path) -> Rig:
    return a_rig(quick_path)


def test_a_cutover_at_work_keeps_its_steps(rig: Rig) -> None:
    """In the middle of its delta another one comes, and leaves."""
    others: list[str | None] = []

    def another(name: str) -> None:
        if name == "target.write" and not others:
            others.append("")
            others[0] = rig.cut().code

    assert rig.cut(another).code is None
    assert others == ["claimed-elsewhere"]
    assert rig.log == ORDER


@pytest.mark.parametrize("verifies", [False, True], ids=["delta", "verification"])
def test_who_slept_while_another_went_on_finishes_nothing(
    rig: Rig, verifies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No workload was held then: whoever comes takes the step, as that of one that died."""
    work, others = rig._leg, list[str | None]()

    def asleep(step: Step, verify_only: bool) -> tuple[LegState, str | None]:
        if verify_only is verifies and not others:
            others.append("")
            others[0] = rig.cut().code
        return work(step, verify_only)

    monkeypatch.setattr(rig, "_leg", asleep)
    assert rig.cut().code == "claimed-elsewhere"
    assert others == [None]
    assert rig.phase is Phase.LIVE
    assert {state for state, _ in rig.states().values()} == {"done"}
    assert rig.log.count("open") == 1


def test_who_slept_while_another_took_it_back_opens_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[str | None] = []

    def asleep() -> None:
        if "score" in rig.states() and not others:
            others.append("")
            others[0] = rig.cut(back=True).code

    monkeypatch.setattr(rig, "_approve", asleep)
    assert rig.cut().code == "claimed-elsewhere"
    assert others == [None]
    assert rig.phase is Phase.STAGING
    assert rig.states() == {}
    assert "open" not in rig.log
