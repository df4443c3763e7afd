"""One leg from claim to release: the walk of one mailbox, readable from top to bottom.

    claim                    the lease (R6)
    permit                   the row is as it was planned, and its wave's plan is approved
    gate.prove               both sides' identities, again
    generation               the ledger is not older than what was done with it
    recover.settle           WRITING -> WRITTEN | SEEN, by match()
    discover                 containers -> ensure -> changes -> ledger
    rekey                    what the source lists under other ids since, by its digest
    binding                  nobody else wrote into the target meanwhile
    close_inventory          what was listed is rooted, before anything of it is copied
    overdue.put_right        dates that lay in the future, and have come
    late.look                live: what the target was delivered itself
    transfer                 pending -> fetch -> map -> begin -> write -> settle
    changes                  flags that changed since, drafts that were edited
    withdraw                 what the source deleted, after every create
    tidy                     files: names and folders that became free
    sharing                  files: with whom they are shared
    filing.stamp             files: the dates of their folders
    verify.compare           list both sides again, read back, record findings
    release

A fault that passes leads to the same walk from the top, with new connections: recovering from a cut
connection and from a killed worker is one code path.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from engine.approvals.plan_approval import permission, permitted
from engine.assembly import accounts, addresses, open_ledger, opener, parties, refuse_replanned, rules
from engine.config.evidence_key import proven_key
from engine.config.load import Config
from engine.context.leg_context import (
    BatchLimits,
    InDoubtWrite,
    LegContext,
    Opener,
    as_it_is,
    spent_as,
    utc_now,
)
from engine.context.principals import Parties
from engine.context.shrink_guard import ShrinkBreaker
from engine.control import lease
from engine.control.error_log import described
from engine.control.server_words_file import Words, told
from engine.control.stop_signal import StopRequested, reason
from engine.files import file_names
from engine.files import shares as sharing
from engine.identity import account_binding, identity_gate
from engine.identity.identity_gate import GateRules, Pair
from engine.leg import file_cleanup, overdue_dates
from engine.leg.connect import AttemptState, leg_of, open_leg, pass_gate
from engine.leg.run_options import AS_CONFIGURED, RunOptions
from engine.steps import amend as changes
from engine.steps import copy as transfer
from engine.steps import (
    discover,
    invitation_policy,
    late_mail,
    ledger_generation,
    placement,
    reconcile,
    rekeying,
)
from engine.steps import remove as withdraw
from engine.steps.ledger_generation import Generations
from engine.steps.worker_deaths import Cause, cause_of
from engine.verify import compare as verify
from engine.verify.compare import Level, Verdict
from ledger.db.incidents import KILLS_WORKER
from ledger.db.rows import ContainerRow, Lease, LegRow, LegState, MailboxRow, Tally
from ledger.leg.rollback import refuse_unfinished
from ledger.store import Ledger
from model.errors import Corrupt, LeaseLost, MigrationError, Misconfigured, Transient
from model.protocols import Kind

PASSES_MOST = 3
DOUBLED_MOST = 30
"""So many times a pause is doubled at most, whatever its bound is."""
DELAY_MOST = 900.0
"""Seconds: a server that asks for more than this is asked again all the same."""

Walk: TypeAlias = Callable[["LegSetting", Lease, lease.LeaseKeeper], tuple[LegState, str | None]]

_log = logging.getLogger("kogge.defect")


@dataclass(frozen=True, slots=True)
class LegResult:
    """How a leg ended. code is None when every item is accounted for. tally: what was done at the target.
    detail: of what ended it, see model.errors.MigrationError."""

    leg: int
    mailbox: str
    workload: Kind
    state: LegState
    code: str | None = None
    tally: Tally = field(default_factory=Tally)
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class LegEnd:
    """What became of a leg; see LegResult."""

    state: LegState
    code: str | None = None
    detail: str | None = None

    @classmethod
    def by(cls, state: LegState, error: MigrationError) -> LegEnd:
        """An error ended it."""
        return cls(state, error.code, error.detail or None)


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with the leg: copy and verify, only verify, or only look."""

    level: Level = Level.TARGET
    sample_percent: float = 5.0
    copy: bool = True
    dry: bool = False


def _no_kek() -> bytes:
    raise Misconfigured("evidence.key", "is not given to a walk that copies")


