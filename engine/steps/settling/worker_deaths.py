"""Judge what the death of a worker says about the items that it had in hand (R10).

A death counts against an item until the item goes alone. From then on, a death counts only if the worker may
have died of itself with nothing else in hand in the whole process. What cannot be known, such as who sent a
SIGKILL, counts little: several such deaths are needed before an item is rejected.
"""

from __future__ import annotations

from enum import Enum

from engine.control import crash_note, lease

BEFORE_ALONE = 2
"""Deaths after which an item is the only one that its leg has in hand."""
BEFORE_ALONE_IN_PROCESS = 3
"""Deaths after which no other leg of the process has anything in hand beside it."""
BEFORE_REJECTED = 6
"""Deaths after which an item is rejected."""
TRIED_AGAIN = BEFORE_REJECTED - 1
"""Deaths that count against a rejected item when it is tried again: one more death rejects it."""


class Cause(Enum):
    """Name why a worker ended.

    Attributes:
        ITSELF: a fatal signal of its own, such as a segmentation fault.
        UNKNOWN: that, or a signal from outside; it cannot be told which.
        ELSEWHERE: the machine was started again, or it was another machine.
        NONE: nothing died: the worker's process still lives.
    """

    ITSELF = "itself"
    UNKNOWN = "unknown"
    ELSEWHERE = "elsewhere"
    NONE = "none"


def cause_of(owner: str | None) -> Cause:
    """Return why the worker of that name did not release its leg, as far as this machine can know."""
    if owner is None or not lease.is_named(owner):
        return Cause.UNKNOWN
    if not lease.ran_here(owner):
        return Cause.ELSEWHERE
    if lease.process_lives(owner):
        return Cause.NONE
    return Cause.ITSELF if crash_note.has_note(owner) else Cause.UNKNOWN


def counted(before: int, cause: Cause, *, alone: bool) -> int:
    """Return how many deaths count against an item after one more.

    Args:
        before: how many counted until now.
        cause: why the worker died.
        alone: True if the item was the only one that the leg had in hand.
    """
    if cause is Cause.NONE:
        return before
    if before < BEFORE_ALONE:
        return before + 1
    if cause is Cause.ELSEWHERE or not alone:
        return before
    if before < BEFORE_ALONE_IN_PROCESS or cause is Cause.UNKNOWN:
        return before + 1
    return max(before, BEFORE_REJECTED)
