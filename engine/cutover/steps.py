"""The cutover of one mailbox, which goes on wherever it stopped.

    verified               by the passes of staging; else nothing is done
    approved               the stage "cutover" of the wave's plan
    score                  one that is known to be low stops here, unless it is approved
    freeze hooks           in their order; one that is recorded as done is not run again
    frozen                 the phase
    delta                  the walk of every leg, as in staging (engine.leg.run)
    verification           every leg again, at the level of [cutover]
    score                  one that is low waits for a person
    release                no pass writes to the mailbox from here on: somebody may work there
    release hooks          after the approval was asked for again
    live                   the phase, at once with the step, and while no worker holds a leg

Each step is in the ledger before it begins and after it has ended. What fails leaves the mailbox where it
is, with a code; the next cutover goes on from there. A freeze hook that has still to run voids whatever was
copied and verified before it, and so does whatever becomes of a workload since: nothing is live that was not
looked at after the last of them. To go forward and to go back exclude each other (ledger.leg.cutover_steps).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, Protocol, TypeAlias

from engine.approvals.low_score_approval import SCORE, is_accepted, would_stop
from engine.approvals.score import LOW, scores
from engine.config.hooks import Action, Hook, HooksSettings
from engine.control import lease
from engine.control.stop_signal import Stop, reason
from engine.cutover.hooks import HookMailbox, patience_of
from engine.pacing.login_breaker import REFUSED
from ledger.db.leases import ROLLING
from ledger.db.rows import SCORE_LOW, LegRow, LegState, MailboxRow, Phase
from ledger.leg.cutover_steps import BACK, DONE, FAILED, RELEASE, StepRow, Steps
from ledger.leg.phases import HELD_ELSEWHERE
from ledger.leg.rollback import ROLLED_BACK
from ledger.store import Ledger
from model.errors import Blocked, Misconfigured, Transient
from model.protocols import Kind

FREEZE, UNDO = "freeze", "undo"
FROZEN, DELTA, VERIFICATION, LIVE = "frozen", "delta", "verification", "live"
COPIED = (DELTA, VERIFICATION, SCORE)
ROUNDS_MOST = 3
"""Deltas of one cutover while the source, though closed, still changes."""
HOOK_FAILED = "hook-failed"
NOT_VERIFIED = "not-verified"

LegRun = Callable[[int, bool], tuple[LegState, str | None]]
"""Runs a leg (by id), or only verifies it."""
Act = Callable[[Hook, Action, HookMailbox], str | None]
"""Runs an action of a hook: None, or why it was not done."""

CutoverEvent: TypeAlias = Literal[
    "cutover.started", "cutover.step", "cutover.hook-failed", "cutover.waiting", "cutover.finished"
]


def _ignored(_mailbox_id: str) -> None:
    """Nothing outside of the ledger is told of a move."""


class Announce(Protocol):
    """Announces an event of a wave to whoever waits for it; never fails a run."""

    def __call__(self, kind: CutoverEvent, wave: str, **payload: str | int | None) -> None: ...


@dataclass(frozen=True, slots=True)
class CutoverContext:
    """What a cutover of many mailboxes shares. approve: raises Blocked unless the wave's cutover is approved.
    owner: who does its steps, a name of engine.control.lease made short. moved: is told of each mailbox whose
    phase has moved, once the ledger has that; never fails a run."""

    ledger: Ledger
    hooks: HooksSettings
    by: str
    run: LegRun
    act: Act
    approve: Callable[[str], None]
    tell: Announce
    stop: Stop = field(default_factory=Stop)
    owner: str = ""
    moved: Callable[[str], None] = _ignored

    @property
    def steps(self) -> Steps:
        return Steps(self.ledger)


@dataclass(frozen=True, slots=True)
class CutoverResult:
    """Where a mailbox is after a cutover, or after taking it back. code: why it went no further."""

    mailbox: str
    phase: Phase
    code: str | None = None


class _Stop(Exception):
    """This mailbox goes no further; code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def short(owner: str) -> str:
    """A name of engine.control.lease that fits into a code."""
    machine, _, rest = owner.partition("/")
    return f"{blake2b(machine.encode(), digest_size=8).hexdigest()}/{rest}"


