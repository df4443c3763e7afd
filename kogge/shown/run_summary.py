"""What came of a wave, item by item: fates, losses by kind, verification, bytes. Safe for anyone to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kogge.terminal.tables import (
    BAD,
    CARE,
    GOOD,
    WIDTH,
    Grid,
    bytes_cell,
    code_cell,
    duration,
    state_cell,
    table,
)
from ledger.db.rows import LegState, Outcome, State, Tally
from ledger.views.reports import AMISS, LegSummary
from model.plural import many
from model.protocols import Kind

WORDS = {
    Outcome.MATCH: "match",
    Outcome.REBUILT: "rebuilt (same but for what Exchange rebuilds)",
    Outcome.MISSING: "missing at the target",
    Outcome.EXTRA: "extra at the target",
    Outcome.DIFFERS: "differs",
    Outcome.ERROR: "could not be read",
    Outcome.UNCHECKED: "unchecked, or changed since",
    Outcome.DELIVERED: "delivered to the target by others since it was frozen",
}
OPEN_STATES = frozenset({State.SEEN, State.WRITING, State.CHANGED, State.LEAVING})
MOVED = (State.WRITTEN, State.VERIFIED)
Lost: TypeAlias = tuple[Kind, str, str]
"""Workload, field, reason."""
Found: TypeAlias = tuple[Outcome, str]
"""Outcome and detail, as ledger.db.rows.Finding has them."""

COLUMNS = (
    "mailbox", "workload", "state", "items", "verified", "skipped", "rejected", "open", "size", "code",
)  # fmt: skip
SPARSE = ("skipped", "rejected", "open")
"""A narrow screen shows these only where there are any."""
SHOWN = 40
DETAILS = 12


@dataclass(frozen=True, slots=True)
class RunSummary:
    """fates counts items; lost counts (workload, field, reason); omitted counts items in folders that do not
    move, by the source's own word; skipped counts items per code; bytes are at the target."""

    legs: tuple[LegSummary, ...]
    fates: Counter[State] = field(default_factory=Counter)
    lost: Counter[Lost] = field(default_factory=Counter)
    findings: Counter[Found] = field(default_factory=Counter)
    bytes: int = 0
    omitted: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def accounted(self) -> bool:
        """Every leg is verified and no item is open."""
        done = all(leg.state is LegState.VERIFIED for leg in self.legs)
        return bool(self.legs) and done and not any(self.fates[state] for state in OPEN_STATES)

    def document(self) -> dict[str, object]:
        return {
            "accounted_for": self.accounted,
            "mailboxes": len({leg.mailbox for leg in self.legs}),
            "bytes": self.bytes,
            "fates": {state.name.lower(): count for state, count in sorted(self.fates.items())},
            "losses": [
                {"workload": str(kind), "field": name, "reason": reason, "count": count}
                for (kind, name, reason), count in self.lost.most_common()
            ],
            "skipped": dict(sorted(self.skipped.items())),
            "left_out": dict(sorted(self.omitted.items())),
            "findings": {str(one): sum(told.values()) for one, told in _by_outcome(self.findings).items()},
            "details": [
                {"outcome": str(outcome), "detail": detail, "count": count}
                for (outcome, detail), count in self.findings.most_common()
                if detail
            ],
            "legs": [_leg_document(leg) for leg in self.legs],
        }


def result_of(
    summaries: Iterable[LegSummary],
    wanted: frozenset[str] | None = None,
    kinds: frozenset[Kind] | None = None,
) -> RunSummary:
    """wanted, kinds: only these mailbox ids and workloads; None means all."""
    legs = tuple(
        one
        for one in summaries
        if (wanted is None or one.mailbox in wanted) and (kinds is None or one.workload in kinds)
    )
    fates: Counter[State] = Counter()
    lost: Counter[Lost] = Counter()
    findings: Counter[Found] = Counter()
    omitted: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for leg in legs:
        skipped.update(leg.skips)
        omitted.update(leg.omitted)
        fates.update(leg.counts)
        lost.update({(leg.workload, *pair): count for pair, count in leg.losses.items()})
        findings.update(leg.findings)
    return RunSummary(legs, fates, lost, findings, sum(leg.bytes for leg in legs), omitted, skipped)


def _leg_document(leg: LegSummary) -> dict[str, object]:
    return {
        "mailbox": leg.mailbox,
        "wave": leg.wave,
        "workload": str(leg.workload),
        "state": str(leg.state),
        "code": leg.code,
        "detail": leg.detail,
        "items": leg.items,
        "bytes": leg.bytes,
        "fates": {state.name.lower(): count for state, count in sorted(leg.counts.items())},
    }


def pass_document(tally: Tally) -> dict[str, int]:
    """What a pass did, for --json. What was taken back to be written anew, and was not yet, is not new."""
    return {name: max(0, count) for name, count in asdict(tally).items()}


def pass_line(tally: Tally) -> str:
    """What a pass did, for people."""
    did = pass_document(tally)
    words = f"{did['new']:,} copied, {did['replaced']:,} replaced, {did['amended']:,} amended"
    shares = f", {did['shared']:,} shares made" if did["shared"] else ""
    return f"this pass: {words}, {did['withdrawn']:,} withdrawn{shares}"


