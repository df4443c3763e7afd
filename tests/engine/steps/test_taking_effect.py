"""What acts by itself is in force from the freeze on, and out of force while a mailbox is staging."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from engine.context.leg_context import LegContext
from engine.control.stop_signal import StopRequested
from engine.steps.beginning.folders_first import await_folders
from engine.steps.following.taking_effect import give_back, take_effect
from ledger.db.rows import Phase, State
from model.errors import Blocked, Rejected
from model.kinds import KINDS, Kind


class Acting:
    """A target of rules."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[str] = []
        self._error = error

    def take_effect(self) -> None:
        self.calls.append("take")

    def give_back(self) -> None:
        self.calls.append("give")
        if self._error is not None:
            raise self._error


def leg(target: object, phase: Phase, rejected: int = 0) -> LegContext:
    ledger = SimpleNamespace(counts=lambda: {State.REJECTED: rejected} if rejected else {})
    mailbox = SimpleNamespace(phase=phase)
    return cast(LegContext, SimpleNamespace(target=target, mailbox=mailbox, ledger=ledger))


@pytest.mark.parametrize(
    ("phase", "called"), [(Phase.STAGING, "give"), (Phase.FROZEN, "take"), (Phase.LIVE, "take")]
)
def test_the_phase_decides(phase: Phase, called: str) -> None:
    target = Acting()
    take_effect(leg(target, phase))
    assert target.calls == [called]


def test_nothing_acts_while_an_item_is_rejected() -> None:
    target = Acting()
    for phase in (Phase.FROZEN, Phase.LIVE):
        with pytest.raises(Blocked, match="rules-rejected"):
            take_effect(leg(target, phase, rejected=1))
    take_effect(leg(target, Phase.STAGING, rejected=1))
    assert target.calls == ["give"]


def test_other_targets_are_left_alone() -> None:
    """They have no such methods: a call would raise."""
    assert [take_effect(leg(object(), phase, rejected=1)) for phase in Phase] == [None] * len(Phase)  # type: ignore[func-returns-value]
    assert [give_back(leg(object(), phase)) for phase in Phase] == [None] * len(Phase)  # type: ignore[func-returns-value]


def test_what_somebody_changed_stays_and_another_refusal_is_heard() -> None:
    give_back(leg(Acting(Rejected("changed-at-target")), Phase.STAGING))
    with pytest.raises(Blocked, match="script-unreadable"):
        give_back(leg(Acting(Blocked("script-unreadable")), Phase.STAGING))
    with pytest.raises(Rejected, match="refused-by-target"):
        give_back(leg(Acting(Rejected("refused-by-target")), Phase.STAGING))


@pytest.mark.parametrize(("kind", "awaits", "waits"), [
    (Kind.SETTINGS, True, True), (Kind.SETTINGS, False, False), (Kind.MAIL, True, False)
])  # fmt: skip
def test_rules_wait_for_the_folders_of_mail(kind: Kind, awaits: bool, waits: bool) -> None:
    ledger = SimpleNamespace(awaits_folders=lambda: awaits)
    one = cast(LegContext, SimpleNamespace(traits=KINDS[kind], ledger=ledger))
    if waits:
        with pytest.raises(StopRequested, match="mail-first"):
            await_folders(one)
    else:
        await_folders(one)