def is_dead(owner: str) -> bool:
    """See engine.control.lease.is_dead; of a name that was made short."""
    here = lease.new_owner()
    lease.retire(here)
    machine = here.partition("/")[0]
    known = f"{machine}/{owner.partition('/')[2]}"
    return short(known) == owner and lease.is_dead(known)


def cut_over(cutting: CutoverContext, mailbox_id: str) -> CutoverResult:
    """Goes as far as it can. Raises what concerns every mailbox: Misconfigured, Corrupt."""
    return _guarded(cutting, mailbox_id, _cut_over)


def take_back(cutting: CutoverContext, mailbox_id: str) -> CutoverResult:
    """A mailbox that is not live, or of which all was rolled back, goes back to staging; what its hooks did
    is undone, the last first."""
    return _guarded(cutting, mailbox_id, _take_back)


def steps_of(hooks: HooksSettings) -> list[str]:
    """The steps of a cutover, in their order."""
    freeze, both = hook_steps(hooks, Phase.FROZEN), hook_steps(hooks, Phase.LIVE)
    return [*freeze, FROZEN, *COPIED, RELEASE, *both[len(freeze) :], LIVE]


def hook_steps(hooks: HooksSettings, phase: Phase) -> list[str]:
    """Those that have run when a mailbox is in this phase."""
    freeze = [f"{FREEZE}:{hook.name}" for hook in hooks.freeze]
    release = [f"{RELEASE}:{hook.name}" for hook in hooks.release]
    return {Phase.STAGING: [], Phase.FROZEN: freeze, Phase.LIVE: freeze + release}[phase]


def readiness(ledger: Ledger, mailbox_id: str) -> str | None:
    """Why a cutover would not begin, or go on, with this mailbox; None: it would. Writes nothing."""
    row = ledger.mailbox(mailbox_id)
    done = _by_name(Steps(ledger), mailbox_id)
    try:
        _refuse_unready(ledger, row, done)
    except _Stop as stop:
        return stop.code
    except Blocked as error:
        return error.code
    return None


def _guarded(
    cutting: CutoverContext, mailbox_id: str, walk: Callable[[CutoverContext, MailboxRow], None]
) -> CutoverResult:
    row = cutting.ledger.mailbox(mailbox_id)
    code: str | None = None
    try:
        walk(cutting, row)
    except _Stop as stop:
        code = stop.code
    except (Blocked, Transient) as error:
        code = error.code
    return CutoverResult(mailbox_id, cutting.ledger.mailbox(mailbox_id).phase, code)


def _cut_over(cutting: CutoverContext, row: MailboxRow) -> None:
    if row.phase is Phase.LIVE:
        return
    _go_on(cutting)
    done = _by_name(cutting.steps, row.id)
    _refuse_unready(cutting.ledger, row, done)
    cutting.approve(row.wave)
    _refuse_low(cutting, row, done)
    if not _is_done(done, RELEASE):
        _freeze(cutting, row, done)
        done = _by_name(cutting.steps, row.id)
        if not (all(_is_done(done, name) for name in COPIED) and _is_read_back(cutting.ledger, row.id)):
            _bring_up_to_date(cutting, row)
        cutting.approve(row.wave)
        cutting.steps.release(row.id, (*_freezing(cutting), FROZEN, *COPIED))
    for hook in cutting.hooks.release:
        _hook(cutting, row, f"{RELEASE}:{hook.name}", hook, hook)
    _go_on(cutting)
    opened = (RELEASE, *(f"{RELEASE}:{hook.name}" for hook in cutting.hooks.release))
    cutting.steps.move(row.id, Phase.LIVE, LIVE, cutting.by, opened)
    cutting.moved(row.id)
    cutting.tell("cutover.finished", row.wave, mailbox=row.id)


def _refuse_unready(ledger: Ledger, row: MailboxRow, done: dict[str, StepRow]) -> None:
    if BACK in done:
        raise _Stop("taking-back")
    ledger.refuse_withheld(row.id)
    for leg in ledger.legs(mailbox=row.id):
        if leg.code in (ROLLED_BACK, ROLLING):  # also where only release hooks are left: it would open empty
            raise _Stop(leg.code)
    if row.phase is Phase.STAGING and not _is_verified(ledger, row.id):
        raise _Stop(NOT_VERIFIED)


