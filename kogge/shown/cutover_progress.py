"""How far a cutover is while it is at work: each mailbox that ends, and a line a minute for the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kogge.terminal.options import say

if TYPE_CHECKING:
    from engine.cutover.steps import CutoverResult
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

TICK_SECONDS = 60.0


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
    from flows.display.cutover_page import read_lines, work_told

    ended: dict[str, str | None] = {}
    over = threading.Event()

    def result(cut: CutoverResult) -> None:
        ended[cut.mailbox] = cut.code
        say(f"{cut.mailbox}: {cut.code or cut.phase} ({len(ended):,} of {len(rows):,})")

    def tell() -> None:
        while not over.wait(tick):
            now = ledger.mailboxes(ids=[row.id for row in rows])
            say(work_told(read_lines(ledger, now, dict(ended))))

    say(first)
    teller = threading.Thread(target=tell, name="cutover progress", daemon=True)
    teller.start()
    try:
        yield result
    finally:
        over.set()
        teller.join()
