"""What a person signs, on the screen: the plan of a wave, and before its cutover what has arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from kogge.terminal.options import screen
from kogge.terminal.tables import bytes_cell
from model.date_text import date_of
from model.plural import many

if TYPE_CHECKING:
    from engine.approvals.plan_approval import WavePlan
    from engine.config.load import Config
    from ledger.plan.approvals import PlanRow
    from ledger.store import Ledger


def show(config: Config, ledger: Ledger, plan: WavePlan, stage: str) -> None:
    """Show what is approved: counts and codes, and no address."""
    for line in _lines(config, ledger, plan, stage):
        screen().print(line, soft_wrap=True)


def counted(codes: Iterable[str | None]) -> str:
    """Return how many there are of each code, the most first."""
    counts = Counter(code or "" for code in codes)
    return ", ".join(f"{count:,} {code}" for code, count in counts.most_common())


def _lines(config: Config, ledger: Ledger, plan: WavePlan, stage: str) -> Iterator[str]:
    from engine.approvals.plan_approval import CUTOVER, approvals_of

    rows = list(plan.rows.values())
    amount = _moved_amount(ledger, plan) if stage == CUTOVER else _checked_amount(rows)
    yield f"The {stage} of wave {plan.wave.name}: {many(len(rows), 'mailbox', 'mailboxes')}, {amount}"
    starts = date_of(round(plan.wave.starts)) if plan.wave.starts is not None else "at any time"
    yield f"begins      {starts}, window {plan.wave.window or 'none'}"
    if plan.wave.canary or not config.run.canary:
        yield f"first       {plan.wave.canary if config.run.canary else 'all at once (run.canary)'}"
    yield f"workloads   {counted([kind for row in rows for kind in row.workloads])}"
    if looked := {row.mailbox: row.at for row in rows if row.at is not None}:
        yield f"proof       {counted([plan.rows[one].level or 'none' for one in looked])}"
        found = f": {_checked_amount(rows)}" if stage == CUTOVER else ""  # else the first line says it
        yield f"checked     the oldest {date_of(int(min(looked.values())))}{found}"
    for name, some in (("never checked", plan.unchecked), ("not ready", plan.left_out)):
        if some:
            codes = [row.code or name for row in some]
            why = f" ({counted(codes)})" if {*codes} != {name} else ""
            yield f"{name:11} {len(some):,}{why}"
    if excused := [row.code or "" for row in rows if row.mailbox in plan.excused]:
        yield f"accepted    {counted(excused)}"
    if withheld := [row.withheld for row in rows if row.withheld]:
        yield f"withheld    {counted(withheld)}"
    if stage == CUTOVER:
        yield from _arrived(ledger, plan)
    yield f"plan        {plan.hash}"
    valid = sum(one.void is None for one in approvals_of(config, ledger, plan.wave.name, stage))
    yield f"approvals   {valid} of {config.approval.required}"


def _checked_amount(rows: Sequence[PlanRow]) -> str:
    """Return how much there was at the source by the last check."""
    items, size = sum(row.items for row in rows), sum(row.bytes for row in rows)
    return f"{many(items, 'item', 'items')}, {bytes_cell(size)}"


def _moved_amount(ledger: Ledger, plan: WavePlan) -> str:
    """Return how much there is by the last pass of each workload."""
    legs = ledger.legs(plan.wave.name)
    items, done = sum(leg.items for leg in legs), sum(leg.done for leg in legs)
    return f"{done:,} of {many(items, 'item', 'items')}, {bytes_cell(sum(leg.bytes for leg in legs))}"


def _arrived(ledger: Ledger, plan: WavePlan) -> Iterator[str]:
    """Yield what the last passes found: the states of the workloads, and the score."""
    from engine.approvals.score import scores
    from kogge.shown.score_tables import waves_of

    wave = plan.wave.name
    yield f"moved       {counted([leg.state.value for leg in ledger.legs(wave)])}"
    found = scores(ledger, plan.rows)
    for one in waves_of(ledger.mailboxes(wave), found):
        yield f"score       {one.rating} ({one.counts})"
    items, arrived = sum(one.items for one in found.values()), sum(one.arrived for one in found.values())
    lacking = sum(one.lacking for one in found.values())
    if found:
        told = f"{arrived:,} of {many(items, 'item', 'items')}"
        yield f"arrived     {told}; {lacking:,} of them lack a part of their content"
