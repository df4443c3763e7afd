"""Notice when a source has lost suspiciously much; a person is asked before anything is removed (R8)."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ledger.db.rows import State
from model.errors import Blocked

SHARE = 0.10
LEAST = 20
"""The bound for one container: more than SHARE, and at least so many items."""
FEW = 3
"""The bound for a whole workload: more than half, and at least so many. Most people have fewer than LEAST
contacts."""
MAILBOXES = 3
MAILBOXES_SHARE = 0.10
"""The bound for one run: at least MAILBOXES mailboxes, and at least this share of those that the run looked
at."""
CODE = "source-shrunk"


def is_shrunk(counts: Mapping[State, int], moves: int = 0) -> bool:
    """Return True if this pass would withdraw more than a tenth, and at least 20, of a container's copies.

    Args:
        counts: how many items of the container are in each state.
        moves: how many of the items that leave are now elsewhere in the same mailbox.
    """
    leaving, held = _leaving(counts, moves)
    return leaving >= LEAST and leaving > SHARE * held


def is_halved(counts: Mapping[State, int], moved: int = 0) -> bool:
    """Return True if this pass would withdraw more than half, and at least 3, of what was written.

    Args:
        counts: how many items are in each state.
        moved: see is_shrunk.
    """
    leaving, held = _leaving(counts, moved)
    return leaving >= FEW and 2 * leaving > held


def is_mostly_gone(counts: Mapping[State, int], moved: int = 0) -> bool:
    """Return True as is_halved does, but without a minimum: in one mailbox alone this is not suspicious.

    Args:
        counts: how many items are in each state.
        moved: see is_shrunk.
    """
    leaving, held = _leaving(counts, moved)
    return leaving > 0 and 2 * leaving > held


class ShrinkBreaker:
    """Count, for all legs of one run, the mailboxes of which a workload is about to lose more than half.

    One person may empty a small address book. Many at once are a fault of the source. Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._gone: set[str] = set()

    def note(self, mailbox: str, *, gone: bool) -> None:
        """Note that a pass over a workload of this mailbox is about to remove items.

        Args:
            mailbox: the id of the mailbox.
            gone: True if the pass is about to remove more than half of them.
        """
        with self._lock:
            self._seen.add(mailbox)
            if gone:
                self._gone.add(mailbox)

    @property
    def pulled(self) -> bool:
        """True if so many mailboxes shrink at once that none may go on without an approval."""
        with self._lock:
            count = len(self._gone)
            return count >= MAILBOXES and count >= MAILBOXES_SHARE * len(self._seen)

    def fault(self, code: str | None) -> Blocked | None:
        """Return the fault that ends the run if this breaker stopped the leg; else None.

        Args:
            code: the code with which the leg ended.
        """
        if code != CODE or not self.pulled:
            return None
        return Blocked("source-shrunk", "several mailboxes lost most items at once; the run has stopped")


def _leaving(counts: Mapping[State, int], moved: int) -> tuple[int, int]:
    """Return how many items leave, and of how many."""
    held = sum(counts.get(s, 0) for s in (State.WRITTEN, State.VERIFIED, State.CHANGED, State.LEAVING))
    return counts.get(State.LEAVING, 0) - moved, held
