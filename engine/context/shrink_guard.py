"""R8: when a source has lost suspiciously much, which a person is asked about before anything is removed."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ledger.db.rows import State
from model.errors import Blocked

SHARE = 0.10
LEAST = 20
"""Of one container: more than this share, and at least so many."""
FEW = 3
"""Of a whole workload: more than half, and at least so many. Most people have fewer than LEAST contacts."""
MAILBOXES = 3
MAILBOXES_SHARE = 0.10
"""Of one run: at least so many mailboxes, and at least this share of those that it looked at."""
CODE = "source-shrunk"


def is_shrunk(counts: Mapping[State, int], moved: int = 0) -> bool:
    """Would this pass withdraw more than a tenth (and at least 20) of what we wrote to a container?
    moved: those of the leaving that are now elsewhere in the same mailbox."""
    leaving, held = _leaving(counts, moved)
    return leaving >= LEAST and leaving > SHARE * held


def is_halved(counts: Mapping[State, int], moved: int = 0) -> bool:
    """Would this pass withdraw more than half (and at least 3) of what we wrote? moved: as for is_shrunk."""
    leaving, held = _leaving(counts, moved)
    return leaving >= FEW and 2 * leaving > held


def is_mostly_gone(counts: Mapping[State, int], moved: int = 0) -> bool:
    """As is_halved, however few they are: of one mailbox that is nothing strange."""
    leaving, held = _leaving(counts, moved)
    return leaving > 0 and 2 * leaving > held


class ShrinkBreaker:
    """Counts, for all legs of one run, the mailboxes of which a workload is about to lose more than half of
    what was copied. One person may empty a small address book; many at once are a fault of the source. Safe
    from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._gone: set[str] = set()

    def note(self, mailbox: str, *, gone: bool) -> None:
        """A pass over a workload of this mailbox is about to remove; gone: more than half of it."""
        with self._lock:
            self._seen.add(mailbox)
            if gone:
                self._gone.add(mailbox)

    @property
    def pulled(self) -> bool:
        """Whether so many mailboxes shrink at once that none may that nobody approved."""
        with self._lock:
            count = len(self._gone)
            return count >= MAILBOXES and count >= MAILBOXES_SHARE * len(self._seen)

    def fault(self, code: str | None) -> Blocked | None:
        """How a leg ended. What ends the run, when that was the breaker; else None."""
        if code != CODE or not self.pulled:
            return None
        return Blocked("source-shrunk", "several mailboxes lost most items at once; the run has stopped")


def _leaving(counts: Mapping[State, int], moved: int) -> tuple[int, int]:
    """How many leave, and of how many."""
    held = sum(counts.get(s, 0) for s in (State.WRITTEN, State.VERIFIED, State.CHANGED, State.LEAVING))
    return counts.get(State.LEAVING, 0) - moved, held
