"""Find the mailboxes that only a person moves on although their workloads look well.

The cutover of one has begun, and nobody is at work on it: its user may be locked out. Or the mailbox is
withheld, so that what arrives at its source stays there; or a cutover refused to begin with it for its score.
What is at work right now is no such mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.approvals.low_score_approval import SCORE
from engine.config.hooks import HooksSettings
from engine.control import lease
from engine.cutover.given_back import GIVING_BACK, TAKING_BACK, begun
from engine.cutover.refused import waiting
from engine.cutover.steps import FREEZE, HOOK_FAILED, NOT_VERIFIED, UNDO, is_dead, patience_by_step
from ledger.db.rows import ROLLED_BACK, ROLLING, SCORE_LOW, LegRow, LegState, MailboxRow, Phase
from ledger.leg.cutover_steps import BACK, BEGUN, DONE, FAILED, RELEASE, StepRow, Steps
from ledger.store import Ledger

CUTOVER_STOPPED = "cutover-stopped"
EMPTIED = "rolled-back-live"
"""The code of a live mailbox that was rolled back and not given back: no pass fills it again."""
BY_HAND = "frozen-by-hand"
"""The code of a frozen mailbox of which no step of a cutover is recorded."""
NEXT_STEP_SECONDS = 30.0
"""After a step has ended, the next one begins within this time, or the cutover is not at work."""
STEP_SECONDS = 900.0
"""A step that is no hook, and for which nobody holds a lease, has ended after this time."""
HOOKS = (FREEZE, RELEASE, UNDO)


@dataclass(frozen=True, slots=True)
class Stop:
    """Say why a mailbox needs a person.

    Attributes:
        code: what `kogge explain` knows.
        step: the step of the cutover that failed, or that was the last; "" if there is none.
        detail: how the step ended, where that is not the code itself.
        locked: True if its user may be kept from the mailbox.
        released: True if somebody may work in the new account.
        back: True if it only goes back.
    """

    code: str
    step: str = ""
    detail: str | None = None
    locked: bool = False
    released: bool = False
    back: bool = False

    def covers(self, code: str) -> bool:
        """Return True if this stop says what to do in place of a workload's code.

        The advice for what was rolled back moves it again: not while its hooks are still in force.
        """
        return self.back and code != self.code and code in (ROLLING, ROLLED_BACK)

    def document(self) -> dict[str, object]:
        """Return it as plain data, for --json."""
        return {"code": self.code, "step": self.step or None, "detail": self.detail, "locked": self.locked}


def stops(
    ledger: Ledger, hooks: HooksSettings, rows: Iterable[MailboxRow], legs: Iterable[LegRow]
) -> dict[str, Stop]:
    """Return why each of these mailboxes needs a person, as the ledger is now. Write nothing.

    Args:
        ledger: an open ledger.
        hooks: the configured hooks, which say how long each may run.
        rows: the mailboxes.
        legs: their workloads.

    Returns:
        By mailbox id, of those that need a person. A workload that is blocked or differs says so itself, and
        is not counted here, but for a live mailbox from which something was taken back.
    """
    known = list(rows)
    own: dict[str, list[LegRow]] = {row.id: [] for row in known}
    for leg in legs:
        if leg.mailbox in own:
            own[leg.mailbox].append(leg)
    steps = Steps(ledger).of(own)
    look = Look(ledger.clock(), patience_by_step(hooks, *HOOKS))
    going_back = begun(ledger, (row for row in known if _is_taken_out(row, own[row.id])))
    found = {
        row.id: stop_of(row, steps.get(row.id, ()), own[row.id], look, giving_back=row.id in going_back)
        for row in known
    }
    ready = (
        row for row in known if found[row.id] is None and _may_begin(row, steps.get(row.id), own[row.id])
    )
    low = {number: Stop(SCORE_LOW) for number in waiting(ledger, ready)}
    return {number: stop for number, stop in found.items() if stop is not None} | low


def under_way(ledger: Ledger, rows: Iterable[MailboxRow]) -> list[str]:
    """Return the mailboxes whose cutover has begun and not ended, also if somebody is at work on it."""
    known = list(rows)
    steps = Steps(ledger).of([row.id for row in known])
    return [row.id for row in known if _is_under_way(row, steps.get(row.id, ()))]


@dataclass(frozen=True, slots=True)
class Look:
    """Hold what is needed to tell whether somebody is at work.

    Attributes:
        now: by the clock of the ledger.
        patience: see engine.cutover.steps.patience_by_step.
        dead: tells whether the owner of a lease is known to be dead.
        dead_step: tells it of the owner of a step.
    """

    now: datetime
    patience: Mapping[str, float]
    dead: Callable[[str], bool] = lease.is_dead
    dead_step: Callable[[str], bool] = is_dead

    def holds(self, leg: LegRow) -> bool:
        """Return True if a worker holds this workload, as far as is known."""
        if leg.owner is None or leg.lease_until is None:
            return False
        return leg.lease_until > self.now and not self.dead(leg.owner)

    def lives(self, step: StepRow) -> bool:
        """Return True if a step that was begun goes on, as far as is known."""
        if step.state != BEGUN or step.name == BACK:
            return False
        age = (self.now - step.at).total_seconds()
        return age < self.patience.get(step.name, STEP_SECONDS) and not self.dead_step(step.code or "")


def stop_of(
    row: MailboxRow,
    steps: Sequence[StepRow],
    legs: Sequence[LegRow],
    look: Look,
    *,
    giving_back: bool = False,
) -> Stop | None:
    """Return why this mailbox needs a person; None if it does not, or if its workloads say it. Pure.

    Args:
        row: the mailbox.
        steps: the recorded steps of its cutover, in the order in which they last changed.
        legs: its workloads.
        look: the moment, and who is at work.
        giving_back: True if somebody began to give it back, and what was written for it is partly taken back.
    """
    if giving_back and not _is_held(steps, legs, look):
        return Stop(GIVING_BACK, locked=True, released=True, back=True)
    if _is_under_way(row, steps) and not _is_at_work(steps, legs, look):
        return _stopped(steps)
    if row.phase is Phase.LIVE and not _is_held(steps, legs, look):
        undone = next((leg.code for leg in legs if leg.code in (ROLLING, ROLLED_BACK)), None)
        if undone is not None:
            return Stop(EMPTIED if undone == ROLLED_BACK else undone, released=True, back=True)
    withheld = (leg.withheld for leg in legs if leg.state is LegState.VERIFIED or not leg.code)
    code = next((code for code in withheld if code), None)
    return None if code is None else Stop(code)


def _may_begin(row: MailboxRow, steps: Sequence[StepRow] | None, legs: Sequence[LegRow]) -> bool:
    """Return True if a cutover may begin with it, as far as its workloads tell, and none has."""
    verified = bool(legs) and all(leg.state is LegState.VERIFIED for leg in legs)
    return row.phase is Phase.STAGING and not steps and verified


def _is_taken_out(row: MailboxRow, legs: Iterable[LegRow]) -> bool:
    """Return True if what was written is taken back, wholly or partly, where people may work."""
    return row.phase is not Phase.STAGING and any(leg.code in (ROLLING, ROLLED_BACK) for leg in legs)


def _is_under_way(row: MailboxRow, steps: Sequence[StepRow]) -> bool:
    if row.phase is Phase.LIVE:
        return any(step.name == BACK for step in steps)
    return row.phase is Phase.FROZEN or bool(steps)


def _is_at_work(steps: Sequence[StepRow], legs: Sequence[LegRow], look: Look) -> bool:
    if _is_held(steps, legs, look):
        return True
    if not steps or steps[-1].state == FAILED:
        return False
    newest = steps[-1]
    age = (look.now - newest.at).total_seconds()
    return (newest.state == DONE or newest.name == BACK) and age < NEXT_STEP_SECONDS


def _is_held(steps: Sequence[StepRow], legs: Sequence[LegRow], look: Look) -> bool:
    return any(map(look.holds, legs)) or any(map(look.lives, steps))


def _stopped(steps: Sequence[StepRow]) -> Stop:
    names = {step.name for step in steps}
    newest = next((step for step in reversed(steps) if step.state == FAILED), steps[-1] if steps else None)
    code, detail = (BY_HAND, None) if newest is None else why_stopped(newest)
    if BACK in names and code == CUTOVER_STOPPED:
        code = TAKING_BACK
    step = "" if newest is None else newest.name
    return Stop(code, step, detail, locked=True, released=RELEASE in names, back=BACK in names)


def why_stopped(step: StepRow) -> tuple[str, str | None]:
    """Return the code of a cutover that stopped at this step, and how it ended if the code does not say."""
    if step.state != FAILED:
        return CUTOVER_STOPPED, None
    if step.name.partition(":")[0] in HOOKS:
        return HOOK_FAILED, step.code
    if step.name == SCORE and step.code != NOT_VERIFIED:
        return SCORE_LOW, step.code
    return step.code or CUTOVER_STOPPED, None