@dataclass(frozen=True, slots=True)
class LegSetting:
    """Everything a leg's walk needs beside its row; the same for crash tests and for real. suspects,
    addresses, parties: see engine.context.leg_context.LegContext; suspects and tally are kept over the walk's
    passes. silenced: whether a canary showed that the target invites nobody. permit: see
    engine.approvals.plan_approval.permission. cause: why an owner did not release its leg, see
    engine.steps.worker_deaths.cause_of. walk: another than to copy and verify. kek: see
    ledger.inventory.keystore; asked when an inventory is closed. now: see LegContext. breaker:
    what the legs of one run share against a source that lost much. generations: see
    engine.steps.ledger_generation. words: see engine.control.server_words_file."""

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


def run_leg(
    config: Config,
    leg_id: int,
    *,
    options: RunOptions = AS_CONFIGURED,
    stop: threading.Event | None = None,
    through: Callable[[Opener], Opener] = as_it_is,
    breaker: ShrinkBreaker | None = None,
) -> LegResult:
    """Runs a leg as configured. breaker: of the run. Never raises for one mailbox's trouble: the result says
    what came of it, and the ledger keeps it. Raises Misconfigured and Corrupt, which concern them all."""
    ledger = open_ledger(config)
    row = ledger.leg(leg_id)
    mailbox = ledger.mailbox(row.mailbox)
    chosen = Level(options.level or config.verify.level)
    allowed = rules(config, row.workload, approvals(ledger, mailbox, row.workload))
    key = proven_key(config, ledger) if options.writes else b""
    setting = LegSetting(
        ledger=ledger,
        mailbox=mailbox,
        pair=accounts(ledger, mailbox),
        opener=through(opener(config, ledger, mailbox, row.workload)),
        rules=allowed,
        pace=pace_of(config),
        task=Task(chosen, config.verify.sample_percent, copy=not options.verify_only, dry=options.dry_run),
        stop=stop or threading.Event(),
        addresses=addresses(config),
        parties=parties(config, ledger, allowed),
        silenced=lambda: invitation_policy.is_proven(ledger, config.target.of(row.workload)),
        authorize=permission(config, ledger, mailbox),
        kek=lambda: key,
        breaker=breaker or ShrinkBreaker(),
        generations=Generations(config.state_directory),
        words=Words(config.state_directory),
    )
    return walk(setting, row)


def walk(setting: LegSetting, row: LegRow) -> LegResult:
    """Claims the leg, works on it, gives it back. The boundary of one mailbox's trouble."""
    owner = lease.new_owner()
    try:
        claimed_at = lease.now()
        phase = setting.mailbox.phase
        held = setting.ledger.claim(row.id, owner, setting.pace.lease, dead=lease.is_dead, phase=phase)
        if held is None:
            return LegResult(row.id, row.mailbox, row.workload, LegState.RUNNING, "claimed-elsewhere")
        end = _hold(setting, held, claimed_at)
        return LegResult(row.id, row.mailbox, row.workload, end.state, end.code, setting.tally, end.detail)
    except Transient as error:  # the ledger itself was away: the lease expires, the next claim settles
        return LegResult(row.id, row.mailbox, row.workload, LegState.WAITING, error.code, setting.tally)
    except LeaseLost as error:  # both sides were to be opened by the rules of a phase that has ended
        return LegResult(row.id, row.mailbox, row.workload, LegState.PENDING, error.code, setting.tally)
    finally:
        lease.retire(owner)


def approvals(ledger: Ledger, mailbox: MailboxRow, workload: Kind | None = None) -> Callable[[str], bool]:
    """Whether a person approved a code for this mailbox or for its whole wave, and this mailbox has not
    spent that approval since; of what each workload spends for itself, this workload."""

    def approved(code: str) -> bool:
        spent = spent_as(code, workload)
        return ledger.approved(mailbox.id, code, spent=spent) or ledger.approved(
            f"wave:{mailbox.wave}", code, mailbox.id, spent=spent
        )

    return approved


def pace_of(config: Config) -> BatchLimits:
    return BatchLimits(
        lease=float(config.run.lease_seconds),
        margin=config.run.lease_seconds / 6,
        grace=float(config.run.write_grace_seconds),
        patience=config.run.attempts,
    )


