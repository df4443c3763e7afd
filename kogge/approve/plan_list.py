"""`kogge approve --list FILE`: what an approver signs, and what of it changed since somebody signed last."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from kogge.terminal.options import say, write_private
from ledger.plan.approvals import last_signed
from model.plural import many

if TYPE_CHECKING:
    from engine.approvals.plan_approval import WavePlan
    from ledger.store import Ledger

OPTION = "--list"


def write_list(ledger: Ledger, plan: WavePlan, path: Path) -> None:
    """Write the document whose SHA-256 is the plan's hash.

    How it differs from the last one that an approver of this wave signed goes to a second file, path.diff.
    Both name people, so only their owner may read them. How to check them is said on standard error.

    Raises:
        Misconfigured: for --list.
    """
    write_private(path, plan.text, OPTION)
    boxes = many(len(plan.rows), "mailbox", "mailboxes")
    say(f"{path}: the plan, {boxes}. `sha256sum {path}` must print {plan.hash}")
    last = last_signed(ledger, plan.wave.name)
    if last is None:
        say("No plan of this wave was signed by this version before; there is nothing to compare it with.")
        return
    different = path.with_name(f"{path.name}.diff")
    changed = difference(last, plan.text.decode())
    write_private(different, changed.encode(), OPTION)
    lines = sum(line[:1] in "+-" for line in changed.split("\n")[2:])
    say(f"{different}: {many(lines, 'line differs', 'lines differ')} from the plan that was signed last")


def difference(last: str, now: str) -> str:
    """Return a unified diff; "" if both are the same."""
    before, after = last.split("\n"), now.split("\n")
    return "\n".join(difflib.unified_diff(before, after, "signed last", "to be signed", n=0, lineterm=""))
