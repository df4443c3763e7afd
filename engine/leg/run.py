"""Walk one leg from claim to release: the migration of one workload of a mailbox, step by step.

    claim                    the lease (R6)
    authorize                the row is as it was planned, and its wave's plan is approved
    prove_identity           both sides' identities, again
    ledger_generation        the ledger is not older than what was done with it, by what was left outside
    newer_traces             nor by what the target holds, and nobody works there
    reconcile.settle         WRITING -> WRITTEN | SEEN, by match()
    discover                 containers -> ensure -> changes -> ledger
    restored_target          copies that the target renumbered, or lost with a restore
    rekeying                 what the source lists under other ids since, by its digest
    account_binding          no other login has written into the target meanwhile
    close_inventory          what was listed is rooted, before any item of it is copied
    overdue_dates            dates that lay in the future, and have come
    late_mail                live: what the target received by itself
    organizer_first          copies of meetings that waited, and need not any more
    left_items               rights that waited: until the mailbox is frozen, for a folder or a person
    copy                     pending -> fetch -> map -> begin -> write -> settle; late_moves while live
    amend                    flags that changed since, drafts that were edited
    remove                   what the source deleted, after every create
    file_cleanup             files: names and folders that became free
    shares                   files: with whom they are shared
    file_names.stamp         files: the dates of their folders
    taking_effect            what acts by itself, once the mailbox is frozen
    compare                  list both sides again, read back, record findings
    release

After a passing fault the same walk begins again from the top, with new connections: recovery from a cut
connection and from a killed worker is one code path.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from engine.approvals.plan_approval import permitted
from engine.context.leg_context import (
    BatchLimits,
    InDoubtWrite,
    LegContext,
    Opener,
    as_container,
    spent_as,
    utc_now,
)
from engine.context.principals import Parties
from engine.context.restored_ledger_breaker import CODE as RESTORED
from engine.context.shrink_guard import ShrinkBreaker
from engine.control import lease
from engine.control.error_log import contain_defects
from engine.control.json_log import log_leg
from engine.control.server_words_file import Words, failure_words
from engine.control.stop_signal import StopRequested, reason
from engine.files import file_names, shares
from engine.identity import account_binding, identity_gate, other_readers
from engine.identity.identity_gate import GateRules, Pair
from engine.leg import dry_run, file_cleanup, overdue_dates, source_faults
from engine.leg.connect import AttemptState, leg_of, open_leg, pass_gate
from engine.leg.end_of_leg import end_of, stands
from engine.leg.leg_result import LegResult, News
from engine.opening.open_sides import refuse_replanned
from engine.pacing.login_breaker import REFUSED
from engine.restored import newer_traces, restored_target
from engine.steps.beginning import folders_first, invitation_policy, ledger_generation
from engine.steps.beginning.ledger_generation import Generations
from engine.steps.copying import copy, left_items, organizer_first
from engine.steps.following import amend, remove, taking_effect
from engine.steps.listing import discover, folder_renames, late_mail, placement, rekeying, unchanged
from engine.steps.listing.unchanged import Unchanged
from engine.steps.settling import accepted_differences, reconcile, renamed
from engine.steps.settling.worker_deaths import Cause, cause_of
from engine.verify import compare, second_look
from engine.verify.compare import Level, Verdict
from ledger.db.counters import LEG_ENDS, counters_of
from ledger.db.incidents import KILLS_WORKER
from ledger.db.rows import HELD_ELSEWHERE, ContainerRow, Lease, LegRow, LegState, MailboxRow, Tally
from ledger.leg.rollback import refuse_unfinished
from ledger.plan.mailboxes import approved_for
from ledger.store import Ledger
from mappings.fields.context import Digests, no_digest, nobody
from model.errors import Corrupt, LeaseLost, MigrationError, Misconfigured, Transient
from model.kinds import Kind
from model.optional_protocols import ExpectsListings

PASSES_MOST = 3
"""How often a leg is copied and verified in one walk while the source goes on changing."""
DOUBLED_MOST = 30
"""How often the pause before a retry is doubled at most, whatever its bound is."""
DELAY_MOST = 900.0
"""Seconds. A server that asks for a longer delay is nevertheless asked again after this."""

Walk: TypeAlias = Callable[["LegSetting", Lease, lease.LeaseKeeper], tuple[LegState, str | None]]


@dataclass(frozen=True, slots=True)
class LegEnd:
    """Say how a walk ended; see LegResult."""

    state: LegState
    code: str | None = None
    detail: str | None = None

    @classmethod
    def by(cls, state: LegState, error: MigrationError) -> LegEnd:
        """Return the end of a walk that an error ended."""
        return cls(state, error.code, error.detail or None)


@dataclass(frozen=True, slots=True)
class Task:
    """Say what to do with the leg: copy and verify, only verify, or only look.

    Attributes:
        level: how thoroughly to verify.
        sample_percent: the share of items that are read back, for levels that read a sample.
        copy: False to only verify.
        dry: True to only look.
    """

    level: Level = Level.TARGET
    sample_percent: float = 5.0
    copy: bool = True
    dry: bool = False


def _no_kek() -> bytes:
    """Refuse to close an inventory in a walk that was given no key."""
    raise Misconfigured("evidence.key", "is not given to a walk that copies")


@dataclass(frozen=True, slots=True)
class LegSetting:
    """Hold everything that the walk of a leg needs beside its row; crash tests and production use the same.

    Attributes:
        ledger: the ledger.
        mailbox: the mailbox.
        pair: the accounts of both sides.
        opener: opens both sides.
        rules: the rules of the identity gate.
        pace: the bounds of batches, lease and retries.
        task: what to do.
        stop: set when the leg is to stop.
        sleep: waits so many seconds.
        in_doubt: see LegContext; kept over the passes of the walk.
        addresses: see LegContext.
        parties: see LegContext.
        grantees: see LegContext.
        allowed: see LegContext.
        silenced: returns True if an invitation probe showed that the target invites nobody.
        authorize: see engine.approvals.plan_approval.permission.
        tally: what was done at the target; kept over the passes of the walk.
        cause: says why an owner did not release its leg, see engine.steps.settling.worker_deaths.cause_of.
        walk: another walk than to copy and verify; None for that one.
        kek: returns the key of keys, see ledger.inventory.keystore; called when an inventory is closed.
        now: see LegContext.
        breaker: the circuit breaker that the legs of one run share, for sources that lost much.
        generations: see engine.steps.beginning.ledger_generation; None if nothing remembers generations.
        words: keeps what servers say of failures, see engine.control.server_words_file.
    """

    ledger: Ledger
    mailbox: MailboxRow
    pair: Pair
    opener: Opener
    rules: GateRules
    pace: BatchLimits
    task: Task
    stop: threading.Event
    sleep: Callable[[float], None] = time.sleep
    in_doubt: dict[str, InDoubtWrite] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    parties: Parties = field(default_factory=Parties)
    grantees: Callable[[Kind, str], Mapping[str, str | None]] = nobody
    allowed: Callable[[], Digests] = no_digest
    silenced: Callable[[], bool] = bool
    authorize: Callable[[str | None], None] = permitted
    tally: Tally = field(default_factory=Tally)
    cause: Callable[[str | None], Cause] = cause_of
    walk: Walk | None = None
    kek: Callable[[], bytes] = _no_kek
    now: Callable[[], datetime] = utc_now
    breaker: ShrinkBreaker = field(default_factory=ShrinkBreaker)
    generations: Generations | None = None
    words: Words = field(default_factory=lambda: Words(None))


@dataclass(frozen=True, slots=True)
class Leg:
    """Run one workload of one mailbox.

    Attributes:
        setting: what its walk needs.
        row: its row when it was built.
    """

    setting: LegSetting
    row: LegRow

    def run(self) -> LegResult:
        """Claim the leg, work on it, release it. One mailbox's trouble raises nothing: the ledger keeps it.

        Returns:
            How the leg ended. RUNNING if another worker holds it.

        Raises:
            Misconfigured: if the configuration cannot be used. This concerns all mailboxes.
            Corrupt: if an invariant of the ledger is broken. This concerns all mailboxes.
        """
        setting, row, owner = self.setting, self.row, lease.new_owner()
        claimed_at = lease.now()
        try:
            if setting.task.dry and dry_run.keeps_nothing(setting, row):
                return self._looked()
            phase = setting.mailbox.phase
            former = setting.ledger.leg(row.id) if _only_looks(setting) else None
            held = setting.ledger.claim(row.id, owner, setting.pace.lease, dead=lease.is_dead, phase=phase)
            if held is None:
                return self._ended(lease.now() - claimed_at, LegState.RUNNING, HELD_ELSEWHERE)
            end = _hold(setting, held, claimed_at, former)
            ended = self._ended(lease.now() - claimed_at, end.state, end.code, end.detail)
            blocked_look = setting.task.dry and end.state is LegState.BLOCKED
            return replace(ended, news=News()) if blocked_look else ended
        except Transient as error:  # the ledger was unavailable: the lease expires, the next claim settles
            return self._ended(lease.now() - claimed_at, LegState.WAITING, error.code)
        except LeaseLost as error:  # the phase by whose rules both sides were opened has ended
            return self._ended(lease.now() - claimed_at, LegState.PENDING, error.code)
        finally:
            lease.retire(owner)

    def _looked(self) -> LegResult:
        """Look without claiming the leg: whatever is found, the ledger keeps what it has."""
        row, news = self.row, News()
        try:
            with contain_defects(f"leg {row.mailbox}"):
                news = _look_with_patience(self.setting, row)
            end = LegEnd(LegState.PENDING, dry_run.CODE)
        except StopRequested as request:
            end = LegEnd(LegState.PENDING, request.code)
        except Transient as error:
            end = LegEnd.by(LegState.WAITING, error)
        except (Misconfigured, Corrupt):
            raise
        except MigrationError as error:
            end = LegEnd.by(LegState.BLOCKED, error)
        return LegResult(
            row.id, row.mailbox, row.workload, end.state, end.code, self.setting.tally, end.detail, news
        )

    def _ended(
        self, seconds: float, state: LegState, code: str | None, detail: str | None = None
    ) -> LegResult:
        row, setting = self.row, self.setting
        labels = (setting.mailbox.wave, row.workload.value, state.value, code or "")
        counters_of(setting.ledger.engine).add(LEG_ENDS, *labels)
        log_leg(
            "workload ended",
            wave=setting.mailbox.wave,
            mailbox=row.mailbox,
            workload=row.workload.value,
            state=state,
            code=code,
            seconds=seconds,
        )
        return LegResult(row.id, row.mailbox, row.workload, state, code, setting.tally, detail)


def approvals(ledger: Ledger, mailbox: MailboxRow, workload: Kind | None = None) -> Callable[[str], bool]:
    """Return a function that says whether a person approved a code for this mailbox or for its whole wave.

    An approval that this mailbox has spent since no longer counts.

    Args:
        ledger: the ledger.
        mailbox: the mailbox.
        workload: the workload that spends codes of EACH_WORKLOAD for itself; None for a walk that spends
            none.
    """

    def approved(code: str) -> bool:
        spent = spent_as(code, workload)
        return approved_for(ledger, mailbox.id, mailbox.wave, code, spent)

    return approved


def _only_looks(setting: LegSetting) -> bool:
    """Return True if the leg is verified and nothing of it is copied."""
    return setting.walk is None and not setting.task.copy and not setting.task.dry


def _hold(setting: LegSetting, held: Lease, claimed_at: float, former: LegRow | None) -> LegEnd:
    """Walk with a thread that renews the lease; release the leg at the end.

    A verification that was stopped leaves the verdict of the one before it. What stops a look stops no run
    that comes: the leg is pending, as before. A refused login does, lest the account be locked.
    """
    pace = setting.pace
    keeper = lease.LeaseKeeper(setting.ledger, held, pace.lease, pace.margin, claimed_at)
    keeper.start()
    try:
        end = _react(setting, held, keeper)
    finally:
        keeper.stop()
    if end.state is LegState.RUNNING:
        return end
    stopped = end.state is LegState.PENDING and setting.stop.is_set()
    kept = former if former is not None and stopped and stands(setting.ledger, held, former) else end
    if setting.task.dry and end.state is LegState.BLOCKED and end.code != REFUSED:
        kept = LegEnd(LegState.PENDING, dry_run.CODE)
    if setting.ledger.release(held, kept.state, kept.code, kept.detail):
        return end
    _record_lease(setting, held, "lease-lost")
    return LegEnd(LegState.RUNNING, "lease-lost")


def _record_lease(setting: LegSetting, held: Lease, kind: str) -> None:
    """Record, in the wave's chain of events, what became of the lease."""
    box = setting.mailbox
    log_leg(kind, wave=box.wave, mailbox=box.id, workload=held.workload.value)
    setting.ledger.event(box.wave, kind, {"workload": str(held.workload)}, subject=box.id)