def _hold(setting: LegSetting, held: Lease, claimed_at: float) -> LegEnd:
    pace = setting.pace
    keeper = lease.LeaseKeeper(setting.ledger, held, pace.lease, pace.margin, claimed_at)
    keeper.start()
    try:
        end = _react(setting, held, keeper)
    finally:
        keeper.stop()
    if end.state is LegState.RUNNING:
        return end
    released = setting.ledger.release(held, end.state, end.code, end.detail)
    return end if released else LegEnd(LegState.RUNNING, "lease-lost")


def _tell(setting: LegSetting, held: Lease, kind: str) -> None:
    """What became of the right to work, in the wave's chain of events."""
    box = setting.mailbox
    setting.ledger.event(box.wave, kind, {"workload": str(held.workload)}, subject=box.id)


def _react(setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper) -> LegEnd:
    """One reaction for each class of error."""
    try:
        if held.took_over:
            _tell(setting, held, "taken-over")
            _wait_for_the_owner_before(setting, held)
        return LegEnd(*(setting.walk or _with_patience)(setting, held, keeper))
    except StopRequested as wish:
        return LegEnd(LegState.PENDING, wish.code)
    except Transient as error:
        return LegEnd.by(LegState.WAITING, _heard(setting, held, error))
    except LeaseLost as error:
        _tell(setting, held, "lease-lost")
        return LegEnd.by(LegState.RUNNING, error)
    except (Misconfigured, Corrupt) as error:
        setting.ledger.release(held, LegState.BLOCKED, error.code, error.detail or None)
        raise
    except MigrationError as error:
        return LegEnd.by(LegState.BLOCKED, _heard(setting, held, error))
    except Exception as error:  # noqa: BLE001 (the boundary: one mailbox's trouble is not the others')
        _log.error("leg %s: %s", held.mailbox, described(error))
        return LegEnd(LegState.BLOCKED, "internal-error")


def _heard(setting: LegSetting, held: Lease, error: MigrationError) -> MigrationError:
    """The error that the leg ends with; what the server said of it is kept."""
    setting.words.keep(held.mailbox, held.workload, [told(None, error)])
    return error


def _wait_for_the_owner_before(setting: LegSetting, held: Lease) -> None:
    """What it sent last may still be on its way. One that is not known to have ended may even go on sending:
    by the ledger's clock its lease is over, but a clock can be put ahead."""
    pace = setting.pace
    if not held.unproven:
        setting.sleep(pace.grace)
        return
    _sleep(setting, lease.writes_most(pace.lease, pace.margin) + pace.grace)
    setting.ledger.outwaited(held)


def _sleep(setting: LegSetting, seconds: float) -> None:
    """In short steps, so that a request to stop is heard. Raises Stopping."""
    while seconds > 0 and not setting.stop.is_set():
        step = min(seconds, 1.0)
        setting.sleep(step)
        seconds -= step
    if setting.stop.is_set():
        raise StopRequested(reason(setting.stop))


def _with_patience(
    setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper
) -> tuple[LegState, str | None]:
    """Walks until done. After a passing fault, the walk begins again from the top; faults count only
    while nothing moves between them."""
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


def _cause(setting: LegSetting, held: Lease) -> Cause | None:
    """Why the worker before this one died; None: it released its lease, or its process goes on."""
    cause = setting.cause(held.before) if held.took_over else Cause.NONE
    return None if cause is Cause.NONE else cause


def pause_after(setting: LegSetting, error: Transient, faults: int) -> None:
    """Before the next attempt, after so many faults in a row. Sleeps in short steps, so that a request to
    stop is heard. Raises Stopping, and the error when patience is at its end."""
    if faults > setting.pace.patience:
        raise error
    pause = min(setting.pace.pause * 2 ** min(faults - 1, DOUBLED_MOST), setting.pace.pause_most)
    _sleep(setting, max(min(error.after or 0.0, DELAY_MOST), pause))


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
            return _look(setting, leg)
    if not task.copy:
        with open_leg(setting, held, keeper, attempt) as leg:
            if not verify.has_run(leg, leg_of(setting, held)):
                return LegState.PENDING, "not-run"
            attempt.proven = (
                True  # nothing is written, so what others put into an empty target is no obstacle
            )
            pass_gate(setting, held, leg, attempt)
            discover.catch_up(leg)
            return _verified(leg, task, verify.compare(leg, task.level, task.sample_percent))
    return _copy_and_verify(setting, held, keeper, attempt)


