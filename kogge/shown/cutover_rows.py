"""How far the cutover of each mailbox is: one row a mailbox, what has failed first."""

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
"""Who is frozen is locked out until the cutover ends: those come before the others."""


def cutover_table(
    rows: Sequence[MailboxRow],
    steps: Mapping[str, Sequence[StepRow]],
    scores: Mapping[str, Score],
    stopped: Mapping[str, Stop],
) -> Grid:
    """Returns a row for each mailbox: its newest step and its score, what failed or stopped first."""
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
    """What stopped it; of one at work, what its newest step failed of."""
    if stop is not None:
        return code_cell(stop.code, stop.detail)
    return step.code or "" if step is not None and step.state == FAILED else ""
