"""Show what came of a wave: its items by fate, losses by kind, verification and bytes.

It is safe for anyone to see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from rich.console import Group, RenderableType
from rich.text import Text

from engine.control.remedies import advice
from engine.cutover.stopped import Stop
from kogge.shown.mailbox_rows import (
    codes_cell,
    fitting,
    kinds_of,
    legend,
    share_cell,
    urgency,
    workload_cells,
)
from kogge.terminal.options import WIDTH
from kogge.terminal.tables import (
    BAD,
    CARE,
    GOOD,
    QUIET,
    Hanging,
    bytes_cell,
    duration,
    table,
)
from ledger.db.rows import NOT_IN_PLAN, Outcome, State, Tally
from ledger.views.reports import AMISS, LegSummary
from model.kinds import KINDS, Kind
from model.plural import first_of, many
from reports.facts import loss_documents, lost_of
from reports.loss_texts import Lost, closing_lines
from reports.mailbox_facts import OPEN_STATES, MailboxFacts, workload_counted
from reports.plan_gaps import by_mailbox, is_settled, reason_code

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
MOVED = (State.WRITTEN, State.VERIFIED)
Found: TypeAlias = tuple[Outcome, str]
"""Outcome and detail, as ledger.db.rows.Finding has them."""

COLUMNS = ("done", "items", "rejected", "open", "size", "code")
SHOWN = 40
DETAILS = 12


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Hold what came of a run, in numbers.

    Attributes:
        legs: the workloads.
        fates: items by state.
        lost: items by workload, field and reason.
        findings: what the newest verifications found, by outcome and detail.
        bytes: the size of what is at the target.
        omitted: items in folders that do not move, by reason, as the source counts them.
        skipped: items by code.
        checked: items that `kogge check` counted, by mailbox id.
    """

    legs: tuple[LegSummary, ...]
    fates: Counter[State] = field(default_factory=Counter)
    lost: Counter[Lost] = field(default_factory=Counter)
    findings: Counter[Found] = field(default_factory=Counter)
    bytes: int = 0
    omitted: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    checked: Mapping[str, int] = field(default_factory=dict)

    @property
    def accounted(self) -> bool:
        """Return True if all legs are verified, the plan withholds none, and no item is open."""
        done = all(map(is_settled, self.legs))
        return bool(self.legs) and done and not any(self.fates[state] for state in OPEN_STATES)

    def lines(self) -> list[MailboxFacts]:
        """Return a row for each mailbox; those that need a person come first."""
        lines = (
            MailboxFacts(
                number,
                own[0].wave,
                own[0].phase,
                {leg.workload: workload_counted(leg) for leg in own},
                self.checked.get(number, 0),
                stop=_stop(own),
            )
            for number, own in by_mailbox(self.legs).items()
        )
        return sorted(lines, key=urgency)

    def document(self) -> dict[str, object]:
        """Return the summary as plain data, for --json."""
        return {
            "accounted_for": self.accounted,
            "mailboxes": len({leg.mailbox for leg in self.legs}),
            "bytes": self.bytes,
            "fates": {state.name.lower(): count for state, count in sorted(self.fates.items())},
            "losses": loss_documents(self.lost),
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
    checked: Mapping[str, int] | None = None,
) -> RunSummary:
    """Add up the numbers of the legs.

    Args:
        summaries: the legs.
        wanted: only these mailbox ids; None means all.
        kinds: only these workloads; None means all.
        checked: see RunSummary.
    """
    legs = tuple(
        one
        for one in summaries
        if (wanted is None or one.mailbox in wanted) and (kinds is None or one.workload in kinds)
    )
    fates: Counter[State] = Counter()
    findings: Counter[Found] = Counter()
    omitted: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for leg in legs:
        skipped.update(leg.skips)
        omitted.update(leg.omitted)
        fates.update(leg.counts)
        findings.update(leg.findings)
    size = sum(leg.bytes for leg in legs)
    return RunSummary(legs, fates, lost_of(legs), findings, size, omitted, skipped, checked or {})


def _stop(legs: Iterable[LegSummary]) -> Stop | None:
    """Return why a mailbox is not run; None if the plan does not withhold it."""
    return next((Stop(leg.withheld) for leg in legs if leg.withheld is not None), None)


def _leg_document(leg: LegSummary) -> dict[str, object]:
    return {
        "mailbox": leg.mailbox,
        "wave": leg.wave,
        "workload": str(leg.workload),
        "state": str(leg.state),
        "code": reason_code(leg),
        "detail": leg.detail,
        "items": leg.items,
        "bytes": leg.bytes,
        "fates": {state.name.lower(): count for state, count in sorted(leg.counts.items())},
    }


