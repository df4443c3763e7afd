"""Cut one mailbox over, and go on wherever an earlier cutover stopped.

    verified               by the passes of staging; else nothing is done
    approved               the stage "cutover" of the wave's plan
    score                  one that is known to be low stops here, unless it is approved
    freeze hooks           in their order; one that is recorded as done is not run again
    frozen                 the phase
    delta                  the walk of every leg, as in staging (engine.leg.run)
    verification           every leg again, at the level of [cutover]
    score                  one that is low waits for a person
    release                no pass writes to the mailbox from here on: users may work there
    release hooks          after the approval was asked for again
    live                   the phase, at once with the step, and while no worker holds a leg

Each step is in the ledger before it begins and after it has ended. A failure leaves the mailbox where it is,
with a code; the next cutover goes on from there. The boundary of the mailbox (engine.pacing.run_legs) makes
the result of an error. A freeze hook that has still to run voids whatever was
copied and verified before it, and so does whatever becomes of a workload since: no mailbox goes live that was
not verified after the last of them. A cutover and its undoing exclude each other (ledger.leg.cutover_steps).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, Protocol, TypeAlias

from engine.approvals.low_score_approval import SCORE, is_accepted, would_stop
from engine.approvals.score import scores
from engine.config.hooks import Action, Hook, HooksSettings
from engine.control import lease
from engine.control.stop_signal import Stop, reason
from engine.cutover.given_back import GIVING_BACK, TAKING_BACK, begun
from engine.cutover.hooks import HookMailbox, patience_of
from engine.cutover.refused import record_refusal
from engine.pacing.login_breaker import REFUSED
from ledger.db.rows import (
    HELD_ELSEWHERE,
    ORGANIZER_FIRST,
    ROLLED_BACK,
    ROLLING,
    SCORE_LOW,
    LegRow,
    LegState,
    MailboxRow,
    Outcome,
    Phase,
)
from ledger.leg.cutover_steps import BACK, DONE, FAILED, RELEASE, StepRow, Steps
from ledger.store import Ledger
from model.errors import Blocked, Misconfigured
from model.kinds import Kind

FREEZE, UNDO = "freeze", "undo"
FROZEN, DELTA, VERIFICATION, LIVE = "frozen", "delta", "verification", "live"
COPIED = (DELTA, VERIFICATION, SCORE)
ROUNDS_MOST = 3
"""How many deltas one cutover runs while the source, though closed, still changes."""
WRONG = (Outcome.MISSING, Outcome.EXTRA, Outcome.DIFFERS, Outcome.ERROR)
ANSWERS = "answers"
"""The detail of a meeting in which only answers differ (engine.verify.source.differing)."""
HOOK_FAILED = "hook-failed"
NOT_VERIFIED = "not-verified"

LegRun = Callable[[int, bool], tuple[LegState, str | None]]
"""Runs a leg (by id), or only verifies it. Returns its state and code."""
Act = Callable[[Hook, Action, HookMailbox], str | None]
"""Runs an action of a hook. Returns None, or the code of its failure."""

CutoverEvent: TypeAlias = Literal[
    "cutover.started",
    "cutover.frozen",
    "cutover.step",
    "cutover.hook-failed",
    "cutover.waiting",
    "cutover.finished",
    "cutover.ended",
    "cutover.taken-back",
]


def _ignored(_mailbox_id: str) -> None:
    """Ignore a move: only the ledger records it."""


class Announce(Protocol):
    """Announce an event of a wave to subscribers; never fail a run."""

    def __call__(self, kind: CutoverEvent, wave: str, **payload: str | int | None) -> None:
        """Announce an event of a wave, with its values."""


@dataclass(frozen=True, slots=True)
class CutoverContext:
    """Hold what the cutovers of many mailboxes share.

    Attributes:
        ledger: the ledger.
        hooks: the configured hooks.
        by: who decided.
        run: runs a leg.
        release_dead: releases a leg (by id) that a dead worker holds; see engine.cutover.dead_workers.
        act: runs an action of a hook.
        approve: raises Blocked unless the cutover of the mailbox is approved.
        tell: announces events.
        stop: the request to stop.
        owner: the worker that does the steps: a name of engine.control.lease, made short.
        moved: called with each mailbox whose phase has moved, once the ledger has that; never fails a run.
    """

    ledger: Ledger
    hooks: HooksSettings
    by: str
    run: LegRun
    release_dead: Callable[[int], str | None]
    act: Act
    approve: Callable[[MailboxRow], None]
    tell: Announce
    stop: Stop = field(default_factory=Stop)
    owner: str = ""
    moved: Callable[[str], None] = _ignored

    @property
    def steps(self) -> Steps:
        """The steps in the ledger."""
        return Steps(self.ledger)


@dataclass(frozen=True, slots=True)
class CutoverResult:
    """Say where a mailbox is after a cutover, or after it was taken back.

    Attributes:
        mailbox: the id of the mailbox.
        phase: its phase.
        code: why it went no further; None if it went to the end.
    """

    mailbox: str
    phase: Phase
    code: str | None = None

    @property
    def accepted(self) -> bool:
        """True if both sides accepted the login, as far as a cutover tells."""
        return self.code is None


class _Stop(Exception):
    """Raised when this mailbox goes no further; its code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def short(owner: str) -> str:
    """Return a name of engine.control.lease, made short enough for a code."""
    machine, _, rest = owner.partition("/")
    return f"{blake2b(machine.encode(), digest_size=8).hexdigest()}/{rest}"


