"""Roll many legs back, or look at them, a few at a time: for the command line and for Prefect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from engine.config.load import Config
from engine.control.stop_signal import StopRequested
from engine.cutover.steps import refuse_releasing
from engine.pacing.run_legs import Boundary, by_mailbox, run_mailboxes
from engine.pacing.worker_slots import Through, WorkerSlots
from engine.rollback.report import RollbackLine, RollbackReport, marks_in
from engine.rollback.run import Scope, run
from ledger.db.rows import LegRow
from ledger.leg.rollback import recalled
from ledger.store import Ledger
from model.date_text import date_of
from model.errors import MigrationError


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """Say how one leg ended.

    Attributes:
        leg: the leg.
        report: what was done.
    """

    leg: LegRow
    report: RollbackReport

    @property
    def code(self) -> str | None:
        """Why the leg is not rolled back, or could not be looked at; None if it was."""
        return self.report.code

    @property
    def accepted(self) -> bool:
        """True if the target accepted the login, as far as a rollback tells."""
        return self.code is None

    def document(self) -> dict[str, object]:
        """Return the result for JSON."""
        return {
            "mailbox": self.leg.mailbox,
            "workload": str(self.leg.workload),
            "code": self.code or "",
            **self.report.numbers(),
        }


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Carry out one request to roll back, or to look.

    Attributes:
        config: the configuration.
        scope: whose mailboxes are rolled back.
        boundary: contains the trouble of one mailbox.
        worker_slots: admit the legs.
        recall: True to remove from every folder.
        execute: False to only look.
        lines: True to report every item.
    """

    config: Config
    scope: Scope
    boundary: Boundary
    worker_slots: WorkerSlots
    recall: bool = False
    execute: bool = False
    lines: bool = False

    def leg(self, row: LegRow) -> RollbackResult:
        """Roll one leg back, to its end."""
        report = RollbackReport(lines=[] if self.lines else None)

        def walk(through: Through) -> str | None:
            return self._act(row, report, through)

        def act() -> RollbackResult:
            if self.execute:
                refuse_releasing(self.scope.ledger, self.config.hooks, row.mailbox)
            return self._ended(row, report, self.worker_slots.walk(row.workload, walk, source=False))

        def failed(error: MigrationError) -> RollbackResult:
            report.cause = error.local
            return self._ended(row, report, error.code)

        return self.boundary.within(row.mailbox, act, failed)

    def _ended(self, row: LegRow, report: RollbackReport, code: str | None) -> RollbackResult:
        report.code = code
        return RollbackResult(row, report)

    def _act(self, row: LegRow, report: RollbackReport, through: Through) -> str | None:
        report.code, report.cause = None, ""
        try:
            run(
                self.config,
                row.id,
                self.scope,
                report,
                execute=self.execute,
                recall=self.recall,
                stop=self.worker_slots.stop,
                through=through,
            )
        except StopRequested as request:  # only a preview raises this
            return request.code
        return report.code


def all_of(order: RollbackRequest, rows: Iterable[LegRow]) -> list[RollbackResult]:
    """Roll the legs back, several mailboxes at once."""
    return run_mailboxes(
        by_mailbox(rows), order.config.run.mailboxes_at_once, lambda: order.worker_slots.shut, order.leg
    )


def total(tolds: Iterable[RollbackResult]) -> Counter[str]:
    """Return the counts of all results together."""
    sums: Counter[str] = Counter()
    for result in tolds:
        sums.update(result.report.numbers())
    return sums


def recalled_lines(ledger: Ledger, row: LegRow) -> Iterator[RollbackLine]:
    """Yield a line for each item that recalls removed from a leg, in this run and in earlier ones."""
    for place, item, detail in recalled(ledger, row.id):
        yield RollbackLine(
            row.mailbox,
            str(row.workload),
            "ours",
            " > ".join(place.path),
            date=date_of(item.date),
            bytes=item.size,
            **marks_in(detail),
        )


def with_earlier(ledger: Ledger, result: RollbackResult) -> RollbackResult:
    """Return the result of a recall, completed with the counts and lines of its earlier runs."""
    lines = list(recalled_lines(ledger, result.leg))
    report = replace(result.report, counts=Counter(result.report.counts))
    for name in ("read", "answered", "forwarded"):
        report.counts[name] = sum(getattr(line, name) == "yes" for line in lines)
    report.counts["read-before"] = sum(line.read == "before" for line in lines)
    earlier = len(lines) > report.counts["ours"]  # the lines of this run say more
    report.counts["ours"] = len(lines)
    if report.lines is not None and earlier:
        report.lines = [*lines, *(line for line in report.lines if line.outcome != "ours")]
    return RollbackResult(result.leg, report)
