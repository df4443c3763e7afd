"""Show how far the cutover of each mailbox is: one row for each, failures first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from kogge.terminal.tables import BAD, CARE, GOOD, Grid, code_cell, moment, table
from ledger.db.rows import Phase
from ledger.leg.cutover_steps import BEGUN, DONE, FAILED

if TYPE_CHECKING:
    from engine.approvals.score import Score
    from engine.cutover.stopped import Stop
    from ledger.db.rows import MailboxRow
    from ledger.leg.cutover_steps import StepRow

COLUMNS = ("mailbox", "phase", "newest step", "state", "since (UTC)", "score", "lacking", "code")
COLOURS = {BEGUN: CARE, DONE: GOOD, FAILED: BAD}
PHASES = (Phase.FROZEN, Phase.STAGING, Phase.LIVE)
"""The phases by urgency. A user whose mailbox is frozen is locked out until the cutover ends."""


def cutover_table(
    rows: Sequence[MailboxRow],
    steps: Mapping[str, Sequence[StepRow]],
    scores: Mapping[str, Score],
    stopped: Mapping[str, Stop],
) -> Grid:
    """Return a row for each mailbox, with its newest step and its score.

    Mailboxes whose cutover stopped come first, then those whose newest step failed, then the others by phase.

    Args:
        rows: the mailboxes.
        steps: the recorded steps, by mailbox id, the newest last.
        scores: by mailbox id; a mailbox without a score has none here.
        stopped: why a mailbox needs a person, by mailbox id.
    """
    newest = {row.id: steps[row.id][-1] for row in rows if steps.get(row.id)}
    order = sorted(rows, key=lambda row: (row.id not in stopped, *_urgency(row, newest.get(row.id))))
    cells = [
        [*_cells(row, newest.get(row.id), scores.get(row.id)), _code(newest.get(row.id), stopped.get(row.id))]
        for row in order
    ]
    return table(COLUMNS, cells, wrap=("code",))


def _urgency(row: MailboxRow, step: StepRow | None) -> tuple[bool, int, str]:
    return step is None or step.state != FAILED, PHASES.index(row.phase), row.id


def _cells(row: MailboxRow, step: StepRow | None, score: Score | None) -> list[str | Text]:
    rating = ("-", "-") if score is None else (str(score.rating), f"{score.lacking:,}")
    if step is None:
        return [row.id, str(row.phase), "-", "", "", *rating]
    state = Text(step.state, style=COLOURS.get(step.state, ""))
    return [row.id, str(row.phase), step.name, state, moment(step.at), *rating]


def _code(step: StepRow | None, stop: Stop | None) -> str:
    """Return the code of the stop; without a stop, the code of the newest step if it failed."""
    if stop is not None:
        return code_cell(stop.code, stop.detail)
    return step.code or "" if step is not None and step.state == FAILED else ""