def _copy_and_verify(
    setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper, attempt: AttemptState
) -> tuple[LegState, str | None]:
    """People go on working during a migration: what changed while we copied is brought by another pass."""
    result: tuple[LegState, str | None] = (LegState.COPIED, None)
    for _ in range(PASSES_MOST):
        with open_leg(setting, held, keeper, attempt) as leg:
            if (ended := late_mail.of_a_source_that_is_gone(leg)) is not None:
                return ended
            bind_folder = pass_gate(setting, held, leg, attempt)
            invitation_policy.refuse_unproven(leg, setting.silenced)
            _pass(leg, attempt, bind_folder, setting)
        with open_leg(setting, held, keeper, attempt) as leg:
            task = setting.task
            verdict = verify.compare(leg, task.level, task.sample_percent, again=False)
            result = _verified(leg, task, verdict)
        if verdict.clean:
            break
    return result


def _pass(
    leg: LegContext, attempt: AttemptState, bind_folder: Callable[[], None], setting: LegSetting
) -> None:
    older = ledger_generation.refuse_older(leg, setting.generations)
    if not older:
        ledger_generation.keep(leg, setting.generations)
    reconcile.settle(leg, died=attempt.died)
    if attempt.calm and not leg.approved(KILLS_WORKER):
        reconcile.give_killers_another_chance(leg)
    attempt.died = None
    containers = discover.list_containers(leg)
    bind_folder()
    _list(leg, containers)
    overdue_dates.put_right(leg, containers)
    if leg.ledger.inventory.is_due():
        leg.ledger.close_inventory(setting.kek())
    if older:
        ledger_generation.adopt(leg, containers)
        account_binding.refuse_mostly_strange(leg)
        ledger_generation.keep(leg, setting.generations)
    leg.delivered = late_mail.find_delivered(leg, containers)
    account_binding.refuse_filled_since(leg, lambda seconds: _sleep(setting, seconds))
    for row in containers:
        if placement.ensure_needed(leg, row):
            transfer.copy_pending(leg, row)
        changes.apply_changes(leg, row)
        reconcile.sweep(leg, str(row.href))
    withdraw.refuse_shrunk(leg, containers)
    withdraw.withdraw(leg, containers)
    withdraw.name_left(leg, containers)
    containers = file_cleanup.tidy(leg, containers)
    sharing.share(leg, containers)
    file_names.stamp(leg, containers)
    leg.spend()
    leg.target.label(leg.ledger.labels())


def _list(leg: LegContext, containers: Sequence[ContainerRow]) -> None:
    """What every container has, and which of it is known by another id."""
    first = not any(row.complete for row in containers)
    books: list[tuple[ContainerRow, discover.Listing]] = []
    rekeyed = 0
    with discover.ends(leg) as ended:
        for row in containers:
            reconcile.revalidate(leg, row)
            if leg.mirror:
                reconcile.repair(leg, row)
            if not row.gone:
                listing = discover.list_changes(leg, row, first=first)
                rekeyed += rekeying.settle_rekeyed(leg, row, listing)
                ended(listing.cursors)
                if leg.kind is Kind.CONTACTS:
                    books.append((row, listing))
        if rekeyed:
            rekeying.settle_groups(leg, books)


def _look(setting: LegSetting, leg: LegContext) -> tuple[LegState, str | None]:
    """A dry run: the source is listed, the gate asked; nothing at the target is touched."""
    identity_gate.prove_identity(
        setting.pair, leg.source, leg.target, setting.rules, frozenset(leg.ledger.elsewhere())
    )
    with discover.ends(leg) as ended:
        for row in discover.record_only(leg):
            listing = discover.list_changes(leg, row)
            if leg.mirror:  # else what is gone would be named once, and to nobody
                ended(listing.cursors)
    return LegState.PENDING, "dry-run"


def _verified(leg: LegContext, task: Task, verdict: Verdict) -> tuple[LegState, str | None]:
    """What workers died of is not accounted for, until a person says that it is."""
    if verdict.bad:
        return LegState.DIFFERS, verdict.bad_code
    if not verdict.clean:
        return LegState.COPIED, verdict.open_code
    if leg.ledger.incidents.killers() and not leg.approved(KILLS_WORKER):
        return LegState.COPIED, KILLS_WORKER
    thorough = task.level in (Level.TARGET, Level.BOTH)
    return LegState.VERIFIED, None if thorough else f"verified-by-{task.level}"
