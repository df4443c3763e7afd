"""Repair legs as configured, under a lease as in every walk; or only look, without a lease."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from engine.assembly import OtherWalk, build_leg
from engine.config.load import Config
from engine.control import lease
from engine.control.stop_signal import StopRequested
from engine.leg.connect import AttemptState, open_leg, open_to_look, pass_gate
from engine.leg.leg_result import LegResult
from engine.leg.repair_walk import Repair, What, repair
from engine.leg.run import Leg, LegSetting, pause_after
from engine.pacing.measured_sides import measured_alone
from engine.pacing.run_legs import Boundary, by_mailbox, run_mailboxes
from engine.pacing.worker_slots import Through, WorkerSlots
from engine.restored import newer_traces
from engine.steps.beginning.ledger_generation import refuse_older
from engine.steps.listing import discover
from ledger.db.rows import Lease, LegRow, LegState
from ledger.leg.rollback import refuse_unfinished
from model.errors import Corrupt, LeaseLost, MigrationError, Misconfigured, Transient

READY = (LegState.COPIED, LegState.VERIFIED, LegState.DIFFERS, LegState.RUNNING)
"""The states of a leg that may be repaired. RUNNING: a repair may have died; a living worker is not
disturbed, because the leg is claimed."""


def run(
    config: Config,
    leg_id: int,
    order: Repair,
    *,
    stop: threading.Event | None = None,
    through: Through = measured_alone,
) -> LegResult:
    """Repair a leg, or only look what is to be repaired.

    Args:
        config: the configuration.
        leg_id: the leg.
        order: what to repair; its counts are filled in. Its code says why the repair did not end, and is None
            if it did.
        stop: set when the repair is to stop; None if it is never stopped from outside.
        through: wraps the calls to both sides, for metering and admission.

    Returns:
        How the leg ended.

    Raises:
        Misconfigured: if the configuration cannot be used.
        Corrupt: if an invariant of the ledger is broken.
        MigrationError: while it only looks, whatever error either side raises.
    """
    order.code = None
    needs = OtherWalk(removes=order.execute)  # without execute, the target refuses removals
    leg = build_leg(config, leg_id, stop=stop, through=through, other=needs)
    return run_in(leg.setting, leg.row, order)


def run_in(setting: LegSetting, row: LegRow, order: Repair) -> LegResult:
    """Repair as run() does, in a given setting."""
    if row.state not in READY:
        order.code = "not-copied"
        return LegResult(row.id, row.mailbox, row.workload, row.state, order.code)
    if order.execute:
        result = Leg(replace(setting, walk=partial(_walk, row, order)), row).run()
        if result.state in (LegState.RUNNING, LegState.BLOCKED):  # it lost its lease, or met a defect
            order.code = result.code
        return result
    try:
        with open_to_look(setting, row) as leg:
            leg.ledger.rollback.refuse_another(leg.target.identity())
            repair(leg, order)
    except StopRequested as request:
        order.code = request.code
    return LegResult(row.id, row.mailbox, row.workload, row.state, order.code)


def _walk(
    row: LegRow, order: Repair, setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper
) -> tuple[LegState, str | None]:
    """Repair under the lease; afterwards the leg has the state that it had before.

    Raises:
        Blocked: `rolling-back`, with which the leg then stays.
    """
    refuse_unfinished(setting.ledger, held)
    try:
        setting.authorize(None)
        _until_done(order, setting, held, keeper)
    except StopRequested as request:
        order.code = request.code
    except (LeaseLost, Misconfigured, Corrupt):
        raise
    except MigrationError as error:
        order.code = error.code
    return (LegState.PENDING, None) if held.took_over else (row.state, row.code)


def _until_done(order: Repair, setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper) -> None:
    faults = 0
    while True:
        done = order.counts["repaired"]
        order.counts.clear()
        order.counts["repaired"] = done
        try:
            with open_leg(setting, held, keeper, AttemptState(died=None)) as leg:
                pass_gate(setting, held, leg, AttemptState(died=None))
                refuse_older(leg, setting.generations)
                newer_traces.refuse_unwritten(leg, discover.sides_of(leg))
                repair(leg, order)
                leg.ledger.event("repaired", {"what": str(order.what), "items": order.counts["repaired"]})
            return
        except Transient as error:
            keeper.guard()
            faults = 1 if order.counts["repaired"] > done else faults + 1
            pause_after(setting, error, faults)


@dataclass(frozen=True, slots=True)
class RepairResult:
    """Say how one leg ended.

    Attributes:
        leg: the leg.
        order: what was repaired.
    """

    leg: LegRow
    order: Repair

    @property
    def code(self) -> str | None:
        """Why the repair did not end; None if it did."""
        return self.order.code

    @property
    def accepted(self) -> bool:
        """True if both sides accepted the login, as far as a repair tells."""
        return self.code is None


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """Carry out one request to repair, or to look.

    Attributes:
        config: the configuration.
        what: what to repair.
        boundary: contains the trouble of one mailbox.
        worker_slots: admit the legs.
        execute: False to only look.
    """

    config: Config
    what: What
    boundary: Boundary
    worker_slots: WorkerSlots
    execute: bool = False

    def leg(self, row: LegRow) -> RepairResult:
        """Repair one leg, to its end."""
        order = Repair(self.what, self.execute)

        def walk(through: Through) -> str | None:
            run(self.config, row.id, order, stop=self.worker_slots.stop, through=through)
            return order.code

        def ended(code: str | None) -> RepairResult:
            order.code = code
            return RepairResult(row, order)

        return self.boundary.within(
            row.mailbox,
            lambda: ended(self.worker_slots.walk(row.workload, walk)),
            lambda error: ended(error.code),
        )


def all_of(order: RepairRequest, rows: Iterable[LegRow]) -> list[RepairResult]:
    """Repair the legs, several mailboxes at once."""
    return run_mailboxes(
        by_mailbox(rows), order.config.run.mailboxes_at_once, lambda: order.worker_slots.shut, order.leg
    )
