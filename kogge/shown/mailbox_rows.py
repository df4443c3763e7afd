"""One row for each mailbox: its workloads as small columns, the most urgent mailbox first.

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
    """One workload of a mailbox. done: items with a fate. rate: items a second; None if it is not known."""

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
        """A sign for what is over or stopped, otherwise how much is done."""
        if self.state in SIGNS:
            return Text(*SIGNS[self.state])
        share = f"{100 * self.done // self.items}%" if self.items else "0%"
        return Text(share, style="cyan" if self.state is LegState.RUNNING else QUIET)


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """A mailbox. checked: items that `kogge check` counted, which are more as long as not all is listed.
    pace: items a second over the last minute; None where nobody watches. stop: why only a person moves it on,
    whatever its workloads say; None if nothing is known."""

    mailbox: str
    wave: str
    phase: str
    cells: Mapping[Kind, WorkloadCell] = field(default_factory=dict)
    checked: int = 0
    pace: float | None = None
    stop: Stop | None = None

    @property
    def items(self) -> int:
        return max(self.checked, sum(cell.items for cell in self.cells.values()))

    @property
    def done(self) -> int:
        return sum(cell.done for cell in self.cells.values())

    @property
    def rejected(self) -> int:
        return sum(cell.rejected for cell in self.cells.values())

    @property
    def state(self) -> LegState:
        """The most urgent state of its workloads."""
        states = {cell.state for cell in self.cells.values()}
        return next((one for one in URGENT if one in states), LegState.VERIFIED)

    @property
    def needs_person(self) -> bool:
        return self.stop is not None or self.state in NEEDS_PERSON

    @property
    def locked(self) -> bool:
        """True if a cutover stopped, and its user may be kept from the mailbox."""
        return self.stop is not None and self.stop.locked

    @property
    def rate(self) -> float | None:
        if self.pace is not None:
            return self.pace
        rates = [cell.rate for cell in self.cells.values() if cell.rate is not None]
        return sum(rates) if rates else None

    @property
    def left(self) -> float | None:
        """Seconds at this rate; None while nothing can be said, or if nothing is left to copy."""
        rate, owed = self.rate, self.items - self.done
        return owed / rate if rate and owed > 0 else None

    @property
    def share(self) -> str:
        """How much is done; never all of it while something is open, and "-" if nothing is known."""
        if not self.items:
            return "100%" if self.cells and self.state is LegState.VERIFIED else "-"
        percent = 100 * self.done // self.items
        return f"{min(99, percent) if self.state is not LegState.VERIFIED else percent}%"

    def codes(self) -> str:
        """Each code, with the workloads that have it where not all do; a cutover that stopped comes first."""
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
        """The row as plain data, for --json."""
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


def urgency(line: MailboxLine) -> tuple[bool, bool, int, str, str]:
    """The key by which lines are sorted: who may be locked out first, then what needs a person, what is
    verified last."""
    rank = URGENT.index(line.state) if line.state in URGENT else len(URGENT)
    return not line.locked, not line.needs_person, rank, line.wave, line.mailbox


def kinds_of(lines: Iterable[MailboxLine]) -> list[Kind]:
    """The workloads that any of these have, in the order of their columns."""
    found = {kind for line in lines for kind in line.cells}
    return [kind for kind in KINDS if kind in found]


def workload_cells(line: MailboxLine, kinds: Sequence[Kind]) -> list[Text]:
    """A cell for each of these workloads; an empty one where the mailbox has none."""
    return [line.cells[kind].drawn() if kind in line.cells else Text() for kind in kinds]


def fitting(lines: Sequence[MailboxLine], most: int | None) -> tuple[Sequence[MailboxLine], str]:
    """The first lines, and a sentence about the others. Who needs a person is never left out.

    Args:
        lines: the most urgent first.
        most: about how many; None for all.
    """
    if most is None or len(lines) <= most:
        return lines, ""
    shown = lines[: max(most, sum(line.needs_person for line in lines))]
    hidden = len(lines) - len(shown)
    return shown, f"and {many(hidden, 'mailbox', 'mailboxes')} more, less urgent (--all)" if hidden else ""


def legend(lines: Iterable[MailboxLine]) -> str:
    """What the signs in these lines mean; "" if there is none that needs a word."""
    states: Set[LegState] = {cell.state for line in lines for cell in line.cells.values()}
    return "; ".join(text for state, text in LEGEND.items() if state in states)