def _react(setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper) -> LegEnd:
    """Walk, and react to each class of error."""
    try:
        with contain_defects(f"leg {held.mailbox}"):
            if held.took_over:
                _record_lease(setting, held, "taken-over")
                _await_former_owner(setting, held)
            return LegEnd(*(setting.walk or _with_patience)(setting, held, keeper))
    except StopRequested as request:
        return LegEnd(LegState.PENDING, request.code)
    except Transient as error:
        return LegEnd.by(LegState.WAITING, _keep_words(setting, held, error))
    except LeaseLost as error:
        _record_lease(setting, held, "lease-lost")
        return LegEnd.by(LegState.RUNNING, error)
    except (Misconfigured, Corrupt) as error:
        setting.ledger.release(held, LegState.BLOCKED, error.code, error.detail or None)
        raise
    except MigrationError as error:
        return LegEnd.by(LegState.BLOCKED, _keep_words(setting, held, error))


def _keep_words(setting: LegSetting, held: Lease, error: MigrationError) -> MigrationError:
    """Return the error with which the leg ends, after keeping what the server said of it."""
    setting.words.keep(held.mailbox, held.workload, [failure_words(None, error)])
    return error


def _await_former_owner(setting: LegSetting, held: Lease) -> None:
    """Wait until nothing that the owner before us sent can still arrive.

    An owner that is not known to have ended may even go on sending: by the ledger's clock its lease is over,
    but a clock can be put ahead.
    """
    pace = setting.pace
    if not held.unproven:
        setting.sleep(pace.grace)
        return
    _sleep(setting, lease.writes_most(pace.lease, pace.margin) + pace.grace)
    setting.ledger.outwaited(held)


