"""How far a cutover is while it is at work: each mailbox that ends, and a line a minute for the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kogge.terminal.options import say
from ledger.db.rows import Phase
from model.plural import many

if TYPE_CHECKING:
    from engine.cutover.steps import CutoverResult
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

TICK_SECONDS = 60.0
NAMED_MOST = 6


@contextmanager
def telling_how_far(
    ledger: Ledger, rows: Sequence[MailboxRow], first: str, tick: float = TICK_SECONDS
) -> Iterator[Callable[[CutoverResult], None]]:
    """Tells people how a cutover goes, on the error stream.

    Args:
        ledger: read once a tick, in a thread of its own.
        rows: the mailboxes at work.
        first: the first line, with the command that shows each step.
        tick: seconds between two lines about those that are at work.

    Yields:
        What is to be called with each result.
    """
    ended: set[str] = set()
    over = threading.Event()

    def result(cut: CutoverResult) -> None:
        ended.add(cut.mailbox)
        say(f"{cut.mailbox}: {cut.code or cut.phase} ({len(ended):,} of {len(rows):,})")

    def tell() -> None:
        while not over.wait(tick):
            say(how_far(ledger, [row.id for row in rows if row.id not in ended], len(rows)))

    say(first)
    teller = threading.Thread(target=tell, name="cutover progress", daemon=True)
    teller.start()
    try:
        yield result
    finally:
        over.set()
        teller.join()


def how_far(ledger: Ledger, left: Sequence[str], count: int) -> str:
    """Returns how many of a cutover's mailboxes have ended, how many are frozen, and at which step these are.

    Args:
        ledger: an open ledger.
        left: the ids of those that have not ended.
        count: how many there are in all.
    """
    from ledger.leg.cutover_steps import Steps

    steps = Steps(ledger).of(left)
    frozen = [number for number in left if ledger.mailbox(number).phase is Phase.FROZEN]
    at = [f"{number} {steps[number][-1].name}" for number in left if steps.get(number)]
    more = f", and {len(at) - NAMED_MOST} more" if len(at) > NAMED_MOST else ""
    told = f"{count - len(left):,} of {many(count, 'mailbox', 'mailboxes')} ended; {len(frozen):,} frozen"
    return told + (f"; at work: {', '.join(at[:NAMED_MOST])}{more}" if at else "")
