"""Repair many legs, or look at them, several mailboxes at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.config.load import Config
from engine.leg.repair_walk import Repair, What
from engine.pacing.run_legs import Boundary, by_mailbox, run_mailboxes
from engine.pacing.worker_slots import Through, WorkerSlots
from engine.repair.run import run
from ledger.db.rows import LegRow


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