def _sleep(setting: LegSetting, seconds: float, until: Callable[[], bool] = bool) -> None:
    """Sleep in short steps, so that a request to stop is noticed. Raise StopRequested then.

    Args:
        setting: what the walk needs.
        seconds: how long.
        until: returns True when there is no more need to sleep.
    """
    while seconds > 0 and not setting.stop.is_set() and not until():
        step = min(seconds, 1.0)
        setting.sleep(step)
        seconds -= step
    if setting.stop.is_set():
        raise StopRequested(reason(setting.stop))


def _with_patience(
    setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper
) -> tuple[LegState, str | None]:
    """Walk until done. After a passing fault, walk again from the top.

    Faults count only while nothing moves between them.
    """
    faults, done, attempt = 0, -1, AttemptState(_cause(setting, held))
    while True:
        try:
            return _walk_once(setting, held, keeper, attempt)
        except Transient as error:
            keeper.guard()
            progress = leg_of(setting, held).done
            faults = 1 if progress > done else faults + 1
            done = max(done, progress)
            pause_after(setting, error, faults)


def _look_with_patience(setting: LegSetting, row: LegRow) -> News:
    """Look until done. After a passing fault, look again from the top."""
    refuse_replanned(setting.ledger, setting.mailbox.id, setting.pair)
    identity_gate.refuse_denied(setting.pair, setting.rules)
    faults = 0
    while True:
        try:
            return dry_run.look(setting, row)
        except Transient as error:
            faults += 1
            pause_after(setting, error, faults)