def _refuse_low(cutting: CutoverContext, row: MailboxRow, done: dict[str, StepRow]) -> None:
    """Freezes nobody whose score is known to stop them then: they could not work until somebody decides. One
    whose first freeze hook was begun goes on, for that is no place to wait either."""
    if row.phase is not Phase.STAGING or any(name in done for name in _freezing(cutting)):
        return
    if would_stop(cutting.ledger, [row], scores(cutting.ledger, [row.id])):
        cutting.tell("cutover.waiting", row.wave, mailbox=row.id, code=SCORE_LOW)
        raise _Stop(SCORE_LOW)


def _is_verified(ledger: Ledger, mailbox_id: str) -> bool:
    """Every workload, by the newest pass or look."""
    legs = ledger.legs(mailbox=mailbox_id)
    return bool(legs) and all(leg.state is LegState.VERIFIED for leg in legs)


def _is_read_back(ledger: Ledger, mailbox_id: str) -> bool:
    """As a score asks for it: a weaker look since takes the place of a better one."""
    return all(leg.fully_verified for leg in ledger.legs(mailbox=mailbox_id))


def _freeze(cutting: CutoverContext, row: MailboxRow, done: dict[str, StepRow]) -> None:
    names = _freezing(cutting)
    if not all(_is_done(done, name) for name in names):
        _refuse_at_work(cutting, row)
        cutting.steps.forget(row.id, COPIED)
    for name, hook in names.items():
        _hook(cutting, row, name, hook, hook)
    if row.phase is not Phase.FROZEN or not _is_done(done, FROZEN):
        _go_on(cutting)
        cutting.steps.move(row.id, Phase.FROZEN, FROZEN, cutting.by, names.keys())
        cutting.moved(row.id)


def _freezing(cutting: CutoverContext) -> dict[str, Hook]:
    return {f"{FREEZE}:{hook.name}": hook for hook in cutting.hooks.freeze}


def _bring_up_to_date(cutting: CutoverContext, row: MailboxRow) -> None:
    """Delta, verification, score."""
    for left in reversed(range(ROUNDS_MOST)):
        _refuse_at_work(cutting, row)
        cutting.steps.forget(row.id, COPIED)
        _legs(cutting, row, DELTA, verify_only=False)
        code = _legs(cutting, row, VERIFICATION, verify_only=True, again=left > 0)
        if code is None:
            break
    _go_on(cutting)
    _begin(cutting, row, SCORE)
    score = scores(cutting.ledger, [row.id]).get(row.id)
    if score is None:
        _finish(cutting, row, SCORE, FAILED, NOT_VERIFIED)
        raise _Stop(NOT_VERIFIED)
    rating = score.rating
    refused = rating in LOW and not is_accepted(cutting.ledger, row, score)
    _finish(cutting, row, SCORE, FAILED if refused else DONE, rating.value)
    if refused:
        cutting.tell("cutover.waiting", row.wave, mailbox=row.id, code=SCORE_LOW)
        raise _Stop(SCORE_LOW)


def _legs(
    cutting: CutoverContext, row: MailboxRow, name: str, *, verify_only: bool, again: bool = False
) -> str | None:
    """Every leg; the mailbox goes on only when all of them are verified. again: the code is returned, where
    another delta may mend it."""
    _go_on(cutting)
    _begin(cutting, row, name)
    code: str | None = None
    for leg in in_order(cutting.ledger.legs(mailbox=row.id)):
        state, why = leg.state, leg.code
        if state is not LegState.BLOCKED:
            state, why = cutting.run(leg.id, verify_only)
        if state is not LegState.VERIFIED:
            code = code or why or str(state)
        if why == REFUSED:  # the account is asked nothing more
            code = REFUSED
            break
    _finish(cutting, row, name, DONE if code is None else FAILED, code)
    if code is not None and not (again and code == "changed-since"):
        raise _Stop(code)
    return code


def _begin(cutting: CutoverContext, row: MailboxRow, name: str) -> None:
    """Whoever began it before has no say in its outcome any more."""
    if not cutting.steps.begin(row.id, name, cutting.owner):
        raise _Stop(HELD_ELSEWHERE)