def drawn(
    result: RunSummary,
    seconds: float | None = None,
    dry: bool = False,
    tally: Tally | None = None,
    width: int = WIDTH,
) -> RenderableType:
    """The closing table. seconds: how long the run took, for the rate. dry: nothing was to be written.
    tally: what this pass did, if that is to be told. width: of the screen."""
    parts: list[RenderableType] = [_legs(result.legs[:SHOWN], width)]
    if len(result.legs) > SHOWN:
        parts.append(Text(f"and {len(result.legs) - SHOWN:,} more (kogge status --all)"))
    parts += [Text(), Text(_totals(result, seconds, tally))]
    parts += _counts("verification", _verdicts(result.findings))
    if any(outcome in AMISS for outcome, _ in result.findings):
        parts.append(Text("kogge failures names what is not as it should be", style=CARE))
    parts += _losses(result.lost)
    parts += _counts("skipped", result.skipped.most_common())
    parts += _counts("left out with their folders", sorted((+result.omitted).items()))
    if tally is not None:
        parts.append(Text(pass_line(tally)))
    if dry:
        parts.append(Text("dry run: nothing was written to any mailbox"))
    elif result.accounted:
        parts.append(Text("every item is accounted for", style=GOOD))
    else:
        parts.append(Text("NOT every item is accounted for: kogge status", style=BAD))
    return Group(*parts)


def _legs(legs: Sequence[LegSummary], width: int) -> Grid:
    """What can be left out makes room for the codes."""
    rows = [_cells(leg) for leg in legs]
    gone = {"size"} if any(leg.code for leg in legs) or not any(leg.bytes for leg in legs) else set()
    if width < WIDTH:
        gone |= {name for name in SPARSE if all(str(row[name]) == "0" for row in rows)}
    columns = [name for name in COLUMNS if name not in gone]
    return table(columns, [[row[name] for name in columns] for row in rows], wrap=("code",))


def _cells(leg: LegSummary) -> dict[str, str | Text]:
    counts = leg.counts
    rejected, waiting = counts.get(State.REJECTED, 0), sum(counts.get(state, 0) for state in OPEN_STATES)
    return {
        "mailbox": leg.mailbox,
        "workload": str(leg.workload),
        "state": state_cell(leg.state),
        "items": f"{leg.items:,}",
        "verified": f"{counts.get(State.VERIFIED, 0):,}",
        "skipped": f"{counts.get(State.SKIPPED, 0):,}",
        "rejected": Text(f"{rejected:,}", style=CARE if rejected else ""),
        "open": Text(f"{waiting:,}", style=CARE if waiting else ""),
        "size": bytes_cell(leg.bytes),
        "code": code_cell(leg.code, leg.detail),
    }


def _totals(result: RunSummary, seconds: float | None, tally: Tally | None) -> str:
    fates = ", ".join(f"{count:,} {state.name.lower()}" for state, count in sorted(result.fates.items()))
    boxes = len({leg.mailbox for leg in result.legs})
    size = f"; {bytes_cell(result.bytes)}" if result.bytes else ""
    line = f"{many(boxes, 'mailbox', 'mailboxes')}; items by fate: {fates or 'none'}{size}"
    if seconds:
        moved = sum(result.fates[state] for state in MOVED)
        if tally is not None:
            moved = tally.new + tally.replaced + tally.amended
        line += f"; {duration(seconds)}" + (f", {moved / seconds:,.0f} items/s" if moved > 0 else "")
    return line


def _losses(lost: Counter[Lost]) -> list[RenderableType]:
    """A line a workload."""
    if not lost:
        return []
    by_kind: dict[Kind, list[str]] = {}
    for (kind, name, reason), count in lost.most_common():
        by_kind.setdefault(kind, []).append(f"{count:,} {name} {reason}")
    lines = Table.grid(padding=(0, 1, 0, 0))
    for kind in Kind:
        if kind in by_kind:
            lines.add_row(f"  {kind}:", "; ".join(by_kind[kind]))
    return [Text("not carried over (kogge failures --losses names the items):"), lines]


def _by_outcome(findings: Counter[Found]) -> dict[Outcome, Counter[str]]:
    """Details by outcome, the most frequent first."""
    found: dict[Outcome, Counter[str]] = {}
    for (outcome, detail), count in findings.most_common():
        found.setdefault(outcome, Counter())[detail] = count
    return found


def _verdicts(findings: Counter[Found]) -> list[tuple[str, int]]:
    """Each outcome with its most frequent details, in brackets."""
    told = []
    for outcome, details in sorted(_by_outcome(findings).items()):
        names = [f"{count:,} {detail}" for detail, count in details.most_common(DETAILS) if detail]
        told.append((WORDS[outcome] + (f" ({', '.join(names)})" if names else ""), sum(details.values())))
    return told


def _counts(title: str, counts: Sequence[tuple[str, int]]) -> list[RenderableType]:
    if not counts:
        return []
    return [Text(f"{title}: " + "; ".join(f"{count:,} {name}" for name, count in counts))]