def is_dead(owner: str) -> bool:
    """Return True as engine.control.lease.is_dead does, for a name that was made short."""
    here = lease.new_owner()
    lease.retire(here)
    machine = here.partition("/")[0]
    full_name = f"{machine}/{owner.partition('/')[2]}"
    return short(full_name) == owner and lease.is_dead(full_name)


def cut_over(cutting: CutoverContext, mailbox_id: str) -> CutoverResult:
    """Cut a mailbox over as far as possible. Idempotent: it goes on where an earlier cutover stopped.

    Args:
        cutting: what the cutovers share.
        mailbox_id: the mailbox.

    Returns:
        Where the mailbox is.

    Raises:
        Blocked: if the mailbox cannot go on.
        Transient: if something that passes is in the way.
        Misconfigured: if the configuration cannot be used. This concerns every mailbox.
        Corrupt: if an invariant of the ledger is broken. This concerns every mailbox.
    """
    return _walked(cutting, mailbox_id, _cut_over)


def take_back(cutting: CutoverContext, mailbox_id: str) -> CutoverResult:
    """Take a mailbox back to staging, and undo its hooks, the last first.

    This is possible for a mailbox that is not live, or of which everything was rolled back. Idempotent.

    Args:
        cutting: what the cutovers share.
        mailbox_id: the mailbox.

    Returns:
        Where the mailbox is.

    Raises:
        Blocked: see cut_over.
        Transient: see cut_over.
        Misconfigured: see cut_over.
        Corrupt: see cut_over.
    """
    return _walked(cutting, mailbox_id, _take_back)


def steps_of(hooks: HooksSettings) -> list[str]:
    """Return the steps of a cutover, in their order."""
    freeze, both = hook_steps(hooks, Phase.FROZEN), hook_steps(hooks, Phase.LIVE)
    return [*freeze, FROZEN, *COPIED, RELEASE, *both[len(freeze) :], LIVE]


def hook_steps(hooks: HooksSettings, phase: Phase) -> list[str]:
    """Return the hook steps that have run when a mailbox is in this phase."""
    freeze = [f"{FREEZE}:{hook.name}" for hook in hooks.freeze]
    release = [f"{RELEASE}:{hook.name}" for hook in hooks.release]
    return {Phase.STAGING: [], Phase.FROZEN: freeze, Phase.LIVE: freeze + release}[phase]


def patience_by_step(hooks: HooksSettings, *stages: str) -> dict[str, float]:
    """Return by hook step the seconds after which it has ended, whatever happened.

    Args:
        hooks: the configured hooks.
        stages: which steps: FREEZE, RELEASE, or UNDO for the undoing of both.
    """
    of_stage = {FREEZE: hooks.freeze, RELEASE: hooks.release, UNDO: (*hooks.freeze, *hooks.release)}
    return {f"{stage}:{hook.name}": patience_of(hook) for stage in stages for hook in of_stage[stage]}