def _cause(setting: LegSetting, held: Lease) -> Cause | None:
    """Return why the worker before this one died.

    None if it released its lease, or if its process goes on.
    """
    cause = setting.cause(held.before) if held.took_over else Cause.NONE
    return None if cause is Cause.NONE else cause


def pause_after(setting: LegSetting, error: Transient, faults: int) -> None:
    """Sleep before the next attempt, in short steps so that a request to stop is noticed.

    If a server is away, the leg need not sleep: it waits for its turn to try that server, or for the server's
    return. The delay for which a server asked is slept in any case.

    Args:
        setting: what the walk needs.
        error: the fault; its delay is honoured up to DELAY_MOST.
        faults: how many faults came in a row.

    Raises:
        StopRequested: if the leg is to stop.
        Transient: the fault itself, if there were more faults in a row than the setting allows.
    """
    if faults > setting.pace.patience:
        raise error
    pause = min(setting.pace.pause * 2 ** min(faults - 1, DOUBLED_MOST), setting.pace.pause_most)
    asked = min(error.after or 0.0, DELAY_MOST)
    _sleep(setting, asked)
    _sleep(setting, pause - asked, setting.opener.is_away)


def _walk_once(
    setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper, attempt: AttemptState
) -> tuple[LegState, str | None]:
    task = setting.task
    refuse_unfinished(setting.ledger, held)
    if task.copy:
        refuse_replanned(setting.ledger, setting.mailbox.id, setting.pair)
    if task.copy and not task.dry:
        setting.authorize(None)
    identity_gate.refuse_denied(setting.pair, setting.rules)
    if task.dry:
        with open_leg(setting, held, keeper, attempt) as leg:
            return dry_run.list_first(setting, leg)
    if not task.copy:
        with open_leg(setting, held, keeper, attempt) as leg:
            if not compare.has_run(leg, leg_of(setting, held)):
                return LegState.PENDING, "not-run"
            attempt.proven = True  # nothing is written, so the target need not be empty
            pass_gate(setting, held, leg, attempt)
            renamed.follow(leg)
            folder_renames.catch_up(leg)
            return end_of(leg, task.level, compare.compare(leg, task.level, task.sample_percent))
    return _copy_and_verify(setting, held, keeper, attempt)


