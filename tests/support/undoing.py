"""Rolls a trial back, as `kogge rollback` does, over connectors in memory or real ones."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from memory.doubles import MemorySource, Step, no_step
from memory.wrapped import wrapped
from walking import Trial

from engine.context.leg_context import BatchLimits, Opener
from engine.identity.identity_gate import GateRules, Pair
from engine.leg.leg_result import LegResult
from engine.leg.repair_walk import Repair, What
from engine.leg.run import LegSetting, Task, approvals
from engine.repair import run_in
from engine.rollback.report import RollbackReport
from engine.rollback.run import NoSource, look_at
from engine.rollback.walk import RollbackScope, nothing_rests, roll_back
from engine.steps.beginning.ledger_generation import Generations
from ledger.db.rows import LegRow
from ledger.leg.rollback import APPROVAL, RECALL
from ledger.store import Ledger
from model.protocols import Guard, Target


class Undoable(Protocol):
    """A walking.Trial, or what stands for one."""

    id: str
    ledger: Ledger
    rules: GateRules
    pace: BatchLimits
    generations: Generations | None

    def pair(self) -> Pair: ...

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target: ...


@dataclass
class Undoing:
    """One rollback of a trial's mailbox. report: what it says of the last run or look."""

    trial: Undoable
    recall: bool = False
    rested: frozenset[bytes] = nothing_rests()
    report: RollbackReport = field(default_factory=RollbackReport)

    def approve(self) -> None:
        for code in (APPROVAL, RECALL) if self.recall else (APPROVAL,):
            self.trial.ledger.approve(self.trial.id, code, "somebody", "the wrong mailbox")

    def run(self, step: Step = no_step, stop: threading.Event | None = None) -> LegResult:
        return roll_back(
            replace(self.setting(step, removes=True), stop=stop or threading.Event()), *self.order()
        )

    def look(self, step: Step = no_step) -> Counter[str]:
        setting = self.setting(step, removes=False)
        look_at(setting, *self.order())
        return self.counts

    def order(self) -> tuple[LegRow, RollbackScope]:
        (row,) = self.trial.ledger.legs(mailbox=self.trial.id)
        self.report = RollbackReport(lines=[])
        return row, RollbackScope(self.recall, lambda: self.rested, self.report)

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.report.numbers())

    def setting(self, step: Step, *, removes: bool) -> LegSetting:
        trial = self.trial
        mailbox = trial.ledger.mailbox(trial.id)
        return LegSetting(
            ledger=trial.ledger,
            mailbox=mailbox,
            pair=trial.pair(),
            opener=wrapped(
                Opener(
                    source=NoSource,
                    target=lambda guard, moment: trial.open_target(guard, step, moment, live=not removes),
                )
            ),
            rules=replace(trial.rules, approved=approvals(trial.ledger, mailbox)),
            pace=trial.pace,
            task=Task(),
            stop=threading.Event(),
            sleep=lambda seconds: None,
            silenced=lambda: True,
            generations=trial.generations,
        )


def undone(trial: Undoable, *, recall: bool = False) -> Undoing:
    """Approved and rolled back to its end."""
    undoing = Undoing(trial, recall)
    undoing.approve()
    result = undoing.run()
    assert (str(result.state), result.code) == ("blocked", "rolled-back"), undoing.report
    return undoing


def repaired(trial: Trial, what: What, step: Step = no_step, *, execute: bool = True) -> Repair:
    order = Repair(what, execute)
    setting = Undoing(trial).setting(step, removes=execute)
    opener = wrapped(replace(setting.opener, source=lambda: MemorySource(trial.mailbox, step, trial.kind)))
    (row,) = trial.ledger.legs(mailbox=trial.id)
    run_in(replace(setting, opener=opener, stop=threading.Event()), row, order)
    return order