def readiness(ledger: Ledger, mailbox_id: str) -> str | None:
    """Return why a cutover would not begin, or go on, with this mailbox; None if it would. Write nothing.

    A live mailbox has nothing to do, unless it was begun to be taken back, or given back.
    """
    row = ledger.mailbox(mailbox_id)
    steps = _by_name(Steps(ledger), mailbox_id)
    refuse = _refuse_going_back if row.phase is Phase.LIVE else _refuse_unready
    try:
        refuse(ledger, row, steps)
    except _Stop as stop:
        return stop.code
    except Blocked as error:
        return error.code
    return None


def _walked(
    cutting: CutoverContext, mailbox_id: str, walk: Callable[[CutoverContext, MailboxRow], None]
) -> CutoverResult:
    row = cutting.ledger.mailbox(mailbox_id)
    code: str | None = None
    try:
        walk(cutting, row)
    except _Stop as stop:
        code = stop.code
    return CutoverResult(mailbox_id, cutting.ledger.mailbox(mailbox_id).phase, code)


def _cut_over(cutting: CutoverContext, row: MailboxRow) -> None:
    if row.phase is Phase.LIVE:
        _refuse_going_back(cutting.ledger, row, _by_name(cutting.steps, row.id))
        return
    _go_on(cutting)
    steps = _by_name(cutting.steps, row.id)
    _refuse_unready(cutting.ledger, row, steps)
    cutting.approve(row)
    _refuse_low(cutting, row, steps)
    if not _is_done(steps, RELEASE):
        _freeze(cutting, row, steps)
        steps = _by_name(cutting.steps, row.id)
        if not (all(_is_done(steps, name) for name in COPIED) and _is_read_back(cutting.ledger, row.id)):
            _bring_up_to_date(cutting, row)
        cutting.approve(row)
        cutting.steps.release(row.id, (*_freezing(cutting), FROZEN, *COPIED))
    for hook in cutting.hooks.release:
        _run_hook(cutting, row, f"{RELEASE}:{hook.name}", hook, hook)
    _go_on(cutting)
    opened = (RELEASE, *(f"{RELEASE}:{hook.name}" for hook in cutting.hooks.release))
    cutting.steps.move(row.id, Phase.LIVE, LIVE, cutting.by, opened)
    cutting.moved(row.id)
    cutting.tell("cutover.finished", row.wave, mailbox=row.id)


def _refuse_unready(ledger: Ledger, row: MailboxRow, steps: dict[str, StepRow]) -> None:
    _refuse_going_back(ledger, row, steps)
    ledger.refuse_withheld(row.id)
    if row.phase is Phase.STAGING and not _is_verified(ledger, row.id):
        raise _Stop(NOT_VERIFIED)
    if row.phase is Phase.STAGING and _awaits_organizers(ledger, row):
        raise _Stop(ORGANIZER_FIRST)


def _refuse_going_back(ledger: Ledger, row: MailboxRow, steps: dict[str, StepRow]) -> None:
    """Refuse a mailbox of which something is undone or taken back: it would be, or is, live and empty."""
    taken = [leg.code for leg in ledger.legs(mailbox=row.id) if leg.code in (ROLLED_BACK, ROLLING)]
    if row.phase is Phase.LIVE and (taken or BACK in steps) and begun(ledger, [row]):
        raise _Stop(GIVING_BACK)
    if BACK in steps:
        raise _Stop(TAKING_BACK)
    if taken:  # even if only release hooks are left
        raise _Stop(str(taken[0]))


def _refuse_low(cutting: CutoverContext, row: MailboxRow, steps: dict[str, StepRow]) -> None:
    """Refuse to freeze a mailbox whose score is known to stop it afterwards.

    Its user could not work until somebody decides.

    A mailbox whose first freeze hook has begun goes on, because that is no place to wait either.
    """
    if row.phase is not Phase.STAGING or any(name in steps for name in _freezing(cutting)):
        return
    if would_stop(cutting.ledger, [row], scores(cutting.ledger, [row.id])):
        record_refusal(cutting.ledger, row)
        cutting.tell("cutover.waiting", row.wave, mailbox=row.id, code=SCORE_LOW)
        raise _Stop(SCORE_LOW)


def _is_verified(ledger: Ledger, mailbox_id: str) -> bool:
    """Return True if every workload is verified, by its newest pass or look."""
    legs = ledger.legs(mailbox=mailbox_id)
    return bool(legs) and all(leg.state is LegState.VERIFIED for leg in legs)