def pass_document(tally: Tally) -> dict[str, int]:
    """Return what a pass did, for --json.

    No count is below zero, although an item that was taken back and is not yet written again lowers "new".
    """
    return {name: max(0, count) for name, count in asdict(tally).items()}


def pass_line(tally: Tally) -> str:
    """Return what a pass did, for people."""
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
    """Return the table and the lines that close a run.

    Args:
        result: what came of the run.
        seconds: how long the run took; None leaves out the time and the rate.
        dry: True if nothing was to be written.
        tally: what this pass did; None if it is not shown.
        width: of the screen, in columns.
    """
    parts: list[RenderableType] = list(_boxes(result, width))
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
        parts += _withheld(result.legs)
        parts.append(Text("NOT every item is accounted for: kogge status", style=BAD))
    return Group(*parts)


def _withheld(legs: Iterable[LegSummary]) -> Iterator[RenderableType]:
    """Yield which mailboxes have no row in the list any more, and what to do.

    `kogge migrate` itself names a row that was changed.
    """
    gone = sorted({leg.mailbox for leg in legs if leg.withheld == NOT_IN_PLAN})
    if gone:
        yield Text(f"{NOT_IN_PLAN}: {first_of(gone, SHOWN)}. {advice(NOT_IN_PLAN)}", style=BAD)


def _boxes(result: RunSummary, width: int) -> Iterator[RenderableType]:
    """Yield a row for each mailbox. Columns that can be spared make room for the codes."""
    every = result.lines()
    shown, more = fitting(every, SHOWN)
    kinds, rows = kinds_of(every), [_cells(line) for line in shown]
    gone = {name for name in ("rejected", "open") if all(str(row[name]) == "0" for row in rows)}
    coded = any(codes_cell(line) for line in every)
    if (coded and width < WIDTH) or not any(leg.bytes for leg in result.legs):
        gone.add("size")
    last = [name for name in COLUMNS if name not in gone and (name != "code" or coded)]
    cells = [
        [line.mailbox, *workload_cells(line, kinds), *(row[name] for name in last)]
        for line, row in zip(shown, rows, strict=True)
    ]
    yield table(["mailbox", *(KINDS[kind].column for kind in kinds), *last], cells, wrap=("code",))
    for said in (more.replace("--all", "kogge status --all"), legend(shown)):
        if said:
            yield Text(said, style=QUIET)


def _cells(line: MailboxFacts) -> dict[str, str | Text]:
    return {
        "done": share_cell(line),
        "items": f"{line.items:,}",
        "rejected": Text(f"{line.rejected:,}", style=CARE if line.rejected else ""),
        "open": Text(f"{line.open:,}", style=CARE if line.open else ""),
        "size": bytes_cell(line.bytes),
        "code": codes_cell(line),
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
        rate = f"{moved / seconds:,.0f}"
        line += f"; {duration(seconds)}" + (f", {rate} items/s" if rate != "0" else "")
    return line


def _losses(lost: Counter[Lost]) -> list[RenderableType]:
    """Return a sentence for each kind of loss, grouped by what a person would care about."""
    if not lost:
        return []
    head = Text("arrived, but not all of what they were (kogge failures --losses names the items):")
    return [head, *(Hanging(line) for line in closing_lines(lost))]


def _by_outcome(findings: Counter[Found]) -> dict[Outcome, Counter[str]]:
    """Count the findings by outcome, and in each by detail, the most frequent first."""
    found: dict[Outcome, Counter[str]] = {}
    for (outcome, detail), count in findings.most_common():
        found.setdefault(outcome, Counter())[detail] = count
    return found


def _verdicts(findings: Counter[Found]) -> list[tuple[str, int]]:
    """Return each outcome with its most frequent details in brackets, and its count."""
    told = []
    for outcome, details in sorted(_by_outcome(findings).items()):
        names = [f"{count:,} {detail}" for detail, count in details.most_common(DETAILS) if detail]
        told.append((WORDS[outcome] + (f" ({', '.join(names)})" if names else ""), sum(details.values())))
    return told


def _counts(title: str, counts: Sequence[tuple[str, int]]) -> list[RenderableType]:
    if not counts:
        return []
    return [Text(f"{title}: " + "; ".join(f"{count:,} {name}" for name, count in counts))]
