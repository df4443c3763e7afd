"""Say how far a running cutover is: each mailbox that ends, and once a minute where the others are."""

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
    """Say on the error stream how a cutover goes, until the context ends.

    Args:
        ledger: is read once a tick, in a thread of its own.
        rows: the mailboxes at work.
        first: the first line, with the command that shows each step.
        tick: seconds between two lines about the mailboxes that are at work.

    Yields:
        A function to call with each result.
    """
    from flows.display.cutover_page import read_lines, work_phrase

    ended: dict[str, str | None] = {}
    over = threading.Event()

    def result(cut: CutoverResult) -> None:
        ended[cut.mailbox] = cut.code
        say(f"{cut.mailbox}: {cut.code or cut.phase} ({len(ended):,} of {len(rows):,})")

    def tell() -> None:
        while not over.wait(tick):
            now = ledger.mailboxes(ids=[row.id for row in rows])
            say(work_phrase(read_lines(ledger, now, dict(ended))))

    say(first)
    teller = threading.Thread(target=tell, name="cutover progress", daemon=True)
    teller.start()
    try:
        yield result
    finally:
        over.set()
        teller.join()
