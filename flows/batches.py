"""Say which legs a run has to run, and part their mailboxes into batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from engine.pacing import run_legs
from flows.dispatch import Batch
from flows.process.leg_runner import LegRunner
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from ledger.db.rows import ORGANIZER_FIRST, LegRow, LegState
from model.kinds import Kind
from reports import progress

Asked: TypeAlias = WaveParameters | VerifyParameters | BatchParameters
Send: TypeAlias = Callable[[Batch, Sequence[BatchParameters], LegRunner], Awaitable[None]]

LEFT_ALONE = frozenset({LegState.BLOCKED})
"""Not tried again by a run: a wrong password, tried often enough, locks a person out. `kogge retry`
sends a leg back."""


def writes(asked: Asked) -> bool:
    """Return True if a run goes by its wave's window; what only looks may run at any time."""
    return asked.options.writes


def seen_of(runner: LegRunner, asked: Asked) -> progress.Snapshot:
    """Return the legs that a run is about, whose verdict is its verdict."""
    return runner.snapshot(asked.wave, asked.mailboxes, asked.workloads)


def runs(row: LegRow, asked: Asked) -> bool:
    """Return True if a run has to run this leg.

    What the plan withholds is not copied; to verify it changes nothing. `rest` selects what an earlier run
    did not come to verify.
    """
    options = asked.options
    if options.rest and row.state in progress.SETTLED and row.code != ORGANIZER_FIRST:
        return False
    return row.state not in LEFT_ALONE and (options.verify_only or row.withheld is None)


def in_turn(mailboxes: Sequence[str], rows: Iterable[LegRow]) -> list[LegRow]:
    """Return the legs in the order in which the batch names its mailboxes."""
    turn = {number: place for place, number in enumerate(mailboxes)}
    return sorted(rows, key=lambda row: turn[row.mailbox])


def by_mailbox(rows: Iterable[LegRow]) -> list[list[LegRow]]:
    """Return each mailbox's legs, mail first. They run one after the other, one worker an account."""
    order = list(Kind)
    return run_legs.by_mailbox(sorted(rows, key=lambda row: order.index(row.workload)))


def shared_out(
    legs: Iterable[LegRow],
    parameters: Asked,
    size: int,
    ranks: Mapping[str, int] | None = None,
    *,
    rest: bool = False,
) -> list[BatchParameters]:
    """Return batches of at most `size` mailboxes that have something to run, by priority.

    Args:
        legs: the legs.
        parameters: of the run.
        size: of a batch.
        ranks: the priorities by mailbox.
        rest: True to leave out what is verified, also where the run does not.
    """
    wanted = {row.mailbox for row in legs if runs(row, parameters)}
    known = ranks or {}
    ready = sorted(wanted, key=lambda number: (-known.get(number, 0), number))
    parts = [ready[start : start + size] for start in range(0, len(ready), size)]
    options = parameters.options
    return [
        BatchParameters(
            wave=parameters.wave,
            mailboxes=part,
            workloads=parameters.workloads,
            verify_only=options.verify_only,
            dry_run=options.dry_run,
            rest=options.rest or rest,
            level=parameters.level,
            configuration=parameters.configuration,
            number=number,
            of=len(parts),
        )
        for number, part in enumerate(parts, 1)
    ]
