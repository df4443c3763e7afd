"""Cuts one mailbox of connectors in memory over, with hooks that are functions: for tests of a cutover."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from memory.doubles import MemoryStore
from walking import Died, Trial, a_mailbox, letter

from engine.config.hooks import Action, Hook, HooksSettings, Undo
from engine.control import lease
from engine.control.stop_signal import Stop
from engine.cutover.hooks import HookMailbox
from engine.cutover.steps import CutoverContext, CutoverResult, cut_over, short, take_back
from engine.leg.run import Task
from engine.pacing.run_legs import Boundary
from engine.verify.compare import Level
from ledger.db.rows import LegState, MailboxRow, Phase
from ledger.leg.cutover_steps import Steps
from model.errors import Blocked

Step = Callable[[str], None]
UNDO = Undo(command=("/bin/undo",))
HOOKS = HooksSettings(
    freeze=(
        Hook(name="redirect", command=("/bin/redirect",), undo=UNDO),
        Hook(name="close", command=("/bin/close",), undo=UNDO),
    ),
    release=(Hook(name="open", command=("/bin/open",)),),
)


def quiet(_name: str) -> None:
    """Nothing befalls this run."""


@dataclass
class Rig:
    """A mailbox that is verified in staging. log: what happened, in order: hooks, the writes of legs, phases.
    fails: outcomes of hooks yet to come, by name. delivers: what arrives at the source while a hook runs."""

    trial: Trial
    hooks: HooksSettings = HOOKS
    log: list[str] = field(default_factory=list)
    fails: dict[str, list[str | None]] = field(default_factory=dict)
    delivers: dict[str, bytes] = field(default_factory=dict)
    approved: bool = True

    @property
    def steps(self) -> Steps:
        return Steps(self.trial.ledger)

    @property
    def phase(self) -> Phase:
        return self.trial.ledger.mailbox(self.trial.id).phase

    @property
    def row(self) -> MailboxRow:
        return self.trial.ledger.mailbox(self.trial.id)

    def states(self) -> dict[str, tuple[str, str | None]]:
        return {one.name: (one.state, one.code) for one in self.steps.all(self.trial.id)}

    def cut(self, step: Step = quiet, *, back: bool = False) -> CutoverResult:
        """One run of the command, as a process of its own. step: called at every commit of the ledger and
        every call of a connector, and around each hook."""
        owner = lease.new_owner()
        cutting = self.cutting(step, short(owner))
        still = self.trial.commits(lambda: step("commit"))
        boundary = Boundary(Stop())
        try:
            ended = boundary.within(
                self.trial.id,
                lambda: (take_back if back else cut_over)(cutting, self.trial.id),
                lambda error: CutoverResult(self.trial.id, self.phase, error.code),
            )
        finally:
            still()
            lease.retire(owner)
        if boundary.fault is not None:
            raise boundary.fault
        return ended

    def cutting(self, step: Step, owner: str = "") -> CutoverContext:
        ledger = self.trial.ledger
        return CutoverContext(
            ledger=ledger,
            hooks=self.hooks,
            by="tester",
            run=lambda _leg, verify_only: self._leg(step, verify_only),
            release_dead=lambda _leg: self.trial.release_dead(),
            act=lambda hook, action, person: self._act(step, hook, action, person),
            approve=lambda _row: self._approve(),
            tell=lambda kind, wave, **payload: None,
            owner=owner,
            moved=lambda _id: self.trial.leave_move(step),
        )

    def _approve(self) -> None:
        if not self.approved:
            raise Blocked("not-approved", "nobody did")

    def _leg(self, step: Step, verify_only: bool) -> tuple[LegState, str | None]:
        self.log.append("verify" if verify_only else "delta")

        def noted(name: str) -> None:
            if name == "target.write done":
                self.log.append("write")
            step(name)

        result = self.trial.run(noted, Task(Level.BOTH, copy=not verify_only))
        return result.state, result.code

    def _act(self, step: Step, hook: Hook, action: Action, person: HookMailbox) -> str | None:
        assert person.mailbox == self.trial.id
        name = hook.name if action is hook else f"{hook.name}.undo"
        step(f"hook {name}")
        if letter_ := self.delivers.pop(name, None):
            self.trial.mailbox.deliver(inbox_id(self.trial), letter_)
        code = self.fails[name].pop(0) if self.fails.get(name) else None
        self.log.append(f"{name} {code}" if code else name)
        step(f"hook {name} done")
        return code


def inbox_id(trial: Trial) -> str:
    return next(folder.id for folder in trial.mailbox.folders.values() if folder.path == ("Posteingang",))


def a_rig(directory: Path, items: int = 5) -> Rig:
    """Verified, and with mail that arrived since, and more that arrives while mail is being redirected."""
    trial = Trial(directory, a_mailbox(items), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    rig = Rig(trial)
    trial.mailbox.deliver(inbox_id(trial), letter(200))
    rig.delivers = {"redirect": letter(201)}
    return rig


__all__ = ["HOOKS", "Died", "Rig", "a_rig", "inbox_id", "quiet"]