def _awaits_organizers(ledger: Ledger, row: MailboxRow) -> bool:
    """Return True if copies of meetings wait for colleagues who move later, and nobody approved that."""
    if all(leg.code != ORGANIZER_FIRST for leg in ledger.legs(mailbox=row.id)):
        return False
    of_wave = ledger.approved(f"wave:{row.wave}", ORGANIZER_FIRST, row.id)
    return not (of_wave or ledger.approved(row.id, ORGANIZER_FIRST))


def _is_read_back(ledger: Ledger, mailbox_id: str) -> bool:
    """Return True if every workload was read back as a score requires.

    A weaker verification since replaces a better one.
    """
    return all(leg.fully_verified for leg in ledger.legs(mailbox=mailbox_id))


def _freeze(cutting: CutoverContext, row: MailboxRow, steps: dict[str, StepRow]) -> None:
    names = _freezing(cutting)
    if not all(_is_done(steps, name) for name in names):
        _refuse_at_work(cutting, row)
        cutting.steps.forget(row.id, COPIED)
    if row.phase is Phase.STAGING and not any(name in steps for name in names):
        cutting.tell("cutover.frozen", row.wave, mailbox=row.id)
    for name, hook in names.items():
        _run_hook(cutting, row, name, hook, hook)
    if row.phase is not Phase.FROZEN or not _is_done(steps, FROZEN):
        _go_on(cutting)
        cutting.steps.move(row.id, Phase.FROZEN, FROZEN, cutting.by, names.keys())
        cutting.moved(row.id)


def _freezing(cutting: CutoverContext) -> dict[str, Hook]:
    return {f"{FREEZE}:{hook.name}": hook for hook in cutting.hooks.freeze}


def _bring_up_to_date(cutting: CutoverContext, row: MailboxRow) -> None:
    """Run delta, verification and score."""
    for rounds_left in reversed(range(ROUNDS_MOST)):
        _refuse_at_work(cutting, row)
        cutting.steps.forget(row.id, COPIED)
        _run_legs(cutting, row, DELTA, verify_only=False)
        code = _run_legs(cutting, row, VERIFICATION, verify_only=True, again=rounds_left > 0)
        if code is None:
            break
    _go_on(cutting)
    _begin(cutting, row, SCORE)
    score = scores(cutting.ledger, [row.id]).get(row.id)
    if score is None:
        _finish(cutting, row, SCORE, FAILED, NOT_VERIFIED)
        raise _Stop(NOT_VERIFIED)
    rating = score.rating
    refused = score.is_low and not is_accepted(cutting.ledger, row, score)
    _finish(cutting, row, SCORE, FAILED if refused else DONE, rating.value)
    if refused:
        cutting.tell("cutover.waiting", row.wave, mailbox=row.id, code=SCORE_LOW)
        raise _Stop(SCORE_LOW)


def _run_legs(
    cutting: CutoverContext, row: MailboxRow, name: str, *, verify_only: bool, again: bool = False
) -> str | None:
    """Run every leg; the mailbox goes on only if all of them are verified.

    With `again`, a code is returned instead of stopping if another delta may mend it: the source changed, or
    people answered a meeting at the target that they share with its organizer.
    """
    _go_on(cutting)
    _begin(cutting, row, name)
    code: str | None = None
    for leg in in_order(cutting.ledger.legs(mailbox=row.id)):
        state, why = leg.state, leg.code
        if state is not LegState.BLOCKED:
            state, why = cutting.run(leg.id, verify_only)
        if state is not LegState.VERIFIED or why == ORGANIZER_FIRST:
            code = code or why or str(state)
        if why == REFUSED:  # no more logins to this account
            code = REFUSED
            break
    _finish(cutting, row, name, DONE if code is None else FAILED, code)
    may_mend = code == "changed-since" or _only_answers(cutting.ledger, row.id)
    if code is not None and not (again and may_mend):
        raise _Stop(code)
    return code


