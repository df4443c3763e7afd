"""Cut many mailboxes over, or take them back, several at once: for the command line and for Prefect."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from connectors.settings import Account
from engine.approvals.plan_approval import CUTOVER, refuse_unapproved, refuse_unapproved_mailbox
from engine.assembly import build_leg
from engine.config.load import Config
from engine.config.missing_secrets import naming_missing_secrets, refuse_missing_secrets
from engine.context.leg_context import utc_now
from engine.context.shrink_guard import ShrinkBreaker
from engine.control import lease
from engine.cutover import given_back, hooks
from engine.cutover.dead_workers import release_dead
from engine.cutover.steps import Announce, CutoverContext, CutoverResult, cut_over, short, take_back
from engine.cutover.way_back import WayBack, way_back
from engine.leg.run_options import AS_CONFIGURED, RunOptions
from engine.opening.open_sides import accounts, open_target
from engine.pacing.run_legs import Boundary, run_mailboxes
from engine.pacing.worker_slots import Through, WorkerSlots
from engine.planning.maintenance_windows import PAUSED
from engine.steps.beginning.ledger_generation import Generations, leave_move, leave_move_at
from ledger.db.rows import LegRow, LegState, MailboxRow, Phase
from ledger.plan.waves import Waves
from ledger.store import Ledger
from model.errors import MigrationError, Transient

BACK_BEGUN, TAKEN_BACK = "cutover-back-begun", "cutover-taken-back"
"""The kinds of the events of taking back: before anything is undone, and of how many are back in staging."""


@dataclass
class CutoverRequest:
    """Carry out one request to cut over, or to take back.

    Attributes:
        config: the configuration.
        cutting: what the cutovers share.
        worker_slots: admit the legs.
        back: True to take the mailboxes back.
        boundary: contains the trouble of one mailbox.
    """

    config: Config
    cutting: CutoverContext
    worker_slots: WorkerSlots
    boundary: Boundary
    back: bool = False

    def mailbox(self, mailbox_id: str) -> CutoverResult:
        """Cut one mailbox over as far as possible. Raise nothing for its trouble.

        A step that the ledger's database did not answer is done again once it does: a cutover goes on where
        it stopped.

        Nothing is begun any more once the slots are shut. Who was given back stays out, unless somebody named
        the mailbox since: also who was given back after this request began.
        """
        patience = self.cutting.ledger.patience
        return self.boundary.within(
            mailbox_id,
            lambda: patience.ask(lambda: self._once(mailbox_id)),
            lambda error: self._where(mailbox_id, error.code),
        )

    def _once(self, mailbox_id: str) -> CutoverResult:
        if not self.back and self._is_given_back(mailbox_id):
            return self._where(mailbox_id, given_back.GIVEN_BACK)
        if self.worker_slots.shut and self.cutting.ledger.mailbox(mailbox_id).phase is not Phase.LIVE:
            return self._where(mailbox_id, self.worker_slots.why)
        cut = take_back if self.back else cut_over
        return cut(self.cutting, mailbox_id)

    def _is_given_back(self, mailbox_id: str) -> bool:
        """Return True for a mailbox that stays out, as the ledger is now.

        A cutover of a whole wave takes hours, and somebody may be given back before their turn comes.
        """
        ledger = self.cutting.ledger
        return bool(given_back.stay_out(ledger, [ledger.mailbox(mailbox_id)]))

    def _where(self, mailbox_id: str, code: str) -> CutoverResult:
        return CutoverResult(mailbox_id, self.cutting.ledger.mailbox(mailbox_id).phase, code)


@contextmanager
def opened(
    config: Config, ledger: Ledger, by: str, worker_slots: WorkerSlots, tell: Announce, *, back: bool = False
) -> Iterator[CutoverRequest]:
    """Prepare a request.

    Args:
        config: the configuration.
        ledger: the ledger.
        by: who decided.
        worker_slots: admit the legs.
        tell: announces what happens.
        back: True to take the mailboxes back.

    Yields:
        The request.

    Raises:
        Misconfigured: if a secret of a hook cannot be read.
    """
    with naming_missing_secrets(config):
        hooks.refuse_unreadable(config.hooks)
    owner = lease.new_owner()
    boundary = Boundary(worker_slots.stop, config=config)
    cutting = CutoverContext(
        ledger=ledger,
        hooks=config.hooks,
        by=by,
        run=functools.partial(_run_leg, config, ledger, worker_slots, boundary.breakers.shrinking),
        release_dead=lambda leg_id: release_dead(config, leg_id, worker_slots.stop),
        act=lambda hook, action, person: hooks.run(
            hook,
            action,
            person,
            config.state_directory,
            environment=config.hooks.environment,
            directory=config.path.parent,
        ),
        approve=functools.partial(_permit_with_secrets, config, ledger),
        tell=tell,
        stop=worker_slots.stop,
        owner=short(owner),
        moved=functools.partial(leave_moves, config, ledger, worker_slots),
    )
    try:
        yield CutoverRequest(config, cutting, worker_slots, boundary, back)
    finally:
        lease.retire(owner)


def permit(config: Config, ledger: Ledger, wave: str) -> None:
    """Make sure that a wave may be cut over.

    Its maintenance window does not matter to a mailbox that has begun.

    Raises:
        Blocked: `not-approved` without the approvals of the wave's cutover.
        Transient: `paused` while the wave is paused.
    """
    refuse_unapproved(config, ledger, wave, CUTOVER)
    if Waves(ledger).read(wave).paused:
        raise Transient(PAUSED, f"wave {wave} is paused: kogge resume --wave {wave} --by NAME")


def permit_mailbox(config: Config, ledger: Ledger, mailbox: MailboxRow) -> None:
    """Make sure that this mailbox may be cut over: what was left out of the approval stays where it is.

    Raises:
        Blocked: see permit.
        Transient: see permit.
    """
    permit(config, ledger, mailbox.wave)
    refuse_unapproved_mailbox(config, ledger, mailbox, CUTOVER)


def _permit_with_secrets(config: Config, ledger: Ledger, mailbox: MailboxRow) -> None:
    """Do the same as permit_mailbox; nobody is frozen for whom a secret of either side is missing."""
    permit_mailbox(config, ledger, mailbox)
    if mailbox.phase is Phase.STAGING:
        refuse_missing_secrets(config, sorted({leg.workload for leg in ledger.legs(mailbox=mailbox.id)}))


def leave_moves(config: Config, ledger: Ledger, worker_slots: WorkerSlots, mailbox_id: str) -> None:
    """Record a mailbox's newest move outside of the ledger.

    It is recorded in the state directory and, for a live mailbox, at its targets: nothing else tells a
    restored ledger that its user works there. What cannot be recorded now is recorded by the next pass.
    """
    with suppress(MigrationError):
        leave_move(ledger, mailbox_id, Generations(config.state_directory))
    row = ledger.mailbox(mailbox_id)
    if row.phase is not Phase.LIVE:
        return
    account = accounts(ledger, row).target
    for leg in ledger.legs(mailbox=mailbox_id):
        act = functools.partial(_leave_at, config, ledger, leg, account)
        worker_slots.walk(leg.workload, act, source=False, going=True)


def _leave_at(config: Config, ledger: Ledger, leg: LegRow, account: Account, _through: Through) -> None:
    now = utc_now()
    with (
        suppress(MigrationError),
        closing(
            open_target(config, account, leg.workload, no_lease, live=True, not_after=now, looking=True)
        ) as target,
    ):
        leave_move_at(ledger, leg.mailbox, target)


def no_lease() -> None:
    """A guard of what needs no lease; see engine.steps.beginning.ledger_generation.leave_move_at."""


def concerned(
    ledger: Ledger, rows: Iterable[MailboxRow], *, back: bool = False, named: bool = False
) -> list[MailboxRow]:
    """Return those of these mailboxes for which a request has something to do, as the ledger is now.

    A cutover has nothing to do for a live mailbox, and for one that was given back, unless somebody names it.
    Back goes who is neither in staging nor released.

    Args:
        ledger: the ledger.
        rows: the mailboxes.
        back: True for a request to take them back.
        named: True if somebody named these mailboxes, False if they are all of a wave.
    """
    if back:
        return [row for row in rows if way_back(ledger, row.id) is WayBack.UNDO]
    staying = [row for row in rows if row.phase is not Phase.LIVE]
    out = frozenset[str]() if named else given_back.stay_out(ledger, staying)
    return [row for row in staying if row.id not in out]


def announce(
    order: CutoverRequest, rows: Iterable[MailboxRow], reason: str = "", *, named: bool = False
) -> None:
    """Record, before anything is done, who decided and why, for each wave of these mailboxes.

    Args:
        order: the request.
        rows: the mailboxes for which there is something to do; see concerned.
        reason: in the person's words; empty if none was given.
        named: True if somebody named these mailboxes, False if they are all of a wave.
    """
    rows = list(rows)
    kind = BACK_BEGUN if order.back else "cutover"
    for wave, count in sorted(Counter(row.wave for row in rows).items()):
        _record(order, wave, kind, count, reason)
        if not order.back:
            order.cutting.tell("cutover.started", wave, mailboxes=count)
    if named and not order.back:
        given_back.let_in(order.cutting.ledger, rows, order.cutting.by)


def _record(order: CutoverRequest, wave: str, kind: str, count: int, reason: str) -> None:
    detail: dict[str, str | int] = {"by": order.cutting.by, "mailboxes": count}
    order.cutting.ledger.event(wave, kind, detail | ({"reason": reason} if reason else {}))


def tell_end(
    order: CutoverRequest, wave: str, cuts: Iterable[CutoverResult], count: int, reason: str = ""
) -> None:
    """Announce how a run of a wave's cutover ended; of one that takes back, record how many are back.

    Args:
        order: the request.
        wave: the wave.
        cuts: the results, of those that the request concerned.
        count: how many mailboxes were to be cut over.
        reason: as in announce.
    """
    if order.back:
        if back := sum(cut.code is None for cut in cuts):
            _record(order, wave, TAKEN_BACK, back, reason)
    elif count:
        live = sum(cut.code is None for cut in cuts)
        order.cutting.tell("cutover.ended", wave, mailboxes=count, live=live, open=count - live)


def all_of(order: CutoverRequest, ids: Iterable[str], report: Callable[[CutoverResult], None]) -> None:
    """Cut several mailboxes over at once.

    Args:
        order: the request.
        ids: the mailboxes.
        report: called with each result as it arrives, also for mailboxes that were not begun any more
            ("stopped").
    """

    def run_one(mailbox_id: str) -> CutoverResult:
        cut = order.mailbox(mailbox_id)
        with lock:
            report(cut)
        return cut

    lock = threading.Lock()
    run_mailboxes(([number] for number in ids), order.config.run.mailboxes_at_once, lambda: False, run_one)


def _run_leg(
    config: Config,
    ledger: Ledger,
    worker_slots: WorkerSlots,
    shrinking: ShrinkBreaker,
    leg_id: int,
    verify_only: bool,
) -> tuple[LegState, str | None]:
    """Run a leg. Its mailbox is at work, so that it begins even if the wave's window has closed."""
    options = RunOptions(verify_only=True, level=config.cutover.level) if verify_only else AS_CONFIGURED
    ended = [LegState.PENDING]

    def act(through: Through) -> str | None:
        leg = build_leg(config, leg_id, options, stop=worker_slots.stop, through=through, breaker=shrinking)
        result = leg.run()
        ended.append(result.state)
        return result.code

    code = worker_slots.walk(ledger.leg(leg_id).workload, act, going=True)
    return ended[-1], code