def _copy_and_verify(
    setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper, attempt: AttemptState
) -> tuple[LegState, str | None]:
    """Copy and verify; do both again if the source changed meanwhile, as people go on working."""
    result: tuple[LegState, str | None] = (LegState.COPIED, None)
    for _ in range(PASSES_MOST):
        with open_leg(setting, held, keeper, attempt, ahead=True, copies=True) as leg:
            if (ended := late_mail.of_a_source_that_is_gone(leg)) is not None:
                return ended
            bind_folder = pass_gate(setting, held, leg, attempt)
            invitation_policy.refuse_unproven(leg, setting.silenced)
            folders_first.await_folders(leg)
            if (before := _pass(leg, attempt, bind_folder, setting)) is not None:
                return end_of(leg, setting.task.level, before)
        with open_leg(setting, held, keeper, attempt, ahead=True) as leg:
            task = setting.task
            verdict = compare.compare(leg, task.level, task.sample_percent, again=False)
            result = end_of(leg, task.level, verdict)
        if verdict.clean:
            break
    return result


def _pass(
    leg: LegContext, attempt: AttemptState, bind_folder: Callable[[], None], setting: LegSetting
) -> Verdict | None:
    """Copy what is owed, and follow what the source changed.

    Returns:
        The verdict if neither side changed since the last verification; None if a verification has to tell.
    """
    older = ledger_generation.refuse_older(leg, setting.generations)
    sides = discover.sides_of(leg)
    same = _unchanged(leg, setting.task, sides) if not older else unchanged.NOTHING
    if same.all and attempt.died is None and not leg.approved(RESTORED):  # keep() spends that
        leg.breaker.note(leg.mailbox.id, gone=False)
        organizer_first.tell_settled(leg)
        return compare.as_before(leg, setting.task.level)
    older = newer_traces.refuse_newer(leg, sides, same.target, older=older)
    if not older:
        ledger_generation.keep(leg, setting.generations)
    renamed.follow(leg)
    reconcile.settle(leg, died=attempt.died)
    if attempt.calm and not leg.approved(KILLS_WORKER):
        reconcile.give_killers_another_chance(leg)
    attempt.died = None
    containers = discover.list_containers(leg, sides)
    bind_folder()
    _list(leg, containers, same)
    restored_target.write_approved(leg)
    overdue_dates.put_right(leg, containers)
    if leg.ledger.inventory.is_due():
        leg.ledger.close_inventory(setting.kek())
    if older:
        ledger_generation.adopt(leg, containers)
        account_binding.refuse_mostly_strange(leg)
        ledger_generation.keep(leg, setting.generations)
    source_faults.reopen(leg)
    leg.delivered = late_mail.find_delivered(leg, containers)
    organizer_first.ask_again(leg, containers)
    left_items.ask_again(leg, containers)
    account_binding.refuse_filled_since(leg, lambda seconds: _sleep(setting, seconds))
    other_readers.refuse_readable(leg, containers)
    for row in containers:
        accepted_differences.doubt_changed(leg, row.id)
        if placement.ensure_needed(leg, row):
            copy.copy_pending(leg, row)
            if left_items.take_back_left(leg, row):
                copy.copy_pending(leg, row)
        amend.apply_changes(leg, row)
        reconcile.sweep(leg, str(row.href))
    source_faults.ask_again(leg, containers)
    organizer_first.tell_settled(leg)
    remove.refuse_shrunk(leg, containers)
    remove.withdraw(leg, containers)
    leg.spend()  # what was approved is done: after a fault in what follows, it must not cover a later loss
    remove.name_left(leg, containers)
    containers = file_cleanup.tidy(leg, containers)
    shares.share(leg, containers)
    file_names.stamp(leg, containers)
    taking_effect.take_effect(leg)
    leg.target.label(leg.ledger.labels())
    return None


