"""Show one row for each mailbox: its workloads as small columns, the most urgent mailbox first.

Everything here is safe for anyone to see: random ids, workloads, states, counts and codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from kogge.terminal.tables import BAD, CARE, QUIET, code_cell
from ledger.db.rows import NEEDS_PERSON, LegState
from model.kinds import KINDS, Kind
from model.plural import many

if TYPE_CHECKING:
    from engine.cutover.stopped import Stop

URGENT = (
    LegState.BLOCKED,
    LegState.DIFFERS,
    LegState.RUNNING,
    LegState.WAITING,
    LegState.COPIED,
    LegState.PENDING,
)
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


@dataclass(frozen=True, slots=True)
class WorkloadCell:
    """Describe one workload of a mailbox.

    Attributes:
        kind: the workload.
        state: of the workload.
        items: how many items it has.
        done: how many of them have a fate.
        code: why it is in this state; None if the state says all.
        detail: what is known with the code.
        rejected: how many items are rejected.
        open: how many items have no fate yet.
        bytes: the size of what is at the target.
        rate: items a second; None if it is not known.
    """

    kind: Kind
    state: LegState
    items: int
    done: int
    code: str | None = None
    detail: str | None = None
    rejected: int = 0
    open: int = 0
    bytes: int = 0
    rate: float | None = None

    def drawn(self) -> Text:
        """Return a sign for a state that has one, otherwise how much is done."""
        if self.state in SIGNS:
            return Text(*SIGNS[self.state])
        share = f"{100 * self.done // self.items}%" if self.items else "0%"
        return Text(share, style="cyan" if self.state is LegState.RUNNING else QUIET)


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """Describe a mailbox.

    Attributes:
        mailbox: its random id.
        wave: its wave.
        phase: its phase.
        cells: its workloads.
        checked: items that `kogge check` counted; they are more as long as not all is listed.
        pace: items a second over the last minute; None if it was not measured.
        stop: why only a person moves it on, whatever its workloads say; None if there is no such reason.
    """

    mailbox: str
    wave: str
    phase: str
    cells: Mapping[Kind, WorkloadCell] = field(default_factory=dict)
    checked: int = 0
    pace: float | None = None
    stop: Stop | None = None

    @property
    def items(self) -> int:
        """Count the items: those that are listed, or as reports.progress.expected counts before all are."""
        listed = sum(cell.items for cell in self.cells.values())
        return listed if self.state is LegState.VERIFIED else max(self.checked, listed)

    @property
    def done(self) -> int:
        """Count the items that have a fate."""
        return sum(cell.done for cell in self.cells.values())

    @property
    def rejected(self) -> int:
        """Count the rejected items."""
        return sum(cell.rejected for cell in self.cells.values())

    @property
    def state(self) -> LegState:
        """Return the most urgent state of its workloads."""
        states = {cell.state for cell in self.cells.values()}
        return next((one for one in URGENT if one in states), LegState.VERIFIED)

    @property
    def needs_person(self) -> bool:
        """Return True if only a person moves it on."""
        return self.stop is not None or self.state in NEEDS_PERSON

    @property
    def locked(self) -> bool:
        """Return True if a cutover stopped, and its user may be locked out."""
        return self.stop is not None and self.stop.locked

    @property
    def rate(self) -> float | None:
        """Return items a second: over the last minute, or else the sum of its workloads; None if unknown."""
        if self.pace is not None:
            return self.pace
        rates = [cell.rate for cell in self.cells.values() if cell.rate is not None]
        return sum(rates) if rates else None

    @property
    def left(self) -> float | None:
        """Return the seconds left at this rate; None if it is not known, or if nothing is left to copy."""
        rate, owed = self.rate, self.items - self.done
        return owed / rate if rate and owed > 0 else None

    @property
    def share(self) -> str:
        """Return how much of all is done; see share_of."""
        return share_of(self.done, self.items, self.state) if self.cells else "-"

    def codes(self) -> str:
        """Return each code, with the workloads that have it if not all have it.

        The code of its stop comes first, if no workload has it or if the user may be locked out.
        """
        named: dict[str, list[Kind]] = {}
        for kind in KINDS:
            if kind in self.cells and self.cells[kind].code:
                cell = self.cells[kind]
                named.setdefault(code_cell(cell.code, cell.detail), []).append(kind)
        whole = len(self.cells)
        told = [
            code if len(kinds) == whole and whole > 1 else f"{', '.join(kinds)}: {code}"
            for code, kinds in named.items()
        ]
        if self.stop is not None and self.stop.locked:
            told.insert(
                0, code_cell(self.stop.code, f"cutover: {self.stop.step}" if self.stop.step else None)
            )
        elif self.stop is not None and all(cell.code != self.stop.code for cell in self.cells.values()):
            told.insert(0, self.stop.code)
        return "; ".join(told)

    def document(self) -> dict[str, object]:
        """Return the row as plain data, for --json."""
        return {
            "mailbox": self.mailbox,
            "wave": self.wave,
            "phase": self.phase,
            "state": str(self.state),
            "items": self.items,
            "done": self.done,
            "rejected": self.rejected,
            "rate": None if self.rate is None else round(self.rate, 1),
            "seconds_left": None if self.left is None else round(self.left),
            "workloads": {str(kind): str(cell.state) for kind, cell in self.cells.items()},
            "codes": sorted(self._codes()),
            "needs_person": self.needs_person,
            "cutover_stopped": self.stop.document() if self.stop is not None and self.stop.locked else None,
        }

    def _codes(self) -> set[str]:
        found = {cell.code for cell in self.cells.values() if cell.code}
        return found | ({self.stop.code} if self.stop is not None else set())


def share_of(done: int, items: int, state: LegState) -> str:
    """Return how much is done, as text: below 100% until it is verified, "-" if nothing is known."""
    if state is LegState.VERIFIED:
        return "100%"
    return f"{min(99, 100 * done // items)}%" if items else "-"


def urgency(line: MailboxLine) -> tuple[bool, bool, int, str, str]:
    """Return the sort key that puts the most urgent first.

    Mailboxes whose user may be locked out come first, then those that need a person. Verified ones come last.
    """
    rank = URGENT.index(line.state) if line.state in URGENT else len(URGENT)
    return not line.locked, not line.needs_person, rank, line.wave, line.mailbox


def kinds_of(lines: Iterable[MailboxLine]) -> list[Kind]:
    """Return the workloads that any of these mailboxes has, in the order of their columns."""
    found = {kind for line in lines for kind in line.cells}
    return [kind for kind in KINDS if kind in found]


def workload_cells(line: MailboxLine, kinds: Sequence[Kind]) -> list[Text]:
    """Return a cell for each of these workloads; it is empty if the mailbox does not have the workload."""
    return [line.cells[kind].drawn() if kind in line.cells else Text() for kind in kinds]


def fitting(lines: Sequence[MailboxLine], most: int | None) -> tuple[Sequence[MailboxLine], str]:
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


def legend(lines: Iterable[MailboxLine]) -> str:
    """Return what the signs in these lines mean; "" if none of them needs an explanation."""
    states: Set[LegState] = {cell.state for line in lines for cell in line.cells.values()}
    return "; ".join(text for state, text in LEGEND.items() if state in states)
