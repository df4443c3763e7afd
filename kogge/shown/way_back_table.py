"""Show in a table what gives mailboxes back to the source, and which of their hooks are in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kogge.terminal.options import screen
from kogge.terminal.tables import table
from ledger.db.rows import Phase
from model.plural import many

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
"""What is done for each way, as text."""


@dataclass(frozen=True, slots=True)
class Route:
    """Say what gives one mailbox back, as --json has it.

    Attributes:
        mailbox: its random id.
        phase: its phase.
        way: what is to be done.
        undo: the hooks in force that have an undo, in the order of their undoing.
        by_hand: the hooks that have no undo, and those that the configuration does not have any more.
    """

    mailbox: str
    phase: Phase
    way: WayBack
    undo: Sequence[str]
    by_hand: Sequence[str]


def routes_of(hooks: HooksSettings, ledger: Ledger, rows: Sequence[MailboxRow]) -> list[Route]:
    """Return what gives each mailbox back, as the ledger is now. Write nothing."""
    from engine.cutover.steps import FREEZE, in_force
    from engine.cutover.way_back import way_back
    from ledger.leg.cutover_steps import RELEASE, Steps

    configured = {f"{FREEZE}:{hook.name}" for hook in hooks.freeze}
    configured |= {f"{RELEASE}:{hook.name}" for hook in hooks.release}
    steps = Steps(ledger).of(row.id for row in rows)
    routes = []
    for row in rows:
        begun = {step.name for step in steps.get(row.id, [])}
        found = [hook for _, hook in in_force(hooks, begun)]
        undone = [hook.name for hook in found if hook.undo is not None]
        by_hand = [hook.name for hook in found if hook.undo is None]
        by_hand += [
            name.partition(":")[2]
            for name in sorted(begun - configured)
            if name.startswith((f"{FREEZE}:", f"{RELEASE}:"))
        ]
        routes.append(Route(row.id, row.phase, way_back(ledger, row.id), undone, by_hand))
    return routes


def show_routes(routes: Sequence[Route], done: Mapping[str, str] = DONE) -> None:
    """Print a row for each mailbox.

    Args:
        routes: what gives each mailbox back.
        done: what is done for each way, as text.
    """
    cells = [
        [one.mailbox, str(one.phase), done[one.way], ", ".join(one.undo), ", ".join(one.by_hand)]
        for one in routes
    ]
    heads = ["mailbox", "phase", "what is done", "undone", "by hand"]
    screen().print(table(heads, cells, wrap=("what is done",)))


def by_hand_lines(routes: Sequence[Route]) -> list[str]:
    """Return a line for each hook that stays in force, whatever is undone."""
    hooks = sorted({hook for one in routes for hook in one.by_hand})
    counts = {hook: sum(hook in one.by_hand for one in routes) for hook in hooks}
    return [
        f"Undo by hand, it has no undo in the configuration: {hook} ({many(count, 'mailbox', 'mailboxes')})"
        for hook, count in counts.items()
    ]