def _refuse_at_work(cutting: CutoverContext, row: MailboxRow) -> None:
    """The steps of a cutover that is at work are not taken away from it; those of one that died are."""
    now = cutting.ledger.clock()
    for leg in cutting.ledger.legs(mailbox=row.id):
        held = leg.owner is not None and leg.lease_until is not None and leg.lease_until > now
        if held and not lease.is_dead(str(leg.owner)):
            raise _Stop(HELD_ELSEWHERE)


def in_order(legs: list[LegRow]) -> list[LegRow]:
    """Mail first, as in every run."""
    order = list(Kind)
    return sorted(legs, key=lambda leg: order.index(leg.workload))


def _hook(cutting: CutoverContext, row: MailboxRow, name: str, hook: Hook, action: Action) -> None:
    """Unless it is recorded as done."""
    _go_on(cutting)
    if _is_done(_by_name(cutting.steps, row.id), name):
        return
    back = action is not hook
    if not cutting.steps.begin(row.id, name, cutting.owner, patience_of(hook), is_dead, back=back):
        raise _Stop(HELD_ELSEWHERE)
    try:
        code = cutting.act(hook, action, HookMailbox(row.id, row.source, row.target, row.wave))
    except Misconfigured as error:
        _finish(cutting, row, name, FAILED, error.code)
        raise
    _finish(cutting, row, name, FAILED if code else DONE, code)
    if code:
        cutting.tell("cutover.hook-failed", row.wave, mailbox=row.id, step=name, code=code)
        raise _Stop(HOOK_FAILED)


def _finish(cutting: CutoverContext, row: MailboxRow, name: str, state: str, code: str | None) -> None:
    cutting.steps.finish(row.id, name, state, code, cutting.owner)
    cutting.tell("cutover.step", row.wave, mailbox=row.id, step=name, state=state, code=code)


def _take_back(cutting: CutoverContext, row: MailboxRow) -> None:
    if row.phase is Phase.LIVE and not is_rolled_back(cutting.ledger, row.id):
        raise _Stop("live-phase")
    if not _by_name(cutting.steps, row.id) and row.phase is Phase.STAGING:
        return
    _go_on(cutting)
    freeze = {f"{FREEZE}:{hook.name}": patience_of(hook) for hook in cutting.hooks.freeze}
    cutting.steps.turn_back(row.id, freeze, is_dead)
    done = _by_name(cutting.steps, row.id)
    for name, hook in in_force(cutting.hooks, done):
        if hook.undo is not None:
            _hook(cutting, row, name, hook, hook.undo)
    _go_on(cutting)
    cutting.steps.take_back(row.id, cutting.by)
    cutting.moved(row.id)


def in_force(hooks: HooksSettings, done: Collection[str]) -> list[tuple[str, Hook]]:
    """The hooks that were begun, by the steps that undo them, in the order in which they are to be undone. A
    hook that has no undo stays in force."""
    both = [(RELEASE, hook) for hook in hooks.release], [(FREEZE, hook) for hook in hooks.freeze]
    return [
        (f"{UNDO}:{hook.name}", hook)
        for stage in both
        for kind, hook in reversed(stage)
        if f"{kind}:{hook.name}" in done
    ]


def is_rolled_back(ledger: Ledger, mailbox_id: str) -> bool:
    """Whether a rollback of every workload has ended, so that nothing of ours is there."""
    legs = ledger.legs(mailbox=mailbox_id)
    return bool(legs) and all(map(is_undone, legs))


def is_undone(leg: LegRow) -> bool:
    """Whether a rollback of this workload has ended, and nothing was sent back into the queue since."""
    return (leg.state, leg.code) == (LegState.BLOCKED, ROLLED_BACK)


def _by_name(steps: Steps, mailbox_id: str) -> dict[str, StepRow]:
    return {entry.name: entry for entry in steps.all(mailbox_id)}


def _is_done(done: dict[str, StepRow], name: str) -> bool:
    return name in done and done[name].state == DONE


def _go_on(cutting: CutoverContext) -> None:
    if cutting.stop.is_set():
        raise _Stop(reason(cutting.stop))