def _only_answers(ledger: Ledger, mailbox_id: str) -> bool:
    """Return True if nothing but answers to meetings keeps the mailbox from being verified."""
    legs = [leg for leg in ledger.legs(mailbox=mailbox_id) if leg.state is not LegState.VERIFIED]
    findings = [finding for leg in legs for _, finding in ledger.findings(leg.id)]
    wrong = [finding for finding in findings if finding.outcome in WRONG]
    if not wrong or any(leg.state is not LegState.DIFFERS for leg in legs):
        return False
    return all((finding.outcome, finding.detail) == (Outcome.DIFFERS, ANSWERS) for finding in wrong)


def _begin(cutting: CutoverContext, row: MailboxRow, name: str) -> None:
    """Begin a step; whoever began it before can no longer record its outcome."""
    if not cutting.steps.begin(row.id, name, cutting.owner):
        raise _Stop(HELD_ELSEWHERE)


def _refuse_at_work(cutting: CutoverContext, row: MailboxRow) -> None:
    """Refuse to take steps away from a cutover that is at work; those of a dead one are taken over."""
    now = cutting.ledger.clock()
    for leg in cutting.ledger.legs(mailbox=row.id):
        is_held = leg.owner is not None and leg.lease_until is not None and leg.lease_until > now
        if is_held and not lease.is_dead(str(leg.owner)):
            raise _Stop(HELD_ELSEWHERE)


def in_order(legs: list[LegRow]) -> list[LegRow]:
    """Return the legs with mail first, as in every run."""
    order = list(Kind)
    return sorted(legs, key=lambda leg: order.index(leg.workload))


def _run_hook(cutting: CutoverContext, row: MailboxRow, name: str, hook: Hook, action: Action) -> None:
    """Run an action of a hook, unless it is recorded as done."""
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
    _release_dead(cutting, row)
    cutting.steps.turn_back(row.id, patience_by_step(cutting.hooks, FREEZE, RELEASE), is_dead)
    steps = _by_name(cutting.steps, row.id)
    for name, hook in in_force(cutting.hooks, steps):
        if hook.undo is not None:
            _run_hook(cutting, row, name, hook, hook.undo)
    _go_on(cutting)
    cutting.steps.take_back(row.id, cutting.by)
    cutting.moved(row.id)
    cutting.tell("cutover.taken-back", row.wave, mailbox=row.id)


def _release_dead(cutting: CutoverContext, row: MailboxRow) -> None:
    """Take the legs of dead workers over, and release them: nobody else would, and no phase changes before.

    A leg of a worker that may be at work stays as it is, and refuses the taking back.
    """
    for leg_id in cutting.steps.held_legs(row.id):
        if (code := cutting.release_dead(leg_id)) is not None:
            raise _Stop(code)


def in_force(hooks: HooksSettings, begun_steps: Collection[str]) -> list[tuple[str, Hook]]:
    """Return the begun hooks in the order of their undoing, each with the step that undoes it.

    A hook that has no undo stays in force.
    """
    both = [(RELEASE, hook) for hook in hooks.release], [(FREEZE, hook) for hook in hooks.freeze]
    return [
        (f"{UNDO}:{hook.name}", hook)
        for stage in both
        for kind, hook in reversed(stage)
        if f"{kind}:{hook.name}" in begun_steps
    ]


def refuse_releasing(ledger: Ledger, hooks: HooksSettings, mailbox_id: str) -> None:
    """Refuse a mailbox while a release hook of it runs, so that nothing is removed that is about to open.

    Raises:
        Blocked: "claimed-elsewhere".
    """
    Steps(ledger).refuse_running(mailbox_id, patience_by_step(hooks, RELEASE), is_dead)


def is_rolled_back(ledger: Ledger, mailbox_id: str) -> bool:
    """Return True if a rollback of every workload has ended, so that nothing of ours is there."""
    legs = ledger.legs(mailbox=mailbox_id)
    return bool(legs) and all(map(is_undone, legs))


def is_undone(leg: LegRow) -> bool:
    """Return True if a rollback of this workload has ended, and nothing was put back into the queue since."""
    return (leg.state, leg.code) == (LegState.BLOCKED, ROLLED_BACK)


def _by_name(steps: Steps, mailbox_id: str) -> dict[str, StepRow]:
    return {entry.name: entry for entry in steps.all(mailbox_id)}


def _is_done(steps: dict[str, StepRow], name: str) -> bool:
    return name in steps and steps[name].state == DONE


def _go_on(cutting: CutoverContext) -> None:
    if cutting.stop.is_set():
        raise _Stop(reason(cutting.stop))
