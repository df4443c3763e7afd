"""What gives mailboxes back to the source, and which of their hooks are in force: as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kogge.terminal.options import screen
from kogge.terminal.tables import table
from ledger.db.rows import Phase

if TYPE_CHECKING:
    from engine.config.hooks import HooksSettings
    from engine.cutover.way_back import WayBack
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

DONE: Mapping[str, str] = {
    "nothing": "nothing: its user works at the source already",
    "undo": "hooks undone, then staging",
    "roll-back": "what Kogge wrote is taken back, hooks undone, then staging",
}
"""What is done, by way."""


@dataclass(frozen=True, slots=True)
class Route:
    """One mailbox. way: what is needed. undone, by_hand: the hooks in force with an undo, in the order of
    their undoing, and those without."""

    mailbox: str
    phase: Phase
    way: WayBack
    undone: Sequence[str]
    by_hand: Sequence[str]

    def cell(self) -> dict[str, object]:
        return {
            "mailbox": self.mailbox,
            "phase": str(self.phase),
            "way": str(self.way),
            "undo": list(self.undone),
            "by_hand": list(self.by_hand),
        }


def routes_of(hooks: HooksSettings, ledger: Ledger, rows: Sequence[MailboxRow]) -> list[Route]:
    """The way of each mailbox, as the ledger is now. Writes nothing."""
    from engine.cutover.steps import in_force
    from engine.cutover.way_back import way_back
    from ledger.leg.cutover_steps import Steps

    steps = Steps(ledger).of(row.id for row in rows)
    routes = []
    for row in rows:
        begun = {step.name for step in steps.get(row.id, [])}
        found = [hook for _, hook in in_force(hooks, begun)]
        undone = [hook.name for hook in found if hook.undo is not None]
        by_hand = [hook.name for hook in found if hook.undo is None]
        routes.append(Route(row.id, row.phase, way_back(ledger, row.id), undone, by_hand))
    return routes


def show_routes(routes: Sequence[Route], done: Mapping[str, str] = DONE) -> None:
    """A row a mailbox."""
    cells = [
        [one.mailbox, str(one.phase), done[one.way], ", ".join(one.undone), ", ".join(one.by_hand)]
        for one in routes
    ]
    heads = ["mailbox", "phase", "what is done", "undone", "by hand"]
    screen().print(table(heads, cells, wrap=("what is done",)))
