"""Show one row for each mailbox: its workloads as small columns, the most urgent mailbox first.

Everything here is safe for anyone to see: random ids, workloads, states, counts and codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from rich.text import Text

from kogge.terminal.tables import BAD, CARE, QUIET, code_cell
from ledger.db.rows import URGENCY, LegState
from model.kinds import KINDS, Kind
from model.plural import many
from reports.mailbox_facts import MailboxFacts, WorkloadFacts

SIGNS: Mapping[LegState, tuple[str, str]] = {
    LegState.VERIFIED: ("ok", "green"),
    LegState.BLOCKED: ("stop", BAD),
    LegState.DIFFERS: ("diff", BAD),
    LegState.WAITING: ("wait", CARE),
}
LEGEND: Mapping[LegState, str] = {
    LegState.BLOCKED: "stop: blocked, needs a person",
    LegState.DIFFERS: "diff: verification found differences",
    LegState.WAITING: "wait: a passing fault",
}


def sign(one: WorkloadFacts) -> Text:
    """Return a sign for a state that has one, otherwise how much is done."""
    if one.state in SIGNS:
        return Text(*SIGNS[one.state])
    share = f"{100 * one.done // one.items}%" if one.items else "0%"
    return Text(share, style="cyan" if one.state is LegState.RUNNING else QUIET)


def share_cell(line: MailboxFacts) -> str:
    """Return how much of all is done; see share_of."""
    return share_of(line.done, line.items, line.state) if line.workloads else "-"


def codes_cell(line: MailboxFacts) -> str:
    """Return each code, with the workloads that have it if not all have it.

    The code of its stop comes first, if no workload has it or if the user may be locked out.
    """
    named: dict[str, list[Kind]] = {}
    for kind in KINDS:
        if kind in line.workloads and (reason := line.workloads[kind].reason):
            named.setdefault(code_cell(reason, line.workloads[kind].detail), []).append(kind)
    whole, stop = len(line.workloads), line.stop
    parts = [
        code if len(kinds) == whole and whole > 1 else f"{', '.join(kinds)}: {code}"
        for code, kinds in named.items()
    ]
    if stop is not None and stop.locked:
        parts.insert(0, code_cell(stop.code, f"cutover: {stop.step}" if stop.step else None))
    elif stop is not None and all(one.reason != stop.code for one in line.workloads.values()):
        parts.insert(0, stop.code)
    return "; ".join(parts)


def document(line: MailboxFacts) -> dict[str, object]:
    """Return a mailbox as plain data, for --json."""
    return {
        "mailbox": line.mailbox,
        "wave": line.wave,
        "phase": str(line.phase),
        "state": str(line.state),
        "items": line.items,
        "done": line.done,
        "rejected": line.rejected,
        "rate": None if line.rate is None else round(line.rate, 1),
        "seconds_left": None if line.left is None else round(line.left),
        "workloads": {str(kind): str(one.state) for kind, one in line.workloads.items()},
        "codes": sorted(line.reasons),
        "needs_person": line.needs_person,
        "cutover_stopped": line.stop.document() if line.stop is not None and line.stop.locked else None,
    }


def share_of(done: int, items: int, state: LegState) -> str:
    """Return how much is done, as text: below 100% until it is verified, "-" if nothing is known."""
    if state is LegState.VERIFIED:
        return "100%"
    return f"{min(99, 100 * done // items)}%" if items else "-"


def urgency(line: MailboxFacts) -> tuple[bool, bool, int, str, str]:
    """Return the sort key that puts the most urgent first.

    Mailboxes whose user may be locked out come first, then those that need a person. Verified ones come last.
    """
    return not line.locked, not line.needs_person, URGENCY.index(line.state), line.wave, line.mailbox


def kinds_of(lines: Iterable[MailboxFacts]) -> list[Kind]:
    """Return the workloads that any of these mailboxes has, in the order of their columns."""
    found = {kind for line in lines for kind in line.workloads}
    return [kind for kind in KINDS if kind in found]


def workload_cells(line: MailboxFacts, kinds: Sequence[Kind]) -> list[Text]:
    """Return a cell for each of these workloads; it is empty if the mailbox does not have the workload."""
    return [sign(line.workloads[kind]) if kind in line.workloads else Text() for kind in kinds]


def fitting(lines: Sequence[MailboxFacts], most: int | None) -> tuple[Sequence[MailboxFacts], str]:
    """Return the first lines, and a sentence about the others.

    A mailbox that needs a person is never left out.

    Args:
        lines: the most urgent first.
        most: about how many; None for all.

    Returns:
        The lines to show, and the sentence; it is "" if nothing is left out.
    """
    if most is None or len(lines) <= most:
        return lines, ""
    shown = lines[: max(most, sum(line.needs_person for line in lines))]
    hidden = len(lines) - len(shown)
    return shown, f"and {many(hidden, 'mailbox', 'mailboxes')} more, less urgent (--all)" if hidden else ""


def legend(lines: Iterable[MailboxFacts]) -> str:
    """Return what the signs in these lines mean; "" if none of them needs an explanation."""
    states: Set[LegState] = {one.state for line in lines for one in line.workloads.values()}
    return "; ".join(text for state, text in LEGEND.items() if state in states)