def _unchanged(leg: LegContext, task: Task, sides: discover.Sides) -> Unchanged:
    """Return what needs no look; nothing where every body of the source is to be read again."""
    return unchanged.NOTHING if task.level is Level.BOTH else unchanged.since_verified(leg, sides, ask=True)


def _list(leg: LegContext, containers: Sequence[ContainerRow], same: Unchanged) -> None:
    """List containers, and find which of the listed items are known by another id.

    What is unchanged at one side is not asked of it.
    """
    first = not any(row.complete for row in containers)
    if first and isinstance(leg.source, ExpectsListings):
        leg.source.expect([as_container(row) for row in containers if not row.gone and row.cursor is None])
    books: list[tuple[ContainerRow, discover.Listing]] = []
    rekeyed, lacking = 0, second_look.not_given(leg)
    with discover.ends(leg) as ended:
        for row in containers:
            if row.id not in same.target:
                restored_target.revalidate(leg, row)
            if leg.mirror:
                reconcile.repair(leg, row)
            if not row.gone and row.id not in same.source:
                listing = discover.list_changes(leg, row, first=first)
                second_look.look(leg, row, listing, lacking.get(row.id, frozenset()))
                rekeyed += rekeying.settle_rekeyed(leg, row, listing)
                ended(listing.cursors)
                if leg.traits.groups:
                    books.append((row, listing))
        if rekeyed:
            rekeying.settle_groups(leg, books)
